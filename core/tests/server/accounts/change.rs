//! Accounts that are gone, changed or new.

use serde_json::json;

use super::*;
use crate::world::{ANN, MEI, OPS, types};

#[test]
fn an_account_that_is_gone_ends_its_sessions_and_its_name_is_free() {
    for change in [vec![], vec![account("ann", "another")]] {
        let is_gone = change.is_empty();
        let mut world = world();
        let bob = world.member("bob", OPS);
        let (here, away) = (world.in_ops(ANN), world.in_ops(LAPTOP));
        world.reset(away);
        world.take(bob);
        world.reload(|config| config.accounts = change);
        let bye = world.lines(here).pop().unwrap();
        assert_eq!((&bye["t"], &bye["code"], &bye["retry"]), (&json!("bye"), &json!("account_changed"), &json!("fix")));
        assert_eq!(types(&world.lines(bob)), ["presence"], "one goes, for both");
        for key in [ANN, LAPTOP] {
            let again = world.connect();
            let welcome = world.hello(again, "ann", Some(key));
            assert_eq!(
                (&welcome["resumed"], &welcome.get("account")),
                (&json!(false), &None),
                "the key is worth nothing any more"
            );
            assert_eq!(welcome["name"] == "ann", is_gone && key == ANN, "{welcome}");
        }
    }
}

#[test]
fn what_an_account_said_last_is_in_the_stream_before_it_is_out_and_until_then_its_key_and_name_are_nobodys() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let ann = world.in_ops(ANN);
    world.take(bob);
    world.log.hold = true;
    world.say(ann, "s", "ops", "last words");
    world.reload(|config| config.accounts.clear());
    let thief = world.connect();
    let welcome = world.hello(thief, "ann", Some(ANN));
    assert_eq!((&welcome["resumed"], &welcome["name"]), (&json!(false), &json!("ann-2")));
    world.release_all();
    assert_eq!(types(&world.lines(bob)), ["msg", "presence"]);
    let late = world.connect();
    assert_eq!(world.hello(late, "ann", None)["name"], "ann", "free, now that she is gone");
}

#[test]
fn a_guest_who_has_a_name_that_becomes_an_accounts_gets_another() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let person = world.person("eve", OPS);
    let held = world.keyed("mallory", MEI, OPS);
    world.reset(held);
    world.take(bob);
    world.reload(|config| config.accounts.extend([account("Eve", "x"), account("mallory", "x")]));
    let told = world.lines(bob);
    assert_eq!(told.iter().map(|line| &line["name"]).collect::<Vec<_>>(), ["eve-2", "mallory-2"]);
    assert!(world.text(person).contains("eve is taken: you are eve-2."));
    let again = world.connect();
    assert_eq!(world.hello(again, "mallory", Some(MEI))["name"], "mallory-2", "nor does it get it back");
}
