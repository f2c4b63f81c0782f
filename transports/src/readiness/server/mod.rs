//! The server's loop.

mod conn;
mod handle;
mod key;
mod turn;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::Duration;

use qun_core::server::{Config, Note};
use qun_core::{ConnId, Instant};

use super::accept::Listeners;
use super::alarm::{Bell, alarm};
use super::kind::PollerKind;
use super::linger::Lingering;
use super::poller::{Interest, Poller, Ready};
use super::socket;
use super::table::Table;
use super::unheard::Unheard;
use crate::clock::Clock;
use crate::driver::Driver;
use crate::log::Log;
use crate::verifier::Verifier;
use conn::{Conn, Work};
pub use handle::Handle;
use handle::{Asked, Seat, Wish};
use key::Key;

/// A server on TCP: listeners, connections, a machine and its log, all on the thread that calls [`run`](Self::run).
pub struct Server<L> {
    driver: Driver<L>,
    verifier: Verifier,
    listeners: Listeners,
    conns: Table<Conn>,
    lingering: Lingering,
    unheard: Unheard,
    poller: Box<dyn Poller>,
    bell: Bell,
    handle: Handle,
    seat: Seat,
    clock: Clock,
    phase: Phase,
    refusals: Refusals,
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
    /// The poller can't watch another connection, as `select` can't beyond its `FD_SETSIZE`: this one was closed without a
    /// word, and others that come before one closes will be. Those who are in notice nothing. Told once in a server's life.
    Refused {
        /// Where it came from.
        peer: SocketAddr,
        /// What the limit is.
        error: io::Error,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    Draining,
}

/// Whether the poller has refused a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusals {
    None,
    /// It has, and the operator knows.
    Told,
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
        let verifier = Verifier::new(alarm.clone().into());
        let seat = Seat::new();
        Ok(Self {
            driver: Driver::new(config, seed, log),
            verifier,
            listeners,
            conns: Table::new(),
            lingering: Lingering::default(),
            unheard: Unheard::default(),
            poller,
            bell,
            handle: Handle::new(alarm, &seat),
            seat,
            clock: Clock::start(),
            phase: Phase::Serving,
            refusals: Refusals::None,
            work: Work::default(),
            ready: Vec::new(),
            buffer: vec![0; socket::READ].into(),
        })
    }

    /// What stops, reloads and observes the server from elsewhere.
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
        for ready in ready.drain(..) {
            self.look(now, ready, on_event);
        }
        self.ready = ready;
        self.look_at_unheard(now, on_event);
        let (wish, Asked { config, tell }) = (self.seat.wish(), self.seat.take());
        if wish == Some(Wish::Stop) {
            return Ok(Flow::Ends);
        }
        if self.lingering.expire(&mut *self.poller, now.mono) {
            self.listeners.retry(now.mono);
        }
        if self.listeners.resume(now.mono) {
            self.listeners.watch(&mut *self.poller, true, Key::listener)?;
            // Without waiting to be told: if nobody waits any more nothing is, and the operator would not hear that it is over.
            (0..self.listeners.len()).for_each(|index| self.work.accept(index));
        }
        self.accept_all(now, on_event)?;
        self.read_all(now, on_event);
        // What had been said by then is heard first.
        if let Some(config) = config {
            self.driver.reload(now, config);
        }
        if wish == Some(Wish::Drain) {
            self.drain(now);
        }
        if self.driver.deadline().is_some_and(|deadline| deadline <= now.mono) {
            self.driver.tick(now);
        }
        self.obey(now, on_event);
        self.tell_poller(now, on_event);
        self.seat.publish(self.driver.connections());
        for tell in tell {
            tell(self.driver.overview());
        }
        if self.phase == Phase::Draining && self.driver.connections() == 0 && self.lingering.is_empty() {
            return Ok(Flow::Ends);
        }
        Ok(flow)
    }

    /// How long there is nothing to do if nothing happens.
    fn timeout(&self) -> Option<Duration> {
        Some(self.deadline()?.since(self.clock.now().mono))
    }

    /// When the next [`turn`](Self::turn) is wanted if nothing happens; long ago where there is something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if !self.work.is_done() {
            return Some(Instant::default());
        }
        let transport = [self.listeners.deadline(), self.lingering.deadline(), self.unheard.deadline()];
        transport.into_iter().chain([self.driver.deadline()]).flatten().min()
    }

    /// The clock of the deadlines.
    #[cfg(feature = "smol")]
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }
}
