//! The log in memory.

mod known;

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::Arc;

use qun_core::log::{Answer, Draft, Facts, Found, Kind, Outcome, Page, Record, Request, Span, Tail, Unavailable};
use qun_core::{Entropy, Epoch, KeyHash, Now, RoomId, Seq};

use crate::log::Log;
use known::{Hashed, Known, Once};

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
        self.rooms.get(room).into_iter().flat_map(|room| room.held.iter().map(Held::record))
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
            let count = run(drafts.as_slice());
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
                let found = room.map(|room| {
                    let held = room.held.iter().map(Held::record);
                    Found::among(room.first(), held, &words, before, limit)
                });
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

#[derive(Clone, Debug)]
struct Room {
    epoch: Epoch,
    head: Seq,
    /// The stamp of the newest message ever, held or not.
    ts: u64,
    /// The newest messages, without a hole up to `head`.
    held: VecDeque<Held>,
    /// The says among them that have an id.
    known: Known,
    /// What `held` counts.
    bytes: usize,
    /// What is held beside the messages.
    facts: Facts,
}

/// A message that is held. It has the size of a line of the processor's caches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Held {
    /// The messages among which it came, as the server's room holds them, too: they go when nobody holds any of them.
    run: Arc<[Record]>,
    /// Of the session's key and the say's id, where the say has one.
    hash: u32,
    /// What it counts.
    cost: u32,
    /// Its place among them.
    at: u8,
    /// With the record's id: what makes the say idempotent.
    key: Option<KeyHash>,
}

/// Messages that lie together at most, in number and in bytes of text: so much is let go of late.
const RUN: usize = 64;
const RUN_BYTES: usize = 16 << 10;

/// How many drafts make the next run.
fn run(drafts: &[Draft]) -> usize {
    let mut bytes = 0;
    let fits = |draft: &&Draft| {
        bytes += draft.text.as_str().len();
        bytes <= RUN_BYTES
    };
    drafts.iter().take(RUN).take_while(fits).count().max(1)
}

impl Held {
    fn new(run: Arc<[Record]>, at: usize, once: Option<Hashed>) -> Self {
        let hash = once.map_or(0, |once| once.hash);
        let key = once.map(|Hashed { once: (key, _), .. }| key);
        let mut held = Self { run, hash, cost: 0, at: at as u8, key };
        held.count();
        held
    }

    fn record(&self) -> &Record {
        &self.run[usize::from(self.at)]
    }

    fn once(&self) -> Option<Once> {
        self.key.zip(self.record().id)
    }

    fn count(&mut self) {
        let Record { kind, text, name, .. } = self.record();
        let act = if let Kind::Act(act) = kind { size_of_val(&**act) + act.details().len() } else { 0 };
        let cost = MemoryLog::OVERHEAD + text.as_str().len() + name.as_str().len() + act;
        self.cost = u32::try_from(cost).unwrap_or(u32::MAX);
    }
}

impl Room {
    fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            head: Seq::ZERO,
            ts: 0,
            held: VecDeque::new(),
            known: Known::default(),
            bytes: 0,
            facts: Facts::default(),
        }
    }

    /// The oldest message held; `head + 1` where there is none.
    fn first(&self) -> Seq {
        self.head.next().minus(self.held.len() as u64)
    }

    /// The newest messages whose texts have no more than `bytes` together.
    fn newest(&self, bytes: usize) -> Vec<Record> {
        let mut left = bytes;
        let fits = |held: &&Held| match left.checked_sub(held.record().text.as_str().len()) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        let count = self.held.iter().rev().take_while(fits).count();
        self.copy(self.held.len() - count, count)
    }

    /// Takes messages of one append, all that it does not have; says which records that are.
    fn push(&mut self, now: Now, mut drafts: Vec<Draft>, outcomes: &mut Vec<Outcome>) -> Arc<[Record]> {
        let (head, first) = (self.head, self.first());
        let mut fresh: Vec<Option<Hashed>> = Vec::with_capacity(drafts.len());
        drafts.retain(|draft| {
            let once = draft.once.map(|once| self.known.hash(once));
            if let Some(Hashed { once, hash }) = once {
                // What is held, and behind it what came before it now.
                let is_at = |place: usize| match place.checked_sub(self.held.len()) {
                    None => self.held[place].once() == Some(once),
                    Some(place) => fresh.get(place).copied().flatten().is_some_and(|it| it.once == once),
                };
                if let Some(seq) = self.known.get(hash, first, is_at) {
                    outcomes.push(Outcome::Known(seq));
                    return false;
                }
                self.known.insert(hash, head.plus(fresh.len() as u64 + 1));
            }
            fresh.push(once);
            outcomes.push(Outcome::New(head.plus(fresh.len() as u64)));
            true
        });
        Draft::pack(&mut drafts);
        if !drafts.is_empty() {
            self.ts = self.ts.max(now.unix_ms);
        }
        let (ts, mut removed) = (self.ts, Vec::new());
        let run: Arc<[Record]> = drafts
            .into_iter()
            .map(|Draft { once, member, name, kind, text, facts }| {
                facts.into_iter().for_each(|fact| self.facts.set(fact));
                removed.extend(kind.removes());
                self.head = self.head.next();
                Record { seq: self.head, ts, member, name, kind, text, id: once.map(|(_, id)| id) }
            })
            .collect();
        for (at, once) in fresh.into_iter().enumerate() {
            let held = Held::new(run.clone(), at, once);
            self.bytes += held.cost as usize;
            self.held.push_back(held);
        }
        removed.into_iter().for_each(|seq| self.remove(seq));
        run
    }

    /// Lets go of what a message said.
    fn remove(&mut self, seq: Seq) {
        let place = seq.get().checked_sub(self.first().get()).and_then(|place| usize::try_from(place).ok());
        if let Some(held) = place.and_then(|place| self.held.get_mut(place)) {
            let mut record = held.record().clone();
            record.remove();
            self.bytes -= held.cost as usize;
            (held.run, held.at) = (Arc::new([record]), 0);
            held.count();
            self.bytes += held.cost as usize;
        }
    }

    fn trim(&mut self, budget: usize) {
        let mut first = self.first();
        while self.bytes > budget
            && let Some(oldest) = self.held.pop_front()
        {
            self.bytes -= oldest.cost as usize;
            if oldest.key.is_some() {
                self.known.remove(oldest.hash, first);
            }
            first = first.next();
        }
    }

    fn page(&self, span: Span, limit: u64) -> Page {
        let first = self.first();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // How many of the messages held are below a seq.
        let below = |seq: Seq| usize::try_from(seq.get().saturating_sub(first.get())).unwrap_or(usize::MAX);
        let (from, count, more) = match span {
            Span::Before(seq) => {
                let end = below(seq).min(self.held.len());
                let from = end.saturating_sub(limit);
                (from, end - from, from > 0)
            }
            Span::After(seq) => {
                let from = below(seq.next()).min(self.held.len());
                let count = limit.min(self.held.len() - from);
                (from, count, from + count < self.held.len())
            }
        };
        Page { first, more, records: self.copy(from, count) }
    }

    fn copy(&self, from: usize, count: usize) -> Vec<Record> {
        self.held.range(from..from + count).map(|held| held.record().clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use qun_core::log::Ticket;
    use qun_core::{Act, Instant, Key, Subject};

    use super::*;

    fn room() -> RoomId {
        "ops".parse().unwrap()
    }

    fn at(unix_ms: u64) -> Now {
        Now { mono: Instant::default(), unix_ms }
    }

    fn draft(once: Option<u64>, text: &str) -> Draft {
        let key: Key = "q8ZtV1c0TgW2q8ZtV1c0Tg".parse().unwrap();
        Draft {
            once: once.map(|id| (key.hash(), id.to_string().parse().unwrap())),
            member: key.member(),
            name: "ann".parse().unwrap(),
            kind: Kind::Say,
            text: text.parse().unwrap(),
            facts: Vec::new(),
        }
    }

    fn ask(log: &mut MemoryLog, now: Now, request: Request) -> Vec<Answer> {
        log.submit(now, request);
        std::iter::from_fn(|| log.poll()).collect()
    }

    fn opened(budget: usize) -> MemoryLog {
        let mut log = MemoryLog::with_budget([7; 32], budget);
        ask(&mut log, at(0), Request::Open { room: room(), bytes: 0 });
        log
    }

    fn append(log: &mut MemoryLog, now: Now, drafts: Vec<Draft>) -> (Vec<Outcome>, Vec<Record>) {
        let mut answers = ask(log, now, Request::Append { room: room(), drafts }).into_iter();
        let Some(Answer::Settled { outcomes, .. }) = answers.next() else { panic!("settled first") };
        match answers.next() {
            Some(Answer::Grew { records, .. }) => (outcomes, records.to_vec()),
            None => (outcomes, Vec::new()),
            other => panic!("{other:?}"),
        }
    }

    fn page(log: &mut MemoryLog, span: Span, limit: u64) -> (Vec<u64>, bool) {
        let request = Request::Load { ticket: Ticket(1), room: room(), span, limit };
        match ask(log, at(0), request).pop() {
            Some(Answer::Loaded { ticket: Ticket(1), page: Ok(page) }) => {
                (page.records.iter().map(|record| record.seq.get()).collect(), page.more)
            }
            other => panic!("{other:?}"),
        }
    }

    fn tail(log: &mut MemoryLog, bytes: usize) -> Tail {
        match ask(log, at(0), Request::Open { room: room(), bytes }).pop() {
            Some(Answer::Ready { tail: Ok(tail), .. }) => tail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_overhead_covers_what_a_record_costs() {
        // A table doubles when seven eighths of it are full, a deque when all of it is, and an `Arc<str>` has a header of two words.
        let index = 16 * (2 * size_of::<u32>() + 1) / 7;
        let headers = 2 * 2 * size_of::<usize>();
        assert!(MemoryLog::OVERHEAD >= size_of::<Record>() + 2 * size_of::<Held>() + index + headers);
        assert_eq!(size_of::<Held>(), 64);
    }

    #[test]
    fn a_say_is_appended_once() {
        let mut log = opened(MemoryLog::BUDGET);
        let (outcomes, records) = append(&mut log, at(5), vec![draft(Some(1), "a"), draft(Some(1), "a")]);
        assert_eq!(outcomes, [Outcome::New(Seq::new(1)), Outcome::Known(Seq::new(1))]);
        assert_eq!(records.len(), 1);
        let (outcomes, records) = append(&mut log, at(6), vec![draft(Some(1), "a")]);
        assert_eq!(outcomes, [Outcome::Known(Seq::new(1))]);
        assert!(records.is_empty());
    }

    #[test]
    fn a_large_append_is_told_in_several_answers_and_lies_in_several_places() {
        for (count, text) in [(3 * RUN + 1, "x".to_owned()), (7, "x".repeat(RUN_BYTES / 2))] {
            let mut log = opened(MemoryLog::BUDGET);
            let drafts = (0..count).map(|n| draft(Some(n as u64), &text)).collect();
            let answers = ask(&mut log, at(5), Request::Append { room: room(), drafts });
            let [Answer::Settled { outcomes, .. }, grown @ ..] = &answers[..] else { panic!("{answers:?}") };
            assert_eq!(outcomes.len(), count);
            let runs = grown.iter().map(|answer| match answer {
                Answer::Grew { records, .. } => records.clone(),
                other => panic!("{other:?}"),
            });
            let runs: Vec<Arc<[Record]>> = runs.collect();
            assert_eq!(runs.len(), 4);
            let seqs: Vec<_> = runs.iter().flat_map(|run| run.iter()).map(|record| record.seq.get()).collect();
            assert_eq!(seqs, (1..=count as u64).collect::<Vec<_>>());
            assert_eq!(log.records(&room()).count(), count);
        }
    }

    #[test]
    fn what_is_taken_back_is_gone_here_and_nothing_else_is() {
        let mut log = opened(MemoryLog::BUDGET);
        let (_, told) = append(&mut log, at(5), (1..=3).map(|n| draft(Some(n), "abc")).collect());
        let before = log.rooms[&room()].bytes;
        let on = Subject { m: None, name: "ann".parse().unwrap() };
        let kind = Act::Remove { of: Seq::new(2), on, why: None }.into();
        append(&mut log, at(6), vec![Draft { kind, ..draft(None, "ann took it back") }]);
        let texts: Vec<_> = log.records(&room()).map(|record| record.text.as_str()).collect();
        assert_eq!(texts, ["abc", "(removed)", "abc", "ann took it back"]);
        assert_eq!(told[1].text.as_str(), "abc", "what was told before is the room's");
        let bytes: usize = log.rooms[&room()].held.iter().map(|held| held.cost as usize).sum();
        assert_eq!(log.rooms[&room()].bytes, bytes);
        assert!(bytes > before);
        let (outcomes, _) = append(&mut log, at(7), vec![draft(Some(2), "abc"), draft(Some(3), "abc")]);
        assert_eq!(outcomes, [Outcome::Known(Seq::new(2)), Outcome::Known(Seq::new(3))]);
    }

    #[test]
    fn a_say_without_a_key_is_appended_each_time() {
        let mut log = opened(MemoryLog::BUDGET);
        let (outcomes, _) = append(&mut log, at(5), vec![draft(None, "a"), draft(None, "a")]);
        assert_eq!(outcomes, [Outcome::New(Seq::new(1)), Outcome::New(Seq::new(2))]);
    }

    #[test]
    fn stamps_never_go_back() {
        let mut log = opened(MemoryLog::BUDGET);
        append(&mut log, at(50), vec![draft(None, "a")]);
        let (_, records) = append(&mut log, at(20), vec![draft(None, "b")]);
        assert_eq!(records[0].ts, 50);
    }

    #[test]
    fn a_room_that_was_never_opened_refuses() {
        let mut log = MemoryLog::new([7; 32]);
        assert_eq!(append(&mut log, at(0), vec![draft(None, "a")]).0, [Outcome::Refused]);
        let request = Request::Load { ticket: Ticket(3), room: room(), span: Span::Before(Seq::MAX), limit: 1 };
        assert_eq!(ask(&mut log, at(0), request), [Answer::Loaded { ticket: Ticket(3), page: Err(Unavailable) }]);
    }

    #[test]
    fn a_room_that_the_server_has_no_more_is_forgotten() {
        let mut log = opened(MemoryLog::BUDGET);
        let epoch = tail(&mut log, 0).epoch;
        append(&mut log, at(0), vec![draft(Some(1), "abc")]);
        assert_eq!(ask(&mut log, at(0), Request::Close { room: room() }), []);
        assert_eq!(log.records(&room()).count(), 0);
        let tail = tail(&mut log, 100);
        assert_eq!((tail.head, tail.records.len()), (Seq::ZERO, 0));
        assert_ne!(tail.epoch, epoch, "and who comes back to it is told so");
    }

    #[test]
    fn opening_again_goes_on_in_the_same_epoch() {
        let mut log = opened(MemoryLog::BUDGET);
        let epoch = tail(&mut log, 0).epoch;
        append(&mut log, at(0), vec![draft(None, "abc"), draft(None, "de"), draft(None, "f")]);
        let tail = tail(&mut log, 3);
        assert_eq!((tail.epoch, tail.first, tail.head), (epoch, Seq::new(1), Seq::new(3)));
        assert_eq!(tail.records.iter().map(|record| record.seq.get()).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn another_log_has_another_epoch() {
        let mut other = MemoryLog::new([8; 32]);
        ask(&mut other, at(0), Request::Open { room: room(), bytes: 0 });
        assert_ne!(tail(&mut opened(0), 0).epoch, tail(&mut other, 0).epoch);
    }

    #[test]
    fn pages_say_whether_there_is_more() {
        let mut log = opened(MemoryLog::BUDGET);
        append(&mut log, at(0), (0..10).map(|_| draft(None, "x")).collect());
        assert_eq!(page(&mut log, Span::Before(Seq::new(11)), 3), (vec![8, 9, 10], true));
        assert_eq!(page(&mut log, Span::Before(Seq::new(4)), 3), (vec![1, 2, 3], false));
        assert_eq!(page(&mut log, Span::Before(Seq::new(1)), 3), (vec![], false));
        assert_eq!(page(&mut log, Span::Before(Seq::MAX), 2), (vec![9, 10], true));
        assert_eq!(page(&mut log, Span::After(Seq::ZERO), 3), (vec![1, 2, 3], true));
        assert_eq!(page(&mut log, Span::After(Seq::new(7)), 3), (vec![8, 9, 10], false));
        assert_eq!(page(&mut log, Span::After(Seq::new(10)), 3), (vec![], false));
        assert_eq!(page(&mut log, Span::After(Seq::MAX), 3), (vec![], false));
    }

    #[test]
    fn what_is_trimmed_may_be_said_again() {
        let mut log = opened(2 * (MemoryLog::OVERHEAD + 4));
        append(&mut log, at(0), vec![draft(Some(1), "a"), draft(Some(2), "b"), draft(Some(3), "c")]);
        assert_eq!(page(&mut log, Span::After(Seq::ZERO), 9), (vec![2, 3], false));
        let (outcomes, _) = append(&mut log, at(0), vec![draft(Some(3), "c"), draft(Some(1), "a")]);
        assert_eq!(outcomes, [Outcome::Known(Seq::new(3)), Outcome::New(Seq::new(4))]);
    }

    proptest! {
        #[test]
        fn numbers_are_dense_and_the_budget_holds(
            batches in proptest::collection::vec(
                proptest::collection::vec((proptest::option::of(0_u64..40), "[a-z]{1,60}"), 1..6), 1..40),
            budget in 0_usize..6_000,
            clock in proptest::collection::vec(0_u64..1_000, 40),
        ) {
            let mut log = opened(budget);
            let mut head = 0;
            let mut ts = 0;
            for (batch, now) in batches.into_iter().zip(clock) {
                let drafts: Vec<_> = batch.iter().map(|(once, text)| draft(*once, text)).collect();
                let (outcomes, records) = append(&mut log, at(now), drafts);
                let new = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::New(_))).count();
                prop_assert_eq!(new, records.len());
                for record in &records {
                    prop_assert_eq!(record.seq.get(), head + 1);
                    prop_assert!(record.ts >= ts);
                    (head, ts) = (record.seq.get(), record.ts);
                }
                let tail = tail(&mut log, usize::MAX);
                prop_assert_eq!(tail.head.get(), head);
                prop_assert_eq!(tail.first.plus(tail.records.len() as u64), tail.head.next());
                prop_assert!(tail.records.windows(2).all(|pair| pair[1].seq == pair[0].seq.next()));
                let bytes: usize =
                    log.records(&room()).map(|r| MemoryLog::OVERHEAD + r.text.as_str().len() + 3).sum();
                prop_assert!(bytes <= budget);
                let mut ids: Vec<_> = log.records(&room()).filter_map(|record| record.id).collect();
                ids.sort_unstable();
                prop_assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
            }
        }

        #[test]
        fn pages_walk_the_whole_log_both_ways(count in 0_usize..40, limit in 1_u64..9, budget in 0_usize..20_000) {
            let mut log = opened(budget);
            append(&mut log, at(0), (0..count).map(|_| draft(None, "x")).collect());
            let all: Vec<u64> = log.records(&room()).map(|record| record.seq.get()).collect();

            let (mut after, mut up) = (Seq::ZERO, Vec::new());
            loop {
                let (seqs, more) = page(&mut log, Span::After(after), limit);
                after = seqs.last().map_or(after, |&seq| Seq::new(seq));
                up.extend(seqs);
                if !more { break }
            }
            prop_assert_eq!(&up, &all);

            let (mut before, mut down) = (Seq::MAX, Vec::new());
            loop {
                let (seqs, more) = page(&mut log, Span::Before(before), limit);
                before = seqs.first().map_or(before, |&seq| Seq::new(seq));
                down.extend(seqs.into_iter().rev());
                if !more { break }
            }
            down.reverse();
            prop_assert_eq!(&down, &all);
        }
    }
}
