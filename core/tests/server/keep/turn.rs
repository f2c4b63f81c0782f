//! An order waits for its turn, and counts from its place in the log on.

use qun_core::log::Request;
use serde_json::json;

use super::*;
use crate::world::{OPS, texts};

#[test]
fn an_act_is_the_last_of_its_append_and_nothing_is_appended_before_its_record_has_come() {
    for grew_first in [false, true] {
        let mut world = world();
        world.log.grew_first = grew_first;
        let (ann, mei) = (world.member("ann", KEEPER), world.member("mei", OPS));
        world.log.hold = true;
        world.say(mei, "s1", "ops", "one");
        world.ask(ann, act("topic", json!({"text": "deploys"})));
        world.say(mei, "s2", "ops", "two");
        world.say(mei, "s3", "ops", "three");
        assert_eq!(world.log.held.len(), 1, "the first say is on its way");
        world.release();
        let Some(Request::Append { drafts, .. }) = world.log.held.front() else { panic!("an append") };
        assert_eq!(drafts.iter().map(|draft| draft.kind.name()).collect::<Vec<_>>(), ["topic"]);
        assert_eq!(world.log.held.len(), 1);
        world.release();
        let Some(Request::Append { drafts, .. }) = world.log.held.front() else { panic!("an append") };
        assert_eq!(drafts.len(), 2);
        world.release_all();
        let said: Vec<_> = world.log.records("ops").iter().map(|record| record.text.to_string()).collect();
        assert_eq!(said, ["one", "set the topic: deploys", "two", "three"]);
    }
}

#[test]
fn an_act_that_the_log_refuses_has_not_happened() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let bob = world.member("bob", OPS);
    for conn in [ann, bob] {
        world.take(conn);
    }
    world.log.hold = true;
    world.ask(ann, act("ban", json!({"name": "bob"})));
    world.ask(ann, json!({"t": "mute", "id": "a2", "room": "ops", "name": "bob"}));
    world.say(bob, "s1", "ops", "hi");
    world.log.broken = true;
    world.release();
    let answers: Vec<_> = world.lines(ann).iter().map(|line| (line["re"].clone(), line["code"].clone())).collect();
    let unavailable = json!("unavailable");
    assert_eq!(answers, [(json!("a1"), unavailable.clone()), (json!("a2"), unavailable.clone())]);
    assert_eq!(world.only(bob)["code"], unavailable);
    (world.log.broken, world.log.hold) = (false, false);
    world.say(bob, "s2", "ops", "still here");
    assert_eq!(texts(&world.lines(bob)), ["still here"]);
    assert_eq!(world.join(bob, OPS)["t"], "joined");
}

#[test]
fn an_order_is_about_who_was_called_so_when_it_came() {
    let mut world = world();
    let (ann, bob, mei) = (world.member("ann", KEEPER), world.member("bob", OPS), world.member("mei", OPS));
    for conn in [ann, bob, mei] {
        world.take(conn);
    }
    world.log.hold = true;
    world.say(mei, "s1", "ops", "hi");
    world.ask(ann, act("kick", json!({"name": "bob"})));
    world.ask(bob, json!({"t": "name", "id": "n1", "name": "robert"}));
    world.ask(mei, json!({"t": "name", "id": "n1", "name": "bob"}));
    world.release_all();
    assert!(world.lines(bob).iter().any(|line| line["t"] == "left"));
    assert!(world.lines(mei).iter().all(|line| line["t"] != "left"));
}

#[test]
fn who_leaves_before_the_act_is_not_there_any_more() {
    let mut world = world();
    let (ann, bob) = (world.member("ann", KEEPER), world.member("bob", OPS));
    world.take(ann);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "hi");
    world.ask(ann, act("kick", json!({"name": "bob"})));
    world.reset(bob);
    world.release_all();
    let lines = world.lines(ann);
    assert!(lines.iter().any(|line| line["re"] == "a1" && line["code"] == "not_found"), "{lines:#?}");
}
