//! What the server says.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::failure::{ByeCode, ErrorCode, Retry};
use crate::act::Details;
use crate::id::{Epoch, Id, MemberId, RoomId, Seq};
use crate::log::{Kind, Record};
use crate::name::Name;
use crate::role::Role;
use crate::text::Text;

/// One line from the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub enum Frame {
    /// The answer to `hello`.
    Welcome(Welcome),
    /// The answer to `join`; the room's messages follow.
    Joined(Joined),
    /// Somebody said something; to its sender it is the acknowledgement.
    Msg(Message),
    /// Somebody came, went or changed their name.
    Presence {
        /// The room.
        room: RoomId,
        /// What happened.
        #[serde(flatten)]
        change: Change,
    },
    /// How many are in a room that does not say who.
    Here {
        /// The room.
        room: RoomId,
        /// How many.
        n: u64,
    },
    /// The answer to `leave`, or word that the membership was ended; the last frame of that room.
    Left {
        /// The request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        re: Option<Id>,
        /// The room.
        room: RoomId,
        /// Why, where it was not asked for. It comes with the two below, as in a `bye`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<ByeCode>,
        /// What to do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry: Option<Retry>,
        /// What to show.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The room has another title, or you another role in it: how both are now.
    Room {
        /// The room.
        room: Room,
    },
    /// The answer to `history`.
    Page(Page),
    /// The answer to `search`.
    Found(Found),
    /// What a slow reader missed, and how the room is now.
    Gap {
        /// The room.
        room: RoomId,
        /// The first message missed.
        from: Seq,
        /// The last message missed, the newest of all; `from - 1` where only presence was.
        to: Seq,
        /// How many are in the room.
        here: u64,
        /// Who is; absent where the room only counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        members: Option<Vec<Person>>,
    },
    /// A word from the operator.
    Notice {
        /// `info`, `warn` or a level to come.
        level: String,
        /// What to show.
        text: Text,
    },
    /// The answer to `name`, and to a `say` that the log had already.
    Ok {
        /// The request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        re: Option<Id>,
        /// Where the log has that say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
    },
    /// The answer to a `code` that made one. Nobody else is told it.
    Code {
        /// The request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        re: Option<Id>,
        /// The room that it opens.
        room: RoomId,
        /// What it is called.
        label: Box<str>,
        /// What is typed.
        code: ShownCode,
    },
    /// The answer to any request that failed.
    Error {
        /// The request, where it could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        re: Option<Id>,
        /// What failed.
        code: ErrorCode,
        /// What to do.
        retry: Retry,
        /// How long to wait with `later`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait_ms: Option<u64>,
        /// Guesses left to this source.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<u64>,
        /// What to show.
        text: String,
    },
    /// The last line of a connection.
    Bye {
        /// Why it ends.
        code: ByeCode,
        /// What to do.
        retry: Retry,
        /// How long to wait before coming back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait_ms: Option<u64>,
        /// What to show.
        text: String,
    },
    /// Are you there?
    Ping {
        /// Comes back in `pong`.
        #[serde(default)]
        n: u64,
    },
    /// Here I am.
    Pong {
        /// From the `ping`.
        #[serde(default)]
        n: u64,
    },
    /// A frame of a later version, to be ignored. Never sent.
    #[serde(other, skip_serializing)]
    Unknown,
}

impl Frame {
    /// Appends it as one line.
    pub fn encode(&self, out: &mut Vec<u8>) {
        super::write_line(self, out);
    }

    /// Reads one line, its end stripped. `None`: it begins with no `{`, and a client discards it.
    pub fn decode(line: &[u8]) -> Option<Result<Self, serde_json::Error>> {
        line.starts_with(b"{").then(|| serde_json::from_slice(line))
    }
}

/// Who you are and what is allowed here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Welcome {
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub re: Option<Id>,
    /// The version that both sides speak from here on.
    pub v: u64,
    /// The server's name and version.
    pub server: String,
    /// You.
    pub m: MemberId,
    /// Your name, with a suffix where the one that you asked for was taken.
    pub name: Name,
    /// Whether your session was still there.
    pub resumed: bool,
    /// The server's time, milliseconds since 1970.
    pub now: u64,
    /// Silence after which either side pings, in seconds.
    pub ping_s: u64,
    /// How long your session outlives a connection, in seconds; 0 without a key.
    pub grace_s: u64,
    /// What is allowed.
    pub limits: Limits,
    /// The account that you are logged in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Name>,
    /// The rooms that it may enter without a code, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rooms: Vec<Room>,
}

/// The limits that a client keeps by itself, so that it never runs into an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of a line.
    pub line: u64,
    /// Bytes of a text.
    pub text: u64,
    /// Lines of a text.
    pub lines: u64,
    /// Characters of a name.
    pub name: u64,
    /// Messages that a join replays at most.
    pub replay: u64,
    /// Says at once; 0: no rate.
    pub burst: u64,
    /// Says a second; 0: no rate.
    pub per_s: u64,
}

/// A room that you are in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Joined {
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub re: Option<Id>,
    /// Which room, and what you may do there.
    pub room: Room,
    /// How many are in it, you too.
    pub here: u64,
    /// Who is; absent where the room only counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Person>>,
    /// Which history its seqs count in.
    pub epoch: Epoch,
    /// The oldest message that `history` has; `head + 1` where there is none.
    pub first: Seq,
    /// The first message that follows, without a hole from there.
    pub from: Seq,
    /// The newest message: up to it is backlog, behind it is live.
    pub head: Seq,
}

/// A room, to one of its members.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Room {
    /// Its id.
    pub id: RoomId,
    /// What people call it.
    pub title: String,
    /// What you may do there.
    pub role: Role,
    /// What it is about, where somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Text>,
    /// Whether it is closed to all but those who keep order.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub closed: bool,
}

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Person {
    /// Who.
    pub m: MemberId,
    /// What they are called.
    pub name: Name,
    /// What they may do in the room; not written where it is what most may.
    #[serde(default, skip_serializing_if = "Role::is_ordinary")]
    pub role: Role,
}

impl Person {
    /// Whether this is an account, so that nobody else can be called so: its member id says it.
    pub fn has_account(&self) -> bool {
        self.m == MemberId::of_account(&self.name.folded())
    }
}

/// What changed in who is in a room.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "ev", rename_all = "lowercase")]
pub enum Change {
    /// Somebody came.
    In {
        /// Who.
        m: MemberId,
        /// What they are called.
        name: Name,
        /// What they may do in the room; not written where it is what most may.
        #[serde(default, skip_serializing_if = "Role::is_ordinary")]
        role: Role,
    },
    /// Somebody went.
    Out {
        /// Who.
        m: MemberId,
        /// What they were called.
        name: Name,
        /// Why: `left`, `bye`, `lost` or a reason to come.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Somebody has another name.
    Name {
        /// Who.
        m: MemberId,
        /// What they are called now.
        name: Name,
        /// What they were called.
        was: Name,
    },
    /// Somebody has another role.
    Role {
        /// Who.
        m: MemberId,
        /// What they are called.
        name: Name,
        /// What they may do from here on.
        #[serde(default)]
        role: Role,
    },
    /// An event of a later version: it never changes the roster. Never sent.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// A message, as everyone in the room gets it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// The room.
    pub room: RoomId,
    /// The message.
    #[serde(flatten)]
    pub body: PageMessage,
}

/// A message, where the room is known already.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "MessageLine", into = "MessageLine")]
pub struct PageMessage {
    /// Its number.
    pub seq: Seq,
    /// When the log took it, milliseconds since 1970.
    pub ts: u64,
    /// Who said it.
    pub m: MemberId,
    /// What they were called when they said it.
    pub name: Name,
    /// How it is meant.
    pub kind: Kind,
    /// What was said.
    pub text: Text,
    /// What its sender called it.
    pub id: Option<Id>,
}

impl PageMessage {
    /// Takes back what was said, as an act says.
    pub fn remove(&mut self) {
        (self.kind, self.text) = (Kind::Removed, Text::removed());
    }
}

/// A message as it stands on the wire.
#[derive(Serialize, Deserialize)]
struct MessageLine {
    seq: Seq,
    ts: u64,
    m: MemberId,
    name: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    act: Option<Details>,
    text: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Id>,
}

impl From<MessageLine> for PageMessage {
    fn from(line: MessageLine) -> Self {
        let MessageLine { seq, ts, m, name, kind, act, text, id } = line;
        let kind = match (kind.as_deref(), act) {
            (Some(kind), Some(act)) => act.act(kind).map(Kind::from).unwrap_or_default(),
            (Some(kind), None) => Kind::read(kind, None),
            (None, _) => Kind::Say,
        };
        Self { seq, ts, m, name, kind, text, id }
    }
}

impl From<PageMessage> for MessageLine {
    fn from(message: PageMessage) -> Self {
        let PageMessage { seq, ts, m, name, kind, text, id } = message;
        let act = match &kind {
            Kind::Act(act) => Some(Details::from(&**act)),
            Kind::Say | Kind::Me | Kind::Removed => None,
        };
        let kind = (kind != Kind::Say).then(|| kind.name().into());
        Self { seq, ts, m, name, kind, act, text, id }
    }
}

impl From<&Record> for PageMessage {
    fn from(record: &Record) -> Self {
        let Record { seq, ts, member, name, kind, text, id } = record;
        Self { seq: *seq, ts: *ts, m: *member, name: name.clone(), kind: kind.clone(), text: text.clone(), id: *id }
    }
}

/// A page of history.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Page {
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub re: Option<Id>,
    /// The room.
    pub room: RoomId,
    /// Which history its seqs count in.
    pub epoch: Epoch,
    /// The oldest message that `history` has; `head + 1` where there is none.
    pub first: Seq,
    /// Whether there is more in the page's direction.
    pub more: bool,
    /// The messages, ascending.
    pub msgs: Vec<PageMessage>,
}

/// What a search has found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Found {
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub re: Option<Id>,
    /// The room.
    pub room: RoomId,
    /// Which history its seqs count in.
    pub epoch: Epoch,
    /// The oldest message that `history` has; `head + 1` where there is none.
    pub first: Seq,
    /// The oldest message that was looked at: from it on, nothing is missing.
    pub from: Seq,
    /// Whether there is more before it that was not looked at.
    pub more: bool,
    /// The messages, ascending.
    pub msgs: Vec<PageMessage>,
}

/// A code on its way to the one who asked for it, and hidden from everybody else.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShownCode(pub String);

impl core::fmt::Debug for ShownCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Code(…)")
    }
}
