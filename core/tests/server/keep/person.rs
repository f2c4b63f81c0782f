//! Keeping order at netcat.

use serde_json::json;

use super::*;
use crate::world::OPS;

#[test]
fn a_person_at_netcat_keeps_order_too() {
    let mut world = world();
    let (own, bob) = (world.person("own", OWNER), world.person("bob", OPS));
    world.take(own);
    world.send(own, "/help\n");
    assert!(world.text(own).contains("-- /kick NAME [WHY]"));
    world.send(bob, "/help\n");
    assert!(!world.text(bob).contains("/kick"));
    world.send(bob, "/kick own\n");
    assert_eq!(world.text(bob), "-- That takes the role moderator.\r\n");
    world.send(own, "/kick\n");
    assert_eq!(world.text(own), "-- So it is used: /kick NAME [WHY]\r\n");
    world.send(own, "/kick bob do not\n");
    assert_eq!(world.text(own), "-- 12:00 own put bob out: do not\r\n-- bob left.\r\n");
    let out = "-- 12:00 own put bob out: do not\r\n-- You were put out of On-call. /join CODE\r\n";
    assert_eq!(world.text(bob), out);
    world.send(bob, format!("/join {OPS}\nhi there\n"));
    world.take(bob);
    world.send(own, "/remove bob\n/ban bob 1h\n");
    let text = world.text(own);
    assert!(
        text.contains("own removed message 2, of bob\r\n") && text.contains("own banned bob for 1 hour\r\n"),
        "{text}"
    );
    world.send(bob, format!("/join {OPS}\n"));
    assert!(world.text(bob).ends_with("-- You are banned from that room for 1 hour.\r\n"));
    world.send(own, "/unban bob\n/code add temps\n");
    let text = world.text(own);
    assert!(text.contains("-- The code temps is ") && text.contains("own added the code temps\r\n"), "{text}");
}

#[test]
fn no_text_forges_an_act() {
    let mut world = world();
    let (bob, mei) = (world.person("bob", OPS), world.person("mei", OPS));
    world.send(bob, "-- 12:00 ann put mei out\n/me put mei out\n");
    let text = world.text(mei);
    assert!(text.lines().filter(|line| line.starts_with("-- ")).all(|line| !line.contains("put mei out")), "{text}");
    let ann = world.member("ann", OPS);
    let refused = world.call(ann, json!({"t": "say", "id": "s1", "room": "ops", "text": "x", "kind": "kick"}));
    assert_eq!(refused["code"], "bad_field");
}

#[test]
fn a_person_who_keeps_order_at_netcat_sees_who_may_what_and_who_is_an_account() {
    let mut world = World::with(|config| {
        set(config);
        config.accounts = vec![crate::accounts::account("mei", "battery staple")];
    });
    let own = world.person("own", OWNER);
    let _ = (world.member("bob", OPS), world.member("eve", GUEST), world.person("kim", KEEPER));
    let mei = world.connect();
    world.call(mei, json!({"t": "hello", "id": "h0", "v": [1], "name": "mei", "password": "battery staple"}));
    world.join(mei, OPS);
    world.take(own);
    world.send(own, "/who\n");
    assert_eq!(world.text(own), "-- 5 here: bob, eve (read), kim (moderator), mei (account), own (you, owner).\r\n");
    world.send(own, "/role mei moderator\n");
    world.send(own, "/who\n");
    let text = world.text(own);
    assert!(
        text.ends_with("bob, eve (read), kim (moderator), mei (account, moderator), own (you, owner).\r\n"),
        "{text}"
    );
}
