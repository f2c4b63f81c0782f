//! Order: of a connection's lines, of a room's messages, of what leaves and what stays.

use serde_json::json;

use crate::world::{ANN, DEV, HALL, OPS, Watch, World, millis, seconds, texts, types};

#[test]
fn joined_comes_before_the_rooms_first_frame() {
    let mut world = World::new();
    let bob = world.member("bob", OPS);
    world.say(bob, "s1", "ops", "backlog");
    let ann = world.client("ann");
    world.stall(ann, 0);
    world.ask(ann, json!({"t": "join", "id": "j1", "code": OPS}));
    world.say(bob, "s2", "ops", "live");
    world.unstall(ann);
    let lines = world.lines(ann);
    assert_eq!(types(&lines), ["joined", "msg", "msg"]);
    assert_eq!((&lines[0]["from"], &lines[0]["head"]), (&json!(1), &json!(1)));
}

#[test]
fn an_answer_comes_before_the_presence_that_came_after_it() {
    for (code, told) in [(OPS, "presence"), (HALL, "here")] {
        let mut world = World::new();
        let (ann, bob) = (world.member("ann", code), world.member("bob", code));
        world.wait(seconds(10));
        world.take(ann);
        world.stall(ann, 0);
        world.ask(ann, json!({"t": "ping", "n": 1}));
        world.reset(bob);
        world.ask(ann, json!({"t": "ping", "n": 2}));
        world.unstall(ann);
        assert_eq!(types(&world.lines(ann)), ["pong", told, "pong"]);
    }
}

#[test]
fn nothing_of_the_room_comes_after_left() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    world.stall(ann, 0);
    world.say(bob, "s1", "ops", "one");
    world.ask(ann, json!({"t": "leave", "id": "l1", "room": "ops"}));
    world.say(bob, "s2", "ops", "two");
    world.unstall(ann);
    let lines = world.lines(ann);
    assert_eq!(types(&lines), ["msg", "left"]);
    assert_eq!(lines[1], json!({"t": "left", "re": "l1", "room": "ops"}));
    assert_eq!(world.lines(bob).last().unwrap()["text"], "two");
}

#[test]
fn an_answer_comes_after_the_broadcasts_before_it() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.join(ann, DEV);
    let mei = world.member("mei", DEV);
    world.take(ann);
    world.stall(ann, 0);
    world.say(bob, "s1", "ops", "one");
    world.ask(ann, json!({"t": "ping", "n": 1}));
    world.say(mei, "s2", "dev", "two");
    world.ask(ann, json!({"t": "ping", "n": 2}));
    world.say(bob, "s3", "ops", "three");
    world.unstall(ann);
    let lines = world.lines(ann);
    assert_eq!(types(&lines), ["msg", "pong", "msg", "pong", "msg"]);
    assert_eq!(texts(&lines), ["one", "two", "three"]);
}

#[test]
fn a_page_has_what_was_said_before_it_was_asked_for() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.take(ann);
    let say = json!({"t": "say", "id": "s1", "room": "ops", "text": "one"});
    let ask = json!({"t": "history", "id": "h1", "room": "ops", "after": 0});
    world.send(ann, format!("{say}\n{ask}\n").as_bytes());
    let lines = world.lines(ann);
    assert_eq!(types(&lines), ["msg", "page"]);
    assert_eq!(lines[1]["msgs"][0]["text"], "one");
}

/// The log is not asked for it while something that was said before waits for an append that is outstanding.
#[test]
fn a_page_has_what_was_said_behind_an_outstanding_append() {
    for broken in [false, true] {
        let mut world = World::new();
        let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
        world.take(ann);
        world.log.hold = true;
        for text in ["one", "two"] {
            world.say(ann, text, "ops", text);
        }
        world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "after": 0}));
        // Somebody else's page waits for it, too.
        world.ask(bob, json!({"t": "history", "id": "h2", "room": "ops", "after": 0}));
        assert_eq!(world.log.held.len(), 1, "the first append");
        world.log.broken = broken;
        world.release();
        world.log.broken = false;
        world.release_all();
        let lines = world.lines(ann);
        if broken {
            assert_eq!(types(&lines), ["error", "error", "page"]);
        } else {
            assert_eq!(types(&lines), ["msg", "msg", "page"]);
            assert_eq!(lines[2]["msgs"].as_array().map(Vec::len), Some(2));
        }
        assert_eq!(types(&world.lines(bob)).last(), Some(&"page"));
    }
}

#[test]
fn what_comes_at_once_is_one_append() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    let say = |n| json!({"t": "say", "id": format!("s{n}"), "room": "ops", "text": "hi"}).to_string() + "\n";
    world.send(ann, (0..5).map(say).collect::<String>().as_bytes());
    assert_eq!(world.log.appends, [5]);
}

#[test]
fn left_waits_for_the_sessions_own_says() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "one");
    world.say(ann, "s2", "ops", "two");
    world.ask(ann, json!({"t": "leave", "id": "l1", "room": "ops"}));
    world.quiet(ann);
    world.release_all();
    assert_eq!(types(&world.lines(ann)), ["msg", "msg", "left"]);
    let lines = world.lines(bob);
    assert_eq!(types(&lines), ["msg", "msg", "presence"]);
    assert_eq!((&lines[2]["ev"], &lines[2]["why"]), (&json!("out"), &json!("left")));
}

#[test]
fn a_leave_waits_for_the_log_only_so_long() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "one");
    world.ask(ann, json!({"t": "leave", "id": "l1", "room": "ops"}));
    world.wait(millis(5_000));
    let lines = world.lines(ann);
    assert_eq!(lines.last().unwrap()["t"], "left", "{lines:?}");
    world.release_all();
    world.quiet(ann);
    assert_eq!(texts(&world.lines(bob)), ["one"]);
}

#[test]
fn the_close_after_bye_waits_for_the_sessions_says() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.take(ann);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "last words");
    world.ask(ann, json!({"t": "bye"}));
    world.quiet(ann);
    assert!(!world.is_gone(ann));
    world.release_all();
    assert_eq!(types(&world.lines(ann)), ["msg", "bye"]);
    assert!(world.is_gone(ann));
    assert_eq!(types(&world.lines(bob)), ["msg", "presence"]);
}

#[test]
fn the_end_of_the_stream_waits_for_the_sessions_says() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    world.log.hold = true;
    // The last line has no end.
    world.queue(ann, json!({"t": "say", "id": "s1", "room": "ops", "text": "last words"}).to_string());
    world.finish(ann);
    assert!(!world.is_gone(ann));
    world.release_all();
    assert_eq!(types(&world.lines(ann))[0], "msg");
    assert!(world.is_gone(ann));
    assert_eq!(types(&world.lines(bob)), ["msg", "presence"]);
}

#[test]
fn out_comes_after_the_says_of_a_connection_that_was_reset() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.log.hold = true;
    world.say(ann, "s1", "ops", "half");
    world.reset(ann);
    world.release_all();
    assert_eq!(types(&world.lines(bob)), ["msg", "presence"]);
}

#[test]
fn every_member_sees_the_same_order() {
    let mut world = World::unpaced();
    let members: Vec<_> = ["a", "b", "c", "d"].map(|name| world.member(name, OPS)).into();
    for conn in &members {
        world.take(*conn);
    }
    for n in 0..40 {
        let conn = members[n * 7 % 4];
        world.queue(conn, format!("{}\n", json!({"t": "say", "room": "ops", "text": format!("{n}")})));
        if n % 5 == 0 {
            world.wait(millis(1));
        }
    }
    world.wait(seconds(1));
    let streams: Vec<_> = members.iter().map(|&conn| world.text(conn)).collect();
    assert_eq!(streams[0].lines().count(), 40);
    assert!(streams.iter().all(|stream| *stream == streams[0]));
}

#[test]
fn joining_and_leaving_again_and_again_keeps_every_stream_whole() {
    let mut world = World::unpaced();
    let (bob, ann) = (world.member("bob", OPS), world.connect());
    world.ask(ann, json!({"t": "hello", "v": [1], "name": "ann"}));
    let mut watch = Watch::default();
    for n in 0..20 {
        world.ask(ann, json!({"t": "join", "id": format!("j{n}"), "code": OPS, "tail": n % 4}));
        world.say(bob, &format!("b{n}"), "ops", "x");
        world.say(ann, &format!("a{n}"), "ops", "y");
        world.ask(ann, json!({"t": "leave", "id": format!("l{n}"), "room": "ops"}));
        world.say(bob, &format!("c{n}"), "ops", "z");
    }
    watch.feed(&world.lines(ann));
    assert!(watch.rooms.is_empty());
    assert!(watch.messages.iter().any(|msg| msg["text"] == "z"), "backlog came");
    for n in 0..20 {
        assert_eq!(watch.answers[&format!("a{n}")]["t"], "msg");
        assert_eq!(watch.answers[&format!("l{n}")]["t"], "left");
    }
}

#[test]
fn joining_anew_loses_nothing_that_was_on_its_way() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    world.stall(ann, 0);
    world.say(ann, "s1", "ops", "mine");
    world.say(bob, "s2", "ops", "bob's");
    world.ask(ann, json!({"t": "join", "id": "j2", "code": OPS, "tail": 1}));
    world.say(bob, "s3", "ops", "later");
    world.unstall(ann);
    let lines = world.lines(ann);
    assert_eq!(types(&lines), ["msg", "msg", "joined", "msg", "msg"]);
    assert_eq!(texts(&lines), ["mine", "bob's", "bob's", "later"]);
}
