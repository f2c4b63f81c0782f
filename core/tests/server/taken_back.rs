//! What those who keep order take back: the sentences of one person, and one code after the other.

use qun_core::server::Access;
use qun_core::{ConnId, Role};
use serde_json::{Value, json};

use crate::world::{BOB, MEI, OPS, World, access, seconds};

const OWNER: &str = "0WNE-RC0D";

/// A world in which `ops` has an owner, ann.
fn world() -> (World, ConnId) {
    let mut world = World::with(|config| {
        let owners = Access { label: "owners".into(), ..access(OWNER, Role::Owner) };
        config.rooms[0].codes = vec![access(OPS, Role::Talk), owners];
        (config.limits.burst, config.limits.per_s) = (0, 0);
    });
    let ann = world.member("ann", OWNER);
    (world, ann)
}

/// Gives an order and takes its answer from among what comes.
fn order(world: &mut World, conn: ConnId, mut request: Value) -> Value {
    (request["id"], request["room"]) = (json!("a1"), json!("ops"));
    world.take(conn);
    world.ask(conn, request);
    let lines = world.lines(conn);
    lines.into_iter().find(|line| line["re"] == "a1").expect("an answer")
}

#[test]
fn a_mute_that_is_taken_back_is_one_persons() {
    let (mut world, ann) = world();
    let (bob, mei) = (world.member("bob", OPS), world.member("mei", OPS));
    for (t, name) in [("mute", "bob"), ("mute", "mei"), ("unmute", "bob")] {
        assert_eq!(order(&mut world, ann, json!({"t": t, "name": name}))["t"], "ok");
    }
    for (conn, answer) in [(bob, "msg"), (mei, "error")] {
        world.take(conn);
        world.say(conn, "s1", "ops", "may I?");
        assert_eq!(world.lines(conn).last().expect("an answer")["t"], answer);
    }
}

#[test]
fn a_ban_that_is_taken_back_is_one_persons() {
    let (mut world, ann) = world();
    let (bob, mei) = (world.keyed("bob", BOB, OPS), world.keyed("mei", MEI, OPS));
    for (t, name) in [("ban", "bob"), ("ban", "mei"), ("unban", "bob")] {
        assert_eq!(order(&mut world, ann, json!({"t": t, "name": name}))["t"], "ok");
    }
    assert_eq!(world.join(bob, OPS)["t"], "joined");
    assert_eq!(world.join(mei, OPS)["code"], "banned");
}

#[test]
fn a_mute_is_taken_back_from_whoever_has_it_whatever_they_are_called_by_now() {
    let (mut world, ann) = world();
    let bob = world.keyed("bob", BOB, OPS);
    assert_eq!(order(&mut world, ann, json!({"t": "mute", "name": "bob"}))["t"], "ok");
    world.ask(bob, json!({"t": "name", "id": "n", "name": "rob"}));
    assert_eq!(order(&mut world, ann, json!({"t": "unmute", "name": "rob"}))["t"], "ok");
    world.take(bob);
    world.say(bob, "s1", "ops", "thank you");
    assert_eq!(world.only(bob)["t"], "msg");
}

#[test]
fn a_code_that_is_replaced_again_and_again_is_the_newest_of_its_name() {
    let (mut world, ann) = world();
    let add = json!({"t": "code", "do": "add", "label": "temps"});
    let mut codes = vec![order(&mut world, ann, add)["code"].clone()];
    for _ in 0..4 {
        let rotate = json!({"t": "code", "do": "rotate", "label": "temps", "after_s": 60});
        codes.push(order(&mut world, ann, rotate)["code"].clone());
    }
    world.wait(seconds(61));
    let newest = codes.pop().expect("one");
    let bob = world.client("bob");
    for code in codes {
        assert_eq!(world.join(bob, code.as_str().expect("a code"))["code"], "code_expired");
    }
    assert_eq!(world.join(bob, newest.as_str().expect("a code"))["t"], "joined");
}

/// The member id by which others know somebody who is in `ops`.
fn id_of(world: &mut World, conn: ConnId, name: &str) -> Value {
    world.take(conn);
    world.ask(conn, json!({"t": "join", "id": "j", "room": "ops", "tail": 0}));
    let joined = world.lines(conn).swap_remove(0);
    let members = joined["members"].as_array().expect("a roster");
    members.iter().find(|person| person["name"] == name).expect("it is there")["m"].clone()
}

#[test]
fn the_newest_message_of_somebody_is_theirs_by_id_too() {
    let (mut world, ann) = world();
    let (bob, mei) = (world.member("bob", OPS), world.member("mei", OPS));
    world.say(bob, "s1", "ops", "bob's");
    world.say(mei, "s1", "ops", "mei's");
    let m = id_of(&mut world, ann, "bob");
    assert_eq!(order(&mut world, ann, json!({"t": "remove", "m": m}))["t"], "ok");
    let page = world.call(ann, json!({"t": "history", "room": "ops", "after": 0}));
    let texts: Vec<_> = page["msgs"].as_array().expect("messages").iter().map(|msg| msg["text"].clone()).collect();
    assert_eq!(texts[..2], ["(removed)", "mei's"]);
}

#[test]
fn who_has_gone_is_known_by_id_to_those_who_take_something_back() {
    let (mut world, ann) = world();
    let bob = world.keyed("bob", BOB, OPS);
    let mei = world.keyed("mei", MEI, OPS);
    let m = id_of(&mut world, ann, "bob");
    for t in ["mute", "ban"] {
        for name in ["bob", "mei"] {
            assert_eq!(order(&mut world, ann, json!({"t": t, "name": name}))["t"], "ok");
        }
        assert_eq!(order(&mut world, ann, json!({"t": format!("un{t}"), "m": m}))["t"], "ok");
    }
    assert_eq!(world.join(bob, OPS)["t"], "joined");
    assert_eq!(world.join(mei, OPS)["code"], "banned");
}

#[test]
fn a_role_is_taken_back_from_one_who_has_left() {
    let (mut world, ann) = world();
    let bob = world.keyed("bob", BOB, OPS);
    assert_eq!(order(&mut world, ann, json!({"t": "role", "name": "bob", "role": "moderator"}))["t"], "ok");
    world.ask(bob, json!({"t": "leave", "room": "ops"}));
    assert_eq!(order(&mut world, ann, json!({"t": "role", "name": "bob"}))["t"], "ok");
    assert_eq!(world.join(bob, OPS)["room"]["role"], "talk");
}

#[test]
fn a_code_without_a_name_is_the_only_one_below_the_author() {
    let (mut world, ann) = world();
    let rotate = json!({"t": "code", "do": "rotate"});
    assert_eq!(order(&mut world, ann, rotate.clone())["label"], "team");
    order(&mut world, ann, json!({"t": "code", "do": "add", "label": "temps"}));
    assert_eq!(order(&mut world, ann, rotate)["code"], "not_found", "there are two");
}

#[test]
fn who_has_a_key_is_muted_by_that_and_the_name_is_free() {
    let (mut world, ann) = world();
    let bob = world.keyed("bob", BOB, OPS);
    assert_eq!(order(&mut world, ann, json!({"t": "mute", "name": "bob"}))["t"], "ok");
    world.ask(bob, json!({"t": "name", "id": "n", "name": "rob"}));
    let other = world.member("bob", OPS);
    world.take(other);
    world.say(other, "s1", "ops", "another bob");
    assert_eq!(world.only(other)["t"], "msg");
}
