//! A search: what is newer than the index of words is read, newest first, and the index is asked for the rest.
//!
//! What was said a moment ago is not in the index yet, and after a restore or an update nothing may be. It is found all
//! the same.

use std::time::{Duration, Instant};

use qun_core::log::{Found, Record, Ticket};
use qun_core::{RoomId, Seq, Words};
use rusqlite::Connection;

use super::index::{Enough, Fault, Index};
use super::store;

/// Messages that are read before the index is asked for all that begin with something: FTS5 looks at every one of them
/// first, and what begins many words is found among the newest messages.
const NEAR: u64 = 1_000;

/// How long one search reads what is not in the index.
const READING: Duration = Duration::from_millis(500);

/// Bytes of texts that are found at once; a line to a client holds less.
const FOUND_BYTES: usize = 1 << 20;

/// What is looked for.
pub(super) struct Search {
    pub(super) ticket: Ticket,
    pub(super) room: RoomId,
    pub(super) words: Words,
    pub(super) before: Seq,
    pub(super) limit: u64,
}

/// Looks for it, in the messages and, where there is one, by the index. `None` where there is no such room.
pub(super) fn find(messages: &Connection, search: &Search, index: Option<&Index>) -> Result<Option<Found>, Fault> {
    let tx = messages.unchecked_transaction().map_err(Fault::Messages)?;
    let Some(room) = store::room(&tx, &search.room).map_err(Fault::Messages)? else { return Ok(None) };
    let mut hits = Hits::new(search.limit);
    let before = search.before.min(room.head.next());
    let is_open = search.words.terms().iter().any(qun_core::search::Term::is_open);
    let near = before.minus(1 + if is_open { NEAR } else { 0 });
    let indexed = index.and_then(|index| index.head(&search.room, &room)).map(|head| head.min(near));
    let indexed = indexed.unwrap_or(Seq::ZERO).max(room.first.minus(1));

    // What the index has not, or would take long to find.
    let until = Instant::now() + READING;
    let mut reached = None;
    store::newest_first(&tx, &room, indexed, before, |record| {
        let seq = record.seq;
        if search.words.are_in(record.text.as_str()) && hits.take(record) == Enough::Yes {
            return Enough::Yes;
        }
        let is_late = Instant::now() >= until;
        reached = is_late.then_some(seq);
        if is_late { Enough::Yes } else { Enough::No }
    })
    .map_err(Fault::Messages)?;
    if hits.more || reached.is_some() {
        return Ok(Some(hits.found(room.first, reached)));
    }

    // What it has.
    if let Some(index) = index {
        index.find(&search.room, &search.words, room.first, indexed.next(), |seq| {
            let record = store::message(&tx, &room, seq).map_err(Fault::Messages)?;
            let has = |record: &Record| search.words.are_in(record.text.as_str());
            Ok::<_, Fault>(record.filter(has).map_or(Enough::No, |record| hits.take(record)))
        })?;
    }
    Ok(Some(hits.found(room.first, None)))
}

/// What was found so far, newest first.
struct Hits {
    limit: usize,
    bytes: usize,
    records: Vec<Record>,
    /// Whether there are more than are wanted.
    more: bool,
}

impl Hits {
    fn new(limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
        Self { limit, bytes: 0, records: Vec::new(), more: false }
    }

    fn take(&mut self, record: Record) -> Enough {
        if self.records.len() == self.limit || self.bytes >= FOUND_BYTES {
            self.more = true;
            return Enough::Yes;
        }
        self.bytes += record.text.as_str().len();
        self.records.push(record);
        Enough::No
    }

    /// As it is answered, of a room that goes back to `first`; `reached` is where the look had to end.
    fn found(self, first: Seq, reached: Option<Seq>) -> Found {
        let Self { mut records, more, .. } = self;
        records.reverse();
        let oldest = records.first().filter(|_| more).map(|oldest| oldest.seq);
        let from = oldest.or(reached).unwrap_or(first);
        Found { first, from, more: more || from > first, records }
    }
}
