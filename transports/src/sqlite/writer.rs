//! The thread that writes: commits that many share, and what is tidied up between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime};

use qun_core::log::{Answer, Draft, Fact, Outcome, Unavailable};
use qun_core::{Entropy, Epoch, RoomId, Seq};
use rusqlite::{Connection, TransactionBehavior};

use super::mark::{Base, Mark};
use super::open::Tell;
use super::{Event, Options, Retention, fault, store};

/// Requests that one commit takes at most.
const BATCH: usize = 4_096;

/// Pages in the write-ahead log after which they are copied into the database.
const WAL_PAGES: i32 = 1_000;

/// A commit that takes longer is told of.
const SLOW: Duration = Duration::from_secs(1);

/// How often rooms are looked at that keep messages for a time.
const AGEING: Duration = Duration::from_secs(60);

/// How long after an append what is too much is trimmed, and how long between one trimming and the next.
const TRIMMING: Duration = Duration::from_millis(50);

/// How often a commit is tried while nothing is to be committed, after one that failed.
const PROBING: Duration = Duration::from_secs(1);

/// What the writer is asked to do.
pub(super) enum Job {
    /// Something that wants a commit.
    Do(Task),
    /// The machine knows this much of a room.
    Told { room: RoomId, epoch: Epoch, head: Seq },
    /// A room keeps this much.
    Keep(RoomId, Retention),
    /// The machine has this room no more.
    Close(RoomId),
    /// To end, once all before it is done.
    Stop,
}

/// What is done in a commit, and answered after it.
pub(super) enum Task {
    /// [`Request::Append`](qun_core::log::Request::Append), at this time.
    Append { unix_ms: u64, room: RoomId, drafts: Vec<Draft> },
    /// [`Request::Open`](qun_core::log::Request::Open) of a room that is not in the tables, or is being written.
    Open { room: RoomId, bytes: usize },
    /// [`Request::Keep`](qun_core::log::Request::Keep).
    Keep { room: RoomId, facts: Vec<Fact> },
    /// [`Request::Recall`](qun_core::log::Request::Recall), behind something that is to be kept.
    Recall { room: RoomId },
}

/// The one connection that writes.
pub(super) struct Writer {
    conn: Connection,
    path: PathBuf,
    /// Device and inode of the file that is open.
    identity: (u64, u64),
    mark: Mark,
    keep: BTreeMap<RoomId, Retention>,
    entropy: Entropy,
    tell: Tell,
    /// What the machine knows of the rooms that it opened.
    told: HashMap<RoomId, (Epoch, Seq)>,
    health: Health,
    pulse: Arc<Pulse>,
    /// Pages in the write-ahead log.
    wal: Arc<AtomicI32>,
    /// As many as there were when they were last copied.
    copied: i32,
    /// Rooms that may have too much.
    untidy: BTreeSet<RoomId>,
    /// When they are trimmed next.
    trimming: Instant,
    /// When ages are looked at next.
    ageing: Instant,
    /// Whether it is to end.
    stops: bool,
}

/// How the database takes what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Sound,
    /// The last commit failed.
    Faulty,
    /// The file is not the one at the path any more.
    Replaced,
}

/// Why a commit failed.
enum Failure {
    Database(rusqlite::Error),
    Replaced,
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// What a commit came to.
struct Committed {
    answers: Vec<Answer>,
    told: Vec<(RoomId, Epoch, Seq)>,
    /// How many messages are new.
    messages: u64,
}

impl Writer {
    pub(super) fn new(
        mut conn: Connection,
        path: PathBuf,
        identity: (u64, u64),
        mark: Mark,
        options: Options,
        entropy: Entropy,
        tell: Tell,
    ) -> rusqlite::Result<Self> {
        let wal = Arc::new(AtomicI32::new(0));
        let pages = Arc::clone(&wal);
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, n| {
            pages.store(n, Ordering::Relaxed);
            Ok(())
        }))?;
        let now = Instant::now();
        Ok(Self {
            conn,
            path,
            identity,
            mark,
            untidy: options.keep.keys().cloned().collect(),
            keep: options.keep,
            entropy,
            tell,
            told: HashMap::new(),
            health: Health::Sound,
            pulse: Arc::new(Pulse::new()),
            wal,
            copied: 0,
            trimming: now,
            ageing: now + AGEING,
            stops: false,
        })
    }

    pub(super) fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    fn keep(&mut self, room: RoomId, keep: Retention) {
        self.untidy.insert(room.clone());
        self.keep.insert(room, keep);
    }

    /// The connection, for who writes without a loop.
    pub(super) fn conn(&mut self) -> &mut Connection {
        &mut self.conn
    }

    /// The connection, to look.
    pub(super) fn shown(&self) -> &Connection {
        &self.conn
    }

    /// Closes the database, in which so many messages were numbered.
    pub(super) fn finish_at(mut self, messages: u64) {
        self.mark.state.messages = messages;
        self.close();
    }

    /// Works until it is stopped, and closes the database.
    /// `grown` is called where there are other messages than before.
    pub(super) fn run(mut self, jobs: &Receiver<Job>, answers: &Sender<Answer>, waker: &Waker, grown: &dyn Fn()) {
        let give = |given: Vec<Answer>| {
            if given.iter().any(|answer| matches!(answer, Answer::Grew { .. })) {
                grown();
            }
            if !given.is_empty() {
                // It fails where the loop is gone, and then nobody will hear the answers.
                given.into_iter().for_each(|answer| drop(answers.send(answer)));
                waker.wake_by_ref();
            }
        };
        while !self.stops {
            match jobs.recv_timeout(self.rest()) {
                // What came while the last commit was on its way is the next one.
                Ok(job) => give(self.work([job].into_iter().chain(jobs.try_iter()).take(BATCH))),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            give(self.tidy());
        }
        self.close();
    }

    /// Leaves the database as one file, and says so in the mark.
    pub(super) fn close(self) {
        let Self { conn, path, mut mark, .. } = self;
        mark.state.base = None;
        // What fails here is done by whoever opens the database next.
        let _ = mark.write();
        let _ = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if conn.close().is_ok() {
            mark.state.base = fs::metadata(&path).ok().map(|file| Base::of(&file));
            mark.state.closed = true;
            let _ = mark.sync();
        }
    }

    /// Does what can be done in one commit; what these came to.
    fn work(&mut self, jobs: impl Iterator<Item = Job>) -> Vec<Answer> {
        let mut tasks = Vec::new();
        for job in jobs {
            match job {
                Job::Told { room, epoch, head } => drop(self.told.insert(room, (epoch, head))),
                Job::Keep(room, keep) => self.keep(room, keep),
                Job::Close(room) => drop(self.told.remove(&room)),
                Job::Stop => self.stops = true,
                Job::Do(task) => tasks.push(task),
            }
        }
        if tasks.is_empty() {
            return Vec::new();
        }
        self.pulse.begin();
        let answers = self.perform(&tasks);
        let took = self.pulse.end();
        if took > SLOW {
            (self.tell)(Event::Slow { took });
        }
        answers
    }

    fn perform(&mut self, tasks: &[Task]) -> Vec<Answer> {
        match self.commit(tasks) {
            Ok(committed) => self.committed(committed),
            // One room's damage is not the others': each by itself, then.
            Err(Failure::Database(error)) if tasks.len() > 1 && !fault::is_outside(&error) => {
                tasks.chunks(1).flat_map(|task| self.perform(task)).collect()
            }
            Err(failure) => {
                self.failed(failure);
                tasks.iter().filter_map(|task| self.refuse(task)).collect()
            }
        }
    }

    fn committed(&mut self, committed: Committed) -> Vec<Answer> {
        let Committed { answers, told, messages } = committed;
        for (room, epoch, head) in told {
            if self.keep.contains_key(&room) && self.untidy.insert(room.clone()) {
                self.trimming = self.trimming.max(Instant::now() + TRIMMING);
            }
            self.told.insert(room, (epoch, head));
        }
        self.mark.state.messages += messages;
        let _ = self.mark.write();
        if self.health == Health::Faulty {
            self.health = Health::Sound;
            (self.tell)(Event::Healed);
        }
        answers
    }

    /// One transaction: all of it, or nothing.
    fn commit(&mut self, tasks: &[Task]) -> Result<Committed, Failure> {
        self.look()?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut done = Committed { answers: Vec::new(), told: Vec::new(), messages: 0 };
        for task in tasks {
            match task {
                Task::Append { unix_ms, room: id, drafts } => {
                    let Some(mut room) = store::room(&tx, id)? else {
                        let outcomes = vec![Outcome::Refused; drafts.len()];
                        done.answers.push(Answer::Settled { room: id.clone(), outcomes });
                        continue;
                    };
                    let (epoch, head) = self.told.get(id).copied().unwrap_or((room.epoch, room.head));
                    if room.epoch != epoch || room.head < head {
                        return Err(Failure::Replaced);
                    }
                    let others = room.head > head;
                    let (outcomes, mut records) = store::append(&tx, &mut room, *unix_ms, drafts)?;
                    done.messages += records.len() as u64;
                    if others {
                        // Another program has appended, too, and the machine can't be told of what comes behind that
                        // before it is told of that.
                        records = store::after(&tx, &room, head)?;
                    }
                    done.answers.push(Answer::Settled { room: id.clone(), outcomes });
                    if !records.is_empty() {
                        done.answers.push(Answer::Grew {
                            room: id.clone(),
                            first: room.first,
                            records: records.into(),
                        });
                    }
                    done.told.push((id.clone(), room.epoch, room.head));
                }
                Task::Open { room: id, bytes } => {
                    let room = match store::room(&tx, id)? {
                        Some(room) => room,
                        None => store::create(&tx, id, Epoch::generate(&mut self.entropy))?,
                    };
                    let tail = store::tail(&tx, &room, *bytes)?;
                    done.answers.push(Answer::Ready { room: id.clone(), tail: Ok(tail) });
                }
                Task::Recall { room: id } => {
                    let facts = store::room(&tx, id)?.map(|room| store::facts(&tx, &room)).transpose()?;
                    done.answers.push(Answer::Recalled { room: id.clone(), facts: Ok(facts.unwrap_or_default()) });
                }
                Task::Keep { room: id, facts } => {
                    if let Some(room) = store::room(&tx, id)? {
                        store::keep(&tx, &room, facts)?;
                    }
                }
            }
        }
        tx.commit()?;
        Ok(done)
    }

    /// Sees that the file at the path still is the one that is open. What goes into one that was moved away or deleted
    /// is gone with it.
    fn look(&self) -> Result<(), Failure> {
        let replaced = match fs::metadata(&self.path) {
            Ok(file) => (file.dev(), file.ino()) != self.identity,
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if replaced || self.health == Health::Replaced { Err(Failure::Replaced) } else { Ok(()) }
    }

    fn failed(&mut self, failure: Failure) {
        let (health, event) = match failure {
            Failure::Database(error) => (Health::Faulty, Event::Faulty { why: fault::describe(&error) }),
            Failure::Replaced => (Health::Replaced, Event::Replaced),
        };
        if std::mem::replace(&mut self.health, health) != health {
            (self.tell)(event);
        }
    }

    /// Answers what was not committed. What the log had before it has still.
    fn refuse(&self, task: &Task) -> Option<Answer> {
        Some(match task {
            Task::Append { room, drafts, .. } => {
                let row = store::room(&self.conn, room).ok().flatten();
                let known = |draft| store::known(&self.conn, row.as_ref()?, draft).ok().flatten();
                let mut outcomes: Vec<_> = drafts.iter().map_while(known).map(Outcome::Known).collect();
                outcomes.resize(drafts.len(), Outcome::Refused);
                Answer::Settled { room: room.clone(), outcomes }
            }
            Task::Open { room, .. } => Answer::Ready { room: room.clone(), tail: Err(Unavailable) },
            Task::Recall { room } => Answer::Recalled { room: room.clone(), facts: Err(Unavailable) },
            Task::Keep { .. } => return None,
        })
    }

    /// How long there is nothing to do if nothing is asked.
    fn rest(&self) -> Duration {
        let trimming = (!self.untidy.is_empty()).then_some(self.trimming);
        let probing = (self.health == Health::Faulty).then(|| Instant::now() + PROBING);
        let next = [Some(self.ageing), trimming, probing].into_iter().flatten().min();
        next.map_or(AGEING, |next| next.saturating_duration_since(Instant::now()))
    }

    /// What nobody waits for, a bounded piece of it. What fails here is tried again, and told where it matters: when
    /// somebody's message is refused.
    fn tidy(&mut self) -> Vec<Answer> {
        match self.health {
            Health::Sound => {}
            Health::Faulty => {
                // A commit that failed at its end may have reached the file all the same. Until another one overwrites
                // it, a crash would bring it back, although it was refused.
                let _ = self.conn.execute("UPDATE log SET probes = probes + 1", []);
                return Vec::new();
            }
            Health::Replaced => return Vec::new(),
        }
        self.copy_back();
        let now = Instant::now();
        if now >= self.ageing {
            self.ageing = now + AGEING;
            self.untidy.extend(self.keep.iter().filter(|(_, keep)| keep.age.is_some()).map(|(room, _)| room.clone()));
        }
        if self.untidy.is_empty() || now < self.trimming {
            return Vec::new();
        }
        let answers = self.trim();
        self.trimming = Instant::now() + TRIMMING;
        answers
    }

    /// Copies the write-ahead log into the database, where there is enough of it, so that it does not grow for ever.
    fn copy_back(&mut self) {
        let pages = self.wal.load(Ordering::Relaxed);
        // It begins anew once all of it was copied and nobody reads it any more.
        self.copied = self.copied.min(pages);
        if pages < self.copied + WAL_PAGES {
            return;
        }
        self.copied = pages;
        self.mark.state.base = None;
        let _ = self.mark.write();
        let _ = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        self.mark.state.base = fs::metadata(&self.path).ok().map(|file| Base::of(&file));
        let _ = self.mark.write();
    }

    /// Trims one piece of each room that has too much.
    fn trim(&mut self) -> Vec<Answer> {
        let unix = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let unix_ms = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        let mut answers = Vec::new();
        for id in std::mem::take(&mut self.untidy) {
            let Some(keep) = self.keep.get(&id) else { continue };
            match trim(&mut self.conn, &id, keep, unix_ms) {
                Ok(None) => {}
                Ok(Some(first)) => {
                    if self.told.contains_key(&id) {
                        answers.push(Answer::Grew { room: id.clone(), first, records: [].into() });
                    }
                    self.untidy.insert(id);
                }
                Err(_) => drop(self.untidy.insert(id)),
            }
        }
        answers
    }
}

/// Trims one piece of a room; its first message from now on, where that is another one.
fn trim(conn: &mut Connection, id: &RoomId, keep: &Retention, unix_ms: u64) -> rusqlite::Result<Option<Seq>> {
    // To look is cheap, and takes no lock: most rooms have nothing too much most of the time.
    let Some(mut room) = store::room(conn, id)? else { return Ok(None) };
    if !store::has_too_much(conn, &room, keep, unix_ms)? {
        return Ok(None);
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    store::trim(&tx, &mut room, keep, unix_ms)?;
    tx.commit()?;
    Ok(Some(room.first))
}

/// Since when a commit has been on its way.
#[derive(Debug)]
pub(super) struct Pulse {
    start: Instant,
    /// Microseconds after `start`, and one; 0: none is.
    since: AtomicU64,
}

impl Pulse {
    fn new() -> Self {
        Self { start: Instant::now(), since: AtomicU64::new(0) }
    }

    /// As of a commit that began so long ago.
    #[cfg(test)]
    pub(super) fn stuck_for(time: Duration) -> Self {
        let start = Instant::now().checked_sub(time).expect("this machine has run for so long");
        Self { start, since: AtomicU64::new(1) }
    }

    fn begin(&self) {
        self.since.store(self.now(), Ordering::Release);
    }

    /// How long it took.
    fn end(&self) -> Duration {
        let since = self.since.swap(0, Ordering::AcqRel);
        Duration::from_micros(self.now().saturating_sub(since))
    }

    /// Whether no commit has been on its way for longer than `most`.
    pub(super) fn beats_within(&self, most: Duration) -> bool {
        match self.since.load(Ordering::Acquire) {
            0 => true,
            since => Duration::from_micros(self.now().saturating_sub(since)) <= most,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX).saturating_add(1)
    }
}
