//! One person: their client, and what it showed them.

use std::collections::BTreeMap;

use qun_core::client::{Client, Event};
use qun_core::json::PageMessage;
use qun_core::{Id, RoomId, Seq};

use super::link::LinkId;
use super::world::Violation;
use crate::memory::MemoryLog;

/// Somebody at a client.
#[derive(Clone, Debug)]
pub struct Person {
    pub(super) client: Client,
    pub(super) link: Option<LinkId>,
    rooms: BTreeMap<RoomId, Vec<Shown>>,
    said: BTreeMap<Id, Said>,
    ended: bool,
}

/// What a person saw of a room's timeline, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A message.
    Message(Box<PageMessage>),
    /// That these are missing for good.
    Lost {
        /// The first.
        from: Seq,
        /// The last.
        to: Seq,
    },
    /// That numbering began anew.
    Restarted,
}

/// What became of something that a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing yet.
    Pending,
    /// It was echoed.
    Delivered,
    /// The server refused it.
    Refused,
    /// Nobody can tell.
    Unconfirmed,
}

impl Person {
    pub(super) fn new(client: Client) -> Self {
        Self { client, link: None, rooms: BTreeMap::new(), said: BTreeMap::new(), ended: false }
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What was shown of a room.
    pub fn shown(&self, room: &RoomId) -> &[Shown] {
        self.rooms.get(room).map_or(&[], Vec::as_slice)
    }

    /// What was said, and what became of it.
    pub fn said(&self) -> impl Iterator<Item = (Id, Said)> {
        self.said.iter().map(|(id, said)| (*id, *said))
    }

    pub(super) fn says(&mut self, id: Id) {
        self.said.insert(id, Said::Pending);
    }

    /// Sees an event.
    pub(super) fn see(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Message { room, message, .. } => {
                if let Some(said) = message.id.and_then(|id| self.said.get_mut(&id)) {
                    *said = Said::Delivered;
                }
                self.show(room, Shown::Message(Box::new(message)))?;
            }
            Event::Lost { room, from, to } => self.show(room, Shown::Lost { from, to })?,
            Event::Restarted { room } => self.show(room, Shown::Restarted)?,
            Event::Delivered { id, .. } => self.settle(id, Said::Delivered),
            Event::Refused { re: Some(re), .. } => self.settle(re, Said::Refused),
            Event::Unconfirmed { id, .. } => self.settle(id, Said::Unconfirmed),
            Event::Ended { .. } => self.ended = true,
            _ => {}
        }
        Ok(())
    }

    fn settle(&mut self, id: Id, fate: Said) {
        if let Some(said) = self.said.get_mut(&id).filter(|said| **said == Said::Pending) {
            *said = fate;
        }
    }

    /// Every message once, in order, and every hole told.
    fn show(&mut self, room: RoomId, shown: Shown) -> Result<(), Violation> {
        let timeline = self.rooms.entry(room).or_default();
        let expected = timeline.last().and_then(Shown::end).map(Seq::next);
        let begins = match &shown {
            Shown::Message(message) => Some(message.seq),
            Shown::Lost { from, .. } => Some(*from),
            Shown::Restarted => None,
        };
        if let (Some(expected), Some(begins)) = (expected, begins)
            && begins != expected
        {
            return Err(Violation(format!("after {expected} less one came {shown:?}")));
        }
        timeline.push(shown);
        Ok(())
    }

    /// Compares what was shown of the room with its log, after everything has calmed down.
    pub(super) fn check(&self, room: &RoomId, log: &MemoryLog) -> Result<(), Violation> {
        if self.ended {
            return Err(Violation("the client has ended".into()));
        }
        let shown = self.shown(room);
        let since = shown.iter().rposition(|shown| *shown == Shown::Restarted).map_or(0, |index| index + 1);
        let head = log.records(room).next_back().map(|record| record.seq);
        let end = shown[since..].last().and_then(Shown::end);
        if end != head {
            return Err(Violation(format!("shown up to {end:?} of {head:?} in {room}")));
        }
        let messages = shown[since..].iter().filter_map(|shown| match shown {
            Shown::Message(message) => Some(&**message),
            _ => None,
        });
        let by_seq: BTreeMap<_, _> = log.records(room).map(|record| (record.seq, record)).collect();
        for message in messages {
            if let Some(record) = by_seq.get(&message.seq)
                && PageMessage::from(*record) != *message
            {
                return Err(Violation(format!("shown {message:?}, logged {record:?}")));
            }
        }
        match self.said.iter().find(|(_, said)| **said == Said::Pending) {
            Some((id, _)) => Err(Violation(format!("nobody knows what became of {id}"))),
            None => Ok(()),
        }
    }
}

impl Shown {
    /// The seq up to which the timeline is known after this.
    fn end(&self) -> Option<Seq> {
        match self {
            Self::Message(message) => Some(message.seq),
            Self::Lost { to, .. } => Some(*to),
            Self::Restarted => None,
        }
    }
}
