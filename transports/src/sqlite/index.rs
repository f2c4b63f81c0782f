//! The index of words: where, in each room, a word stands.
//!
//! It is a file of its own beside the database, and holds nothing that the database has not: no backup needs it, and one
//! that is damaged or of another database is thrown away and built anew. So it is never synced but as it is closed: nobody
//! who looks for something waits for a disk, and where the machine goes down with it open it is built anew, too. What it holds is what
//! [`folded`] makes of each text, contentless, under a number made of room and seq; so the newest that has some words is
//! where SQLite begins to look, and a room's messages are found without looking at another's.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use qun_core::search::folded;
use qun_core::{Epoch, RoomId, Seq, Words};
use rusqlite::{Connection, Result, Transaction, params};

use super::mark::{self, beside};
use super::{open, store};

/// `application_id` of an index: "qunw".
const APPLICATION: i32 = i32::from_be_bytes(*b"qunw");
/// `user_version`. An index of another version is built anew: also where texts are folded in another way.
const VERSION: i32 = 1;

/// The state of an index that was closed.
const CLEAN: &str = "";

/// Bits of a document's number that count a room's messages; those above are the room's shelf.
const SHELF: u32 = 40;

const TABLES: &str = "
CREATE TABLE shelf (
  n     INTEGER PRIMARY KEY,
  room  TEXT NOT NULL UNIQUE,
  epoch TEXT NOT NULL,          -- of which history
  base  INTEGER NOT NULL,       -- message seq is document (n << 40) + seq - base
  first INTEGER NOT NULL,       -- the oldest message that is in
  head  INTEGER NOT NULL        -- the newest
) STRICT;

CREATE TABLE state (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  boot  TEXT NOT NULL           -- since which start of the machine it is open; empty: it was closed
) STRICT;

INSERT INTO state VALUES (1, '');

CREATE VIRTUAL TABLE words USING fts5(text, content='', contentless_delete=1, tokenize='ascii');
";

/// An index that is open.
pub(super) struct Index {
    conn: Connection,
    shelves: BTreeMap<RoomId, Shelf>,
    /// The room that was served last: those behind it are next.
    served: Option<RoomId>,
}

/// What of one room is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shelf {
    n: i64,
    epoch: Epoch,
    base: Seq,
    first: Seq,
    head: Seq,
}

/// Why an index can't be opened or filled.
#[derive(Debug)]
pub(super) enum Fault {
    /// The messages can't be read.
    Messages(rusqlite::Error),
    /// The index can't be read or written.
    Index(rusqlite::Error),
    /// Its file can't be made.
    File(io::Error),
    /// It is of other messages than those that there are.
    Stale,
}

/// An error of the index, unless it is said to be one of the messages.
impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Index(error)
    }
}

/// Where the index of a database is.
pub(super) fn path_of(database: &Path) -> PathBuf {
    beside(database, "-words")
}

impl Index {
    /// Opens the index at `path`, or begins one where there is none.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        if fs::metadata(path).is_ok_and(|file| file.len() > 0) { Self::open_old(path) } else { Self::begin(path) }
    }

    /// Begins an empty one, in place of whatever is there.
    pub(super) fn begin(path: &Path) -> Result<Self, Fault> {
        for end in ["", "-wal", "-shm", "-journal"] {
            match fs::remove_file(beside(path, end)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Fault::File(error)),
                _ => {}
            }
        }
        open::create_empty(path).map_err(Fault::File)?;
        let mut conn = connect(path)?;
        let tx = conn.transaction()?;
        tx.execute_batch(TABLES)?;
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", VERSION)?;
        tx.commit()?;
        set_boot(&conn, &boot())?;
        Ok(Self { conn, shelves: BTreeMap::new(), served: None })
    }

    fn open_old(path: &Path) -> Result<Self, Fault> {
        let conn = connect(path)?;
        let number = |pragma| conn.query_row(pragma, [], |row| row.get::<_, i32>(0));
        if (number("PRAGMA application_id")?, number("PRAGMA user_version")?) != (APPLICATION, VERSION) {
            return Err(Fault::Stale);
        }
        let left: String = conn.query_row("SELECT boot FROM state", [], |row| row.get(0))?;
        let now = boot();
        if left != CLEAN && (left != now || now == UNKNOWN) {
            return Err(Fault::Stale);
        }
        let read = |row: &rusqlite::Row<'_>| {
            let [base, first, head] = [3, 4, 5].map(|column| store::unsigned(row, column).map(Seq::new));
            let shelf =
                Shelf { n: row.get(0)?, epoch: store::parsed(row, 2)?, base: base?, first: first?, head: head? };
            Ok((store::parsed(row, 1)?, shelf))
        };
        let shelves = conn
            .prepare("SELECT n, room, epoch, base, first, head FROM shelf")?
            .query_map([], read)?
            .collect::<Result<_>>()?;
        set_boot(&conn, &now)?;
        Ok(Self { conn, shelves, served: None })
    }

    /// Closes it, whole and on the disk. What fails here is built anew by whoever opens it next.
    pub(super) fn close(self) {
        let Self { conn, .. } = self;
        let synced = conn.pragma_update(None, "synchronous", "FULL").is_ok()
            && conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).is_ok_and(|busy: i64| busy == 0);
        if synced {
            let _ = set_boot(&conn, CLEAN);
        }
        let _ = conn.close();
    }

    /// Takes up what it lacks of the messages and lets go of what was trimmed, so many of them at most; says whether there
    /// is more to do.
    pub(super) fn catch_up(&mut self, messages: &mut Connection, most: u64) -> Result<bool, Fault> {
        let from = messages.transaction().map_err(Fault::Messages)?;
        let rooms = store::rooms(&from).map_err(Fault::Messages)?;
        let fits = |(id, shelf): (&RoomId, &Shelf)| {
            rooms.get(id).is_some_and(|room| room.epoch == shelf.epoch && room.head >= shelf.head)
        };
        if !self.shelves.iter().all(fits) {
            return Err(Fault::Stale);
        }
        let lacks = |(id, room): &(&RoomId, &store::Room)| match self.shelves.get(*id) {
            Some(shelf) => shelf.head < room.head || shelf.first < room.first,
            None => room.first <= room.head,
        };
        // No room waits for another that never stops.
        let (before, behind): (Vec<_>, Vec<_>) =
            rooms.iter().filter(lacks).partition(|(id, _)| self.served.as_ref().is_some_and(|served| *id <= served));
        let mut left = most;
        let mut changed = Vec::new();
        let tx = self.conn.transaction()?;
        for (id, room) in behind.into_iter().chain(before) {
            if left == 0 {
                break;
            }
            let shelf = match self.shelves.get(id) {
                Some(shelf) => *shelf,
                None => shelve(&tx, id, room)?,
            };
            let shelf = thin(&tx, shelf, room.first, &mut left)?;
            let shelf = fill(&tx, shelf, &from, room, &mut left)?;
            let sql = "UPDATE shelf SET first = ?2, head = ?3 WHERE n = ?1";
            let [first, head] = [shelf.first, shelf.head].map(|seq| store::signed(seq.get()));
            tx.prepare_cached(sql)?.execute(params![shelf.n, first, head])?;
            changed.push((id.clone(), shelf));
        }
        tx.commit()?;
        self.served = changed.last().map(|(id, _)| id.clone());
        self.shelves.extend(changed);
        Ok(left == 0)
    }

    /// Up to which message of a room the words are in; `None` where none is.
    pub(super) fn head(&self, id: &RoomId, room: &store::Room) -> Option<Seq> {
        let shelf = self.shelves.get(id).filter(|shelf| shelf.epoch == room.epoch && shelf.head <= room.head)?;
        (shelf.first <= shelf.head).then_some(shelf.head)
    }

    /// Gives the messages of a room that have these words, from `from` up to but not `before`, the newest first, until it
    /// is told that it is enough. A message that was changed since may not have them any more.
    pub(super) fn find<E: From<rusqlite::Error>>(
        &self,
        id: &RoomId,
        words: &Words,
        from: Seq,
        before: Seq,
        mut give: impl FnMut(Seq) -> Result<Enough, E>,
    ) -> Result<(), E> {
        let Some(shelf) = self.shelves.get(id) else { return Ok(()) };
        let (from, last) = (from.max(shelf.first), before.minus(1).min(shelf.head));
        if from > last {
            return Ok(());
        }
        let sql = "SELECT rowid FROM words WHERE words MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid DESC";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![expression(words), shelf.document(from), shelf.document(last)])?;
        while let Some(row) = rows.next()? {
            let document: i64 = row.get(0)?;
            if let Enough::Yes = give(shelf.seq(document))? {
                break;
            }
        }
        Ok(())
    }
}

/// Whether somebody has what they wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enough {
    Yes,
    No,
}

impl Shelf {
    /// The number of a message's document. Two messages have the same only in a room of more than 2^40.
    fn document(&self, seq: Seq) -> i64 {
        (self.n << SHELF) + store::signed(seq.get() - self.base.get())
    }

    fn seq(&self, document: i64) -> Seq {
        self.base.plus((document & ((1 << SHELF) - 1)).unsigned_abs())
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let conn = open::connect(path)?;
    // Nobody else reads it while a server runs.
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    Ok(conn)
}

/// Since which start of the machine it runs.
fn boot() -> String {
    Some(mark::boot()).filter(|boot| !boot.is_empty()).unwrap_or_else(|| UNKNOWN.into())
}

/// Where the machine does not say.
const UNKNOWN: &str = "unknown";

fn set_boot(conn: &Connection, boot: &str) -> Result<()> {
    conn.execute("UPDATE state SET boot = ?1", [boot]).map(drop)
}

/// Begins a room.
fn shelve(tx: &Transaction<'_>, id: &RoomId, room: &store::Room) -> Result<Shelf> {
    let (first, head) = (room.first, room.first.minus(1));
    let sql = "INSERT INTO shelf (room, epoch, base, first, head) VALUES (?1, ?2, ?3, ?3, ?4)";
    let values = params![id.as_str(), room.epoch.as_str(), store::signed(first.get()), store::signed(head.get())];
    tx.prepare_cached(sql)?.execute(values)?;
    Ok(Shelf { n: tx.last_insert_rowid(), epoch: room.epoch, base: first, first, head })
}

/// Lets go of messages below `first`.
fn thin(tx: &Transaction<'_>, mut shelf: Shelf, first: Seq, left: &mut u64) -> Result<Shelf> {
    let mut delete = tx.prepare_cached("DELETE FROM words WHERE rowid = ?1")?;
    while shelf.first < first && *left > 0 {
        if shelf.first > shelf.head {
            // They were gone before they were in.
            (shelf.first, shelf.head) = (first, first.minus(1));
            break;
        }
        delete.execute([shelf.document(shelf.first)])?;
        shelf.first = shelf.first.next();
        *left -= 1;
    }
    Ok(shelf)
}

/// Takes messages up.
fn fill(
    tx: &Transaction<'_>,
    mut shelf: Shelf,
    messages: &Connection,
    room: &store::Room,
    left: &mut u64,
) -> Result<Shelf, Fault> {
    let mut insert = tx.prepare_cached("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?;
    let mut delete = tx.prepare_cached("DELETE FROM words WHERE rowid = ?1")?;
    store::texts(
        messages,
        room,
        shelf.head,
        *left,
        |seq, text, removes| {
            // What was taken up before it was taken back.
            if let Some(of) = removes.filter(|of| (shelf.first..=shelf.head).contains(of)) {
                delete.execute([shelf.document(of)]).map_err(Fault::Index)?;
            }
            insert.execute(params![shelf.document(seq), folded(text).trim()]).map_err(Fault::Index)?;
            shelf.head = seq;
            *left -= 1;
            Ok(())
        },
        Fault::Messages,
    )?;
    Ok(shelf)
}

/// What is looked for, as FTS5 has it: the words hold nothing that means something there.
fn expression(words: &Words) -> String {
    let term =
        |term: &qun_core::search::Term| format!("\"{}\"{}", term.words(), if term.is_open() { " *" } else { "" });
    words.terms().iter().map(term).collect::<Vec<_>>().join(" AND ")
}
