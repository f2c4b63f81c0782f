//! What a login leaves behind: a note, a session that is replaced, a question that is asked again.

use qun_core::Role;
use qun_core::server::Note;
use serde_json::json;

use crate::accounts::{account, listed};
use crate::world::{BOB, MEI, OPS, World, types};

const SECRET: &str = "correct horse";

/// A world in which ann has an account.
fn world() -> World {
    World::with(|config| config.accounts = vec![account("ann", SECRET)])
}

#[test]
fn a_wrong_password_is_noted_and_a_right_one_is_not() {
    let mut world = world();
    for (password, noted) in [("wrong", 1), (SECRET, 0)] {
        world.notes.clear();
        let conn = world.connect();
        world.ask(conn, json!({"t": "hello", "v": [1], "name": "ann", "password": password}));
        let wrong = world.notes.iter().filter(|note| matches!(note, Note::WrongPassword { .. })).count();
        assert_eq!(wrong, noted, "{password}");
    }
}

#[test]
fn a_session_whose_key_an_account_has_by_now_is_out_behind_what_it_said() {
    let mut world = world();
    let mei = world.member("mei", OPS);
    let bob = world.keyed("bob", BOB, OPS);
    world.take(mei);
    world.log.hold = true;
    world.say(bob, "s1", "ops", "last words");
    let ann = world.connect();
    world.ask(ann, json!({"t": "hello", "v": [1], "name": "ann", "key": BOB, "password": SECRET}));
    assert!(world.is_gone(bob));
    world.release_all();
    let lines = world.lines(mei);
    assert_eq!((types(&lines), &lines[1]["ev"]), (vec!["msg", "presence"], &json!("out")));
}

#[test]
fn a_person_whose_login_came_to_nothing_is_asked_again_what_they_were() {
    for login in ["/login\n", "/login ann\n\n"] {
        for (before, prompt) in [(String::new(), "Room code: "), (format!("{OPS}\n"), "Your name [")] {
            let mut world = world();
            let person = world.connect();
            world.send(person, format!("{before}{login}"));
            let told = world.text(person);
            assert!(told.lines().last().is_some_and(|last| last.starts_with(prompt)), "{told}");
            assert!(!world.notes.iter().any(|note| matches!(note, Note::WrongCode { .. })), "that was no guess");
            let asked = told.matches(prompt).count();
            assert_eq!(asked, 1 + usize::from(!before.is_empty()), "{told}");
        }
    }
}

#[test]
fn an_account_that_is_gone_while_away_is_out_behind_what_it_said() {
    let mut world = world();
    let mei = world.member("mei", OPS);
    let ann = world.connect();
    world.ask(ann, json!({"t": "hello", "v": [1], "name": "ann", "key": BOB, "password": SECRET}));
    world.ask(ann, json!({"t": "join", "code": OPS}));
    world.take(mei);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "last words");
    world.reset(ann);
    world.reload(|config| config.accounts.clear());
    world.release_all();
    let lines = world.lines(mei);
    assert_eq!((types(&lines), &lines[1]["ev"]), (vec!["msg", "presence"], &json!("out")));
}

#[test]
fn an_account_with_two_sessions_is_one_person_to_people_and_has_one_role() {
    let mut world = world();
    let mei = world.member("mei", OPS);
    for key in [BOB, MEI] {
        let ann = world.connect();
        world.ask(ann, json!({"t": "hello", "v": [1], "name": "ann", "key": key, "password": SECRET}));
        world.ask(ann, json!({"t": "join", "code": OPS}));
    }
    let person = world.person("guest", OPS);
    world.send(person, "/who\n");
    assert_eq!(world.text(person).matches("ann").count(), 1);
    world.take(mei);
    world.reload(|config| config.rooms[0].accounts = vec![listed("ann", Role::Moderator)]);
    let told = world.only(mei);
    assert_eq!((&told["ev"], &told["role"]), (&json!("role"), &json!("moderator")));
}

#[test]
fn a_person_who_may_do_more_as_an_account_is_told_so_and_else_is_not() {
    for (role, is_told) in [(Role::Moderator, true), (Role::Talk, false)] {
        let mut world = world();
        world.reload(|config| config.rooms[0].accounts = vec![listed("ann", role)]);
        let person = world.person("guest", OPS);
        world.send(person, format!("/login ann\n{SECRET}\n"));
        let told = world.text(person);
        assert!(told.contains("logged in as ann"), "{told}");
        let notices = ["You are a moderator here now.", "You may speak here now."];
        assert_eq!(notices.iter().any(|notice| told.contains(notice)), is_told, "{told}");
    }
}
