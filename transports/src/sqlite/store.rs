//! What is asked of the tables: every statement that reads or writes a room.
//!
//! The functions run inside their caller's transaction, so that what they read agrees with itself.

use std::collections::{BTreeMap, VecDeque};

use qun_core::log::{Draft, Fact, Facts, Kind, Outcome, Page, Record, Span, Tail};
use qun_core::{Epoch, Id, KeyHash, RoomId, Seq};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, OptionalExtension as _, Result, Row, params};

use super::Retention;
use super::index::Enough;

/// Bytes of texts that are read for one page at most; the first message is read whatever it holds. A page that goes over
/// the wire holds less.
const PAGE_BYTES: usize = 1 << 20;

/// Messages that one transaction trims at most.
const TRIMMED: i64 = 1_000;

/// A room, as the tables have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room {
    n: i64,
    pub(super) epoch: Epoch,
    pub(super) first: Seq,
    pub(super) head: Seq,
    ts: u64,
    bytes: u64,
}

impl Room {
    /// The stamp of its newest message ever.
    pub(super) fn ts(&self) -> u64 {
        self.ts
    }

    /// Lets the first message of a room that never had one be this.
    pub(super) fn begin_at(&mut self, first: Seq) {
        (self.first, self.head) = (first, first.minus(1));
    }
}

/// Finds a room.
pub(super) fn room(conn: &Connection, id: &RoomId) -> Result<Option<Room>> {
    let mut statement = conn.prepare_cached("SELECT n, epoch, first, head, ts, bytes FROM room WHERE id = ?1")?;
    statement.query_row([id.as_str()], room_of).optional()
}

fn room_of(row: &Row<'_>) -> Result<Room> {
    Ok(Room {
        n: row.get(0)?,
        epoch: parsed(row, 1)?,
        first: Seq::new(unsigned(row, 2)?),
        head: Seq::new(unsigned(row, 3)?),
        ts: unsigned(row, 4)?,
        bytes: unsigned(row, 5)?,
    })
}

/// Makes a room that there was not.
pub(super) fn create(conn: &Connection, id: &RoomId, epoch: Epoch) -> Result<Room> {
    let sql = "INSERT INTO room (id, epoch, first, head, ts, bytes) VALUES (?1, ?2, 1, 0, 0, 0)";
    conn.prepare_cached(sql)?.execute([id.as_str(), epoch.as_str()])?;
    Ok(Room { n: conn.last_insert_rowid(), epoch, first: Seq::new(1), head: Seq::ZERO, ts: 0, bytes: 0 })
}

/// Gives every room a new epoch.
pub(super) fn begin_epochs(conn: &Connection, mut generate: impl FnMut() -> Epoch) -> Result<()> {
    let rooms: Vec<i64> =
        conn.prepare("SELECT n FROM room")?.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    for n in rooms {
        conn.execute("UPDATE room SET epoch = ?1 WHERE n = ?2", params![generate().as_str(), n])?;
    }
    Ok(())
}

/// How many messages were ever numbered, of all rooms.
pub(super) fn numbered(conn: &Connection) -> Result<u64> {
    conn.query_row("SELECT coalesce(sum(head), 0) FROM room", [], |row| unsigned(row, 0))
}

/// Appends these messages, in this order, as [`qun_core::log`] has it; says what became of each, and which are new.
pub(super) fn append(
    conn: &Connection,
    room: &mut Room,
    unix_ms: u64,
    drafts: &[Draft],
) -> Result<(Vec<Outcome>, Vec<Record>)> {
    let mut outcomes = Vec::with_capacity(drafts.len());
    let mut records = Vec::with_capacity(drafts.len());
    for draft in drafts {
        if let Some(seq) = known(conn, room, draft)? {
            outcomes.push(Outcome::Known(seq));
            continue;
        }
        let Draft { once, member, name, kind, text, facts } = draft.clone();
        keep(conn, room, &facts)?;
        if let Some(of) = kind.removes() {
            remove(conn, room, of)?;
        }
        let key = once.map(|(hash, _)| key(conn, &hash)).transpose()?;
        let id = once.map(|(_, id)| id);
        room.head = room.head.next();
        room.ts = room.ts.max(unix_ms);
        room.bytes += (name.as_str().len() + text.as_str().len()) as u64;
        let record = Record { seq: room.head, ts: room.ts, member, name, kind, text, id };
        insert(conn, room, &record, key)?;
        outcomes.push(Outcome::New(room.head));
        records.push(record);
    }
    if !records.is_empty() {
        save(conn, room)?;
    }
    Ok((outcomes, records))
}

/// Changes what a room holds beside its messages.
pub(super) fn keep(conn: &Connection, room: &Room, facts: &[Fact]) -> Result<()> {
    for Fact { key, value } in facts {
        match value {
            Some(value) => {
                let sql = "INSERT INTO fact (room, key, value) VALUES (?1, ?2, ?3)
                           ON CONFLICT (room, key) DO UPDATE SET value = excluded.value";
                conn.prepare_cached(sql)?.execute(params![room.n, key, value])?;
            }
            None => {
                conn.prepare_cached("DELETE FROM fact WHERE room = ?1 AND key = ?2")?.execute(params![room.n, key])?;
            }
        }
    }
    Ok(())
}

/// What a room holds beside its messages.
pub(super) fn facts(conn: &Connection, room: &Room) -> Result<Facts> {
    let mut statement = conn.prepare_cached("SELECT key, value FROM fact WHERE room = ?1")?;
    statement.query_map([room.n], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Lets go of what a message said: the file has it no more once the commit's pages have overwritten it.
fn remove(conn: &Connection, room: &mut Room, seq: Seq) -> Result<()> {
    let sql = format!("{READ} WHERE room = ?1 AND seq = ?2");
    let found = conn.prepare_cached(&sql)?.query_row(params![room.n, signed(seq.get())], record).optional()?;
    let Some(mut record) = found else { return Ok(()) };
    let before = record.text.as_str().len() as u64;
    if record.remove() {
        let sql = "UPDATE message SET kind = ?3, text = ?4 WHERE room = ?1 AND seq = ?2";
        let (kind, text) = (record.kind.name(), record.text.as_str());
        conn.prepare_cached(sql)?.execute(params![room.n, signed(seq.get()), kind, text])?;
        room.bytes = room.bytes.saturating_sub(before) + text.len() as u64;
    }
    Ok(())
}

/// Takes a message that another log numbered and stamped. The caller [saves](save) the room.
pub(super) fn import(conn: &Connection, room: &mut Room, record: &Record) -> Result<()> {
    (room.head, room.ts) = (record.seq, record.ts);
    room.bytes += (record.name.as_str().len() + record.text.as_str().len()) as u64;
    insert(conn, room, record, None)
}

/// Where the room has a draft already.
pub(super) fn known(conn: &Connection, room: &Room, draft: &Draft) -> Result<Option<Seq>> {
    let Some((hash, id)) = &draft.once else { return Ok(None) };
    let sql = "SELECT seq FROM message WHERE room = ?1 AND key = (SELECT n FROM key WHERE hash = ?2) AND id = ?3";
    let mut find = conn.prepare_cached(sql)?;
    let seq = find.query_row(params![room.n, &hash.0[..], id.as_str()], |row| unsigned(row, 0)).optional()?;
    Ok(seq.map(Seq::new))
}

fn insert(conn: &Connection, room: &Room, record: &Record, key: Option<i64>) -> Result<()> {
    let Record { seq, ts, member, name, kind, text, id } = record;
    let sql = "INSERT INTO message (room, seq, ts, member, name, kind, text, id, key, act)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let act = if let Kind::Act(act) = kind { Some(act.details()) } else { None };
    let member = member.to_string();
    let id = id.as_ref().map(Id::as_str);
    let (seq, ts) = (signed(seq.get()), signed(*ts));
    let values = params![room.n, seq, ts, member, name.as_str(), kind.name(), text.as_str(), id, key, act];
    conn.prepare_cached(sql)?.execute(values).map(drop)
}

/// The number of a key, which it has from now on.
fn key(conn: &Connection, hash: &KeyHash) -> Result<i64> {
    let mut find = conn.prepare_cached("SELECT n FROM key WHERE hash = ?1")?;
    if let Some(n) = find.query_row([&hash.0[..]], |row| row.get(0)).optional()? {
        return Ok(n);
    }
    conn.prepare_cached("INSERT INTO key (hash) VALUES (?1)")?.execute([&hash.0[..]])?;
    Ok(conn.last_insert_rowid())
}

/// Writes what has become of a room.
pub(super) fn save(conn: &Connection, room: &Room) -> Result<()> {
    let sql = "UPDATE room SET first = ?2, head = ?3, ts = ?4, bytes = ?5 WHERE n = ?1";
    let [first, head, ts, bytes] = [room.first.get(), room.head.get(), room.ts, room.bytes].map(signed);
    conn.prepare_cached(sql)?.execute(params![room.n, first, head, ts, bytes])?;
    Ok(())
}

/// The newest end of a room, with as many of the newest messages as have no more than `bytes` of text together.
pub(super) fn tail(conn: &Connection, room: &Room, bytes: usize) -> Result<Tail> {
    let mut left = bytes;
    let mut records = VecDeque::new();
    let sql = format!("{READ} WHERE room = ?1 ORDER BY seq DESC");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([room.n])?;
    while let Some(row) = rows.next()? {
        let record = record(row)?;
        let Some(rest) = left.checked_sub(record.text.as_str().len()) else { break };
        left = rest;
        records.push_front(record);
    }
    Ok(Tail {
        epoch: room.epoch,
        first: room.first,
        head: room.head,
        records: records.into(),
        facts: facts(conn, room)?,
    })
}

/// A page of a room's history.
pub(super) fn page(conn: &Connection, room: &Room, span: Span, limit: u64) -> Result<Page> {
    let (sql, seq) = match span {
        Span::Before(seq) => (format!("{READ} WHERE room = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3"), seq),
        Span::After(seq) => (format!("{READ} WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"), seq),
    };
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![room.n, signed(seq.get()), signed(limit)])?;
    let mut records = Vec::new();
    let mut bytes = 0;
    while bytes < PAGE_BYTES
        && let Some(row) = rows.next()?
    {
        let record = record(row)?;
        bytes += record.text.as_str().len();
        records.push(record);
    }
    let last = records.last().map(|record| record.seq);
    let more = match span {
        Span::Before(seq) => last.unwrap_or(seq.min(room.head.next())) > room.first,
        Span::After(seq) => last.unwrap_or(seq.max(room.first.minus(1))) < room.head,
    };
    if let Span::Before(_) = span {
        records.reverse();
    }
    Ok(Page { first: room.first, more, records })
}

/// All messages behind `seq`.
pub(super) fn after(conn: &Connection, room: &Room, seq: Seq) -> Result<Vec<Record>> {
    let sql = format!("{READ} WHERE room = ?1 AND seq > ?2 ORDER BY seq");
    let mut statement = conn.prepare_cached(&sql)?;
    statement.query_map(params![room.n, signed(seq.get())], record)?.collect()
}

/// Every room.
pub(super) fn rooms(conn: &Connection) -> Result<BTreeMap<RoomId, Room>> {
    let mut statement = conn.prepare_cached("SELECT n, epoch, first, head, ts, bytes, id FROM room")?;
    statement.query_map([], |row| Ok((parsed(row, 6)?, room_of(row)?)))?.collect()
}

/// Gives the texts behind `seq`, so many of them at most; and which message each takes back, if it does.
pub(super) fn texts<E>(
    conn: &Connection,
    room: &Room,
    seq: Seq,
    limit: u64,
    mut give: impl FnMut(Seq, &str, Option<Seq>) -> Result<(), E>,
    wrong: impl Fn(Error) -> E,
) -> Result<(), E> {
    let sql = "SELECT seq, text, CASE kind WHEN 'remove' THEN act END FROM message
               WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let mut statement = conn.prepare_cached(sql).map_err(&wrong)?;
    let mut rows = statement.query(params![room.n, signed(seq.get()), signed(limit)]).map_err(&wrong)?;
    while let Some(row) = rows.next().map_err(&wrong)? {
        let seq = Seq::new(unsigned(row, 0).map_err(&wrong)?);
        let text = row.get_ref(1).and_then(|text| Ok(text.as_str()?)).map_err(&wrong)?;
        let act = row.get_ref(2).and_then(|act| Ok(act.as_str_or_null()?)).map_err(&wrong)?;
        give(seq, text, act.and_then(|act| Kind::read("remove", Some(act)).removes()))?;
    }
    Ok(())
}

/// Gives the messages behind `after` and before `before`, newest first, until it is told that it is enough.
pub(super) fn newest_first(
    conn: &Connection,
    room: &Room,
    after: Seq,
    before: Seq,
    mut give: impl FnMut(Record) -> Enough,
) -> Result<()> {
    let sql = format!("{READ} WHERE room = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq DESC");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params![room.n, signed(after.get()), signed(before.get())])?;
    while let Some(row) = rows.next()? {
        if give(record(row)?) == Enough::Yes {
            break;
        }
    }
    Ok(())
}

/// One message.
pub(super) fn message(conn: &Connection, room: &Room, seq: Seq) -> Result<Option<Record>> {
    let sql = format!("{READ} WHERE room = ?1 AND seq = ?2");
    conn.prepare_cached(&sql)?.query_row(params![room.n, signed(seq.get())], record).optional()
}

/// Whether a room has a message that it is not to keep.
pub(super) fn has_too_much(conn: &Connection, room: &Room, keep: &Retention, unix_ms: u64) -> Result<bool> {
    Ok(first_kept(conn, room, keep, unix_ms, 1)?.0 != room.first)
}

/// Removes the oldest messages that a room is not to keep, as many as one transaction should.
pub(super) fn trim(conn: &Connection, room: &mut Room, keep: &Retention, unix_ms: u64) -> Result<()> {
    let (first, bytes) = first_kept(conn, room, keep, unix_ms, TRIMMED)?;
    let delete = "DELETE FROM message WHERE room = ?1 AND seq < ?2";
    conn.prepare_cached(delete)?.execute(params![room.n, signed(first.get())])?;
    (room.first, room.bytes) = (first, bytes);
    save(conn, room)
}

/// Which message is the first that a room is to keep, and how many bytes it keeps then; it looks at no more than `most`.
fn first_kept(conn: &Connection, room: &Room, keep: &Retention, unix_ms: u64, most: i64) -> Result<(Seq, u64)> {
    let since = keep.age.map(|age| unix_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
    let oldest = keep.messages.map(|messages| room.head.next().minus(messages));
    let sql =
        "SELECT seq, ts, octet_length(name) + octet_length(text) FROM message WHERE room = ?1 ORDER BY seq LIMIT ?2";
    let (mut first, mut bytes) = (room.first, room.bytes);
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params![room.n, most])?;
    while let Some(row) = rows.next()? {
        let (seq, ts, size) = (Seq::new(unsigned(row, 0)?), unsigned(row, 1)?, unsigned(row, 2)?);
        let goes = oldest.is_some_and(|oldest| seq < oldest)
            || since.is_some_and(|since| ts < since)
            || keep.bytes.is_some_and(|most| bytes > most);
        if !goes {
            break;
        }
        first = seq.next();
        bytes = bytes.saturating_sub(size);
    }
    Ok((first, bytes))
}

/// The head of every statement whose rows are [`record`]s.
const READ: &str = "SELECT seq, ts, member, name, kind, text, id, act FROM message";

fn record(row: &Row<'_>) -> Result<Record> {
    Ok(Record {
        seq: Seq::new(unsigned(row, 0)?),
        ts: unsigned(row, 1)?,
        member: parsed(row, 2)?,
        name: parsed(row, 3)?,
        kind: Kind::read(row.get_ref(4)?.as_str()?, row.get_ref(7)?.as_str_or_null()?),
        text: parsed(row, 5)?,
        id: match row.get_ref(6)?.as_str_or_null()? {
            None => None,
            Some(_) => Some(parsed(row, 6)?),
        },
    })
}

/// A column that is a text of one of the core's types: what somebody wrote there by hand may not be one.
pub(super) fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error| Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| Error::IntegralValueOutOfRange(column, number))
}

/// SQLite's integers have a sign. What is larger than the largest is as good as that.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
