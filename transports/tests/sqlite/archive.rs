//! Copies, exports and imports.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use qun_core::log::{Record, Span};
use qun_core::{Entropy, Seq};
use qun_transports::sqlite::{Archive, ArchiveError, Event, Import, ImportError, Imported, OpenError};

use crate::rig::{NOW, Rig, crash, draft, id, place};

fn all(archive: &mut Archive) -> Vec<Record> {
    archive.page(&id("ops"), Span::After(Seq::ZERO), 1_000).unwrap().unwrap().records
}

#[test]
fn a_backup_is_whole_while_the_server_writes() {
    let (dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.append("ops", NOW, (0..100).map(|n| draft(Some(n), "x")).collect());
    let (from, to) = (path.clone(), dir.path().join("backup.db"));
    let copy = to.clone();
    let backup = std::thread::spawn(move || Archive::open(&from).unwrap().backup(&copy).unwrap());
    for n in 100..200 {
        rig.append("ops", NOW, vec![draft(Some(n), "x")]);
    }
    assert_eq!(backup.join().unwrap(), fs::metadata(&to).unwrap().len());
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(dir.path())
            .unwrap()
            .filter(|file| file.as_ref().unwrap().path().extension() == Some("part".as_ref()))
            .count(),
        0
    );
    let records = all(&mut Archive::open(&to).unwrap());
    assert!((100..=200).contains(&records.len()), "{}", records.len());
    assert!(records.iter().zip(1..).all(|(record, seq)| record.seq == Seq::new(seq)), "of one moment");
    let again = Archive::open(&path).unwrap().backup(&to);
    assert!(matches!(again, Err(ArchiveError::Exists(_))), "nothing is overwritten");
    drop(rig);
    // Elsewhere it is a database like any other, with a history of its own.
    let mut rig = Rig::open(&to);
    assert!(matches!(rig.events()[..], [Event::Broken(_)]));
    assert_eq!(rig.tail("ops").head, Seq::new(records.len() as u64));
}

#[test]
fn what_a_killed_server_left_is_read_and_harms_nothing() {
    let (_dir, path) = place();
    let epoch = Rig::open(&path).tail("ops").epoch;
    crash(&path, 3);
    assert_eq!(all(&mut Archive::open(&path).unwrap()).len(), 3);
    let mut rig = Rig::open(&path);
    assert_eq!((rig.events(), rig.tail("ops").epoch), (vec![], epoch));
}

#[test]
fn what_is_no_database_is_told_and_not_created() {
    let (_dir, path) = place();
    assert!(matches!(Archive::open(&path), Err(ArchiveError::Missing(_))));
    assert!(!path.exists());
    fs::write(&path, "").unwrap();
    assert!(matches!(Archive::open(&path), Err(ArchiveError::Foreign(_))));
}

#[test]
fn what_was_exported_is_imported_once_and_goes_on() {
    let ((_dir, path), (_other, other)) = (place(), place());
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.append("ops", NOW, (0..10).map(|n| draft(Some(n), &format!("message {n}"))).collect());
    drop(rig);
    let records = all(&mut Archive::open(&path).unwrap());
    let mut entropy = Entropy::new([9; 32]);
    let mut import = Import::open(&other, [8; 32], id("ops"), |_| {}).unwrap();
    // Its beginning was trimmed where it comes from, and the import is broken off and begun again.
    assert_eq!(import.take(&records[2..6], &mut entropy).unwrap(), Imported { new: 4, known: 0 });
    assert_eq!(import.take(&records[2..], &mut entropy).unwrap(), Imported { new: 4, known: 4 });
    import.finish().unwrap();
    let mut rig = Rig::open(&other);
    assert_eq!(rig.events(), []);
    let tail = rig.tail("ops");
    assert_eq!((tail.first, tail.head, &tail.records[..]), (Seq::new(3), Seq::new(10), &records[2..]));
    assert_eq!(rig.append("ops", 0, vec![draft(None, "next")]).1[0].ts, NOW);
    let taken = Import::open(&other, [8; 32], id("ops"), |_| {}).expect_err("a server has it");
    assert!(matches!(taken, OpenError::Taken { .. }), "{taken}");
}

#[test]
fn what_does_not_fit_is_refused_whole() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.append("ops", NOW, (0..3).map(|n| draft(Some(n), "x")).collect());
    drop(rig);
    let records = all(&mut Archive::open(&path).unwrap());
    let mut import = Import::open(&path, [8; 32], id("ops"), |_| {}).unwrap();
    let mut take = |records: &[Record]| import.take(records, &mut Entropy::new([9; 32]));
    let next = |seq, ts| Record { seq: Seq::new(seq), ts, ..records[0].clone() };
    assert!(matches!(take(&[next(4, NOW), next(6, NOW)]), Err(ImportError::Hole { head, .. }) if head == Seq::new(4)));
    assert!(matches!(take(&[next(2, NOW + 1)]), Err(ImportError::Conflict(seq)) if seq == Seq::new(2)));
    assert!(matches!(take(&[next(4, NOW - 1)]), Err(ImportError::Backwards(_))));
    import.finish().unwrap();
    assert_eq!(all(&mut Archive::open(&path).unwrap()), records);
}

#[test]
fn a_check_says_what_is_wrong() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    for room in ["ops", "dev", "hall"] {
        rig.tail(room);
    }
    rig.append("ops", NOW, (0..2_000).map(|n| draft(Some(n), "x")).collect());
    rig.append("dev", NOW, (0..9).map(|n| draft(Some(n), "x")).collect());
    let check = || Archive::open(&path).unwrap().check();
    assert_eq!(check().unwrap(), Vec::<String>::new(), "while it is served, too");
    drop(rig);
    let shell = rusqlite::Connection::open(&path).unwrap();
    shell.execute_batch("DELETE FROM message WHERE room = 2 AND seq IN (4, 9)").unwrap();
    drop(shell);
    assert_eq!(check().unwrap(), ["room dev should have 9 messages, 1 to 9, and has 7, 1 to 8"]);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4_096 * 4_096;
    bytes[middle..middle + 4_096].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    assert!(check().is_err() || check().is_ok_and(|wrong| !wrong.is_empty()));
}
