//! The dialects: three ways to write down the same room. Their bytes differ, what they say does not.

use alloc::vec::Vec;

use crate::id::{RoomId, Seq};
use crate::json::{self, Change, Frame, Person};
use crate::log::Record;
use crate::plain::{self, Language, Phrase};

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Dialect {
    Json,
    Plain,
}

/// What a broadcast frame needs to know besides what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Style {
    pub(crate) language: Language,
    pub(crate) utc_offset_s: i32,
}

impl Dialect {
    pub(crate) const COUNT: usize = 2;

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    pub(crate) const fn all() -> [Self; Self::COUNT] {
        [Self::Json, Self::Plain]
    }

    /// Whether a sender is spared the echo: its terminal has shown the line already.
    pub(crate) const fn skips_own(self) -> bool {
        matches!(self, Self::Plain)
    }

    /// Appends messages as every member of `room` reads them, and says where each ends.
    pub(crate) fn messages(
        self,
        style: Style,
        room: &RoomId,
        records: &[Record],
        out: &mut Vec<u8>,
        ends: &mut Vec<u32>,
    ) {
        match self {
            Self::Json => json::write_messages(room, records, out, ends),
            Self::Plain => plain::messages(records, style, out, ends),
        }
    }

    /// Appends a change of the roster.
    pub(crate) fn change(self, style: Style, room: &RoomId, change: &Change, out: &mut Vec<u8>) {
        match self {
            Self::Json => Frame::Presence { room: room.clone(), change: change.clone() }.encode(out),
            Self::Plain => {
                let phrase = match change {
                    Change::In { name, .. } => Phrase::Came(name),
                    Change::Out { name, .. } => Phrase::Went(name),
                    Change::Name { name, was, .. } => Phrase::Renamed { was, name },
                    // Whom it concerns is told; to the others it is no event of its own.
                    Change::Role { .. } | Change::Unknown => return,
                };
                phrase.write(style.language, out);
            }
        }
    }

    /// Appends who is in a room that tells it in another way from here on, before the message `next`. To a person at a
    /// terminal it shows by itself.
    pub(crate) fn roster(self, room: &RoomId, next: Seq, here: u64, members: Option<Vec<Person>>, out: &mut Vec<u8>) {
        match self {
            Self::Json => Frame::Gap { room: room.clone(), from: next, to: next.minus(1), here, members }.encode(out),
            Self::Plain => {}
        }
    }

    /// Appends the number of members. A person at a terminal is not told every few seconds: `/who` says it.
    pub(crate) fn here(self, room: &RoomId, n: u64, out: &mut Vec<u8>) {
        match self {
            Self::Json => Frame::Here { room: room.clone(), n }.encode(out),
            Self::Plain => {}
        }
    }
}
