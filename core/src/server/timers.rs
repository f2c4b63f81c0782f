//! Every deadline that the server can have, in one table.

use alloc::collections::BTreeSet;

use super::io::Verification;
use super::slab::Handle;
use crate::id::ConnId;
use crate::log::Ticket;
use crate::time::Instant;

/// What is looked at when its time has come.
///
/// A timer says "look", not "act": whoever looks finds out what is due, and when to look again. So a deadline that moves
/// back (every byte heard moves one) costs nothing, and only one that moves forward touches the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    /// A connection: the prompt, the handshake, the heartbeat, a stall, a wait, the end of a drain.
    Conn(ConnId),
    /// A session: the end of its grace.
    Session(Handle),
    /// A room: its next `here`.
    Here(u32),
    /// A room that closes: the end of its wait for what was said there.
    Room(u32),
    /// A password that is being verified.
    Login(Verification),
    /// A page that is being loaded.
    Load(Ticket),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Timers(BTreeSet<(Instant, Timer)>);

impl Timers {
    pub(super) fn set(&mut self, at: Instant, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(super) fn cancel(&mut self, at: Instant, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }
}
