//! People: what they hold in their hands, and what they were shown.

use std::collections::{BTreeMap, BTreeSet};

use qun_core::client::{Client, Event};
use qun_core::{Id, Instant, Role, RoomId};

use super::link::LinkId;
use super::oracle::{Model, Violation};
use super::raw::Raw;

/// Somebody.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// Whom the oracle takes them for; a client with another key is somebody else.
    pub(super) identity: usize,
    pub(super) mind: Mind,
    pub(super) link: Option<LinkId>,
    /// Their machine sleeps until then.
    pub(super) asleep: Instant,
    /// What their clock is ahead of the world's, in milliseconds.
    pub(super) ahead: i64,
    /// Up to which seq each room was shown.
    shown: BTreeMap<RoomId, Option<u64>>,
    /// What they said by their client.
    said: BTreeMap<Id, (u64, Said)>,
    /// Rooms of which something was lost, so that what was said there may be unconfirmed.
    excused: BTreeSet<RoomId>,
    pub(super) has_ended: bool,
    /// Whether they have said goodbye.
    pub(super) is_done: bool,
}

/// What they speak by.
#[derive(Clone, Debug)]
pub(super) enum Mind {
    Client(Box<Client>),
    Raw(Raw),
}

/// What became of something that a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Pending,
    Delivered,
    Refused,
    Unconfirmed,
}

impl Person {
    pub(super) fn new(identity: usize, mind: Mind) -> Self {
        Self {
            identity,
            mind,
            link: None,
            asleep: Instant::default(),
            ahead: 0,
            shown: BTreeMap::new(),
            said: BTreeMap::new(),
            excused: BTreeSet::new(),
            has_ended: false,
            is_done: false,
        }
    }

    pub(super) fn client(&self) -> Option<&Client> {
        match &self.mind {
            Mind::Client(client) => Some(client),
            Mind::Raw(_) => None,
        }
    }

    pub(super) fn client_mut(&mut self) -> Option<&mut Client> {
        match &mut self.mind {
            Mind::Client(client) => Some(client),
            Mind::Raw(_) => None,
        }
    }

    pub(super) fn raw_mut(&mut self) -> Option<&mut Raw> {
        match &mut self.mind {
            Mind::Client(_) => None,
            Mind::Raw(raw) => Some(raw),
        }
    }

    /// A new client, after the old one has ended: all that it had to say is told.
    pub(super) fn begin_anew(&mut self, identity: usize, client: Client) {
        self.identity = identity;
        self.mind = Mind::Client(Box::new(client));
        self.shown.clear();
        (self.has_ended, self.is_done) = (false, false);
    }

    pub(super) fn says(&mut self, id: Id, token: u64) {
        self.said.insert(id, (token, Said::Pending));
    }

    /// Sees an event: each message once, in order, as the log has it; every hole told; one fate for everything said.
    pub(super) fn see(&mut self, event: &Event, model: &Model, disk_may_be_full: bool) -> Result<(), Violation> {
        match event {
            Event::Message { room, message, mine, .. } => {
                let seq = message.seq.get();
                // Which of its histories this is, the client may know better by now than as it was shown.
                let mut records = model.records(room.as_str(), seq);
                if !records.any(|record| qun_core::json::PageMessage::from(record) == *message) {
                    return wrong(2, format!("{message:?} is shown, and no log of {room} has it"));
                }
                if let Some((_, said)) = message.id.and_then(|id| self.said.get_mut(&id))
                    && (*said == Said::Pending || *mine)
                {
                    *said = Said::Delivered;
                } else if *mine {
                    return wrong(3, format!("{message:?} is called theirs"));
                }
                self.follows(room, Some((seq, seq)))
            }
            Event::Lost { room, from, to } => {
                self.excused.insert(room.clone());
                self.follows(room, Some((from.get(), to.get())))
            }
            Event::Restarted { room } => {
                self.excused.insert(room.clone());
                self.follows(room, None)
            }
            // What was said before one may only read is refused now, although it may have been taken then.
            Event::Joined { room, role: Role::Read, .. } => {
                self.excused.insert(room.clone());
                Ok(())
            }
            Event::Left { room, .. } => {
                self.shown.remove(room);
                Ok(())
            }
            Event::Delivered { id, .. } => self.settle(*id, Said::Delivered),
            Event::Refused { re: Some(re), .. } if self.said.contains_key(re) => self.settle(*re, Said::Refused),
            Event::Unconfirmed { id, room, .. } => {
                self.settle(*id, Said::Unconfirmed)?;
                if self.excused.contains(room) || self.is_done || disk_may_be_full {
                    return Ok(());
                }
                wrong(3, format!("{id} is unconfirmed, and nothing of {room} was lost"))
            }
            Event::Ended { .. } => {
                self.has_ended = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn settle(&mut self, id: Id, fate: Said) -> Result<(), Violation> {
        match self.said.get_mut(&id) {
            Some((_, said)) if *said == Said::Pending => {
                *said = fate;
                Ok(())
            }
            other => wrong(3, format!("{id} is {fate:?}, and was {other:?}")),
        }
    }

    fn follows(&mut self, room: &RoomId, range: Option<(u64, u64)>) -> Result<(), Violation> {
        let before = self.shown.entry(room.clone()).or_default();
        let after = std::mem::replace(before, range.map(|(_, to)| to));
        match (after, range) {
            (Some(after), Some((from, _))) if from != after + 1 => {
                wrong(2, format!("in {room} {from} is shown after {after}"))
            }
            _ => Ok(()),
        }
    }

    /// What is still to become of what they said.
    pub(super) fn unsettled(&self) -> Option<String> {
        let pending = self.said.iter().find(|(_, (_, said))| *said == Said::Pending);
        pending.map(|(id, _)| format!("nothing has become of {id}"))
    }

    /// What was called delivered is in the log, and what was called refused is not.
    pub(super) fn check(&self, model: &Model) -> Result<(), Violation> {
        for (id, (token, said)) in &self.said {
            match (said, model.has(*token)) {
                (Said::Delivered, false) => return wrong(4, format!("{id} (#{token}) is delivered, and in no log")),
                (Said::Refused, true) => return wrong(3, format!("{id} (#{token}) is refused, and in a log")),
                _ => {}
            }
        }
        Ok(())
    }

    /// The newest message shown of a room.
    pub(super) fn has_seen(&self, room: &RoomId) -> Option<u64> {
        self.shown.get(room).copied().flatten()
    }
}

fn wrong(invariant: u8, text: String) -> Result<(), Violation> {
    Err(Violation::new(invariant, text))
}
