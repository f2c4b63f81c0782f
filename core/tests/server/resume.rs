//! Backlog, resume and history: what a join brings, and what is there to be fetched.

use qun_core::log::Answer;
use qun_core::server::Input;
use qun_core::{ConnId, Seq};
use serde_json::{Value, json};

use crate::world::{ANN, OPS, World, millis, seconds, texts, types};

/// A world whose room `ops` has 815 messages.
fn old_world() -> World {
    let mut world = World::new();
    world.log.fill("ops", 815, |n| format!("message {n}"));
    world
}

/// Joins, and demands that all from `from` to `head` follows. What `joined` says of both.
fn join(world: &mut World, conn: ConnId, resume: Value, tail: Value) -> (u64, u64) {
    world.ask(conn, json!({"t": "join", "id": "j1", "code": OPS, "resume": resume, "tail": tail}));
    let lines = world.lines(conn);
    assert_eq!(lines[0]["t"], "joined", "{}", lines[0]);
    let (from, head) = (lines[0]["from"].as_u64().unwrap(), lines[0]["head"].as_u64().unwrap());
    let seqs: Vec<_> = lines[1..].iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert_eq!(seqs, (from..=head).collect::<Vec<_>>());
    (from, head)
}

/// The first message that follows a join.
fn from(resume: Value, tail: Value) -> u64 {
    let mut world = old_world();
    let conn = world.client("ann");
    let (from, head) = join(&mut world, conn, resume, tail);
    assert_eq!(head, 815);
    from
}

#[test]
fn the_backlog_is_what_the_tail_asks_for_and_the_server_replays() {
    assert_eq!(from(json!(null), json!(2)), 814);
    assert_eq!(from(json!(null), json!(0)), 816);
    assert_eq!(from(json!(null), json!(null)), 616);
    assert_eq!(from(json!(null), json!(200)), 616);
    assert_eq!(from(json!(null), json!(201)), 616);
    assert_eq!(from(json!(null), json!(9_007_199_254_740_991u64)), 616);
}

#[test]
fn a_resume_goes_on_behind_the_last_message_seen() {
    let at = |seq: u64| json!({"epoch": "e9f2", "seq": seq});
    assert_eq!(from(at(812), json!(50)), 813);
    assert_eq!(from(at(815), json!(50)), 816);
    assert_eq!(from(at(812), json!(2)), 814, "the tail bounds it");
    assert_eq!(from(at(700), json!(null)), 701);
    assert_eq!(from(at(615), json!(null)), 616, "just continuous");
    assert_eq!(from(at(614), json!(null)), 616, "a hole of one");
    assert_eq!(from(at(0), json!(10)), 806);
}

#[test]
fn a_position_of_another_history_counts_as_none() {
    assert_eq!(from(json!({"epoch": "other", "seq": 812}), json!(50)), 766);
    assert_eq!(from(json!({"epoch": "e9f2", "seq": 816}), json!(50)), 766);
    assert_eq!(from(json!({"epoch": "e9f2", "seq": 9_007_199_254_740_991u64}), json!(50)), 766);
}

#[test]
fn what_memory_no_longer_holds_is_left_to_history() {
    let mut world = World::with(|config| config.limits.room_bytes = 64 << 10);
    world.log.fill("ops", 815, |n| format!("{n} {}", "x".repeat(3_000)));
    let ann = world.client("ann");
    let (from, _) = join(&mut world, ann, json!({"epoch": "e9f2", "seq": 700}), json!(null));
    assert!(from > 701, "{from}");
    let page = world.call(ann, json!({"t": "history", "id": "h1", "room": "ops", "after": 700, "limit": 5}));
    let seqs: Vec<_> = page["msgs"].as_array().unwrap().iter().map(|msg| msg["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [701, 702, 703, 704, 705]);
}

#[test]
fn an_empty_room_has_no_backlog() {
    let mut world = World::new();
    let ann = world.client("ann");
    assert_eq!(join(&mut world, ann, json!(null), json!(50)), (1, 0));
}

#[test]
fn what_is_said_while_one_is_away_is_there_when_one_is_back() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.say(bob, "s1", "ops", "one");
    world.reset(ann);
    world.say(bob, "s2", "ops", "two");
    world.say(bob, "s3", "ops", "three");
    let ann = world.connect();
    world.hello(ann, "ann", Some(ANN));
    assert_eq!(join(&mut world, ann, json!({"epoch": "e9f2", "seq": 1}), json!(50)), (2, 3));
}

#[test]
fn replay_leaves_out_presence_older_than_the_membership() {
    let mut world = World::new();
    let bob = world.member("bob", OPS);
    for n in 0..3 {
        world.say(bob, &format!("s{n}"), "ops", "x");
        let guest = world.member("guest", OPS);
        world.reset(guest);
    }
    let ann = world.client("ann");
    world.ask(ann, json!({"t": "join", "id": "j1", "code": OPS}));
    assert_eq!(types(&world.lines(ann)), ["joined", "msg", "msg", "msg"]);
}

fn page(world: &mut World, conn: ConnId, fields: Value) -> (Vec<u64>, bool) {
    let mut request = json!({"t": "history", "id": "h1", "room": "ops"});
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let page = world.call(conn, request);
    assert_eq!(page["t"], "page", "{page}");
    for (field, value) in [("re", json!("h1")), ("room", json!("ops")), ("epoch", json!("e9f2")), ("first", json!(1))] {
        assert_eq!(page[field], value);
    }
    let seqs = page["msgs"].as_array().unwrap().iter().map(|msg| msg["seq"].as_u64().unwrap()).collect();
    (seqs, page["more"].as_bool().unwrap())
}

#[test]
fn history_is_read_in_pages_in_either_direction() {
    let mut world = old_world();
    let ann = world.client("ann");
    world.join(ann, OPS);
    assert_eq!(page(&mut world, ann, json!({"before": 613, "limit": 3})), (vec![610, 611, 612], true));
    assert_eq!(page(&mut world, ann, json!({"before": 3, "limit": 5})), (vec![1, 2], false));
    assert_eq!(page(&mut world, ann, json!({"before": 1, "limit": 5})), (vec![], false));
    assert_eq!(page(&mut world, ann, json!({"after": 600, "limit": 2})), (vec![601, 602], true));
    assert_eq!(page(&mut world, ann, json!({"after": 813, "limit": 5})), (vec![814, 815], false));
    assert_eq!(page(&mut world, ann, json!({"after": 815, "limit": 5})), (vec![], false));
    assert_eq!(page(&mut world, ann, json!({"before": 9_007_199_254_740_991u64, "limit": 1})), (vec![815], true));
    let (seqs, more) = page(&mut world, ann, json!({"before": 800, "limit": 100_000}));
    assert_eq!((seqs.len(), more), (200, true), "a page may hold less than asked");
}

#[test]
fn a_page_is_never_longer_than_a_line() {
    let mut world = World::new();
    world.log.fill("ops", 300, |n| format!("{n}{}", "\u{E9}\"\n".repeat(60).repeat(15)));
    let ann = world.client("ann");
    world.join(ann, OPS);
    world.take(ann);
    world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "before": 301, "limit": 200}));
    let line = world.take(ann);
    assert!(line.len() <= qun_core::SERVER_LINE, "{}", line.len());
    let page: Value = serde_json::from_slice(&line).unwrap();
    let seqs: Vec<_> = page["msgs"].as_array().unwrap().iter().map(|msg| msg["seq"].as_u64().unwrap()).collect();
    let first = seqs[0];
    assert_eq!(seqs, (first..=300).collect::<Vec<_>>(), "what is left out is left out at the far end");
    assert_eq!(page["more"], true);
    world.ask(ann, json!({"t": "history", "id": "h2", "room": "ops", "after": 0, "limit": 200}));
    let page = world.only(ann);
    assert_eq!((&page["msgs"][0]["seq"], &page["more"]), (&json!(1), &json!(true)));
}

#[test]
fn history_asks_for_one_direction() {
    let mut world = old_world();
    let ann = world.client("ann");
    world.join(ann, OPS);
    for request in [
        json!({"t": "history", "id": "h1", "room": "ops"}),
        json!({"t": "history", "id": "h1", "room": "ops", "before": 4, "after": 2}),
        json!({"t": "history", "id": "h1", "room": "ops", "before": -1}),
        json!({"t": "history", "id": "h1", "room": "ops", "before": 1.5}),
    ] {
        let error = world.call(ann, request);
        assert_eq!((&error["code"], &error["re"]), (&json!("bad_field"), &json!("h1")));
    }
}

#[test]
fn lines_behind_a_history_wait_for_it() {
    let mut world = old_world();
    let ann = world.client("ann");
    world.join(ann, OPS);
    world.log.hold = true;
    world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "before": 9, "limit": 2}));
    world.ask(ann, json!({"t": "ping", "n": 1}));
    world.quiet(ann);
    assert!(!world.reading(ann));
    world.release();
    assert_eq!(types(&world.lines(ann)), ["page", "pong"]);
    assert!(world.reading(ann));
}

/// What is not sent needs no stopping: it costs the driver two wakes for every page.
#[test]
fn who_waits_and_has_sent_nothing_more_is_still_read() {
    let mut world = old_world();
    let ann = world.client("ann");
    world.join(ann, OPS);
    world.log.hold = true;
    world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "before": 9, "limit": 2}));
    assert!(world.reading(ann));
    world.send(ann, "{\"t\":");
    assert!(!world.reading(ann), "what has begun waits inside");
}

#[test]
fn pages_that_are_loaded_at_once_reach_those_who_asked() {
    let mut world = old_world();
    let (ann, bob) = (world.client("ann"), world.client("bob"));
    world.join(ann, OPS);
    world.join(bob, OPS);
    world.take(ann);
    world.log.hold = true;
    world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "before": 9, "limit": 1}));
    world.ask(bob, json!({"t": "history", "id": "h2", "room": "ops", "before": 7, "limit": 1}));
    world.release_all();
    for (conn, re, seq) in [(ann, "h1", 8), (bob, "h2", 6)] {
        let page = world.only(conn);
        assert_eq!((&page["re"], &page["msgs"][0]["seq"]), (&json!(re), &json!(seq)));
    }
}

#[test]
fn a_page_that_does_not_come_within_5_seconds_is_unavailable() {
    let mut world = old_world();
    let ann = world.client("ann");
    world.join(ann, OPS);
    world.log.hold = true;
    world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "before": 9}));
    world.ask(ann, json!({"t": "ping", "n": 1}));
    world.wait(millis(4_999));
    world.quiet(ann);
    world.wait(millis(1));
    let lines = world.lines(ann);
    assert_eq!(types(&lines), ["error", "pong"]);
    assert_eq!((&lines[0]["code"], &lines[0]["re"]), (&json!("unavailable"), &json!("h1")));
    // The answer that comes too late finds nobody.
    world.release_all();
    world.quiet(ann);

    world.log.broken = true;
    let error = world.call(ann, json!({"t": "history", "id": "h2", "room": "ops", "before": 9}));
    assert_eq!((&error["code"], &error["retry"]), (&json!("unavailable"), &json!("later")));
    world.wait(seconds(1));
    world.quiet(ann);
}

/// The line waited inside, and goes on when `poll` finds it: what it makes due at once is done before the driver rests.
#[test]
fn a_page_that_may_take_no_time_is_unavailable_at_once() {
    let mut world = World::with(|config| config.limits.load = seconds(0));
    let ann = world.client("ann");
    world.log.hold = true;
    world.ask(ann, json!({"t": "join", "id": "j1", "code": OPS}));
    world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "before": 9}));
    world.release();
    let lines = world.lines(ann);
    assert_eq!(types(&lines), ["joined", "error"]);
    assert_eq!(lines[1]["code"], "unavailable");
}

#[test]
fn what_the_log_let_go_of_is_replayed_to_nobody() {
    let mut world = World::new();
    world.log.fill("ops", 9, |n| format!("message {n}"));
    world.member("ann", OPS);
    let (room, first) = ("ops".parse().unwrap(), Seq::new(8));
    world.haunt(Input::Log(Answer::Grew { room, first, records: [].into() }));
    let bob = world.client("bob");
    world.ask(bob, json!({"t": "join", "id": "j1", "code": OPS, "resume": {"epoch": "e9f2", "seq": 3}}));
    let lines = world.lines(bob);
    assert_eq!((&lines[0]["first"], &lines[0]["from"], &lines[0]["head"]), (&json!(8), &json!(8), &json!(9)));
    assert_eq!(texts(&lines), ["message 8", "message 9"]);
}

#[test]
fn a_log_that_let_go_of_more_than_the_room_has_heard_of_leaves_no_hole() {
    let mut world = World::new();
    world.log.fill("ops", 9, |n| format!("message {n}"));
    world.member("ann", OPS);
    let (room, first) = ("ops".parse().unwrap(), Seq::new(15));
    world.haunt(Input::Log(Answer::Grew { room, first, records: [].into() }));
    let bob = world.client("bob");
    assert_eq!(join(&mut world, bob, json!(null), json!(null)), (10, 9));
}
