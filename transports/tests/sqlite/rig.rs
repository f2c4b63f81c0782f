//! A log in a directory of its own, asked and heard as a loop does it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use qun_core::log::{Answer, Draft, Kind, Outcome, Page, Record, Request, Span, Tail, Ticket, Unavailable};
use qun_core::{Entropy, Key, Now, RoomId};
use qun_transports::Log;
use qun_transports::sqlite::{Event, OpenError, Options, SqliteLog};
use tempfile::TempDir;

/// Longer than anything takes on a machine that is busy with other things, too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A time in 2026, in milliseconds since 1970.
pub(crate) const NOW: u64 = 1_767_225_600_000;

/// A log, open.
pub(crate) struct Rig {
    log: SqliteLog,
    events: Events,
}

/// What a log has told its operator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<Event>>>);

impl Events {
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Wakes this thread, as a loop's alarm wakes the loop.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Rig {
    pub(crate) fn open(path: &Path) -> Self {
        Self::with(path, Options::default())
    }

    pub(crate) fn with(path: &Path, options: Options) -> Self {
        Self::try_open(path, options).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn try_open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let events = Events::default();
        let told = events.clone();
        let mut log = SqliteLog::open(path, seed(), options, move |event| told.0.lock().unwrap().push(event))?;
        log.start(Arc::new(Unpark(thread::current())).into());
        Ok(Self { log, events })
    }

    /// What the log has told since it was asked last.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.take()
    }

    pub(crate) fn log(&mut self) -> &mut SqliteLog {
        &mut self.log
    }

    pub(crate) fn submit(&mut self, unix_ms: u64, request: Request) {
        self.log.submit(Now { unix_ms, ..Now::default() }, request);
    }

    /// Waits for the next answer.
    pub(crate) fn next(&mut self) -> Answer {
        self.next_within(PATIENCE).expect("an answer")
    }

    /// The next answer, if it comes within that time.
    pub(crate) fn next_within(&mut self, time: Duration) -> Option<Answer> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(answer) = self.log.poll() {
                return Some(answer);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            thread::park_timeout(left);
        }
    }

    pub(crate) fn try_tail(&mut self, room: &str, bytes: usize) -> Result<Tail, Unavailable> {
        self.submit(0, Request::Open { room: id(room), bytes });
        loop {
            match self.next() {
                Answer::Ready { room: ready, tail } if ready == id(room) => return tail,
                Answer::Grew { records, .. } if records.is_empty() => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn tail(&mut self, room: &str) -> Tail {
        self.try_tail(room, usize::MAX).expect("the room opens")
    }

    /// Appends and waits for both answers.
    pub(crate) fn append(&mut self, room: &str, unix_ms: u64, drafts: Vec<Draft>) -> (Vec<Outcome>, Vec<Record>) {
        self.submit(unix_ms, Request::Append { room: id(room), drafts });
        let outcomes = loop {
            match self.next() {
                Answer::Settled { room: settled, outcomes } if settled == id(room) => break outcomes,
                Answer::Grew { records, .. } if records.is_empty() => {}
                other => panic!("{other:?}"),
            }
        };
        let is_new = |outcome: &Outcome| matches!(outcome, Outcome::New(_));
        let records = match outcomes.iter().any(is_new).then(|| self.next()) {
            None => Vec::new(),
            Some(Answer::Grew { records, .. }) => records.to_vec(),
            Some(other) => panic!("{other:?}"),
        };
        (outcomes, records)
    }

    /// Says one thing that nobody can send again; what became of it.
    pub(crate) fn say(&mut self, room: &str, text: &str) -> Outcome {
        self.append(room, NOW, vec![draft(None, text)]).0[0]
    }

    pub(crate) fn page(&mut self, room: &str, span: Span, limit: u64) -> Result<Page, Unavailable> {
        self.submit(0, Request::Load { ticket: Ticket(7), room: id(room), span, limit });
        loop {
            match self.next() {
                Answer::Loaded { ticket: Ticket(7), page } => return page,
                Answer::Grew { records, .. } if records.is_empty() => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The texts of all that a room has.
    pub(crate) fn texts(&mut self, room: &str) -> Vec<String> {
        let tail = self.tail(room);
        tail.records.iter().map(|record| record.text.as_str().to_string()).collect()
    }
}

/// A directory and the database in it.
pub(crate) fn place() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("qun.db");
    (dir, path)
}

/// A seed that no other log of this process had: two logs must not draw the same epochs.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    seed
}

pub(crate) fn id(room: &str) -> RoomId {
    room.parse().unwrap()
}

/// A key for each number.
pub(crate) fn key(number: u8) -> Key {
    Key::generate(&mut Entropy::new([number; 32]))
}

pub(crate) fn draft(once: Option<u64>, text: &str) -> Draft {
    draft_of(1, once, text)
}

pub(crate) fn draft_of(person: u8, once: Option<u64>, text: &str) -> Draft {
    let key = key(person);
    Draft {
        once: once.map(|id| (key.hash(), id.to_string().parse().unwrap())),
        member: key.member(),
        name: "ann".parse().unwrap(),
        kind: if text.starts_with('*') { Kind::Me } else { Kind::Say },
        text: text.parse().unwrap(),
        facts: Vec::new(),
    }
}

/// What a server leaves that was killed after it has said so many things in `ops`, under the ids 1, 2, 3 …: another
/// process, for nothing in this one can leave files as a crash does.
pub(crate) fn crash(path: &Path, says: u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["rig::the_process_that_is_killed", "--exact", "--ignored", "--nocapture"])
        .env("QUN_CRASH", format!("{says} {}", path.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    assert!(out.lines().map_while(Result::ok).any(|line| line.ends_with("ready")), "it ended before it was killed");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
#[ignore = "a part of other tests, which start it"]
fn the_process_that_is_killed() {
    let Ok(told) = std::env::var("QUN_CRASH") else { return };
    let (says, path) = told.split_once(' ').unwrap();
    let mut rig = Rig::open(Path::new(path));
    rig.tail("ops");
    for n in 1..=says.parse().unwrap() {
        rig.append("ops", NOW, vec![draft(Some(n), &format!("message {n}"))]);
    }
    println!("ready");
    loop {
        thread::park();
    }
}
