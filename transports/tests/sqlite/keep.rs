//! What a room keeps.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use qun_core::Seq;
use qun_core::log::{Answer, Outcome, Span};
use qun_transports::sqlite::{Options, Retention};

use crate::rig::{NOW, Rig, draft, id, place};

fn keeping(keep: Retention) -> Options {
    Options { keep: BTreeMap::from([(id("ops"), keep)]), ..Options::default() }
}

/// Waits until the log says that this is the first message.
fn until_first(rig: &mut Rig, seq: u64) {
    loop {
        match rig.next() {
            Answer::Grew { first, records, .. } if records.is_empty() && first == Seq::new(seq) => return,
            Answer::Grew { records, .. } if records.is_empty() => {}
            other => panic!("{other:?}"),
        }
    }
}

fn unix_ms() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64
}

#[test]
fn a_room_keeps_so_many_messages() {
    let (_dir, path) = place();
    let mut rig = Rig::with(&path, keeping(Retention { messages: Some(100), ..Retention::default() }));
    rig.tail("ops");
    rig.tail("dev");
    // More than one transaction trims.
    rig.append("ops", NOW, (0..3_500).map(|n| draft(Some(n), "x")).collect());
    until_first(&mut rig, 3_401);
    rig.append("dev", NOW, (0..3_500).map(|n| draft(Some(n), "x")).collect());
    let page = rig.page("ops", Span::After(Seq::ZERO), 1_000).unwrap();
    assert_eq!((page.first, page.records[0].seq, page.records.len()), (Seq::new(3_401), Seq::new(3_401), 100));
    assert!(!page.more);
    let outcomes = rig.append("ops", NOW, vec![draft(Some(3_499), "x"), draft(Some(0), "x")]).0;
    assert_eq!(outcomes, [Outcome::Known(Seq::new(3_500)), Outcome::New(Seq::new(3_501))], "trimmed is forgotten");
    until_first(&mut rig, 3_402);
    drop(rig);
    let mut rig = Rig::open(&path);
    assert_eq!(rig.tail("ops").first, Seq::new(3_402));
    assert_eq!(rig.tail("dev").first, Seq::new(1), "which keeps everything");
}

#[test]
fn a_room_keeps_so_many_bytes() {
    let (_dir, path) = place();
    let mut rig = Rig::with(&path, keeping(Retention { bytes: Some(10 * 13), ..Retention::default() }));
    rig.tail("ops");
    // A name of 3 bytes and a text of 10.
    rig.append("ops", NOW, (0..25).map(|n| draft(Some(n), "0123456789")).collect());
    until_first(&mut rig, 16);
    assert_eq!(rig.tail("ops").records.len(), 10);
}

#[test]
fn a_room_keeps_messages_for_so_long() {
    let (_dir, path) = place();
    let mut rig =
        Rig::with(&path, keeping(Retention { age: Some(Duration::from_secs(3_600)), ..Retention::default() }));
    rig.tail("ops");
    let now = unix_ms();
    rig.append("ops", now - 4_000_000, vec![draft(None, "old"), draft(None, "old")]);
    until_first(&mut rig, 3);
    assert_eq!(rig.tail("ops").head, Seq::new(2), "an empty room goes on counting");
    rig.append("ops", now, vec![draft(None, "new")]);
    drop(rig);
    assert_eq!(Rig::open(&path).texts("ops"), ["new"]);
}

#[test]
fn an_emptied_room_numbers_on_after_a_restart() {
    let (_dir, path) = place();
    let mut rig = Rig::with(&path, keeping(Retention { messages: Some(0), ..Retention::default() }));
    let epoch = rig.tail("ops").epoch;
    rig.append("ops", NOW, vec![draft(None, "a"), draft(None, "b")]);
    until_first(&mut rig, 3);
    drop(rig);
    let mut rig = Rig::open(&path);
    let tail = rig.tail("ops");
    assert_eq!((tail.epoch, tail.first, tail.head, tail.records.len()), (epoch, Seq::new(3), Seq::new(2), 0));
    assert_eq!(rig.append("ops", NOW - 1, vec![draft(None, "c")]).1[0].ts, NOW);
}

#[test]
fn what_a_room_keeps_may_change_while_it_is_open_and_is_trimmed_at_the_start() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.append("ops", NOW, (0..50).map(|n| draft(Some(n), "x")).collect());
    rig.log().keep(id("ops"), Retention { messages: Some(20), ..Retention::default() });
    until_first(&mut rig, 31);
    drop(rig);
    let mut rig = Rig::with(&path, keeping(Retention { messages: Some(5), ..Retention::default() }));
    while rig.tail("ops").first != Seq::new(46) {}
}

#[test]
fn what_a_room_keeps_may_change_while_it_is_served() {
    let (_dir, path) = place();
    let mut rig = Rig::open(&path);
    rig.tail("ops");
    rig.append("ops", NOW, (0..50).map(|n| draft(Some(n), "x")).collect());
    let keeper = rig.log().keeper();
    let keep = |messages| Retention { messages: Some(messages), ..Retention::default() };
    std::thread::scope(|scope| drop(scope.spawn(|| keeper.keep(id("ops"), keep(10)))));
    until_first(&mut rig, 41);
    rig.log().keep(id("ops"), Retention::default());
    rig.append("ops", NOW, (50..70).map(|n| draft(Some(n), "x")).collect());
    assert_eq!(rig.page("ops", Span::After(Seq::ZERO), 100).unwrap().records.len(), 30);
    drop(rig);
    // One that outlives the log keeps nothing alive.
    keeper.keep(id("ops"), keep(1));
}

#[test]
fn a_room_that_is_closed_is_forgotten_and_goes_on_where_it_was() {
    let (_dir, path) = place();
    let mut rig = Rig::with(&path, keeping(Retention { messages: Some(10), ..Retention::default() }));
    let tail = rig.tail("ops");
    rig.append("ops", NOW, (0..20).map(|n| draft(Some(n), "x")).collect());
    until_first(&mut rig, 11);
    rig.submit(0, qun_core::log::Request::Close { room: id("ops") });
    // It is trimmed, and nobody is told of a room that nobody has open.
    rig.log().keep(id("ops"), Retention { messages: Some(5), ..Retention::default() });
    assert_eq!(rig.next_within(Duration::from_millis(300)), None);
    let again = rig.tail("ops");
    assert_eq!((again.epoch, again.first, again.head), (tail.epoch, Seq::new(16), Seq::new(20)));
    assert_eq!(rig.append("ops", NOW, vec![draft(Some(19), "x"), draft(None, "y")]).0[0], Outcome::Known(Seq::new(20)));
    until_first(&mut rig, 17);
}
