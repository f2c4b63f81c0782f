//! Files that can't be served: each is refused in words that help, and left as it is.

use std::fs;
use std::path::Path;

use qun_transports::sqlite::{OpenError, Options};

use crate::rig::{NOW, Rig, draft, place};

/// What is said about it; the file is as it was.
fn refused(path: &Path) -> OpenError {
    let before = fs::read(path).unwrap();
    let error = Rig::try_open(path, Options::default()).err().expect("it is refused");
    assert!(fs::read(path).unwrap() == before, "the file was changed");
    error
}

/// A database with enough in it to be damaged.
fn filled(path: &Path) {
    let mut rig = Rig::open(path);
    rig.tail("ops");
    rig.append("ops", NOW, (0..500).map(|n| draft(Some(n), &"x".repeat(200))).collect());
}

#[test]
fn a_damaged_file_is_refused_with_a_way_out() {
    let (_dir, path) = place();
    let damages: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes[..64].fill(b'z'),
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| bytes.truncate(0),
        |bytes| bytes[20_000..24_000].fill(0),
        |bytes| bytes[4_096..8_192].fill(0xFF),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let _ = fs::remove_file(&path);
        filled(&path);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let error = refused(&path);
        assert!(matches!(error, OpenError::Damaged { .. }), "{number}: {error}");
        let text = error.to_string();
        assert!(text.contains("qun.db is damaged") && text.contains(".recover"), "{number}: {text}");
    }
}

#[test]
fn another_programs_file_is_refused() {
    let (_dir, path) = place();
    fs::write(&path, "Dear diary, …").unwrap();
    assert!(matches!(refused(&path), OpenError::Foreign { .. }));
    fs::remove_file(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE bookmark (url TEXT)").unwrap();
    drop(other);
    assert!(matches!(refused(&path), OpenError::Foreign { .. }));
}

#[test]
fn a_file_of_a_later_version_is_refused() {
    let (_dir, path) = place();
    filled(&path);
    let later = rusqlite::Connection::open(&path).unwrap();
    later.pragma_update(None, "user_version", 9_000).unwrap();
    drop(later);
    let error = refused(&path);
    assert!(matches!(error, OpenError::Newer { found: 9_000, .. }), "{error}");
    assert!(error.to_string().contains("later version"), "{error}");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let (dir, _) = place();
    let error = Rig::try_open(&dir.path().join("nowhere/qun.db"), Options::default()).err().unwrap();
    assert!(error.to_string().contains("nowhere/qun.db"), "{error}");
    let error = Rig::try_open(dir.path(), Options::default()).err().unwrap();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[test]
fn a_row_that_makes_no_sense_spoils_its_room_and_no_other() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    for room in ["ops", "dev"] {
        rig.tail(room);
        rig.say(room, "hi");
    }
    let shell = rusqlite::Connection::open(&path).unwrap();
    shell
        .execute("UPDATE message SET name = 'two words' WHERE room = (SELECT n FROM room WHERE id = 'ops')", [])
        .unwrap();
    let all = qun_core::log::Span::Before(qun_core::Seq::MAX);
    assert!(rig.page("ops", all, 9).is_err());
    assert!(rig.page("dev", all, 9).is_ok());
    let [qun_transports::sqlite::Event::Unreadable { room, .. }] = &rig.events()[..] else { panic!("it is told") };
    assert_eq!(room.as_str(), "ops");
}
