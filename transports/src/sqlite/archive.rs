//! The database from outside: read or copied beside a running server, filled without one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qun_core::log::{Page, Record, Span};
use qun_core::{Entropy, Epoch, RoomId, Seq};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::open::{self, OpenError};
use super::schema::{self, Found};
use super::writer::Writer;
use super::{Event, Options, fault, store};

/// A database to read from, whether a server has it open or not.
#[derive(Debug)]
pub struct Archive {
    conn: Connection,
    path: PathBuf,
}

/// Why something could not be read or copied.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// There is none.
    #[error("there is no {0}: no server has kept anything there yet")]
    Missing(PathBuf),
    /// It is not ours.
    #[error("{0} is not a database of qun")]
    Foreign(PathBuf),
    /// A later version wrote it.
    #[error("{0} is of a later version of qun")]
    Newer(PathBuf),
    /// The copy would overwrite something.
    #[error("{0} exists: name another file, or move it away")]
    Exists(PathBuf),
    /// A file can't be made.
    #[error("can't write {path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The database can't be read.
    #[error("can't read {path}: {what}")]
    Failed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl Archive {
    /// Opens the database at `path` to read it.
    ///
    /// # Errors
    /// Where there is none, or none that this program can read.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        if !path.exists() {
            return Err(ArchiveError::Missing(path.into()));
        }
        let failed = |error: rusqlite::Error| unreadable(path, &error);
        // What a server left that was killed is read by merging its journal, which is a write.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags).map_err(failed)?;
        match schema::find(&conn).map_err(failed)? {
            Found::Ours(_) => Ok(Self { conn, path: path.into() }),
            Found::Newer(_) => Err(ArchiveError::Newer(path.into())),
            Found::Empty | Found::Foreign => Err(ArchiveError::Foreign(path.into())),
        }
    }

    /// The first and the newest message of a room; `None` where there is no such room.
    ///
    /// # Errors
    /// Where the database can't be read.
    pub fn bounds(&self, room: &RoomId) -> Result<Option<(Seq, Seq)>, ArchiveError> {
        let row = store::room(&self.conn, room).map_err(|error| unreadable(&self.path, &error))?;
        Ok(row.map(|row| (row.first, row.head)))
    }

    /// A page of a room's history; `None` where there is no such room.
    ///
    /// # Errors
    /// Where the database can't be read.
    pub fn page(&mut self, room: &RoomId, span: Span, limit: u64) -> Result<Option<Page>, ArchiveError> {
        let read = |conn: &mut Connection| {
            let tx = conn.transaction()?;
            store::room(&tx, room)?.map(|row| store::page(&tx, &row, span, limit)).transpose()
        };
        read(&mut self.conn).map_err(|error| unreadable(&self.path, &error))
    }

    /// Reads the whole database and says what is wrong with it, 100 things at most: pages that are not as SQLite wrote them,
    /// and rooms whose messages are not those that the room says. A server goes on meanwhile.
    ///
    /// # Errors
    /// Where it can't be read at all.
    pub fn check(&self) -> Result<Vec<String>, ArchiveError> {
        let read = |sql: &str| -> rusqlite::Result<Vec<String>> {
            self.conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        };
        let check = || {
            let mut wrong = read("PRAGMA integrity_check(100)")?;
            wrong.retain(|line| line != "ok");
            if wrong.is_empty() {
                wrong = read(HOLES)?;
            }
            Ok(wrong)
        };
        check().map_err(|error| unreadable(&self.path, &error))
    }

    /// Copies the database as it is at one moment to `to`, which must not exist. A server goes on meanwhile, and nobody
    /// waits. The copy is whole or not there.
    ///
    /// # Errors
    /// Where the database can't be read, or the copy not be written.
    pub fn backup(&self, to: &Path) -> Result<u64, ArchiveError> {
        let cant_write = |path: &Path| {
            let path = path.to_path_buf();
            move |error| ArchiveError::File { path, error }
        };
        if to.symlink_metadata().is_ok() {
            return Err(ArchiveError::Exists(to.into()));
        }
        // An empty file of its owner's alone is one that SQLite copies into.
        let draft = super::mark::beside(to, ".part");
        let _ = fs::remove_file(&draft);
        open::create_empty(&draft).map_err(cant_write(&draft))?;
        let name = draft.to_str().ok_or_else(|| cant_write(&draft)(io::ErrorKind::InvalidFilename.into()))?;
        let copied = self.conn.execute("VACUUM INTO ?1", [name]).map_err(|error| unreadable(&self.path, &error));
        if copied.is_err() {
            let _ = fs::remove_file(&draft);
        }
        copied?;
        let size = File::open(&draft).and_then(|file| file.sync_all().and_then(|()| file.metadata()));
        let size = size.map_err(cant_write(&draft))?.len();
        // A link does not overwrite what somebody else has put there meanwhile.
        match fs::hard_link(&draft, to) {
            Ok(()) => fs::remove_file(&draft).map_err(cant_write(&draft))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(ArchiveError::Exists(to.into())),
            // Some file systems have no links.
            Err(_) => fs::rename(&draft, to).map_err(cant_write(to))?,
        }
        Ok(size)
    }
}

/// Rooms that lack messages, or have some that they should not.
const HOLES: &str = "
SELECT 'room ' || room.id || ' should have ' || (head - first + 1) || ' messages, ' || first || ' to ' || head ||
       ', and has ' || count(seq) || coalesce(', ' || min(seq) || ' to ' || max(seq), '')
FROM room LEFT JOIN message ON message.room = room.n
GROUP BY room.n
HAVING count(seq) <> head - first + 1 OR min(seq) <> first OR max(seq) <> head
UNION ALL
SELECT count(*) || ' messages are of rooms that there are not' FROM message
WHERE room NOT IN (SELECT n FROM room) HAVING count(*) > 0
LIMIT 100";

fn unreadable(path: &Path, error: &rusqlite::Error) -> ArchiveError {
    ArchiveError::Failed { path: path.into(), what: fault::describe(error) }
}

/// A database that takes messages that were exported from another, while no server has it open.
pub struct Import {
    writer: Writer,
    room: RoomId,
}

/// What became of messages that were to be imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// So many are new.
    pub new: u64,
    /// So many were there already.
    pub known: u64,
}

/// Why a message can't be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Another message has its number.
    #[error("message {0} is another one than the room has under that number")]
    Conflict(Seq),
    /// One is missing before it.
    #[error("message {got} does not follow: the room has {head} messages, so that {} would", .head.next())]
    Hole {
        /// The newest message that the room has.
        head: Seq,
        /// What was to be imported.
        got: Seq,
    },
    /// It is older than the one before it.
    #[error("message {0} is stamped before the one that it follows")]
    Backwards(Seq),
    /// The database won't.
    #[error("{0}")]
    Failed(String),
}

impl Import {
    /// Opens the database at `path`, or creates it, as a server would, to fill `room`. `seed` is 32 bytes of the best
    /// randomness.
    ///
    /// # Errors
    /// As [`SqliteLog::open`](super::SqliteLog::open): a server that runs is one.
    pub fn open(
        path: &Path,
        seed: [u8; 32],
        room: RoomId,
        on_event: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let (writer, ..) = open::open(path, seed, Options::default(), Arc::new(on_event))?;
        Ok(Self { writer, room })
    }

    /// Takes these messages: all of them or none. Those that the room has already are passed over, so that an import that
    /// was broken off is begun again from the start. In a room that has none, the first one may have any number.
    ///
    /// # Errors
    /// Says which message does not fit; nothing of these is taken then.
    pub fn take(&mut self, records: &[Record], entropy: &mut Entropy) -> Result<Imported, ImportError> {
        let failed = |error: rusqlite::Error| ImportError::Failed(fault::describe(&error));
        let tx = self.writer.conn().transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let mut room = match store::room(&tx, &self.room).map_err(failed)? {
            Some(room) => room,
            None => store::create(&tx, &self.room, Epoch::generate(entropy)).map_err(failed)?,
        };
        let mut imported = Imported::default();
        for record in records {
            if room.head == Seq::ZERO {
                room.begin_at(record.seq);
            }
            if record.seq <= room.head {
                let had = store::page(&tx, &room, Span::After(record.seq.minus(1)), 1).map_err(failed)?;
                // What the room has let go of is not to come back.
                if record.seq >= room.first && had.records.first() != Some(record) {
                    return Err(ImportError::Conflict(record.seq));
                }
                imported.known += 1;
                continue;
            }
            if record.seq != room.head.next() {
                return Err(ImportError::Hole { head: room.head, got: record.seq });
            }
            if record.ts < room.ts() {
                return Err(ImportError::Backwards(record.seq));
            }
            store::import(&tx, &mut room, record).map_err(failed)?;
            imported.new += 1;
        }
        store::save(&tx, &room).map_err(failed)?;
        tx.commit().map_err(failed)?;
        Ok(imported)
    }

    /// Closes the database.
    ///
    /// # Errors
    /// Where it can't be read for a last time.
    pub fn finish(self) -> Result<(), ImportError> {
        let numbered =
            store::numbered(self.writer.shown()).map_err(|error| ImportError::Failed(fault::describe(&error)))?;
        self.writer.finish_at(numbered);
        Ok(())
    }
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("room", &self.room).finish_non_exhaustive()
    }
}
