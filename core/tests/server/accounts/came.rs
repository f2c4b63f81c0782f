//! Who came by a code once needs none again.

use std::collections::BTreeSet;

use qun_core::log::Request;
use qun_core::server::Config;
use qun_core::{ConnId, Role};
use serde_json::{Value, json};

use super::*;
use crate::keep::{KEEPER, OWNER, act, done, is_refused, order};
use crate::world::{ANN, BOB, DEV, GUEST, MEI, OPS, World, seconds, texts};

fn set(config: &mut Config) {
    crate::keep::set(config);
    config.accounts = vec![account("ann", SECRET), account("mei", SECRET), account("eve", SECRET)];
}

fn world() -> World {
    World::with(set)
}

/// The same log, and a server that has just begun.
fn restarted(before: World, change: impl FnOnce(&mut Config)) -> World {
    let mut world = World::with(|config| {
        set(config);
        change(config);
    });
    world.log = before.log;
    world
}

fn login(world: &mut World, name: &str, key: &str) -> ConnId {
    let conn = world.connect();
    let welcome = world.call(conn, hello(name, Some(key), SECRET));
    assert_eq!(welcome["account"], name, "{welcome}");
    conn
}

/// Somebody logs in, comes by a code, and goes.
fn comes_and_goes(world: &mut World, name: &str, code: &str) {
    let conn = login(world, name, BOB);
    let joined = world.join(conn, code);
    assert_eq!(joined["t"], "joined", "{joined}");
    world.ask(conn, json!({"t": "bye"}));
}

/// The answer to a join that names the room.
fn by_room(world: &mut World, conn: ConnId) -> Value {
    world.take(conn);
    world.ask(conn, json!({"t": "join", "id": "r1", "room": "ops", "tail": 0}));
    world.lines(conn).into_iter().find(|line| line["re"] == "r1").expect("an answer")
}

/// Somebody comes back without a code: as what, or why not.
fn comes_back(world: &mut World, name: &str) -> String {
    let conn = login(world, name, MEI);
    let answer = by_room(world, conn);
    world.ask(conn, json!({"t": "bye"}));
    match answer["t"] == "joined" {
        true => answer["room"]["role"].as_str().unwrap_or_default().into(),
        false => answer["code"].as_str().unwrap_or_default().into(),
    }
}

#[test]
fn an_account_that_came_by_a_code_once_needs_none_again_and_nobody_else_gains_by_it() {
    let mut world = world();
    comes_and_goes(&mut world, "ann", OPS);
    let again = world.connect();
    let welcome = world.call(again, hello("ann", Some(ANN), SECRET));
    assert_eq!(welcome["rooms"], json!([{"id": "ops", "title": "On-call", "role": "talk"}]));
    assert_eq!(by_room(&mut world, again)["t"], "joined");
    world.ask(again, json!({"t": "leave", "id": "l1", "room": "ops"}));
    assert_eq!(by_room(&mut world, again)["t"], "joined", "who leaves may come back");
    assert_eq!(comes_back(&mut world, "mei"), "not_member", "it is the account's alone");
    let guest = world.keyed("bob", BOB, OPS);
    world.ask(guest, json!({"t": "leave", "id": "l1", "room": "ops"}));
    assert_eq!(by_room(&mut world, guest)["code"], "not_member", "a guest is not remembered");
    let mut world = restarted(world, |_| {});
    assert_eq!(comes_back(&mut world, "ann"), "talk", "the log has it");
    assert!(!format!("{:?}", world.server).contains("Mark(["), "nothing from which a code could be found");
    assert_eq!(comes_back(&mut world, "mei"), "not_member");
    let mut world = restarted(world, |config| config.accounts[0] = account("ann", "another"));
    let conn = world.connect();
    world.call(conn, hello("ann", Some(ANN), "another"));
    assert_eq!(by_room(&mut world, conn)["t"], "joined", "another password is no other account");
}

#[test]
fn a_person_at_netcat_comes_back_by_the_rooms_name() {
    let mut world = world();
    let person = world.person("guest", OPS);
    world.send(person, format!("/login ann\n{SECRET}\n"));
    world.reset(person);
    let mut world = restarted(world, |_| {});
    let person = world.connect();
    world.send(person, format!("/login ann\n{SECRET}\n"));
    let told = world.text(person);
    assert!(told.contains("Your rooms: ops."), "{told}");
    world.send(person, "/join ops\n");
    assert!(world.text(person).contains("You are in."));
}

#[test]
fn the_role_is_the_codes_as_the_code_is_now() {
    for (then, now, role) in [
        (Role::Moderator, Role::Talk, "talk"),
        (Role::Moderator, Role::Moderator, "moderator"),
        (Role::Talk, Role::Moderator, "moderator"),
        (Role::Talk, Role::Read, "read"),
    ] {
        let mut world = world();
        world.reload(|config| config.rooms[0].codes[0].role = then);
        comes_and_goes(&mut world, "ann", OPS);
        world.reload(|config| config.rooms[0].codes[0].role = now);
        assert_eq!(comes_back(&mut world, "ann"), role);
        let mut world = restarted(world, |config| config.rooms[0].codes[0].role = then);
        assert_eq!(comes_back(&mut world, "ann"), then.as_str(), "and again as it is now");
    }
}

#[test]
fn who_came_last_by_another_code_has_that_ones_role_and_a_listed_one_the_higher() {
    let mut world = world();
    comes_and_goes(&mut world, "ann", KEEPER);
    comes_and_goes(&mut world, "ann", GUEST);
    assert_eq!(comes_back(&mut world, "ann"), "read");
    world.reload(|config| config.rooms[0].accounts = vec![listed("ann", Role::Talk)]);
    assert_eq!(comes_back(&mut world, "ann"), "talk");
    comes_and_goes(&mut world, "ann", KEEPER);
    assert_eq!(comes_back(&mut world, "ann"), "moderator");
    world.reload(|config| config.rooms[0].codes[2].max_members = Some(0));
    assert_eq!(comes_back(&mut world, "ann"), "talk", "by the door that has a place");
    world.reload(|config| config.rooms[0].accounts.clear());
    assert_eq!(comes_back(&mut world, "ann"), "room_full", "it is a place as any other");
}

#[test]
fn whatever_becomes_of_the_code_but_a_retirement_that_kicks_it_is_remembered() {
    let made = |world: &mut World, rest: Value| {
        let own = world.member("own", OWNER);
        let mut request = json!({"do": "add", "label": "temps", "role": "read"});
        rest.as_object().expect("fields").iter().for_each(|(key, value)| request[key] = value.clone());
        let made = order(world, own, "code", request);
        (own, made["code"].as_str().expect("a code").to_owned())
    };
    for (deed, kicks) in [
        (json!({"do": "rotate", "label": "temps"}), false),
        (json!({"do": "rotate", "label": "temps", "after_s": 60}), false),
        (json!({"do": "retire", "label": "temps"}), false),
        (json!({"do": "retire", "label": "temps", "kick": true}), true),
    ] {
        let mut world = world();
        let (own, code) = made(&mut world, json!({}));
        comes_and_goes(&mut world, "ann", &code);
        let answer = order(&mut world, own, "code", deed.clone());
        assert_ne!(answer["t"], "error", "{answer}");
        let expected = if kicks { "not_member" } else { "read" };
        assert_eq!(comes_back(&mut world, "ann"), expected, "{deed}");
        let mut world = restarted(world, |_| {});
        assert_eq!(comes_back(&mut world, "ann"), expected, "{deed}, after a restart");
        if !kicks {
            let own = world.member("own", OWNER);
            let last = json!({"do": "retire", "label": "temps~", "kick": true});
            done(&mut world, own, "code", last.clone());
            assert_eq!(comes_back(&mut world, "ann"), "not_member", "also of one that is retired already");
            is_refused(&mut world, own, "code", json!({"do": "rotate", "label": "temps~"}), "not_found");
            is_refused(&mut world, own, "code", json!({"do": "retire", "label": "temps~"}), "not_found");
        }
    }
    // Used up, and expired.
    let mut world = world();
    let (_, code) = made(&mut world, json!({"uses": 2, "for_s": 60}));
    comes_and_goes(&mut world, "ann", &code);
    assert_eq!(comes_back(&mut world, "ann"), "read");
    comes_and_goes(&mut world, "ann", &code);
    comes_and_goes(&mut world, "mei", &code);
    let late = world.client("late");
    assert_eq!(world.join(late, &code)["code"], "code_expired", "both uses are used up, and no more than they");
    assert_eq!([comes_back(&mut world, "ann"), comes_back(&mut world, "mei")], ["read", "read"]);
    world.wait(seconds(61));
    assert_eq!(comes_back(&mut world, "ann"), "read");
    let mut world = restarted(world, |_| {});
    assert_eq!(comes_back(&mut world, "ann"), "read");
}

#[test]
fn of_a_code_that_the_configuration_has_no_more_its_last_role_is_left_and_none_above_talk() {
    for (code, at, role) in [(OWNER, 3, "talk"), (KEEPER, 2, "talk"), (OPS, 0, "talk"), (GUEST, 1, "read")] {
        let mut world = world();
        comes_and_goes(&mut world, "ann", code);
        let stays = login(&mut world, "ann", ANN);
        by_room(&mut world, stays);
        world.reload(|config| drop(config.rooms[0].codes.remove(at)));
        assert_eq!(comes_back(&mut world, "ann"), role);
        world.take(stays);
        world.say(stays, "s1", "ops", "still here");
        assert_eq!(texts(&world.lines(stays)).len(), usize::from(code != GUEST));
        let without = |config: &mut Config| drop(config.rooms[0].codes.remove(at));
        let mut world = restarted(world, without);
        assert_eq!(comes_back(&mut world, "ann"), role);
        let mut world = restarted(world, |_| {});
        let back = ["talk", "read", "moderator", "owner"][at];
        assert_eq!(comes_back(&mut world, "ann"), back, "the code is there again");
    }
    // The last role counts, also of somebody who was away when the code got it.
    let mut world = world();
    comes_and_goes(&mut world, "ann", OPS);
    world.reload(|config| config.rooms[0].codes[0].role = Role::Read);
    world.reload(|config| drop(config.rooms[0].codes.remove(0)));
    assert_eq!(comes_back(&mut world, "ann"), "read");
    let mut world = restarted(world, |config| drop(config.rooms[0].codes.remove(0)));
    assert_eq!(comes_back(&mut world, "ann"), "read");
}

#[test]
fn a_kick_and_a_ban_end_it_whether_the_account_is_there_or_not() {
    for t in ["kick", "ban"] {
        for is_there in [true, false] {
            let mut world = world();
            let keep = world.member("keep", KEEPER);
            comes_and_goes(&mut world, "ann", OPS);
            let conn = login(&mut world, "ann", ANN);
            if is_there {
                by_room(&mut world, conn);
            }
            done(&mut world, keep, t, json!({"name": "Ann"}));
            let then = if t == "ban" { "banned" } else { "not_member" };
            assert_eq!(comes_back(&mut world, "ann"), if t == "ban" { "not_member" } else { then }, "{t} {is_there}");
            if t == "ban" {
                assert_eq!(world.join(conn, OPS)["code"], then, "known by the account, there or not");
                done(&mut world, keep, "unban", json!({"name": "ann"}));
            }
            let mut world = restarted(world, |_| {});
            assert_eq!(comes_back(&mut world, "ann"), "not_member", "{t} {is_there}");
            comes_and_goes(&mut world, "ann", OPS);
            assert_eq!(comes_back(&mut world, "ann"), "talk", "by the code it is as before");
        }
    }
}

#[test]
fn nobody_ends_it_whose_role_is_not_above_the_accounts() {
    let mut world = world();
    let (own, keep) = (world.member("own", OWNER), world.member("keep", KEEPER));
    comes_and_goes(&mut world, "ann", KEEPER);
    for t in ["kick", "ban"] {
        is_refused(&mut world, keep, t, json!({"name": "ann"}), "forbidden");
    }
    // Neither where there is no place for them by that code now.
    world.reload(|config| {
        config.rooms[0].codes[2].max_members = Some(1);
        config.rooms[0].accounts = vec![listed("ann", Role::Talk)];
    });
    is_refused(&mut world, keep, "kick", json!({"name": "ann"}), "forbidden");
    is_refused(&mut world, keep, "kick", json!({"name": "mei"}), "not_found");
    done(&mut world, own, "kick", json!({"name": "ann"}));
    is_refused(&mut world, own, "kick", json!({"name": "ann"}), "not_found");
}

#[test]
fn of_an_account_that_is_gone_nothing_is_known_when_there_is_one_of_its_name_again() {
    let is_without = |config: &mut Config| config.accounts.retain(|account| account.name.as_str() != "ann");
    // While it is served, with nobody in the room; with the room, at once; while the server is down.
    for how in ["served", "with the room", "down"] {
        let mut world = world();
        comes_and_goes(&mut world, "ann", OPS);
        let ops = world.config.rooms[0].clone();
        match how {
            "served" => world.reload(is_without),
            "with the room" => world.reload(|config| {
                is_without(config);
                config.rooms.remove(0);
            }),
            _ => {
                world = restarted(world, is_without);
                world.wait(seconds(1));
            }
        }
        world.reload(|config| {
            config.rooms.retain(|room| room.id != ops.id);
            config.rooms.insert(0, ops);
            config.accounts.push(account("ann", SECRET));
        });
        assert_eq!(comes_back(&mut world, "ann"), "not_member", "{how}");
        let mut world = restarted(world, |_| {});
        assert_eq!(comes_back(&mut world, "ann"), "not_member", "{how}");
    }
}

#[test]
fn a_room_that_goes_and_comes_back_still_knows_and_one_of_another_id_does_not() {
    let mut world = world();
    comes_and_goes(&mut world, "ann", OPS);
    let room = world.config.rooms[0].clone();
    world.reload(|config| drop(config.rooms.remove(0)));
    assert_eq!(comes_back(&mut world, "ann"), "not_member");
    let other = qun_core::server::RoomConfig { id: "other".parse().unwrap(), ..room.clone() };
    world.reload(|config| config.rooms.insert(0, other));
    assert_eq!(comes_back(&mut world, "ann"), "not_member");
    let conn = login(&mut world, "ann", ANN);
    assert_eq!(world.call(conn, json!({"t": "join", "id": "j1", "room": "other"}))["code"], "not_member");
    world.reload(|config| config.rooms[0] = room);
    assert_eq!(comes_back(&mut world, "ann"), "talk");
    world.reload(|config| config.rooms[0].title = "Day shift".into());
    assert_eq!(comes_back(&mut world, "ann"), "talk");
    world.reload(|config| config.guests = false);
    assert_eq!(comes_back(&mut world, "ann"), "talk", "it is no guest");
    let own = login(&mut world, "mei", BOB);
    world.join(own, OWNER);
    done(&mut world, own, "close", json!({}));
    assert_eq!(comes_back(&mut world, "ann"), "closed");
}

#[test]
fn who_waits_for_a_room_that_is_opened_is_looked_at_again_by_the_way_they_came() {
    let waits = |change: &dyn Fn(&mut Config)| {
        let mut world = world();
        world.reload(|config| config.rooms[0].accounts = vec![listed("mei", Role::Talk)]);
        comes_and_goes(&mut world, "ann", OPS);
        let mut world = restarted(world, |config| config.rooms[0].accounts = vec![listed("mei", Role::Talk)]);
        let (ann, mei) = (login(&mut world, "ann", ANN), login(&mut world, "mei", BOB));
        world.log.hold = true;
        for conn in [ann, mei] {
            world.ask(conn, json!({"t": "join", "id": "r1", "room": "ops", "tail": 0}));
            world.quiet(conn);
        }
        world.reload(change);
        world.release_all();
        [ann, mei].map(|conn| {
            let answer = world.lines(conn).into_iter().find(|line| line["re"] == "r1").expect("an answer");
            answer["code"].as_str().unwrap_or("joined").to_owned()
        })
    };
    assert_eq!(waits(&|_| {}), ["joined", "joined"]);
    assert_eq!(waits(&|config| config.rooms[0].accounts.clear()), ["joined", "not_member"]);
    assert_eq!(waits(&|config| drop(config.rooms[0].codes.remove(0))), ["joined", "joined"]);
    assert_eq!(waits(&|config| drop(config.rooms.remove(0))), ["not_member", "not_member"]);
}

#[test]
fn who_is_going_comes_in_nowhere_any_more() {
    let mut world = world();
    let bob = world.member("bob", DEV);
    let ann = login(&mut world, "ann", ANN);
    assert_eq!(world.join(ann, DEV)["t"], "joined");
    world.log.hold = true;
    world.say(ann, "s1", "dev", "last words");
    world.ask(ann, json!({"t": "join", "id": "j1", "code": OPS}));
    assert!(world.log.held.iter().any(|request| matches!(request, Request::Open { .. })));
    // The account is gone; its session ends when its last words are in the log. The room that it waits for opens before.
    world.reload(|config| config.accounts.clear());
    world.log.held.rotate_left(1);
    world.release();
    world.release_all();
    assert!(world.lines(ann).iter().all(|line| line["t"] != "joined" || line["room"]["id"] == "dev"));
    let mei = world.client("late");
    assert_eq!(crate::world::names(&world.join(mei, OPS)), ["late"]);
    assert_eq!(texts(&world.lines(bob)), ["last words"]);
    world.reload(|config| config.accounts = vec![account("ann", SECRET)]);
    assert_eq!(comes_back(&mut world, "ann"), "not_member");
}

#[test]
fn what_is_remembered_has_a_number_of_its_own_and_leaves_room_for_bans() {
    let mut world = World::with(|config| {
        set(config);
        config.accounts.extend((0..1_024).map(|n| account(&format!("n{n}"), SECRET)));
    });
    world.thorough = false;
    for n in 0..1_024 {
        comes_and_goes(&mut world, &format!("n{n}"), OPS);
    }
    comes_and_goes(&mut world, "ann", OPS);
    assert_eq!(comes_back(&mut world, "ann"), "not_member", "who comes after them needs the code");
    assert_eq!(comes_back(&mut world, "n1023"), "talk");
    let keep = world.member("keep", KEEPER);
    done(&mut world, keep, "kick", json!({"name": "n7"}));
    done(&mut world, keep, "ban", json!({"name": "somebody", "by": ["name"]}));
    comes_and_goes(&mut world, "ann", OPS);
    assert_eq!(comes_back(&mut world, "ann"), "talk");
}

#[test]
fn what_is_kept_while_an_act_is_on_its_way_brings_nothing_back_that_the_act_ended() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let code = order(&mut world, own, "code", json!({"do": "add", "label": "temps"}))["code"].clone();
    let code = code.as_str().expect("a code");
    let (ann, guest) = (login(&mut world, "ann", ANN), world.client("guest"));
    world.log.hold = true;
    world.take(own);
    world.ask(own, act("code", json!({"do": "retire", "label": "temps", "kick": true})));
    // They come in between: the log has the act before what is kept of that.
    let answers = BTreeSet::from([ann, guest].map(|conn| world.join(conn, code)["t"].to_string()));
    assert_eq!(answers.len(), 1);
    world.release_all();
    for conn in [ann, guest] {
        assert!(world.lines(conn).iter().any(|line| line["code"] == "code_changed"));
    }
    let mut world = restarted(world, |_| {});
    let late = world.client("late");
    assert_eq!(world.join(late, code)["code"], "code_expired");
    assert_eq!(comes_back(&mut world, "ann"), "not_member");
}
