//! What members and the operator are told: titles, and who is in.

use qun_core::Role;
use qun_core::server::{Note, Presence};
use serde_json::json;

use super::*;
use crate::world::{HALL, OPS, World, names, room, seconds, types};

#[test]
fn another_title_is_told() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.person("bob", OPS));
    world.take(ann);
    world.reload(|config| config.rooms[0].title = "Day shift".into());
    assert_eq!(world.notes.last(), Some(&Note::Reloaded { added: 0, removed: 0, changed: 1 }));
    assert_eq!(world.only(ann), json!({"t": "room", "room": {"id": "ops", "title": "Day shift", "role": "talk"}}));
    assert_eq!(world.text(bob), "-- The room is called Day shift now.\r\n");
    assert_eq!(world.join(ann, OPS)["room"]["title"], "Day shift");
}

#[test]
fn the_operator_is_told_how_many_rooms_are_others() {
    let mut world = World::new();
    world.reload(|config| {
        let [ops, dev, hall] = &mut config.rooms[..] else { panic!("three rooms") };
        (ops.title, dev.title) = ("Now".into(), "Then".into());
        hall.id = id("yard");
        let garden = room("garden", "The garden", Presence::Full, &[(NEW, Role::Talk)]);
        config.rooms.push(garden);
    });
    assert!(world.notes.contains(&Note::Reloaded { added: 2, removed: 1, changed: 2 }));
}

#[test]
fn one_who_does_not_read_costs_one_line_however_often_the_title_changes() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.take(ann);
    world.stall(ann, 0);
    for n in 0..10_000 {
        world.thorough = false;
        world.reload(|config| config.rooms[0].title = format!("Title {n}"));
    }
    world.unstall(ann);
    assert_eq!(world.only(ann)["room"]["title"], "Title 9999");
    // And nothing is left of the others that her lines would have to wait for.
    assert_eq!(world.call(ann, json!({"t": "ping", "n": 1}))["t"], "pong");
}

#[test]
fn a_person_who_reads_no_answers_is_told_no_titles() {
    let mut world = World::unpaced();
    let (ann, bob) = (world.person("ann", OPS), world.person("bob", OPS));
    world.stall(ann, 0);
    for _ in 0..4_000 {
        world.thorough = false;
        world.send(ann, "/who\n");
    }
    assert!(!world.reading(ann));
    world.reload(|config| config.rooms[0].title = "Elsewhere".into());
    assert_eq!(world.text(bob), "-- The room is called Elsewhere now.\r\n");
    world.unstall(ann);
    assert!(!world.text(ann).contains("Elsewhere now"));
}

#[test]
fn a_room_that_only_counts_from_here_on_tells_nobody_who_is_in() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    world.reload(|config| config.rooms[0].presence = Presence::Count);
    assert_eq!(world.only(ann), json!({"t": "gap", "room": "ops", "from": 1, "to": 0, "here": 2}));
    world.ask(bob, json!({"t": "bye"}));
    world.quiet(ann);
    world.wait(seconds(5));
    assert_eq!(world.only(ann), json!({"t": "here", "room": "ops", "n": 1}));
}

#[test]
fn a_room_that_tells_who_is_in_from_here_on_begins_with_the_roster() {
    let mut world = World::new();
    let (ann, bob, mei) = (world.member("ann", HALL), world.member("bob", HALL), world.member("mei", HALL));
    world.say(mei, "s1", "hall", "hi");
    for conn in [ann, bob, mei] {
        world.take(conn);
    }
    // A number is due, and a number is not what it tells any more.
    world.ask(bob, json!({"t": "bye"}));
    world.reload(|config| config.rooms[2].presence = Presence::Full);
    let gap = world.only(ann);
    assert_eq!((&gap["t"], &gap["from"], &gap["to"], &gap["here"]), (&json!("gap"), &json!(2), &json!(1), &json!(2)));
    assert_eq!(names(&gap), ["ann", "mei"]);
    world.take(mei);
    world.wait(seconds(6));
    world.quiet(ann);
    world.ask(mei, json!({"t": "bye"}));
    assert_eq!(world.only(ann)["ev"], "out");
}

#[test]
fn who_is_in_from_here_on_is_told_behind_what_was_answered_before() {
    let mut world = World::new();
    let ann = world.member("ann", HALL);
    world.take(ann);
    world.stall(ann, 0);
    world.ask(ann, json!({"t": "ping", "n": 1}));
    world.reload(|config| config.rooms[2].presence = Presence::Full);
    world.unstall(ann);
    assert_eq!(types(&world.lines(ann)), ["pong", "gap"]);
}

#[test]
fn a_room_that_nobody_has_opened_may_tell_in_another_way() {
    let mut world = World::new();
    world.reload(|config| config.rooms[0].presence = Presence::Count);
    let ann = world.client("ann");
    let joined = world.join(ann, OPS);
    assert_eq!((&joined["here"], joined.get("members")), (&json!(1), None));
}

#[test]
fn a_room_too_large_to_say_who_is_in_goes_on_counting() {
    let mut world = World::with(|config| config.limits.full_members = 2);
    let members: Vec<_> = (0..3).map(|n| world.member(&format!("c{n}"), HALL)).collect();
    members.iter().for_each(|&conn| drop(world.take(conn)));
    world.reload(|config| config.rooms[2].presence = Presence::Full);
    assert!(world.notes.contains(&Note::TooManyToName { room: id("hall"), here: 3, most: 2 }));
    world.quiet(members[0]);
    world.ask(members[2], json!({"t": "bye"}));
    world.reload(|_| {});
    assert_eq!(names(&world.lines(members[0])[0]), ["c0", "c1"]);
}
