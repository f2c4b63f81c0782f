//! What goes into a [`Client`](super::Client) and what comes out.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use crate::account::Password;
use crate::id::{Id, Key, MemberId, RoomId, Seq};
use crate::json::{self, ByeCode, Change, ErrorCode, PageMessage, Retry, ShownCode};
use crate::name::Name;
use crate::role::Role;
use crate::text::Text;
use crate::time::Instant;

/// What a [`Client`](super::Client) is told at its start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Its name and version, told in `hello`.
    pub agent: String,
    /// What the person wants to be called; the server finds a name where there is none.
    pub name: Option<Name>,
    /// Who the person is: kept from run to run, the session can be taken up again.
    pub key: Key,
    /// The password of the account that `name` is. Kept for as long as the machine is: the server asks for it again where
    /// it does not know the session any more.
    pub password: Option<Password>,
    /// Messages of backlog to ask for on joining a room for the first time.
    pub tail: u64,
    /// Messages that the timeline of one room keeps.
    pub timeline: usize,
    /// The longest wait between two attempts to connect.
    pub backoff: Duration,
}

/// Something that happened in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input<'a> {
    /// The connection that [`Action::Connect`] asked for stands.
    Connected,
    /// Bytes arrived: any number, split anywhere.
    Received(&'a [u8]),
    /// The connection ended, or the attempt failed.
    Disconnected,
    /// Time passed. Needed no more often than [`Client::deadline`](super::Client::deadline) asks; harmless at any time.
    Tick,
}

/// Something that the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Connect; there is no connection now. Answered by [`Input::Connected`] or [`Input::Disconnected`].
    Connect,
    /// Drop the connection, or the attempt; for the machine it is gone already.
    Close,
    /// An edge: there was nothing to send and now there is. Call [`Client::transmit`](super::Client::transmit) until it
    /// has none or the connection takes no more; in that case again when it does.
    Transmit,
    /// Tell the person.
    Show(Event),
}

/// Something that a person may want to see. What there is to see at any time (rosters, timelines, who I am) the
/// machine's getters say; an event says that it changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The server knows us.
    Online {
        /// The command to log in that this answers; `None` where the machine said hello by itself.
        re: Option<Id>,
        /// Our member id.
        member: MemberId,
        /// Our name, with a suffix where the one that we asked for was taken.
        name: Name,
        /// Whether our session was still there.
        resumed: bool,
        /// The account that we are logged in to.
        account: Option<Name>,
        /// The rooms that it may enter by their ids, and as what.
        rooms: alloc::vec::Vec<json::Room>,
    },
    /// The connection is lost, or could not be made; the next attempt is at `retry_at`.
    Offline {
        /// How often in a row it failed, this time included.
        attempt: u32,
        /// When the next attempt is.
        retry_at: Instant,
        /// What the server said, where it said something.
        bye: Option<Bye>,
    },
    /// It is over: the server sent us away for good, or we said goodbye and it is done. No more attempts. Every message
    /// that was pending has had its own event before this one; this one answers every other command.
    Ended {
        /// What the server said; `None` after our own goodbye.
        bye: Option<Bye>,
    },
    /// We are in a room, for the first time or again. Its messages follow.
    Joined {
        /// The command; `None` where the machine joined again by itself.
        re: Option<Id>,
        /// Which.
        room: RoomId,
        /// What people call it.
        title: String,
        /// What we may do there.
        role: Role,
        /// What it is about, where somebody said so.
        topic: Option<Text>,
        /// How many are in it, we too.
        here: u64,
        /// Messages up to this seq are backlog: said before we came.
        head: Seq,
    },
    /// The room's numbering began anew, so what we knew of it can't be continued.
    Restarted {
        /// Which.
        room: RoomId,
    },
    /// Somebody said something. Each message of a room is shown once, in the order of seq: one that comes behind a hole
    /// waits until the hole is fetched, or known to be lost.
    Message {
        /// Where.
        room: RoomId,
        /// What.
        message: PageMessage,
        /// Whether it was said while we were here, so that it is worth a bell.
        live: bool,
        /// Whether we said it, in this run of the machine: it is the acknowledgement.
        mine: bool,
    },
    /// Messages are missing here, and nobody has them any more.
    Lost {
        /// Where.
        room: RoomId,
        /// The first one missing.
        from: Seq,
        /// The last one missing.
        to: Seq,
    },
    /// Somebody came, went or changed their name.
    Presence {
        /// Where.
        room: RoomId,
        /// What happened.
        change: Change,
    },
    /// How many are in a room that does not say who.
    Here {
        /// Where.
        room: RoomId,
        /// How many.
        n: u64,
    },
    /// The roster was told anew, because something of it was missed.
    Roster {
        /// Where.
        room: RoomId,
    },
    /// We are no longer in a room.
    Left {
        /// The command; `None` where it was none of ours.
        re: Option<Id>,
        /// Which.
        room: RoomId,
        /// Why, where the server put us out: the room is closed, for one. We are still on the server.
        bye: Option<Bye>,
    },
    /// A room has another title, or we another role in it.
    Room {
        /// Which.
        room: RoomId,
        /// What people call it from here on.
        title: String,
        /// What we may do there from here on.
        role: Role,
    },
    /// A page of older messages was asked for, and here it is.
    Page {
        /// The command.
        re: Id,
        /// Where.
        room: RoomId,
        /// The messages, ascending.
        messages: alloc::vec::Vec<PageMessage>,
        /// Whether there is more before them.
        more: bool,
    },
    /// Words were looked for, and here is what has them.
    Found {
        /// The command.
        re: Id,
        /// Where.
        room: RoomId,
        /// The messages, ascending.
        messages: alloc::vec::Vec<PageMessage>,
        /// The oldest message that was looked at: from it on, nothing is missing.
        from: Seq,
        /// Whether there is more before it that was not looked at.
        more: bool,
    },
    /// What we asked for in a room is done; everyone is shown it as a message.
    Done {
        /// The command.
        re: Id,
        /// Where.
        room: RoomId,
    },
    /// A code that we asked for. Nobody else is told it.
    Code {
        /// The command.
        re: Id,
        /// Which room it opens.
        room: RoomId,
        /// What it is called.
        label: Box<str>,
        /// What is typed.
        code: ShownCode,
    },
    /// We have another name.
    Renamed {
        /// The command.
        re: Id,
        /// Our name.
        name: Name,
    },
    /// The server refused a command.
    Refused {
        /// The command; `None` where the server could not tell.
        re: Option<Id>,
        /// What failed.
        code: ErrorCode,
        /// What can be done about it.
        retry: Retry,
        /// How long to wait with [`Retry::Later`], in milliseconds.
        wait_ms: Option<u64>,
        /// Guesses left.
        left: Option<u64>,
        /// What to show.
        text: String,
    },
    /// A message of ours is in the log, and was not and will not be shown: it is among what was lost.
    Delivered {
        /// The command.
        id: Id,
        /// Where.
        room: RoomId,
    },
    /// A message may or may not have been said: the connection broke before its acknowledgement, and nothing can tell
    /// any more. The person decides whether to say it again.
    Unconfirmed {
        /// The command.
        id: Id,
        /// Where.
        room: RoomId,
        /// What.
        text: Text,
    },
    /// A word from the operator.
    Notice {
        /// `info`, `warn` or a level to come.
        level: String,
        /// What to show.
        text: Text,
    },
}

/// How the server ended a connection, or a membership. Where it refused the hello, the code is that error's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bye {
    /// Why.
    pub code: ByeCode,
    /// What can be done about it.
    pub retry: Retry,
    /// What to show.
    pub text: String,
}

/// A message of ours that is not acknowledged yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pending {
    /// The command.
    pub id: Id,
    /// Where.
    pub room: RoomId,
    /// What.
    pub text: Text,
    /// How it is meant.
    pub kind: crate::log::Kind,
}

/// Where the machine is with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// An attempt, or a hello, is under way.
    Connecting,
    /// The server knows us.
    Online,
    /// Between two attempts.
    Waiting {
        /// When the next attempt is.
        until: Instant,
    },
    /// It is over.
    Ended,
}

/// A command names a room that the client is not in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("not in that room")]
pub struct NotMember;
