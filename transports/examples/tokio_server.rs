//! The server machine under tokio: a transport of one's own is a page of code. docs/embedding.md walks through it, and
//! names the contract of each part by the numbers that stand here.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, ErrorKind::WouldBlock, IoSlice};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;
use std::time::Duration;

use qun_core::server::{Access, Config, Hangup, Peer, Presence, RoomConfig};
use qun_core::{Code, ConnId, Entropy, Instant, Role};
use qun_transports::{Clock, Driver, Event, Log, MemoryLog};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local, yield_now};

/// What all tasks share, on one thread. It is borrowed for a step, and never across an await.
struct Hub<L> {
    driver: RefCell<Driver<L>>,
    conns: RefCell<HashMap<ConnId, Rc<Conn>>>,
    clock: Clock,
    /// What the task that keeps the time was last told.
    deadline: Cell<Option<Instant>>,
    alarm: Arc<Alarm>,
}

/// What the machine wants of a connection; its task is told by `change`.
struct Conn {
    reading: Cell<bool>,
    closed: Cell<bool>,
    change: Notify,
}

/// Wakes the task that keeps the time: from the log's thread, and where a deadline may have come nearer.
#[derive(Default)]
struct Alarm(Notify);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let mut entropy = Entropy::new(seed);
    let code = Code::generate(&mut entropy);
    eprintln!("the code is {code}");
    let access = Access { code, label: "all".into(), role: Role::Talk, expires: None, max_members: None };
    let id = "hall".parse().map_err(io::Error::other)?;
    let room = RoomConfig { id, title: "The hall".into(), presence: Presence::Full, codes: vec![access] };
    let config = Config { rooms: vec![room], ..Config::default() };
    let hub = Hub::new(config, entropy.block(), MemoryLog::new(entropy.block()));
    let listener = TcpListener::bind("127.0.0.1:7777").await?;
    LocalSet::new().run_until(hub.serve(listener)).await;
    Ok(())
}

impl<L: Log + 'static> Hub<L> {
    fn new(config: Config, seed: [u8; 32], mut log: L) -> Rc<Self> {
        let alarm = Arc::<Alarm>::default();
        log.start(alarm.clone().into());
        let driver = RefCell::new(Driver::new(config, seed, log)); // 9: the seed
        Rc::new(Self { driver, conns: RefCell::default(), clock: Clock::start(), deadline: Cell::new(None), alarm })
    }

    async fn serve(self: Rc<Self>, listener: TcpListener) {
        spawn_local(self.clone().keep_time());
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => drop(spawn_local(self.clone().converse(stream, Peer::Net(peer)))),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await, // no descriptors, say
            }
        }
    }

    /// 1: inputs at any time, then drain `poll`.
    fn step<T>(&self, input: impl FnOnce(&mut Driver<L>) -> T) -> T {
        let (mut driver, mut conns) = (self.driver.borrow_mut(), self.conns.borrow_mut());
        let output = input(&mut driver);
        while let Some(event) = driver.poll(self.clock.now()) {
            let (id, act): (_, fn(&Conn)) = match event {
                Event::Transmit(id) => (id, |_| {}), // 2: an edge; the task flushes whenever it is told of a change
                Event::Read(id, true) => (id, |conn| conn.reading.set(true)), // 3: an edge, too
                Event::Read(id, false) => (id, |conn| conn.reading.set(false)),
                Event::Close(id, _) => (id, |conn| conn.closed.set(true)), // 5: the machine has buried it
                Event::Note(_) => continue,
            };
            let Some(conn) = conns.get(&id) else { continue };
            act(conn);
            conn.change.notify_one();
            if conn.closed.get() {
                conns.remove(&id);
            }
        }
        if self.deadline.replace(driver.deadline()) != driver.deadline() {
            self.alarm.0.notify_one();
        }
        output
    }

    /// 6: ticks when the machine wants it.
    async fn keep_time(self: Rc<Self>) {
        loop {
            let now = self.clock.now().mono;
            let wait = self.driver.borrow().deadline().map_or(Duration::from_secs(3_600), |at| at.since(now));
            let _ = tokio::time::timeout(wait, self.alarm.0.notified()).await;
            self.step(|driver| driver.tick(self.clock.now()));
        }
    }

    async fn converse(self: Rc<Self>, mut stream: TcpStream, peer: Peer) {
        // 8: what stalled readers leave is to wait here, where it counts, and not in the kernel.
        let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(16 << 10);
        let _ = (socket2::SockRef::from(&stream).set_send_buffer_size(128 << 10), stream.set_nodelay(true));
        let conn = Rc::new(Conn { reading: Cell::new(true), closed: Cell::new(false), change: Notify::new() });
        let id = self.driver.borrow_mut().open(self.clock.now(), peer);
        self.conns.borrow_mut().insert(id, conn.clone());
        self.step(|_| {});
        let (mut buffer, mut ended) = (vec![0; 64 << 10], false);
        while !conn.closed.get() {
            let Ok(blocked) = self.step(|driver| flush(driver, id, &stream)) else { break };
            let reads = conn.reading.get() && !ended;
            tokio::select! {
                () = conn.change.notified() => {}
                _ = stream.writable(), if blocked => {}
                _ = stream.ready(Interest::ERROR), if !reads => break,
                _ = stream.readable(), if reads => match stream.try_read(&mut buffer) {
                    Ok(0) => {
                        ended = true;
                        self.step(|driver| driver.end_of_input(self.clock.now(), id)); // 4: a half-close
                    }
                    Ok(n) => {
                        self.step(|driver| driver.received(self.clock.now(), id, &buffer[..n]));
                        yield_now().await; // whoever sends without end has one buffer a turn, like all others
                    }
                    Err(error) if error.kind() == WouldBlock => {}
                    Err(_) => break,
                },
            }
        }
        if !conn.closed.get() {
            self.conns.borrow_mut().remove(&id);
            return self.step(|driver| driver.closed(self.clock.now(), id, Hangup::Reset)); // 5: we bury it
        }
        // 7: a socket that is dropped with unread input is reset, and the reset eats the last bytes.
        let _ = stream.shutdown().await;
        let rest = async { while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {} };
        let _ = tokio::time::timeout(Duration::from_secs(2), rest).await;
    }
}

/// 2: until there is nothing, or the connection takes no more; says whether it is the latter.
fn flush<L: Log>(driver: &mut Driver<L>, id: ConnId, stream: &TcpStream) -> io::Result<bool> {
    while let Some(mut transmit) = driver.transmit(id) {
        let mut slices = [IoSlice::new(&[]); 64];
        let count = transmit.gather(&mut slices, IoSlice::new);
        match stream.try_write_vectored(&slices[..count]) {
            Ok(n) => transmit.advance(n).map_err(io::Error::other)?,
            Err(error) if error.kind() == WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
#[path = "../tests/examples/tokio.rs"]
mod tests;
