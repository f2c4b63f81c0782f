//! The server machine under tokio. The numbers are those of the contracts in docs/architecture.md.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, ErrorKind::WouldBlock, IoSlice};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;
use std::time::Duration;

use qun_core::server::{Config, Hangup, Peer};
use qun_core::{ConnId, Instant};
use qun_transports::{Clock, Driver, Event, Log, Verifier};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{spawn_local, yield_now};
use tokio::time::{sleep, timeout};

/// What all tasks share, on one thread. It is borrowed for a step, and never across an await.
pub(crate) struct Hub<L> {
    pub(crate) driver: RefCell<Driver<L>>,
    verifier: RefCell<Verifier>,
    conns: RefCell<HashMap<ConnId, Rc<Conn>>>,
    pub(crate) clock: Clock,
    deadline: Cell<Option<Instant>>,
    alarm: Arc<Alarm>,
}

/// What the machine wants of a connection; its task is told by `change`.
struct Conn {
    reading: Cell<bool>,
    closed: Cell<bool>,
    change: Notify,
}

/// Wakes the task that keeps the time: from the log's thread, and where the deadline moved.
#[derive(Default)]
struct Alarm(Notify);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl<L: Log + 'static> Hub<L> {
    pub(crate) fn new(config: Config, seed: [u8; 32], mut log: L) -> Rc<Self> {
        let alarm = Arc::<Alarm>::default();
        log.start(alarm.clone().into());
        let driver = RefCell::new(Driver::new(config, seed, log)); // 9: the seed
        let verifier = RefCell::new(Verifier::new(alarm.clone().into()));
        Rc::new(Self {
            driver,
            verifier,
            conns: RefCell::default(),
            clock: Clock::start(),
            deadline: Cell::new(None),
            alarm,
        })
    }

    pub(crate) async fn serve(self: Rc<Self>, listener: TcpListener) {
        spawn_local(self.clone().keep_time());
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => drop(spawn_local(self.clone().converse(stream, Peer::Net(peer)))),
                Err(_) => sleep(Duration::from_millis(100)).await, // no descriptors, say
            }
        }
    }

    /// 1: inputs at any time, then drain `poll`.
    pub(crate) fn step<T>(&self, input: impl FnOnce(&mut Driver<L>) -> T) -> T {
        let mut driver = self.driver.borrow_mut();
        let output = input(&mut driver);
        while let Some((request, verdict)) = self.verifier.borrow_mut().poll() {
            driver.verified(self.clock.now(), request, verdict);
        }
        while let Some(event) = driver.poll(self.clock.now()) {
            if let Event::Verify { request, hash, password } = event {
                self.verifier.borrow_mut().submit(request, hash, password);
                continue;
            }
            let (Event::Transmit(id) | Event::Read(id, _) | Event::Close(id, _)) = event else { continue };
            let Some(conn) = self.conns.borrow().get(&id).cloned() else { continue };
            match event {
                Event::Read(_, on) => conn.reading.set(on), // 3: an edge
                Event::Close(..) => conn.closed.set(true),  // 5: the machine has buried it
                _ => {}                                     // 2: an edge; a task that is told of anything flushes
            }
            conn.change.notify_one();
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
            let wait = self.deadline.get().map_or(Duration::from_secs(3_600), |at| at.since(now));
            let _ = timeout(wait, self.alarm.0.notified()).await;
            self.step(|driver| driver.tick(self.clock.now()));
        }
    }

    async fn converse(self: Rc<Self>, mut stream: TcpStream, peer: Peer) {
        // 8: what a stalled reader leaves is to wait in the room, where it counts, and not in the kernel.
        let _ = SockRef::from(&stream).set_tcp_notsent_lowat(16 << 10);
        let _ = (SockRef::from(&stream).set_send_buffer_size(128 << 10), stream.set_nodelay(true));
        let conn = Rc::new(Conn { reading: Cell::new(true), closed: Cell::new(false), change: Notify::new() });
        let id = self.driver.borrow_mut().open(self.clock.now(), peer);
        self.conns.borrow_mut().insert(id, conn.clone());
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
                        yield_now().await; // 8: whoever sends without end has one buffer a turn, like all others
                    }
                    Err(error) if error.kind() == WouldBlock => {}
                    Err(_) => break,
                },
            }
        }
        self.conns.borrow_mut().remove(&id);
        if !conn.closed.get() {
            return self.step(|driver| driver.closed(self.clock.now(), id, Hangup::Reset)); // 5: we bury it
        }
        // 7: a socket that is dropped with unread input is reset, and the reset eats the last bytes.
        let _ = stream.shutdown().await;
        let rest = async { while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {} };
        let _ = timeout(Duration::from_secs(2), rest).await;
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
