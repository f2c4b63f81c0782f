//! The server's process.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use qun_core::server::{Access, Config, Presence, RoomConfig};
use qun_core::{Limits, Role};
use qun_transports::MemoryLog;
use qun_transports::readiness::{Event, Options, PollerKind, Server};

/// The first argument of such a process.
pub(crate) const COMMAND: &str = "serve";

/// Serves `rooms` rooms on this thread, alone, and prints the port. Ends with its stdin.
pub(crate) fn run(poller: PollerKind, rooms: usize) -> Result<(), Box<dyn Error>> {
    let hour = Duration::from_secs(3_600);
    let limits = Limits { burst: 0, per_s: 0, ping: hour, handshake: hour, stall: hour, ..Limits::default() };
    let rooms = (0..rooms).map(room).collect::<Result<_, _>>()?;
    let config = Config { rooms, limits, ..Config::default() };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let server = Server::new(vec![listener], config, MemoryLog::new([1; 32]), [2; 32], Options { poller })?;
    let handle = server.handle();
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        handle.stop();
    });
    writeln!(io::stdout(), "{port}")?;
    server.run(|event| match event {
        Event::Note(_) | Event::Accepting => {}
        event => eprintln!("the server: {event:?}"),
    })?;
    Ok(())
}

/// The code of a room.
pub(crate) fn code(room: usize) -> String {
    format!("R00M{room:04}")
}

fn room(number: usize) -> Result<RoomConfig, Box<dyn Error>> {
    let code = code(number).parse()?;
    let access = Access { code, label: "all".into(), role: Role::Talk, expires: None, max_members: None };
    let id = format!("r{number}").parse()?;
    Ok(RoomConfig {
        id,
        title: "Room".into(),
        presence: Presence::Full,
        codes: vec![access],
        accounts: Vec::new(),
        guests: true,
    })
}
