//! A chat server under tokio, by a transport of its own: `hub.rs`. docs/embedding.md walks through it.

mod hub;

use std::io;

use qun_core::server::{Access, Config, Presence, RoomConfig};
use qun_core::{Code, Entropy, Role};
use qun_transports::MemoryLog;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let mut entropy = Entropy::new(seed);
    let code = Code::generate(&mut entropy);
    eprintln!("the code is {code}");
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
    let hub = hub::Hub::new(config, entropy.block(), MemoryLog::new(entropy.block()));
    let listener = TcpListener::bind("127.0.0.1:7777").await?;
    LocalSet::new().run_until(hub.serve(listener)).await;
    Ok(())
}

#[cfg(test)]
#[path = "../../tests/examples/tokio.rs"]
mod tests;
