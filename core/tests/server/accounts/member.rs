//! Whose a name is, and who is one member.

use qun_core::Role;
use serde_json::json;

use super::*;
use crate::world::{ANN, GUEST, OPS, World, names, seconds, texts};

#[test]
fn nobody_else_has_the_name_of_an_account() {
    let mut world = world();
    let conn = world.connect();
    for (spelt, given) in [("ann", "ann-2"), ("ANN", "ANN-3"), ("ａｎｎ", "ａｎｎ-4")] {
        let conn = world.connect();
        assert_eq!(world.hello(conn, spelt, None)["name"], given, "a guest gets a suffix");
    }
    world.hello(conn, "bob", None);
    let error = world.call(conn, json!({"t": "name", "id": "n", "name": "aNN"}));
    assert_eq!(error["code"], "name_taken");
    let person = world.connect();
    world.send(person, format!("{OPS} ann\n"));
    assert!(world.text(person).contains("-- ann is taken: you are ann-"), "and is told so");
}

#[test]
fn an_account_is_called_what_it_is_called() {
    let mut world = world();
    let ann = world.logged_in(Some(ANN));
    assert_eq!(world.call(ann, json!({"t": "name", "id": "n", "name": "boss"}))["code"], "bad_state");
    assert_eq!(world.call(ann, json!({"t": "name", "id": "n2", "name": "ann"}))["t"], "ok");
    world.join(ann, OPS);
    world.reset(ann);
    let again = world.connect();
    let welcome = world.hello(again, "boss", Some(ANN));
    assert_eq!((&welcome["name"], &welcome["resumed"]), (&json!("ann"), &json!(true)));
}

#[test]
fn several_sessions_of_an_account_are_one_member() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let phone = world.in_ops(ANN);
    let came = world.only(bob);
    assert_eq!((&came["ev"], &came["name"]), (&json!("in"), &json!("ann")));
    let laptop = world.logged_in(Some(LAPTOP));
    let joined = world.join(laptop, OPS);
    assert_eq!((names(&joined), &joined["here"]), (vec!["ann", "bob"], &json!(2)));
    world.quiet(bob);
    world.say(phone, "s1", "ops", "from the phone");
    world.say(laptop, "s1", "ops", "from the laptop, under an id of its own");
    let heard = world.lines(bob);
    assert_eq!(texts(&heard).len(), 2);
    assert!(heard.iter().all(|line| line["m"] == came["m"]), "one member to others");
    assert_eq!(texts(&world.lines(phone)).len(), 2, "each hears the other");
    // The first goes, and nobody need know; with the last one she is gone.
    world.ask(phone, json!({"t": "bye"}));
    world.quiet(bob);
    world.ask(laptop, json!({"t": "leave", "id": "l", "room": "ops"}));
    let out = world.only(bob);
    assert_eq!((&out["ev"], &out["m"]), (&json!("out"), &came["m"]));
    assert_eq!(world.join(bob, OPS)["here"], 1);
}

#[test]
fn each_session_of_an_account_is_paced_and_resumed_by_itself() {
    let mut world = world();
    let phone = world.in_ops(ANN);
    let laptop = world.in_ops(LAPTOP);
    for n in 0..11 {
        world.say(phone, &format!("p{n}"), "ops", "x");
    }
    let told = world.lines(phone);
    assert!(told.iter().any(|line| line["code"] == "slow_down"));
    world.say(laptop, "l1", "ops", "y");
    assert!(texts(&world.lines(laptop)).contains(&"y"));
    world.reset(phone);
    let phone = world.connect();
    assert_eq!(world.hello(phone, "ann", Some(ANN))["resumed"], true);
    assert_eq!(world.closed(laptop), None, "the other one notices nothing");
}

#[test]
fn a_gap_and_a_count_have_an_account_once() {
    let mut world = World::with(|config| {
        config.accounts = vec![account("ann", SECRET)];
        config.rooms[2].accounts = vec![listed("ann", Role::Talk)];
    });
    let (phone, laptop) = (world.logged_in(Some(ANN)), world.logged_in(Some(LAPTOP)));
    for conn in [phone, laptop] {
        let joined = world.call(conn, json!({"t": "join", "room": "hall"}));
        assert_eq!(joined["here"], 1, "{joined}");
        world.take(conn);
    }
    world.wait(seconds(6));
    world.take(phone);
    world.reload(|config| config.rooms[2].presence = qun_core::server::Presence::Full);
    let gap = &world.lines(phone)[0];
    assert_eq!((names(gap), &gap["here"]), (vec!["ann"], &json!(1)));
}

#[test]
fn the_roster_has_the_highest_role_of_an_accounts_sessions() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let phone = world.logged_in(Some(ANN));
    world.join(phone, GUEST);
    assert_eq!(world.only(bob)["role"], "read");
    let laptop = world.logged_in(Some(LAPTOP));
    assert_eq!(world.join(laptop, OPS)["members"][1].get("role"), None, "talk, which is not written");
    let told = world.only(bob);
    assert_eq!((&told["ev"], &told["role"]), (&json!("role"), &json!("talk")));
    world.ask(laptop, json!({"t": "bye"}));
    let told = world.only(bob);
    assert_eq!((&told["ev"], &told["role"]), (&json!("role"), &json!("read")));
}

#[test]
fn a_message_of_one_session_is_shown_to_the_other_and_not_to_itself() {
    let mut world = world();
    let mut people = Vec::new();
    for _ in 0..2 {
        let person = world.connect();
        world.send(person, format!("{OPS}\n/login ann\n{SECRET}\n"));
        world.take(person);
        people.push(person);
    }
    world.send(people[0], "which of me?\n");
    assert_eq!(world.text(people[0]), "");
    assert!(world.text(people[1]).ends_with("<ann> which of me?\r\n"));
}
