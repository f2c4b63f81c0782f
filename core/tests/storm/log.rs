//! A log that answers when it likes.

use std::collections::{BTreeMap, VecDeque};

use qun_core::log::{Answer, Draft, Facts, Found, Kind, Outcome, Page, Record, Request, Span, Tail, Unavailable};
use qun_core::{Entropy, Epoch, Id, Instant, KeyHash, MemberId, RoomId, Seq};

use crate::world::Dice;

#[derive(Debug)]
pub(crate) struct Log {
    entropy: Entropy,
    pub(crate) rooms: BTreeMap<RoomId, Room>,
    /// What is to be answered, by the ways that it comes: within one, in order.
    ready: VecDeque<(Instant, Answer)>,
    settled: VecDeque<(Instant, Answer)>,
    grew: VecDeque<(Instant, Answer)>,
    loads: Vec<(Instant, Answer)>,
    /// One append of this many is refused from somewhere on, one request of this many fails; 0: none.
    pub(crate) faults: u64,
}

#[derive(Debug)]
pub(crate) struct Room {
    epoch: Epoch,
    first: Seq,
    pub(crate) records: Vec<Record>,
    pub(crate) known: BTreeMap<(KeyHash, Id), Seq>,
    pub(crate) facts: Facts,
}

impl Room {
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn head(&self) -> Seq {
        Seq::new(self.records.len() as u64)
    }

    fn push(&mut self, draft: Draft) -> Record {
        let Draft { once, member, name, kind, text, facts } = draft;
        facts.into_iter().for_each(|fact| self.facts.set(fact));
        if let Some(record) = kind.removes().and_then(|of| self.records.get_mut(of.get() as usize - 1)) {
            record.remove();
        }
        let seq = self.head().next();
        let record = Record { seq, ts: seq.get(), member, name, kind, text, id: once.map(|once| once.1) };
        if let Some(once) = once {
            self.known.insert(once, seq);
        }
        self.records.push(record.clone());
        record
    }
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            entropy: Entropy::new([3; 32]),
            rooms: BTreeMap::new(),
            ready: VecDeque::new(),
            settled: VecDeque::new(),
            grew: VecDeque::new(),
            loads: Vec::new(),
            faults: 0,
        }
    }

    pub(crate) fn submit(&mut self, now: Instant, dice: &mut Dice, request: Request) {
        let fault = self.faults > 0 && dice.below(self.faults) == 0;
        match request {
            Request::Open { room, .. } => {
                let entropy = &mut self.entropy;
                let state = self.rooms.entry(room.clone()).or_insert_with(|| Room {
                    epoch: Epoch::generate(entropy),
                    first: Seq::new(1),
                    records: Vec::new(),
                    known: BTreeMap::new(),
                    facts: Facts::default(),
                });
                let records = state.records.iter().rev().take(5).rev().cloned().collect();
                let facts = state.facts.clone();
                let tail = Tail { epoch: state.epoch, first: state.first, head: state.head(), records, facts };
                let tail = if fault { Err(Unavailable) } else { Ok(tail) };
                self.ready.push_back((now, Answer::Ready { room, tail }));
            }
            Request::Recall { room } => {
                let facts = self.rooms.get(&room).map(|room| room.facts.clone()).unwrap_or_default();
                let facts = if fault { Err(Unavailable) } else { Ok(facts) };
                self.ready.push_back((now, Answer::Recalled { room, facts }));
            }
            Request::Keep { room, facts } => {
                if let Some(room) = self.rooms.get_mut(&room) {
                    facts.into_iter().for_each(|fact| room.facts.set(fact));
                }
            }
            Request::Append { room, drafts } => {
                let state = self.rooms.get_mut(&room).unwrap();
                let taken = if fault { dice.below(drafts.len() as u64 + 1) as usize } else { drafts.len() };
                let mut records = Vec::new();
                let outcomes = drafts.into_iter().enumerate().map(|(i, draft)| {
                    if i >= taken {
                        return Outcome::Refused;
                    }
                    if let Some(seq) = draft.once.and_then(|once| state.known.get(&once)) {
                        return Outcome::Known(*seq);
                    }
                    records.push(state.push(draft));
                    Outcome::New(state.head())
                });
                let outcomes = outcomes.collect();
                let first = state.first;
                self.settled.push_back((now, Answer::Settled { room: room.clone(), outcomes }));
                if !records.is_empty() {
                    self.grew.push_back((now, Answer::Grew { room, first, records: records.into() }));
                }
            }
            Request::Load { ticket, room, span, limit } => {
                let page = if fault { Err(Unavailable) } else { Ok(self.page(&room, span, limit)) };
                self.loads.push((now, Answer::Loaded { ticket, page }));
            }
            Request::Search { ticket, room, words, before, limit } => {
                let state = &self.rooms[&room];
                let kept = state.records.iter().filter(|record| record.seq >= state.first);
                let kept: Vec<_> = kept.cloned().collect();
                let found = Found::among(state.first, kept.iter(), &words, before, limit);
                let found = if fault { Err(Unavailable) } else { Ok(found) };
                self.loads.push((now, Answer::Found { ticket, found }));
            }
            Request::Close { .. } => {}
        }
    }

    fn page(&self, room: &RoomId, span: Span, limit: u64) -> Page {
        let room = &self.rooms[room];
        let all: Vec<_> = room.records.iter().filter(|record| record.seq >= room.first).cloned().collect();
        let (mut records, all): (Vec<_>, usize) = match span {
            Span::Before(seq) => {
                let fit: Vec<_> = all.into_iter().filter(|record| record.seq < seq).collect();
                (fit.iter().rev().take(limit as usize).rev().cloned().collect(), fit.len())
            }
            Span::After(seq) => {
                let fit: Vec<_> = all.into_iter().filter(|record| record.seq > seq).collect();
                (fit.iter().take(limit as usize).cloned().collect(), fit.len())
            }
        };
        records.sort_by_key(|record| record.seq);
        Page { first: room.first, more: records.len() < all, records }
    }

    /// Somebody on another machine says something.
    pub(crate) fn elsewhere(&mut self, now: Instant, room: &RoomId, text: &str) {
        let Some(state) = self.rooms.get_mut(room) else { return };
        // The server hears of a room's growth once it is open.
        if self.ready.iter().any(|(_, answer)| matches!(answer, Answer::Ready { room: it, .. } if it == room)) {
            return;
        }
        let (name, text) = ("far".parse().unwrap(), text.parse().unwrap());
        let draft =
            Draft { once: None, member: MemberId::from_bits(1 << 40), name, kind: Kind::Say, text, facts: Vec::new() };
        let record = state.push(draft);
        let answer = Answer::Grew { room: room.clone(), first: state.first, records: [record].into() };
        self.grew.push_back((now, answer));
    }

    /// The oldest messages can't be loaded any more.
    pub(crate) fn trim(&mut self, room: &RoomId) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.first = room.first.max(room.head().minus(4));
        }
    }

    /// One answer, by any way; only one that is as old as `until` or older, where that is said.
    pub(crate) fn answer(&mut self, dice: &mut Dice, until: Option<Instant>) -> Option<Answer> {
        let old = |asked: &Instant| until.is_none_or(|until| *asked <= until);
        let first = dice.below(4);
        for way in (0..4).map(|i| (i + first) % 4) {
            let queue = match way {
                0 => &mut self.ready,
                1 => &mut self.settled,
                2 => &mut self.grew,
                _ => {
                    let i = dice.below(self.loads.len().max(1) as u64) as usize;
                    let i = (0..self.loads.len()).map(|n| (n + i) % self.loads.len()).find(|&i| old(&self.loads[i].0));
                    match i {
                        Some(i) => return Some(self.loads.swap_remove(i).1),
                        None => continue,
                    }
                }
            };
            if queue.front().is_some_and(|(asked, _)| old(asked)) {
                return queue.pop_front().map(|(_, answer)| answer);
            }
        }
        None
    }
}
