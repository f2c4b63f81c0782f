//! What is said of a room as a whole: its topic, whether it is closed; and how much of all this it holds, and for how long.

use qun_core::server::Note;
use serde_json::json;

use super::*;
use crate::world::{ANN, BOB, MEI, OPS};

#[test]
fn a_topic_is_told_to_those_who_are_here_and_those_who_come() {
    let mut world = world();
    let (ann, bob) = (world.member("ann", KEEPER), world.person("bob", OPS));
    done(&mut world, ann, "topic", json!({"text": "deploys"}));
    assert_eq!(world.text(bob), "-- 12:00 ann set the topic: deploys\r\n");
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["room"]["topic"], "deploys");
    let eve = world.connect();
    world.send(eve, format!("{OPS} eve\n"));
    let greeting = world.text(eve);
    assert!(greeting.contains("\r\n-- Topic: deploys\r\n-- You are in."), "{greeting}");
    world.take(ann);
    done(&mut world, ann, "topic", json!({}));
    assert_eq!(world.join(mei, OPS)["room"].get("topic"), None);
}

#[test]
fn a_closed_room_has_only_those_who_keep_order_come_in_and_speak() {
    let mut world = world();
    let (own, keep) = (world.member("own", OWNER), world.member("keep", KEEPER));
    let bob = world.keyed("bob", BOB, OPS);
    done(&mut world, own, "close", json!({"why": "night"}));
    for conn in [own, keep, bob] {
        world.take(conn);
    }
    let say = json!({"t": "say", "id": "s1", "room": "ops", "text": "hello"});
    assert_eq!(world.call(bob, say.clone())["code"], "closed");
    assert_eq!(world.call(keep, say.clone())["t"], "msg");
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["code"], "closed");
    assert_eq!(world.join(mei, KEEPER)["room"]["closed"], true);
    world.reset(bob);
    let bob = world.connect();
    world.hello(bob, "bob", Some(BOB));
    assert_eq!(world.join(bob, OPS)["t"], "joined", "who was in comes back, to read");
    is_refused(&mut world, keep, "open", json!({}), "forbidden");
    done(&mut world, own, "open", json!({}));
    world.take(bob);
    assert_eq!(world.call(bob, say)["t"], "msg");
}

#[test]
fn bans_mutes_roles_and_topics_outlive_the_server() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let (bob, mei, ann) = (world.keyed("bob", BOB, OPS), world.keyed("mei", MEI, OPS), world.keyed("ann", ANN, OPS));
    done(&mut world, own, "ban", json!({"name": "bob"}));
    done(&mut world, own, "mute", json!({"name": "mei"}));
    done(&mut world, own, "role", json!({"name": "ann", "role": "moderator"}));
    done(&mut world, own, "topic", json!({"text": "deploys"}));
    let _ = (bob, mei, ann);
    let mut world = restarted(world);
    let [bob, mei, ann] = [("bob", BOB), ("mei", MEI), ("ann", ANN)].map(|(name, key)| {
        let conn = world.connect();
        world.hello(conn, name, Some(key));
        conn
    });
    assert_eq!(world.join(bob, OPS)["code"], "banned");
    world.join(mei, OPS);
    assert_eq!(world.call(mei, json!({"t": "say", "id": "s1", "room": "ops", "text": "hi"}))["code"], "muted");
    let joined = world.join(ann, OPS);
    assert_eq!((&joined["room"]["role"], &joined["room"]["topic"]), (&json!("moderator"), &json!("deploys")));
    done(&mut world, ann, "kick", json!({"name": "mei"}));
}

#[test]
fn every_act_is_noted_and_no_code_is() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let code = order(&mut world, own, "code", json!({"do": "add"}))["code"].as_str().expect("a code").to_owned();
    let acts: Vec<_> = world.notes.iter().filter(|note| matches!(note, Note::Acted { .. })).collect();
    assert_eq!(acts.len(), 1);
    assert!(format!("{acts:?}").contains("code-1") && !format!("{acts:?}").contains(&code));
    let text = world.log.records("ops")[0].text.to_string();
    assert_eq!(text, "added the code code-1");
}

#[test]
fn a_room_holds_so_many_facts_and_says_so() {
    let mut world = world();
    world.thorough = false;
    let ann = world.member("ann", KEEPER);
    let names = |n: usize| format!("n{n}");
    for n in 0..1_024 {
        done(&mut world, ann, "ban", json!({"name": names(n), "by": ["name"]}));
    }
    is_refused(&mut world, ann, "ban", json!({"name": "more", "by": ["name"]}), "too_many");
    done(&mut world, ann, "unban", json!({"name": names(7)}));
    done(&mut world, ann, "ban", json!({"name": "more", "by": ["name"], "for_s": 5}));
    world.keep(&[ann], 6);
    done(&mut world, ann, "ban", json!({"name": "again", "by": ["name"]}));
}
