//! Connections end, and sessions with them or after them.

use alloc::vec::Vec;
use core::time::Duration;

use super::Server;
use super::conn::Phase;
use super::io::{Action, Note, Reason};
use super::out::List;
use super::slab::Handle;
use super::timers::Timer;
use crate::id::ConnId;
use crate::json::ByeCode;
use crate::time::Instant;

impl Server {
    /// Begins to close a connection: it reads nothing more, and what its session has said settles first.
    pub(super) fn part(&mut self, id: ConnId, reason: Reason) {
        let until = self.now.mono + self.limits.drain;
        let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.is_closing()) else { return };
        conn.lines.clear();
        match conn.phase {
            Phase::Live(session) => {
                conn.phase = Phase::Parting(session, reason, until);
                self.part_if_settled(id);
            }
            _ => self.flush_and_close(id, reason),
        }
        self.schedule(id);
    }

    /// Goes on with a connection that closes, once its session's says are settled.
    pub(super) fn part_if_settled(&mut self, id: ConnId) {
        let Some(Phase::Parting(session, ..)) = self.conns.get(id).map(|conn| conn.phase) else { return };
        if self.sessions.get(session).is_none_or(|session| session.in_flight == 0) {
            self.part_now(id);
        }
    }

    /// Goes on with a connection that closes: its session ends or is detached, and what is unsent goes out.
    pub(super) fn part_now(&mut self, id: ConnId) {
        let Some(Phase::Parting(session, reason, _)) = self.conns.get(id).map(|conn| conn.phase) else { return };
        // A leave that still waits has waited long enough.
        self.leave_if_settled(id, true);
        self.unbind(id, session);
        self.flush_and_close(id, reason);
        self.leave_behind(session, reason == Reason::Done);
    }

    /// Says goodbye; when everything is sent the connection closes.
    pub(super) fn flush_and_close(&mut self, id: ConnId, reason: Reason) {
        let Some(conn) = self.conns.get(id) else { return };
        let prompted = matches!(conn.phase, Phase::Sniffing(true) | Phase::Code(_) | Phase::Naming(_));
        self.flush_and_close_after(id, reason, prompted);
    }

    /// The same, behind a prompt or not: a prompt leaves its line open.
    pub(super) fn flush_and_close_after(&mut self, id: ConnId, reason: Reason, prompted: bool) {
        let until = self.now.mono + self.limits.drain;
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.phase = Phase::Flushing(reason, until);
        conn.wait = None;
        conn.lines.clear();
        self.say_bye(id, reason, prompted);
        let Some(conn) = self.conns.get_mut(id) else { return };
        if !conn.out.armed {
            self.closed(id, reason);
        }
        self.wake.push_back(id);
        self.schedule(id);
    }

    /// Closes a connection at once; `poll` buries it with the action.
    pub(super) fn closed(&mut self, id: ConnId, reason: Reason) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if let Phase::Closed(_) = conn.phase {
            return;
        }
        let (peer, session) = (conn.peer, conn.session());
        if let Some(session) = session {
            self.cut_off(id, session);
        }
        if let Some(conn) = self.conns.get_mut(id) {
            conn.phase = Phase::Closed(reason);
            conn.lines.clear();
        }
        self.schedule(id);
        self.note(Note::Closed { conn: id, peer, reason });
        self.actions.push_back(Action::Close(id, reason));
    }

    /// The driver has lost a connection, and buried it.
    pub(super) fn lost(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        if let Some(session) = conn.session() {
            self.cut_off(id, session);
        }
        self.bury(id);
    }

    /// Forgets a connection; says whether there was one.
    pub(super) fn bury(&mut self, id: ConnId) -> bool {
        let slots = self.conns.get(id).map_or(0, |conn| conn.out.subs.len());
        for slot in 0..slots {
            self.rouse(id, slot as u16);
        }
        let Some(conn) = self.conns.remove(id) else { return false };
        for sub in conn.out.subs.iter().flatten() {
            debug_assert_eq!(sub.list, List::Dirty);
            self.rooms[sub.room as usize].held.detach(conn.out.dialect);
        }
        if let Some(check) = conn.check {
            self.timers.cancel(check, Timer::Conn(id));
        }
        self.uncount(conn.peer);
        true
    }

    /// Takes a session from its connection. What its rooms have for it up to here still goes out.
    pub(super) fn unbind(&mut self, id: ConnId, handle: Handle) {
        let slots = self.conns.get(id).map_or(0, |conn| conn.out.subs.len());
        for slot in 0..slots {
            self.end_slot(id, slot as u16);
        }
        let Some(session) = self.sessions.get_mut(handle).filter(|session| session.conn == Some(id)) else { return };
        session.conn = None;
        for membership in session.memberships.values_mut() {
            membership.slot = None;
        }
    }

    /// A session loses its connection without a goodbye. One that would end by that first sees its says settled.
    fn cut_off(&mut self, id: ConnId, handle: Handle) {
        self.unbind(id, handle);
        match self.sessions.get(handle) {
            Some(session) if session.lingers() => {
                self.start_grace(handle, self.now.mono + self.limits.drain);
            }
            _ => self.leave_behind(handle, false),
        }
    }

    /// A session without its connection: one with a key and a room is kept for its grace, any other ends.
    fn leave_behind(&mut self, handle: Handle, for_good: bool) {
        let Some(session) = self.sessions.get(handle).filter(|session| session.conn.is_none()) else { return };
        if self.draining {
            // Everybody goes; nobody need hear of it.
            return;
        }
        if session.keyed && !session.memberships.is_empty() && !for_good {
            self.start_grace(handle, self.now.mono + self.limits.grace);
        } else {
            self.end_session(handle, if for_good { "bye" } else { "lost" });
        }
    }

    pub(super) fn start_grace(&mut self, handle: Handle, until: Instant) {
        if let Some(session) = self.sessions.get_mut(handle) {
            if let Some(before) = session.grace.replace(until) {
                self.timers.cancel(before, Timer::Session(handle));
            }
            self.timers.set(until, Timer::Session(handle));
        }
    }

    /// Ends a session; its rooms hear of it.
    pub(super) fn end_session(&mut self, handle: Handle, why: &str) {
        self.exit_held(handle, why);
        let Some(session) = self.sessions.remove(handle) else { return };
        debug_assert!(session.memberships.is_empty(), "a session ends that is connected");
        if let Some(grace) = session.grace {
            self.timers.cancel(grace, Timer::Session(handle));
        }
        if let Some(account) = &session.account {
            self.accounts.remove(account, handle);
        }
        self.note(Note::Ended { member: session.member, name: session.name });
    }

    /// The server goes down.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        let ids: Vec<ConnId> = self.conns.ids();
        for id in ids {
            self.part(id, Reason::Shutdown);
        }
    }

    /// How long a client is to stay away after a bye of the class `later`.
    pub(super) fn wait_after(&mut self, reason: Reason) -> Option<Duration> {
        let spread = u64::try_from(self.limits.spread.as_micros()).unwrap_or(u64::MAX);
        match reason {
            // Not all at once, and not before the server may be back.
            Reason::Shutdown => Some(Duration::from_secs(1) + Duration::from_micros(self.entropy.below(spread))),
            Reason::Handshake | Reason::Flood => Some(Duration::from_secs(10)),
            _ => None,
        }
    }
}

impl Reason {
    /// What the client is told; `None`: nothing, as it closed its side itself, speaks another protocol, or takes no byte.
    pub(super) fn bye(self) -> Option<(ByeCode, &'static str)> {
        Some(match self {
            Self::EndOfInput | Self::Protocol | Self::Slow => return None,
            Self::Done => (ByeCode::Done, "Goodbye."),
            Self::Version => (ByeCode::Version, "This server speaks version 1 of the protocol."),
            Self::TooBig => (ByeCode::TooBig, "That line is too long."),
            Self::Replaced => (ByeCode::Replaced, "You are connected from somewhere else now."),
            Self::AccountChanged => (ByeCode::AccountChanged, "Your account is gone, or has another password."),
            Self::Handshake => (ByeCode::Handshake, "You took too long to get in."),
            Self::Flood => (ByeCode::Flood, "Too much at once."),
            Self::Dead => (ByeCode::Dead, "You did not answer."),
            Self::Shutdown => (ByeCode::Shutdown, "Server is restarting."),
        })
    }
}
