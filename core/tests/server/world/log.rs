//! A log that is trivially right: vectors in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use qun_core::log::{Answer, Draft, Facts, Found, Kind, Outcome, Page, Record, Request, Span, Tail, Unavailable};
use qun_core::{Epoch, Id, KeyHash, MemberId, RoomId, Seq};

/// The log of every room, which answers at once, or later, or with a fault: as the test says.
pub(crate) struct Log {
    rooms: BTreeMap<RoomId, History>,
    /// Which history a room begins when it is first opened.
    pub(crate) epoch: &'static str,
    /// Requests wait until [`Log::held`] is taken from.
    pub(crate) hold: bool,
    pub(crate) held: VecDeque<Request>,
    /// Every request fails.
    pub(crate) broken: bool,
    /// `Grew` comes before `Settled`.
    pub(crate) grew_first: bool,
    /// Every append that came, with the number of its drafts.
    pub(crate) appends: Vec<usize>,
    /// Every room that the server let go of. What it held stays, as on a disk.
    pub(crate) closes: Vec<RoomId>,
}

struct History {
    epoch: Epoch,
    records: Vec<Record>,
    known: BTreeMap<(KeyHash, Id), Seq>,
    facts: Facts,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            rooms: BTreeMap::new(),
            epoch: "e9f2",
            hold: false,
            held: VecDeque::new(),
            broken: false,
            grew_first: false,
            appends: Vec::new(),
            closes: Vec::new(),
        }
    }

    /// Messages from before the server's start.
    pub(crate) fn fill(&mut self, room: &str, count: u64, text: impl Fn(u64) -> String) {
        let member = MemberId::from_bits(1 << 40);
        let history = self.history(&room.parse().unwrap());
        for n in 1..=count {
            let (name, text) = ("old".parse().unwrap(), text(n).parse().unwrap());
            let id = Some(format!("old-{n}").parse().unwrap());
            let record =
                Record { seq: Seq::new(n), ts: 1_771_329_000_000 + n, member, name, kind: Kind::Say, text, id };
            history.records.push(record);
        }
    }

    pub(crate) fn records(&mut self, room: &str) -> &[Record] {
        &self.history(&room.parse().unwrap()).records
    }

    fn history(&mut self, room: &RoomId) -> &mut History {
        let epoch = self.epoch.parse().unwrap();
        let new = || History { epoch, records: Vec::new(), known: BTreeMap::new(), facts: Facts::default() };
        self.rooms.entry(room.clone()).or_insert_with(new)
    }

    /// Whether something waits that is to be held beside the messages.
    pub(crate) fn is_to_keep(&self) -> bool {
        self.held.iter().any(|request| matches!(request, Request::Keep { .. }))
    }

    pub(crate) fn answer(&mut self, request: Request, unix_ms: u64) -> Vec<Answer> {
        let (broken, grew_first) = (self.broken, self.grew_first);
        match request {
            Request::Open { room, bytes } => {
                let history = self.history(&room);
                let tail = if broken { Err(Unavailable) } else { Ok(history.tail(bytes)) };
                vec![Answer::Ready { room, tail }]
            }
            Request::Recall { room } => {
                let facts = if broken { Err(Unavailable) } else { Ok(self.history(&room).facts.clone()) };
                vec![Answer::Recalled { room, facts }]
            }
            Request::Keep { room, facts } => {
                let history = self.history(&room);
                facts.into_iter().for_each(|fact| history.facts.set(fact));
                Vec::new()
            }
            Request::Append { room, drafts } => {
                assert!(!drafts.is_empty(), "an append has at least one draft");
                self.appends.push(drafts.len());
                if broken {
                    return vec![Answer::Settled { room, outcomes: vec![Outcome::Refused; drafts.len()] }];
                }
                let history = self.history(&room);
                let before = history.records.len();
                let outcomes = drafts.into_iter().map(|draft| history.append(draft, unix_ms)).collect();
                let settled = Answer::Settled { room: room.clone(), outcomes };
                let records: Arc<[Record]> = history.records[before..].into();
                if records.is_empty() {
                    return vec![settled];
                }
                let grew = Answer::Grew { room, first: Seq::new(1), records };
                if grew_first { vec![grew, settled] } else { vec![settled, grew] }
            }
            Request::Load { ticket, room, span, limit } => {
                let page = if broken { Err(Unavailable) } else { Ok(self.history(&room).page(span, limit as usize)) };
                vec![Answer::Loaded { ticket, page }]
            }
            Request::Search { ticket, room, words, before, limit } => {
                let records = &self.history(&room).records;
                let found = Found::among(Seq::new(1), records.iter(), &words, before, limit);
                vec![Answer::Found { ticket, found: if broken { Err(Unavailable) } else { Ok(found) } }]
            }
            Request::Close { room } => {
                self.closes.push(room);
                Vec::new()
            }
        }
    }
}

impl History {
    fn head(&self) -> Seq {
        Seq::new(self.records.len() as u64)
    }

    fn tail(&self, bytes: usize) -> Tail {
        let mut left = bytes;
        let fits = |record: &&Record| {
            let enough = left.checked_sub(record.text.as_str().len());
            left = enough.unwrap_or_default();
            enough.is_some()
        };
        let mut records: Vec<_> = self.records.iter().rev().take_while(fits).cloned().collect();
        records.reverse();
        Tail { epoch: self.epoch, first: Seq::new(1), head: self.head(), records, facts: self.facts.clone() }
    }

    fn append(&mut self, draft: Draft, unix_ms: u64) -> Outcome {
        let Draft { once, member, name, kind, text, facts } = draft;
        if let Some(&seq) = once.and_then(|once| self.known.get(&once)) {
            return Outcome::Known(seq);
        }
        facts.into_iter().for_each(|fact| self.facts.set(fact));
        if let Some(record) = kind.removes().and_then(|of| self.records.get_mut(of.get() as usize - 1)) {
            record.remove();
        }
        let seq = self.head().next();
        if let Some(once) = once {
            self.known.insert(once, seq);
        }
        let ts = self.records.last().map_or(unix_ms, |last| last.ts.max(unix_ms));
        let id = once.map(|(_, id)| id);
        self.records.push(Record { seq, ts, member, name, kind, text, id });
        Outcome::New(seq)
    }

    fn page(&self, span: Span, limit: usize) -> Page {
        let (from, to) = match span {
            Span::Before(seq) => {
                let to = self.records.len().min(seq.get().saturating_sub(1) as usize);
                (to.saturating_sub(limit), to)
            }
            Span::After(seq) => {
                let from = self.records.len().min(seq.get() as usize);
                (from, self.records.len().min(from + limit))
            }
        };
        let more = match span {
            Span::Before(_) => from > 0,
            Span::After(_) => to < self.records.len(),
        };
        Page { first: Seq::new(1), more, records: self.records[from..to].to_vec() }
    }
}
