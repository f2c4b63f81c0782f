//! What members may do: by the code that they came with.

use qun_core::Role;
use qun_core::server::Presence;
use serde_json::{Value, json};

use crate::world::{ANN, GUEST, OPS, World, room, types};

const OWNER: &str = "0WNE-RC0D";
const KEEPER: &str = "KEEP-ERC0";

/// A world in which `ops` has a code for each role.
fn world() -> World {
    let codes = [(OPS, Role::Talk), (GUEST, Role::Read), (KEEPER, Role::Moderator), (OWNER, Role::Owner)];
    World::with(|config| config.rooms[0] = room("ops", "On-call", Presence::Full, &codes))
}

fn roles(frame: &Value) -> Vec<(&str, Option<&str>)> {
    let members = frame["members"].as_array().expect("a roster").iter();
    members.map(|person| (person["name"].as_str().expect("a name"), person["role"].as_str())).collect()
}

#[test]
fn the_code_says_the_role_and_the_roster_has_it() {
    let mut world = world();
    world.member("ann", OWNER);
    world.member("bob", KEEPER);
    world.member("mei", OPS);
    let guest = world.client("guest");
    let joined = world.join(guest, GUEST);
    assert_eq!(joined["room"]["role"], "read");
    let all = [("ann", Some("owner")), ("bob", Some("moderator")), ("mei", None), ("guest", Some("read"))];
    assert_eq!(roles(&joined), all, "what most may is not written");
}

#[test]
fn whoever_comes_is_told_with_what_they_may_do() {
    let mut world = world();
    let ann = world.member("ann", OPS);
    world.member("bob", KEEPER);
    assert_eq!(world.only(ann)["role"], "moderator");
    world.member("mei", OPS);
    assert_eq!(world.only(ann).get("role"), None);
}

#[test]
fn every_role_above_read_may_speak() {
    for (code, may) in [(OWNER, true), (KEEPER, true), (OPS, true), (GUEST, false)] {
        let mut world = world();
        let ann = world.member("ann", code);
        let answer = world.call(ann, json!({"t": "say", "id": "s1", "room": "ops", "text": "hi"}));
        assert_eq!(answer["t"] == "msg", may, "{answer}");
    }
}

#[test]
fn who_comes_again_by_another_code_has_its_role_and_everyone_is_told() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let ann = world.keyed("ann", ANN, KEEPER);
    world.take(bob);
    let m = world.join(ann, KEEPER)["members"][1]["m"].clone();
    world.quiet(bob);
    let joined = world.join(ann, GUEST);
    assert_eq!((&joined["room"]["role"], roles(&joined)[1]), (&json!("read"), ("ann", Some("read"))));
    let told = world.only(bob);
    assert_eq!(told, json!({"t": "presence", "room": "ops", "ev": "role", "m": m, "name": "ann", "role": "read"}));
}

#[test]
fn a_person_is_told_what_they_may_do_when_they_come() {
    let mut world = world();
    for (code, words) in [(OWNER, "as an owner."), (KEEPER, "as a moderator."), (GUEST, "to read.")] {
        let person = world.connect();
        world.send(person, format!("{code}\n\n"));
        assert!(world.text(person).contains(words), "{words}");
    }
}

#[test]
fn another_role_of_somebody_who_is_away_is_told_to_those_who_are_not() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let ann = world.keyed("ann", ANN, KEEPER);
    world.take(bob);
    world.reset(ann);
    world.reload(|config| config.rooms[0].codes[2].role = Role::Talk);
    let told = world.lines(bob);
    assert_eq!((types(&told), &told[0]["ev"], &told[0]["role"]), (vec!["presence"], &json!("role"), &json!("talk")));
}
