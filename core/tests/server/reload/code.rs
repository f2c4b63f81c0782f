//! Other codes and other roles.

use qun_core::Role;
use serde_json::json;

use super::*;
use crate::world::{ANN, DEV, GUEST, OPS, World, access, seconds, texts};

#[test]
fn a_code_that_is_gone_opens_nothing_and_who_is_in_by_it_stays() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.client("bob"));
    world.take(ann);
    rotate(&mut world);
    world.quiet(ann);
    let refused = world.join(bob, OPS);
    assert_eq!((&refused["code"], &refused["retry"]), (&json!("code_expired"), &json!("fix")));
    assert_eq!(world.join(bob, NEW)["here"], 2);
    world.take(bob);
    world.say(ann, "s1", "ops", "I am still here");
    assert_eq!(texts(&world.lines(bob)), ["I am still here"]);
}

#[test]
fn a_code_that_is_gone_is_no_guess() {
    let mut world = World::new();
    rotate(&mut world);
    let conn = world.client("bob");
    for _ in 0..20 {
        assert_eq!(world.join(conn, OPS)["code"], "code_expired");
    }
    let person = world.connect();
    for _ in 0..20 {
        world.send(person, format!("{OPS}\n"));
        assert_eq!(world.text(person), "That code has expired. Ask for a new one.\r\nRoom code: ");
    }
    assert!(!world.is_gone(person));
}

#[test]
fn who_came_by_a_code_that_is_gone_comes_back_by_it_after_a_cut() {
    let mut world = World::new();
    let ann = world.keyed("ann", ANN, OPS);
    world.reset(ann);
    rotate(&mut world);
    let ann = world.connect();
    assert_eq!(world.hello(ann, "ann", Some(ANN))["resumed"], true);
    assert_eq!(world.join(ann, OPS)["t"], "joined");
    // Not after the session has ended: then it is a code like any other that is gone.
    world.ask(ann, json!({"t": "leave", "id": "l1", "room": "ops"}));
    assert_eq!(world.join(ann, OPS)["code"], "code_expired");
}

#[test]
fn a_code_that_comes_back_opens_its_room_again() {
    let mut world = World::new();
    let (ann, bob, rooms) = (world.member("ann", OPS), world.client("bob"), world.config.rooms.clone());
    rotate(&mut world);
    world.reload(|config| config.rooms = rooms);
    assert_eq!(world.join(bob, OPS)["here"], 2);
    assert_eq!(world.join(bob, NEW)["code"], "code_expired");
    world.take(ann);
}

#[test]
fn a_code_may_be_given_to_another_room() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.client("bob"));
    world.reload(|config| {
        config.rooms[0].codes[0].code = NEW.parse().unwrap();
        config.rooms[1].codes.push(access(OPS, Role::Talk));
    });
    assert_eq!(world.join(bob, OPS)["room"]["id"], "dev");
    world.take(ann);
    world.say(ann, "s1", "ops", "still in ops");
    assert_eq!(texts(&world.lines(ann)), ["still in ops"]);
    assert_eq!(world.join(ann, OPS)["room"]["id"], "dev");
}

#[test]
fn a_person_who_has_told_the_code_and_not_the_name_is_asked_for_another_code() {
    let mut world = World::new();
    let bob = world.connect();
    world.send(bob, format!("{OPS}\n"));
    world.take(bob);
    rotate(&mut world);
    assert_eq!(world.text(bob), "\r\nThat code has expired. Ask for a new one.\r\nRoom code: ");
    world.send(bob, format!("{NEW} bob\n"));
    assert!(world.text(bob).starts_with("-- On-call. 1 here: bob (you).\r\n"));
}

#[test]
fn who_has_told_a_code_and_not_the_name_goes_where_it_leads_by_now() {
    let mut world = World::new();
    let bob = world.connect();
    world.send(bob, format!("{OPS}\n"));
    world.take(bob);
    world.reload(|config| {
        config.rooms[0].codes[0].code = NEW.parse().unwrap();
        config.rooms[1].codes.push(access(OPS, Role::Read));
    });
    world.quiet(bob);
    world.send(bob, "bob\n");
    let told = world.text(bob);
    assert!(!told.contains("On-call") && told.contains("You are in, to read."), "{told}");
}

#[test]
fn a_code_that_only_moved_still_opens_for_who_has_told_it() {
    let mut world = World::new();
    let bob = world.connect();
    world.send(bob, format!("{GUEST}\n"));
    world.take(bob);
    world.reload(|config| config.rooms[0].codes.reverse());
    world.quiet(bob);
    world.send(bob, "bob\n");
    assert!(world.text(bob).contains("You are in, to read."), "the code says the role, wherever it stands");
}

#[test]
fn who_wanted_to_go_to_a_room_whose_code_is_gone_stays_in_the_old_one() {
    let mut world = World::new();
    let bob = world.person("bob", DEV);
    world.log.hold = true;
    world.send(bob, format!("one\n/join {OPS}\n"));
    rotate(&mut world);
    assert_eq!(world.text(bob), "-- That code has expired. Ask for a new one.\r\n");
    world.release_all();
    world.send(bob, "/who\n");
    assert_eq!(world.text(bob), "-- 1 here: bob (you).\r\n");
}

#[test]
fn another_role_counts_at_once_and_is_told() {
    let mut world = World::new();
    let (ann, guest) = (world.member("ann", OPS), world.member("guest", GUEST));
    let person = world.connect();
    world.send(person, format!("{GUEST} bob\n"));
    world.take(person);
    world.take(guest);
    let say = |id| json!({"t": "say", "id": id, "room": "ops", "text": "may I?"});
    assert_eq!(world.call(guest, say("s1"))["code"], "read_only");
    world.take(ann);
    world.reload(|config| config.rooms[0].codes[1].role = Role::Talk);
    let lines = world.lines(guest);
    let told = json!({"t": "room", "room": {"id": "ops", "title": "On-call", "role": "talk"}});
    assert!(lines.contains(&told) && lines.len() == 3, "and the roster: {lines:?}");
    assert_eq!(world.text(person), "-- You may speak here now.\r\n");
    let told = world.lines(ann);
    let told: Vec<_> = told.iter().map(|line| (&line["ev"], &line["name"], &line["role"])).collect();
    let talk = json!("talk");
    assert_eq!(told, [(&json!("role"), &json!("guest"), &talk), (&json!("role"), &json!("bob"), &talk)]);
    assert_eq!(world.call(guest, say("s2"))["id"], "s2");
    world.take(person);
    world.take(ann);
    world.reload(|config| config.rooms[0].codes[1].role = Role::Read);
    let lines = world.lines(guest);
    assert!(lines.iter().any(|line| line["room"]["role"] == "read"), "{lines:?}");
    assert_eq!(world.call(guest, say("s3"))["code"], "read_only");
    assert_eq!(world.text(person), "-- From now on you can read here, but not speak.\r\n");
}

#[test]
fn a_full_code_puts_nobody_out_and_lets_nobody_in() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.reload(|config| config.rooms[0].codes[0].max_members = Some(1));
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["code"], "room_full");
    world.take(ann);
    assert_eq!(world.join(ann, OPS)["t"], "joined", "who is in may join again");
    world.ask(bob, json!({"t": "bye"}));
    assert_eq!(world.join(mei, OPS)["code"], "room_full");
    world.reload(|config| config.rooms[0].codes[0].max_members = Some(2));
    assert_eq!(world.join(mei, OPS)["t"], "joined");
}

#[test]
fn a_code_that_expires_earlier_lets_nobody_in_and_puts_nobody_out() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.wait(seconds(10));
    world.reload(|config| config.rooms[0].codes[0].expires = Some(crate::world::START));
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["code"], "code_expired");
    world.take(ann);
    world.say(ann, "s1", "ops", "still here");
    assert_eq!(texts(&world.lines(ann)), ["still here"]);
}
