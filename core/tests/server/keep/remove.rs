//! Messages that are taken back.

use serde_json::json;

use super::*;
use crate::accounts::{account, listed};
use crate::world::{OPS, World, texts};

#[test]
fn what_was_removed_is_gone_for_those_who_are_behind_those_who_come_and_in_history() {
    let mut world = world();
    let (ann, bob) = (world.member("ann", KEEPER), world.member("bob", OPS));
    let (slow, person) = (world.member("slow", OPS), world.person("mei", OPS));
    world.take(slow);
    world.stall(slow, 0);
    world.stall(person, 0);
    for (id, text) in [("s1", "one"), ("s2", "the secret"), ("s3", "three")] {
        world.say(bob, id, "ops", text);
    }
    done(&mut world, ann, "remove", json!({"seq": 2, "why": "oops"}));
    world.say(bob, "s4", "ops", "four");
    for conn in [slow, person] {
        world.unstall(conn);
    }
    let lines = world.lines(slow);
    let messages: Vec<_> = lines.iter().filter(|line| line["t"] == "msg").collect();
    assert_eq!(texts(&lines), ["one", "(removed)", "three", "removed message 2, of bob: oops", "four"]);
    assert_eq!((&messages[1]["kind"], &messages[1]["name"]), (&json!("removed"), &json!("bob")));
    assert_eq!(messages[3]["act"]["of"], 2);
    let text = world.text(person);
    assert!(text.contains("<bob> (removed)\r\n") && text.contains("-- 12:00 ann removed message 2, of bob: oops\r\n"));
    let late = world.client("late");
    world.ask(late, json!({"t": "join", "id": "j1", "code": OPS}));
    world.ask(late, json!({"t": "history", "id": "h1", "room": "ops", "after": 0}));
    for conn in [slow, person, late] {
        assert!(!String::from_utf8_lossy(world.received(conn)).contains("secret"));
    }
    assert!(world.log.records("ops").iter().all(|record| !record.text.as_str().contains("secret")));
    is_refused(&mut world, ann, "remove", json!({"seq": 2}), "not_found");
    is_refused(&mut world, ann, "remove", json!({"seq": 4}), "forbidden");
    is_refused(&mut world, ann, "remove", json!({"seq": 0}), "not_found");
    is_refused(&mut world, ann, "remove", json!({"seq": 99}), "not_found");
    is_refused(&mut world, bob, "remove", json!({"seq": 1}), "forbidden");
}

#[test]
fn a_longer_word_in_a_shorter_ones_place_moves_nobody() {
    let mut world = world();
    let (ann, bob) = (world.member("ann", KEEPER), world.member("bob", OPS));
    let readers: Vec<_> = (0..4).map(|n| world.member(&format!("r{n}"), OPS)).collect();
    for (n, reader) in readers.iter().enumerate() {
        world.take(*reader);
        world.stall(*reader, 150 * n);
    }
    for n in 0..6 {
        world.say(bob, &format!("s{n}"), "ops", &n.to_string());
    }
    for seq in [1, 3, 6] {
        done(&mut world, ann, "remove", json!({"seq": seq}));
        readers.iter().enumerate().for_each(|(n, reader)| world.trickle(*reader, 70 * n));
    }
    world.say(bob, "end", "ops", "end");
    for reader in readers {
        world.unstall(reader);
        let lines = world.lines(reader);
        let seqs: Vec<_> = lines.iter().filter(|line| line["t"] == "msg").map(|line| line["seq"].as_u64()).collect();
        assert_eq!(seqs, (1..=10).map(Some).collect::<Vec<_>>(), "{lines:#?}");
        assert_eq!(lines.iter().filter(|line| line["text"] == "end").count(), 1);
    }
}

#[test]
fn a_message_that_is_not_held_any_more_is_looked_up_before_it_is_removed() {
    let mut world = World::with(|config| {
        set(config);
        config.limits.room_bytes = 64 << 10;
    });
    world.log.fill("ops", 300, |n| format!("{n} {}", "x".repeat(1_000)));
    let ann = world.member("ann", KEEPER);
    done(&mut world, ann, "remove", json!({"seq": 3}));
    assert_eq!(world.log.records("ops")[2].text.as_str(), "(removed)");
    is_refused(&mut world, ann, "remove", json!({"seq": 3}), "not_found");
    // A page that was read before, and comes after.
    let bob = world.member("bob", OPS);
    world.log.hold = true;
    world.ask(bob, json!({"t": "history", "id": "h1", "room": "ops", "after": 4, "limit": 2}));
    let load = world.log.held.pop_front().expect("a load");
    let page = world.log.answer(load, 0);
    world.log.hold = false;
    done(&mut world, ann, "remove", json!({"seq": 5}));
    page.into_iter().for_each(|page| world.haunt(qun_core::server::Input::Log(page)));
    let lines = world.lines(bob);
    let page = lines.iter().find(|line| line["t"] == "page").expect("a page");
    assert_eq!((&page["msgs"][0]["seq"], &page["msgs"][0]["text"]), (&json!(5), &json!("(removed)")));
}

#[test]
fn what_was_taken_back_while_it_was_looked_for_is_not_found() {
    let mut world = world();
    let (ann, bob) = (world.member("ann", KEEPER), world.member("bob", OPS));
    for (id, text) in [("s1", "the secret"), ("s2", "no secret")] {
        world.say(bob, id, "ops", text);
    }
    world.take(bob);
    world.log.hold = true;
    world.ask(bob, json!({"t": "search", "id": "f1", "room": "ops", "words": "secret"}));
    let search = world.log.held.pop_front().expect("a search");
    let found = world.log.answer(search, 0);
    world.log.hold = false;
    done(&mut world, ann, "remove", json!({"seq": 1}));
    found.into_iter().for_each(|found| world.haunt(qun_core::server::Input::Log(found)));
    let lines = world.lines(bob);
    let found = lines.iter().find(|line| line["t"] == "found").expect("an answer");
    let texts: Vec<_> = found["msgs"].as_array().expect("messages").iter().map(|msg| &msg["text"]).collect();
    assert_eq!(texts, [&json!("no secret")]);
}

#[test]
fn a_message_that_two_take_back_at_once_is_taken_back_once() {
    let mut world = World::with(|config| {
        set(config);
        config.limits.room_bytes = 64 << 10;
    });
    world.log.fill("ops", 300, |n| format!("{n} {}", "x".repeat(1_000)));
    let both = [world.member("ann", KEEPER), world.member("mei", KEEPER)];
    world.log.hold = true;
    for conn in both {
        world.take(conn);
        world.ask(conn, json!({"t": "remove", "id": "r1", "room": "ops", "seq": 3}));
    }
    // Both are looked up before either is done.
    let loads: Vec<_> = world.log.held.drain(..).collect();
    let found: Vec<_> = loads.into_iter().flat_map(|load| world.log.answer(load, 0)).collect();
    assert_eq!(found.len(), 2);
    world.log.hold = false;
    found.into_iter().for_each(|found| world.haunt(qun_core::server::Input::Log(found)));
    let answers = both.map(|conn| world.lines(conn).into_iter().find(|line| line["re"] == "r1").expect("an answer"));
    assert_eq!((&answers[0]["t"], &answers[1]["code"]), (&json!("ok"), &json!("not_found")), "{answers:?}");
    assert_eq!(world.log.records("ops").len(), 301, "one act, of the first");
}

#[test]
fn an_author_whose_role_is_not_below_keeps_their_words_and_everyone_who_may_takes_back_their_own() {
    let mut world = world();
    let (own, keep) = (world.member("own", OWNER), world.member("keep", KEEPER));
    world.say(own, "s1", "ops", "the owner's");
    world.say(keep, "s2", "ops", "the keeper's");
    is_refused(&mut world, keep, "remove", json!({"seq": 1}), "forbidden");
    done(&mut world, keep, "remove", json!({"seq": 2}));
    is_refused(&mut world, keep, "remove", json!({"name": "nobody"}), "not_found");
    world.say(keep, "s3", "ops", "another");
    done(&mut world, own, "remove", json!({"name": "keep"}));
    assert_eq!(world.log.records("ops")[3].text.as_str(), "(removed)");
}

#[test]
fn of_an_author_who_is_not_there_what_is_known_counts() {
    let mut world = World::with(|config| {
        set(config);
        config.accounts = vec![account("boss", "sesame"), account("mei", "sesame"), account("eve", "sesame")];
        config.rooms[0].accounts = vec![listed("boss", Role::Owner)];
    });
    let (own, keep) = (world.member("own", OWNER), world.member("keep", KEEPER));
    // Listed; came by a code of its own; came by a code that gives nothing; given; by a code, without an account.
    let mut said = 0;
    for (name, code, is_account) in
        [("boss", OPS, true), ("mei", KEEPER, true), ("eve", OPS, true), ("given", OPS, false), ("owner", OWNER, false)]
    {
        let (conn, key) = (world.connect(), format!("{name:->22}"));
        match is_account {
            true => drop(world.call(conn, crate::accounts::hello(name, Some(&key), "sesame"))),
            false => drop(world.hello(conn, name, Some(&key))),
        }
        world.join(conn, code);
        if name == "given" {
            done(&mut world, own, "role", json!({"name": "given", "role": "moderator"}));
            said += 1;
        }
        world.say(conn, name, "ops", "words");
        world.ask(conn, json!({"t": "bye"}));
        said += 1;
        let is_protected = !matches!(name, "eve" | "owner");
        match is_protected {
            true => is_refused(&mut world, keep, "remove", json!({"seq": said}), "forbidden"),
            false => {
                done(&mut world, keep, "remove", json!({"seq": said}));
                said += 1;
            }
        }
    }
}
