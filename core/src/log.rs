//! What a machine and the durable log say to each other.
//!
//! The log assigns the order: it numbers a room's messages and stamps their time, and the machine never does. It lives
//! outside (in memory, in a database, on other machines), so each of its answers is an input.
//!
//! - [`Request::Open`] comes before anything else of a room and is answered by [`Answer::Ready`].
//! - Of [`Request::Append`] at most one is outstanding in a room. It is answered twice, in either order:
//!   [`Answer::Settled`] says what became of each draft, [`Answer::Grew`] brings the records, and is the only source of
//!   delivery.
//! - [`Request::Load`] is answered by [`Answer::Loaded`], [`Request::Search`] by [`Answer::Found`].
//! - [`Request::Recall`] may come before `Open` and is answered by [`Answer::Recalled`]; [`Request::Keep`] has no answer.
//! - [`Request::Close`] comes after everything else of a room, and has no answer. The room may be opened again.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::act::Act;
use crate::id::{Epoch, Id, KeyHash, MemberId, RoomId, Seq};
use crate::name::Name;
use crate::search::Words;
use crate::text::Text;

/// A message that is not in the log yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Draft {
    /// Under which the log appends it at most once, for as long as it holds the message; `None` where nobody can send
    /// it again (the plain dialect).
    pub once: Option<(KeyHash, Id)>,
    /// Who says it.
    pub member: MemberId,
    /// What they were called when they said it.
    pub name: Name,
    /// How it is meant.
    pub kind: Kind,
    /// What is said.
    pub text: Text,
    /// What else the log is to hold of the room from then on, in the same commit.
    pub facts: Vec<Fact>,
}

impl Draft {
    /// Lays the texts of drafts side by side in memory, as a log does that is to hold them there: they are let go of with
    /// the last of them.
    pub fn pack(drafts: &mut [Self]) {
        Text::pack(drafts, |draft| &mut draft.text);
    }
}

/// A message in the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// Its number.
    pub seq: Seq,
    /// When the log took it: milliseconds since 1970, never less than its predecessor's.
    pub ts: u64,
    /// Who said it.
    pub member: MemberId,
    /// What they were called when they said it.
    pub name: Name,
    /// How it is meant.
    pub kind: Kind,
    /// What was said.
    pub text: Text,
    /// What its sender called it.
    pub id: Option<Id>,
}

/// How a message is meant. Kinds that this version does not know are ordinary messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `<ann> deploy is green`
    #[default]
    Say,
    /// `* ann waves`
    Me,
    /// It was said and taken back: its text is [`Text::removed`].
    Removed,
    /// Somebody who keeps order did something.
    Act(Box<Act>),
}

impl Kind {
    /// What the wire and the log call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Say => "say",
            Self::Me => "me",
            Self::Removed => "removed",
            Self::Act(act) => act.name(),
        }
    }

    /// The kind of this name, with the details of an act where it is one.
    pub fn read(name: &str, details: Option<&str>) -> Self {
        match name {
            "me" => Self::Me,
            "removed" => Self::Removed,
            name => details.and_then(|details| Act::read(name, details)).map(Self::from).unwrap_or_default(),
        }
    }

    /// Which message it takes back.
    pub fn removes(&self) -> Option<Seq> {
        match self {
            Self::Act(act) => match **act {
                Act::Remove { of, .. } => Some(of),
                _ => None,
            },
            _ => None,
        }
    }

    /// What it holds beside itself, in bytes.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Act(act) => act.held(),
            _ => 0,
        }
    }
}

impl From<Act> for Kind {
    fn from(act: Act) -> Self {
        Self::Act(Box::new(act))
    }
}

impl Record {
    /// Takes back what was said, as [`Act::Remove`] demands of whoever holds it; says whether there was something. An act
    /// stays.
    pub fn remove(&mut self) -> bool {
        let is_said = matches!(self.kind, Kind::Say | Kind::Me);
        if is_said {
            (self.kind, self.text) = (Kind::Removed, Text::removed());
        }
        is_said
    }
}

/// Something that a room's log holds beside its messages, and understands nothing of: a text under a key. A value may be
/// a secret, so that no debug print shows it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fact {
    /// Under which key, at most [`Facts::KEY`] bytes.
    pub key: Box<str>,
    /// What from then on, at most [`Facts::VALUE`] bytes; `None`: nothing any more.
    pub value: Option<Box<str>>,
}

/// All that a room's log holds beside its messages.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facts(BTreeMap<Box<str>, Box<str>>);

impl Facts {
    /// Bytes of a key at most.
    pub const KEY: usize = 200;
    /// Bytes of a value at most.
    pub const VALUE: usize = 1_024;
    /// Facts of one room at most that acts leave; and as many more of those who came.
    pub const MOST: usize = 1_024;

    /// What stands under a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(AsRef::as_ref)
    }

    /// Changes one of them.
    pub fn set(&mut self, fact: Fact) {
        match fact.value {
            Some(value) => drop(self.0.insert(fact.key, value)),
            None => drop(self.0.remove(&fact.key)),
        }
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Box<str>, Box<str>)> for Facts {
    fn from_iter<T: IntoIterator<Item = (Box<str>, Box<str>)>>(facts: T) -> Self {
        Self(facts.into_iter().collect())
    }
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fact({} {})", self.key, if self.value.is_some() { "is …" } else { "is no more" })
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What became of one draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is in the log, under this number; [`Answer::Grew`] brings it.
    New(Seq),
    /// It was in the log before, under this number.
    Known(Seq),
    /// It is not in the log, and neither is any draft behind it.
    Refused,
}

/// What the log could not do, for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the log is unavailable")]
pub struct Unavailable;

/// The newest end of a room's log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tail {
    /// Which history this is.
    pub epoch: Epoch,
    /// The oldest message that can still be loaded; `head + 1` where there is none.
    pub first: Seq,
    /// The newest message; [`Seq::ZERO`] where there is none yet.
    pub head: Seq,
    /// The newest messages, ascending and without a hole up to `head`, as many as the request's `bytes` hold.
    pub records: Vec<Record>,
    /// What it holds beside them.
    pub facts: Facts,
}

impl Tail {
    /// Of a room in which nothing was said yet.
    pub fn empty(epoch: Epoch) -> Self {
        Self { epoch, first: Seq::ZERO.next(), head: Seq::ZERO, records: Vec::new(), facts: Facts::default() }
    }
}

/// The messages of a room that a page shall have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Span {
    /// The newest ones below this seq.
    Before(Seq),
    /// The oldest ones above this seq.
    After(Seq),
}

/// A page of a room's history.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// The oldest message that can still be loaded; `head + 1` where there is none.
    pub first: Seq,
    /// Whether there is more in the page's direction.
    pub more: bool,
    /// The messages, ascending and without a hole.
    pub records: Vec<Record>,
}

/// What a search has found.
///
/// It looks from the newest messages back, as far as it takes to find enough, or as far as it goes in the time that one
/// answer should take: from `from` on, nothing is missing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// The oldest message that can still be loaded; `head + 1` where there is none.
    pub first: Seq,
    /// The oldest message that was looked at: the next search goes on before it.
    pub from: Seq,
    /// Whether there is more before it that was not looked at.
    pub more: bool,
    /// The messages, ascending.
    pub records: Vec<Record>,
}

impl Found {
    /// What a room has whose messages are all at hand: these, ascending, the oldest of which is `first`.
    pub fn among<'a>(
        first: Seq,
        records: impl DoubleEndedIterator<Item = &'a Record>,
        words: &Words,
        before: Seq,
        limit: u64,
    ) -> Self {
        let has = |record: &&Record| record.seq < before && words.are_in(record.text.as_str());
        let mut found = records.rev().filter(has);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut records: Vec<_> = found.by_ref().take(limit.max(1)).cloned().collect();
        records.reverse();
        let more = found.next().is_some();
        let from = records.first().filter(|_| more).map_or(first, |oldest| oldest.seq);
        Self { first, from, more, records }
    }
}

/// Names one [`Request::Load`] or [`Request::Search`], so that its answer finds the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What a machine asks of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Get this room ready. Always answered; nothing grows before the answer, whose tail has all that did.
    Open {
        /// The room.
        room: RoomId,
        /// How many bytes of text the newest records may hold.
        bytes: usize,
    },
    /// Say what is held of this room beside its messages: it says who may come in, before anybody has. Each is answered, and those
    /// of one room in their order.
    Recall {
        /// The room.
        room: RoomId,
    },
    /// Hold this of the room from now on, which nothing is said of. It has no answer: what is lost of it can be borne. But
    /// whoever asks for the room's facts behind it is told them with it.
    Keep {
        /// The room, if the log has it: it need not be ready.
        room: RoomId,
        /// What.
        facts: Vec<Fact>,
    },
    /// Take these messages, in this order. One that [takes another back](Kind::removes) has the log let go of what that one
    /// said, in the same commit.
    Append {
        /// The room, which is ready and has no other append outstanding.
        room: RoomId,
        /// The messages, at least one.
        drafts: Vec<Draft>,
    },
    /// Read a page of history.
    Load {
        /// Names this request.
        ticket: Ticket,
        /// The room, which is ready.
        room: RoomId,
        /// Which messages.
        span: Span,
        /// How many messages at most.
        limit: u64,
    },
    /// Look for the newest messages that have these words.
    Search {
        /// Names this request.
        ticket: Ticket,
        /// The room, which is ready.
        room: RoomId,
        /// What to look for.
        words: Words,
        /// Only below this seq.
        before: Seq,
        /// How many messages at most.
        limit: u64,
    },
    /// The server has this room no more. A log that keeps messages for good lets go of what it holds for serving them; one
    /// that keeps them for the server's sake lets go of them, too.
    Close {
        /// The room, which is ready and has no append outstanding.
        room: RoomId,
    },
}

/// What the log answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// To [`Request::Open`].
    Ready {
        /// The room.
        room: RoomId,
        /// Its newest end. After an error the room is opened again with the next join.
        tail: Result<Tail, Unavailable>,
    },
    /// To [`Request::Recall`].
    Recalled {
        /// The room.
        room: RoomId,
        /// What is held of it beside its messages: nothing where the log has no such room.
        facts: Result<Facts, Unavailable>,
    },
    /// To [`Request::Append`]: the acknowledgement.
    Settled {
        /// The room.
        room: RoomId,
        /// What became of each draft, in their order.
        outcomes: Vec<Outcome>,
    },
    /// The room's log has grown, by whoever's append.
    Grew {
        /// The room.
        room: RoomId,
        /// The oldest message that can still be loaded.
        first: Seq,
        /// The new messages: the first follows the room's head, the others follow each other. None where the log has only
        /// let go of old ones. The room holds them where they are for as long as it holds any of them, so a log tells of
        /// many in several answers, and may hold them there, too.
        records: Arc<[Record]>,
    },
    /// To [`Request::Load`].
    Loaded {
        /// Which request this answers.
        ticket: Ticket,
        /// The page.
        page: Result<Page, Unavailable>,
    },
    /// To [`Request::Search`].
    Found {
        /// Which request this answers.
        ticket: Ticket,
        /// What was found.
        found: Result<Found, Unavailable>,
    },
}
