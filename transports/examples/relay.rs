//! The floor: as little as a server can do that sends everybody in a room what one of them said.
//!
//! ```sh
//! cargo run --release -p qun-transports --example relay
//! ```
//!
//! listens on a port of the loopback, which may be given and else is a free one, and prints its address. One thread, epoll, level-triggered, no protocol: a connection's first line
//! names its room and comes back, and every further line goes to all who named it. A turn reads each ready connection
//! once and finds the newlines; what came for a room is one buffer, and each of its members is sent that buffer in one call. It
//! checks nothing, remembers nothing, limits nothing, and drops whom it can't send everything at once.
//!
//! What a message costs here is what system calls and copying in the kernel cost. `qun bench --protocol relay` measures it, and
//! docs/performance.md compares servers with it.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

const LISTENER: u64 = u64::MAX;

#[derive(Default)]
struct Relay {
    conns: HashMap<u64, Conn>,
    names: HashMap<Vec<u8>, usize>,
    rooms: Vec<Room>,
}

struct Conn {
    stream: TcpStream,
    room: Option<usize>,
    /// The beginning of a line.
    rest: Vec<u8>,
}

#[derive(Default)]
struct Room {
    members: Vec<u64>,
    /// What came in this turn.
    fresh: Vec<u8>,
}

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_default().parse().unwrap_or(0);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, listener.as_fd(), EventData::new_u64(LISTENER), EventFlags::IN)?;
    let (mut relay, mut next, mut buffer) = (Relay::default(), 0, vec![0; 64 << 10]);
    loop {
        let mut space = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 512];
        let (mut stirred, mut gone) = (Vec::new(), Vec::new());
        let count = match epoll::wait(&epoll, &mut space, None) {
            Ok(count) => count,
            // Somebody looks at it with a tracer.
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        for event in &space[..count] {
            match event.data.u64() {
                LISTENER => {
                    while let Ok((stream, _)) = listener.accept() {
                        stream.set_nonblocking(true)?;
                        stream.set_nodelay(true)?;
                        epoll::add(&epoll, stream.as_fd(), EventData::new_u64(next), EventFlags::IN)?;
                        relay.conns.insert(next, Conn { stream, room: None, rest: Vec::new() });
                        next += 1;
                    }
                }
                key => {
                    if !relay.read(key, &mut buffer, &mut stirred) {
                        gone.push(key);
                    }
                }
            }
        }
        relay.send(&mut stirred, &mut gone);
        gone.into_iter().for_each(|key| relay.drop(key));
    }
}

impl Relay {
    fn read(&mut self, key: u64, buffer: &mut [u8], stirred: &mut Vec<usize>) -> bool {
        let Some(conn) = self.conns.get_mut(&key) else { return true };
        let n = match conn.stream.read(buffer) {
            Ok(0) => return false,
            Ok(n) => n,
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
        let Some(end) = buffer[..n].iter().rposition(|&byte| byte == b'\n') else {
            conn.rest.extend_from_slice(&buffer[..n]);
            return true;
        };
        let mut lines = &buffer[..=end];
        let room = match conn.room {
            Some(room) => room,
            None => {
                let (first, others) =
                    lines.split_at(lines.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1));
                let name = [&std::mem::take(&mut conn.rest), first].concat();
                if conn.stream.write_all(&name).is_err() {
                    return false;
                }
                let room = *self.names.entry(name).or_insert(self.rooms.len());
                if room == self.rooms.len() {
                    self.rooms.push(Room::default());
                }
                self.rooms[room].members.push(key);
                conn.room = Some(room);
                lines = others;
                room
            }
        };
        let fresh = &mut self.rooms[room].fresh;
        if fresh.is_empty() && !lines.is_empty() {
            stirred.push(room);
        }
        if !lines.is_empty() {
            fresh.append(&mut conn.rest);
            fresh.extend_from_slice(lines);
        }
        conn.rest.extend_from_slice(&buffer[end + 1..n]);
        true
    }

    fn send(&mut self, stirred: &mut Vec<usize>, gone: &mut Vec<u64>) {
        for room in stirred.drain(..) {
            let Room { members, fresh } = &mut self.rooms[room];
            for key in members.iter() {
                let Some(conn) = self.conns.get_mut(key) else { continue };
                if !matches!(conn.stream.write(fresh), Ok(n) if n == fresh.len()) {
                    gone.push(*key);
                }
            }
            fresh.clear();
        }
    }

    fn drop(&mut self, key: u64) {
        if let Some(Conn { room: Some(room), .. }) = self.conns.remove(&key) {
            self.rooms[room].members.retain(|&member| member != key);
        }
    }
}
