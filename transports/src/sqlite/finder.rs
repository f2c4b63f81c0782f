//! The thread that finds: it answers searches, and fills the index of words when nobody asks.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::task::Waker;
use std::time::{Duration, Instant};

use qun_core::log::{Answer, Found, Unavailable};
use rusqlite::Connection;

use super::index::{self, Fault, Index};
use super::open::Tell;
use super::search::{Search, find};
use super::{Event, fault};

/// Messages that are indexed between two looks at who asks.
const PIECE: u64 = 1_000;

/// How long what was said waits for more to be indexed with it.
const GATHER: Duration = Duration::from_secs(1);

/// How long an index that failed is left alone.
const REST: Duration = Duration::from_secs(10);

/// What the finder is asked to do.
pub(super) enum Ask {
    /// [`Request::Search`](qun_core::log::Request::Search).
    Search(Search),
    /// There are new messages, or some were trimmed.
    Grew,
    /// To end.
    Stop,
}

/// Says that there is something to index; once for all that comes until it is looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Growth(Arc<AtomicBool>);

impl Growth {
    /// Whether nobody has said so since it was looked at.
    pub(super) fn is_news(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    fn look(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Finds, on connections of its own.
pub(super) struct Finder {
    /// Reads the messages.
    messages: Connection,
    path: PathBuf,
    /// `None` before the first use, and while it can't be opened.
    index: Option<Index>,
    growth: Growth,
    /// When the index takes up what it lacks; `None`: it lacks nothing.
    due: Option<Instant>,
    tell: Tell,
    /// Whether a failing index was told of.
    is_told: bool,
    /// What was told last of messages that can't be read, so that one damage is not told a thousand times.
    told: Option<Event>,
}

impl Finder {
    pub(super) fn new(messages: Connection, database: &std::path::Path, tell: Tell) -> Self {
        let path = index::path_of(database);
        let growth = Growth::default();
        Self { messages, path, index: None, growth, due: Some(Instant::now()), tell, is_told: false, told: None }
    }

    pub(super) fn growth(&self) -> Growth {
        self.growth.clone()
    }

    /// Answers until it is stopped.
    pub(super) fn run(mut self, asks: &Receiver<Ask>, answers: &Sender<Answer>, waker: &Waker) {
        loop {
            let rest = self.due.map(|due| due.saturating_duration_since(Instant::now()));
            let ask = match rest {
                Some(rest) => asks.recv_timeout(rest),
                None => asks.recv().map_err(RecvTimeoutError::from),
            };
            match ask {
                Ok(Ask::Search(search)) => {
                    let ticket = search.ticket;
                    let found = self.answer(&search);
                    // It fails where the loop is gone, and then nobody will hear the answer.
                    drop(answers.send(Answer::Found { ticket, found }));
                    waker.wake_by_ref();
                }
                Ok(Ask::Grew) => drop(self.due.get_or_insert_with(|| Instant::now() + GATHER)),
                Err(RecvTimeoutError::Timeout) => self.index_a_piece(),
                Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close();
    }

    fn close(self) {
        if let Some(index) = self.index {
            index.close();
        }
    }

    fn answer(&mut self, search: &Search) -> Result<Found, Unavailable> {
        // At the start, what was indexed before is there for the first who asks.
        if self.index.is_none() && !self.is_told {
            self.open();
        }
        let found = match find(&self.messages, search, self.index.as_ref()) {
            Err(Fault::Messages(error)) => Err(error),
            // The index is broken, and reading must do.
            Err(fault) => {
                self.failed(fault);
                find(&self.messages, search, None).map_err(|fault| match fault {
                    Fault::Messages(error) | Fault::Index(error) => error,
                    Fault::File(_) | Fault::Stale => rusqlite::Error::InvalidQuery,
                })
            }
            Ok(found) => Ok(found),
        };
        match found {
            Ok(found) => found.ok_or(Unavailable),
            Err(error) => {
                let event = Event::Unreadable { room: search.room.clone(), why: fault::describe(&error) };
                if self.told.replace(event.clone()).as_ref() != Some(&event) {
                    (self.tell)(event);
                }
                Err(Unavailable)
            }
        }
    }

    fn index_a_piece(&mut self) {
        self.growth.look();
        if self.index.is_none() {
            self.open();
        }
        let Some(index) = &mut self.index else { return };
        match index.catch_up(&mut self.messages, PIECE) {
            Ok(more) => {
                self.due = more.then(Instant::now);
                if std::mem::take(&mut self.is_told) {
                    (self.tell)(Event::Indexed);
                }
            }
            Err(fault) => self.failed(fault),
        }
    }

    fn open(&mut self) {
        match Index::open(&self.path) {
            Ok(index) => self.index = Some(index),
            Err(fault) => self.failed(fault),
        }
    }

    /// What can't be used is built anew; where that can't be, it is tried again later.
    fn failed(&mut self, fault: Fault) {
        let why = match fault {
            Fault::Stale => None,
            Fault::Index(error) if fault::is_damage(&error) => Some("it was damaged"),
            Fault::Index(error) => return self.rest(fault::describe(&error)),
            Fault::File(error) => return self.rest(error.to_string()),
            // The index is none the worse for it. Whoever reads what is damaged is told.
            Fault::Messages(_) => {
                self.due = Some(Instant::now() + REST);
                return;
            }
        };
        self.index = None;
        match Index::begin(&self.path) {
            Ok(index) => {
                self.index = Some(index);
                self.due = Some(Instant::now());
                if let Some(why) = why {
                    (self.tell)(Event::Reindexing { why });
                }
            }
            Err(Fault::Index(error) | Fault::Messages(error)) => self.rest(fault::describe(&error)),
            Err(Fault::File(error)) => self.rest(error.to_string()),
            Err(Fault::Stale) => self.rest(String::new()),
        }
    }

    fn rest(&mut self, why: String) {
        self.due = Some(Instant::now() + REST);
        if !std::mem::replace(&mut self.is_told, true) {
            (self.tell)(Event::Unindexed { why });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use qun_core::log::{Kind, Record, Ticket};
    use qun_core::{Entropy, MemberId, Seq, Words};
    use tempfile::TempDir;

    use super::*;
    use crate::sqlite::Import;
    use crate::sqlite::index::Enough;
    use crate::sqlite::writer::Writer;

    fn record(seq: u64, text: &str) -> Record {
        Record {
            seq: Seq::new(seq),
            ts: seq,
            member: MemberId::from_bits(0),
            name: "ann".parse().unwrap(),
            kind: Kind::Say,
            text: text.parse().unwrap(),
            id: None,
        }
    }

    fn fill(path: &Path, room: &str, records: &[Record]) {
        let mut import = Import::open(path, [7; 32], room.parse().unwrap(), |_| {}).unwrap();
        import.take(records, &mut Entropy::new([8; 32])).unwrap();
        import.finish().unwrap();
    }

    fn open(path: &Path) -> (Writer, Finder, Receiver<Event>) {
        let (tell, told) = std::sync::mpsc::channel();
        let tell = std::sync::Mutex::new(tell);
        let tell = Arc::new(move |event| tell.lock().unwrap().send(event).unwrap());
        let (writer, _, finder) = super::super::open::open(path, [9; 32], Default::default(), tell).unwrap();
        (writer, finder, told)
    }

    fn search(room: &str, words: &str, before: u64, limit: u64) -> Search {
        let (room, words) = (room.parse().unwrap(), words.parse().unwrap());
        Search { ticket: Ticket(1), room, words, before: Seq::new(before), limit }
    }

    fn index_all(finder: &mut Finder) {
        while finder.due.is_some() {
            finder.index_a_piece();
        }
    }

    fn seqs(found: &Found) -> Vec<u64> {
        found.records.iter().map(|record| record.seq.get()).collect()
    }

    /// How many messages of a room the index gives, before anybody looks at them.
    fn given(finder: &Finder, room: &str, words: &str) -> usize {
        let mut given = 0;
        let index = finder.index.as_ref().unwrap();
        let (room, words) = (room.parse().unwrap(), words.parse().unwrap());
        index
            .find(&room, &words, Seq::ZERO, Seq::MAX, |_| {
                given += 1;
                Ok::<_, rusqlite::Error>(Enough::No)
            })
            .unwrap();
        given
    }

    fn place() -> (TempDir, PathBuf) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("qun.db");
        (dir, path)
    }

    fn trim(path: &Path, first: u64) {
        let conn = Connection::open(path).unwrap();
        conn.execute("DELETE FROM message WHERE seq < ?1", [first.cast_signed()]).unwrap();
        conn.execute("UPDATE room SET first = ?1", [first.cast_signed()]).unwrap();
    }

    #[test]
    fn an_index_that_is_filled_is_asked_and_not_the_messages() {
        let (_dir, path) = place();
        let texts = (1..=5_000).map(|n| record(n, if n % 100 == 0 { "部署 done" } else { "nothing" }));
        fill(&path, "ops", &texts.collect::<Vec<_>>());
        let (_writer, mut finder, _told) = open(&path);
        index_all(&mut finder);
        assert_eq!(given(&finder, "ops", "部"), 50);
        let found = finder.answer(&search("ops", "署 DON", 4_000, 2)).unwrap();
        assert_eq!((seqs(&found), found.from.get(), found.more), (vec![3_800, 3_900], 3_800, true));
        assert_eq!(given(&finder, "ops", "no"), 0);
        assert_eq!(given(&finder, "ops", "noth"), 4_950);
    }

    #[test]
    fn an_index_of_another_history_is_built_anew() {
        let (_dir, path) = place();
        fill(&path, "ops", &[record(1, "one"), record(2, "two")]);
        let (writer, mut finder, told) = open(&path);
        index_all(&mut finder);
        let stale = std::fs::read(index::path_of(&path)).unwrap();
        drop((writer, finder));
        std::fs::remove_file(&path).unwrap();
        fill(&path, "ops", &[record(1, "three")]);
        assert!(!stale.is_empty() && index::path_of(&path).exists());
        let (_writer, mut finder, _) = open(&path);
        // Before it is built anew it is not believed.
        assert_eq!(seqs(&finder.answer(&search("ops", "three", 9, 9)).unwrap()), [1]);
        assert!(seqs(&finder.answer(&search("ops", "one", 9, 9)).unwrap()).is_empty());
        index_all(&mut finder);
        assert_eq!((given(&finder, "ops", "one"), given(&finder, "ops", "three")), (0, 1));
        assert!(told.try_recv().is_err(), "there is nothing to be told of");
    }

    #[test]
    fn a_damaged_index_is_built_anew_and_the_messages_are_found_meanwhile() {
        let (_dir, path) = place();
        let texts: Vec<_> = (1..=3_000).map(|n| record(n, &format!("word{n} and more 部署"))).collect();
        fill(&path, "ops", &texts);
        let (writer, mut finder, _) = open(&path);
        index_all(&mut finder);
        drop((finder, writer));
        let index = index::path_of(&path);
        let size = std::fs::metadata(&index).unwrap().len() as usize;
        for (from, len) in [(0, 100), (4_096, 8_192), (size / 2, 4_096), (0, size)] {
            let mut bytes = std::fs::read(&index).unwrap();
            let end = (from + len).min(bytes.len());
            bytes[from..end].fill(0xA5);
            std::fs::write(&index, bytes).unwrap();
            let (writer, mut finder, told) = open(&path);
            for n in [7, 1_500, 2_999] {
                let found = finder.answer(&search("ops", &format!("word{n} and"), 9_999, 9)).unwrap();
                assert_eq!(seqs(&found), [n]);
            }
            index_all(&mut finder);
            assert_eq!(seqs(&finder.answer(&search("ops", "more 部署", 9_999, 9)).unwrap()).len(), 9);
            let told: Vec<_> = told.try_iter().collect();
            assert!(told.iter().all(|event| matches!(event, Event::Reindexing { .. })) && told.len() <= 1, "{told:?}");
            // What is damaged where nobody looks may stay: it is built anew for what comes next.
            drop((finder, writer));
            std::fs::remove_file(&index).unwrap();
            let (writer, mut finder, _) = open(&path);
            index_all(&mut finder);
            drop((finder, writer));
        }
    }

    #[test]
    fn an_index_that_cannot_be_kept_is_told_of_once_and_missed_by_nobody() {
        let (_dir, path) = place();
        fill(&path, "ops", &[record(1, "one"), record(2, "two")]);
        let index = index::path_of(&path);
        std::fs::create_dir(&index).unwrap();
        std::fs::write(index.join("full"), "").unwrap();
        let (_writer, mut finder, told) = open(&path);
        for _ in 0..3 {
            finder.index_a_piece();
            assert_eq!(seqs(&finder.answer(&search("ops", "two", 9, 9)).unwrap()), [2]);
        }
        assert!(matches!(told.try_iter().collect::<Vec<_>>()[..], [Event::Unindexed { .. }]));
        std::fs::remove_dir_all(&index).unwrap();
        finder.index_a_piece();
        assert!(matches!(told.try_iter().collect::<Vec<_>>()[..], [Event::Indexed]));
        assert_eq!(given(&finder, "ops", "two"), 1);
    }

    #[test]
    fn what_was_changed_by_hand_is_not_found_by_what_it_was() {
        let (_dir, path) = place();
        fill(&path, "ops", &[record(1, "secret"), record(2, "secret too")]);
        let (_writer, mut finder, _) = open(&path);
        index_all(&mut finder);
        Connection::open(&path).unwrap().execute("UPDATE message SET text = '…' WHERE seq = 1", []).unwrap();
        assert_eq!(seqs(&finder.answer(&search("ops", "secret", 9, 9)).unwrap()), [2]);
    }

    #[test]
    fn an_index_that_a_power_cut_may_have_torn_is_built_anew() {
        let (_dir, path) = place();
        fill(&path, "ops", &[record(1, "one")]);
        let boot_of = |boot: &str| {
            let conn = Connection::open(index::path_of(&path)).unwrap();
            conn.execute("UPDATE state SET boot = ?1", [boot]).unwrap();
            // What it does not have any more, as if it had been torn off.
            conn.execute("DELETE FROM words", []).unwrap();
        };
        let (_, mut finder, _) = open(&path);
        index_all(&mut finder);
        finder.close();
        for (boot, is_believed) in [("", true), ("another", false), ("unknown", false)] {
            boot_of(boot);
            let (_, mut finder, _) = open(&path);
            index_all(&mut finder);
            assert_eq!(given(&finder, "ops", "one"), usize::from(!is_believed), "{boot:?}");
            // A process that is killed closes nothing, and nothing is lost.
            drop(finder);
            let (_, mut finder, _) = open(&path);
            index_all(&mut finder);
            assert_eq!(given(&finder, "ops", "one"), usize::from(!is_believed), "{boot:?}");
            finder.close();
        }
    }

    #[test]
    fn messages_that_cannot_be_read_are_told_of_once() {
        let (_dir, path) = place();
        fill(&path, "ops", &[record(1, "one"), record(2, "two")]);
        let shell = Connection::open(&path).unwrap();
        shell.execute("UPDATE message SET name = '' WHERE seq = 2", []).unwrap();
        let (_writer, mut finder, told) = open(&path);
        for _ in 0..3 {
            assert_eq!(finder.answer(&search("ops", "two", 9, 9)), Err(Unavailable));
        }
        assert!(matches!(told.try_iter().collect::<Vec<_>>()[..], [Event::Unreadable { .. }]));
        shell.execute("UPDATE message SET name = 'ann' WHERE seq = 2", []).unwrap();
        assert_eq!(seqs(&finder.answer(&search("ops", "two", 9, 9)).unwrap()), [2]);
    }

    #[test]
    fn rooms_take_turns() {
        let (_dir, path) = place();
        for room in ["a", "b", "c"] {
            let texts: Vec<_> = (1..=2_500).map(|n| record(n, "word")).collect();
            fill(&path, room, &texts);
        }
        let (_writer, mut finder, _) = open(&path);
        for _ in 0..3 {
            finder.index_a_piece();
        }
        for room in ["a", "b", "c"] {
            assert_eq!(given(&finder, room, "word"), 1_000);
        }
    }

    #[test]
    fn a_history_that_begins_late_is_found() {
        let (_dir, path) = place();
        let first = (1 << 52) + 5;
        fill(&path, "ops", &[record(first, "one"), record(first + 1, "two")]);
        let (_writer, mut finder, _) = open(&path);
        index_all(&mut finder);
        assert_eq!(given(&finder, "ops", "two"), 1);
        assert_eq!(seqs(&finder.answer(&search("ops", "one", Seq::MAX.get(), 9)).unwrap()), [first]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_index_finds_what_reading_finds(
            texts in proptest::collection::vec("[a-cA-Cé部署 .\"*:^()-]{0,12}[a-c署]|\\PC{1,20}x", 1..60),
            first in 1_u64..40,
            cut in 0_usize..60,
            words in proptest::collection::vec("[a-cé部署][a-cé部署. \"*:^()-]{0,6}|\\PC{1,8}", 1..12),
            before in 0_u64..70,
            limit in 1_u64..9,
        ) {
            let (_dir, path) = place();
            let records: Vec<_> = texts.iter().enumerate().map(|(n, text)| record(n as u64 + 1, text)).collect();
            let cut = cut.min(records.len());
            fill(&path, "other", &records);
            fill(&path, "ops", &records[..cut]);
            let (writer, mut finder, told) = open(&path);
            index_all(&mut finder);
            let first = first.min(cut as u64 + 1);
            trim(&path, first);
            finder.due = Some(Instant::now());
            index_all(&mut finder);
            writer.close();
            drop(finder);
            fill(&path, "ops", &records);
            let (_writer, mut finder, _) = open(&path);
            for is_full in [false, true] {
                if is_full {
                    index_all(&mut finder);
                }
                for typed in &words {
                    let Ok(words) = typed.parse::<Words>() else { continue };
                    let kept = records.iter().filter(|record| record.seq.get() >= first);
                    let kept: Vec<_> = kept.cloned().collect();
                    let expected = Found::among(Seq::new(first), kept.iter(), &words, Seq::new(before), limit);
                    prop_assert_eq!(finder.answer(&search("ops", typed, before, limit)), Ok(expected), "{:?}", typed);
                    if is_full {
                        let all = kept.iter().filter(|record| words.are_in(record.text.as_str())).count();
                        prop_assert_eq!(given(&finder, "ops", typed), all, "and nothing else: {:?}", typed);
                    }
                }
            }
            prop_assert_eq!(told.try_iter().collect::<Vec<_>>(), []);
        }
    }
}
