//! Who is in a room: by name, or by number.

use qun_core::Instant;
use serde_json::{Value, json};

use crate::world::{ANN, HALL, OPS, Watch, World, names, seconds, texts, types};

#[test]
fn who_comes_and_goes_is_told_to_the_others() {
    let mut world = World::new();
    let bob = world.member("bob", OPS);
    let ann = world.member("ann", OPS);
    world.ask(ann, json!({"t": "leave", "id": "l1", "room": "ops"}));
    let lines = world.lines(bob);
    assert_eq!(types(&lines), ["presence", "presence"]);
    let m = &lines[0]["m"];
    assert_eq!(lines[0], json!({"t": "presence", "room": "ops", "ev": "in", "m": m, "name": "ann"}));
    assert_eq!(lines[1], json!({"t": "presence", "room": "ops", "ev": "out", "m": m, "name": "ann", "why": "left"}));
}

#[test]
fn ones_own_coming_is_in_the_roster_and_not_told_again() {
    let mut world = World::new();
    let ann = world.client("ann");
    world.ask(ann, json!({"t": "join", "id": "j1", "code": OPS}));
    let joined = world.only(ann);
    assert_eq!(names(&joined), ["ann"]);
}

#[test]
fn the_roster_is_the_fold_of_what_one_is_told() {
    let mut world = World::new();
    let bob = world.connect();
    let mut watch = Watch::default();
    world.ask(bob, json!({"t": "hello", "v": [1], "name": "bob"}));
    world.ask(bob, json!({"t": "join", "id": "j1", "code": OPS}));
    let ann = world.keyed("ann", ANN, OPS);
    let mei = world.member("mei", OPS);
    world.ask(ann, json!({"t": "name", "id": "n1", "name": "ann_w"}));
    world.ask(bob, json!({"t": "name", "id": "n1", "name": "bobby"}));
    world.reset(mei);
    world.reset(ann);
    let ann = world.connect();
    world.hello(ann, "ann_w", Some(ANN));
    world.join(ann, OPS);
    watch.feed(&world.lines(bob));
    let roster = watch.rooms["ops"].roster.as_ref().unwrap();
    assert_eq!(roster.values().collect::<Vec<_>>().len(), 2);
    let joined = world.join(ann, OPS);
    let now: Vec<_> =
        roster.values().map(String::as_str).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    assert_eq!(names(&joined), now);
    assert_eq!(now, ["ann_w", "bobby"]);
}

#[test]
fn presence_has_no_seq() {
    let mut world = World::new();
    let bob = world.member("bob", OPS);
    for n in 0..3 {
        let guest = world.member("guest", OPS);
        world.say(bob, &format!("s{n}"), "ops", "x");
        world.reset(guest);
    }
    let lines = world.lines(bob);
    let seqs: Vec<_> = lines.iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert_eq!(seqs, [1, 2, 3]);
    assert!(lines.iter().all(|line| line["t"] == "msg" || line.get("seq").is_none()));
}

/// The `here` frames among these lines.
fn counts(lines: &[Value]) -> Vec<u64> {
    lines.iter().filter(|line| line["t"] == "here").map(|line| line["n"].as_u64().unwrap()).collect()
}

#[test]
fn a_room_that_counts_says_how_many_and_not_who() {
    let mut world = World::new();
    let ann = world.client("ann");
    world.ask(ann, json!({"t": "join", "id": "j1", "code": HALL}));
    let lines = world.lines(ann);
    assert_eq!((&lines[0]["here"], lines[0].get("members")), (&json!(1), None));
    let bob = world.member("bob", HALL);
    world.ask(bob, json!({"t": "name", "id": "n1", "name": "bobby"}));
    world.wait(seconds(5));
    world.reset(bob);
    world.wait(seconds(5));
    let lines = world.lines(ann);
    assert!(!types(&lines).contains(&"presence"), "{lines:?}");
    assert_eq!(counts(&lines).last(), Some(&1));
    world.say(ann, "s1", "hall", "hi");
    assert_eq!(texts(&world.lines(ann)), ["hi"]);
}

#[test]
fn a_changed_name_is_no_news_where_one_counts() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", HALL), world.member("bob", HALL));
    world.wait(seconds(10));
    world.take(ann);
    world.ask(bob, json!({"t": "name", "id": "n1", "name": "bobby"}));
    world.wait(seconds(10));
    assert!(!types(&world.lines(ann)).contains(&"here"));
}

#[test]
fn a_count_comes_at_most_every_5_seconds_and_ends_up_right() {
    let mut world = World::new();
    let ann = world.member("ann", HALL);
    world.take(ann);
    let mut told: Vec<(Instant, u64)> = Vec::new();
    for n in 0..40 {
        world.member(&format!("m{n}"), HALL);
        world.wait(seconds(1) / 2);
        told.extend(counts(&world.lines(ann)).into_iter().map(|n| (world.now(), n)));
    }
    world.wait(seconds(5));
    told.extend(counts(&world.lines(ann)).into_iter().map(|n| (world.now(), n)));
    assert!(told.len() >= 3, "{told:?}");
    assert_eq!(told.last().unwrap().1, 41);
    for pair in told.windows(2) {
        // Each is seen up to half a second after it came.
        assert!(pair[1].0.since(pair[0].0) >= seconds(9) / 2, "{told:?}");
    }
}

/// Changes that come just as a count is due: the first is told by that count, the next by the one after.
#[test]
fn a_count_that_is_due_as_something_changes_comes_once() {
    let mut world = World::with(|config| config.limits.grace = seconds(10));
    let (ann, bob) = (world.member("ann", HALL), world.keyed("bob", ANN, HALL));
    let kim = world.keyed("kim", "KKKKKKKKKKKKKKKKKKKKKK", HALL);
    world.wait(seconds(9));
    world.reset(bob);
    world.reset(kim);
    world.wait(seconds(5));
    // Told at once, and with what comes now again five seconds later: as the others' grace ends.
    world.member("mei", HALL);
    world.take(ann);
    world.member("zoe", HALL);
    world.wait(seconds(5));
    assert_eq!(counts(&world.lines(ann)), [4]);
    world.wait(seconds(5));
    assert_eq!(counts(&world.lines(ann)), [3]);
}
