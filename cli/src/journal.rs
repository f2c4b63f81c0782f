//! What a server tells its operator: log lines on stderr, JSON for programs and words for people.
//!
//! They are written on a thread of their own, so that a terminal that is paused or a full pipe stops no room; what it can't
//! take is left out and counted. No entry holds a code or what was said.

use std::io::{self, Write as _};
use std::iter;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use qun_core::server::{LogTask, Note, Peer, Reason};
use qun_transports::readiness::Event;
use qun_transports::sqlite;
use serde::Serialize;

use crate::config::Storage;

/// Entries that may wait to be written.
const BACKLOG: usize = 4_096;

/// How long nothing is written after something was.
const BREATH: Duration = Duration::from_millis(5);

/// How long the end of the program waits for the last entries.
const FLUSH: Duration = Duration::from_secs(1);

/// One thing that happened. Its fields are the log line's; those that say nothing here are left out.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Entry {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    addr: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rooms: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    m: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    durability: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Entry {
    /// The server listens; of each address the first thing that is told.
    pub(crate) fn listening(addr: SocketAddr, rooms: usize) -> Self {
        let version = Some(env!("CARGO_PKG_VERSION"));
        Self { event: "listening", addr: Some(addr), version, rooms: Some(rooms), ..Self::default() }
    }

    /// Where what is said is kept; without a file, in memory.
    pub(crate) fn history(storage: Option<&Storage>) -> Self {
        let file = storage.map(|storage| storage.path.display().to_string());
        let durability = storage.map(|storage| storage.options.durability.as_str());
        Self { event: "history", file, durability, ..Self::default() }
    }

    /// Something happened to the database.
    pub(crate) fn storage(event: &sqlite::Event) -> Self {
        let name = match event {
            sqlite::Event::Broken(_) => "history_restarted",
            sqlite::Event::Faulty { .. } => "storage_faulty",
            sqlite::Event::Healed => "storage_healed",
            sqlite::Event::Slow { .. } => "storage_slow",
            sqlite::Event::Unreadable { .. } => "storage_unreadable",
            sqlite::Event::Unindexed { .. } => "storage_unindexed",
            sqlite::Event::Indexed => "storage_indexed",
            sqlite::Event::Reindexing { .. } => "storage_reindexing",
            sqlite::Event::Replaced => "storage_replaced",
        };
        Self { event: name, why: Some(event.to_string()), ..Self::default() }
    }

    /// Something is unwise.
    pub(crate) fn warning(why: String) -> Self {
        Self { event: "warning", why: Some(why), ..Self::default() }
    }

    /// The configuration can't be served; the one before is.
    pub(crate) fn not_reloaded(why: String) -> Self {
        Self { event: "not_reloaded", why: Some(why), ..Self::default() }
    }

    /// The server has ended.
    pub(crate) fn stopped() -> Self {
        Self { event: "stopped", ..Self::default() }
    }

    /// Something happened to the server.
    fn event(event: Event) -> Self {
        let none = Self::default();
        match event {
            Event::Note(note) => Self::note(note),
            Event::Lost { conn, peer, error } => Self {
                event: "lost",
                conn: Some(format!("{conn:?}")),
                peer: Some(peer.to_string()),
                why: Some(error.to_string()),
                ..none
            },
            Event::Full { error } => Self { event: "full", why: Some(error.to_string()), ..none },
            Event::Accepting => Self { event: "accepting", ..none },
            Event::Refused { peer, error } => {
                Self { event: "refused", peer: Some(peer.to_string()), why: Some(error.to_string()), ..none }
            }
        }
    }

    fn note(note: Note) -> Self {
        let none = Self::default();
        match note {
            Note::Welcomed { conn, peer, member, name, resumed, account } => Self {
                event: "welcomed",
                conn: Some(format!("{conn:?}")),
                peer: Some(shown(peer)),
                m: Some(member.to_string()),
                name: Some(name.to_string()),
                resumed: Some(resumed),
                account: account.then_some(true),
                ..none
            },
            Note::Ended { member, name } => {
                Self { event: "ended", m: Some(member.to_string()), name: Some(name.to_string()), ..none }
            }
            Note::Entered { room, member, name, label } => Self {
                event: "entered",
                room: Some(room.to_string()),
                m: Some(member.to_string()),
                name: Some(name.to_string()),
                label: Some(label),
                ..none
            },
            Note::Left { room, member, name } => Self {
                event: "left",
                room: Some(room.to_string()),
                m: Some(member.to_string()),
                name: Some(name.to_string()),
                ..none
            },
            Note::WrongCode { peer, left } => {
                Self { event: "wrong_code", peer: Some(shown(peer)), left: Some(left), ..none }
            }
            Note::WrongPassword { peer, account, left } => Self {
                event: "wrong_password",
                peer: Some(shown(peer)),
                // Of one that there is: else it may be anything, a password typed too early, say.
                name: account.map(|name| name.to_string()),
                left: Some(left).filter(|left| *left != u64::MAX),
                ..none
            },
            Note::Locked { peer } => Self { event: "locked", peer: Some(shown(peer)), ..none },
            Note::Closed { conn, peer, reason } => Self {
                event: "closed",
                conn: Some(format!("{conn:?}")),
                peer: Some(shown(peer)),
                why: Some(reason_name(reason).into()),
                ..none
            },
            Note::Reloaded { added, removed, changed } => {
                let (added, removed, changed) = (Some(added), Some(removed), Some(changed));
                Self { event: "reloaded", added, removed, changed, ..none }
            }
            Note::RoomClosed { room, members } => {
                Self { event: "room_closed", room: Some(room.to_string()), n: u64::try_from(members).ok(), ..none }
            }
            Note::TooManyToName { room, here, most } => {
                let why = format!("{here} are in {room}, and a room with presence = \"full\" has at most {most}");
                Self { event: "presence_unchanged", room: Some(room.to_string()), why: Some(why), ..none }
            }
            Note::Acted { room, member, name, act } => Self {
                event: "acted",
                room: Some(room.to_string()),
                m: Some(member.to_string()),
                name: Some(name.to_string()),
                why: Some(act.to_string()),
                ..none
            },
            Note::LogFault { room, task, count } => {
                let why = Some(task_name(task).into());
                Self { event: "log_fault", room: Some(room.to_string()), n: Some(count), why, ..none }
            }
            Note::LogWorks { room, task, count } => {
                let why = Some(task_name(task).into());
                Self { event: "log_works", room: Some(room.to_string()), n: Some(count), why, ..none }
            }
        }
    }

    /// The line for a program.
    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The line for a person.
    fn words(&self, zone: &TimeZone) -> String {
        let time = self.ts.unwrap_or_default().to_zoned_datetime(zone.clone()).strftime("%H:%M:%S").to_string();
        let name = self.name.as_deref().unwrap_or_default();
        let peer = self.peer.as_deref().unwrap_or_default();
        let room = self.room.as_deref().unwrap_or_default();
        let why = self.why.as_deref().unwrap_or_default();
        let what = match self.event {
            "listening" => format!("listening on {}", self.addr.map(|addr| addr.to_string()).unwrap_or_default()),
            "history" => match &self.file {
                Some(file) => format!("what is said is kept in {file}"),
                None => "what is said is kept in memory".into(),
            },
            "warning" => format!("warning: {why}"),
            "not_reloaded" => format!("the configuration is served as it was: {why}"),
            "reloaded" => {
                let [added, removed, changed] = [self.added, self.removed, self.changed].map(Option::unwrap_or_default);
                format!("reloaded; rooms: {added} added, {removed} removed, {changed} changed")
            }
            "room_closed" => format!("{room} is closed, {} were in it", self.n.unwrap_or_default()),
            "presence_unchanged" => format!("{room} goes on counting: {why}"),
            storage if storage.starts_with("storage_") || storage == "history_restarted" => why.into(),
            "stopped" => "stopped".into(),
            "lost" => format!("{peer} was lost: {why}"),
            "full" => format!("no room for another connection, newcomers wait: {why}"),
            "accepting" => "taking newcomers again".into(),
            "refused" => format!("{peer} was turned away, and others may be from now on without a word: {why}"),
            "welcomed" if self.resumed == Some(true) => format!("{name} is back from {peer}"),
            "welcomed" => format!("{name} connected from {peer}"),
            "ended" => format!("{name} is gone"),
            "entered" => format!("{name} entered {room} by the code {:?}", self.label.as_deref().unwrap_or_default()),
            "left" => format!("{name} left {room}"),
            "acted" => format!("{name} in {room}: {why}"),
            "wrong_code" => format!("{peer} tried a wrong code, {} left", self.left.unwrap_or_default()),
            "locked" => format!("{peer} is locked: too many wrong codes"),
            "closed" => format!("{peer} closed: {why}"),
            "log_fault" if why == "keep" => {
                format!("the log of {room} could not keep {} messages", self.n.unwrap_or_default())
            }
            "log_fault" => format!("the log of {room} could not be read, {} times", self.n.unwrap_or_default()),
            "log_works" => format!("the log of {room} works again, after {} failures", self.n.unwrap_or_default()),
            "dropped" => format!("{} lines could not be written in time", self.n.unwrap_or_default()),
            other => other.into(),
        };
        format!("{time} {what}")
    }
}

fn shown(peer: Peer) -> String {
    match peer {
        Peer::Net(addr) => addr.to_string(),
        Peer::Local => "local".into(),
    }
}

fn task_name(task: LogTask) -> &'static str {
    match task {
        LogTask::Keep => "keep",
        LogTask::Read => "read",
    }
}

fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::Done => "done",
        Reason::EndOfInput => "end_of_input",
        Reason::Protocol => "protocol",
        Reason::Version => "version",
        Reason::TooBig => "too_big",
        Reason::Replaced => "replaced",
        Reason::AccountChanged => "account_changed",
        Reason::Handshake => "handshake",
        Reason::Flood => "flood",
        Reason::Slow => "slow",
        Reason::Dead => "dead",
        Reason::Shutdown => "shutdown",
    }
}

/// Writes entries to stderr.
pub(crate) struct Journal {
    writer: Writer,
    done: Receiver<()>,
}

/// A way into a [`Journal`], for another owner; to be dropped before the journal finishes.
#[derive(Clone)]
pub(crate) struct Writer {
    to: SyncSender<(Timestamp, Told)>,
    dropped: Arc<AtomicU64>,
}

/// What is to be written. What happens to the server becomes an entry where that is written, so that the loop has little to
/// do with it.
enum Told {
    Entry(Box<Entry>),
    Event(Event),
}

impl Journal {
    /// Starts to write, in words where a person reads it.
    pub(crate) fn start(for_people: bool) -> Self {
        let (to, told) = sync_channel(BACKLOG);
        let dropped = Arc::new(AtomicU64::new(0));
        let (finished, done) = mpsc::channel();
        let count = Arc::clone(&dropped);
        thread::spawn(move || {
            write_all(&told, &count, for_people);
            drop(finished);
        });
        Self { writer: Writer { to, dropped }, done }
    }

    /// Another way in.
    pub(crate) fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// Writes an entry, or counts it where the backlog is full. Never waits.
    pub(crate) fn write(&self, entry: Entry) {
        self.writer.write(entry);
    }

    /// Waits a moment for what is not written yet.
    pub(crate) fn finish(self) {
        drop(self.writer);
        let _ = self.done.recv_timeout(FLUSH);
    }
}

impl Writer {
    /// As [`Journal::write`].
    pub(crate) fn write(&self, entry: Entry) {
        self.tell(Told::Entry(entry.into()));
    }

    /// Writes what happened to the server, as [`Journal::write`] does.
    pub(crate) fn event(&self, event: Event) {
        self.tell(Told::Event(event));
    }

    fn tell(&self, told: Told) {
        if self.to.try_send((now(), told)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Told {
    fn at(self, ts: Timestamp) -> Entry {
        let entry = match self {
            Self::Entry(entry) => *entry,
            Self::Event(event) => Entry::event(event),
        };
        Entry { ts: Some(ts), ..entry }
    }
}

/// The time, as exact as anybody reads it.
fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or_default()
}

fn write_all(told: &Receiver<(Timestamp, Told)>, dropped: &AtomicU64, for_people: bool) {
    let zone = TimeZone::system();
    let line = |entry: Entry| (if for_people { entry.words(&zone) } else { entry.json() }) + "\n";
    while let Ok(first) = told.recv() {
        let now_there = iter::once(first).chain(told.try_iter()).take(BACKLOG);
        let mut lines: String = now_there.map(|(ts, told)| line(told.at(ts))).collect();
        match dropped.swap(0, Ordering::Relaxed) {
            0 => {}
            n => lines += &line(Entry { event: "dropped", ts: Some(now()), n: Some(n), ..Entry::default() }),
        }
        // Where stderr is gone there is nobody to tell.
        let _ = io::stderr().write_all(lines.as_bytes());
        // Whatever comes meanwhile is written at once: where people come and go in crowds, waking this thread and writing for
        // each line of theirs would cost more than they do.
        thread::sleep(BREATH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_noon(entry: Entry) -> Entry {
        Entry { ts: "2026-02-17T12:00:00Z".parse().ok(), ..entry }
    }

    #[test]
    fn a_program_reads_json() {
        let entry = at_noon(Entry::listening("127.0.0.1:7777".parse().unwrap(), 1));
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            entry.json(),
            format!(
                r#"{{"event":"listening","addr":"127.0.0.1:7777","ts":"2026-02-17T12:00:00Z","version":"{version}","rooms":1}}"#
            )
        );
        let note = Note::WrongCode { peer: Peer::Net("[::1]:4000".parse().unwrap()), left: 3 };
        assert_eq!(
            at_noon(Entry::event(Event::Note(note))).json(),
            r#"{"event":"wrong_code","ts":"2026-02-17T12:00:00Z","peer":"[::1]:4000","left":3}"#
        );
    }

    #[test]
    fn a_reload_is_told() {
        let note = || Note::Reloaded { added: 1, removed: 0, changed: 2 };
        assert_eq!(
            at_noon(Entry::event(Event::Note(note()))).json(),
            r#"{"event":"reloaded","ts":"2026-02-17T12:00:00Z","added":1,"removed":0,"changed":2}"#
        );
        assert_eq!(
            at_noon(Entry::event(Event::Note(note()))).words(&TimeZone::UTC),
            "12:00:00 reloaded; rooms: 1 added, 0 removed, 2 changed"
        );
    }

    #[test]
    fn a_person_reads_words() {
        let note = Note::Entered {
            room: "ops".parse().unwrap(),
            member: qun_core::MemberId::from_bits(0),
            name: "ann".parse().unwrap(),
            label: "team".into(),
        };
        assert_eq!(
            at_noon(Entry::event(Event::Note(note))).words(&TimeZone::UTC),
            "12:00:00 ann entered ops by the code \"team\""
        );
    }
}
