//! Everybody who is connected.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::server;

/// Members of each room.
pub(crate) const ROOM: usize = 10;

/// Rooms full of members on blocking sockets, whose cost is not what is measured.
pub(crate) struct Crowd {
    rooms: Vec<Vec<Member>>,
    said: u64,
}

struct Member {
    stream: TcpStream,
    /// What came behind the last line that was looked for.
    rest: Vec<u8>,
}

impl Crowd {
    /// Fills `rooms` rooms of the server at this port, and waits until nothing of that is on its way any more.
    pub(crate) fn gather(port: u16, rooms: usize) -> io::Result<Self> {
        let mut crowd = Self { rooms: Vec::new(), said: 0 };
        for room in 0..rooms {
            let members = (0..ROOM).map(|member| Member::join(port, room, member)).collect::<io::Result<_>>()?;
            crowd.rooms.push(members);
        }
        for member in crowd.rooms.iter_mut().flatten() {
            member.until(r#""t":"joined""#)?;
        }
        crowd.all_speak(|| Ok(()), || Ok(()))?;
        Ok(crowd)
    }

    /// One says something in one room, and all there get it. Says how many that are.
    pub(crate) fn one_speaks(&mut self) -> io::Result<usize> {
        self.said += 1;
        // One in the middle: the first and the last to come may be special cases of a table or of a bit set.
        let middle = self.rooms.len() / 2;
        let room = &mut self.rooms[middle];
        room[0].say(middle, self.said)?;
        hear(room, self.said)?;
        Ok(ROOM)
    }

    /// One in every room says something between `before` and `after`, and all get it. Says how many that are.
    pub(crate) fn all_speak(
        &mut self,
        before: impl FnOnce() -> io::Result<()>,
        after: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<usize> {
        self.said += 1;
        before()?;
        for (number, room) in self.rooms.iter_mut().enumerate() {
            room[0].say(number, self.said)?;
        }
        after()?;
        for room in &mut self.rooms {
            hear(room, self.said)?;
        }
        Ok(self.rooms.len() * ROOM)
    }
}

fn hear(room: &mut [Member], said: u64) -> io::Result<()> {
    let id = format!(r#""id":"{}""#, id(said));
    room.iter_mut().try_for_each(|member| member.until(&id))
}

fn id(said: u64) -> String {
    format!("m{said:015}")
}

impl Member {
    fn join(port: u16, room: usize, member: usize) -> io::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let name = format!("u{room}-{member}");
        let code = server::code(room);
        let hello = format!("{{\"t\":\"hello\",\"v\":[1],\"name\":\"{name}\"}}\n");
        let join = format!("{{\"t\":\"join\",\"id\":\"j\",\"code\":\"{code}\"}}\n");
        stream.write_all((hello + &join).as_bytes())?;
        Ok(Self { stream, rest: Vec::new() })
    }

    fn say(&mut self, room: usize, said: u64) -> io::Result<()> {
        let id = id(said);
        let text = "a message of some forty bytes, as they are";
        let line = format!("{{\"t\":\"say\",\"id\":\"{id}\",\"room\":\"r{room}\",\"text\":\"{text}\"}}\n");
        self.stream.write_all(line.as_bytes())
    }

    /// Reads to the end of a line that has `part`.
    fn until(&mut self, part: &str) -> io::Result<()> {
        let mut buffer = [0; 4_096];
        loop {
            while let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                if line.windows(part.len()).any(|window| window == part.as_bytes()) {
                    return Ok(());
                }
            }
            let n = self.stream.read(&mut buffer)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.rest.extend_from_slice(&buffer[..n]);
        }
    }
}
