//! The log in memory.

mod known;
mod room;

use std::collections::{HashMap, VecDeque};
use std::mem;

use qun_core::log::{Answer, Draft, Found, Outcome, Record, Request, Tail, Unavailable};
use qun_core::{Entropy, Epoch, Now, RoomId};

use self::room::Room;
use crate::log::Log;

/// A log that holds the newest messages of each room, up to a budget of bytes, for as long as the process lives.
///
/// It answers at once. A room's epoch is new with each log, so clients learn that an earlier history is gone. A room that
/// the server has no more is forgotten, and begins anew where it comes back.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    entropy: Entropy,
    budget: usize,
    /// Asked and never walked, so that its order shows nowhere.
    rooms: HashMap<RoomId, Room>,
    answers: VecDeque<Answer>,
}

impl MemoryLog {
    /// What a room may hold by default: 1 MiB, some 2,500 messages, so that a thousand busy rooms fit into a small machine.
    pub const BUDGET: usize = 1 << 20;

    /// What a message counts beside the bytes of its text and name: the record, its place in the index of says, and
    /// what the allocator adds, rounded up.
    pub const OVERHEAD: usize = 320;

    /// An empty log. Its epochs follow from `seed`, 32 bytes of the driver's best randomness.
    pub fn new(seed: [u8; 32]) -> Self {
        Self::with_budget(seed, Self::BUDGET)
    }

    /// An empty log that holds at most `budget` bytes a room, [`OVERHEAD`](Self::OVERHEAD) of each message included.
    pub fn with_budget(seed: [u8; 32], budget: usize) -> Self {
        Self { entropy: Entropy::new(seed), budget, rooms: HashMap::new(), answers: VecDeque::new() }
    }

    /// The messages that a room holds, ascending; none where it was never opened.
    pub fn records(&self, room: &RoomId) -> impl DoubleEndedIterator<Item = &Record> {
        self.rooms.get(room).into_iter().flat_map(Room::records)
    }

    fn open(&mut self, id: &RoomId, bytes: usize) -> Tail {
        let entropy = &mut self.entropy;
        let room = self.rooms.entry(id.clone()).or_insert_with(|| Room::new(Epoch::generate(entropy)));
        let records = room.newest(bytes);
        Tail { epoch: room.epoch, first: room.first(), head: room.head, records, facts: room.facts.clone() }
    }

    fn append(&mut self, now: Now, id: RoomId, drafts: Vec<Draft>) {
        let Some(room) = self.rooms.get_mut(&id) else {
            let outcomes = vec![Outcome::Refused; drafts.len()];
            self.answers.push_back(Answer::Settled { room: id, outcomes });
            return;
        };
        let (mut outcomes, mut runs) = (Vec::with_capacity(drafts.len()), Vec::new());
        let mut drafts = drafts.into_iter();
        while drafts.len() > 0 {
            let count = room::run(drafts.as_slice(), self.budget);
            let run = if count == drafts.len() {
                mem::take(&mut drafts).collect()
            } else {
                drafts.by_ref().take(count).collect()
            };
            runs.push(room.push(now, run, &mut outcomes));
        }
        room.trim(self.budget);
        let first = room.first();
        self.answers.push_back(Answer::Settled { room: id.clone(), outcomes });
        let grown = runs.into_iter().filter(|records| !records.is_empty());
        self.answers.extend(grown.map(|records| Answer::Grew { room: id.clone(), first, records }));
    }
}

impl Log for MemoryLog {
    fn submit(&mut self, now: Now, request: Request) {
        match request {
            Request::Open { room, bytes } => {
                let tail = self.open(&room, bytes);
                self.answers.push_back(Answer::Ready { room, tail: Ok(tail) });
            }
            Request::Recall { room } => {
                let facts = Ok(self.rooms.get(&room).map(|room| room.facts.clone()).unwrap_or_default());
                self.answers.push_back(Answer::Recalled { room, facts });
            }
            Request::Keep { room, facts } => {
                if let Some(room) = self.rooms.get_mut(&room) {
                    facts.into_iter().for_each(|fact| room.facts.set(fact));
                }
            }
            Request::Append { room, drafts } => self.append(now, room, drafts),
            Request::Load { ticket, room, span, limit } => {
                let page = self.rooms.get(&room).map(|room| room.page(span, limit)).ok_or(Unavailable);
                self.answers.push_back(Answer::Loaded { ticket, page });
            }
            Request::Search { ticket, room, words, before, limit } => {
                let room = self.rooms.get(&room).ok_or(Unavailable);
                let found = room.map(|room| Found::among(room.first(), room.records(), &words, before, limit));
                self.answers.push_back(Answer::Found { ticket, found });
            }
            Request::Close { room } => {
                self.rooms.remove(&room);
            }
        }
    }

    fn poll(&mut self) -> Option<Answer> {
        self.answers.pop_front()
    }
}

#[cfg(test)]
mod tests;
