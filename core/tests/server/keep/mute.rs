//! Mutes.

use serde_json::json;

use super::*;
use crate::world::{BOB, OPS, texts};

#[test]
fn who_is_muted_reads_and_says_nothing_for_as_long_as_that_lasts() {
    let mut world = world();
    let (ann, bob, mei) = (world.member("ann", KEEPER), world.keyed("bob", BOB, OPS), world.person("mei", OPS));
    done(&mut world, ann, "mute", json!({"name": "bob", "for_s": 60}));
    done(&mut world, ann, "mute", json!({"name": "mei", "for_s": 60, "why": "noise"}));
    for conn in [bob, mei] {
        world.take(conn);
    }
    let say = |id: &str| json!({"t": "say", "id": id, "room": "ops", "text": "hello"});
    let answer = world.call(bob, say("s1"));
    assert_eq!(
        (&answer["code"], &answer["retry"], &answer["wait_ms"]),
        (&json!("muted"), &json!("no"), &json!(60_000))
    );
    world.send(mei, "hello\n");
    assert_eq!(world.text(mei), "-- You may not speak here for 1 minute.\r\n");
    // By another name, by another code of that role, after a cut: the same.
    world.ask(bob, json!({"t": "name", "id": "n1", "name": "rob"}));
    world.reset(bob);
    let bob = world.connect();
    world.hello(bob, "rob", Some(BOB));
    world.join(bob, OPS);
    assert_eq!(world.call(bob, say("s2"))["code"], "muted");
    world.send(mei, "/name may\n");
    world.take(mei);
    world.send(mei, "hello\n");
    assert_eq!(world.text(mei), "-- You may not speak here for 1 minute.\r\n");
    world.take(bob);
    world.say(ann, "s3", "ops", "hear this");
    assert_eq!(texts(&world.lines(bob)), ["hear this"]);
    world.keep(&[ann, bob], 61);
    world.take(bob);
    assert_eq!(world.call(bob, say("s4"))["id"], "s4");
    done(&mut world, ann, "mute", json!({"name": "rob"}));
    done(&mut world, ann, "unmute", json!({"name": "rob"}));
    world.take(bob);
    assert_eq!(world.call(bob, say("s5"))["id"], "s5");
}
