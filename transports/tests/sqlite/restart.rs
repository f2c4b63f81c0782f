//! What survives.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use qun_core::Seq;
use qun_core::log::{Answer, Outcome, Request};
use qun_transports::sqlite::{OpenError, Options};

use crate::rig::{NOW, Rig, crash, draft, draft_of, id, place};

#[test]
fn everything_survives_a_clean_restart() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    let (_, said) = rig.append("ops", NOW, vec![draft(Some(1), "你好"), draft(None, "* waves\nand waves")]);
    let before = rig.tail("ops");
    drop(rig);
    let mut rig = Rig::open(&path);
    assert_eq!(rig.tail("ops"), before);
    assert_eq!(before.records, said);
    assert_eq!(rig.events(), []);
}

#[test]
fn everything_survives_a_kill() {
    let (_dir, path) = place();
    let epoch = Rig::open(&path).tail("ops").epoch;
    crash(&path, 3);
    let mut rig = Rig::open(&path);
    assert_eq!(rig.events(), []);
    assert_eq!(rig.tail("ops").epoch, epoch);
    assert_eq!(rig.texts("ops"), ["message 1", "message 2", "message 3"]);
    assert_eq!(rig.append("ops", NOW, vec![draft(Some(2), "message 2")]).0, [Outcome::Known(Seq::new(2))]);
    assert_eq!(rig.append("ops", NOW, vec![draft(Some(4), "message 4")]).0, [Outcome::New(Seq::new(4))]);
}

#[test]
fn a_say_is_known_for_as_long_as_it_is_kept_and_by_its_key() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.tail("dev");
    rig.append("ops", NOW, vec![draft_of(1, Some(1), "a")]);
    drop(rig);
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.tail("dev");
    assert_eq!(rig.append("ops", NOW, vec![draft_of(2, Some(1), "a")]).0, [Outcome::New(Seq::new(2))]);
    assert_eq!(rig.append("dev", NOW, vec![draft_of(1, Some(1), "a")]).0, [Outcome::New(Seq::new(1))]);
    let (outcomes, records) = rig.append("ops", NOW, vec![draft_of(1, Some(1), "a"), draft_of(2, Some(1), "a")]);
    assert_eq!(outcomes, [Outcome::Known(Seq::new(1)), Outcome::Known(Seq::new(2))]);
    assert_eq!(records, []);
}

#[test]
fn a_clock_that_is_set_back_stamps_nothing_earlier() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.append("ops", NOW, vec![draft(None, "a")]);
    drop(rig);
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    let (_, records) = rig.append("ops", NOW - 86_400_000, vec![draft(None, "b")]);
    assert_eq!((records[0].seq, records[0].ts), (Seq::new(2), NOW));
}

#[test]
fn rooms_that_wait_share_a_commit_and_each_is_answered() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    let rooms: Vec<_> = (0..50).map(|n| format!("room-{n}")).collect();
    for room in &rooms {
        rig.tail(room);
    }
    for room in &rooms {
        rig.submit(NOW, Request::Append { room: id(room), drafts: vec![draft(Some(1), room)] });
    }
    let mut grown: Vec<_> = (0..2 * rooms.len())
        .filter_map(|_| match rig.next() {
            Answer::Settled { outcomes, .. } => {
                assert_eq!(outcomes, [Outcome::New(Seq::new(1))]);
                None
            }
            Answer::Grew { room, records, .. } => {
                assert_eq!(records[0].text.as_str(), room.as_str());
                Some(room.to_string())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    grown.sort();
    let mut rooms = rooms;
    rooms.sort();
    assert_eq!(grown, rooms);
}

#[test]
fn a_room_that_is_opened_again_while_it_is_written_misses_nothing() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    for n in 1..200 {
        rig.submit(NOW, Request::Append { room: id("ops"), drafts: vec![draft(None, "x")] });
        rig.submit(NOW, Request::Open { room: id("ops"), bytes: 0 });
        // Whatever grows is behind the tail, or before it and in it.
        let mut head = None;
        for _ in 0..3 {
            match rig.next() {
                Answer::Ready { tail, .. } => head = Some(tail.unwrap().head),
                Answer::Grew { records, .. } => {
                    assert!(head.is_none_or(|head| records[0].seq == head.next()), "the tail hides message {n}");
                }
                _ => {}
            }
        }
        assert_eq!(rig.try_tail("ops", 0).unwrap().head, Seq::new(n));
    }
}

#[test]
fn a_second_server_is_refused_by_whatever_path_it_comes() {
    let (dir, path) = place();
    let mut rig = Rig::open(&path);
    let link = dir.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for path in [&path, &link, &dir.path().join(".").join("qun.db")] {
        let error = Rig::try_open(path, Options::default()).err().expect("it is taken");
        assert!(matches!(error, OpenError::Taken { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
        assert!(error.to_string().contains("another server has"), "{error}");
    }
    assert_eq!(rig.tail("ops").head, Seq::ZERO, "the first one notices nothing");
    drop(rig);
    Rig::open(&link);
}

#[test]
fn nobody_else_can_read_it() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.say("ops", "secret");
    for end in ["", "-wal", "-shm", "-mark"] {
        let file = format!("{}{end}", path.display());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_person_at_the_sqlite_shell_reads_rooms_and_messages() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.say("ops", "deploy?");
    // While the server runs, as a shell does.
    let shell = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT room, seq, utc, name, kind, text FROM messages WHERE room = 'ops' ORDER BY seq DESC LIMIT 10";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(format!(
            "{} {} {} {} {} {}",
            row.get::<_, String>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, String>(3)?,
            row.get::<_, String>(4)?,
            row.get::<_, String>(5)?,
        ))
    };
    assert_eq!(shell.query_row(sql, [], read).unwrap(), "ops 1 2026-01-01 00:00:00.000 ann say deploy?");
    let sql = "SELECT room, messages, newest_utc FROM rooms";
    let room = shell.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!(room, ("ops".to_string(), 1, "2026-01-01 00:00:00.000".to_string()));
}
