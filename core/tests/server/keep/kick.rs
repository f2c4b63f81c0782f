//! Kicks: the membership ends, and may begin again.

use serde_json::json;

use super::*;
use crate::world::{ANN, BOB, MEI, OPS, Watch, names, types};

#[test]
fn a_kick_is_a_record_then_the_end_of_the_membership_and_it_may_be_entered_again() {
    let mut world = world();
    let (ann, bob, mei) = (world.member("ann", KEEPER), world.member("bob", OPS), world.member("mei", OPS));
    let m = world.join(bob, OPS)["members"][1]["m"].clone();
    for conn in [ann, bob, mei] {
        world.take(conn);
    }
    world.ask(ann, act("kick", json!({"name": "BOB", "why": "spam"})));
    let lines = world.lines(mei);
    assert_eq!(types(&lines), ["msg", "presence"]);
    let record = &lines[0];
    assert_eq!(record["kind"], "kick");
    assert_eq!(record["act"], json!({"on": {"m": m, "name": "bob"}, "why": "spam"}));
    assert_eq!((&record["name"], &record["text"]), (&json!("ann"), &json!("put bob out: spam")));
    assert_eq!((&lines[1]["ev"], &lines[1]["why"], &lines[1]["m"]), (&json!("out"), &json!("kicked"), &m));
    let told = world.lines(bob);
    assert_eq!(types(&told), ["msg", "left"]);
    assert_eq!((&told[1]["code"], &told[1]["retry"]), (&json!("kicked"), &json!("no")));
    let told = world.lines(ann);
    assert_eq!(types(&told), ["msg", "presence", "ok"]);
    assert_eq!(told[2], json!({"t": "ok", "re": "a1", "seq": record["seq"]}));
    let held = world.call(bob, json!({"t": "join", "id": "j2", "room": "ops"}));
    assert_eq!(held["code"], "not_member", "its place is gone");
    assert_eq!(world.join(bob, OPS)["t"], "joined");
}

#[test]
fn who_was_put_out_while_away_is_told_so_once() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let bob = world.keyed("bob", BOB, OPS);
    world.reset(bob);
    world.take(ann);
    done(&mut world, ann, "kick", json!({"name": "bob"}));
    let bob = world.connect();
    world.hello(bob, "bob", Some(BOB));
    let answer = world.join(bob, OPS);
    assert_eq!((&answer["code"], &answer["retry"]), (&json!("kicked"), &json!("no")));
    assert_eq!(world.join(bob, OPS)["t"], "joined");
}

#[test]
fn the_roster_stays_the_fold_of_what_is_told_through_all_acts() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let bob = world.connect();
    let mut watch = Watch::default();
    world.ask(bob, json!({"t": "hello", "v": [1], "name": "bob", "key": BOB}));
    world.ask(bob, json!({"t": "join", "id": "j1", "code": OPS}));
    let (ann, mei) = (world.keyed("ann", ANN, OPS), world.keyed("mei", MEI, OPS));
    done(&mut world, own, "role", json!({"name": "ann", "role": "moderator"}));
    world.reset(mei);
    done(&mut world, ann, "kick", json!({"name": "mei"}));
    done(&mut world, own, "kick", json!({"name": "ann"}));
    world.join(ann, OPS);
    watch.feed(&world.lines(bob));
    let seen: Vec<_> = watch.rooms["ops"].roster.as_ref().unwrap().values().cloned().collect();
    let joined = world.join(ann, OPS);
    let mut seen: Vec<_> = seen.iter().map(String::as_str).collect();
    seen.sort_unstable();
    assert_eq!(names(&joined), seen);
}
