//! Databases that are not what clients have seen: their rooms begin anew, and those that are do not.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use qun_core::log::Outcome;
use qun_core::{Epoch, Seq};
use qun_transports::sqlite::{Break, Event, OpenError, Options};

use crate::rig::{Rig, crash, place};

/// Says so many things in a log that is open.
fn say(rig: &mut Rig, count: u64) -> Epoch {
    let epoch = rig.tail("ops").epoch;
    for n in 0..count {
        assert!(matches!(rig.say("ops", &format!("message {n}")), Outcome::New(_)));
    }
    epoch
}

fn file(path: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", path.display()))
}

/// Opens it and demands that every room begins anew, for this reason.
fn begins_anew(path: &Path, old: Epoch, why: Break) {
    let mut rig = Rig::open(path);
    assert_eq!(rig.events(), [Event::Broken(why)]);
    let epoch = rig.tail("ops").epoch;
    assert_ne!(epoch, old);
    drop(rig);
    // Once is enough.
    goes_on(path, epoch);
}

fn goes_on(path: &Path, old: Epoch) {
    let mut rig = Rig::open(path);
    assert_eq!((rig.events(), rig.tail("ops").epoch), (vec![], old));
}

#[test]
fn a_backup_that_lacks_messages_begins_a_new_epoch() {
    let (dir, path) = place();
    let mut rig = Rig::open(&path);
    let epoch = say(&mut rig, 3);
    // Made while the server runs: the stamp is the same.
    let backup = dir.path().join("backup.db");
    rusqlite::Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    say(&mut rig, 2);
    drop(rig);
    fs::copy(&backup, &path).unwrap();
    begins_anew(&path, epoch, Break::Older { had: 5, has: 3 });
    assert_eq!(Rig::open(&path).tail("ops").head, Seq::new(3), "and nothing of it is lost");
}

#[test]
fn a_backup_that_has_them_all_goes_on() {
    let (dir, path) = place();
    let mut rig = Rig::open(&path);
    let epoch = say(&mut rig, 3);
    let backup = dir.path().join("backup.db");
    rusqlite::Connection::open(&path).unwrap().execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop(rig);
    fs::rename(&backup, &path).unwrap();
    goes_on(&path, epoch);
}

#[test]
fn a_backup_of_an_earlier_run_begins_a_new_epoch_whatever_it_has() {
    let (dir, path) = place();
    let backup = dir.path().join("backup.db");
    let epoch = say(&mut Rig::open(&path), 3);
    fs::copy(&path, &backup).unwrap();
    drop(Rig::open(&path));
    fs::copy(&backup, &path).unwrap();
    begins_anew(&path, epoch, Break::Another);
}

#[test]
fn another_servers_database_begins_a_new_epoch() {
    let ((_dir, path), (_other_dir, other)) = (place(), place());
    say(&mut Rig::open(&path), 3);
    let epoch = say(&mut Rig::open(&other), 9);
    fs::copy(&other, &path).unwrap();
    begins_anew(&path, epoch, Break::Another);
}

#[test]
fn a_restored_database_without_a_mark_begins_a_new_epoch() {
    let (dir, path) = place();
    let epoch = say(&mut Rig::open(&path), 3);
    let elsewhere = dir.path().join("elsewhere.db");
    fs::copy(&path, &elsewhere).unwrap();
    begins_anew(&elsewhere, epoch, Break::Unmarked);
    fs::write(file(&path, "-mark"), "rubbish").unwrap();
    begins_anew(&path, epoch, Break::Mark);
}

#[test]
fn a_directory_that_is_restored_as_a_whole_begins_a_new_epoch() {
    for killed in [false, true] {
        let (dir, path) = place();
        let saved = dir.path().join("saved.db");
        let epoch = Rig::open(&path).tail("ops").epoch;
        match killed {
            true => crash(&path, 3),
            false => drop(say(&mut Rig::open(&path), 3)),
        }
        let files: Vec<_> = ["", "-wal", "-shm", "-mark"].into_iter().filter(|end| file(&path, end).exists()).collect();
        let copy = |from: &Path, to: &Path| {
            for end in &files {
                fs::copy(file(from, end), file(to, end)).unwrap();
            }
        };
        copy(&path, &saved);
        say(&mut Rig::open(&path), 2);
        // A copy of this very moment would be as good as the original.
        thread::sleep(Duration::from_millis(200));
        copy(&saved, &path);
        begins_anew(&path, epoch, Break::Copied);
    }
}

#[test]
fn a_journal_that_was_lost_begins_a_new_epoch() {
    let (_dir, path) = place();
    let epoch = say(&mut Rig::open(&path), 3);
    crash(&path, 2);
    fs::remove_file(file(&path, "-wal")).unwrap();
    let mut rig = Rig::open(&path);
    assert!(matches!(rig.events()[..], [Event::Broken(_)]));
    assert_ne!(rig.tail("ops").epoch, epoch);
}

#[test]
fn a_database_that_is_gone_is_begun_anew_and_told() {
    let (_dir, path) = place();
    let epoch = say(&mut Rig::open(&path), 3);
    fs::remove_file(&path).unwrap();
    begins_anew(&path, epoch, Break::Gone);
}

#[test]
fn the_journal_of_a_database_that_is_gone_is_not_read_into_the_next() {
    let (_dir, path) = place();
    let epoch = Rig::open(&path).tail("ops").epoch;
    crash(&path, 3);
    fs::remove_file(&path).unwrap();
    begins_anew(&path, epoch, Break::Gone);
    assert_eq!(Rig::open(&path).tail("ops").head, Seq::ZERO);
    assert!(file(&path, "-wal.lost").exists(), "and not deleted either");
}

#[test]
fn a_backup_under_a_journal_that_is_not_its_own_is_refused() {
    let (dir, path) = place();
    let backup = dir.path().join("backup.db");
    say(&mut Rig::open(&path), 3);
    fs::copy(&path, &backup).unwrap();
    crash(&path, 2);
    let wal = fs::read(file(&path, "-wal")).unwrap();
    fs::copy(&backup, &path).unwrap();
    let error = Rig::try_open(&path, Options::default()).err().expect("they don't belong together");
    assert!(matches!(error, OpenError::Mixed { .. }), "{error}");
    assert!(error.to_string().contains("qun.db-wal"), "{error}");
    assert_eq!(fs::read(file(&path, "-wal")).unwrap(), wal, "nothing is touched");
    // The way out that it names.
    fs::remove_file(file(&path, "-wal")).unwrap();
    let mut rig = Rig::open(&path);
    assert!(matches!(rig.events()[..], [Event::Broken(_)]));
    assert_eq!(rig.tail("ops").head, Seq::new(3));
}

#[test]
fn a_database_that_is_replaced_under_a_server_takes_nothing_more() {
    let (dir, path) = place();
    let backup = dir.path().join("backup.db");
    let epoch = say(&mut Rig::open(&path), 3);
    fs::copy(&path, &backup).unwrap();
    let mut rig = Rig::open(&path);
    say(&mut rig, 2);
    fs::rename(&backup, &path).unwrap();
    assert_eq!(rig.say("ops", "into nowhere"), Outcome::Refused);
    assert_eq!(rig.say("ops", "again"), Outcome::Refused);
    assert_eq!(rig.events(), [Event::Replaced]);
    assert_eq!(rig.texts("ops").len(), 5, "what was there is read");
    drop(rig);
    begins_anew(&path, epoch, Break::Another);
}
