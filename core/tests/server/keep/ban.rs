//! Bans: by what somebody is known again, for how long, and whom they leave alone.

use qun_core::server::Note;
use serde_json::json;

use super::*;
use crate::accounts::account;
use crate::world::{ANN, BOB, MEI, OPS, World, seconds};

#[test]
fn who_is_banned_is_out_and_stays_out_by_key_and_by_name_and_that_is_no_guess() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let bob = world.keyed("bob", BOB, OPS);
    done(&mut world, ann, "ban", json!({"name": "bob", "for_s": 60}));
    let told = world.lines(bob);
    assert_eq!((&told.last().unwrap()["code"], &told.last().unwrap()["retry"]), (&json!("banned"), &json!("no")));
    let again = world.join(bob, OPS);
    assert_eq!((&again["code"], &again["retry"]), (&json!("banned"), &json!("no")));
    assert!(again["wait_ms"].as_u64().is_some_and(|wait| (59_000..=60_000).contains(&wait)), "{again}");
    world.ask(bob, json!({"t": "bye"}));
    // By another name with the same key, and by the same name with another key.
    for (name, key) in [("robert", Some(BOB)), ("Bob", Some(MEI)), ("bob", None)] {
        let conn = world.connect();
        world.hello(conn, name, key);
        assert_eq!(world.join(conn, OPS)["code"], "banned", "{name}");
        world.ask(conn, json!({"t": "bye"}));
    }
    assert!(!world.notes.iter().any(|note| matches!(note, Note::WrongCode { .. })), "it is no guess");
    let person = world.connect();
    world.send(person, format!("{OPS} bob\n"));
    assert!(world.text(person).contains("You are banned from that room for 1 minute."));
    world.wait(seconds(61));
    let bob = world.connect();
    world.hello(bob, "bob", Some(BOB));
    assert_eq!(world.join(bob, OPS)["t"], "joined");
}

#[test]
fn a_ban_by_source_puts_out_all_of_a_lower_role_from_there_and_no_others() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let at = |world: &mut World, name: &str, code: &str| {
        let conn = world.connect_from("203.0.113.9:1");
        world.hello(conn, name, None);
        assert_eq!(world.join(conn, code)["t"], "joined");
        conn
    };
    let (bob, mei, own) = (at(&mut world, "bob", OPS), at(&mut world, "mei", OPS), at(&mut world, "own", OWNER));
    let far = world.member("far", OPS);
    done(&mut world, ann, "ban", json!({"name": "bob", "by": ["source"]}));
    for out in [bob, mei] {
        assert_eq!(world.lines(out).last().unwrap()["code"], "banned");
    }
    for stays in [own, far] {
        assert!(world.lines(stays).iter().all(|line| line["t"] != "left"));
        assert_eq!(world.join(stays, if stays == own { OWNER } else { OPS })["t"], "joined");
    }
    let other = world.connect_from("203.0.113.9:2");
    world.hello(other, "other", None);
    assert_eq!(world.join(other, OPS)["code"], "banned");
    assert_eq!(world.join(other, KEEPER)["t"], "joined", "who has a role as high is not kept out");
    is_refused(&mut world, own, "unban", json!({"name": "mei"}), "not_found");
    done(&mut world, ann, "unban", json!({"name": "bob"}));
    assert_eq!(world.join(bob, OPS)["t"], "joined");
}

#[test]
fn a_name_that_is_banned_is_not_taken_inside_either() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let bob = world.keyed("bob", BOB, OPS);
    is_refused(&mut world, ann, "ban", json!({"name": "eve"}), "not_found");
    done(&mut world, ann, "ban", json!({"name": "eve", "by": ["name"]}));
    world.take(bob);
    let answer = world.call(bob, json!({"t": "name", "id": "n1", "name": "Eve"}));
    assert_eq!(answer["code"], "banned");
    world.reset(bob);
    let bob = world.connect();
    let welcome = world.hello(bob, "eve", Some(BOB));
    assert_eq!(welcome["name"], "bob", "nor by coming back");
}

#[test]
fn what_was_on_its_way_when_somebody_was_banned_lies_before_it_or_nowhere() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let bob = world.keyed("bob", BOB, OPS);
    for conn in [ann, bob] {
        world.take(conn);
    }
    world.log.hold = true;
    world.say(bob, "before", "ops", "before");
    world.ask(ann, act("ban", json!({"name": "bob"})));
    world.say(bob, "behind", "ops", "behind");
    world.release();
    world.say(bob, "late", "ops", "late");
    world.release_all();
    let said: Vec<_> = world.log.records("ops").iter().map(|record| record.text.to_string()).collect();
    assert_eq!(said, ["before", "banned bob"]);
    let lines = world.lines(bob);
    let answer = |id: &str| lines.iter().find(|line| line["re"] == id || line["id"] == id).expect("an answer");
    assert_eq!(answer("before")["t"], "msg");
    assert_eq!([answer("behind")["code"].clone(), answer("late")["code"].clone()], ["not_member", "not_member"]);
    let left = lines.iter().position(|line| line["t"] == "left").expect("it was told");
    assert!(lines[left..].iter().all(|line| line["room"] != "ops" || line["t"] == "left"), "{lines:#?}");
}

#[test]
fn nothing_lies_behind_the_ban_of_a_name_that_was_said_under_it() {
    let mut world = world();
    let (ann, bob) = (world.member("ann", KEEPER), world.keyed("bob", BOB, OPS));
    world.log.hold = true;
    world.ask(ann, act("ban", json!({"name": "bob", "by": ["name"]})));
    world.say(bob, "s1", "ops", "as bob");
    world.ask(bob, json!({"t": "name", "id": "n1", "name": "rob"}));
    world.say(bob, "s2", "ops", "as rob");
    world.release_all();
    let said: Vec<_> = world.log.records("ops").iter().map(|record| record.text.to_string()).collect();
    assert_eq!(said, ["banned bob", "as rob"], "who has another name is in");
    let answer = world.lines(bob).into_iter().find(|line| line["re"] == "s1").expect("an answer");
    assert_eq!(answer["code"], "banned");
}

#[test]
fn an_account_is_put_out_muted_and_banned_with_all_of_its_sessions_and_known_again_by_itself() {
    let mut world = World::with(|config| {
        set(config);
        config.accounts = vec![account("eve", "sesame")];
    });
    let own = world.member("own", OWNER);
    let login = |world: &mut World, key: &str| {
        let conn = world.connect();
        let hello = json!({"t": "hello", "id": "h0", "v": [1], "name": "eve", "key": key, "password": "sesame"});
        assert_eq!(world.call(conn, hello)["account"], "eve");
        conn
    };
    let [phone, laptop] = [ANN, BOB].map(|key| login(&mut world, key));
    for conn in [phone, laptop] {
        assert_eq!(world.join(conn, OPS)["t"], "joined");
    }
    done(&mut world, own, "mute", json!({"name": "eve"}));
    for conn in [phone, laptop] {
        world.take(conn);
        let say = json!({"t": "say", "id": "s1", "room": "ops", "text": "hi"});
        assert_eq!(world.call(conn, say)["code"], "muted");
    }
    done(&mut world, own, "unmute", json!({"name": "eve"}));
    done(&mut world, own, "role", json!({"name": "eve", "role": "moderator"}));
    assert_eq!(world.join(laptop, OPS)["room"]["role"], "moderator");
    world.take(own);
    done(&mut world, own, "ban", json!({"name": "eve"}));
    for conn in [phone, laptop] {
        assert!(world.lines(conn).iter().any(|line| line["t"] == "left" && line["code"] == "banned"));
    }
    let third = login(&mut world, MEI);
    assert_eq!(world.join(third, OPS)["code"], "banned", "by another key, too");
    done(&mut world, own, "unban", json!({"name": "eve"}));
    assert_eq!(world.join(third, OPS)["room"]["role"], "moderator", "what was given is the account's");
}

#[test]
fn who_is_banned_as_an_account_goes_as_they_become_it() {
    const SECRET: &str = "battery staple";
    for (by, is_listed) in [(json!(null), true), (json!(["name"]), true), (json!(null), false)] {
        let mut world = World::with(|config| {
            set(config);
            config.accounts = vec![account("mei", SECRET)];
            if is_listed {
                config.rooms[0].accounts = vec![crate::accounts::listed("mei", qun_core::Role::Moderator)];
            }
        });
        let own = world.member("own", OWNER);
        let mei = world.connect();
        world.call(mei, json!({"t": "hello", "id": "h0", "v": [1], "name": "mei", "password": SECRET}));
        world.join(mei, OPS);
        done(&mut world, own, "ban", json!({"name": "mei", "by": by}));
        assert_eq!(world.lines(mei).last().unwrap()["code"], "banned");
        // By the code, as a guest, she may come; as the moderator that she is, not.
        let guest = world.person("guest", OPS);
        world.take(own);
        world.send(guest, format!("/login mei\n{SECRET}\nlet me in\n"));
        let text = world.text(guest);
        assert!(text.contains("You were banned from On-call"), "{text}");
        let told = world.lines(own);
        assert!(told.iter().all(|line| line["t"] == "presence"), "nothing was said: {told:#?}");
        assert_eq!(world.join(own, OWNER)["here"], 1);
        // By having been in so, she has not come by a code that she would need none of later.
        done(&mut world, own, "unban", json!({"name": "mei"}));
        world.take(mei);
        world.ask(mei, json!({"t": "join", "id": "j9", "room": "ops"}));
        let again = world.lines(mei).remove(0);
        assert_eq!(again["t"], if is_listed { "joined" } else { "error" }, "{again}");
    }
}

#[test]
fn who_goes_before_the_ban_is_written_is_banned_by_all_that_they_were_known_by() {
    // They take their leave, of the room or altogether, while the order waits for its turn.
    for farewell in [json!({"t": "leave", "id": "l1", "room": "ops"}), json!({"t": "bye"})] {
        for (by, knows_key, knows_name, knows_source) in [
            (json!(null), true, true, false),
            (json!(["key"]), true, false, false),
            (json!(["name"]), false, true, false),
            (json!(["source"]), false, false, true),
            (json!(["key", "source"]), true, false, true),
        ] {
            let mut world = world();
            let ann = world.member("ann", KEEPER);
            let bob = world.connect_from("203.0.113.9:1");
            world.hello(bob, "bob", Some(BOB));
            world.join(bob, OPS);
            world.take(ann);
            world.log.hold = true;
            world.say(ann, "s1", "ops", "hi");
            world.ask(ann, act("ban", json!({"name": "bob", "by": by})));
            world.ask(bob, farewell.clone());
            world.release_all();
            let told = world.lines(ann);
            assert!(told.iter().any(|line| line["re"] == "a1" && line["t"] == "ok"), "{by}: {told:#?}");
            if !world.is_gone(bob) {
                world.reset(bob);
            }
            let mut comes = |name: &str, key: &str, address: &str| {
                let conn = world.connect_from(address);
                world.hello(conn, name, Some(key));
                let is_out = world.join(conn, OPS)["code"] == "banned";
                world.ask(conn, json!({"t": "bye"}));
                is_out
            };
            let is_out = [
                comes("robert", BOB, "198.51.9.1:1"),
                comes("bob", MEI, "198.51.9.2:1"),
                comes("eve", ANN, "203.0.113.9:2"),
            ];
            assert_eq!(is_out, [knows_key, knows_name, knows_source], "{by} after {farewell}");
        }
    }
}

#[test]
fn who_goes_from_netcat_before_the_ban_is_written_is_banned_by_name_and_who_takes_another_name_is_put_out() {
    let mut world = world();
    let ann = world.person("ann", KEEPER);
    let (bob, mei) = (world.person("bob", OPS), world.person("mei", OPS));
    world.log.hold = true;
    world.send(ann, "hi\n/ban bob 1h\n/ban mei 1h\n");
    world.send(bob, "/leave\n");
    world.send(mei, "/name robert\n");
    world.release_all();
    let text = world.text(ann);
    assert!(text.contains("ann banned bob for 1 hour") && text.contains("ann banned mei for 1 hour"), "{text}");
    assert!(world.text(mei).contains("You were banned from On-call"));
    world.reset(bob);
    world.reset(mei);
    for name in ["bob", "mei", "robert"] {
        let again = world.connect();
        world.send(again, format!("{OPS} {name}\n"));
        assert!(world.text(again).contains("You are banned from that room"), "{name}");
    }
}
