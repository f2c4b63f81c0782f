//! The tables, and how those of earlier versions become today's. docs/storage.md describes them for whoever looks inside.

use rusqlite::{Connection, Result, Transaction};

/// `application_id`, by which the file is known to be ours: "qun1".
pub(super) const APPLICATION: i32 = i32::from_be_bytes(*b"qun1");

/// Each takes the tables one version further; `user_version` counts those that were taken. What was released is never
/// changed: whoever needs something else adds a step.
const STEPS: &[&str] = &[V1, V2];

/// The version that this program reads and writes.
pub(super) const VERSION: usize = STEPS.len();

const V1: &str = "
CREATE TABLE log (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  stamp  TEXT NOT NULL,           -- new with each opening, here and in the mark beside the file
  probes INTEGER NOT NULL         -- commits that were tried after one that failed
) STRICT;

CREATE TABLE room (
  n     INTEGER PRIMARY KEY,
  id    TEXT NOT NULL UNIQUE,     -- as the configuration has it
  epoch TEXT NOT NULL,            -- which history this is
  first INTEGER NOT NULL,         -- the oldest message that is kept; head + 1 where there is none
  head  INTEGER NOT NULL,         -- the newest message ever
  ts    INTEGER NOT NULL,         -- its stamp
  bytes INTEGER NOT NULL          -- of the names and texts that are kept
) STRICT;

-- The sessions' keys, as SHA-256: the key itself is never here.
CREATE TABLE key (
  n     INTEGER PRIMARY KEY,
  hash  BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE message (
  room   INTEGER NOT NULL,        -- room.n
  seq    INTEGER NOT NULL,
  ts     INTEGER NOT NULL,        -- milliseconds since 1970
  member TEXT NOT NULL,
  name   TEXT NOT NULL,
  kind   TEXT NOT NULL,           -- 'say' or 'me'
  text   TEXT NOT NULL,
  id     TEXT,                    -- what its sender called it
  key    INTEGER,                 -- key.n, where it is appended once
  PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX once ON message (room, key, id) WHERE key IS NOT NULL;

-- For people at the sqlite3 shell.
CREATE VIEW messages AS
  SELECT room.id AS room, message.seq,
         strftime('%Y-%m-%d %H:%M:%f', message.ts / 1000.0, 'unixepoch') AS utc,
         message.name, message.kind, message.text, message.member, message.id
  FROM message JOIN room ON room.n = message.room;

CREATE VIEW rooms AS
  SELECT id AS room, head - first + 1 AS messages, first, head, bytes,
         CASE WHEN head > 0 THEN strftime('%Y-%m-%d %H:%M:%f', ts / 1000.0, 'unixepoch') END AS newest_utc, epoch
  FROM room;
";

/// Moderation: acts among the messages, and what a room is to know after a restart.
const V2: &str = "
ALTER TABLE message ADD COLUMN act TEXT;  -- what is to be known of a moderator's act beside its kind, as json

-- What the server holds of a room beside its messages: bans, topics, codes that were made while it ran, in plain text.
CREATE TABLE fact (
  room  INTEGER NOT NULL,         -- room.n
  key   TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (room, key)
) STRICT, WITHOUT ROWID;
";

/// What kind of file a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing is in it.
    Empty,
    /// It is ours, of this version.
    Ours(usize),
    /// It is ours, of a version that this program does not know.
    Newer(usize),
    /// It is another program's.
    Foreign,
}

/// Says what kind of file this is. Reads only.
pub(super) fn find(conn: &Connection) -> Result<Found> {
    let number = |pragma| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    Ok(match (application == i64::from(APPLICATION), usize::try_from(version)) {
        _ if tables == 0 => Found::Empty,
        (true, Ok(version @ 1..)) if version <= VERSION => Found::Ours(version),
        (true, Ok(version @ 1..)) => Found::Newer(version),
        _ => Found::Foreign,
    })
}

/// Takes the tables from `version` to [`VERSION`]: whole or not at all.
pub(super) fn migrate(tx: &Transaction<'_>, version: usize) -> Result<()> {
    for step in STEPS.iter().skip(version) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", VERSION as i64)
}
