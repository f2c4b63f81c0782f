//! Codes that owners make, replace and retire.

use serde_json::json;

use super::*;
use crate::world::{BOB, GUEST, OPS, World, millis, seconds};

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

/// A world whose owner has made a code for so many.
fn counted(uses: u64) -> (World, qun_core::ConnId, String) {
    let mut world = world();
    let own = world.member("own", OWNER);
    let made = order(&mut world, own, "code", json!({"do": "add", "label": "temps", "uses": uses}));
    let code = made["code"].as_str().expect("a code").to_owned();
    world.take(own);
    (world, own, code)
}

#[test]
fn a_use_lets_nobody_in_before_the_log_has_it() {
    // The server is killed before the use is in the log, between that and the answer, or not at all.
    for (released, is_given_back) in [(0, true), (1, false), (2, false)] {
        let (mut world, own, code) = counted(1);
        world.log.hold = true;
        let one = world.client("one");
        world.ask(one, json!({"t": "join", "id": "j1", "code": code}));
        assert!(world.lines(one).is_empty() && world.lines(own).is_empty(), "nobody is in yet");
        (0..released).for_each(|_| world.release());
        assert_eq!(world.lines(one).iter().any(|line| line["t"] == "joined"), released == 2);
        (world.log.hold, world.log.held) = (false, Default::default());
        let mut world = restarted(world);
        let two = world.client("two");
        assert_eq!(world.join(two, &code)["t"] == "joined", is_given_back, "{released}");
    }
}

#[test]
fn a_use_that_lets_nobody_in_is_given_back() {
    let ways: [fn(&mut World, qun_core::ConnId, qun_core::ConnId); 3] = [
        |world, _, one| world.reset(one),
        |world, _, _| world.log.broken = true,
        |world, own, _| world.ask(own, act("close", json!({}))),
    ];
    for (n, way) in ways.into_iter().enumerate() {
        let (mut world, own, code) = counted(1);
        world.log.hold = true;
        let (one, two) = (world.client("one"), world.client("two"));
        world.ask(one, json!({"t": "join", "id": "j1", "code": code}));
        assert_eq!(world.join(two, &code)["code"], "code_expired", "there is no other use");
        way(&mut world, own, one);
        if n == 2 {
            // The room is closed before the use is known to be in the log.
            let keep = world.log.held.drain(..2).collect::<Vec<_>>();
            world.release();
            world.log.held.extend(keep);
        }
        world.release_all();
        world.log.broken = false;
        let told = world.lines(one);
        let refusal = [None, Some("unavailable"), Some("closed")][n];
        assert_eq!(told.iter().find_map(|line| line["code"].as_str()), refusal, "{told:#?}");
        if n == 2 {
            done(&mut world, own, "open", json!({}));
        }
        let mut world = if n == 1 { world } else { restarted(world) };
        let three = world.client("three");
        assert_eq!(world.join(three, &code)["t"], "joined", "{n}");
        let four = world.client("four");
        assert_eq!(world.join(four, &code)["code"], "code_expired", "{n}");
    }
}

#[test]
fn as_many_come_at_once_as_there_are_uses_also_from_netcat() {
    let (mut world, _, code) = counted(2);
    world.log.hold = true;
    let (one, three) = (world.client("one"), world.client("three"));
    let two = world.connect();
    world.ask(one, json!({"t": "join", "id": "j1", "code": code}));
    world.send(two, format!("{code} two\nhi\n"));
    world.ask(three, json!({"t": "join", "id": "j1", "code": code}));
    assert_eq!(world.only(three)["code"], "code_expired");
    world.release_all();
    assert!(world.lines(one).iter().any(|line| line["t"] == "joined"));
    let text = world.text(two);
    assert!(text.contains("You are in."), "{text}");
    assert_eq!(world.log.records("ops").last().expect("it was said").text.as_str(), "hi", "what came behind it waited");
}

#[test]
fn a_code_that_is_retired_while_somebody_comes_by_it_lets_them_in_no_more() {
    let (mut world, own, code) = counted(3);
    world.log.hold = true;
    let one = world.client("one");
    world.ask(one, json!({"t": "join", "id": "j1", "code": code}));
    world.ask(own, act("code", json!({"do": "retire", "label": "temps"})));
    let act = world.log.held.pop_back().expect("the act");
    world.log.held.push_front(act);
    world.release_all();
    assert_eq!(world.lines(one).remove(0)["code"], "code_expired");
    let mut world = restarted(world);
    let two = world.client("two");
    assert_eq!(world.join(two, &code)["code"], "code_expired", "nor after a restart");
}

#[test]
fn who_comes_for_a_use_while_an_act_about_the_code_is_on_its_way_comes_again_later() {
    let (mut world, own, code) = counted(1);
    world.log.hold = true;
    let one = world.client("one");
    world.ask(own, act("code", json!({"do": "rotate", "label": "temps", "after_s": 60})));
    assert_eq!(world.join(one, &code)["code"], "unavailable");
    world.release_all();
    assert_eq!(world.join(one, &code)["t"], "joined", "for a minute more");
    let two = world.client("two");
    assert_eq!(world.join(two, &code)["code"], "code_expired", "it had one use");
}
