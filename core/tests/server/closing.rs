//! How connections end: the heartbeat, goodbyes, the end of the stream, a server that goes down, ids that are buried.

use qun_core::Now;
use qun_core::server::{Action, Hangup, Input, Reason};
use serde_json::json;

use crate::world::{ANN, OPS, START, World, millis, seconds, texts, types};

#[test]
fn a_silent_client_is_pinged_after_25_seconds_give_or_take_a_tenth() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.wait(millis(22_499));
    world.quiet(ann);
    world.wait(millis(5_001));
    let ping = world.only(ann);
    assert_eq!(ping["t"], "ping");
    let n = ping["n"].as_u64().expect("a number that json can hold");
    assert!(n < 1 << 53);
    world.wait(millis(4_900));
    world.ask(ann, json!({"t": "pong", "n": n}));
    world.quiet(ann);
    world.wait(millis(22_499));
    world.quiet(ann);
    assert!(!world.is_gone(ann));
}

#[test]
fn not_all_are_pinged_at_once() {
    let mut world = World::new();
    let clients: Vec<_> = (0..60).map(|n| world.client(&format!("c{n}"))).collect();
    let pinged = |world: &mut World, until| {
        world.wait(until);
        clients.iter().filter(|&&conn| !world.lines(conn).is_empty()).count()
    };
    assert_eq!(pinged(&mut world, millis(22_499)), 0);
    // Evenly over five seconds: a fifth of them in each.
    for second in 1..=5 {
        let now = pinged(&mut world, seconds(1));
        assert!((4..=22).contains(&now), "{now} in second {second}");
    }
}

#[test]
fn who_answers_no_ping_is_dead_after_10_seconds() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.person("bob", OPS));
    world.wait(seconds(25) * 11 / 10);
    world.lines(ann);
    assert!(!world.is_gone(ann));
    world.wait(seconds(10));
    let bye = world.only(ann);
    assert_eq!((&bye["t"], &bye["code"], &bye["retry"]), (&json!("bye"), &json!("dead"), &json!("now")));
    assert_eq!(world.closed(ann), Some(Reason::Dead));
    assert!(world.text(bob).ends_with("-- ann left.\r\n"));
    assert!(!world.is_gone(bob), "a person at a terminal may be silent");
}

#[test]
fn the_answer_to_a_ping_has_its_10_seconds_whatever_else_is_looked_at() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.person("bob", OPS));
    world.wait(seconds(20));
    world.stall(ann, 0);
    world.send(bob, "anybody here?\n");
    // Pinged meanwhile. That she takes something is progress, and no answer.
    world.wait(seconds(9));
    world.trickle(ann, 1);
    world.wait(millis(3_499));
    assert!(!world.is_gone(ann));
    world.wait(millis(5_400));
    world.unstall(ann);
    assert_eq!(world.lines(ann).last().map(|bye| bye["code"].clone()), Some(json!("dead")));
}

#[test]
fn any_byte_counts_as_life() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    for byte in b"{\"t\":\"ping\"" {
        world.wait(seconds(20));
        world.send(ann, [*byte]);
    }
    world.quiet(ann);
    world.send(ann, "}\n");
    assert_eq!(world.only(ann), json!({"t": "pong", "n": 0}));
}

#[test]
fn a_last_line_without_its_end_counts() {
    let mut world = World::new();
    let (ann, bob) = (world.client("ann"), world.member("bob", OPS));
    let join = json!({"t": "join", "id": "j1", "code": OPS});
    let say = json!({"t": "say", "id": "s1", "room": "ops", "text": "over"});
    world.queue(ann, format!("{join}\n{say}"));
    world.finish(ann);
    assert_eq!(types(&world.lines(ann)), ["joined", "msg"]);
    assert_eq!(world.closed(ann), Some(Reason::EndOfInput));
    assert_eq!(types(&world.lines(bob)), ["presence", "msg", "presence"]);
}

#[test]
fn lines_that_wait_are_handled_before_the_end_behind_them() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    world.log.hold = true;
    world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "before": 9}));
    let say = json!({"t": "say", "id": "s1", "room": "ops", "text": "over"});
    // The driver had read to the end when it was told to stop.
    world.haunt(Input::Received { conn: ann, bytes: format!("{say}\n").as_bytes() });
    world.haunt(Input::EndOfInput { conn: ann });
    assert!(!world.is_gone(ann));
    world.release_all();
    assert_eq!(types(&world.lines(ann)), ["page", "msg"]);
    assert_eq!(world.closed(ann), Some(Reason::EndOfInput));
    assert_eq!(texts(&world.lines(bob)), ["over"]);
}

#[test]
fn half_closed_without_a_word_is_closed() {
    let mut world = World::new();
    let conn = world.connect();
    world.finish(conn);
    assert!(world.is_gone(conn));
    let conn = world.client("ann");
    world.finish(conn);
    assert!(world.is_gone(conn));
}

#[test]
fn a_session_with_a_key_is_held_after_the_end_of_its_stream() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.finish(ann);
    assert!(world.is_gone(ann));
    world.quiet(bob);
    let ann = world.connect();
    assert_eq!(world.hello(ann, "ann", Some(ANN))["resumed"], true);
}

#[test]
fn lines_behind_a_goodbye_are_not_read() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    let say = json!({"t": "say", "id": "s1", "room": "ops", "text": "too late"});
    world.send(ann, format!("{}\n{say}\n", json!({"t": "bye"})));
    assert_eq!(types(&world.lines(ann)), ["bye"]);
    assert_eq!(texts(&world.lines(bob)), Vec::<&str>::new());
}

#[test]
fn a_goodbye_waits_for_what_was_said_before_it() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    // Soon it is looked at for another reason: a ping was to be due.
    world.wait(millis(22_499));
    world.log.hold = true;
    world.say(ann, "s1", "ops", "last words");
    world.ask(ann, json!({"t": "bye"}));
    world.wait(millis(4_999));
    world.quiet(ann);
    world.release_all();
    assert_eq!(types(&world.lines(ann)), ["msg", "bye"]);
}

#[test]
fn a_leave_waits_for_what_was_said_before_it_for_5_seconds() {
    for settles in [true, false] {
        let mut world = World::new();
        let ann = world.member("ann", OPS);
        world.wait(millis(22_499));
        world.log.hold = true;
        world.say(ann, "s1", "ops", "last words");
        world.ask(ann, json!({"t": "leave", "id": "l1", "room": "ops"}));
        world.wait(millis(4_999));
        world.quiet(ann);
        if settles {
            world.release_all();
            assert_eq!(types(&world.lines(ann)), ["msg", "left"]);
        } else {
            world.wait(millis(1));
            assert_eq!(types(&world.lines(ann)), ["left"]);
        }
    }
}

#[test]
fn a_leave_that_waits_is_done_before_the_goodbye() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.take(ann);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "last words");
    world.ask(ann, json!({"t": "leave", "id": "l1", "room": "ops"}));
    // Closed for another reason at the same moment, and the log does not answer.
    for _ in 0..3 {
        world.haunt(Input::Received { conn: ann, bytes: &[b'\n'; 64 << 10] });
    }
    world.wait(seconds(5));
    assert_eq!(world.closed(ann), Some(Reason::Flood));
    assert_eq!(types(&world.lines(ann)), ["left", "bye"]);
    let out = world.only(bob);
    assert_eq!((&out["ev"], &out["why"]), (&json!("out"), &json!("left")), "nobody waits for her return");
}

#[test]
fn a_goodbye_has_5_seconds_to_go_out() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    world.wait(millis(22_499));
    for conn in [ann, bob] {
        world.stall(conn, 0);
        world.ask(conn, json!({"t": "bye"}));
    }
    world.wait(millis(4_999));
    world.unstall(ann);
    assert_eq!(types(&world.lines(ann)).last(), Some(&"bye"));
    assert!(!world.is_gone(bob));
    world.wait(millis(1));
    assert_eq!(world.closed(bob), Some(Reason::Done));
}

#[test]
fn a_server_that_goes_down_spreads_the_return_of_its_clients() {
    let mut world = World::new();
    let clients: Vec<_> = (0..20).map(|n| world.member(&format!("c{n}"), OPS)).collect();
    let person = world.person("person", OPS);
    for &conn in &clients {
        world.take(conn);
    }
    world.drain();
    let mut waits = Vec::new();
    for &conn in &clients {
        let bye = world.only(conn);
        assert_eq!((&bye["t"], &bye["code"], &bye["retry"]), (&json!("bye"), &json!("shutdown"), &json!("later")));
        assert_eq!(bye["text"], "Server is restarting.");
        waits.push(bye["wait_ms"].as_u64().expect("a wait"));
        assert_eq!(world.closed(conn), Some(Reason::Shutdown));
    }
    let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(most - least > 3_000, "{waits:?}");
    let goodbye = world.text(person);
    assert!(goodbye.starts_with("-- The server goes down. Come back in "), "{goodbye:?}");
    assert_eq!(world.server.connections(), 0);
}

#[test]
fn a_server_that_goes_down_takes_nobody_new() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "before the end");
    world.drain();
    assert!(!world.is_gone(ann), "what was said settles first");
    let late = world.connect();
    world.send(late, "{\"t\":\"hello\",\"v\":[1]}\n");
    assert!(!world.text(late).contains("welcome"));
    assert!(world.is_gone(late));
    world.take(ann);
    world.release_all();
    assert_eq!(types(&world.lines(ann)), ["msg", "bye"]);
    assert_eq!(world.server.connections(), 0);
}

#[test]
fn a_server_that_goes_down_speaks_to_nobody_who_was_not_asked() {
    let mut world = World::new();
    let asked = world.connect();
    world.wait(millis(400));
    assert_eq!(world.text(asked), "Room code: ");
    let silent = world.connect();
    world.drain();
    world.quiet(silent);
    assert!(world.text(asked).starts_with("\r\n-- The server goes down."));
    assert!(world.is_gone(silent) && world.is_gone(asked));
}

#[test]
fn nobody_is_told_gone_by_a_server_that_goes_down() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.wait(seconds(1));
    world.reset(ann);
    for _ in 0..3 {
        world.wait(seconds(19));
        world.ask(bob, json!({"t": "pong"}));
    }
    world.take(bob);
    world.log.hold = true;
    world.say(bob, "s1", "ops", "it settles late");
    world.drain();
    // In the meantime ann's grace ends; she may come back to the next server nevertheless.
    world.wait(seconds(4));
    world.release_all();
    assert_eq!(types(&world.lines(bob)), ["msg", "bye"]);
}

#[test]
fn going_down_takes_no_longer_than_5_seconds() {
    let mut world = World::new();
    let (stuck, waiting) = (world.member("stuck", OPS), world.member("waiting", OPS));
    world.stall(stuck, 0);
    world.log.hold = true;
    world.say(waiting, "s1", "ops", "x");
    world.drain();
    world.wait(seconds(5));
    assert_eq!(world.server.connections(), 0);
}

#[test]
fn who_sends_far_more_than_is_read_is_closed() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.log.hold = true;
    world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "before": 9}));
    let lines = "{\"t\":\"ping\",\"n\":1}\n".repeat(4_000);
    // What had been read when the driver was told to stop, and then one that goes on reading.
    for _ in 0..2 {
        world.haunt(Input::Received { conn: ann, bytes: &lines.as_bytes()[..64 << 10] });
        assert!(!world.is_gone(ann));
    }
    world.haunt(Input::Received { conn: ann, bytes: &lines.as_bytes()[..64 << 10] });
    assert_eq!(world.closed(ann), Some(Reason::Flood));
    let bye = world.only(ann);
    assert_eq!((&bye["code"], &bye["wait_ms"]), (&json!("flood"), &json!(10_000)));
}

#[test]
fn inputs_for_a_buried_connection_are_ignored() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.ask(ann, json!({"t": "bye"}));
    world.reset(bob);
    for conn in [ann, bob] {
        world.haunt(Input::Received { conn, bytes: b"{\"t\":\"ping\"}\n" });
        world.haunt(Input::EndOfInput { conn });
        world.haunt(Input::Closed { conn, why: Hangup::Failed });
        assert!(world.server.transmit(conn).is_none());
    }
    // Their places are given anew, to somebody whom this does not concern.
    let mei = world.member("mei", OPS);
    world.take(mei);
    for conn in [ann, bob] {
        world.haunt(Input::Received { conn, bytes: b"{\"t\":\"bye\"}\n" });
        world.haunt(Input::Closed { conn, why: Hangup::Reset });
    }
    assert_eq!(world.call(mei, json!({"t": "ping", "n": 7})), json!({"t": "pong", "n": 7}));
}

#[test]
fn what_waits_to_be_polled_is_due_and_is_nothing_once_its_connection_is_buried() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    let (now, conn) = (Now { mono: world.now(), unix_ms: START }, ann);
    let send = |world: &mut World, line: serde_json::Value| {
        world.server.handle(now, Input::Received { conn, bytes: format!("{line}\n").as_bytes() });
        assert_eq!(world.server.deadline(), Some(now.mono), "{line}");
    };
    // An append, and an action.
    send(&mut world, json!({"t": "say", "id": "s1", "room": "ops", "text": "hi"}));
    world.haunt(Input::Tick);
    world.take(ann);
    send(&mut world, json!({"t": "ping", "n": 1}));
    world.server.handle(now, Input::Closed { conn, why: Hangup::Reset });
    let transmits = std::iter::from_fn(|| world.server.poll()).filter(|it| matches!(it, Action::Transmit(_)));
    assert_eq!(transmits.count(), 0);
}

#[test]
fn nothing_is_due_once_all_is_polled() {
    // Pages that nobody waits for: the second is asked for, and due, as the first is given up.
    let mut world = World::with(|config| config.limits.load = seconds(0));
    let conn = world.member("ann", OPS);
    let now = Now { mono: world.now(), unix_ms: START };
    let page = json!({"t": "history", "id": "h1", "room": "ops", "before": 9});
    world.server.handle(now, Input::Received { conn, bytes: format!("{page}\n{page}\n").as_bytes() });
    while world.server.poll().is_some() {}
    assert!(world.server.deadline().is_none_or(|due| due > now.mono));
}

#[test]
fn a_reset_at_any_byte_leaves_nothing_behind() {
    let hello = json!({"t": "hello", "v": [1], "name": "ann"});
    let join = json!({"t": "join", "code": OPS});
    let say = json!({"t": "say", "room": "ops", "text": "hi"});
    let line = format!("{hello}\n{join}\n{say}\n");
    for end in 0..=line.len() {
        let mut world = World::new();
        let bob = world.member("bob", OPS);
        let ann = world.connect();
        world.send(ann, &line[..end]);
        world.reset(ann);
        world.take(bob);
        world.say(bob, "s1", "ops", "still here");
        assert_eq!(world.lines(bob).len(), 1);
        let joined = world.join(bob, OPS);
        assert_eq!(joined["here"], 1);
    }
}
