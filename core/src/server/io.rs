//! What goes into a [`Server`](super::Server) and what comes out.

use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};

use super::config::Config;
use crate::account::{Password, PasswordHash};
use crate::act::Act;
use crate::id::{ConnId, MemberId, RoomId};
use crate::log::{Answer, Request};
use crate::name::Name;

/// Something that happened in the world.
///
/// Inputs for connections that are buried (see [`Action::Close`]) are ignored.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// Somebody connected; whatever lies under the dialects (TLS, WebSocket) has finished its handshake.
    Opened {
        /// The connection's name from here on; never used before.
        conn: ConnId,
        /// Who is at the other end.
        peer: Peer,
    },
    /// Bytes arrived: at most 64 KiB, split anywhere. They are always taken whole, also after `Action::Read(_, false)`.
    Received {
        /// From where.
        conn: ConnId,
        /// Which.
        bytes: &'a [u8],
    },
    /// No more bytes will arrive; the other direction still works. The machine answers what is left and then closes.
    EndOfInput {
        /// From where.
        conn: ConnId,
    },
    /// The connection is gone. The driver buries the id: no more inputs and no more actions will name it.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why, for the operator.
        why: Hangup,
    },
    /// The log answers.
    Log(Answer),
    /// The verdict on a password; see [`Action::Verify`]. One that nobody waits for any more is ignored.
    Verified {
        /// From the action.
        request: Verification,
        /// What it is.
        verdict: Verdict,
    },
    /// Time passed. Needed no more often than [`Server::deadline`](super::Server::deadline) asks; harmless at any time.
    Tick,
    /// Go down: say `bye shutdown` to everyone, spread their return, take nobody new. Done when
    /// [`Server::connections`](super::Server::connections) is 0, which takes no longer than twice `Limits::drain`: until
    /// what was said is settled, and until the last bytes are sent.
    Drain,
    /// Serve another configuration from here on, in the place of the one that it has: PROTOCOL.md says under "reload" what
    /// becomes of those who are here. A server that goes down ignores it.
    Reload(Box<Config>),
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// Over the network.
    Net(SocketAddr),
    /// On this machine, without an address (a Unix socket, a pipe). No limit by source applies.
    Local,
}

impl Peer {
    /// What limits by source count: the IPv4 address or the IPv6 /64.
    pub fn source(self) -> Option<Source> {
        let Self::Net(addr) = self else { return None };
        Some(match addr.ip().to_canonical() {
            IpAddr::V4(v4) => Source(u64::from(v4.to_bits())),
            IpAddr::V6(v6) => Source((v6.to_bits() >> 64) as u64 | 1 << 63),
        })
    }

    /// Whether it is this machine itself.
    pub fn is_loopback(self) -> bool {
        match self {
            Self::Net(addr) => addr.ip().to_canonical().is_loopback(),
            Self::Local => true,
        }
    }
}

/// What limits by source count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(pub(super) u64);

/// How a connection ended that the machine did not close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hangup {
    /// The other side reset it, or both directions ended.
    Reset,
    /// It failed in another way.
    Failed,
}

/// Something that the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// An edge: there was nothing to send and now there is. Call [`Server::transmit`](super::Server::transmit), until it
    /// has none or the connection takes no more; in that case again when it does.
    Transmit(ConnId),
    /// An edge: stop reading (`false`) or go on (`true`). After `true`, read without waiting for an event: bytes that
    /// came meanwhile may cause none.
    Read(ConnId, bool),
    /// Everything is flushed, or the time for it is over: drop the connection. The machine has buried the id: it sends
    /// no more actions for it and ignores its inputs.
    Close(ConnId, Reason),
    /// For the log.
    Log(Request),
    /// Verify a password against a hash, and answer by [`Input::Verified`]: it takes a while, so not where the loop would
    /// wait for it. What is not answered within `Limits::verify` is not waited for any more.
    Verify {
        /// What the answer is to name.
        request: Verification,
        /// Against what.
        hash: PasswordHash,
        /// Which password. It is overwritten when it is dropped.
        password: Password,
    },
    /// For the operator.
    Note(Note),
}

/// A question for a verdict on a password. No two of one server are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verification(pub u64);

/// What came of verifying a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is the one that was hashed.
    Right,
    /// It is another one.
    Wrong,
    /// That could not be found out: the hash can't be read, or there was not enough memory. It counts as no guess.
    Failed,
}

/// Why the machine closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The client said goodbye.
    Done,
    /// The client closed its side.
    EndOfInput,
    /// It speaks nothing that this server speaks.
    Protocol,
    /// No version in common.
    Version,
    /// A line over the limit.
    TooBig,
    /// Another connection took the session over.
    Replaced,
    /// The account that it was logged in to is gone, or has another password.
    AccountChanged,
    /// It never got in.
    Handshake,
    /// Too many wrong codes, connections or bytes.
    Flood,
    /// It took no byte for too long.
    Slow,
    /// It answered no ping.
    Dead,
    /// The server goes down.
    Shutdown,
}

/// What an operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// A session began, or has a new connection.
    Welcomed {
        /// The connection.
        conn: ConnId,
        /// Where it comes from.
        peer: Peer,
        /// Who.
        member: MemberId,
        /// What they are called.
        name: Name,
        /// Whether the session was still there.
        resumed: bool,
        /// Whether the name is an account's.
        account: bool,
    },
    /// A session is over.
    Ended {
        /// Who.
        member: MemberId,
        /// What they were called.
        name: Name,
    },
    /// Somebody entered a room.
    Entered {
        /// The room.
        room: RoomId,
        /// Who.
        member: MemberId,
        /// What they are called.
        name: Name,
        /// By the code of this label.
        label: Box<str>,
    },
    /// Somebody left a room.
    Left {
        /// The room.
        room: RoomId,
        /// Who.
        member: MemberId,
        /// What they are called.
        name: Name,
    },
    /// A wrong code.
    WrongCode {
        /// From where.
        peer: Peer,
        /// How many more this source has.
        left: u64,
    },
    /// A wrong password, or a right one of an account that there is not.
    WrongPassword {
        /// From where.
        peer: Peer,
        /// For which account; `None`: there is none of that name, and the name may be anything that somebody typed.
        account: Option<Name>,
        /// How many more this source has.
        left: u64,
    },
    /// A guess or a password that was not looked at, because its source or the server had too many wrong ones.
    Locked {
        /// From where.
        peer: Peer,
    },
    /// A connection was closed by the machine.
    Closed {
        /// Which.
        conn: ConnId,
        /// Where it came from.
        peer: Peer,
        /// Why.
        reason: Reason,
    },
    /// Somebody who keeps order in a room did something there.
    Acted {
        /// The room.
        room: RoomId,
        /// Who.
        member: MemberId,
        /// What they are called.
        name: Name,
        /// What: it names no code.
        act: Box<Act>,
    },
    /// There is another configuration.
    Reloaded {
        /// Rooms that it has and the one before had not.
        added: usize,
        /// Rooms that it has no more: each is closed as soon as what was said there is settled.
        removed: usize,
        /// Rooms of both that are not the same any more.
        changed: usize,
    },
    /// A room that is configured no more is closed.
    RoomClosed {
        /// Which.
        room: RoomId,
        /// How many were in it.
        members: usize,
    },
    /// A room shall say who is in it, and has more members than a room that does may: it goes on counting them. Another
    /// reload can change that when there are fewer.
    TooManyToName {
        /// The room.
        room: RoomId,
        /// How many are in it.
        here: usize,
        /// How many may be: `Limits::full_members`.
        most: usize,
    },
    /// The log could not do something. Told at once, and then once a minute for as long as it goes on.
    LogFault {
        /// The room.
        room: RoomId,
        /// What.
        task: LogTask,
        /// How often since it was told last: messages that were refused, or reads.
        count: u64,
    },
    /// The log does again what it could not do.
    LogWorks {
        /// The room.
        room: RoomId,
        /// What.
        task: LogTask,
        /// How often it could not.
        count: u64,
    },
}

/// What a log does for a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogTask {
    /// Keep what is said.
    Keep,
    /// Open the room, load a page, find words.
    Read,
}
