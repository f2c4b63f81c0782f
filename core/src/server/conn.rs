//! Connections: what they speak, where they are in their life, what they wait for.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::codebook::Opens;
use super::io::{Peer, Reason, Verification};
use super::out::Out;
use super::slab::Handle;
use crate::dialect::Dialect;
use crate::id::{ConnId, Id, Position};
use crate::limits::Limits;
use crate::lines::Lines;
use crate::log::Ticket;
use crate::name::Name;
use crate::plain::Telnet;
use crate::time::Instant;

/// A connection. What every delivery looks at stands first: see [`Out`]. It begins with a line of the processor's caches, so
/// that this is in as few of them as it can be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[repr(C, align(64))]
pub(super) struct Conn {
    pub(super) id: ConnId,
    /// When it is looked at next: never later than its next deadline.
    pub(super) check: Option<Instant>,
    pub(super) out: Out,
    pub(super) phase: Phase,
    pub(super) peer: Peer,
    pub(super) tongue: Tongue,
    pub(super) lines: Lines,
    /// How long a line may be: what its client was told, or will be.
    pub(super) line: usize,
    /// No more bytes will come.
    pub(super) ended: bool,
    /// What the next line waits for.
    pub(super) wait: Option<Wait>,
    pub(super) opened: Instant,
    pub(super) heard: Instant,
    /// When a ping is due after the last byte heard, and when it was sent.
    pub(super) ping: Ping,
    /// What the driver was told last: whether to read.
    pub(super) reading: bool,
    /// Whether its `Read` is to be looked at by `poll`.
    pub(super) reading_queued: bool,
}

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// Nothing has come that tells what it speaks. Whether it was prompted.
    Sniffing(bool),
    /// json, and no hello has succeeded.
    Hello,
    /// plain: the next line answers the prompt for a code. How many were wrong.
    Code(u32),
    /// plain: the next line answers the prompt for a name, and then the room is entered.
    Naming(Opens),
    /// It has a session.
    Live(Handle),
    /// It has a session and will close; it reads nothing more. First the session's says settle.
    Parting(Handle, Reason, Instant),
    /// It will close when everything is sent.
    Flushing(Reason, Instant),
    /// `Close` is queued.
    Closed(Reason),
}

/// What a connection speaks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tongue {
    /// Not known yet.
    Unknown,
    Json,
    Plain(Plain),
}

/// What is particular to a connection that speaks plain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Plain {
    pub(super) telnet: Telnet,
    /// What it is to be answered.
    pub(super) reply: Vec<u8>,
    /// Whether it wants its own lines back.
    pub(super) echo: bool,
    /// Whether it was told that its lines are read slowly.
    pub(super) told_slow: bool,
    /// The room it is in: a person at a terminal is in one at a time.
    pub(super) room: Option<u32>,
    /// The account whose password the next line is.
    pub(super) login: Option<Name>,
}

/// What a connection's next line waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wait {
    /// The room is being opened, or the use of a code counted; then it is joined.
    Opening(Box<Join>),
    /// The session's says are being settled; then the room is left, at the latest at this time.
    Leaving { re: Option<Id>, room: u32, until: Instant, then: Option<Box<Join>> },
    /// A page is being loaded.
    Page(Ticket),
    /// A password is being verified.
    Verifying(Verification),
    /// The rate allows the next line at this time.
    Pace(Instant),
}

/// A join whose code was right, or that needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Join {
    pub(super) re: Option<Id>,
    pub(super) opens: Opens,
    /// Whether it named the room, and told no code.
    pub(super) by_room: bool,
    pub(super) resume: Option<Position>,
    /// Messages of backlog at most.
    pub(super) tail: Option<u64>,
    /// Whether the log has, where it is by a code for so many, that one more has come by it.
    pub(super) is_counted: bool,
}

/// The heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ping {
    /// Not in this dialect.
    Never,
    /// After this much silence.
    After(core::time::Duration),
    /// Sent, and to be answered by any byte until then.
    Until(Instant),
}

impl Conn {
    pub(super) fn new(id: ConnId, peer: Peer, line: usize, now: Instant) -> Self {
        Self {
            id,
            check: None,
            out: Out::new(now),
            phase: Phase::Sniffing(false),
            peer,
            tongue: Tongue::Unknown,
            lines: Lines::default(),
            line,
            ended: false,
            wait: None,
            opened: now,
            heard: now,
            ping: Ping::Never,
            reading: true,
            reading_queued: false,
        }
    }

    pub(super) fn session(&self) -> Option<Handle> {
        match self.phase {
            Phase::Live(session) | Phase::Parting(session, ..) => Some(session),
            _ => None,
        }
    }

    pub(super) fn dialect(&self) -> Option<Dialect> {
        match self.tongue {
            Tongue::Unknown => None,
            Tongue::Json => Some(Dialect::Json),
            Tongue::Plain(_) => Some(Dialect::Plain),
        }
    }

    pub(super) fn plain(&mut self) -> Option<&mut Plain> {
        match &mut self.tongue {
            Tongue::Plain(plain) => Some(plain),
            _ => None,
        }
    }

    /// Whether a person speaks it, and not a program.
    pub(super) fn is_person(&self) -> bool {
        matches!(self.tongue, Tongue::Plain(_))
    }

    /// Whether its next line is a password.
    pub(super) fn is_asked_for_password(&self) -> bool {
        matches!(&self.tongue, Tongue::Plain(plain) if plain.login.is_some())
    }

    /// Whether it may go on when one of its session's says has landed.
    pub(super) fn is_waiting_for_says(&self) -> bool {
        matches!(self.phase, Phase::Parting(..))
            || matches!(self.wait, Some(Wait::Leaving { .. }))
            || self.ended
            || !self.lines.unread().is_empty()
    }

    /// Whether it closes, and so reads nothing more.
    pub(super) fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Parting(..) | Phase::Flushing(..) | Phase::Closed(_))
    }

    /// When something will be due, if nothing happens until then.
    pub(super) fn deadline(&self, limits: &Limits, quiet: bool) -> Option<Instant> {
        if let Phase::Closed(_) = self.phase {
            return None;
        }
        let phase = match self.phase {
            Phase::Sniffing(prompted) => {
                let prompt =
                    (!prompted && !quiet && self.lines.unread().is_empty()).then(|| self.opened + limits.prompt);
                Some(prompt.unwrap_or(self.opened + limits.handshake))
            }
            Phase::Hello | Phase::Code(_) | Phase::Naming(_) => Some(self.opened + limits.handshake),
            Phase::Live(_) => match self.ping {
                Ping::Never => None,
                Ping::After(silence) => Some(self.heard + silence),
                Ping::Until(until) => Some(until),
            },
            Phase::Parting(.., until) | Phase::Flushing(_, until) => Some(until),
            Phase::Closed(_) => None,
        };
        let wait = match &self.wait {
            Some(Wait::Leaving { until, .. } | Wait::Pace(until)) => Some(*until),
            // The room, the page and the verdict have their own.
            Some(Wait::Opening(_) | Wait::Page(_) | Wait::Verifying(_)) | None => None,
        };
        let stall = self.out.armed.then(|| self.out.progress + limits.stall);
        [phase, wait, stall].into_iter().flatten().min()
    }
}

/// All connections, by the driver's index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Conns {
    table: Vec<Option<Box<Conn>>>,
    open: usize,
}

impl Conns {
    pub(super) const fn new() -> Self {
        Self { table: Vec::new(), open: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.open
    }

    #[inline]
    pub(super) fn get(&self, id: ConnId) -> Option<&Conn> {
        let conn = self.table.get(id.index as usize)?.as_deref()?;
        if conn.id == id { Some(conn) } else { None }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        let conn = self.table.get_mut(id.index as usize)?.as_deref_mut()?;
        if conn.id == id { Some(conn) } else { None }
    }

    pub(super) fn insert(&mut self, conn: Conn) {
        let index = conn.id.index as usize;
        if self.table.len() <= index {
            self.table.resize_with(index + 1, || None);
        }
        debug_assert!(self.table[index].is_none(), "a connection's index is given twice");
        self.open += usize::from(self.table[index].is_none());
        self.table[index] = Some(Box::new(conn));
    }

    pub(super) fn remove(&mut self, id: ConnId) -> Option<Box<Conn>> {
        let conn = self.table.get_mut(id.index as usize)?.take_if(|conn| conn.id == id)?;
        self.open -= 1;
        Some(conn)
    }

    /// The names of all, in the order of their indices.
    pub(super) fn ids(&self) -> Vec<ConnId> {
        self.table.iter().flatten().map(|conn| conn.id).collect()
    }
}
