//! Logging in at netcat and telnet.

use qun_core::server::{Note, Reason};
use serde_json::json;

use super::*;
use crate::world::{OPS, WRONG, names};

#[test]
fn a_person_logs_in_at_the_prompt_for_the_code() {
    let mut world = world();
    let person = world.connect();
    world.send(person, "/login ann\n");
    assert!(world.text(person).ends_with("Password (it will be seen as you type): "));
    world.send(person, format!("{SECRET}\n"));
    let told = world.text(person);
    assert_eq!(told, "-- You are logged in as ann. Your rooms: dev. To one of them: /join ROOM\r\n");
    world.send(person, "/join dev\n");
    assert!(world.text(person).contains("You are in, as a moderator."));
    world.send(person, "/name boss\n/login mei\n");
    let told = world.text(person);
    assert_eq!(told, "-- Your name is your account's: ann.\r\n-- You are logged in as ann already.\r\n");
}

#[test]
fn a_person_logs_in_at_the_prompt_for_the_name_and_goes_where_the_code_leads() {
    let mut world = world();
    let person = world.connect();
    world.send(person, format!("{OPS}\n/login ann\n{SECRET}\nhello\n"));
    let told = world.text(person);
    assert!(told.contains("logged in as ann") && told.contains("You are in."), "{told}");
    let bob = world.client("bob");
    let joined = world.call(bob, json!({"t": "join", "id": "j1", "code": OPS, "tail": 0}));
    assert_eq!((names(&joined), &joined["head"]), (vec!["ann", "bob"], &json!(1)));
}

#[test]
fn a_person_who_is_in_becomes_the_account() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let person = world.person("guest", OPS);
    world.take(bob);
    world.send(person, format!("said as a guest\n/login ann\n{SECRET}\nsaid as ann\n"));
    let told = world.lines(bob);
    let who: Vec<_> = told.iter().map(|line| (line["ev"].as_str(), line["name"].as_str().unwrap())).collect();
    assert_eq!(who, [(None, "guest"), (Some("out"), "guest"), (Some("in"), "ann"), (None, "ann")]);
    assert!(!world.text(person).contains("said as ann"), "its own words are not shown back");
    assert_eq!(world.join(bob, OPS)["here"], 2);
}

#[test]
fn what_a_person_said_before_is_said_by_who_they_were() {
    let mut world = world();
    let person = world.person("guest", OPS);
    world.log.hold = true;
    world.hold_verdicts = true;
    world.send(person, format!("slow\n/login ann\n{SECRET}\n"));
    assert!(world.asked.is_empty(), "the password waits for what was said before it");
    world.release_all();
    assert_eq!(world.asked.len(), 1);
    world.judge();
    assert!(world.text(person).contains("logged in as ann"));
}

#[test]
fn behind_a_wrong_password_nothing_is_a_guess_or_is_said() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let person = world.connect();
    world.send(person, format!("/login ann\nwrong\n{WRONG}\n{WRONG}\n"));
    let told = world.text(person);
    assert!(told.contains("There is no account of that name and password. 4 tries left.\r\nRoom code: "), "{told}");
    assert!(!world.notes.iter().any(|note| matches!(note, Note::WrongCode { .. })));
    let guest = world.person("guest", OPS);
    world.take(bob);
    world.send(guest, "/login ann\nwrong\nfor her eyes only\n");
    assert!(world.text(guest).contains("There is no account of that name and password."));
    world.quiet(bob);
}

#[test]
fn behind_a_login_that_can_be_none_nothing_is_a_guess_or_is_said() {
    const SECRET_LINE: &str = "for her eyes only";
    let long = "x".repeat(300);
    for (login, told) in [
        ("/login", "/login and the name of your account"),
        ("/login two words", "A name has only letters"),
        ("/login ann\n\x01", "control"),
        (&format!("/login ann\n{long}"), "256"),
    ] {
        let mut world = world();
        let bob = world.member("bob", OPS);
        let guest = world.person("guest", OPS);
        world.take(bob);
        world.send(guest, format!("{login}\n{SECRET_LINE}\n"));
        let text = world.text(guest);
        assert!(text.contains(told), "{login}: {text}");
        world.quiet(bob);
        for prompt in ["", OPS] {
            let person = world.connect();
            world.send(person, format!("{prompt}\n"));
            world.take(person);
            world.send(person, format!("{login}\n{SECRET_LINE}\n"));
            let text = world.text(person);
            assert!(text.contains(told), "{login}: {text}");
            assert_eq!(world.closed(person), None);
        }
        assert!(!world.notes.iter().any(|note| matches!(note, Note::WrongCode { .. })));
    }
    // Somebody who is logged in by now, and forgot it.
    let mut world = world();
    let bob = world.member("bob", OPS);
    let ann = world.person("guest", OPS);
    world.send(ann, format!("/login ann\n{SECRET}\n"));
    world.take(bob);
    world.send(ann, format!("/login ann\n{SECRET}\n"));
    assert!(world.text(ann).contains("logged in as ann already"));
    world.quiet(bob);
}

#[test]
fn five_wrong_passwords_close_as_five_wrong_codes_do() {
    let mut world = world();
    let person = world.connect();
    for _ in 0..4 {
        world.send(person, "/login ann\n");
        world.send(person, "wrong\n");
    }
    assert_eq!(world.closed(person), None);
    world.send(person, "WR0NGC0DE\n");
    assert_eq!(world.closed(person), Some(Reason::Flood));
}

#[test]
fn telnet_is_asked_to_hide_the_password_and_netcat_is_told_that_it_is_seen() {
    const HIDE: &[u8] = &[255, 251, 1];
    const SHOW: &[u8] = &[255, 252, 1];
    let mut world = world();
    let person = world.connect();
    // It offers something; that is declined, as ever.
    world.send(person, [255, 251, 31]);
    world.send(person, "/login ann\r\n");
    let told = world.take(person);
    assert!(told.windows(3).any(|bytes| bytes == HIDE) && told.ends_with(b"Password: "), "{told:?}");
    world.send(person, [255, 253, 1]);
    assert!(world.take(person).is_empty(), "what we offered is not declined");
    world.send(person, format!("{SECRET}\r\n"));
    let told = world.take(person);
    assert!(told.starts_with(SHOW), "{told:?}");
    let netcat = world.connect();
    world.send(netcat, "/login ann\n");
    let told = world.take(netcat);
    assert!(!told.contains(&255) && told.ends_with(b"seen as you type): "));
}

#[test]
fn who_logs_in_while_the_accounts_change_is_not_let_in_and_what_they_typed_behind_it_is_said_by_nobody() {
    for (change, told) in [(vec![account("ann", "another")], "later"), (vec![], "There is no account")] {
        let mut world = world();
        let bob = world.member("bob", OPS);
        let guest = world.person("guest", OPS);
        let knocking = world.connect();
        world.take(bob);
        world.hold_verdicts = true;
        world.send(guest, format!("/login ann\n{SECRET}\nfor her eyes only\n"));
        world.send(knocking, format!("/login ann\n{SECRET}\n{WRONG}\n{WRONG}\n"));
        assert_eq!(world.asked.len(), 2);
        world.reload(|config| config.accounts = change);
        world.judge();
        world.judge();
        for conn in [guest, knocking] {
            let text = world.text(conn);
            assert!(text.contains(told) && !text.contains("logged in"), "{text}");
        }
        assert!(!world.notes.iter().any(|note| matches!(note, Note::WrongCode { .. })), "nothing was a guess");
        world.quiet(bob);
        world.send(guest, "still a guest\n");
        assert_eq!(world.lines(bob).iter().map(|line| line["name"].clone()).collect::<Vec<_>>(), ["guest"]);
    }
}
