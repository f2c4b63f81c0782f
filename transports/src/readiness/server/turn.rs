//! One turn of the loop, step by step.
//!
//! The loop is the same over every poller. What the modes demand of it that differs is this:
//!
//! - what is watched ([`Conn::wanted`]): level-triggered only what is waited for, edge-triggered everything;
//! - whether a read that left something behind is to be remembered ([`read_all`](Server::read_all));
//! - who hangs up unheard ([`look_at_unheard`](Server::look_at_unheard)): nobody under epoll.
//!
//! Everything else is done in the way that is right for all: a write goes on until it is refused, a listener that was not
//! emptied stays in the list, and what is to go on after a pause is read without waiting to be told.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;

use qun_core::server::{Hangup, Peer};
use qun_core::{ConnId, Now};

use super::conn::{Conn, Input, Output};
use super::key::Key;
use super::{Event, Phase, Refusals, Server};
use crate::driver;
use crate::log::Log;
use crate::readiness::accept::Accepted;
use crate::readiness::poller::{Interest, Ready, Trigger};
use crate::readiness::socket::{self, Got};

impl<L: Log> Server<L> {
    /// Notes what is to be done about a source that is ready. Only what is lost is dealt with at once.
    pub(super) fn look(&mut self, now: Now, ready: Ready, on_event: &mut dyn FnMut(Event)) {
        let index = match Key::of(ready.key) {
            Key::Bell => return self.bell.hear(),
            Key::Listener(index) => return self.work.accept(index),
            Key::Conn(told) => told.index,
        };
        let Some((id, conn)) = self.conns.at_mut(index).filter(|(id, _)| Key::conn(*id) == ready.key) else {
            if self.lingering.ready(&mut *self.poller, ready.key, &mut self.buffer) {
                self.listeners.retry(now.mono);
            }
            return;
        };
        let to_the_end = ready.rest || ready.hangup;
        match &mut conn.input {
            // The read that follows says what a hang-up was, after the last bytes.
            Input::Waiting if ready.read || ready.hangup => {
                conn.input = Input::Queued { rest: to_the_end };
                self.work.reads.push(id);
            }
            Input::Queued { rest } => *rest |= to_the_end,
            Input::Paused { .. } | Input::Ended if ready.hangup => {
                let error = socket::failure(&conn.stream);
                return self.lose(now, id, error, on_event);
            }
            // An edge while it is paused is lost, and nothing with it: who goes on reads without being told.
            _ => {}
        }
        if ready.write && conn.output == Output::Blocked {
            conn.output = Output::Queued;
            self.work.writes.push(id);
            self.work.changed.push(id);
        }
    }

    /// Looks at the connections of which the poller would tell nothing, not even that they were reset.
    pub(super) fn look_at_unheard(&mut self, now: Now, on_event: &mut dyn FnMut(Event)) {
        for id in self.unheard.take(now.mono) {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            if conn.interest != Interest::NONE {
                continue;
            }
            if socket::is_gone(&conn.stream) {
                let error = socket::failure(&conn.stream);
                self.lose(now, id, error, on_event);
            } else {
                self.unheard.add(now.mono, id);
            }
        }
    }

    /// Takes in who waits, a bounded number at each listener.
    pub(super) fn accept_all(&mut self, now: Now, on_event: &mut dyn FnMut(Event)) -> io::Result<()> {
        for at in 0..self.work.accepts.len() {
            let index = self.work.accepts[at];
            let was_paused = self.listeners.is_paused();
            let mut accepted = Vec::new();
            let outcome = self.listeners.accept(index, now.mono, &mut accepted);
            for accepted in accepted {
                match accepted {
                    Accepted::Peer(stream, peer) => self.open(now, stream, peer, on_event),
                    Accepted::Full(error) => on_event(Event::Full { error }),
                    Accepted::Again => on_event(Event::Accepting),
                }
            }
            if outcome? {
                // Edge-triggered, those who wait still are told no more until somebody else comes.
                self.work.more_accepts.push(index);
            }
            if self.listeners.is_paused() && !was_paused {
                self.listeners.watch(&mut *self.poller, false, Key::listener)?;
            }
        }
        self.work.accepts.clear();
        std::mem::swap(&mut self.work.accepts, &mut self.work.more_accepts);
        Ok(())
    }

    fn open(&mut self, now: Now, stream: TcpStream, peer: SocketAddr, on_event: &mut dyn FnMut(Event)) {
        let id = self.driver.open(now, Peer::Net(peer));
        let conn = Conn::new(stream, peer, self.poller.trigger());
        // Edge-triggered, too, what came before this is told: adding a source looks at it.
        if let Err(error) = self.poller.add(conn.stream.as_fd(), Key::conn(id), conn.interest) {
            // Nothing has been read of it, so there is no dialect to say why in.
            let _ = conn.stream.shutdown(Shutdown::Write);
            if self.refusals == Refusals::None {
                self.refusals = Refusals::Told;
                on_event(Event::Refused { peer, error });
            }
            return self.driver.closed(now, id, Hangup::Failed);
        }
        self.conns.insert(id, conn);
    }

    /// Reads every connection that is queued, once: whoever sends much gets one buffer a turn, like all others.
    ///
    /// After each [`socket::SHARE`] of them all what was said is done with and sent. So a room is never told more than its
    /// members can be sent before it hears the rest, and what is done with is still in the processor's caches.
    pub(super) fn read_all(&mut self, now: Now, on_event: &mut dyn FnMut(Event)) {
        let count = self.work.reads.len();
        let mut undone = 0;
        for at in 0..count {
            if undone >= socket::SHARE {
                undone = 0;
                self.obey(now, on_event);
            }
            let id = self.work.reads[at];
            let Some(conn) = self.conns.get_mut(id) else { continue };
            let rest = match &mut conn.input {
                Input::Queued { rest } => *rest,
                Input::Paused { listed } => {
                    *listed = false;
                    continue;
                }
                Input::Waiting | Input::Ended => continue,
            };
            conn.input = Input::Waiting;
            match socket::read(&conn.stream, &mut self.buffer) {
                Ok(Got::Bytes(n)) => {
                    // Level-triggered, what is left is told again. Edge-triggered nothing is, until more arrives: unless it
                    // stays queued, a line whose end was left waits for a line that may never come, and the same goes for
                    // an end or a reset behind the last bytes. A buffer that was not filled is as good as a read that finds
                    // nothing, unless the poller told of something that a read stops short of.
                    if self.poller.trigger() == Trigger::Edge && (rest || n == self.buffer.len()) {
                        conn.input = Input::Queued { rest };
                        self.work.reads.push(id);
                    }
                    undone += n;
                    self.driver.received(now, id, &self.buffer[..n]);
                }
                Ok(Got::Nothing) => {}
                Ok(Got::End) => {
                    conn.input = Input::Ended;
                    self.work.changed.push(id);
                    self.driver.end_of_input(now, id);
                }
                Err(error) => self.lose(now, id, error, on_event),
            }
        }
        self.work.reads.drain(..count);
    }

    /// Does what the machine wants, and writes every connection that is queued, once.
    pub(super) fn obey(&mut self, now: Now, on_event: &mut dyn FnMut(Event)) {
        self.drain_driver(now, on_event);
        let count = self.work.writes.len();
        for at in 0..count {
            self.write(now, self.work.writes[at], on_event);
        }
        self.work.writes.drain(..count);
        // Now that bytes are gone the machine may have gone on with lines that waited for that. What it has to send is sent at
        // the next turn, which comes at once: else somebody who asks much and takes it fast would keep the turn for himself.
        self.drain_driver(now, on_event);
    }

    fn drain_driver(&mut self, now: Now, on_event: &mut dyn FnMut(Event)) {
        while let Some((request, verdict)) = self.verifier.poll() {
            self.driver.verified(now, request, verdict);
        }
        while let Some(event) = self.driver.poll(now) {
            match event {
                driver::Event::Transmit(id) => self.has_bytes(id),
                driver::Event::Read(id, on) => self.set_reading(id, on),
                driver::Event::Close(id, _) => self.close(now, id),
                driver::Event::Verify { request, hash, password } => self.verifier.submit(request, hash, password),
                driver::Event::Note(note) => on_event(Event::Note(note)),
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
        conn.input = match (conn.input, on) {
            (Input::Waiting, false) => Input::Paused { listed: false },
            (Input::Queued { .. }, false) => Input::Paused { listed: true },
            (Input::Paused { listed }, true) => {
                // Read at the next turn, which comes at once: within this one it would take others' time. Waiting to be told
                // would be for ever under an edge-triggered poller, which told of the bytes, and of an end, during the pause.
                if !listed {
                    self.work.reads.push(id);
                }
                Input::Queued { rest: true }
            }
            (Input::Waiting | Input::Queued { .. }, true) | (Input::Paused { .. }, false) | (Input::Ended, _) => return,
        };
        self.work.changed.push(id);
    }

    /// Sends what a connection has, as much as its socket takes, or a turn's share.
    ///
    /// The socket is asked until it refuses, because `Blocked` is known from that alone: level-triggered, waiting after a write that
    /// was merely short would cost a turn; edge-triggered it would be for ever, since a socket that never was full never
    /// becomes writable.
    fn write(&mut self, now: Now, id: ConnId, on_event: &mut dyn FnMut(Event)) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.output != Output::Queued {
            return;
        }
        let mut share = socket::WRITE;
        let error = loop {
            let Some(mut transmit) = self.driver.transmit(id) else {
                conn.output = Output::Idle;
                return;
            };
            if share == 0 {
                // It was not refused, so no poller would tell of it: it stays queued.
                self.work.writes.push(id);
                return;
            }
            let (mut few, mut many) = ([IoSlice::new(&[]); socket::FEW], None);
            let slices = match transmit.gather(&mut few, IoSlice::new) {
                socket::FEW => {
                    let many = many.insert([IoSlice::new(&[]); socket::SLICES]);
                    let count = transmit.gather(many, IoSlice::new);
                    &many[..count]
                }
                count => &few[..count],
            };
            match socket::write(&conn.stream, slices) {
                Ok(Some(n)) => {
                    let within = transmit.advance(n);
                    debug_assert!(within.is_ok(), "the kernel took more than it was given");
                    share = share.saturating_sub(n);
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
    pub(super) fn tell_poller(&mut self, now: Now, on_event: &mut dyn FnMut(Event)) {
        while let Some(id) = self.work.changed.pop() {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            let wanted = conn.wanted(self.poller.trigger());
            if conn.interest == wanted {
                continue;
            }
            conn.interest = wanted;
            if let Err(error) = self.poller.modify(conn.stream.as_fd(), Key::conn(id), wanted) {
                self.lose(now, id, error, on_event);
            } else if wanted == Interest::NONE && !self.poller.hears_hangups() {
                self.unheard.add(now.mono, id);
            }
        }
    }

    /// The machine is done with a connection.
    fn close(&mut self, now: Now, id: ConnId) {
        let Some(conn) = self.conns.remove(id) else { return };
        if conn.input == Input::Ended || conn.output != Output::Idle {
            // Nothing unread can spoil the last bytes, or the time for them is over.
            let _ = self.poller.closes(conn.stream.as_fd());
            self.listeners.retry(now.mono);
        } else {
            self.lingering.take(&mut *self.poller, conn.stream, Key::conn(id), conn.interest, now.mono);
        }
    }

    /// A connection failed.
    fn lose(&mut self, now: Now, id: ConnId, error: io::Error, on_event: &mut dyn FnMut(Event)) {
        let Some(conn) = self.conns.remove(id) else { return };
        let _ = self.poller.closes(conn.stream.as_fd());
        self.listeners.retry(now.mono);
        self.driver.closed(now, id, hangup(&error));
        on_event(Event::Lost { conn: id, peer: conn.peer, error });
    }

    pub(super) fn drain(&mut self, now: Now) {
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
