//! Who may do what, to whom: and whoever may no more.

use qun_core::Role;
use serde_json::json;

use super::*;
use crate::accounts::{account, listed};
use crate::world::{ANN, BOB, GUEST, OPS, World};

#[test]
fn nobody_acts_on_somebody_whose_role_is_not_below_nor_gives_what_is_not() {
    let mut world = world();
    let codes = [("reader", GUEST), ("talker", OPS), ("keeper", KEEPER), ("owner", OWNER)];
    let actors: Vec<_> = codes.iter().map(|(name, code)| world.member(name, code)).collect();
    let others: Vec<_> = codes.iter().map(|(name, code)| world.member(&format!("{name}2"), code)).collect();
    let [_, talk, keep, own] = actors[..] else { panic!("four") };
    for (at, actor) in actors.iter().enumerate() {
        for (below, (name, _)) in codes.iter().enumerate() {
            let target = format!("{name}2");
            let may = at >= 2 && below < at;
            let code = if at < 2 || below >= at { "forbidden" } else { "" };
            for t in ["kick", "ban", "mute"] {
                let answer = order(&mut world, *actor, t, json!({"name": target}));
                assert_eq!(answer["t"] == "ok", may, "{t} by {} of {name}: {answer}", codes[at].0);
                assert!(may || answer["code"] == code, "{answer}");
                if may && t != "mute" {
                    if t == "ban" {
                        done(&mut world, own, "unban", json!({"name": target}));
                    }
                    assert_eq!(world.join(others[below], codes[below].1)["t"], "joined");
                }
                if may && t == "mute" {
                    done(&mut world, own, "unmute", json!({"name": target}));
                }
            }
        }
    }
    for t in ["close", "open"] {
        for conn in [talk, keep] {
            is_refused(&mut world, conn, t, json!({}), "forbidden");
        }
    }
    for role in ["moderator", "talk", "read"] {
        for conn in [talk, keep] {
            is_refused(&mut world, conn, "role", json!({"name": "reader2", "role": role}), "forbidden");
            is_refused(&mut world, conn, "code", json!({"do": "add", "role": role}), "forbidden");
        }
    }
    is_refused(&mut world, own, "role", json!({"name": "reader2", "role": "owner"}), "forbidden");
    is_refused(&mut world, own, "code", json!({"do": "add", "role": "owner"}), "forbidden");
    is_refused(&mut world, own, "code", json!({"do": "rotate", "label": "owners"}), "forbidden");
    is_refused(&mut world, own, "code", json!({"do": "retire", "label": "owners"}), "forbidden");
    is_refused(&mut world, own, "kick", json!({"name": "owner"}), "forbidden");
}

#[test]
fn what_a_higher_one_has_done_stays() {
    let mut world = world();
    let (own, keep) = (world.member("own", OWNER), world.member("keep", KEEPER));
    let bob = world.keyed("bob", BOB, OPS);
    done(&mut world, own, "mute", json!({"name": "bob"}));
    is_refused(&mut world, keep, "unmute", json!({"name": "bob"}), "forbidden");
    done(&mut world, own, "ban", json!({"name": "bob"}));
    is_refused(&mut world, keep, "unban", json!({"name": "bob"}), "forbidden");
    assert_eq!(world.join(bob, OPS)["code"], "banned");
}

#[test]
fn whoever_loses_the_right_before_the_order_is_written_has_lost_it() {
    let mut world = world();
    let (own, keep, bob) = (world.member("own", OWNER), world.member("keep", KEEPER), world.member("bob", OPS));
    for conn in [own, keep, bob] {
        world.take(conn);
    }
    world.log.hold = true;
    world.ask(own, act("kick", json!({"name": "keep"})));
    world.ask(keep, act("kick", json!({"name": "bob"})));
    world.release_all();
    let lines = world.lines(keep);
    assert!(lines.iter().any(|line| line["re"] == "a1" && line["code"] == "not_member"), "{lines:#?}");
    assert!(world.lines(bob).iter().all(|line| line["t"] != "left"));
    // The same by another configuration.
    world.join(keep, KEEPER);
    for conn in [own, keep, bob] {
        world.take(conn);
    }
    world.log.hold = true;
    world.say(bob, "s1", "ops", "hi");
    world.ask(keep, act("kick", json!({"name": "bob"})));
    world.reload(|config| config.rooms[0].codes[2].role = Role::Talk);
    world.release_all();
    let lines = world.lines(keep);
    assert!(lines.iter().any(|line| line["re"] == "a1" && line["code"] == "forbidden"), "{lines:#?}");
}

#[test]
fn a_role_that_was_given_counts_at_once_is_told_and_is_taken_back() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let (bob, mei) = (world.keyed("bob", BOB, OPS), world.member("mei", OPS));
    is_refused(&mut world, bob, "kick", json!({"name": "mei"}), "forbidden");
    done(&mut world, own, "role", json!({"name": "bob", "role": "moderator"}));
    let told = world.lines(bob);
    assert!(told.iter().any(|line| line["t"] == "room" && line["room"]["role"] == "moderator"), "{told:#?}");
    let told = world.lines(mei);
    assert!(told.iter().any(|line| line["ev"] == "role" && line["role"] == "moderator"), "{told:#?}");
    done(&mut world, bob, "kick", json!({"name": "mei"}));
    is_refused(&mut world, bob, "role", json!({"name": "bob", "role": "moderator"}), "forbidden");
    world.reset(bob);
    let bob = world.connect();
    world.hello(bob, "bob", Some(BOB));
    assert_eq!(world.join(bob, OPS)["room"]["role"], "moderator");
    done(&mut world, own, "role", json!({"name": "bob"}));
    assert_eq!(world.lines(bob).last().unwrap()["room"]["role"], "talk");
    is_refused(&mut world, own, "role", json!({"name": "bob"}), "not_found");
    world.join(mei, OPS);
    is_refused(&mut world, own, "role", json!({"name": "mei", "role": "moderator"}), "bad_field");
}

#[test]
fn who_is_listed_keeps_the_role_and_nobody_else_gets_it_when_codes_come_and_go() {
    let mut world = World::with(|config| {
        set(config);
        config.accounts = vec![account("ann", "sesame")];
        config.rooms[0].accounts = vec![listed("ann", Role::Owner)];
    });
    let ann = world.connect();
    let hello = json!({"t": "hello", "id": "h0", "v": [1], "name": "ann", "key": ANN, "password": "sesame"});
    world.call(ann, hello);
    assert_eq!(world.join(ann, OPS)["room"]["role"], "owner");
    for label in ["first", "second"] {
        let answer = order(&mut world, ann, "code", json!({"do": "add", "label": label, "role": "talk"}));
        assert_eq!(answer["t"], "code", "{answer}");
        let code = answer["code"].as_str().expect("a code").to_owned();
        let guest = world.client(label);
        let joined = world.join(guest, &code);
        assert_eq!(joined["room"]["role"], "talk", "{joined}");
    }
    done(&mut world, ann, "code", json!({"do": "retire", "label": "first"}));
    assert_eq!(world.join(ann, OPS)["room"]["role"], "owner");
}
