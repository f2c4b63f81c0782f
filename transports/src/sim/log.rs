//! The log of the simulated server, with a disk's slowness and its faults.

use std::collections::BTreeMap;
use std::time::Duration;

use qun_core::log::{Answer, Draft, Fact, Facts, Found, Kind, Outcome, Page, Record, Request, Span, Tail, Unavailable};
use qun_core::{Entropy, Epoch, Id, Instant, KeyHash, MemberId, Now, RoomId, Seq, Words};

use super::dice::Dice;
use super::fault::{Counters, Fault};
use super::rule::{chance, up_to};
use super::schedule::Schedule;
use crate::log::Log;

/// How the log behaves.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    /// How long it takes until something is committed, and until the answer to that is given.
    pub(super) slowness: Duration,
    /// Answers come together, this far apart.
    pub(super) bursts: Option<Duration>,
    /// Chances in a thousand.
    pub(super) refuses: u32,
    pub(super) unavailable: u32,
    pub(super) unanswered: u32,
    pub(super) foreign: u32,
    /// The acknowledgement and the tail come by different ways.
    pub(super) apart: bool,
    /// What a room keeps.
    pub(super) bytes: usize,
}

impl Disk {
    /// One that does what it should, soon.
    pub(super) fn sound(bytes: usize) -> Self {
        Self {
            slowness: Duration::from_millis(3),
            bursts: None,
            refuses: 0,
            unavailable: 0,
            unanswered: 0,
            foreign: 0,
            apart: false,
            bytes,
        }
    }
}

/// What has become of a room's log, for the oracle.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    pub(super) room: RoomId,
    pub(super) epoch: Epoch,
    /// The oldest message that is still kept.
    pub(super) first: Seq,
    pub(super) record: Record,
    /// Whether it was there before, in a history that is over.
    pub(super) is_old: bool,
}

/// Takes a request, does it somewhat later, and answers later still. A crash finds each at any of these points; that
/// between the second and the third is the one that people fear: the message is in the log, and nobody was told.
#[derive(Clone, Debug)]
pub(super) struct SimLog {
    disk: Disk,
    dice: Dice,
    entropy: Entropy,
    books: BTreeMap<RoomId, Book>,
    work: Schedule<(Now, Request)>,
    answers: Schedule<Answer>,
    /// When what is to be held of a room beside its messages is done: nobody is told of the room without it, and nothing is
    /// appended before it, that comes behind it. And when its facts were told last.
    kept: BTreeMap<RoomId, Instant>,
    recalled: BTreeMap<RoomId, Instant>,
    now: Instant,
    pub(super) counters: Counters,
    pub(super) committed: Vec<Committed>,
}

/// A room's log.
#[derive(Clone, Debug)]
struct Book {
    epoch: Epoch,
    /// Everything since the first message, also what is not kept any more: the first has seq 1.
    records: Vec<Record>,
    once: Vec<Option<(KeyHash, Id)>>,
    known: BTreeMap<(KeyHash, Id), Seq>,
    /// The oldest message that is kept.
    first: Seq,
    /// As the server was told.
    told_first: Seq,
    /// Of those that are kept.
    bytes: usize,
    /// The tail is told in order.
    told: Instant,
    /// What is held beside the messages, and which of it came with each of them.
    facts: Facts,
    deeds: Vec<Vec<Fact>>,
}

impl SimLog {
    pub(super) fn new(disk: Disk, mut dice: Dice) -> Self {
        let entropy = Entropy::new(dice.seed());
        Self {
            disk,
            dice,
            entropy,
            books: BTreeMap::new(),
            work: Schedule::new(),
            answers: Schedule::new(),
            kept: BTreeMap::new(),
            recalled: BTreeMap::new(),
            now: Instant::default(),
            counters: Counters::default(),
            committed: Vec::new(),
        }
    }

    pub(super) fn set_disk(&mut self, disk: Disk) {
        self.disk = disk;
    }

    /// Says what time it is: what is due by now is done, and may be polled.
    pub(super) fn set_time(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some((since, request)) = self.work.pop(self.now) {
            self.perform(since, request);
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.work.next(), self.answers.next()].into_iter().flatten().min()
    }

    /// What survives a crash of the server: what was on its way got there or didn't; the answers are lost.
    pub(super) fn crash(&mut self) {
        while let Some((since, request)) = self.work.pop(Instant::from_micros(u64::MAX)) {
            if self.dice.bool() {
                self.perform(since, request);
            }
        }
        self.answers = Schedule::new();
        self.kept.clear();
        self.recalled.clear();
    }

    /// The log is lost, or all but its beginning is; what is left goes on under a new epoch.
    pub(super) fn begin_anew(&mut self) {
        for (room, book) in &mut self.books {
            let left = if self.dice.bool() { 0 } else { self.dice.usize(0..=book.records.len()) };
            let kept: Vec<_> = book.once.drain(..).take(left).collect();
            let records: Vec<_> = book.records.drain(..).take(left).collect();
            let first = book.first.min(Seq::new(left as u64 + 1));
            let deeds: Vec<_> = book.deeds.drain(..).take(left).collect();
            *book = Book::new(Epoch::generate(&mut self.entropy), book.told);
            deeds.iter().flatten().for_each(|fact| book.facts.set(fact.clone()));
            book.deeds = deeds;
            (book.first, book.told_first) = (first, first);
            for (record, once) in records.into_iter().zip(kept) {
                book.bytes += if record.seq < first { 0 } else { cost(&record) };
                if let Some(once) = once.filter(|_| record.seq >= first) {
                    book.known.insert(once, record.seq);
                }
                book.once.push(once);
                let (room, epoch) = (room.clone(), book.epoch);
                self.committed.push(Committed { room, epoch, first, record: record.clone(), is_old: true });
                book.records.push(record);
            }
        }
    }

    /// The newest message of each room is gone, as if it had never been: what no log may do.
    pub(super) fn forget_newest(&mut self) {
        for book in self.books.values_mut().filter(|book| book.first < book.head()) {
            if let (Some(record), Some(once)) = (book.records.pop(), book.once.pop()) {
                book.bytes -= cost(&record);
                book.deeds.pop();
                book.known.retain(|known, _| Some(*known) != once);
            }
        }
    }

    fn perform(&mut self, since: Now, request: Request) {
        match request {
            Request::Open { room, bytes } => self.open(room, bytes),
            Request::Recall { room } => {
                let unavailable = chance(&mut self.dice, self.disk.unavailable);
                if unavailable {
                    self.counters.count(Fault::Unavailable);
                }
                let facts = self.books.get(&room).map(|book| book.facts.clone()).unwrap_or_default();
                let told = self.recalled.get(&room).copied().unwrap_or_default();
                let at = self.answer_time().max(told);
                self.recalled.insert(room.clone(), at);
                let facts = if unavailable { Err(Unavailable) } else { Ok(facts) };
                self.answers.push(at, Answer::Recalled { room, facts });
            }
            Request::Keep { room, facts } => {
                if let Some(book) = self.books.get_mut(&room) {
                    facts.into_iter().for_each(|fact| book.facts.set(fact));
                }
            }
            Request::Append { room, drafts } => self.append(since, room, drafts),
            Request::Load { ticket, room, span, limit } => {
                if chance(&mut self.dice, self.disk.unanswered) {
                    return self.counters.count(Fault::Unanswered);
                }
                let unavailable = chance(&mut self.dice, self.disk.unavailable);
                if unavailable {
                    self.counters.count(Fault::Unavailable);
                }
                let book = self.books.get(&room).filter(|_| !unavailable);
                let page = book.map(|book| book.page(span, limit)).ok_or(Unavailable);
                let at = self.answer_time();
                self.answers.push(at, Answer::Loaded { ticket, page });
            }
            Request::Search { ticket, room, words, before, limit } => {
                if chance(&mut self.dice, self.disk.unanswered) {
                    return self.counters.count(Fault::Unanswered);
                }
                let unavailable = chance(&mut self.dice, self.disk.unavailable);
                if unavailable {
                    self.counters.count(Fault::Unavailable);
                }
                // As a log does whose index is behind: it looks as far back as it can in time.
                let reach = if self.dice.bool() { u64::MAX } else { self.dice.usize(1..=20) as u64 };
                let book = self.books.get(&room).filter(|_| !unavailable);
                let found = book.map(|book| book.find(&words, before, limit, reach)).ok_or(Unavailable);
                let at = self.answer_time();
                self.answers.push(at, Answer::Found { ticket, found });
            }
            // What is on its disk stays there.
            Request::Close { .. } => {}
        }
    }

    fn open(&mut self, id: RoomId, bytes: usize) {
        let told = self.books.get(&id).map_or(self.now, |book| book.told);
        let at = self.answer_time().max(told);
        if chance(&mut self.dice, self.disk.unavailable) {
            self.counters.count(Fault::Unavailable);
            return self.answers.push(at, Answer::Ready { room: id, tail: Err(Unavailable) });
        }
        let entropy = &mut self.entropy;
        let book = self.books.entry(id.clone()).or_insert_with(|| Book::new(Epoch::generate(entropy), at));
        (book.told, book.told_first) = (at, book.first);
        self.answers.push(at, Answer::Ready { tail: Ok(book.tail(bytes)), room: id });
    }

    fn append(&mut self, since: Now, room: RoomId, drafts: Vec<Draft>) {
        let taken = match chance(&mut self.dice, self.disk.refuses) {
            true => {
                self.counters.count(Fault::DiskFull);
                self.dice.usize(0..drafts.len())
            }
            false => drafts.len(),
        };
        let mut new = Vec::new();
        if chance(&mut self.dice, self.disk.foreign) {
            self.counters.count(Fault::Foreign);
            new.extend(self.push(since, &room, foreign()));
        }
        let mut outcomes = Vec::new();
        for (index, draft) in drafts.into_iter().enumerate() {
            let known = self.books.get(&room).and_then(|book| book.known.get(&draft.once?)).copied();
            outcomes.push(match known {
                _ if index >= taken => Outcome::Refused,
                Some(seq) => Outcome::Known(seq),
                None => match self.push(since, &room, draft) {
                    Some(record) => {
                        let seq = record.seq;
                        new.push(record);
                        Outcome::New(seq)
                    }
                    None => Outcome::Refused,
                },
            });
        }
        let settled = self.answer_time();
        self.grow(&room, new, settled);
        self.answers.push(settled, Answer::Settled { room, outcomes });
    }

    /// Tells the tail: with the acknowledgement, or by its own way, in one piece or in several.
    fn grow(&mut self, room: &RoomId, new: Vec<Record>, settled: Instant) {
        let apart = self.disk.apart && !new.is_empty();
        let own = self.answer_time();
        let cut = if apart { self.dice.usize(0..=new.len()) } else { new.len() };
        let again = apart && self.dice.bool();
        if apart {
            self.counters.count(Fault::Apart);
        }
        let Some(book) = self.books.get_mut(room) else { return };
        let mut at = book.told.max(if apart { own } else { settled });
        // As a log on a disk does, which trims when nobody waits: first the messages, then that old ones are gone.
        let first = std::mem::replace(&mut book.told_first, book.first);
        let (head, tail) = new.split_at(cut);
        for part in [head, tail].into_iter().filter(|part| !part.is_empty()) {
            let mut records = part.to_vec();
            // What was told before may be told again.
            let before = part[0].seq.get() as usize - 1;
            if again && before > 0 {
                records.insert(0, book.records[before - 1].clone());
            }
            self.answers.push(at, Answer::Grew { room: room.clone(), first, records: records.into() });
            book.told = at;
            at = at + Duration::from_millis(5);
        }
        if book.first > first {
            self.answers.push(at, Answer::Grew { room: room.clone(), first: book.first, records: [].into() });
            book.told = at;
        }
    }

    fn push(&mut self, now: Now, room: &RoomId, draft: Draft) -> Option<Record> {
        let book = self.books.get_mut(room)?;
        let Draft { once, member, name, kind, text, facts } = draft;
        facts.iter().for_each(|fact| book.facts.set(fact.clone()));
        book.deeds.push(facts);
        if let Some(record) = kind.removes().and_then(|of| book.records.get_mut(of.get() as usize - 1)) {
            book.bytes -= cost(record);
            record.remove();
            book.bytes += cost(record);
        }
        let seq = Seq::new(book.records.len() as u64 + 1);
        let ts = now.unix_ms.max(book.records.last().map_or(0, |record| record.ts));
        let record = Record { seq, ts, member, name, kind, text, id: once.map(|(_, id)| id) };
        if let Some(once) = once {
            book.known.insert(once, seq);
        }
        book.records.push(record.clone());
        book.once.push(once);
        book.bytes += cost(&record);
        book.trim(self.disk.bytes, &mut self.counters);
        let (epoch, first) = (book.epoch, book.first);
        self.committed.push(Committed { room: room.clone(), epoch, first, record: record.clone(), is_old: false });
        Some(record)
    }

    fn answer_time(&mut self) -> Instant {
        let at = self.now + up_to(&mut self.dice, self.disk.slowness);
        let Some(apart) = self.disk.bursts else { return at };
        self.counters.count(Fault::Bursts);
        let apart = apart.as_micros() as u64;
        Instant::from_micros(at.as_micros().div_ceil(apart) * apart)
    }
}

impl Log for SimLog {
    fn submit(&mut self, now: Now, request: Request) {
        self.now = self.now.max(now.mono);
        let slowness = up_to(&mut self.dice, self.disk.slowness);
        if slowness > Duration::from_millis(50) {
            self.counters.count(Fault::SlowLog);
        }
        let mut at = self.now + slowness;
        if let Request::Open { room, .. } | Request::Append { room, .. } | Request::Recall { room } = &request {
            at = at.max(self.kept.get(room).copied().unwrap_or_default());
        }
        if let Request::Keep { room, .. } = &request {
            let kept = self.kept.entry(room.clone()).or_default();
            *kept = at.max(*kept);
            at = *kept;
        }
        self.work.push(at, (now, request));
    }

    fn poll(&mut self) -> Option<Answer> {
        self.answers.pop(self.now)
    }
}

impl Book {
    fn new(epoch: Epoch, told: Instant) -> Self {
        Self {
            epoch,
            records: Vec::new(),
            once: Vec::new(),
            known: BTreeMap::new(),
            first: Seq::new(1),
            told_first: Seq::new(1),
            bytes: 0,
            told,
            facts: Facts::default(),
            deeds: Vec::new(),
        }
    }

    fn head(&self) -> Seq {
        Seq::new(self.records.len() as u64)
    }

    fn kept(&self) -> &[Record] {
        &self.records[self.first.get() as usize - 1..]
    }

    fn trim(&mut self, bytes: usize, counters: &mut Counters) {
        while self.bytes > bytes && self.first <= self.head() {
            counters.count(Fault::SmallLog);
            let index = self.first.get() as usize - 1;
            self.bytes -= cost(&self.records[index]);
            if let Some(once) = self.once[index] {
                self.known.remove(&once);
            }
            self.first = self.first.next();
        }
    }

    fn tail(&self, bytes: usize) -> Tail {
        let mut left = bytes;
        let fits = |record: &&Record| {
            let rest = left.checked_sub(record.text.as_str().len());
            left = rest.unwrap_or(0);
            rest.is_some()
        };
        let count = self.kept().iter().rev().take_while(fits).count();
        let records = self.records[self.records.len() - count..].to_vec();
        Tail { epoch: self.epoch, first: self.first, head: self.head(), records, facts: self.facts.clone() }
    }

    /// What is found among the newest `reach` messages before a seq.
    fn find(&self, words: &Words, before: Seq, limit: u64, reach: u64) -> Found {
        let oldest = before.min(self.head().next()).minus(reach).max(self.first);
        let within = self.kept().iter().filter(|record| record.seq >= oldest);
        let found = Found::among(oldest, within, words, before, limit);
        Found { first: self.first, more: found.more || oldest > self.first, ..found }
    }

    fn page(&self, span: Span, limit: u64) -> Page {
        let kept = self.kept();
        let limit = limit as usize;
        let (from, to) = match span {
            Span::Before(seq) => {
                let to = kept.iter().filter(|record| record.seq < seq).count();
                (to.saturating_sub(limit), to)
            }
            Span::After(seq) => {
                let from = kept.iter().filter(|record| record.seq <= seq).count();
                (from, kept.len().min(from + limit))
            }
        };
        let more = match span {
            Span::Before(_) => from > 0,
            Span::After(_) => to < kept.len(),
        };
        Page { first: self.first, more, records: kept[from..to].to_vec() }
    }
}

fn cost(record: &Record) -> usize {
    64 + record.text.as_str().len() + record.name.as_str().len()
}

/// What somebody says on another server of the same log.
fn foreign() -> Draft {
    let (Ok(name), Ok(text)) = ("far".parse(), "from far away".parse()) else {
        unreachable!("these are a name and a text")
    };
    Draft { once: None, member: MemberId::from_bits(0xFA_0000), name, kind: Kind::Say, text, facts: Vec::new() }
}
