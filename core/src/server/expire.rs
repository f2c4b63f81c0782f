//! What is due.

use super::Server;
use super::conn::{Phase, Ping, Wait};
use super::io::Reason;
use super::slab::Handle;
use super::timers::Timer;
use crate::id::ConnId;
use crate::json::Frame;
use crate::log::Unavailable;

impl Server {
    /// Does all that is due.
    pub(super) fn expire(&mut self) {
        let mut looks = if cfg!(debug_assertions) { 1_000 + 8 * self.timers.len() } else { usize::MAX };
        while let Some(timer) = self.timers.pop_due(self.now.mono) {
            // Whoever looks says when to look again: later, or never.
            looks -= 1;
            debug_assert!(looks > 0, "{timer:?} is due again and again");
            match timer {
                Timer::Conn(id) => self.expire_conn(id),
                Timer::Session(handle) => self.expire_session(handle),
                Timer::Here(room) => self.expire_here(room),
                Timer::Room(room) => self.close_if_due(room),
                Timer::Login(request) => self.verified(request, None),
                Timer::Load(ticket) => self.loaded(ticket, Err(Unavailable)),
            }
        }
    }

    /// Sets when a connection is looked at next, where that is earlier than it is set already.
    pub(super) fn schedule(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        let quiet = matches!(conn.phase, Phase::Sniffing(_)) && self.is_quiet(conn.peer);
        let Some(at) = conn.deadline(&self.limits, quiet) else { return };
        if conn.check.is_some_and(|check| check <= at) {
            return;
        }
        if let Some(check) = conn.check {
            self.timers.cancel(check, Timer::Conn(id));
        }
        self.timers.set(at, Timer::Conn(id));
        if let Some(conn) = self.conn(id) {
            conn.check = Some(at);
        }
    }

    fn expire_conn(&mut self, id: ConnId) {
        let now = self.now.mono;
        let Some(conn) = self.conn(id) else { return };
        conn.check = None;
        let is_quiet = self.conns.get(id).is_some_and(|conn| self.is_quiet(conn.peer));
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.out.armed && conn.out.progress + self.limits.stall <= now {
            return self.closed(id, Reason::Slow);
        }
        match conn.phase {
            Phase::Sniffing(_) | Phase::Hello | Phase::Code(_) | Phase::Naming(_)
                if conn.opened + self.limits.handshake <= now =>
            {
                self.part(id, Reason::Handshake);
            }
            Phase::Sniffing(false)
                if !is_quiet && conn.lines.unread().is_empty() && conn.opened + self.limits.prompt <= now =>
            {
                self.prompt(id);
            }
            Phase::Live(_) => self.expire_heartbeat(id),
            Phase::Parting(.., until) if until <= now => self.part_now(id),
            Phase::Flushing(reason, until) if until <= now => self.closed(id, reason),
            _ => {}
        }
        self.expire_wait(id);
        self.schedule(id);
    }

    fn expire_heartbeat(&mut self, id: ConnId) {
        let now = self.now.mono;
        let Some(conn) = self.conns.get_mut(id) else { return };
        match conn.ping {
            Ping::After(silence) if conn.heard + silence <= now => {
                conn.ping = Ping::Until(now + self.limits.pong);
                let n = self.entropy.bits() >> 11;
                self.frame(id, &Frame::Ping { n });
            }
            Ping::Until(until) if until <= now => self.part(id, Reason::Dead),
            _ => {}
        }
    }

    fn expire_wait(&mut self, id: ConnId) {
        let now = self.now.mono;
        let Some(conn) = self.conns.get_mut(id) else { return };
        match conn.wait {
            Some(Wait::Pace(until)) if until <= now => {
                conn.wait = None;
                self.pump(id);
            }
            Some(Wait::Leaving { until, .. }) if until <= now => {
                self.leave_if_settled(id, true);
                self.pump(id);
            }
            _ => {}
        }
    }

    fn expire_here(&mut self, room: u32) {
        // Something that came at this same moment may have had it told; what came after that is told later.
        if self.rooms[room as usize].here_due.is_some_and(|due| due <= self.now.mono) {
            self.tell_here(room);
        }
    }

    fn expire_session(&mut self, handle: Handle) {
        let now = self.now.mono;
        if self.draining {
            // Everybody goes; nobody need hear of it.
            return;
        }
        let Some(session) = self.sessions.get_mut(handle) else { return };
        if session.grace.take_if(|grace| *grace <= now).is_none() {
            return;
        }
        if session.conn.is_some() {
            self.exit_held(handle, "lost");
        } else {
            self.end_session(handle, "lost");
        }
    }
}
