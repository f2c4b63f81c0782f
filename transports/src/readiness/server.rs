//! The server's loop.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use qun_core::server::{Config, Hangup, Note, Peer};
use qun_core::{ConnId, Instant, Now};

use super::accept::{Accepted, Listeners};
use super::alarm::{Alarm, Bell, alarm};
use super::linger::Lingering;
use super::poller::{Interest, Poller, PollerKind, Ready};
use super::socket::{self, Got};
use super::table::Table;
use crate::clock::Clock;
use crate::driver::{self, Driver};
use crate::log::Log;

/// A server on TCP: listeners, connections, a machine and its log, all on the thread that calls [`run`](Self::run).
pub struct Server<L> {
    driver: Driver<L>,
    listeners: Listeners,
    conns: Table<Conn>,
    lingering: Lingering,
    poller: Box<dyn Poller>,
    bell: Bell,
    handle: Handle,
    clock: Clock,
    phase: Phase,
    work: Work,
    /// Empty between turns; kept for its capacity.
    ready: Vec<Ready>,
    buffer: Box<[u8]>,
}

/// What may be chosen about a [`Server`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How the loop learns what is ready.
    pub poller: PollerKind,
}

/// What an operator sees of a [`Server`].
#[derive(Debug)]
pub enum Event {
    /// The machine has something to say, why it closes a connection for one.
    Note(Note),
    /// A connection was lost that the machine had not closed.
    Lost {
        /// Which.
        conn: ConnId,
        /// Where it came from.
        peer: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// There is no descriptor or no memory for another connection. Whoever comes now waits, until one closes; those who
    /// are in notice nothing. Told once, until [`Event::Accepting`].
    Full {
        /// What the system said.
        error: io::Error,
    },
    /// After [`Event::Full`]: everyone who waited has been taken in.
    Accepting,
}

/// Stops a [`Server`], from any thread. Outliving it does no harm.
#[derive(Clone)]
pub struct Handle {
    alarm: Arc<Alarm>,
    wish: Arc<AtomicU8>,
}

impl Handle {
    /// Go down politely: listen no longer, say goodbye to everyone, and end once all have it, within
    /// [`Limits::drain`](qun_core::Limits) and two seconds.
    pub fn drain(&self) {
        self.wish(Wish::Drain);
    }

    /// End now.
    pub fn stop(&self) {
        self.wish(Wish::Stop);
    }

    fn wish(&self, wish: Wish) {
        self.wish.fetch_max(wish as u8, Ordering::AcqRel);
        self.alarm.ring();
    }
}

/// What was asked for by a [`Handle`]; a greater wish overrules a smaller one.
#[derive(Clone, Copy)]
enum Wish {
    Drain = 1,
    Stop = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Draining,
}

/// What comes after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Another turn: something was ready, and more may be by now.
    Busy,
    /// Another turn, once there is something to do again: nothing was ready.
    Idle,
    /// Nothing: a [`Handle`] ended the server.
    Ends,
}

/// A connection's socket.
struct Conn {
    stream: TcpStream,
    peer: SocketAddr,
    input: Input,
    output: Output,
    /// What the poller was last told.
    interest: Interest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// The poller tells when there is something.
    Waiting,
    /// It stands in [`Work::reads`].
    Queued,
    /// The machine wants nothing now. A reset is noticed all the same.
    Paused,
    /// The other side said that there is no more. The socket stays readable for ever, so it is not watched for that.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    /// There is nothing to send.
    Idle,
    /// It stands in [`Work::writes`].
    Queued,
    /// The socket took no more; the poller tells when it does.
    Blocked,
}

impl Conn {
    fn wanted(&self) -> Interest {
        Interest {
            read: matches!(self.input, Input::Waiting | Input::Queued),
            write: matches!(self.output, Output::Blocked),
        }
    }
}

/// What there is to do. An id stands here while its state says `Queued`; one that says otherwise by now is passed over.
#[derive(Default)]
struct Work {
    reads: Vec<ConnId>,
    writes: Vec<ConnId>,
    /// Connections whose interest may have changed. It is looked at once a turn, so that what changes back within a
    /// turn, as most does, costs no system call.
    changed: Vec<ConnId>,
}

/// What a poller's key stands for. A connection's index is not used again before all that was ready is looked at, so it
/// needs no generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Bell,
    Listener(usize),
    Conn(u32),
    Lingering,
}

impl Key {
    const SHIFT: u32 = 62;

    fn of(key: u64) -> Self {
        match key >> Self::SHIFT {
            0 => Self::Conn(key as u32),
            1 => Self::Listener((key & !(3 << Self::SHIFT)) as usize),
            2 => Self::Lingering,
            _ => Self::Bell,
        }
    }

    fn bell() -> u64 {
        3 << Self::SHIFT
    }

    fn listener(index: usize) -> u64 {
        1 << Self::SHIFT | index as u64
    }

    fn conn(conn: ConnId) -> u64 {
        u64::from(conn.index)
    }

    fn lingering(number: u64) -> u64 {
        2 << Self::SHIFT | number
    }
}

impl<L: Log> Server<L> {
    /// A server that takes connections from all these listeners once it [runs](Self::run). `seed` is 32 bytes of the
    /// best randomness there is.
    ///
    /// # Errors
    /// Where the system has no poller for it, or a listener can't be watched.
    pub fn new(
        listeners: Vec<TcpListener>,
        config: Config,
        log: L,
        seed: [u8; 32],
        options: Options,
    ) -> io::Result<Self> {
        Self::over(options.poller.open()?, listeners, config, log, seed)
    }

    /// A server over this poller.
    pub(crate) fn over(
        mut poller: Box<dyn Poller>,
        listeners: Vec<TcpListener>,
        config: Config,
        mut log: L,
        seed: [u8; 32],
    ) -> io::Result<Self> {
        let (alarm, bell) = alarm()?;
        poller.add(bell.as_fd(), Key::bell(), Interest::READ)?;
        let listeners = Listeners::new(listeners, &mut *poller, Key::listener)?;
        log.start(alarm.clone().into());
        Ok(Self {
            driver: Driver::new(config, seed, log),
            listeners,
            conns: Table::new(),
            lingering: Lingering::default(),
            poller,
            bell,
            handle: Handle { alarm, wish: Arc::default() },
            clock: Clock::start(),
            phase: Phase::Serving,
            work: Work::default(),
            ready: Vec::new(),
            buffer: vec![0; socket::READ].into(),
        })
    }

    /// What stops the server from elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until a [`Handle`] ends it.
    ///
    /// # Errors
    /// Where the poller or a listener breaks. No failure of a connection ends the server.
    pub fn run(mut self, mut on_event: impl FnMut(Event)) -> io::Result<()> {
        while let Flow::Busy | Flow::Idle = self.turn(self.timeout(), &mut on_event)? {}
        Ok(())
    }

    /// Waits until something is ready, or for no longer than `timeout`, and does one turn's share of what there is to
    /// do.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(crate) fn turn(&mut self, timeout: Option<Duration>, on_event: &mut dyn FnMut(Event)) -> io::Result<Flow> {
        let mut ready = std::mem::take(&mut self.ready);
        self.poller.wait(timeout, &mut ready)?;
        let flow = if ready.is_empty() { Flow::Idle } else { Flow::Busy };
        let now = self.clock.now();
        let mut acceptable = Vec::new();
        for ready in ready.drain(..) {
            self.look(now, ready, &mut acceptable, on_event);
        }
        self.ready = ready;
        let wish = self.handle.wish.load(Ordering::Acquire);
        if wish == Wish::Stop as u8 {
            return Ok(Flow::Ends);
        }
        if self.lingering.expire(&mut *self.poller, now.mono) {
            self.listeners.retry(now.mono);
        }
        if self.listeners.resume(now.mono) {
            self.listeners.watch(&mut *self.poller, true, Key::listener)?;
        }
        for index in acceptable {
            self.accept(now, index, on_event)?;
        }
        self.read_all(now, on_event);
        // After what had arrived by then: who spoke before the server goes down is heard.
        if wish == Wish::Drain as u8 {
            self.drain(now);
        }
        if self.driver.deadline().is_some_and(|deadline| deadline <= now.mono) {
            self.driver.tick(now);
        }
        self.obey(now, on_event);
        self.tell_poller(now, on_event);
        if self.phase == Phase::Draining && self.driver.connections() == 0 && self.lingering.is_empty() {
            return Ok(Flow::Ends);
        }
        Ok(flow)
    }

    /// How many connections are open.
    #[cfg(feature = "smol")]
    pub(crate) fn connections(&self) -> usize {
        self.driver.connections()
    }

    /// How long there is nothing to do if nothing happens.
    fn timeout(&self) -> Option<Duration> {
        Some(self.deadline()?.since(self.clock.now().mono))
    }

    /// When the next [`turn`](Self::turn) is wanted if nothing happens; long ago where there is something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if !self.work.reads.is_empty() {
            return Some(Instant::default());
        }
        let deadlines = [self.driver.deadline(), self.listeners.deadline(), self.lingering.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// The clock of the deadlines.
    #[cfg(feature = "smol")]
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Notes what is to be done about a source that is ready. Only what is lost is dealt with at once.
    fn look(&mut self, now: Now, ready: Ready, acceptable: &mut Vec<usize>, on_event: &mut dyn FnMut(Event)) {
        let index = match Key::of(ready.key) {
            Key::Bell => return self.bell.hear(),
            Key::Listener(index) => return acceptable.push(index),
            Key::Lingering => {
                if self.lingering.ready(&mut *self.poller, ready.key, &mut self.buffer) {
                    self.listeners.retry(now.mono);
                }
                return;
            }
            Key::Conn(index) => index,
        };
        let Some((id, conn)) = self.conns.at_mut(index) else { return };
        match conn.input {
            // The read that follows says what a hang-up was, after the last bytes.
            Input::Waiting if ready.read || ready.hangup => {
                conn.input = Input::Queued;
                self.work.reads.push(id);
            }
            Input::Paused | Input::Ended if ready.hangup => {
                let error = socket::failure(&conn.stream);
                return self.lose(now, id, error, on_event);
            }
            _ => {}
        }
        if ready.write && conn.output == Output::Blocked {
            conn.output = Output::Queued;
            self.work.writes.push(id);
            self.work.changed.push(id);
        }
    }

    fn accept(&mut self, now: Now, index: usize, on_event: &mut dyn FnMut(Event)) -> io::Result<()> {
        let was_paused = self.listeners.is_paused();
        let mut accepted = Vec::new();
        let outcome = self.listeners.accept(index, now.mono, &mut accepted);
        for accepted in accepted {
            match accepted {
                Accepted::Peer(stream, peer) => self.open(now, stream, peer),
                Accepted::Full(error) => on_event(Event::Full { error }),
                Accepted::Again => on_event(Event::Accepting),
            }
        }
        outcome?;
        if self.listeners.is_paused() && !was_paused {
            self.listeners.watch(&mut *self.poller, false, Key::listener)?;
        }
        Ok(())
    }

    fn open(&mut self, now: Now, stream: TcpStream, peer: SocketAddr) {
        // A socket that can't be made fit is closed before anybody has heard of it.
        if socket::prepare(&stream).is_err() {
            return;
        }
        let id = self.driver.open(now, Peer::Net(peer));
        let interest = Interest::READ;
        if self.poller.add(stream.as_fd(), Key::conn(id), interest).is_err() {
            return self.driver.closed(now, id, Hangup::Failed);
        }
        self.conns.insert(id, Conn { stream, peer, input: Input::Waiting, output: Output::Idle, interest });
    }

    /// Reads every connection that is queued, once: whoever sends much gets one buffer a turn, like all others.
    ///
    /// Level-triggered, what is left is told again. An edge-triggered poller would tell nothing until more arrives:
    /// there a connection must stay queued until a read finds nothing.
    fn read_all(&mut self, now: Now, on_event: &mut dyn FnMut(Event)) {
        for id in std::mem::take(&mut self.work.reads) {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            if conn.input != Input::Queued {
                continue;
            }
            conn.input = Input::Waiting;
            match socket::read(&conn.stream, &mut self.buffer) {
                Ok(Got::Bytes(n)) => self.driver.received(now, id, &self.buffer[..n]),
                Ok(Got::Nothing) => {}
                Ok(Got::End) => {
                    conn.input = Input::Ended;
                    self.work.changed.push(id);
                    self.driver.end_of_input(now, id);
                }
                Err(error) => self.lose(now, id, error, on_event),
            }
        }
    }

    /// Does what the machine wants, until it wants nothing more.
    fn obey(&mut self, now: Now, on_event: &mut dyn FnMut(Event)) {
        loop {
            while let Some(event) = self.driver.poll(now) {
                match event {
                    driver::Event::Transmit(id) => self.has_bytes(id),
                    driver::Event::Read(id, on) => self.set_reading(id, on),
                    driver::Event::Close(id, _) => self.close(now, id),
                    driver::Event::Note(note) => on_event(Event::Note(note)),
                }
            }
            if self.work.writes.is_empty() {
                return;
            }
            for id in std::mem::take(&mut self.work.writes) {
                self.write(now, id, on_event);
            }
        }
    }

    fn has_bytes(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.output == Output::Idle {
            conn.output = Output::Queued;
            self.work.writes.push(id);
        }
    }

    fn set_reading(&mut self, id: ConnId, on: bool) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        match (conn.input, on) {
            (Input::Waiting | Input::Queued, false) => conn.input = Input::Paused,
            (Input::Paused, true) => {
                // Read at the next turn, which comes at once: within this one it would take others' time.
                conn.input = Input::Queued;
                self.work.reads.push(id);
            }
            (Input::Waiting | Input::Queued, true) | (Input::Paused, false) | (Input::Ended, _) => return,
        }
        self.work.changed.push(id);
    }

    /// Sends what a connection has, as much as its socket takes.
    ///
    /// The socket is asked until it takes no more although level-triggered readiness would allow to stop: `Blocked` is
    /// known only from a write that was refused.
    fn write(&mut self, now: Now, id: ConnId, on_event: &mut dyn FnMut(Event)) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.output != Output::Queued {
            return;
        }
        let error = loop {
            let Some(mut transmit) = self.driver.transmit(id) else {
                conn.output = Output::Idle;
                return;
            };
            let mut slices = [IoSlice::new(&[]); socket::SLICES];
            let count = transmit.gather(&mut slices, IoSlice::new);
            match socket::write(&conn.stream, &slices[..count]) {
                Ok(Some(n)) => {
                    let within = transmit.advance(n);
                    debug_assert!(within.is_ok(), "the kernel took more than it was given");
                }
                Ok(None) => {
                    conn.output = Output::Blocked;
                    self.work.changed.push(id);
                    return;
                }
                Err(error) => break error,
            }
        };
        self.lose(now, id, error, on_event);
    }

    /// Tells the poller what has changed for good in this turn.
    fn tell_poller(&mut self, now: Now, on_event: &mut dyn FnMut(Event)) {
        for id in std::mem::take(&mut self.work.changed) {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            let wanted = conn.wanted();
            if conn.interest == wanted {
                continue;
            }
            conn.interest = wanted;
            if let Err(error) = self.poller.modify(conn.stream.as_fd(), Key::conn(id), wanted) {
                self.lose(now, id, error, on_event);
            }
        }
    }

    /// The machine is done with a connection.
    fn close(&mut self, now: Now, id: ConnId) {
        let Some(conn) = self.conns.remove(id) else { return };
        if conn.input == Input::Ended || conn.output != Output::Idle {
            // Nothing unread can spoil the last bytes, or the time for them is over.
            let _ = self.poller.delete(conn.stream.as_fd());
            self.listeners.retry(now.mono);
        } else {
            self.lingering.take(&mut *self.poller, conn.stream, now.mono, Key::lingering);
        }
    }

    /// A connection failed.
    fn lose(&mut self, now: Now, id: ConnId, error: io::Error, on_event: &mut dyn FnMut(Event)) {
        let Some(conn) = self.conns.remove(id) else { return };
        let _ = self.poller.delete(conn.stream.as_fd());
        self.listeners.retry(now.mono);
        self.driver.closed(now, id, hangup(&error));
        on_event(Event::Lost { conn: id, peer: conn.peer, error });
    }

    fn drain(&mut self, now: Now) {
        if self.phase == Phase::Serving {
            self.phase = Phase::Draining;
            self.listeners.close(&mut *self.poller);
            self.driver.drain(now);
        }
    }
}

fn hangup(error: &io::Error) -> Hangup {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => Hangup::Reset,
        _ => Hangup::Failed,
    }
}
