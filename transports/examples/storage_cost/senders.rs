//! Senders who wait for their echo.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use qun_core::server::{Access, Config, Peer, Presence, RoomConfig};
use qun_core::{Code, ConnId, Entropy, Limits, Role};
use qun_transports::sqlite::{Durability, Options, SqliteLog};
use qun_transports::{Clock, Driver, Event, Log, MemoryLog};

/// How long each is measured, after a tenth of that to warm up.
const TIME: Duration = Duration::from_secs(3);

/// Members of a room.
const ROOM: usize = 10;

pub(crate) fn measure(dir: &Path) -> Result<(), Box<dyn Error>> {
    println!("{:<8} {:>8} {:>12} {:>10} {:>10}", "log", "senders", "messages/s", "median", "99 %");
    for senders in [1, 10, 100, 1_000] {
        row("memory", senders, MemoryLog::new([8; 32]))?;
        for durability in [Durability::Normal, Durability::Full] {
            let path = dir.join(format!("{}-{senders}.db", durability.as_str()));
            let options = Options { durability, ..Options::default() };
            row(durability.as_str(), senders, SqliteLog::open(&path, [7; 32], options, |event| println!("{event}"))?)?;
        }
    }
    Ok(())
}

fn row(name: &str, senders: usize, log: impl Log) -> Result<(), Box<dyn Error>> {
    let mut times = run(senders, log)?;
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
    let rate = times.len() as f64 / TIME.as_secs_f64();
    println!("{name:<8} {senders:>8} {rate:>12.0} {:>7.2} ms {:>7.2} ms", at(50), at(99));
    Ok(())
}

struct Sender {
    conn: ConnId,
    room: usize,
    /// How many it has sent.
    sent: u64,
    since: Instant,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// How long each echo took.
fn run(senders: usize, mut log: impl Log) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut entropy = Entropy::new([5; 32]);
    let codes: Vec<_> = (0..senders.div_ceil(ROOM)).map(|_| Code::generate(&mut entropy)).collect();
    let room = |(number, code): (usize, &Code)| -> Result<RoomConfig, Box<dyn Error>> {
        let (code, label) = (code.clone(), "code".into());
        let access = Access { code, label, role: Role::Talk, expires: None, max_members: None };
        let id = format!("room-{number}").parse()?;
        Ok(RoomConfig {
            id,
            title: "Room".into(),
            presence: Presence::Count,
            codes: vec![access],
            accounts: Vec::new(),
            guests: true,
        })
    };
    let rooms = codes.iter().enumerate().map(room).collect::<Result<_, _>>()?;
    let limits = Limits { burst: 0, acts_burst: 0, ..Limits::default() };
    log.start(Arc::new(Unpark(thread::current())).into());
    let mut driver = Driver::new(Config { rooms, limits, ..Config::default() }, [6; 32], log);
    let clock = Clock::start();

    let mut people: Vec<Sender> = Vec::new();
    for number in 0..senders {
        let conn = driver.open(clock.now(), Peer::Local);
        let (room, code) = (number / ROOM, codes[number / ROOM].canonical());
        let hello = format!("{{\"t\":\"hello\",\"v\":[1],\"name\":\"p{number}\",\"key\":\"{number:022}\"}}\n");
        let join = format!("{{\"t\":\"join\",\"code\":\"{code}\",\"tail\":0}}\n");
        driver.received(clock.now(), conn, (hello + &join).as_bytes());
        people.push(Sender { conn, room, sent: 0, since: Instant::now() });
    }
    let by_index = |conn: ConnId| conn.index as usize;

    let (mut times, mut counting, mut says) = (Vec::new(), None, Vec::new());
    let began = Instant::now();
    loop {
        let now = clock.now();
        while let Some(event) = driver.poll(now) {
            let Event::Transmit(conn) = event else { continue };
            let bytes = sent(&mut driver, conn);
            let person = &mut people[by_index(conn)];
            let echo = format!("\"id\":\"{}-{}\"", conn.index, person.sent);
            let text = String::from_utf8_lossy(&bytes);
            let is_in = person.sent == 0 && text.contains("\"t\":\"joined\"");
            let is_echo = person.sent > 0 && text.contains(&echo);
            if !(is_in || is_echo) {
                continue;
            }
            if person.sent > 0 && counting.is_some() {
                times.push(person.since.elapsed());
            }
            person.sent += 1;
            person.since = Instant::now();
            let (id, room) = (format!("{}-{}", conn.index, person.sent), person.room);
            let say = format!(
                "{{\"t\":\"say\",\"id\":\"{id}\",\"room\":\"room-{room}\",\"text\":\"{:<100}|\"}}\n",
                "what a person says in a chat"
            );
            says.push((person.conn, say));
        }
        let idle = says.is_empty();
        for (conn, say) in says.drain(..) {
            driver.received(now, conn, say.as_bytes());
        }
        match counting {
            None if began.elapsed() > TIME / 10 => counting = Some(Instant::now()),
            Some(since) if since.elapsed() >= TIME => return Ok(times),
            _ => {}
        }
        driver.tick(now);
        if idle {
            thread::park_timeout(Duration::from_millis(10));
        }
    }
}

/// All that a connection is to be sent now.
fn sent(driver: &mut Driver<impl Log>, conn: ConnId) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(mut transmit) = driver.transmit(conn) {
        let mut slices: [&[u8]; 16] = [&[]; 16];
        let filled = transmit.gather(&mut slices, |slice| slice);
        let piece = slices[..filled].concat();
        // All of it is taken, which is never more than there is.
        let _ = transmit.advance(piece.len());
        bytes.extend(piece);
    }
    bytes
}
