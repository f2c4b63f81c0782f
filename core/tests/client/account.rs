//! Who one is: passwords, what an account may enter, and logging in while one is somebody else.

use std::time::Duration;

use qun_core::client::{Bye, Config, Door, Event, Input, Status};
use qun_core::json::{self, ByeCode, ErrorCode, Request, Retry};
use qun_core::{Id, MemberId, Name, Password, Role, RoomId};

use crate::rig::{Rig, code, config, echo, error, joined, msg, ops, welcome};

const PASSWORD: &str = "correct horse";

fn account() -> Config {
    Config { password: PASSWORD.parse().ok(), ..config() }
}

fn ann() -> Name {
    "ann".parse().expect("a name")
}

fn password() -> Password {
    PASSWORD.parse().expect("a password")
}

/// Logged in as ann, who may enter these rooms.
fn welcome_account(rooms: &[&str]) -> String {
    let m = MemberId::of_account(&ann().folded());
    let rooms: Vec<_> =
        rooms.iter().map(|room| format!(r#"{{"id":"{room}","title":"On-call","role":"moderator"}}"#)).collect();
    let plain = welcome();
    let key = config().key.member().to_string();
    plain
        .replace(&key, &m.to_string())
        .replace(r#""resumed""#, &format!(r#""account":"ann","rooms":[{}],"resumed""#, rooms.join(",")))
}

/// The one hello that was sent: its id, whom it names, and whether it has a password.
fn hello(rig: &mut Rig) -> (Id, Option<String>, bool) {
    let hello = |request| match request {
        Request::Hello { id: Some(id), name, key: Some(key), password: proof, .. } => {
            assert_eq!(key, config().key, "always the same");
            assert!(proof.as_ref().is_none_or(|proof| *proof == password()));
            Some((id, name.map(|name| name.to_string()), proof.is_some()))
        }
        _ => None,
    };
    let hellos: Vec<_> = rig.sent().into_iter().filter_map(hello).collect();
    assert_eq!(hellos.len(), 1, "one hello: {hellos:?}");
    hellos[0].clone()
}

/// The doors that were knocked at.
fn doors(rig: &mut Rig) -> Vec<(Id, json::Door)> {
    let join = |request| match request {
        Request::Join { id: Some(id), door, .. } => Some((id, door)),
        _ => None,
    };
    rig.sent().into_iter().filter_map(join).collect()
}

fn held() -> json::Door {
    json::Door::Held(ops())
}

fn by_code() -> json::Door {
    json::Door::Code(code().canonical().into())
}

/// Online, and a login is asked for.
fn logs_in(rig: &mut Rig) -> Id {
    let re = rig.client.login(rig.now, ann(), password());
    rig.drain();
    re
}

/// A guest called ann-2 who is in `ops`, and has asked to be ann.
fn guest_logs_in() -> (Rig, Id) {
    let mut rig = Rig::in_room();
    let re = logs_in(&mut rig);
    (rig, re)
}

#[test]
fn a_password_goes_with_the_name_of_its_account() {
    let mut rig = Rig::with(account());
    rig.input(Input::Connected);
    assert_eq!(hello(&mut rig).1.as_deref(), Some("ann"));
    rig.feed(&welcome_account(&["ops"]));
    let [Event::Online { re: None, account: Some(name), rooms, member, .. }] = &rig.events()[..] else {
        panic!("online, as an account")
    };
    assert_eq!((name, *member), (&ann(), MemberId::of_account(&ann().folded())));
    assert_eq!((rooms[0].id.as_str(), rooms[0].role), ("ops", Role::Moderator));
    // Whatever the server called us meanwhile.
    rig.feed(&welcome_account(&[]).replace(r#""name":"ann""#, r#""name":"ann-2""#));
    rig.reconnect();
    let (_, name, has_password) = hello(&mut rig);
    assert_eq!((name.as_deref(), has_password), (Some("ann"), true));
}

#[test]
fn the_first_password_that_is_wrong_ends_a_client_that_came_with_it() {
    for (code, retry, ends) in [
        ("bad_password", "fix", true),
        ("no_guests", "fix", true),
        ("locked", "later", false),
        ("unavailable", "later", false),
    ] {
        let mut rig = Rig::with(account());
        rig.input(Input::Connected);
        let (re, ..) = hello(&mut rig);
        rig.feed(&error(re, code, retry, 30_000));
        let events = rig.events();
        if ends {
            let bye = Bye { code: String::from(code).into(), retry: Retry::Fix, text: "No.".into() };
            assert_eq!(events, [Event::Ended { bye: Some(bye) }]);
            assert_eq!((rig.client.status(), rig.closes), (Status::Ended, 1));
        } else {
            let [Event::Offline { retry_at, .. }] = events[..] else { panic!("{code}: {events:?}") };
            assert!(retry_at.since(rig.now.mono) >= Duration::from_secs(30), "{code}: no sooner than it may");
            rig.pass(Duration::from_secs(31));
            rig.input(Input::Connected);
            assert!(hello(&mut rig).2, "and then by the password again");
        }
    }
}

#[test]
fn a_password_whose_verdict_never_came_is_given_again() {
    let mut rig = Rig::with(account());
    rig.input(Input::Connected);
    assert!(hello(&mut rig).2);
    rig.reconnect();
    assert!(hello(&mut rig).2);
    rig.feed(&welcome_account(&[]));
    assert_eq!(rig.client.status(), Status::Online);
}

#[test]
fn an_account_that_was_changed_is_the_end_of_its_client() {
    let mut rig = Rig::with(account());
    rig.input(Input::Connected);
    rig.feed(&welcome_account(&[]));
    rig.forget();
    rig.feed(r#"{"t":"bye","code":"account_changed","retry":"fix","text":"Gone."}"#);
    let bye = Bye { code: ByeCode::AccountChanged, retry: Retry::Fix, text: "Gone.".into() };
    assert_eq!(rig.events(), [Event::Ended { bye: Some(bye) }]);
}

#[test]
fn what_may_be_a_code_or_a_room_is_a_room_where_the_account_may_enter_it() {
    for (open, asked) in
        [(&["ops"][..], held()), (&["dev"], json::Door::Code("0PS".into())), (&[], json::Door::Code("0PS".into()))]
    {
        let mut rig = Rig::with(account());
        // Typed before there is a connection, and decided when the server has said what is open.
        let re = rig.client.join(rig.now, "ops".parse::<Door>().expect("either"));
        rig.input(Input::Connected);
        rig.feed(&welcome_account(open));
        assert_eq!(doors(&mut rig), [(re, asked.clone())], "{open:?}");
        rig.feed(&joined(re, "ops", "e1", 1, 1, 0));
        rig.reconnect();
        rig.feed(&welcome_account(open));
        let again = doors(&mut rig);
        assert_eq!(again.iter().map(|(_, door)| door).collect::<Vec<_>>(), [&asked], "and again after a cut");
    }
}

#[test]
fn a_room_by_its_id_is_refused_like_any_other() {
    let mut rig = Rig::online();
    rig.forget();
    let room: RoomId = "secret".parse().expect("a room");
    let re = rig.client.join(rig.now, room.clone());
    rig.drain();
    assert_eq!(doors(&mut rig), [(re, json::Door::Held(room))]);
    rig.feed(&error(re, "not_member", "no", 0));
    assert_eq!(rig.shown(), ["refused not_member"]);
    assert_eq!(rig.client.rooms().count(), 0);
}

#[test]
fn a_code_that_is_no_more_is_not_missed_where_the_account_needs_none() {
    for refusal in ["code_expired", "bad_code"] {
        let mut rig = Rig::with(account());
        rig.input(Input::Connected);
        rig.feed(&welcome_account(&["ops"]));
        let re = rig.client.join(rig.now, code());
        rig.drain();
        assert_eq!(doors(&mut rig), [(re, by_code())], "who has a code uses it: it may give a higher role");
        rig.feed(&joined(re, "ops", "e1", 1, 1, 0));
        rig.reconnect();
        rig.feed(&welcome_account(&["ops"]));
        let [(re, ref door)] = doors(&mut rig)[..] else { panic!("one join") };
        assert_eq!(*door, by_code());
        rig.forget();
        rig.feed(&error(re, refusal, "fix", 0));
        let [(re, ref door)] = doors(&mut rig)[..] else { panic!("one join") };
        assert_eq!((door, rig.events().len()), (&held(), 0), "nobody is told");
        // Where that is refused, too, it is over, and not asked for a third time.
        rig.feed(&error(re, "banned", "no", 0));
        assert_eq!(rig.shown(), ["left", "refused banned"]);
        assert!(rig.sent().is_empty());
    }
}

#[test]
fn a_code_that_is_no_more_is_missed_where_the_account_needs_one() {
    let mut rig = Rig::in_room();
    rig.reconnect();
    rig.feed(&welcome());
    let [(re, _)] = doors(&mut rig)[..] else { panic!("one join") };
    rig.forget();
    rig.feed(&error(re, "code_expired", "fix", 0));
    assert_eq!(rig.shown(), ["left", "refused code_expired"]);
}

#[test]
fn whoever_logs_in_says_hello_anew_and_is_in_their_rooms_again() {
    let (mut rig, re) = guest_logs_in();
    assert_eq!((rig.closes, rig.connects, rig.client.status()), (1, 2, Status::Connecting), "at once");
    assert!(rig.events().is_empty(), "nothing is lost");
    rig.input(Input::Connected);
    assert_eq!(hello(&mut rig).1.as_deref(), Some("ann"));
    rig.feed(&welcome_account(&["ops"]));
    let events = rig.events();
    assert!(matches!(&events[..], [Event::Online { re: Some(id), account: Some(_), .. }] if *id == re), "{events:?}");
    let [(re, ref door)] = doors(&mut rig)[..] else { panic!("one join") };
    assert_eq!(*door, by_code());
    rig.feed(&joined(re, "ops", "e1", 1, 11, 10));
    rig.forget();
    // What one says from here on is the account's.
    let id = rig.say("as ann");
    let m = MemberId::of_account(&ann().folded());
    rig.feed(&echo(11, "as ann", id).replace(&config().key.member().to_string(), &m.to_string()));
    assert_eq!(rig.shown(), ["11 as ann mine"]);
    // And stays it.
    rig.reconnect();
    let (_, name, has_password) = hello(&mut rig);
    assert_eq!((name.as_deref(), has_password), (Some("ann"), true));
}

#[test]
fn whoever_can_not_log_in_is_who_they_were_and_where_they_were() {
    for (code, retry) in [("bad_password", "fix"), ("locked", "later"), ("unavailable", "later"), ("bad_field", "fix")]
    {
        let (mut rig, re) = guest_logs_in();
        rig.input(Input::Connected);
        let (id, _, has_password) = hello(&mut rig);
        assert!(has_password);
        rig.feed(&error(id, code, retry, 0));
        let events = rig.events();
        assert!(matches!(&events[..], [Event::Refused { re: Some(id), .. }] if *id == re), "{code}: {events:?}");
        // On the same connection, as the server allows.
        let (_, name, has_password) = hello(&mut rig);
        assert_eq!((name.as_deref(), has_password, rig.closes), (Some("ann"), false, 1), "{code}");
        rig.feed(&welcome());
        assert!(matches!(rig.events()[..], [Event::Online { re: None, account: None, .. }]));
        let [(re, _)] = doors(&mut rig)[..] else { panic!("one join") };
        rig.feed(&joined(re, "ops", "e1", 1, 11, 10));
        rig.feed(&msg(11, "welcome back"));
        assert_eq!(rig.shown(), ["11 welcome back"], "{code}");
    }
}

#[test]
fn what_was_said_before_a_login_is_said_before_it_and_what_follows_behind_it() {
    let mut rig = Rig::in_room();
    let before = rig.say("as a guest");
    let re = logs_in(&mut rig);
    let behind = rig.say("as ann");
    assert_eq!((rig.closes, rig.said().len()), (0, 1), "the first has no answer yet");
    assert_eq!(rig.client.pending().count(), 2);
    rig.feed(&echo(11, "as a guest", before));
    assert_eq!((rig.closes, rig.said().len()), (1, 0));
    rig.forget();
    rig.input(Input::Connected);
    assert!(hello(&mut rig).2);
    rig.feed(&welcome_account(&[]));
    let [(join, _)] = doors(&mut rig)[..] else { panic!("one join") };
    assert!(matches!(rig.events()[..], [Event::Online { re: Some(id), .. }] if id == re));
    rig.feed(&joined(join, "ops", "e1", 1, 12, 11));
    assert_eq!(rig.said(), [(behind, "as ann".to_string())]);
}

#[test]
fn a_login_waits_for_what_was_said_on_a_connection_that_broke() {
    let mut rig = Rig::in_room();
    let id = rig.say("may be there");
    logs_in(&mut rig);
    // As a guest once more: only so can be known whether it was said.
    rig.reconnect();
    assert!(!hello(&mut rig).2);
    rig.feed(&welcome());
    let [(join, _)] = doors(&mut rig)[..] else { panic!("one join") };
    assert_eq!(rig.closes, 0);
    rig.feed(&joined(join, "ops", "e1", 1, 11, 11));
    rig.feed(&echo(11, "may be there", id));
    assert_eq!(rig.closes, 1, "and now it may begin");
}

#[test]
fn a_login_waits_for_the_answers_that_are_on_their_way() {
    let mut rig = Rig::in_room();
    let page = rig.client.history(rig.now, &ops(), qun_core::Seq::new(5), 3).expect("in the room");
    logs_in(&mut rig);
    let late = rig.client.rename(rig.now, "bob".parse().expect("a name"));
    rig.drain();
    assert_eq!((rig.closes, rig.sent().len()), (0, 1), "what was asked for later waits");
    rig.feed(&crate::rig::page(page, 1, true, 2..=4));
    assert_eq!(rig.closes, 1);
    rig.input(Input::Connected);
    rig.feed(&welcome_account(&[]));
    let renamed = |request: &Request| matches!(request, Request::Name { id: Some(id), .. } if *id == late);
    assert!(rig.sent().iter().any(renamed));
}

#[test]
fn a_login_that_was_cut_off_is_asked_for_again() {
    let (mut rig, re) = guest_logs_in();
    rig.input(Input::Connected);
    assert!(hello(&mut rig).2);
    rig.forget();
    rig.reconnect();
    let (id, _, has_password) = hello(&mut rig);
    assert!(has_password && rig.events().iter().all(|event| matches!(event, Event::Offline { .. })));
    // The answer to the hello before is none to this one.
    rig.feed(&error("h0".parse().expect("an id"), "bad_password", "fix", 0));
    assert!(rig.events().is_empty());
    rig.feed(&error(id, "bad_password", "fix", 0));
    assert!(matches!(rig.events()[..], [Event::Refused { re: Some(id), .. }] if id == re));
}

#[test]
fn a_login_without_a_connection_is_the_first_thing_said_on_the_next() {
    let mut rig = Rig::new();
    let re = logs_in(&mut rig);
    assert_eq!((rig.connects, rig.closes), (1, 0));
    rig.input(Input::Connected);
    assert!(hello(&mut rig).2);
    rig.feed(&welcome_account(&[]));
    assert!(matches!(rig.events()[..], [Event::Online { re: Some(id), .. }] if id == re));
}

#[test]
fn one_login_at_a_time_and_none_after_the_end() {
    let (mut rig, _) = guest_logs_in();
    let second = logs_in(&mut rig);
    let refused = |rig: &mut Rig, id| {
        let events = rig.events();
        let fits = |event: &Event| matches!(event, Event::Refused { re: Some(re), code: ErrorCode::BadState, .. } if *re == id);
        assert!(events.iter().any(fits), "{events:?}");
    };
    refused(&mut rig, second);
    rig.client.bye(rig.now);
    rig.drain();
    assert!(matches!(rig.events()[..], [Event::Ended { bye: None }]));
    let late = logs_in(&mut rig);
    refused(&mut rig, late);
}

#[test]
fn whoever_is_out_of_a_room_as_somebody_else_is_told() {
    let (mut rig, _) = guest_logs_in();
    rig.input(Input::Connected);
    rig.feed(&welcome_account(&[]));
    let [(join, _)] = doors(&mut rig)[..] else { panic!("one join") };
    rig.forget();
    rig.feed(&error(join, "banned", "no", 0));
    assert_eq!(rig.shown(), ["left", "refused banned"]);
}

#[test]
fn no_debug_form_has_a_password() {
    let mut rig = Rig::in_room();
    rig.say("so that it waits");
    logs_in(&mut rig);
    let sent = rig.sent();
    assert!(!format!("{:?} {:?} {sent:?}", rig.client, account()).contains(PASSWORD));
}
