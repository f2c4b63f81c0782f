//! Codes that owners make, replace and retire.

use serde_json::json;

use super::*;
use crate::world::{BOB, GUEST, OPS, seconds};

#[test]
fn a_code_that_was_made_lets_in_as_many_as_it_says_for_as_long_as_it_says() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let made =
        order(&mut world, own, "code", json!({"do": "add", "label": "temps", "role": "read", "uses": 2, "for_s": 60}));
    assert_eq!((&made["t"], &made["room"], &made["label"]), (&json!("code"), &json!("ops"), &json!("temps")));
    let code = made["code"].as_str().expect("a code").to_owned();
    is_refused(&mut world, own, "code", json!({"do": "add", "label": "temps"}), "bad_field");
    let (one, two, three) = (world.client("one"), world.client("two"), world.client("three"));
    assert_eq!(world.join(one, &code)["room"]["role"], "read");
    assert_eq!(world.join(one, &code)["t"], "joined", "who is in may come again");
    assert_eq!(world.join(two, &code)["t"], "joined");
    assert_eq!(world.join(three, &code)["code"], "code_expired");
    world.wait(seconds(1));
    let mut world = restarted(world);
    let three = world.client("three");
    assert_eq!(world.join(three, &code)["code"], "code_expired", "it was used up before");
    assert!(!format!("{:?}{:?}", world.notes, world.server).contains(&code), "nothing shows it");
}

#[test]
fn a_rotated_code_gives_way_to_another_and_stays_so_after_a_restart() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let bob = world.keyed("bob", BOB, OPS);
    let made = order(&mut world, own, "code", json!({"do": "rotate", "label": "team"}));
    let code = made["code"].as_str().expect("a code").to_owned();
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["code"], "code_expired");
    assert_eq!(world.join(mei, &code)["t"], "joined");
    world.reset(bob);
    let bob = world.connect();
    world.hello(bob, "bob", Some(BOB));
    assert_eq!(world.join(bob, OPS)["t"], "joined", "who is in comes back by the code that it came by");
    world.reload(|_| {});
    let ann = world.client("ann");
    assert_eq!(world.join(ann, OPS)["code"], "code_expired", "the configuration still has it, and it is retired");
    let mut world = restarted(world);
    let (ann, mei) = (world.client("ann"), world.client("mei"));
    assert_eq!(world.join(ann, &code)["t"], "joined", "before anybody else has opened the room");
    assert_eq!(world.join(mei, OPS)["code"], "code_expired");
    let own = world.member("own", OWNER);
    let last = order(&mut world, own, "code", json!({"do": "rotate", "label": "team", "after_s": 60}));
    let last = last["code"].as_str().expect("a code").to_owned();
    assert_eq!(world.join(mei, &code)["t"], "joined", "for a minute more");
    world.wait(seconds(61));
    let late = world.client("late");
    assert_eq!(world.join(late, &code)["code"], "code_expired");
    assert_eq!(world.join(late, &last)["t"], "joined");
}

#[test]
fn a_code_is_retired_with_those_who_came_by_it_or_without() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let (bob, guest) = (world.keyed("bob", BOB, OPS), world.member("guest", GUEST));
    done(&mut world, own, "code", json!({"do": "retire", "label": "guests"}));
    assert!(world.lines(guest).iter().all(|line| line["t"] != "left"));
    done(&mut world, own, "code", json!({"do": "retire", "label": "team", "kick": true}));
    let told = world.lines(bob);
    assert_eq!(
        (&told.last().unwrap()["code"], &told.last().unwrap()["retry"]),
        (&json!("code_changed"), &json!("fix"))
    );
    assert_eq!(world.join(bob, OPS)["code"], "code_expired");
    is_refused(&mut world, own, "code", json!({"do": "retire", "label": "team"}), "not_found");
}
