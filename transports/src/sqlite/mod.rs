//! The log on a disk: one SQLite file, which keeps what was said through crashes and power cuts.
//!
//! [`SqliteLog`] is a [`Log`] behind the same words as the one in memory. What it adds to SQLite is little:
//!
//! - **Nobody waits for the disk.** Two threads of its own do everything: one writes, one reads. The loop hands requests
//!   over and is woken when there are answers.
//! - **Commits are shared.** While one commit is on its way to the disk, whatever all rooms say meanwhile becomes the
//!   next one. So one message alone waits for one sync, and a thousand at once wait for one or two.
//! - **A fault is an answer.** A commit that fails refuses what it held, and all of it; reading goes on; the next commit
//!   tries again.
//! - **A history that goes on is the one that was there.** A mark beside the file tells a database that was
//!   restored, cut off or swapped from the one that clients know. Its rooms get new epochs.
//!
//! `schema` has the tables, `store` what is asked of them, `writer`, `reader` and `finder` the threads, `search` what the
//! last of them does for who looks for words, `index` where words stand, `open` all that is looked at before they start.
//! [`Archive`] and [`Import`] are for programs beside or without a server. docs/storage.md is
//! for whoever runs one.
//!
//! ```no_run
//! use qun_transports::sqlite::{Options, SqliteLog};
//!
//! let seed = [7; 32]; // give it real randomness
//! let log = SqliteLog::open("qun.db".as_ref(), seed, Options::default(), |event| eprintln!("{event}"))?;
//! # Ok::<(), qun_transports::sqlite::OpenError>(())
//! ```

mod archive;
mod fault;
mod finder;
mod index;
mod mark;
mod open;
mod reader;
mod schema;
mod search;
mod store;
mod writer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use qun_core::log::{Answer, Outcome, Request};
use qun_core::{Now, RoomId};

use crate::log::Log;
pub use archive::{Archive, ArchiveError, Import, ImportError, Imported};
use finder::{Ask, Finder};
pub use open::OpenError;
use reader::Reader;
use search::Search;
use writer::{Job, Pulse, Task, Writer};

/// A commit that has taken this long takes nothing new behind it: who speaks in another room meanwhile is told to come
/// again later.
const PATIENCE: Duration = Duration::from_secs(5);

/// A log in an SQLite database.
///
/// It answers from threads of its own, which [`start`](Log::start) starts. Dropping it waits until all that was
/// submitted is done, and closes the database.
pub struct SqliteLog {
    jobs: Sender<Job>,
    state: State,
    /// Rooms with an append on its way: to be opened again, they must wait for it.
    appending: BTreeSet<RoomId>,
    /// Rooms of which something was kept: what they hold is told by the thread that wrote it.
    kept: BTreeSet<RoomId>,
    /// Refused without asking.
    refused: VecDeque<Answer>,
}

enum State {
    /// Open, and not started.
    Ready(Box<Ready>),
    Running(Threads),
    Ended,
}

struct Ready {
    work: Receiver<Job>,
    writer: Writer,
    reader: Reader,
    finder: Finder,
}

struct Threads {
    reads: Sender<Request>,
    searches: Sender<Ask>,
    answers: Receiver<Answer>,
    pulse: Arc<Pulse>,
    writer: JoinHandle<()>,
    reader: JoinHandle<()>,
    finder: JoinHandle<()>,
}

/// What may be chosen about a [`SqliteLog`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What a commit survives.
    pub durability: Durability,
    /// What rooms keep; a room that is not here keeps everything.
    pub keep: BTreeMap<RoomId, Retention>,
}

/// What a commit survives. A crash of the process loses nothing either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A power cut, too: each commit waits until the disk has it.
    #[default]
    Full,
    /// Not a power cut, which may lose the last seconds. The rooms then begin a new epoch, so that clients say so.
    Normal,
}

/// How much of its history a room keeps: what exceeds any of these is trimmed, the oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The newest messages, so many.
    pub messages: Option<u64>,
    /// Messages no older than this.
    pub age: Option<Duration>,
    /// Messages whose names and texts have no more bytes than this together.
    pub bytes: Option<u64>,
}

/// What an operator should know of a [`SqliteLog`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The database does not go on with what clients have seen, so that every room begins a new epoch.
    Broken(Break),
    /// Appends are being refused. Told once, until [`Event::Healed`].
    Faulty {
        /// Why.
        why: String,
    },
    /// Appends are taken again.
    Healed,
    /// A commit took longer than a second.
    Slow {
        /// How long.
        took: Duration,
    },
    /// Something could not be read.
    Unreadable {
        /// Of which room.
        room: RoomId,
        /// Why.
        why: String,
    },
    /// The index of words can't be kept: searches read instead, and may not reach far. Told once, until
    /// [`Event::Indexed`].
    Unindexed {
        /// Why.
        why: String,
    },
    /// The index of words can be kept again.
    Indexed,
    /// The index of words is built anew. Searches read meanwhile.
    Reindexing {
        /// Why.
        why: &'static str,
    },
    /// Another file has taken the place of the database while it is open. What is said now would be lost with the old
    /// one: it is refused until the server is started again.
    Replaced,
}

/// How a database was found not to go on with what clients have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// It is gone.
    #[error("the database is gone, and a new one begun")]
    Gone,
    /// There is no mark beside it.
    #[error("the database was restored or moved here without the mark beside it")]
    Unmarked,
    /// The mark beside it can't be read.
    #[error("the mark beside the database is damaged")]
    Mark,
    /// It is not the one that was here.
    #[error("the database is not the one that was here: a backup, or another server's")]
    Another,
    /// It has fewer messages than were acknowledged.
    #[error("the database is an older one: {had} messages were numbered in it, and it knows of {has}")]
    Older {
        /// As the mark has it.
        had: u64,
        /// As the database has it.
        has: u64,
    },
    /// Both were copied, or somebody changed the mark's owner or mode.
    #[error("the database and its mark were copied or restored together")]
    Copied,
    /// The machine went down, and commits were not synced.
    #[error("the machine went down, and with durability = \"normal\" that may have lost the last seconds")]
    PowerCut,
}

impl SqliteLog {
    /// Opens the database at `path`, or creates it. Nobody else may have it open for writing. Its epochs follow from
    /// `seed`, 32 bytes of the driver's best randomness. `on_event` is called from several threads.
    ///
    /// Reads as much of the database as it takes to know that it is sound: all of it up to 256 MiB.
    ///
    /// # Errors
    /// Whatever is wrong with the file, and what can be done about it. A database that is damaged is left as it is.
    pub fn open(
        path: &Path,
        seed: [u8; 32],
        options: Options,
        on_event: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let (writer, reader, finder) = open::open(path, seed, options, Arc::new(on_event))?;
        let (jobs, work) = mpsc::channel();
        let state = State::Ready(Box::new(Ready { work, writer, reader, finder }));
        Ok(Self { jobs, state, appending: BTreeSet::new(), kept: BTreeSet::new(), refused: VecDeque::new() })
    }

    /// From now on, `room` keeps this much.
    pub fn keep(&mut self, room: RoomId, keep: Retention) {
        self.keeper().keep(room, keep);
    }

    /// By which another owner, on any thread, says what rooms keep.
    pub fn keeper(&self) -> Keeper {
        Keeper(self.jobs.clone())
    }

    fn append_unless_stuck(&mut self, now: Now, room: RoomId, drafts: Vec<qun_core::log::Draft>) {
        let State::Running(threads) = &self.state else { return };
        let count = drafts.len();
        let job = Job::Do(Task::Append { unix_ms: now.unix_ms, room: room.clone(), drafts });
        if threads.pulse.beats_within(PATIENCE) && self.jobs.send(job).is_ok() {
            self.appending.insert(room);
        } else {
            let outcomes = vec![Outcome::Refused; count];
            self.refused.push_back(Answer::Settled { room, outcomes });
        }
    }
}

/// Says what the rooms of a [`SqliteLog`] keep, while a driver has that.
#[derive(Clone, Debug)]
pub struct Keeper(Sender<Job>);

impl Keeper {
    /// From now on, `room` keeps this much. Where the log has ended, nothing is trimmed any more.
    pub fn keep(&self, room: RoomId, keep: Retention) {
        drop(self.0.send(Job::Keep(room, keep)));
    }
}

impl Log for SqliteLog {
    fn start(&mut self, waker: Waker) {
        let State::Ready(ready) = std::mem::replace(&mut self.state, State::Ended) else { return };
        let Ready { work, writer, reader, finder } = *ready;
        let (reads, wanted) = mpsc::channel();
        let (tell, answers) = mpsc::channel();
        let (searches, asked) = mpsc::channel();
        let pulse = writer.pulse();
        let (heard, waker_of_reader, beyond) = (tell.clone(), waker.clone(), self.jobs.clone());
        let (found, waker_of_finder) = (tell.clone(), waker.clone());
        let grew = searches.clone();
        let growth = finder.growth();
        let grown = move || {
            if growth.is_news() {
                // It fails where nobody looks for anything any more.
                drop(grew.send(Ask::Grew));
            }
        };
        self.state = State::Running(Threads {
            reads,
            searches,
            answers,
            pulse,
            writer: thread::spawn(move || writer.run(&work, &tell, &waker, &grown)),
            reader: thread::spawn(move || reader.run(&wanted, &heard, &beyond, &waker_of_reader)),
            finder: thread::spawn(move || finder.run(&asked, &found, &waker_of_finder)),
        });
    }

    fn submit(&mut self, now: Now, request: Request) {
        let State::Running(threads) = &self.state else { return };
        // Where a thread is gone, its channel is closed and there is nobody to answer: threads end only with this.
        match request {
            Request::Append { room, drafts } => self.append_unless_stuck(now, room, drafts),
            Request::Keep { room, facts } => {
                self.kept.insert(room.clone());
                drop(self.jobs.send(Job::Do(Task::Keep { room, facts })));
            }
            // Whoever asks for facts is told what was kept before.
            Request::Recall { room } if self.kept.contains(&room) => {
                drop(self.jobs.send(Job::Do(Task::Recall { room })))
            }
            // What is on its way must not arrive before the tail that does not have it.
            Request::Open { room, bytes } if self.kept.contains(&room) || self.appending.contains(&room) => {
                drop(self.jobs.send(Job::Do(Task::Open { room, bytes })));
            }
            request @ (Request::Open { .. } | Request::Load { .. } | Request::Recall { .. }) => {
                drop(threads.reads.send(request));
            }
            Request::Search { ticket, room, words, before, limit } => {
                drop(threads.searches.send(Ask::Search(Search { ticket, room, words, before, limit })));
            }
            // The room stays in the database, and keeps as much of it as before.
            Request::Close { room } => drop(self.jobs.send(Job::Close(room))),
        }
    }

    fn poll(&mut self) -> Option<Answer> {
        if let Some(answer) = self.refused.pop_front() {
            return Some(answer);
        }
        let State::Running(threads) = &self.state else { return None };
        let answer = threads.answers.try_recv().ok()?;
        match &answer {
            Answer::Settled { room, .. } => drop(self.appending.remove(room)),
            // The writer goes on from what the machine knows.
            Answer::Ready { room, tail: Ok(tail) } => {
                drop(self.jobs.send(Job::Told { room: room.clone(), epoch: tail.epoch, head: tail.head }));
            }
            _ => {}
        }
        Some(answer)
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ready(ready) => ready.writer.close(),
            State::Running(Threads { reads, searches, writer, reader, finder, .. }) => {
                // The writer last, to which the reader hands on, and which leaves one file where nobody else has it open.
                drop(reads);
                let _ = reader.join();
                let _ = searches.send(Ask::Stop);
                let _ = finder.join();
                let _ = self.jobs.send(Job::Stop);
                let _ = writer.join();
            }
            State::Ended => {}
        }
    }
}

impl fmt::Debug for SqliteLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLog").finish_non_exhaustive()
    }
}

impl Durability {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Full, Self::Normal];

    /// As a configuration has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }
}

impl std::str::FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(name: &str) -> Result<Self, UnknownDurability> {
        Self::ALL.into_iter().find(|durability| durability.as_str() == name).ok_or(UnknownDurability)
    }
}

/// There is no such durability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("durability is \"full\" or \"normal\"")]
pub struct UnknownDurability;

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(why) => write!(f, "{why}: every room begins a new history"),
            Self::Faulty { why } => write!(f, "{why}: nothing can be said until that is over"),
            Self::Healed => f.write_str("the database takes messages again"),
            Self::Slow { took } => write!(f, "the disk is slow: a commit took {:.1} s", took.as_secs_f64()),
            Self::Unreadable { room, why } => write!(f, "what {room} holds can't be read: {why}"),
            Self::Unindexed { why } => {
                write!(f, "searches are slow and may not reach far: their index can't be kept: {why}")
            }
            Self::Indexed => f.write_str("the index of words can be kept again"),
            Self::Reindexing { why } => write!(f, "the index of words is built anew: {why}"),
            Self::Replaced => f.write_str(
                "the database was replaced while it is open: nothing can be said until the server is restarted",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use qun_core::log::{Draft, Kind};
    use qun_core::{Key, Now};

    use super::*;

    #[test]
    fn behind_a_commit_that_is_stuck_nothing_more_is_queued() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = SqliteLog::open(&dir.path().join("qun.db"), [7; 32], Options::default(), |_| {}).unwrap();
        log.start(Waker::noop().clone());
        let State::Running(threads) = &mut log.state else { panic!("it runs") };
        threads.pulse = Arc::new(Pulse::stuck_for(PATIENCE + Duration::from_secs(1)));
        let key: Key = "q8ZtV1c0TgW2q8ZtV1c0Tg".parse().unwrap();
        let draft = Draft {
            once: None,
            member: key.member(),
            name: "ann".parse().unwrap(),
            kind: Kind::Say,
            text: "hi".parse().unwrap(),
            facts: Vec::new(),
        };
        let room: RoomId = "ops".parse().unwrap();
        log.submit(Now::default(), Request::Append { room: room.clone(), drafts: vec![draft.clone(), draft] });
        assert_eq!(log.poll(), Some(Answer::Settled { room, outcomes: vec![Outcome::Refused; 2] }));
    }
}
