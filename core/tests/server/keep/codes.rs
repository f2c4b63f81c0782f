//! Codes that owners make, replace and retire.

use serde_json::json;

use super::*;
use crate::world::{BOB, GUEST, OPS, millis, seconds};

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

#[test]
fn a_code_that_was_made_and_retired_is_no_guess_after_a_restart_for_as_long_as_it_is_among_the_newest() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let mut codes = Vec::new();
    for _ in 0..66 {
        let made = order(&mut world, own, "code", json!({"do": "add", "label": "temps"}));
        codes.push(made["code"].as_str().expect("a code").to_owned());
        done(&mut world, own, "code", json!({"do": "retire", "label": "temps"}));
        world.wait(millis(10));
    }
    // The clock of the one that begins is behind.
    let mut world = restarted(world);
    let late = world.client("late");
    assert_eq!(world.join(late, &codes[65])["code"], "code_expired");
    assert_eq!(world.join(late, &codes[2])["code"], "code_expired");
    assert_eq!(world.join(late, &codes[0])["code"], "bad_code");
}

#[test]
fn the_code_that_is_meant_without_a_name_is_one_that_is_still_good() {
    let mut world = world();
    world.reload(|config| drop(config.rooms[0].codes.drain(1..3)));
    let own = world.member("own", OWNER);
    for _ in 0..3 {
        let made = order(&mut world, own, "code", json!({"do": "rotate"}));
        assert_eq!((&made["t"], &made["label"]), (&json!("code"), &json!("team")), "{made}");
    }
}

#[test]
fn how_often_a_code_was_used_is_not_forgotten_with_the_room() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let code = order(&mut world, own, "code", json!({"do": "add", "uses": 1}))["code"].clone();
    let code = code.as_str().expect("a code");
    let one = world.client("one");
    assert_eq!(world.join(one, code)["t"], "joined");
    let ops = world.config.rooms[0].clone();
    world.reload(|config| drop(config.rooms.remove(0)));
    world.reload(|config| config.rooms.insert(0, ops));
    let two = world.client("two");
    assert_eq!(world.join(two, code)["code"], "code_expired");
}
