//! Coming back to a room: positions, holes, gaps, a history that began anew.

use std::time::Duration;

use qun_core::client::{Entry, Event};
use qun_core::{Code, Role};

use crate::rig::{Rig, code, error, joined, msg, ops, page, welcome};

/// A client in `ops` that has seen up to 10 and whose connection was replaced; the id of its join.
fn back() -> (Rig, qun_core::Id) {
    let mut rig = Rig::in_room();
    let re = again(&mut rig);
    (rig, re)
}

fn again(rig: &mut Rig) -> qun_core::Id {
    rig.reconnect();
    rig.forget();
    rig.feed(&welcome());
    let joins = rig.joins();
    assert_eq!(joins.len(), 1);
    rig.events();
    joins[0].0
}

#[test]
fn the_first_join_has_a_backlog_and_no_hole() {
    let mut rig = Rig::online();
    let re = rig.client.join(rig.now, code());
    rig.drain();
    rig.feed(&joined(re, "ops", "e1", 1, 9, 10));
    rig.forget();
    for (seq, text) in [(9, "a"), (10, "b"), (11, "c")] {
        rig.feed(&msg(seq, text));
    }
    assert_eq!(rig.shown(), ["9 a backlog", "10 b backlog", "11 c"]);
    assert!(rig.sent().is_empty(), "nothing is fetched");
}

#[test]
fn every_room_is_joined_again_where_it_stood() {
    let mut rig = Rig::in_room();
    rig.feed(&msg(11, "a"));
    let other = rig.client.join(rig.now, "R3AD-0N1Y".parse::<Code>().expect("a code"));
    rig.drain();
    rig.feed(&joined(other, "hall", "h1", 1, 6, 5));
    rig.reconnect();
    rig.forget();
    rig.feed(&welcome());
    assert_eq!(rig.joins().into_iter().map(|(_, seq)| seq).collect::<Vec<_>>(), [Some(11), Some(5)]);
}

#[test]
fn a_replay_that_continues_is_shown_once() {
    let (mut rig, re) = back();
    rig.feed(&joined(re, "ops", "e1", 1, 10, 12));
    rig.feed(&msg(10, "seen"));
    rig.feed(&msg(11, "a"));
    rig.feed(&msg(12, "b"));
    rig.feed(&msg(12, "b"));
    rig.feed(&msg(13, "c"));
    assert_eq!(rig.shown(), ["11 a backlog", "12 b backlog", "13 c"]);
}

#[test]
fn a_hole_is_fetched_and_what_is_behind_it_waits() {
    let (mut rig, re) = back();
    rig.feed(&joined(re, "ops", "e1", 1, 15, 15));
    let (fetch, after, limit) = rig.fetched();
    assert_eq!((after, limit), (10, 4));
    rig.feed(&msg(15, "m15"));
    rig.feed(&msg(16, "m16"));
    assert_eq!(rig.shown(), [""; 0]);
    assert_eq!(rig.client.room(&ops()).map(|room| (room.position().seq.get(), room.head().get())), Some((10, 16)));
    rig.feed(&page(fetch, 1, true, 11..=12));
    assert_eq!(rig.shown(), ["11 m11 backlog", "12 m12 backlog"]);
    let (fetch, after, limit) = rig.fetched();
    assert_eq!((after, limit), (12, 2));
    rig.feed(&page(fetch, 1, true, 13..=17));
    assert_eq!(rig.shown(), ["13 m13 backlog", "14 m14 backlog", "15 m15 backlog", "16 m16"]);
    assert!(rig.sent().is_empty());
}

#[test]
fn what_the_log_has_no_more_is_told_exactly() {
    let (mut rig, re) = back();
    rig.feed(&joined(re, "ops", "e1", 13, 15, 15));
    assert_eq!(rig.shown(), ["lost 11-12"]);
    let (fetch, after, _) = rig.fetched();
    assert_eq!(after, 12);
    // It lost more meanwhile.
    rig.feed(&page(fetch, 14, false, 14..=14));
    rig.feed(&msg(15, "m15"));
    assert_eq!(rig.shown(), ["lost 13-13", "14 m14 backlog", "15 m15 backlog"]);

    let (mut rig, re) = back();
    rig.feed(&joined(re, "ops", "e1", 16, 16, 15));
    assert_eq!(rig.shown(), ["lost 11-15"]);
    assert!(rig.sent().is_empty());
}

#[test]
fn a_page_that_brings_nothing_is_not_asked_for_again() {
    let (mut rig, re) = back();
    rig.feed(&joined(re, "ops", "e1", 1, 15, 15));
    let (fetch, ..) = rig.fetched();
    rig.feed(&page(fetch, 1, true, []));
    assert_eq!(rig.shown(), ["lost 11-14"]);
    assert!(rig.sent().is_empty());
}

#[test]
fn nothing_is_lost_where_the_log_begins_with_the_hole() {
    let (mut rig, re) = back();
    rig.feed(&joined(re, "ops", "e1", 11, 15, 15));
    let (fetch, ..) = rig.fetched();
    rig.feed(&page(fetch, 11, false, 11..=14));
    rig.feed(&msg(15, "m15"));
    let shown = rig.shown();
    assert!(shown.len() == 5 && !shown.iter().any(|line| line.starts_with("lost")), "{shown:?}");
}

#[test]
fn what_a_page_leaves_out_is_lost_and_what_it_has_twice_is_shown_once() {
    let (mut rig, re) = back();
    rig.feed(&joined(re, "ops", "e1", 1, 16, 16));
    let (fetch, ..) = rig.fetched();
    rig.feed(&page(fetch, 1, false, [11, 11, 14, 15]));
    let shown: Vec<_> = rig.shown().iter().map(|line| line.replace(" backlog", "")).collect();
    assert_eq!(shown, ["11 m11", "lost 12-13", "14 m14", "15 m15"]);
}

#[test]
fn a_hole_is_fetched_in_pages_of_what_the_server_replays() {
    for (replay, limit) in [(3, 3), (0, 200)] {
        let mut rig = Rig::in_room();
        rig.reconnect();
        rig.forget();
        rig.feed(&welcome().replace(r#""replay":200"#, &format!(r#""replay":{replay}"#)));
        let (re, _) = rig.joins()[0];
        rig.feed(&joined(re, "ops", "e1", 1, 901, 900));
        assert_eq!(rig.fetched().2, limit);
    }
}

#[test]
fn what_was_shown_is_held_no_more() {
    let mut rig = Rig::in_room();
    for seq in 11..=310 {
        rig.feed(&msg(seq, &"x".repeat(4_000)));
    }
    rig.feed(r#"{"t":"gap","room":"ops","from":311,"to":312,"here":1,"members":[]}"#);
    let (fetch, ..) = rig.fetched();
    rig.feed(&msg(313, "m313"));
    rig.forget();
    rig.feed(&page(fetch, 1, false, 311..=312));
    assert_eq!(rig.shown(), ["311 m311", "312 m312", "313 m313"]);
    assert!(rig.sent().is_empty(), "it is not fetched that came already");
}

#[test]
fn a_page_that_fails_is_asked_for_again_later() {
    let (mut rig, re) = back();
    rig.feed(&joined(re, "ops", "e1", 1, 15, 15));
    let (fetch, ..) = rig.fetched();
    rig.feed(&error(fetch, "unavailable", "later", 3_000));
    rig.pass(Duration::from_millis(2_999));
    assert!(rig.sent().is_empty());
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.fetched().1, 10);

    let (mut rig, re) = back();
    rig.feed(&joined(re, "ops", "e1", 1, 15, 15));
    let (fetch, ..) = rig.fetched();
    rig.feed(&error(fetch, "not_member", "no", 0));
    assert_eq!(rig.shown(), ["lost 11-14"]);
}

#[test]
fn a_connection_that_breaks_during_a_fetch_begins_it_anew() {
    let (mut rig, re) = back();
    rig.feed(&joined(re, "ops", "e1", 1, 15, 15));
    let (old, ..) = rig.fetched();
    rig.feed(&msg(15, "m15"));
    let re = again(&mut rig);
    rig.feed(&joined(re, "ops", "e1", 1, 15, 16));
    let (fetch, after, _) = rig.fetched();
    assert_eq!(after, 10);
    rig.feed(&page(old, 1, false, 11..=14));
    assert_eq!(rig.shown(), [""; 0], "the page of another connection");
    rig.feed(&page(fetch, 1, false, 11..=14));
    rig.feed(&msg(15, "m15"));
    rig.feed(&msg(16, "m16"));
    let shown = rig.shown();
    assert_eq!(shown.iter().map(|s| &s[..3]).collect::<Vec<_>>(), ["11 ", "12 ", "13 ", "14 ", "15 ", "16 "]);
}

#[test]
fn a_gap_is_fetched_and_brings_the_roster_anew() {
    let mut rig = Rig::in_room();
    rig.feed(&msg(11, "a"));
    rig.feed(r#"{"t":"gap","room":"ops","from":12,"to":14,"here":1,"members":[{"m":"cccccccccc","name":"mei"}]}"#);
    let (fetch, after, limit) = rig.fetched();
    assert_eq!((after, limit), (11, 3));
    rig.feed(&msg(15, "m15"));
    let events = rig.events();
    assert!(events.contains(&Event::Roster { room: ops() }));
    rig.feed(&page(fetch, 1, false, 12..=14));
    assert_eq!(rig.shown(), ["12 m12", "13 m13", "14 m14", "15 m15"]);
    let names: Vec<_> = rig.client.room(&ops()).and_then(|room| room.roster()).into_iter().flatten().collect();
    assert_eq!(names.len(), 1);
    assert_eq!(names[0].name.as_str(), "mei");
}

/// The log had no more as it read the page; what came after that is missed, and not lost.
/// A history that changed is told by `joined`: after a page of another one, nothing here can be trusted.
#[test]
fn a_page_of_another_history_ends_the_connection() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":20,"here":1,"members":[]}"#);
    let (fetch, ..) = rig.fetched();
    let closes = rig.closes;
    rig.feed(&page(fetch, 11, false, 11..=20).replace(r#""epoch":"e1""#, r#""epoch":"e2""#));
    assert_eq!(rig.closes, closes + 1);
    assert_eq!(rig.shown(), Vec::<String>::new());
}

#[test]
fn a_hole_that_grows_while_a_page_is_on_its_way_is_fetched_to_its_new_end() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":12,"here":1,"members":[]}"#);
    let (fetch, ..) = rig.fetched();
    rig.feed(r#"{"t":"gap","room":"ops","from":13,"to":15,"here":1,"members":[]}"#);
    rig.feed(&page(fetch, 1, false, 11..=12));
    assert_eq!(rig.shown(), ["11 m11", "12 m12"]);
    let (fetch, after, limit) = rig.fetched();
    assert_eq!((after, limit), (12, 3));
    rig.feed(&page(fetch, 1, false, 13..=15));
    assert_eq!(rig.shown(), ["13 m13", "14 m14", "15 m15"]);
}

#[test]
fn a_gap_of_presence_alone_has_nothing_to_fetch() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":10,"here":1,"members":[]}"#);
    assert!(rig.sent().is_empty());
    rig.feed(&msg(11, "a"));
    assert_eq!(rig.shown(), ["11 a"]);
}

#[test]
fn two_gaps_are_fetched_one_after_the_other() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":12,"here":1,"members":[]}"#);
    let (first, ..) = rig.fetched();
    rig.feed(&msg(13, "m13"));
    rig.feed(r#"{"t":"gap","room":"ops","from":14,"to":15,"here":1,"members":[]}"#);
    rig.feed(&msg(16, "m16"));
    assert!(rig.sent().is_empty());
    rig.feed(&page(first, 1, true, 11..=12));
    assert_eq!(rig.shown(), ["11 m11", "12 m12", "13 m13"]);
    let (second, after, limit) = rig.fetched();
    assert_eq!((after, limit), (13, 2));
    rig.feed(&page(second, 1, false, 14..=15));
    assert_eq!(rig.shown(), ["14 m14", "15 m15", "16 m16"]);
}

#[test]
fn what_is_held_back_is_bounded_and_not_lost() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":11,"here":1,"members":[]}"#);
    let (fetch, ..) = rig.fetched();
    let text = "x".repeat(3_000);
    for seq in 12..=1_011 {
        rig.feed(&msg(seq, &text));
    }
    assert!(format!("{:?}", rig.client).len() < 2 << 20);
    let mut next = 11;
    let mut fetch = Some(fetch);
    while let Some(re) = fetch.take() {
        rig.feed(&page(re, 1, true, next..next + 100));
        for shown in rig.shown() {
            assert!(shown.starts_with(&format!("{next} ")), "{shown} instead of {next}");
            next += 1;
        }
        if next <= 1_011 {
            fetch = Some(rig.fetched().0);
        }
    }
    assert_eq!(next, 1_012);
}

#[test]
fn a_history_that_began_anew_is_said() {
    for (epoch, from, head) in [("e2", 3, 4), ("e1", 3, 4), ("e2", 21, 40)] {
        let (mut rig, re) = back();
        rig.feed(&joined(re, "ops", epoch, 1, from, head));
        rig.feed(&msg(from, "a"));
        assert_eq!(rig.shown(), ["restarted".to_string(), format!("{from} a backlog")], "{epoch} {head}");
        assert!(rig.sent().is_empty(), "what was before is no hole");
        let room = rig.client.room(&ops()).expect("in it");
        assert!(matches!(room.timeline().collect::<Vec<_>>()[..], [Entry::Restarted, Entry::Message(_)]));
    }
}

#[test]
fn a_join_that_is_refused_for_now_is_tried_again() {
    let (mut rig, re) = back();
    rig.feed(&error(re, "unavailable", "later", 4_000));
    assert!(rig.events().is_empty());
    rig.pass(Duration::from_millis(3_999));
    assert!(rig.joins().is_empty());
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.joins().len(), 1);
}

#[test]
fn of_two_joins_of_a_room_the_last_answer_counts() {
    let (mut rig, re) = back();
    rig.feed(&error(re, "unavailable", "later", 1_000));
    let knock = rig.client.join(rig.now, "R3AD-0N1Y".parse::<Code>().expect("a code"));
    rig.drain();
    rig.pass(Duration::from_millis(1_000));
    let back = rig.joins().last().expect("it is asked again").0;
    rig.feed(&joined(knock, "ops", "e1", 1, 13, 14));
    rig.feed(&msg(13, "m13"));
    rig.feed(&msg(14, "m14"));
    assert_eq!(rig.fetched().1, 10);
    rig.forget();
    rig.feed(&joined(back, "ops", "e1", 1, 13, 14).replace("talk", "read"));
    assert_eq!(rig.client.room(&ops()).expect("in it").role(), Role::Read);
    let (fetch, after, limit) = rig.fetched();
    assert_eq!((after, limit), (10, 2), "what is missed is asked for as after any other join");
    rig.feed(&msg(13, "m13"));
    rig.feed(&msg(14, "m14"));
    rig.events();
    rig.feed(&page(fetch, 1, false, 11..=12));
    assert_eq!(rig.shown(), ["11 m11 backlog", "12 m12 backlog", "13 m13 backlog", "14 m14 backlog"]);
}

#[test]
fn a_room_that_will_not_have_us_again_is_left() {
    let (mut rig, re) = back();
    rig.feed(&error(re, "code_expired", "fix", 0));
    assert_eq!(rig.shown(), ["left", "refused code_expired"]);
    assert!(rig.client.room(&ops()).is_none());
}

#[test]
fn a_code_that_leads_elsewhere_now_leaves_the_old_room() {
    let (mut rig, re) = back();
    rig.feed(&joined(re, "hall", "h1", 1, 6, 5));
    let events = rig.events();
    assert!(matches!(&events[..], [Event::Left { .. }, Event::Joined { .. }]), "{events:?}");
    assert_eq!(rig.client.rooms().map(|room| room.id().as_str()).collect::<Vec<_>>(), ["hall"]);
}

#[test]
fn the_timeline_keeps_the_newest() {
    let mut rig = Rig::in_room();
    for seq in 11..=150 {
        rig.feed(&msg(seq, "x"));
    }
    let room = rig.client.room(&ops()).expect("in it");
    assert_eq!(room.timeline().len(), 100);
    assert!(matches!(room.timeline().next(), Some(Entry::Message(message)) if message.seq.get() == 51));
}
