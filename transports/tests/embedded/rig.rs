//! A room to serve and people to be in it.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use qun_core::client::{self, Event};
use qun_core::server::{Access, Config, Presence, RoomConfig};
use qun_core::{Entropy, Key, Limits, Role, RoomId};
use qun_transports::MemoryLog;
use qun_transports::smol::{Connection, Server, connect, seed, serve};
use smol::Timer;
use smol::future::FutureExt;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const CODE: &str = "K7QM-2XD4";

pub(crate) fn room() -> RoomId {
    "ops".parse().unwrap()
}

/// One room, no rates.
pub(crate) fn config() -> Config {
    let code = Access {
        code: CODE.parse().unwrap(),
        label: "team".into(),
        role: Role::Talk,
        expires: None,
        max_members: None,
    };
    let room = RoomConfig {
        id: room(),
        title: "Ops".into(),
        presence: Presence::Count,
        codes: vec![code],
        accounts: Vec::new(),
        guests: true,
    };
    let limits = Limits { burst: 0, per_s: 0, ..Limits::default() };
    Config { rooms: vec![room], limits, ..Config::default() }
}

pub(crate) fn server_at(addr: &str) -> (Server<MemoryLog>, SocketAddr) {
    let listener = TcpListener::bind(addr).unwrap();
    let addr = listener.local_addr().unwrap();
    (serve([listener], config(), MemoryLog::new(seed().unwrap())).unwrap(), addr)
}

pub(crate) fn server() -> (Server<MemoryLog>, SocketAddr) {
    server_at("127.0.0.1:0")
}

pub(crate) fn client(addr: SocketAddr) -> Connection {
    let config = client::Config {
        agent: "qun/test".into(),
        name: None,
        key: Key::generate(&mut Entropy::new(seed().unwrap())),
        tail: 50,
        timeline: 100,
        password: None,
        backoff: Duration::from_millis(100),
    };
    connect(addr.to_string(), config).unwrap()
}

/// A client in the room.
pub(crate) async fn member(addr: SocketAddr) -> Connection {
    let mut member = client(addr);
    member.join(CODE.parse().unwrap());
    until(&mut member, |event| matches!(event, Event::Joined { .. }).then_some(())).await;
    member
}

/// Waits for an event of which `find` makes something.
pub(crate) async fn until<T>(client: &mut Connection, mut find: impl FnMut(Event) -> Option<T>) -> T {
    loop {
        let event = client.next().await.expect("the event comes before the end");
        if let Some(found) = find(event) {
            return found;
        }
    }
}

pub(crate) async fn hears(client: &mut Connection, text: &str) {
    until(client, |event| match event {
        Event::Message { message, .. } if message.text.as_str() == text => Some(()),
        _ => None,
    })
    .await;
}

pub(crate) async fn say(client: &mut Connection, text: &str) {
    client.say(&room(), text.parse().unwrap()).unwrap();
    hears(client, text).await;
}

/// Runs `future` while the server is served, and fails where it takes too long.
pub(crate) fn with<T>(server: &mut Server<MemoryLog>, future: impl Future<Output = T>) -> T {
    smol::block_on(in_time(future.or(async {
        let end = server.await;
        panic!("the server ended first: {end:?}")
    })))
}

pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    let late = async {
        Timer::after(PATIENCE).await;
        panic!("it takes too long")
    };
    future.or(late).await
}
