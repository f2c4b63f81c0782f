//! Other limits, another language.

use qun_core::server::Reason;
use serde_json::json;

use super::*;
use crate::world::{ANN, OPS, World, millis, seconds, texts};

#[test]
fn another_rate_counts_at_once_and_nobody_waits_for_the_old_one() {
    let mut world = World::with(|config| (config.limits.burst, config.limits.per_s) = (1_000, 1));
    let (ann, bob) = (world.member("ann", OPS), world.person("bob", OPS));
    for n in 0..1_000 {
        world.thorough = false;
        world.say(ann, &format!("s{n}"), "ops", "x");
    }
    world.send(bob, "x\n".repeat(1_010));
    assert!(!world.reading(bob));
    world.take(ann);
    world.reload(|config| (config.limits.burst, config.limits.per_s) = (10, 10));
    world.wait(millis(100));
    world.take(ann);
    world.say(ann, "again1", "ops", "y");
    assert_eq!(texts(&world.lines(ann)), ["y"]);
    world.wait(seconds(1));
    assert!(world.reading(bob), "ten a second, so ten in one");
}

#[test]
fn another_limit_of_guesses_counts_at_once() {
    let mut world = World::new();
    let guess = |world: &mut World| {
        let ann = world.connect_from("192.0.2.1:9");
        world.hello(ann, "ann", None);
        let answer = world.call(ann, json!({"t": "join", "id": "j1", "code": "WR0N-GGGG"}));
        world.reset(ann);
        (answer["code"].as_str().unwrap().to_owned(), answer["left"].as_u64())
    };
    let wrong = |left| ("bad_code".into(), left);
    assert_eq!([guess(&mut world), guess(&mut world)], [wrong(Some(9)), wrong(Some(8))]);
    world.reload(|config| config.limits.guess_burst = 4);
    assert_eq!([guess(&mut world), guess(&mut world)], [wrong(Some(1)), wrong(Some(0))]);
    assert_eq!(guess(&mut world).0, "locked");
    world.reload(|config| config.limits.guess_burst = 0);
    assert_eq!(guess(&mut world), wrong(None));
}

#[test]
fn a_line_may_be_as_long_as_its_client_was_told() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.reload(|config| {
        config.limits.line = 4_096;
        config.limits.text.bytes = 600;
    });
    world.take(ann);
    let long = json!({"t": "say", "id": "s1", "room": "ops", "text": "x".repeat(4_000), "padding": "y".repeat(8_000)});
    assert_eq!(world.call(ann, long.clone())["code"], "bad_text", "a text is measured by the limit of the day");
    let bob = world.connect();
    assert_eq!(world.hello(bob, "bob", None)["limits"]["line"], 4_096);
    world.ask(bob, long);
    assert_eq!(world.closed(bob), Some(Reason::TooBig));
}

#[test]
fn a_smaller_room_lets_go_of_the_oldest_at_once() {
    let mut world = World::unpaced();
    let (ann, slow) = (world.member("ann", OPS), world.member("slow", OPS));
    world.take(slow);
    world.stall(slow, 0);
    for n in 0..40 {
        world.say(ann, &format!("s{n}"), "ops", &"x".repeat(4_000));
    }
    let before = world.server.memory();
    world.reload(|config| config.limits.room_bytes = 64 << 10);
    assert!(world.server.memory() < 2 * (64 << 10) + 8_000 && world.server.memory() < before);
    world.unstall(slow);
    let lines = world.lines(slow);
    assert_eq!(lines[0]["t"], "gap");
    world.reload(|config| config.limits.room_bytes = 512 << 10);
    assert_eq!(world.join(ann, OPS)["t"], "joined");
}

#[test]
fn lines_that_waited_for_a_limit_go_on_when_it_is_lifted() {
    let mut world = World::with(|config| {
        config.limits.in_flight = 1;
        (config.limits.burst, config.limits.per_s) = (0, 0);
    });
    let ann = world.member("ann", OPS);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "one");
    world.queue(ann, format!("{}\n", json!({"t": "ping", "n": 7})));
    world.send(ann, "");
    world.take(ann);
    world.quiet(ann);
    world.reload(|config| config.limits.in_flight = 64);
    assert_eq!(world.only(ann)["t"], "pong");
}

#[test]
fn a_shorter_handshake_counts_for_those_who_are_in_it() {
    let mut world = World::new();
    let conn = world.connect();
    world.wait(seconds(5));
    world.reload(|config| config.limits.handshake = seconds(8));
    world.wait(millis(2_999));
    assert!(!world.is_gone(conn));
    world.wait(millis(2));
    assert_eq!(world.closed(conn), Some(Reason::Handshake));
}

#[test]
fn a_shorter_silence_counts_for_those_who_are_in_and_not_for_all_at_once() {
    let mut world = World::new();
    let conns: Vec<_> = (0..8).map(|n| world.member(&format!("ann{n}"), OPS)).collect();
    world.wait(seconds(12));
    conns.iter().for_each(|&conn| drop(world.lines(conn)));
    // Half of them have been silent for longer than that, the others have just been heard.
    conns[..4].iter().for_each(|&conn| world.send(conn, "{\"t\":\"pong\",\"n\":1}\n"));
    world.reload(|config| config.limits.ping = seconds(10));
    let mut pinged = Vec::new();
    for step in 0..130 {
        world.wait(millis(100));
        for (index, &conn) in conns.iter().enumerate() {
            pinged.extend(world.lines(conn).iter().filter(|line| line["t"] == "ping").map(|_| (index, step)));
        }
    }
    let of = |all: std::ops::Range<usize>| pinged.iter().filter(move |(index, _)| all.contains(index));
    assert!(of(0..4).count() == 4 && of(0..4).all(|(_, step)| (89..112).contains(step)), "{pinged:?}");
    assert!(of(4..8).count() == 4 && of(4..8).all(|(_, step)| *step < 22), "{pinged:?}");
    let steps: std::collections::BTreeSet<_> = pinged.iter().map(|(_, step)| step).collect();
    assert!(steps.len() > 4, "not all at once: {pinged:?}");
}

#[test]
fn another_language_is_spoken_from_the_next_line_on() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.person("bob", OPS));
    world.say(ann, "s1", "ops", "before");
    world.reload(|config| {
        config.language = qun_core::plain::Language::ZhCn;
        config.agent = "qun/9".into();
    });
    world.take(bob);
    world.send(bob, "/echo off\n");
    assert_eq!(world.text(bob), "-- 回显已关：你不会看到自己发的消息。\r\n");
    let mei = world.connect();
    assert_eq!(world.hello(mei, "mei", None)["server"], "qun/9");
}

#[test]
fn the_same_reloads_give_the_same_lines() {
    let run = || {
        let mut world = World::new();
        let (ann, rooms) = (world.keyed("ann", ANN, OPS), world.config.rooms.clone());
        world.say(ann, "s1", "ops", "one");
        rotate(&mut world);
        remove(&mut world, "ops");
        world.reload(|config| config.rooms = rooms);
        world.join(ann, OPS);
        world.received(ann).to_vec()
    };
    assert_eq!(run(), run());
}
