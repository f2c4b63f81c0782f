//! Slow readers: what they miss, what they cost, and that nobody else notices.

use qun_core::ConnId;
use qun_core::server::Reason;
use serde_json::json;

use crate::world::{ANN, DEV, OPS, Watch, World, millis, names, seconds, texts, types};

/// A world in which ann speaks and bob does not read.
fn stalled() -> (World, ConnId, ConnId, Watch) {
    let mut world = World::unpaced();
    world.thorough = false;
    let ann = world.member("ann", OPS);
    let bob = world.connect();
    let mut watch = Watch::default();
    world.ask(bob, json!({"t": "hello", "v": [1], "name": "bob"}));
    world.ask(bob, json!({"t": "join", "id": "j1", "code": OPS, "tail": 0}));
    watch.feed(&world.lines(bob));
    world.take(ann);
    world.stall(bob, 0);
    (world, ann, bob, watch)
}

fn speak(world: &mut World, ann: ConnId, from: u64, count: u64) {
    for n in from..from + count {
        world.say(ann, &format!("s{n}"), "ops", &format!("{n} {}", "x".repeat(3_900)));
    }
}

#[test]
fn who_falls_off_gets_one_exact_gap_and_goes_on() {
    let (mut world, ann, bob, mut watch) = stalled();
    speak(&mut world, ann, 1, 400);
    assert_eq!(texts(&world.lines(ann)).len(), 400);
    world.unstall(bob);
    let lines = world.lines(bob);
    let gaps: Vec<_> = lines.iter().filter(|line| line["t"] == "gap").collect();
    assert_eq!(gaps.len(), 1, "{:?}", types(&lines));
    assert_eq!(names(gaps[0]), ["ann", "bob"]);
    assert_eq!(gaps[0]["to"], 400, "the newest seq");
    watch.feed(&lines);
    assert_eq!(watch.rooms["ops"].next, 401);
    speak(&mut world, ann, 401, 3);
    watch.feed(&world.lines(bob));
    assert_eq!(watch.rooms["ops"].next, 404);
}

#[test]
fn a_gap_that_waits_grows() {
    let (mut world, ann, bob, mut watch) = stalled();
    for from in [1, 301, 601] {
        speak(&mut world, ann, from, 300);
        // Nothing is taken, and yet the gap is written.
        world.trickle(bob, 0);
    }
    world.unstall(bob);
    let lines = world.lines(bob);
    assert_eq!(types(&lines), ["gap"]);
    assert_eq!((&lines[0]["from"], &lines[0]["to"]), (&json!(1), &json!(900)));
    watch.feed(&lines);
}

#[test]
fn who_falls_off_in_two_rooms_gets_a_gap_in_each() {
    let (mut world, ann, bob, mut watch) = stalled();
    world.join(ann, DEV);
    world.stall(bob, usize::MAX);
    world.ask(bob, json!({"t": "join", "id": "j2", "code": DEV, "tail": 0}));
    watch.feed(&world.lines(bob));
    world.stall(bob, 0);
    for from in [1, 301] {
        speak(&mut world, ann, from, 300);
        world.trickle(bob, 0);
        for n in from..from + 300 {
            world.say(ann, &format!("d{n}"), "dev", &"y".repeat(3_900));
        }
        world.trickle(bob, 0);
    }
    world.unstall(bob);
    let lines = world.lines(bob);
    assert_eq!(types(&lines), ["gap", "gap"]);
    watch.feed(&lines);
    assert_eq!((watch.rooms["ops"].next, watch.rooms["dev"].next), (601, 601));
}

#[test]
fn no_answer_overtakes_the_gap_of_a_second_room() {
    let (mut world, ann, bob, mut watch) = stalled();
    world.join(ann, DEV);
    world.stall(bob, usize::MAX);
    world.ask(bob, json!({"t": "join", "id": "j2", "code": DEV, "tail": 0}));
    watch.feed(&world.lines(bob));
    world.stall(bob, 0);
    speak(&mut world, ann, 1, 300);
    for n in 1..=300 {
        world.say(ann, &format!("d{n}"), "dev", &"y".repeat(3_900));
    }
    world.ask(bob, json!({"t": "ping", "n": 7}));
    world.unstall(bob);
    let lines = world.lines(bob);
    assert_eq!(types(&lines), ["gap", "gap", "pong"]);
    watch.feed(&lines);
}

#[test]
fn a_gap_does_not_bring_the_backlog_of_another_room_before_its_joined() {
    let (mut world, ann, bob, mut watch) = stalled();
    world.join(ann, DEV);
    for n in 0..3 {
        world.say(ann, &format!("d{n}"), "dev", "before bob");
    }
    world.ask(bob, json!({"t": "join", "id": "j2", "code": DEV}));
    speak(&mut world, ann, 1, 300);
    // The gap is written, and goes before the answer that waits.
    world.trickle(bob, 0);
    world.unstall(bob);
    let lines = world.lines(bob);
    assert_eq!(types(&lines), ["gap", "joined", "msg", "msg", "msg"]);
    watch.feed(&lines);
}

#[test]
fn half_a_frame_is_finished_before_the_gap() {
    let (mut world, ann, bob, mut watch) = stalled();
    world.stall(bob, 10);
    speak(&mut world, ann, 1, 400);
    world.unstall(bob);
    let lines = world.lines(bob);
    assert_eq!(types(&lines)[..2], ["msg", "gap"]);
    assert_eq!(lines[1]["from"], 2);
    watch.feed(&lines);
}

#[test]
fn who_catches_up_in_time_misses_nothing() {
    let (mut world, ann, bob, mut watch) = stalled();
    speak(&mut world, ann, 1, 50);
    world.unstall(bob);
    let lines = world.lines(bob);
    assert_eq!(texts(&lines).len(), 50);
    watch.feed(&lines);
}

#[test]
fn who_stands_at_the_oldest_byte_has_missed_nothing() {
    // What the room holds in the end, and the gap of one who had read this many before.
    let fill = |read: u64| {
        let (mut world, ann, bob, mut watch) = stalled();
        world.stall(bob, usize::MAX);
        speak(&mut world, ann, 1, read);
        watch.feed(&world.lines(bob));
        world.stall(bob, 0);
        speak(&mut world, ann, read + 1, 200 - read);
        let mei = world.client("mei");
        world.ask(mei, json!({"t": "join", "id": "j1", "code": OPS}));
        let oldest = world.lines(mei)[0]["from"].as_u64().expect("a joined");
        world.unstall(bob);
        let lines = world.lines(bob);
        watch.feed(&lines);
        (oldest, lines.into_iter().find(|line| line["t"] == "gap"))
    };
    let (oldest, _) = fill(0);
    assert!((50..150).contains(&oldest), "{oldest}");
    assert_eq!(fill(oldest - 1), (oldest, None));
    let (_, gap) = fill(oldest - 2);
    assert_eq!(gap.expect("one is missed")["from"], oldest - 1);
}

#[test]
fn the_roster_of_a_gap_is_what_it_is_then() {
    let (mut world, ann, bob, mut watch) = stalled();
    world.ask(ann, json!({"t": "name", "id": "n1", "name": "ann_w"}));
    let mei = world.member("mei", OPS);
    speak(&mut world, ann, 1, 200);
    let zoe = world.member("zoe", OPS);
    speak(&mut world, ann, 201, 200);
    world.reset(mei);
    world.unstall(bob);
    watch.feed(&world.lines(bob));
    world.reset(zoe);
    watch.feed(&world.lines(bob));
    let roster: Vec<_> = watch.rooms["ops"].roster.as_ref().unwrap().values().cloned().collect();
    assert_eq!(roster.len(), 2);
    assert!(roster.contains(&"ann_w".into()) && roster.contains(&"bob".into()));
}

#[test]
fn a_stalled_reader_costs_a_fixed_number_of_bytes() {
    let (mut world, ann, bob, _) = stalled();
    speak(&mut world, ann, 1, 200);
    let before = world.server.memory();
    speak(&mut world, ann, 201, 600);
    // The records and the one encoding, and a batch on top.
    assert!(world.server.memory() <= 2 * (512 << 10) + (64 << 10), "{}", world.server.memory());
    assert!(world.server.memory() <= before + (64 << 10));
    assert!(!world.is_gone(bob));
}

#[test]
fn who_takes_no_byte_for_10_seconds_is_closed() {
    let (mut world, ann, bob, _) = stalled();
    world.say(ann, "s1", "ops", "hello?");
    world.wait(millis(9_999));
    assert!(!world.is_gone(bob));
    world.wait(millis(1));
    assert_eq!(world.closed(bob), Some(Reason::Slow));
    assert!(world.lines(ann).iter().any(|line| line["ev"] == "out" && line["name"] == "bob"));
}

#[test]
fn who_stops_reading_after_long_is_closed_as_soon() {
    let (mut world, ann, bob, _) = stalled();
    world.keep(&[ann, bob], 11);
    world.say(ann, "s1", "ops", "hello?");
    world.wait(millis(9_999));
    assert!(!world.is_gone(bob));
    world.wait(millis(1));
    assert_eq!(world.closed(bob), Some(Reason::Slow));
}

#[test]
fn every_byte_taken_is_progress() {
    let (mut world, ann, bob, _) = stalled();
    world.say(ann, "s1", "ops", "hello?");
    for _ in 0..5 {
        world.wait(seconds(9));
        world.ask(bob, json!({"t": "pong"}));
        world.ask(ann, json!({"t": "pong"}));
        world.trickle(bob, 1);
        assert!(!world.is_gone(bob));
    }
}

/// Where nothing else happens, nothing else tells the machine what time it is.
#[test]
fn every_byte_taken_is_progress_where_all_else_is_silent() {
    let (mut world, ann, bob, _) = stalled();
    world.say(ann, "s1", "ops", "hello?");
    for n in 1..=2 {
        world.wait(seconds(9));
        world.trickle(bob, 1);
        assert!(!world.is_gone(bob), "after {n} bytes");
    }
    world.wait(millis(9_999));
    assert!(!world.is_gone(bob));
    world.wait(millis(2));
    assert_eq!(world.closed(bob), Some(Reason::Slow));
}

#[test]
fn every_byte_taken_is_progress_whoever_is_done_meanwhile() {
    let (mut world, ann, bob, _) = stalled();
    let mei = world.member("mei", OPS);
    world.stall(mei, 0);
    world.say(ann, "s1", "ops", "hello?");
    world.wait(seconds(9));
    world.trickle(bob, 1);
    world.trickle(mei, 1);
    // Nothing has told the time since then.
    world.unstall(bob);
    world.wait(seconds(9));
    assert!(!world.is_gone(mei));
    world.wait(millis(1_001));
    assert_eq!(world.closed(mei), Some(Reason::Slow));
}

#[test]
fn who_has_nothing_to_read_is_not_slow() {
    let (mut world, _, bob, _) = stalled();
    world.wait(seconds(20));
    assert!(!world.is_gone(bob));
}

#[test]
fn a_stalled_reader_changes_nothing_for_the_others() {
    let talk = |stalled: bool| {
        let mut world = World::unpaced();
        world.thorough = false;
        let (ann, bob, mei) = (world.member("ann", OPS), world.member("bob", OPS), world.member("mei", OPS));
        if stalled {
            world.stall(bob, 100);
        }
        for n in 0..300 {
            world.say(ann, &format!("s{n}"), "ops", &"x".repeat(3_000));
            world.wait(millis(7));
            world.ask(mei, json!({"t": "ping", "n": n}));
        }
        (world.text(ann), world.text(mei))
    };
    assert_eq!(talk(true), talk(false));
}

#[test]
fn a_reader_whose_answers_pile_up_is_read_no_more() {
    let (mut world, _, bob, _) = stalled();
    let pings = "{\"t\":\"ping\",\"n\":9007199254740991}\n".repeat(400);
    let mut sent = 0;
    while world.reading(bob) && sent < 40 {
        world.send(bob, &pings);
        sent += 1;
    }
    assert!(sent < 40, "64 KiB of answers, and it is still read");
    world.send(bob, &pings);
    assert_eq!(world.unread(bob), pings.len(), "the driver keeps it");
    world.unstall(bob);
    assert!(world.reading(bob));
    assert_eq!(world.unread(bob), 0);
    assert_eq!(types(&world.lines(bob)), vec!["pong"; (sent + 1) * 400]);
}

#[test]
fn a_reader_that_takes_little_of_its_answers_is_answered_little_more() {
    let (mut world, _, bob, _) = stalled();
    world.send(bob, "{\"t\":\"ping\",\"n\":9007199254740991}\n".repeat(3_000));
    assert!(!world.reading(bob));
    world.trickle(bob, 3_000);
    assert!(!world.reading(bob), "most lines still wait inside");
    world.unstall(bob);
    assert!(world.reading(bob));
}

#[test]
fn lines_behind_a_page_that_is_too_much_wait_until_it_is_sent() {
    let (mut world, ann, bob, _) = stalled();
    world.stall(bob, usize::MAX);
    speak(&mut world, ann, 1, 40);
    world.take(bob);
    world.stall(bob, 0);
    world.ask(bob, json!({"t": "history", "id": "h1", "room": "ops", "before": 41}));
    world.ask(bob, json!({"t": "ping", "n": 1}));
    assert!(!world.reading(bob), "more than 64 KiB are unsent");
    world.unstall(bob);
    assert_eq!(types(&world.lines(bob)), ["page", "pong"]);
    assert!(world.reading(bob));
}

#[test]
fn what_is_behind_half_a_frame_is_shown_with_it() {
    let (mut world, ann, bob, _) = stalled();
    world.stall(bob, 10);
    speak(&mut world, ann, 1, 3);
    let mut slices: [&[u8]; 3] = [&[]; 3];
    let transmit = world.server.transmit(bob).expect("bob has not read");
    let filled = transmit.gather(&mut slices, |slice| slice);
    assert_eq!(filled, 3);
    assert!(!slices[0].starts_with(b"{") && slices[1..].iter().all(|slice| slice.starts_with(b"{")));
}

#[test]
fn a_session_that_resumes_is_not_held_up_by_its_stalled_connection() {
    let mut world = World::unpaced();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.take(ann);
    world.stall(ann, 3);
    world.say(bob, "s1", "ops", "one");
    let new = world.connect();
    world.hello(new, "ann", Some(ANN));
    world.ask(new, json!({"t": "join", "id": "j1", "code": OPS, "resume": {"epoch": "e9f2", "seq": 0}}));
    assert_eq!(texts(&world.lines(new)), ["one"]);
    world.wait(seconds(10));
    assert!(world.is_gone(ann));
}
