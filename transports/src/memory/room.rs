//! One room of the log in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use qun_core::log::{Draft, Facts, Kind, Outcome, Page, Record, Span};
use qun_core::{Epoch, KeyHash, Now, Seq};

use super::MemoryLog;
use super::known::{Known, Once};

/// The newest messages of a room, up to a budget, and what is held beside them.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) epoch: Epoch,
    pub(super) head: Seq,
    pub(super) facts: Facts,
    /// The stamp of the newest message ever, held or not.
    ts: u64,
    /// The newest messages, without a hole up to `head`.
    runs: VecDeque<Run>,
    /// The says among them that have an id.
    known: Known,
    /// What `runs` count.
    bytes: usize,
}

/// Messages that came together, as the server's room holds them, too. They lie together and are let go of together.
#[derive(Clone, Debug)]
struct Run {
    records: Arc<[Record]>,
    /// By which key they were said, for those in a row at once: up to which of them, in number. With a record's id that is
    /// what makes a say idempotent.
    keys: Box<[(u8, Option<KeyHash>)]>,
    /// What they count.
    cost: usize,
}

/// Messages that lie together at most, in number and in bytes of text.
pub(super) const RUN: usize = 64;
pub(super) const RUN_BYTES: usize = 16 << 10;

/// How many drafts make the next run of a room that holds `budget` bytes: not so many that the room is noticeably emptier
/// where they go.
pub(super) fn run(drafts: &[Draft], budget: usize) -> usize {
    let (mut text, mut all) = (0, 0);
    let fits = |draft: &&Draft| {
        text += draft.text.as_str().len();
        all += MemoryLog::OVERHEAD + draft.text.as_str().len();
        text <= RUN_BYTES && all <= budget / 16
    };
    drafts.iter().take(RUN).take_while(fits).count().max(1)
}

impl Run {
    fn first(&self) -> Seq {
        self.records.first().map_or(Seq::MAX, |record| record.seq)
    }

    fn once(&self, at: usize) -> Option<Once> {
        let (_, key) = self.keys.iter().find(|(end, _)| at < usize::from(*end))?;
        key.zip(self.records.get(at)?.id)
    }
}

/// What a message takes at most beside its text and name, one that came alone: it, what it lies in, and its place in the
/// index. A deque doubles when all of it is full; what an `Arc` has has two words before it.
const TAKEN: usize = size_of::<Record>()
    + 2 * size_of::<Run>()
    + size_of::<(u8, Option<KeyHash>)>()
    + Known::COST
    + 4 * size_of::<usize>();

const _: () = assert!(TAKEN <= MemoryLog::OVERHEAD);

/// What a message counts.
fn cost(Record { kind, text, name, .. }: &Record) -> usize {
    let act = if let Kind::Act(act) = kind { size_of_val(&**act) + act.details().len() } else { 0 };
    MemoryLog::OVERHEAD + text.as_str().len() + name.as_str().len() + act
}

impl Room {
    /// Panics where what is counted is not what is held.
    #[cfg(test)]
    pub(super) fn audit(&self) {
        assert_eq!(self.bytes, self.records().map(cost).sum::<usize>());
        let seqs: Vec<_> = self.records().map(|record| record.seq).collect();
        let dense = (0..seqs.len() as u64).map(|at| self.first().plus(at));
        assert_eq!(seqs, dense.collect::<Vec<_>>());
        assert_eq!(self.first().plus(seqs.len() as u64), self.head.next());
    }

    pub(super) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            head: Seq::ZERO,
            facts: Facts::default(),
            ts: 0,
            runs: VecDeque::new(),
            known: Known::default(),
            bytes: 0,
        }
    }

    /// The oldest message held; `head + 1` where there is none.
    pub(super) fn first(&self) -> Seq {
        self.runs.front().map_or(self.head.next(), Run::first)
    }

    /// The messages that are held, ascending.
    pub(super) fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.runs.iter().flat_map(|run| run.records.iter())
    }

    /// The newest messages whose texts have no more than `bytes` together.
    pub(super) fn newest(&self, bytes: usize) -> Vec<Record> {
        let mut left = bytes;
        let fits = |record: &&Record| match left.checked_sub(record.text.as_str().len()) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        let count = self.records().rev().take_while(fits).count() as u64;
        self.copy(self.head.next().minus(count), count)
    }

    /// Takes messages of one append, all that it does not have; says which records that are.
    pub(super) fn push(&mut self, now: Now, mut drafts: Vec<Draft>, outcomes: &mut Vec<Outcome>) -> Arc<[Record]> {
        // Each index in one go, so that the processor waits for many places of memory at once.
        let hash = |draft: &Draft| draft.once.as_ref().map(|once| self.known.hash(once));
        let hashes: Vec<Option<u32>> = drafts.iter().map(hash).collect();
        let held = |(draft, hash): (&Draft, &Option<u32>)| self.find((*hash)?, draft.once.as_ref()?);
        let held: Vec<Option<Seq>> = drafts.iter().zip(&hashes).map(held).collect();
        let (head, mut asked) = (self.head, hashes.into_iter().zip(held));
        let mut fresh: Vec<(u32, Option<Once>)> = Vec::with_capacity(drafts.len());
        drafts.retain(|draft| {
            let Some((hash, held)) = asked.next() else { return false };
            // Behind what is held stands what came before it now.
            let is_it = |&(other, once): &(u32, Option<Once>)| Some(other) == hash && once == draft.once;
            let known = held.or_else(|| {
                hash?;
                fresh.iter().position(is_it).map(|at| head.plus(at as u64 + 1))
            });
            if let Some(seq) = known {
                outcomes.push(Outcome::Known(seq));
                return false;
            }
            fresh.push((hash.unwrap_or_default(), draft.once));
            outcomes.push(Outcome::New(head.plus(fresh.len() as u64)));
            true
        });
        if drafts.is_empty() {
            return Arc::default();
        }
        for (seq, (hash, once)) in (head.get() + 1..).zip(&fresh) {
            if once.is_some() {
                self.known.insert(*hash, Seq::new(seq));
            }
        }
        self.ts = self.ts.max(now.unix_ms);
        self.hold(drafts)
    }

    /// Numbers messages, stamps and holds them.
    fn hold(&mut self, mut drafts: Vec<Draft>) -> Arc<[Record]> {
        Draft::pack(&mut drafts);
        let (ts, mut keys, mut removed, mut bytes) = (self.ts, Vec::with_capacity(1), Vec::new(), 0);
        let records: Arc<[Record]> = drafts
            .into_iter()
            .zip(1_u8..)
            .map(|(Draft { once, member, name, kind, text, facts }, end)| {
                facts.into_iter().for_each(|fact| self.facts.set(fact));
                removed.extend(kind.removes());
                self.head = self.head.next();
                let (key, id) = once.unzip();
                match keys.last_mut() {
                    Some((last, same)) if *same == key => *last = end,
                    _ => keys.push((end, key)),
                }
                let record = Record { seq: self.head, ts, member, name, kind, text, id };
                bytes += cost(&record);
                record
            })
            .collect();
        self.bytes += bytes;
        self.runs.push_back(Run { records: records.clone(), keys: keys.into(), cost: bytes });
        removed.into_iter().for_each(|seq| self.remove(seq));
        records
    }

    /// A say that is held.
    fn find(&self, hash: u32, once: &Once) -> Option<Seq> {
        let is_it = |seq: Seq| {
            let Some((run, at)) = self.place(seq) else { return false };
            self.runs[run].once(at) == Some(*once)
        };
        self.known.get(hash, self.first(), is_it)
    }

    /// Where a message lies: in which run, and at which place.
    fn place(&self, seq: Seq) -> Option<(usize, usize)> {
        let run = self.runs.partition_point(|run| run.first() <= seq).checked_sub(1)?;
        let at = usize::try_from(seq.get() - self.runs[run].first().get()).ok()?;
        (at < self.runs[run].records.len()).then_some((run, at))
    }

    /// Lets go of what a message said. What was told of it before is the server's.
    fn remove(&mut self, seq: Seq) {
        let Some((run, at)) = self.place(seq) else { return };
        let run = &mut self.runs[run];
        let Some(record) = Arc::make_mut(&mut run.records).get_mut(at) else { return };
        let before = cost(record);
        record.remove();
        let after = cost(record);
        (run.cost, self.bytes) = (run.cost - before + after, self.bytes - before + after);
    }

    /// Holds no more than `budget` bytes.
    pub(super) fn trim(&mut self, budget: usize) {
        while self.bytes > budget
            && let Some(oldest) = self.runs.pop_front()
        {
            self.bytes -= oldest.cost;
            self.known.forget(self.first());
        }
    }

    pub(super) fn page(&self, span: Span, limit: u64) -> Page {
        let (first, end) = (self.first(), self.head.next());
        let (from, to, more) = match span {
            Span::Before(seq) => {
                let to = seq.clamp(first, end);
                let from = first.max(to.minus(limit.min(to.get())));
                (from, to, from > first)
            }
            Span::After(seq) => {
                let from = seq.next().clamp(first, end);
                let to = from.plus(limit.min(end.get() - from.get()));
                (from, to, to < end)
            }
        };
        Page { first, more, records: self.copy(from, to.get() - from.get()) }
    }

    /// `count` messages, all of them held, from one on.
    fn copy(&self, from: Seq, count: u64) -> Vec<Record> {
        let Some((run, at)) = self.place(from) else { return Vec::new() };
        let records = self.runs.range(run..).flat_map(|run| run.records.iter());
        records.skip(at).take(usize::try_from(count).unwrap_or(usize::MAX)).cloned().collect()
    }
}
