//! The newest records of a room and their encodings: the log that every member's cursor moves along.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use crate::dialect::Dialect;
use crate::id::Seq;
use crate::log::Record;

/// What a batch, a record and an encoded batch take besides their texts, in bytes: part of the budget.
const BATCH: usize = mem::size_of::<Batch>();
const RECORD: usize = mem::size_of::<Record>() + 32;

/// The newest records and presence of a room, up to a budget of bytes, and for each dialect that has a reader their
/// encoding, up to the same budget. All are evicted in lockstep, so every dialect can replay the same messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Held {
    batches: VecDeque<Batch>,
    encodings: [Option<Encoding>; Dialect::COUNT],
    /// Bytes of all batches but their encodings.
    record_bytes: usize,
    /// The seq after the newest message.
    next: Seq,
    budget: usize,
}

/// Whole frames that came at once: messages or presence, never both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Batch {
    /// Grows over the whole server, so that a private frame knows which batches go before it.
    stamp: u64,
    /// The seq of the first message; of presence, that of the next message.
    first: Seq,
    /// The messages, which the log may hold as well; none: presence.
    records: Arc<[Record]>,
    /// What it takes besides its encodings, in bytes.
    cost: usize,
    /// For each encoding that is there.
    encoded: [Option<Encoded>; Dialect::COUNT],
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Encoded {
    /// The absolute offset of the first byte.
    start: u64,
    bytes: Box<[u8]>,
    /// Where each frame but the last one ends, in `bytes`.
    ends: Box<[u32]>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Encoding {
    /// The absolute offset of the oldest byte.
    start: u64,
    /// The absolute offset after the newest byte.
    end: u64,
    readers: usize,
    held: usize,
}

/// How far what stands behind a frame moved that was written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    /// Where that frame ended.
    from: u64,
    /// Where its batch ended.
    before: u64,
    /// Where it ends now.
    after: u64,
}

impl Shift {
    /// Where the beginning of a frame is now.
    pub(super) fn moved(self, at: u64) -> u64 {
        if at < self.from { at } else { at + self.after - self.before }
    }
}

/// A run of bytes of one encoding, within one batch.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    encoded: &'a Encoded,
    batch: &'a Batch,
}

impl Held {
    pub(super) fn new(budget: usize) -> Self {
        Self {
            batches: VecDeque::new(),
            encodings: Default::default(),
            record_bytes: 0,
            next: Seq::ZERO.next(),
            budget,
        }
    }

    /// The seq after the newest message.
    pub(super) fn next(&self) -> Seq {
        self.next
    }

    /// The oldest message held, or [`next`](Self::next).
    pub(super) fn oldest(&self) -> Seq {
        self.batches.front().map_or(self.next, |batch| batch.first)
    }

    /// Holds no more than `budget` from here on.
    pub(super) fn set_budget(&mut self, budget: usize) {
        self.budget = budget;
        self.evict();
    }

    /// Whether anybody reads any of it.
    pub(super) fn has_readers(&self) -> bool {
        self.encodings.iter().any(Option::is_some)
    }

    /// Numbering goes on at `next`: what the log says when the room opens.
    pub(super) fn start_at(&mut self, next: Seq) {
        debug_assert!(self.batches.is_empty());
        self.next = next;
    }

    /// Adds messages, of which the first has seq [`next`](Self::next) and the others follow it. `write` appends
    /// their frames, and where each ends. It writes in `scratch`, which is empty, before as after.
    pub(super) fn push_messages(
        &mut self,
        stamp: u64,
        records: Arc<[Record]>,
        scratch: &mut Vec<u8>,
        write: impl Fn(Dialect, &[Record], &mut Vec<u8>, &mut Vec<u32>),
    ) {
        // Small batches, so that eviction takes little at a time. Nearly always all that comes at once is one.
        let most = self.budget / 16;
        let mut at = 0;
        while let Some(first) = records.get(at).map(|record| record.seq) {
            let (from, mut size) = (at, 0);
            while let Some(record) = records.get(at).filter(|record| at == from || size + cost(record) <= most) {
                size += cost(record);
                at += 1;
            }
            let is_all = at - from == records.len();
            let batch = if is_all { records.clone() } else { records[from..at].into() };
            self.next = first.plus(batch.len() as u64);
            self.push(Batch::new(stamp, first, batch, size), |dialect, batch| {
                Encoded::of_records(dialect, batch, scratch, &write)
            });
        }
    }

    /// Adds one frame that is no message; a dialect that has no such frame writes nothing.
    pub(super) fn push_presence(&mut self, stamp: u64, scratch: &mut Vec<u8>, write: impl Fn(Dialect, &mut Vec<u8>)) {
        self.push(Batch::new(stamp, self.next, Arc::default(), 0), |dialect, _| {
            write(dialect, scratch);
            Encoded::of(scratch, Box::default())
        });
    }

    fn push(&mut self, mut batch: Batch, mut encode: impl FnMut(Dialect, &Batch) -> Encoded) {
        self.record_bytes += batch.cost;
        for dialect in Dialect::all() {
            let Some(encoding) = &mut self.encodings[dialect.index()] else { continue };
            batch.encoded[dialect.index()] = Some(encoding.append(encode(dialect, &batch)));
        }
        self.batches.push_back(batch);
        self.evict();
    }

    /// A message that is held.
    pub(super) fn record(&self, seq: Seq) -> Option<&Record> {
        let batch = self.batches.get(self.batches.partition_point(|batch| batch.last() < seq))?;
        batch.records.get(usize::try_from(seq.get().checked_sub(batch.first.get())?).ok()?)
    }

    /// The messages that are held, the newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Record> {
        self.batches.iter().rev().flat_map(|batch| batch.records.iter().rev())
    }

    /// Takes back what a message said, where it is held: its frame is written anew, and what stands behind it moves. Says how,
    /// for each dialect.
    pub(super) fn remove(
        &mut self,
        seq: Seq,
        scratch: &mut Vec<u8>,
        write: impl Fn(Dialect, &[Record], &mut Vec<u8>, &mut Vec<u32>),
    ) -> [Option<Shift>; Dialect::COUNT] {
        let mut shifts = [None; Dialect::COUNT];
        let at = self.batches.partition_point(|batch| batch.last() < seq);
        let Some(batch) = self.batches.get_mut(at) else { return shifts };
        let Some(frame) = seq.get().checked_sub(batch.first.get()).and_then(|frame| usize::try_from(frame).ok()) else {
            return shifts;
        };
        let Some(mut record) = batch.records.get(frame).cloned() else { return shifts };
        let before = cost(&record);
        if !record.remove() {
            return shifts;
        }
        let after = cost(&record);
        // The log has its own to do, in its own time.
        Arc::make_mut(&mut batch.records)[frame] = record;
        batch.cost = batch.cost - before + after;
        self.record_bytes = self.record_bytes - before + after;
        for dialect in Dialect::all() {
            let batch = &mut self.batches[at];
            let (Some(encoding), Some(before)) =
                (&mut self.encodings[dialect.index()], batch.encoded[dialect.index()].take())
            else {
                continue;
            };
            let shift = Shift { from: before.start + before.frame_start(frame + 1), before: 0, after: 0 };
            let (end, held) = (encoding.end, encoding.held - before.cost());
            (encoding.end, encoding.held) = (before.start, held);
            let after = encoding.append(Encoded::of_records(dialect, batch, scratch, &write));
            let shift = Shift { before: before.end(), after: after.end(), ..shift };
            encoding.end = shift.moved(end);
            batch.encoded[dialect.index()] = Some(after);
            for batch in self.batches.range_mut(at + 1..) {
                if let Some(encoded) = &mut batch.encoded[dialect.index()] {
                    encoded.start = shift.moved(encoded.start);
                }
            }
            shifts[dialect.index()] = Some(shift);
        }
        self.evict();
        shifts
    }

    /// A reader of `dialect` came: where it is the first, the held messages are encoded for it.
    pub(super) fn attach(
        &mut self,
        dialect: Dialect,
        scratch: &mut Vec<u8>,
        write: impl Fn(Dialect, &[Record], &mut Vec<u8>, &mut Vec<u32>),
    ) {
        let encoding = self.encodings[dialect.index()].get_or_insert_default();
        encoding.readers += 1;
        if encoding.readers == 1 {
            for batch in &mut self.batches {
                let encoded = Encoded::of_records(dialect, batch, scratch, &write);
                batch.encoded[dialect.index()] = Some(encoding.append(encoded));
            }
            self.evict();
        }
    }

    /// A reader of `dialect` is gone: with the last one its encoding goes.
    pub(super) fn detach(&mut self, dialect: Dialect) {
        let slot = &mut self.encodings[dialect.index()];
        debug_assert!(slot.is_some(), "a reader without an encoding");
        let Some(encoding) = slot else { return };
        encoding.readers -= 1;
        if encoding.readers == 0 {
            *slot = None;
            for batch in &mut self.batches {
                batch.encoded[dialect.index()] = None;
            }
        }
    }

    fn evict(&mut self) {
        let over = |held: &Self| {
            let encodings = held.encodings.iter().flatten().map(|encoding| encoding.held);
            encodings.chain([held.record_bytes]).any(|bytes| bytes > held.budget)
        };
        while self.batches.len() > 1 && over(self) {
            let Some(batch) = self.batches.pop_front() else { return };
            self.record_bytes -= batch.cost;
            for (encoding, encoded) in self.encodings.iter_mut().zip(&batch.encoded) {
                if let (Some(encoding), Some(encoded)) = (encoding, encoded) {
                    encoding.start = encoded.end();
                    encoding.held -= encoded.cost();
                }
            }
        }
    }

    /// Whether anybody reads this dialect here.
    pub(super) fn has(&self, dialect: Dialect) -> bool {
        self.encodings[dialect.index()].is_some()
    }

    /// The offset of the oldest byte.
    pub(super) fn start(&self, dialect: Dialect) -> u64 {
        self.encodings[dialect.index()].as_ref().map_or(0, |encoding| encoding.start)
    }

    /// The offset after the newest byte.
    pub(super) fn end(&self, dialect: Dialect) -> u64 {
        self.encodings[dialect.index()].as_ref().map_or(0, |encoding| encoding.end)
    }

    /// The offset after everything stamped `stamp` or less.
    pub(super) fn upto(&self, dialect: Dialect, stamp: u64) -> u64 {
        if stamp == u64::MAX {
            return self.end(dialect);
        }
        self.offset(dialect, self.batches.partition_point(|batch| batch.stamp <= stamp))
    }

    /// The offset of message `seq`, which is held or the next one.
    pub(super) fn offset_of(&self, dialect: Dialect, seq: Seq) -> u64 {
        // Mostly it is among the newest, and the others have left the processor's caches.
        let is_newest = self.batches.back().is_some_and(|batch| batch.first <= seq && !batch.records.is_empty());
        let index = if is_newest {
            self.batches.len() - usize::from(seq < self.next)
        } else {
            self.batches.partition_point(|batch| batch.last() < seq)
        };
        match self.batches.get(index).and_then(|batch| Some((batch, batch.encoded[dialect.index()].as_ref()?))) {
            None => self.end(dialect),
            Some((batch, encoded)) => {
                encoded.start + encoded.frame_start((seq.get().saturating_sub(batch.first.get())) as usize)
            }
        }
    }

    #[inline]
    fn offset(&self, dialect: Dialect, index: usize) -> u64 {
        let encoded = self.batches.get(index).and_then(|batch| batch.encoded[dialect.index()].as_ref());
        encoded.map_or(self.end(dialect), |encoded| encoded.start)
    }

    /// The batch that holds the byte at `at`; `None` at the end. Nearly every reader is at the newest one.
    pub(super) fn piece(&self, dialect: Dialect, at: u64) -> Option<Piece<'_>> {
        let encoded =
            |batch: &'_ Batch| batch.encoded[dialect.index()].as_ref().map(|encoded| encoded.start..encoded.end());
        let newest = self.batches.back()?;
        let batch = match encoded(newest) {
            Some(range) if range.start <= at => (at < range.end).then_some(newest)?,
            _ => {
                let past = |batch: &Batch| encoded(batch).is_none_or(|range| range.end <= at);
                self.batches.get(self.batches.partition_point(past))?
            }
        };
        Some(Piece { batch, encoded: batch.encoded[dialect.index()].as_ref()? })
    }

    /// The newest batch: its first offset, and its bytes, which reach to the newest end.
    #[inline]
    pub(super) fn newest_batch(&self, dialect: Dialect) -> Option<(u64, &[u8])> {
        let encoded = self.batches.back()?.encoded[dialect.index()].as_ref()?;
        Some((encoded.start, &encoded.bytes))
    }

    /// Bytes held, for the invariant on memory.
    pub(super) fn bytes(&self) -> usize {
        self.record_bytes + self.encodings.iter().flatten().map(|encoding| encoding.held).sum::<usize>()
    }
}

impl<'a> Piece<'a> {
    /// The offset of its first byte.
    pub(super) fn start(self) -> u64 {
        self.encoded.start
    }

    /// The offset after its last byte.
    pub(super) fn end(self) -> u64 {
        self.encoded.end()
    }

    pub(super) fn is_presence(self) -> bool {
        self.batch.records.is_empty()
    }

    /// The bytes between two offsets that lie within it.
    pub(super) fn bytes(self, from: u64, to: u64) -> &'a [u8] {
        &self.encoded.bytes[(from - self.start()) as usize..(to - self.start()) as usize]
    }

    /// Where the frame ends that the byte before `at` belongs to.
    pub(super) fn frame_end(self, at: u64) -> u64 {
        if at == self.end() {
            return at;
        }
        let relative = at - self.start();
        let frame = self.encoded.ends.partition_point(|&end| u64::from(end) < relative);
        self.start() + self.encoded.frame_start(frame + 1)
    }

    /// The seq of the message that a reader at `at`, a frame's start or the end, reads next.
    pub(super) fn next_seq(self, at: u64) -> Seq {
        if at == self.end() {
            return self.batch.last().next();
        }
        let relative = at - self.start();
        let read = self.encoded.ends.partition_point(|&end| u64::from(end) <= relative);
        self.batch.first.plus(if self.is_presence() { 0 } else { read as u64 })
    }
}

impl Batch {
    /// One without an encoding, whose records cost `cost`.
    fn new(stamp: u64, first: Seq, records: Arc<[Record]>, cost: usize) -> Self {
        Self { stamp, first, records, cost: BATCH + cost, encoded: Default::default() }
    }

    /// The seq of the last message; of presence, that of the message before.
    fn last(&self) -> Seq {
        self.first.plus(self.records.len() as u64).minus(1)
    }
}

fn cost(record: &Record) -> usize {
    RECORD + record.text.as_str().len() + record.name.as_str().len() + record.kind.held()
}

impl Encoding {
    /// Places what comes next.
    fn append(&mut self, encoded: Encoded) -> Encoded {
        let encoded = Encoded { start: self.end, ..encoded };
        self.end = encoded.end();
        self.held += encoded.cost();
        encoded
    }
}

impl Encoded {
    /// The messages of a batch, not placed yet.
    fn of_records(
        dialect: Dialect,
        batch: &Batch,
        scratch: &mut Vec<u8>,
        write: impl Fn(Dialect, &[Record], &mut Vec<u8>, &mut Vec<u32>),
    ) -> Self {
        let mut ends = Vec::with_capacity(batch.records.len());
        write(dialect, &batch.records, scratch, &mut ends);
        ends.pop();
        Self::of(scratch, ends.into())
    }

    /// Takes what was written, and leaves the memory.
    fn of(written: &mut Vec<u8>, ends: Box<[u32]>) -> Self {
        let bytes = written[..].into();
        written.clear();
        Self { start: 0, bytes, ends }
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Where a frame starts in the bytes, or that behind the last one would.
    fn frame_start(&self, frame: usize) -> u64 {
        match frame.checked_sub(1) {
            None => 0,
            Some(before) => self.ends.get(before).map_or(self.bytes.len() as u64, |&end| end.into()),
        }
    }

    fn cost(&self) -> usize {
        self.bytes.len() + mem::size_of_val(&*self.ends)
    }
}
