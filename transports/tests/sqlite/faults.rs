//! Faults of the disk and of other programs: what can't be committed is refused whole, reading goes on, and it heals.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use qun_core::Seq;
use qun_core::log::{Answer, Outcome, Request, Span};
use qun_transports::sqlite::Event;
use rusqlite::Connection;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

use crate::rig::{NOW, Rig, draft, id, place};

/// A file system of 2 MiB, in memory.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None`, and said so, where this user may not mount one.
    fn mount() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        match mount("qun", dir.path(), "tmpfs", MountFlags::empty(), Some(c"size=2m")) {
            Ok(()) => Some(Self(dir)),
            Err(error) => {
                println!("skipped: may not mount a small disk ({error})");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left but 64 KiB; what gives it back.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("filler");
        let mut size = 2 << 20;
        while size > 0 {
            let mut file = fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
            if std::io::Write::write_all(&mut file, &vec![0; size]).is_err() {
                size /= 2;
            }
        }
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(file.metadata().unwrap().len() - (64 << 10)).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}

/// What was told of the database: the index beside it, on the same disk, has its own troubles.
fn of_messages(rig: &Rig) -> Vec<Event> {
    let mut events = rig.events();
    events.retain(|event| !matches!(event, Event::Unindexed { .. } | Event::Indexed));
    events
}

#[test]
fn a_disk_that_fills_up_refuses_and_heals_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("qun.db");
    let mut rig = Rig::open(&path);
    let epoch = rig.tail("ops").epoch;
    rig.tail("dev");
    let mut taken = 0;
    for round in 0..3 {
        let filler = disk.fill();
        // By and by the journal grows, and can't.
        let refused = loop {
            match rig.append("ops", NOW, vec![draft(Some(taken), &"x".repeat(3_000))]).0[..] {
                [Outcome::New(seq)] => taken = seq.get(),
                [outcome] => break outcome,
                _ => panic!("one outcome"),
            }
        };
        assert_eq!(refused, Outcome::Refused);
        let events = of_messages(&rig);
        let [Event::Faulty { why }] = &events[..] else { panic!("it is told once: {events:?}") };
        assert!(why.contains("full"), "{why}");
        let page = rig.page("ops", Span::Before(Seq::MAX), 5).expect("reading goes on");
        assert_eq!(page.records.last().map_or(0, |record| record.seq.get()), taken);
        let known = rig.append("ops", NOW, vec![draft(Some(taken - 1), "x"), draft(None, &"x".repeat(3_000))]).0;
        assert_eq!(known, [Outcome::Known(Seq::new(taken)), Outcome::Refused], "what is in the log is known");
        fs::remove_file(filler).unwrap();
        let (outcomes, records) = rig.append("ops", NOW, vec![draft(Some(taken), &format!("round {round}"))]);
        taken += 1;
        assert_eq!((outcomes, records.len()), (vec![Outcome::New(Seq::new(taken))], 1));
        assert_eq!(of_messages(&rig), [Event::Healed]);
    }
    drop(rig);
    let mut rig = Rig::open(&path);
    let tail = rig.tail("ops");
    assert_eq!((tail.epoch, tail.head, tail.records.len() as u64), (epoch, Seq::new(taken), taken));
}

#[test]
fn a_commit_that_fails_refuses_all_that_it_held_and_numbers_nothing() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    for room in ["ops", "dev"] {
        rig.tail(room);
        rig.say(room, "before");
    }
    let lock = lock(&path);
    for room in ["ops", "dev"] {
        let drafts = vec![draft(Some(1), "a"), draft(Some(2), "b")];
        rig.submit(NOW, Request::Append { room: id(room), drafts });
    }
    for _ in 0..2 {
        let Answer::Settled { outcomes, .. } = rig.next() else { panic!("nothing grows") };
        assert_eq!(outcomes, [Outcome::Refused; 2]);
    }
    drop(lock);
    for room in ["ops", "dev"] {
        let (outcomes, records) = rig.append(room, NOW, vec![draft(Some(1), "a")]);
        assert_eq!((outcomes, records[0].seq), (vec![Outcome::New(Seq::new(2))], Seq::new(2)));
    }
}

/// Somebody at the sqlite3 shell who has begun a transaction.
fn lock(path: &Path) -> Connection {
    let shell = Connection::open(path).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    shell
}

#[test]
fn a_locked_database_refuses_reads_on_and_heals() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.tail("dev");
    rig.say("ops", "before");
    let lock = lock(&path);
    rig.submit(NOW, Request::Append { room: id("ops"), drafts: vec![draft(None, "locked out")] });
    let began = Instant::now();
    assert_eq!(rig.page("ops", Span::Before(Seq::MAX), 9).unwrap().records.len(), 1);
    assert_eq!(rig.tail("dev").head, Seq::ZERO);
    assert!(began.elapsed() < Duration::from_secs(1), "nobody waits for the lock but who wants to write");
    let Answer::Settled { outcomes, .. } = rig.next() else { panic!("nothing grows") };
    assert_eq!(outcomes, [Outcome::Refused]);
    let events = rig.events();
    assert!(events.iter().any(|event| matches!(event, Event::Faulty { why } if why.contains("locked"))), "{events:?}");
    drop(lock);
    assert_eq!(rig.say("ops", "after"), Outcome::New(Seq::new(2)));
    assert_eq!(rig.events(), [Event::Healed]);
}

#[test]
fn what_another_program_says_is_delivered_before_what_comes_behind_it() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.say("ops", "one");
    let shell = Connection::open(&path).unwrap();
    shell
        .execute_batch(
            "BEGIN; UPDATE room SET head = 2;
             INSERT INTO message SELECT room, 2, ts, member, 'root', kind, 'two', NULL, NULL, NULL FROM message; COMMIT",
        )
        .unwrap();
    let (outcomes, records) = rig.append("ops", NOW, vec![draft(None, "three")]);
    assert_eq!(outcomes, [Outcome::New(Seq::new(3))]);
    let texts: Vec<_> = records.iter().map(|record| record.text.as_str()).collect();
    assert_eq!(texts, ["two", "three"]);
}

#[test]
fn a_history_that_shrinks_under_a_server_takes_nothing_more() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.say("ops", "one");
    rig.say("ops", "two");
    Connection::open(&path)
        .unwrap()
        .execute_batch("DELETE FROM message WHERE seq = 2; UPDATE room SET head = 1")
        .unwrap();
    assert_eq!(rig.say("ops", "two again"), Outcome::Refused);
    assert_eq!(rig.events(), [Event::Replaced]);
}

#[test]
fn one_rooms_damage_is_not_the_others() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    for room in ["ops", "dev"] {
        rig.tail(room);
    }
    // A message stands where the next one of ops is to go.
    let sql = "INSERT INTO message SELECT n, 1, 0, 'AAAAAAAAAA', 'x', 'say', 'x', NULL, NULL, NULL FROM room WHERE id = 'ops'";
    Connection::open(&path).unwrap().execute(sql, []).unwrap();
    // Both wait while the database is locked, so that they share a commit.
    let lock = lock(&path);
    for room in ["dev", "ops", "dev"] {
        rig.submit(NOW, Request::Append { room: id(room), drafts: vec![draft(None, "hi")] });
    }
    drop(lock);
    let mut settled: Vec<_> = std::iter::from_fn(|| rig.next_within(Duration::from_secs(2)))
        .filter_map(|answer| match answer {
            Answer::Settled { room, outcomes } => Some((room.to_string(), outcomes[0])),
            _ => None,
        })
        .collect();
    settled.sort_by_key(|(room, _)| room.clone());
    let dev = |seq| ("dev".to_string(), Outcome::New(Seq::new(seq)));
    assert_eq!(settled, [dev(1), dev(2), ("ops".into(), Outcome::Refused)]);
}
