//! Rooms that are open to accounts, and to nobody else.

use qun_core::Role;
use qun_core::server::Note;
use serde_json::{Value, json};

use super::*;
use crate::world::{ANN, BOB, DEV, OPS, WRONG, texts};

#[test]
fn a_right_password_is_welcomed_with_the_account_and_its_rooms() {
    let mut world = world();
    let conn = world.connect();
    let welcome = world.call(conn, hello("ANN", Some(ANN), SECRET));
    assert_eq!(
        (&welcome["t"], &welcome["name"], &welcome["account"]),
        (&json!("welcome"), &json!("ann"), &json!("ann"))
    );
    assert_eq!(welcome["rooms"], json!([{"id": "dev", "title": "Development", "role": "moderator"}]));
    let joined = world.call(conn, json!({"t": "join", "id": "j1", "room": "dev"}));
    assert_eq!((&joined["t"], &joined["room"]["role"]), (&json!("joined"), &json!("moderator")));
    assert!(world.notes.iter().any(|note| matches!(note, Note::Welcomed { account: true, .. })));
}

#[test]
fn a_room_may_be_for_accounts_only_and_a_guest_with_its_code_is_told_so() {
    let mut world = world();
    world.reload(|config| config.rooms[0].guests = false);
    let guest = world.client("bob");
    let error = world.join(guest, OPS);
    assert_eq!((&error["code"], &error["retry"]), (&json!("no_guests"), &json!("fix")));
    assert_eq!(world.join(guest, WRONG)["left"], 9, "it was no guess; and a wrong code is one, as everywhere");
    let ann = world.logged_in(Some(ANN));
    assert_eq!(world.join(ann, OPS)["t"], "joined");
    let person = world.connect();
    world.send(person, format!("{OPS}\n"));
    assert!(world.text(person).contains("Only people with an account come in here: /login NAME"));
}

#[test]
fn a_server_may_be_for_accounts_only_and_who_is_in_stays() {
    let mut world = world();
    let here = world.keyed("bob", BOB, OPS);
    let naming = world.connect();
    world.send(naming, format!("{OPS}\n"));
    world.take(naming);
    world.reload(|config| config.guests = false);
    let guest = world.connect();
    let error = world.call(guest, json!({"t": "hello", "id": "h", "v": [1], "name": "eve"}));
    assert_eq!((&error["code"], &error["re"]), (&json!("no_guests"), &json!("h")));
    world.send(naming, "eve\n");
    assert!(world.text(naming).contains("Only people with an account"), "whoever was on the way in is looked at again");
    world.reset(here);
    let again = world.connect();
    assert_eq!(world.hello(again, "bob", Some(BOB))["resumed"], true);
    assert_eq!(world.join(again, OPS)["t"], "joined");
}

#[test]
fn no_room_is_told_of_to_those_whose_it_is_not() {
    let mut world = world();
    let (ann, guest) = (world.logged_in(Some(ANN)), world.client("bob"));
    let answers: Vec<Value> = [(ann, "ops"), (ann, "nowhere"), (guest, "dev"), (guest, "nowhere")]
        .into_iter()
        .map(|(conn, room)| world.call(conn, json!({"t": "join", "id": "j", "room": room})))
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer["code"] == "not_member"), "{answers:?}");
}

#[test]
fn a_room_that_lists_an_account_no_more_keeps_who_is_in() {
    let mut world = world();
    let ann = world.logged_in(Some(ANN));
    world.call(ann, json!({"t": "join", "room": "dev"}));
    world.reload(|config| config.rooms[1].accounts.clear());
    world.take(ann);
    world.say(ann, "s", "dev", "still here");
    assert_eq!(texts(&world.lines(ann)), ["still here"]);
    world.ask(ann, json!({"t": "leave", "room": "dev"}));
    world.take(ann);
    assert_eq!(world.call(ann, json!({"t": "join", "room": "dev"}))["code"], "not_member");
}

#[test]
fn a_role_by_account_counts_at_once_and_is_told() {
    let mut world = world();
    let bob = world.member("bob", DEV);
    let ann = world.logged_in(Some(ANN));
    world.join(ann, DEV);
    assert_eq!(world.only(bob)["role"], "moderator", "the higher of the code's and the account's");
    world.take(ann);
    world.reload(|config| config.rooms[1].accounts[0].role = Role::Owner);
    assert_eq!(world.only(bob)["role"], "owner");
    let told = world.lines(ann);
    assert_eq!(told.last().unwrap()["room"]["role"], "owner", "{told:?}");
    world.reload(|config| config.rooms[1].accounts.clear());
    assert_eq!(world.only(bob)["role"], "talk", "what the code gives is left");
}
