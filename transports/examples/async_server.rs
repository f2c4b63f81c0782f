//! A chat server inside an async program that also does something else: to count who is there, until stdin ends.
use std::future::{Future, pending};
use std::io::{self, Read as _};
use std::net::TcpListener;
use std::time::Duration;

use qun_core::server::{Access, Config, Presence, RoomConfig};
use qun_core::{Code, Entropy, Role};
use qun_transports::{MemoryLog, smol::seed, smol::serve};
use smol::future::or;

fn main() -> io::Result<()> {
    let code = Code::generate(&mut Entropy::new(seed()?));
    eprintln!("the code is {code}");
    let end = smol::unblock(|| io::stdin().read_to_end(&mut Vec::new()));
    smol::block_on(run(TcpListener::bind("127.0.0.1:7777")?, code, end, |n| eprintln!("{n} connections")))
}

async fn run(listener: TcpListener, code: Code, end: impl Future, mut count: impl FnMut(usize)) -> io::Result<()> {
    let access = Access { code, label: "all".into(), role: Role::Talk, expires: None, max_members: None };
    let id = "hall".parse().map_err(io::Error::other)?;
    let room = RoomConfig {
        id,
        title: "The hall".into(),
        presence: Presence::Full,
        codes: vec![access],
        accounts: Vec::new(),
        guests: true,
    };
    let config = Config { rooms: vec![room], ..Config::default() };

    let server = serve([listener], config, MemoryLog::new(seed()?))?;
    let handle = server.handle();
    let counting = async {
        loop {
            smol::Timer::after(Duration::from_millis(500)).await;
            count(handle.connections());
        }
    };
    let ending = async { (end.await, handle.drain(), pending::<io::Result<()>>().await).2 };
    or(server, or(counting, ending)).await
}

#[cfg(test)]
#[path = "../tests/examples/server.rs"]
mod tests;
