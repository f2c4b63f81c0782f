//! Opening a database: everything that is looked at before a message is taken.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use qun_core::{Entropy, Epoch, Id};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::finder::Finder;
use super::mark::{Base, Left, Mark, Taken, beside};
use super::reader::Reader;
use super::schema::{self, Found};
use super::writer::Writer;
use super::{Break, Durability, Event, Options, fault, store};

/// Up to this size, the whole file is checked at each start.
const CHECKED: u64 = 256 << 20;

/// How long a writer waits for another program's lock: longer than anybody holds one who means well.
const LOCK: Duration = Duration::from_secs(2);

/// How a log tells what its operator should know.
pub(super) type Tell = Arc<dyn Fn(Event) + Send + Sync>;

/// Why a database can't be served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is not there, or can't be written.
    #[error("can't open {path}: {error}")]
    File {
        /// Of what could not be opened.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another server has it.
    #[error("another server has {path} open{}: two can't share one database", by(.pid))]
    Taken {
        /// The database.
        path: PathBuf,
        /// The other one's process, where it is known.
        pid: Option<u32>,
    },
    /// It is not SQLite's, or another program's.
    #[error("{path} is not a database of qun: name another file")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version wrote it.
    #[error(
        "{path} is of a later version of qun (its tables are version {found}, this program knows {known}): serve it with that one"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The version of its tables.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
    /// Something in it is not as SQLite wrote it.
    #[error(
        "{path} is damaged: {what}\n\
         It is left as it is. Restore a backup in its place; or save what can be read, and start with that:\n  \
         sqlite3 {path} .recover | sqlite3 saved.db"
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// Its journal is another file's.
    #[error(
        "{path} was changed while {path}-wal, its journal, still had to be merged into it.\n\
         Where a backup was copied over it, that journal belongs to the file that was there before: move {path}-wal and \
         {path}-shm away, and start again.\n\
         Where you know that it belongs to this file, merge it: sqlite3 {path} 'pragma wal_checkpoint(truncate)'"
    )]
    Mixed {
        /// The database.
        path: PathBuf,
    },
    /// The system or the disk won't.
    #[error("can't open {path}: {what}")]
    Failed {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

fn by(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// Opens the database at `path` for one who writes, one who reads and one who finds.
pub(super) fn open(
    path: &Path,
    seed: [u8; 32],
    options: Options,
    tell: Tell,
) -> Result<(Writer, Reader, Finder), OpenError> {
    let mut entropy = Entropy::new(seed);
    let path = resolve(path)?;
    let (mut mark, left) = Mark::take(&path).map_err(|taken| match taken {
        Taken::By(pid) => OpenError::Taken { path: path.clone(), pid },
        Taken::Failed(error) => OpenError::File { path: beside(&path, "-mark"), error },
    })?;
    look(&path, &left)?;

    let failed = |error: rusqlite::Error| wrong(&path, &error);
    let mut conn = connect(&path).map_err(failed)?;
    let found = schema::find(&conn).map_err(failed)?;
    let version = match found {
        Found::Empty => 0,
        Found::Ours(version) => version,
        Found::Newer(found) => return Err(OpenError::Newer { path, found, known: schema::VERSION }),
        Found::Foreign => return Err(OpenError::Foreign { path }),
    };
    check(&conn, &path)?;
    prepare(&conn, options.durability).map_err(failed)?.ok_or_else(|| OpenError::Failed {
        path: path.clone(),
        what: "its file system can't hold a write-ahead log: choose a local disk".into(),
    })?;

    let broken =
        renew(&mut conn, version, &mut mark, &left, options.durability, &mut entropy).map_err(|error| match error {
            Renewal::Database(error) => wrong(&path, &error),
            Renewal::Mark(error) => OpenError::File { path: mark.path().into(), error },
        })?;
    if let Some(broken) = broken {
        tell(Event::Broken(broken));
    }

    let file = fs::metadata(&path).map_err(|error| OpenError::File { path: path.clone(), error })?;
    mark.state.base = Some(Base::of(&file));
    mark.sync().map_err(|error| OpenError::File { path: mark.path().into(), error })?;
    let reading = || connect(&path).and_then(|conn| conn.pragma_update(None, "query_only", true).map(|()| conn));
    let reader = Reader::new(reading().map_err(failed)?, tell.clone());
    let finder = Finder::new(reading().map_err(failed)?, &path, tell.clone());
    let identity = (file.dev(), file.ino());
    let writer = Writer::new(conn, path.clone(), identity, mark, options, entropy, tell).map_err(failed)?;
    Ok((writer, reader, finder))
}

/// The path itself, whatever links lead to it: a second server that comes by another one finds the same mark.
fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |error| OpenError::File { path: path.into(), error };
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_symlink()) || path.exists() {
        return path.canonicalize().map_err(failed);
    }
    let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(dir.canonicalize().map_err(failed)?.join(name))
}

/// Looks at the file before SQLite does, which would take an empty one for a new one.
fn look(path: &Path, left: &Left) -> Result<(), OpenError> {
    let failed = |error| OpenError::File { path: path.into(), error };
    let metadata = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Err(OpenError::Foreign { path: path.into() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return create(path).map_err(failed),
        Err(error) => return Err(failed(error)),
    };
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(16).read_to_end(&mut head)).map_err(failed)?;
    match (head.as_slice(), left) {
        // Somebody made an empty file, or SQLite did and was killed.
        ([], Left::State(state, _)) if state.messages > 0 => {
            let what = format!("it is empty, and {} messages were in it", state.messages);
            return Err(OpenError::Damaged { path: path.into(), what });
        }
        ([] | b"SQLite format 3\0", _) => {}
        (_, Left::State(..)) => {
            return Err(OpenError::Damaged { path: path.into(), what: "its beginning is not a database's".into() });
        }
        _ => return Err(OpenError::Foreign { path: path.into() }),
    }
    let journal = fs::metadata(beside(path, "-wal")).is_ok_and(|journal| journal.len() > 0);
    if journal && left.denies(Base::of(&metadata)) {
        return Err(OpenError::Mixed { path: path.into() });
    }
    Ok(())
}

/// Creates an empty file that its owner alone can read: SQLite gives its journals the same mode. Journals of a database
/// that is gone would be taken for the new one's.
fn create(path: &Path) -> io::Result<()> {
    for end in ["-wal", "-shm"] {
        match fs::rename(beside(path, end), beside(path, &format!("{end}.lost"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    create_empty(path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// Creates an empty file that its owner alone can read.
pub(super) fn create_empty(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(LOCK)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// Looks whether the file is sound: whole, unless that would take long.
fn check(conn: &Connection, path: &Path) -> Result<(), OpenError> {
    if fs::metadata(path).is_ok_and(|file| file.len() > CHECKED) {
        return Ok(());
    }
    let what: String =
        conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| wrong(path, &error))?;
    if what == "ok" { Ok(()) } else { Err(OpenError::Damaged { path: path.into(), what }) }
}

/// Sets what holds as long as the file is open; `None` where it can have no write-ahead log.
fn prepare(conn: &Connection, durability: Durability) -> rusqlite::Result<Option<()>> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    conn.pragma_update(None, "synchronous", synchronous)?;
    // The writer does it when nobody waits.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok((mode == "wal").then_some(()))
}

enum Renewal {
    Database(rusqlite::Error),
    Mark(io::Error),
}

/// Takes the tables to today's version, and gives the database and its mark a new stamp, in an order in which a crash at
/// any point leaves them in agreement. Where the two did not agree before, every room gets a new epoch; says why.
fn renew(
    conn: &mut Connection,
    version: usize,
    mark: &mut Mark,
    left: &Left,
    durability: Durability,
    entropy: &mut Entropy,
) -> Result<Option<Break>, Renewal> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(Renewal::Database)?;
    schema::migrate(&tx, version).map_err(Renewal::Database)?;
    let read = |sql: &str| tx.query_row(sql, [], |row| row.get::<_, String>(0));
    let old = match read("SELECT stamp FROM log") {
        Err(rusqlite::Error::QueryReturnedNoRows) => String::new(),
        old => old.map_err(Renewal::Database)?,
    };
    let messages = store::numbered(&tx).map_err(Renewal::Database)?;
    let broken = match left {
        Left::State(state, _) if version == 0 => (state.messages > 0).then_some(Break::Gone),
        left => left.judge(&old, messages).err(),
    };
    if broken.is_some() {
        store::begin_epochs(&tx, || Epoch::generate(entropy)).map_err(Renewal::Database)?;
    }

    let new = Id::generate(entropy).to_string();
    mark.state.begin(durability);
    if broken.is_none() {
        // Until the database has it, either is right; of one that is not the mark's, neither, and it is judged again.
        mark.state.stamp = old;
        mark.state.next = Some(new.clone());
        mark.sync().map_err(Renewal::Mark)?;
    }
    let sql = "INSERT INTO log (one, stamp, probes) VALUES (1, ?1, 0) ON CONFLICT DO UPDATE SET stamp = ?1";
    tx.execute(sql, [&new]).map_err(Renewal::Database)?;
    tx.commit().map_err(Renewal::Database)?;
    mark.state.stamp = new;
    mark.state.next = None;
    mark.state.messages = messages;
    mark.gauge().map_err(Renewal::Mark)?;
    mark.sync().map_err(Renewal::Mark)?;
    Ok(broken)
}

/// What an error of SQLite says about the file.
fn wrong(path: &Path, error: &rusqlite::Error) -> OpenError {
    let what = fault::describe(error);
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            OpenError::Damaged { path: path.into(), what: error.to_string() }
        }
        _ => OpenError::Failed { path: path.into(), what },
    }
}
