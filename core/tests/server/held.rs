//! What a room holds: its budget, its batches, and what it counts as memory.

use qun_core::log::{Answer, Tail};
use qun_core::server::Input;
use qun_core::{ConnId, Seq};
use serde_json::json;

use crate::world::{OPS, Watch, World, texts, types};

/// Says `count` messages at once; the log answers when it has them all but the first.
fn say_at_once(world: &mut World, ann: ConnId, count: u64, text: &str) {
    world.log.hold = true;
    for n in 0..count {
        world.say(ann, &format!("once-{n}"), "ops", text);
    }
    world.release_all();
}

#[test]
fn memory_is_what_the_rooms_hold() {
    let mut world = World::unpaced();
    let ann = world.member("ann", OPS);
    let mut before = world.server.memory();
    for n in 0..50 {
        world.say(ann, &format!("s{n}"), "ops", &"x".repeat(1_000));
        let grown = world.server.memory() - before;
        assert!((2_000..3_000).contains(&grown), "the record and its encoding: {grown}");
        before += grown;
    }
    // A dialect that is read encodes what is held, and with its last reader that goes again.
    let bob = world.person("bob", OPS);
    let both = world.server.memory();
    assert!((50_000..60_000).contains(&(both - before)), "{both} after {before}");
    world.reset(bob);
    let json = world.server.memory();
    assert!(json.abs_diff(before) < 2_000, "{json} after {before}");
    world.reset(ann);
    let records = world.server.memory();
    assert!((50_000..json - 50_000).contains(&records), "{records} after {json}");
}

#[test]
fn a_full_room_holds_its_budget_in_every_encoding() {
    let mut world = World::unpaced();
    let (ann, _bob) = (world.member("ann", OPS), world.person("bob", OPS));
    for n in 0..300 {
        world.say(ann, &format!("s{n}"), "ops", &"x".repeat(3_900));
    }
    let (memory, full) = (world.server.memory(), 3 * (512 << 10));
    assert!((full - (64 << 10)..=full).contains(&memory), "{memory}");
}

#[test]
fn messages_that_came_at_once_go_out_at_once() {
    let mut world = World::unpaced();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(bob);
    world.stall(bob, 0);
    // The first goes to the log alone; the others are the next append.
    say_at_once(&mut world, ann, 31, "so many");
    let transmit = world.server.transmit(bob).expect("bob has not read");
    let mut slices: [&[u8]; 8] = [&[]; 8];
    let filled = transmit.gather(&mut slices, |slice| slice);
    let lines = slices[..filled].iter().map(|slice| slice.iter().filter(|&&byte| byte == b'\n').count());
    assert_eq!(lines.collect::<Vec<_>>(), [1, 30]);
}

#[test]
fn what_a_room_lets_go_of_at_once_is_not_shown_to_its_sender_either() {
    let mut world = World::unpaced();
    world.reload(|config| config.limits.room_bytes = 20_000);
    let (ann, bob) = (world.member("ann", OPS), world.person("bob", OPS));
    for conn in [ann, bob] {
        world.take(conn);
        world.stall(conn, 0);
    }
    world.log.hold = true;
    for n in 1..=60 {
        world.send(bob, format!("{n} {}\n", "x".repeat(1_000)));
    }
    world.release_all();
    world.unstall(ann);
    let lines = world.lines(ann);
    assert_eq!(types(&lines)[0], "gap");
    assert!(texts(&lines).last().is_none_or(|last| last.starts_with("60 ")));
    world.unstall(bob);
    assert!(!world.text(bob).contains("xxx"));
    world.say(ann, "s1", "ops", "still here");
    assert!(world.text(bob).ends_with("<ann> still here\r\n"));
}

#[test]
fn more_at_once_than_a_room_holds_is_one_exact_gap_for_those_too_who_read_all() {
    let mut world = World::unpaced();
    world.reload(|config| config.limits.room_bytes = 20_000);
    let (ann, bob, mut watch) = (world.member("ann", OPS), world.connect(), Watch::default());
    world.hello(bob, "bob", None);
    world.ask(bob, json!({"t": "join", "id": "j1", "code": OPS}));
    world.take(ann);
    watch.feed(&world.lines(bob));
    say_at_once(&mut world, ann, 40, &"x".repeat(1_000));
    let (to_ann, to_bob) = (world.lines(ann), world.lines(bob));
    for lines in [&to_ann, &to_bob] {
        assert_eq!(types(lines), ["msg", "gap"], "the first went to the log alone");
        assert_eq!((&lines[1]["from"], &lines[1]["to"]), (&json!(2), &json!(40)));
    }
    watch.feed(&to_bob);
    // The sender's acknowledgements are among what was missed, and are fetched with it.
    world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "after": 1, "limit": 50}));
    let page = world.only(ann);
    let ids = page["msgs"].as_array().unwrap().iter().map(|msg| msg["id"].as_str().unwrap());
    assert!(ids.eq((1..40).map(|n| format!("once-{n}"))), "{page}");
    world.say(ann, "s1", "ops", "and on");
    watch.feed(&world.lines(bob));
    assert_eq!(watch.rooms["ops"].next, 42);
}

#[test]
fn a_room_that_is_full_forgets_little_at_a_time() {
    let mut world = World::unpaced();
    // More than the room holds, and all of it comes at once, when the room opens.
    world.log.fill("ops", 150, |_| "x".repeat(4_000));
    let ann = world.member("ann", OPS);
    let held = |world: &mut World, conn| {
        world.take(conn);
        world.ask(conn, json!({"t": "join", "id": "j2", "code": OPS}));
        let lines = world.lines(conn);
        assert_eq!(lines[0]["t"], "joined");
        texts(&lines).len()
    };
    let before = held(&mut world, ann);
    assert!((100..130).contains(&before), "half a megabyte of 4,000 bytes each: {before}");
    for n in 0..8 {
        world.say(ann, &format!("s{n}"), "ops", "one more");
        assert!(held(&mut world, ann) + 9 > before, "a sixteenth at most is forgotten for one more");
    }
}

#[test]
fn the_newest_message_is_delivered_whatever_the_budget() {
    let mut world = World::with(|config| config.limits.room_bytes = 0);
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(bob);
    for n in 0..3 {
        world.say(ann, &format!("s{n}"), "ops", "still here");
        assert_eq!(types(&world.lines(bob)), ["msg"]);
    }
}

#[test]
fn a_room_whose_messages_are_all_gone_goes_on_behind_them() {
    let mut world = World::new();
    let ann = world.client("ann");
    world.log.hold = true;
    world.ask(ann, json!({"t": "join", "id": "j1", "code": OPS}));
    let tail = Tail { first: Seq::new(41), head: Seq::new(40), ..Tail::empty("e9f2".parse().unwrap()) };
    world.haunt(Input::Log(Answer::Ready { room: "ops".parse().unwrap(), tail: Ok(tail) }));
    let joined = world.only(ann);
    assert_eq!((&joined["first"], &joined["from"], &joined["head"]), (&json!(41), &json!(41), &json!(40)));
}

#[test]
fn a_gap_begins_within_a_batch_where_its_reader_stood() {
    let mut world = World::unpaced();
    world.thorough = false;
    let ann = world.member("ann", OPS);
    let bob = world.connect();
    let mut watch = Watch::default();
    world.hello(bob, "bob", None);
    world.ask(bob, json!({"t": "join", "id": "j1", "code": OPS}));
    world.say(ann, "s0", "ops", "first");
    watch.feed(&world.lines(bob));
    world.stall(bob, 2_500);
    say_at_once(&mut world, ann, 9, &"x".repeat(900));
    for n in 0..400 {
        world.say(ann, &format!("s{}", n + 1), "ops", &"x".repeat(3_900));
    }
    world.unstall(bob);
    let lines = world.lines(bob);
    // The third is finished that was begun.
    assert_eq!(types(&lines)[..4], ["msg", "msg", "msg", "gap"]);
    assert_eq!(lines[3]["from"], 5);
    watch.feed(&lines);
}
