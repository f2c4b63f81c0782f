//! Rooms: getting in and out, who is there, what was said before.

use std::time::Duration;

use qun_core::client::{Bye, Event, Input, Status};
use qun_core::json::{ByeCode, Request, Retry};
use qun_core::log::Span;
use qun_core::{Code, Id, Role, Seq, Words};

use crate::rig::{Rig, code, echo, error, joined, msg, ops, page, welcome};

fn roster(rig: &Rig) -> Vec<String> {
    let room = rig.client.room(&ops()).expect("in it");
    let mut names: Vec<_> = room.roster().into_iter().flatten().map(|person| person.name.to_string()).collect();
    names.sort();
    names
}

#[test]
fn a_join_is_answered_by_its_id() {
    let mut rig = Rig::online();
    rig.forget();
    let re = rig.client.join(rig.now, code());
    rig.drain();
    let sent = rig.sent();
    assert!(matches!(sent[..], [Request::Join { id: Some(id), resume: None, tail: Some(50), .. }] if id == re));
    rig.feed(&joined(re, "ops", "e1", 1, 11, 10));
    assert!(matches!(rig.events()[..], [Event::Joined { re: Some(id), here: 2, .. }] if id == re));
    let room = rig.client.room(&ops()).expect("in it");
    assert_eq!((room.title(), room.role(), room.here(), room.is_joined()), ("On-call", Role::Talk, 2, true));
    assert_eq!((room.position().seq, room.head()), (Seq::new(10), Seq::new(10)));
}

#[test]
fn a_join_that_is_refused_is_over_whatever_its_class() {
    for (class, code_text) in [("fix", "bad_code"), ("later", "locked"), ("no", "a_code_to_come"), ("now", "x")] {
        let mut rig = Rig::online();
        let re = rig.client.join(rig.now, code());
        rig.drain();
        rig.forget();
        rig.feed(&error(re, code_text, class, 100));
        assert!(matches!(rig.events()[..], [Event::Refused { re: Some(id), .. }] if id == re));
        rig.reconnect();
        rig.forget();
        rig.feed(&welcome());
        assert!(rig.sent().is_empty());
    }
}

#[test]
fn a_join_without_a_connection_waits_for_one() {
    let mut rig = Rig::new();
    let re = rig.client.join(rig.now, code());
    rig.greet();
    assert_eq!(rig.joins(), [(re, None)]);
    rig.reconnect();
    rig.forget();
    rig.feed(&welcome());
    assert_eq!(rig.joins(), [(re, None)], "an answer that never came is asked for again");
}

#[test]
fn the_roster_is_the_fold_of_joined_and_presence() {
    let mut rig = Rig::in_room();
    assert_eq!(roster(&rig), ["ann", "bob"]);
    rig.feed(r#"{"t":"presence","room":"ops","ev":"in","m":"cccccccccc","name":"mei"}"#);
    rig.feed(r#"{"t":"presence","room":"ops","ev":"name","m":"bbbbbbbbbb","name":"rob","was":"bob"}"#);
    assert_eq!(roster(&rig), ["ann", "mei", "rob"]);
    assert_eq!(rig.client.room(&ops()).map(|room| room.here()), Some(3));
    rig.feed(r#"{"t":"presence","room":"ops","ev":"out","m":"bbbbbbbbbb","name":"rob","why":"bye"}"#);
    let before = rig.client.clone();
    rig.forget();
    rig.feed(r#"{"t":"presence","room":"ops","ev":"zap","m":"bbbbbbbbbb","name":"rob"}"#);
    assert!(rig.events().is_empty());
    assert_eq!(rig.client, before, "an event to come changes nothing");
    assert_eq!(rig.client.room(&ops()).map(|room| room.here()), Some(2));
}

#[test]
fn a_room_that_counts_has_no_roster() {
    let mut rig = Rig::online();
    let re = rig.client.join(rig.now, code());
    rig.drain();
    let line = joined(re, "ops", "e1", 1, 11, 10);
    let (start, end) = (line.find(r#""members""#).expect("there"), line.find(r#""epoch""#).expect("there"));
    rig.feed(&[&line[..start], &line[end..]].concat());
    rig.forget();
    rig.feed(r#"{"t":"here","room":"ops","n":4211}"#);
    assert!(matches!(rig.events()[..], [Event::Here { n: 4211, .. }]));
    let room = rig.client.room(&ops()).expect("in it");
    assert_eq!((room.here(), room.roster().is_none()), (4211, true));
}

#[test]
fn a_rename_is_kept_for_the_next_hello() {
    let mut rig = Rig::in_room();
    let re = rig.client.rename(rig.now, "eve".parse().expect("a name"));
    rig.drain();
    rig.feed(&format!(r#"{{"t":"ok","re":"{re}"}}"#));
    assert!(matches!(&rig.events()[..], [Event::Renamed { re: id, .. }] if *id == re));
    assert_eq!(rig.client.name().map(|name| name.as_str()), Some("eve"));
    rig.forget();
    rig.reconnect();
    let sent = rig.sent();
    let [Request::Hello { name: Some(name), .. }] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(name.as_str(), "eve");
}

#[test]
fn the_name_is_what_the_rooms_are_told() {
    let mut rig = Rig::in_room();
    let m = rig.client.member();
    assert_eq!(m, crate::rig::config().key.member());
    rig.feed(&format!(r#"{{"t":"presence","room":"ops","ev":"name","m":"{m}","name":"ann_w","was":"ann"}}"#));
    assert_eq!(rig.client.name().map(|name| name.as_str()), Some("ann_w"));
    rig.feed(r#"{"t":"presence","room":"ops","ev":"name","m":"bbbbbbbbbb","name":"rob","was":"bob"}"#);
    assert_eq!(rig.client.name().map(|name| name.as_str()), Some("ann_w"));
    assert_eq!(roster(&rig), ["ann_w", "rob"]);
}

#[test]
fn what_the_server_says_of_itself_is_shown() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"notice","level":"warn","text":"Restarting in 60 s."}"#);
    rig.feed(r#"{"t":"error","code":"internal","retry":"later","text":"Something went wrong."}"#);
    let events = rig.events();
    let [Event::Notice { text: notice, .. }, Event::Refused { re: None, text: error, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((notice.as_str(), error.as_str()), ("Restarting in 60 s.", "Something went wrong."));
}

#[test]
fn a_leave_that_is_refused_is_done() {
    let mut rig = Rig::in_room();
    let re = rig.client.leave(rig.now, &ops()).expect("in it");
    rig.drain();
    rig.forget();
    rig.feed(&error(re, "not_member", "no", 0));
    assert!(matches!(rig.events()[..], [Event::Left { re: Some(id), .. }] if id == re));
    assert!(rig.client.room(&ops()).is_none());
}

#[test]
fn a_rename_that_is_refused_is_over() {
    let mut rig = Rig::in_room();
    let re = rig.client.rename(rig.now, "bob".parse().expect("a name"));
    rig.drain();
    rig.feed(&error(re, "name_taken", "fix", 0));
    assert_eq!(rig.shown(), ["refused name_taken"]);
    assert_eq!(rig.client.name().map(|name| name.as_str()), Some("ann"));
}

#[test]
fn older_messages_come_as_a_page() {
    let mut rig = Rig::in_room();
    let re = rig.client.history(rig.now, &ops(), Seq::new(5), 3).expect("in it");
    rig.drain();
    let sent = rig.sent();
    assert!(matches!(&sent[..], [Request::History { span: Span::Before(seq), limit: Some(3), .. }] if seq.get() == 5));
    rig.feed(&page(re, 1, true, 2..=4));
    let events = rig.events();
    assert!(
        matches!(&events[..], [Event::Page { re: id, more: true, messages, .. }] if *id == re && messages.len() == 3)
    );
}

#[test]
fn what_was_looked_for_comes_when_it_was_found() {
    let mut rig = Rig::in_room();
    let re = rig.client.search(rig.now, &ops(), words("deploy"), Some(Seq::new(9)), 3).expect("in it");
    rig.drain();
    let sent = rig.sent();
    let [Request::Search { id: Some(id), room, words: asked, before, limit: Some(3) }] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!((*id, room, asked, *before), (re, &ops(), &words("deploy"), Some(Seq::new(9))));
    rig.feed(&found(re));
    let events = rig.events();
    let [Event::Found { re: id, messages, from, more: true, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*id, messages.len(), *from), (re, 1, Seq::new(4)));
    rig.feed(&found(re));
    assert!(rig.events().is_empty(), "an answer is one");
}

#[test]
fn a_search_is_sent_when_the_server_allows_it() {
    let mut rig = Rig::in_room();
    for n in 0..20 {
        rig.client.search(rig.now, &ops(), words("deploy"), Some(Seq::new(n)), 3).expect("in it");
    }
    rig.drain();
    let at_once = rig.sent().len();
    assert!((5..10).contains(&at_once), "what the server allows, and no more: {at_once}");
    let due = rig.client.deadline().expect("the next one waits for its time");
    assert!(due > rig.now.mono && due < rig.now.mono + Duration::from_secs(2));
    rig.pass(Duration::from_secs(1));
    let later = rig.sent().len();
    assert!((1..=3).contains(&later), "{later}");
}

#[test]
fn a_search_that_came_too_fast_is_asked_again() {
    let mut rig = Rig::in_room();
    let re = rig.client.search(rig.now, &ops(), words("deploy"), None, 3).expect("in it");
    rig.drain();
    rig.forget();
    rig.feed(&error(re, "slow_down", "later", 3_000));
    assert!(rig.sent().is_empty() && rig.events().is_empty());
    rig.pass(Duration::from_secs(4));
    assert!(matches!(rig.sent()[..], [Request::Search { id: Some(id), .. }] if id == re));
    rig.feed(&error(re, "unavailable", "later", 3_000));
    assert_eq!(rig.shown(), ["refused unavailable"]);
}

#[test]
fn a_search_of_a_room_that_we_are_out_of_is_refused() {
    let mut rig = Rig::in_room();
    let re = rig.client.search(rig.now, &ops(), words("deploy"), None, 3).expect("in it");
    rig.drain();
    rig.feed(r#"{"t":"left","room":"ops","code":"room_closed","retry":"no","text":"The room is closed."}"#);
    assert!(rig.events().iter().any(|event| matches!(event, Event::Refused { re: Some(id), .. } if *id == re)));
    assert!(rig.client.search(rig.now, &ops(), words("deploy"), None, 3).is_err());
}

fn words(typed: &str) -> Words {
    typed.parse().expect("words")
}

fn found(re: Id) -> String {
    format!(
        r#"{{"t":"found","re":"{re}","room":"ops","epoch":"e1","first":1,"from":4,"more":true,"msgs":[{{"seq":4,"ts":1,"m":"Xk3pQ9aLw2","name":"bob","text":"deploy"}}]}}"#
    )
}

#[test]
fn a_question_whose_answer_never_came_is_asked_again() {
    let mut rig = Rig::in_room();
    let re = rig.client.history(rig.now, &ops(), Seq::new(5), 3).expect("in it");
    rig.reconnect();
    rig.forget();
    rig.feed(&welcome());
    let join = rig.joins()[0].0;
    rig.feed(&joined(join, "ops", "e1", 1, 11, 10));
    assert!(matches!(rig.sent()[..], [Request::History { id: Some(id), .. }] if id == re));
}

#[test]
fn leaving_without_a_connection_is_done_at_once() {
    let mut rig = Rig::in_room();
    rig.input(Input::Disconnected);
    rig.forget();
    let re = rig.client.leave(rig.now, &ops()).expect("in it");
    rig.drain();
    assert!(matches!(rig.events()[..], [Event::Left { re: Some(id), .. }] if id == re));
    assert!(rig.client.leave(rig.now, &ops()).is_err());
    rig.pass(std::time::Duration::from_secs(1));
    rig.input(Input::Connected);
    rig.forget();
    rig.feed(&welcome());
    assert!(rig.sent().is_empty(), "and we don't come back");
}

#[test]
fn a_leave_whose_answer_never_came_is_done() {
    let mut rig = Rig::in_room();
    let re = rig.client.leave(rig.now, &ops()).expect("in it");
    rig.drain();
    rig.forget();
    rig.input(Input::Disconnected);
    assert!(rig.events().contains(&Event::Left { re: Some(re), room: ops(), bye: None }));
}

#[test]
fn who_is_put_out_of_a_room_is_told_why_and_stays_on_the_server() {
    let mut rig = Rig::in_room();
    let (sent, unsent) = (rig.say("on its way"), (0..9).map(|_| rig.say("later")).last().expect("many"));
    let (_, late) = (unsent, rig.say("too late for the rate"));
    rig.forget();
    rig.feed(r#"{"t":"left","room":"ops","code":"room_closed","retry":"no","text":"The room is closed."}"#);
    let events = rig.events();
    assert!(events.iter().any(|event| matches!(event, Event::Unconfirmed { id, .. } if *id == sent)), "{events:?}");
    let refused = |event: &Event| matches!(event, Event::Refused { re: Some(id), .. } if *id == late);
    assert!(events.iter().any(refused), "{events:?}");
    let bye = Bye { code: ByeCode::RoomClosed, retry: Retry::No, text: "The room is closed.".into() };
    assert_eq!(events.last(), Some(&Event::Left { re: None, room: ops(), bye: Some(bye) }));
    assert_eq!(rig.client.status(), Status::Online);
    // It is not asked for again.
    rig.reconnect();
    rig.forget();
    rig.feed(&welcome());
    assert!(rig.sent().is_empty());
}

#[test]
fn a_reason_to_come_brings_its_class() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"left","room":"ops","code":"a_reason_to_come","retry":"fix","text":"Ask."}"#);
    let events = rig.events();
    assert!(
        matches!(&events[..], [Event::Left { bye: Some(Bye { retry: Retry::Fix, text, .. }), .. }] if text == "Ask.")
    );
}

#[test]
fn another_title_and_another_role_are_told_once() {
    let mut rig = Rig::in_room();
    let line = r#"{"t":"room","room":{"id":"ops","title":"Day shift","role":"read"}}"#;
    rig.feed(line);
    let event = Event::Room { room: ops(), title: "Day shift".into(), role: Role::Read };
    assert_eq!(rig.events(), [event]);
    let room = rig.client.room(&ops()).expect("in it");
    assert_eq!((room.title(), room.role()), ("Day shift", Role::Read));
    rig.feed(line);
    assert!(rig.events().is_empty());
    for (title, role) in [("Night shift", "read"), ("Night shift", "talk")] {
        rig.feed(&format!(r#"{{"t":"room","room":{{"id":"ops","title":"{title}","role":"{role}"}}}}"#));
        assert_eq!(rig.events().len(), 1, "either alone is told, too");
    }
}

#[test]
fn what_this_client_does_not_know_of_people_changes_nobody() {
    let mut rig = Rig::in_room();
    let before = roster(&rig);
    rig.feed(r#"{"t":"presence","room":"ops","ev":"blinked","m":"bbbbbbbbbb","name":"bob"}"#);
    assert!(rig.events().is_empty());
    assert_eq!(roster(&rig), before);
}

#[test]
fn a_room_that_only_counts_from_here_on_has_no_roster_and_one_that_tells_has_one() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":10,"here":7}"#);
    assert_eq!(rig.events(), [Event::Here { room: ops(), n: 7 }]);
    assert!(rig.client.room(&ops()).is_some_and(|room| room.roster().is_none() && room.here() == 7));
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":10,"here":1,"members":[{"m":"bbbbbbbbbb","name":"bob"}]}"#);
    assert_eq!(rig.events(), [Event::Roster { room: ops() }]);
    assert_eq!(roster(&rig), ["bob"]);
}

#[test]
fn a_leave_is_asked_for_once_whatever_was_asked_before_it() {
    let mut rig = Rig::in_room();
    let again = rig.client.join(rig.now, code());
    let leave = rig.client.leave(rig.now, &ops()).expect("in the room");
    rig.drain();
    rig.feed(&joined(again, "ops", "e1", 1, 11, 10));
    let leaves = rig.sent().into_iter().filter(|request| matches!(request, Request::Leave { .. })).count();
    assert_eq!(leaves, 1);
    // A second one would take us out of the room that we came back to.
    let back = rig.client.join(rig.now, code());
    rig.drain();
    rig.feed(&format!(r#"{{"t":"left","re":"{leave}","room":"ops"}}"#));
    rig.feed(&joined(back, "ops", "e1", 1, 11, 10));
    assert!(rig.client.room(&ops()).is_some_and(|room| room.is_joined()));
}

#[test]
fn frames_are_for_their_own_room() {
    let mut rig = Rig::in_room();
    let re = rig.client.join(rig.now, code());
    rig.drain();
    rig.feed(&joined(re, "dev", "e1", 1, 11, 10).replace(r#""role":"talk""#, r#""role":"read""#));
    rig.forget();
    let dev = "dev".parse().expect("a room");
    let roles = [ops(), dev].map(|room| rig.client.room(&room).expect("in it").role());
    assert_eq!(roles, [Role::Talk, Role::Read]);
    rig.feed(&msg(11, "for dev").replace(r#""ops""#, r#""dev""#));
    let events = rig.events();
    let [Event::Message { room, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(room.as_str(), "dev");
    rig.feed(r#"{"t":"left","room":"dev"}"#);
    let rooms: Vec<_> = rig.client.rooms().map(|room| room.id().clone()).collect();
    assert_eq!(rooms, [ops()]);
    let history =
        |rig: &mut Rig, room: &str| rig.client.history(rig.now, &room.parse().expect("a room"), Seq::new(5), 5).is_ok();
    assert!(history(&mut rig, "ops") && !history(&mut rig, "dev"));
    rig.client.leave(rig.now, &ops()).expect("in it");
    assert!(!history(&mut rig, "ops"), "we are leaving");
}

#[test]
fn a_room_has_no_frames_before_we_are_back_in_it() {
    let mut rig = Rig::in_room();
    rig.reconnect();
    rig.feed(&welcome());
    rig.forget();
    rig.feed(&msg(11, "too early"));
    assert!(rig.shown().is_empty());
}

#[test]
fn answers_in_any_order_find_their_questions() {
    let mut rig = Rig::in_room();
    let (now, before) = (rig.now, Seq::new(5));
    let joins = [rig.client.join(now, code()), rig.client.join(now, code())];
    let pages = [0, 1].map(|_| rig.client.history(now, &ops(), before, 5).expect("in it"));
    let names = ["eve", "eva", "evi"].map(|name| rig.client.rename(now, name.parse().expect("a name")));
    rig.drain();
    rig.forget();
    let mut answered = |line: String| {
        rig.feed(&line);
        rig.events().iter().find_map(|event| match event {
            Event::Joined { re, .. } => *re,
            Event::Page { re, .. } | Event::Renamed { re, .. } => Some(*re),
            Event::Refused { re, .. } => *re,
            _ => None,
        })
    };
    assert_eq!(answered(format!(r#"{{"t":"ok","re":"{}"}}"#, names[1])), Some(names[1]));
    assert_eq!(answered(error(names[2], "name_taken", "fix", 0)), Some(names[2]));
    assert_eq!(answered(page(names[0], 1, false, 1..=4)), None);
    assert_eq!(answered(page("nobody".parse().expect("an id"), 1, false, 1..=4)), None);
    assert_eq!(answered(page(pages[1], 1, false, 1..=4)), Some(pages[1]));
    assert_eq!(answered(joined(joins[1], "dev", "e1", 1, 11, 10)), Some(joins[1]));
    assert_eq!(answered(error(joins[0], "bad_code", "fix", 0)), Some(joins[0]));
    assert_eq!(answered(page(pages[0], 1, false, 1..=4)), Some(pages[0]));
    assert_eq!(answered(error("nobody".parse().expect("an id"), "bad_text", "fix", 0)), None);
}

#[test]
fn frames_of_rooms_that_we_are_not_in_are_ignored() {
    let mut rig = Rig::online();
    let before = rig.client.clone();
    rig.forget();
    for line in [
        msg(1, "x"),
        r#"{"t":"presence","room":"ops","ev":"in","m":"cccccccccc","name":"mei"}"#.into(),
        r#"{"t":"left","room":"ops"}"#.into(),
        r#"{"t":"room","room":{"id":"ops","title":"x","role":"talk"}}"#.into(),
        r#"{"t":"gap","room":"ops","from":1,"to":9,"here":0}"#.into(),
        r#"{"t":"a_type_to_come","x":[1]}"#.into(),
        r#"{"t":"ok"}"#.into(),
    ] {
        rig.feed(&line);
    }
    assert!(rig.events().is_empty() && rig.sent().is_empty());
    assert_eq!(rig.client, before);
}

#[test]
fn the_debug_form_tells_no_secret() {
    let mut client = qun_core::client::Client::new(crate::rig::config(), [2; 32]);
    let now = qun_core::Now::default();
    client.join(now, code());
    client.poll();
    client.handle(now, Input::Connected);
    client.handle(now, Input::Received(format!("{}\n", welcome()).as_bytes()));
    let debug = format!("{client:?}");
    assert!(!debug.contains(crate::rig::config().key.expose()) && !debug.contains("K7QM"));
}

#[test]
fn a_second_code_of_the_same_room_goes_on_where_the_first_stood() {
    let mut rig = Rig::in_room();
    let id = rig.say("a");
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":13,"here":1,"members":[]}"#);
    rig.feed(&msg(14, "m14"));
    let re = rig.client.join(rig.now, "R3AD-0N1Y".parse::<Code>().expect("a code"));
    rig.drain();
    rig.forget();
    rig.feed(&joined(re, "ops", "e1", 1, 13, 14));
    let (fetch, after, limit) = rig.fetched();
    assert_eq!((after, limit), (10, 2));
    rig.feed(&msg(13, "m13"));
    rig.feed(&msg(14, "m14"));
    rig.feed(&echo(15, "a", id));
    rig.feed(&page(fetch, 1, false, 11..=12));
    assert_eq!(rig.shown(), ["11 m11 backlog", "12 m12 backlog", "13 m13 backlog", "14 m14 backlog", "15 a mine"]);
    assert!(rig.said().is_empty());
    assert_eq!(rig.client.rooms().count(), 1);
}

#[test]
fn the_rate_of_messages_holds_up_no_history_and_no_name() {
    let mut rig = Rig::in_room();
    for n in 0..11 {
        rig.say(&n.to_string());
    }
    rig.forget();
    rig.client.history(rig.now, &ops(), Seq::new(5), 3).expect("in it");
    rig.client.rename(rig.now, "ann_w".parse().expect("a name"));
    rig.drain();
    assert!(matches!(rig.sent()[..], [Request::History { .. }, Request::Name { .. }]));
}

#[test]
fn a_search_that_waits_alone_is_sent_as_soon_as_the_rate_allows() {
    let mut rig = Rig::in_room();
    for n in 0..10 {
        rig.say(&n.to_string());
    }
    rig.forget();
    rig.client.search(rig.now, &ops(), words("deploy"), None, 3).expect("in it");
    rig.drain();
    let due = rig.client.deadline().expect("it wants to be woken");
    assert!(due.since(rig.now.mono) <= Duration::from_secs(1));
    rig.leap(due.since(rig.now.mono));
    assert!(matches!(rig.sent()[..], [Request::Search { .. }]));
}

#[test]
fn what_somebody_does_is_shown_as_that() {
    let mut rig = Rig::in_room();
    rig.feed(&msg(11, "waves").replace(r#""text""#, r#""kind":"me","text""#));
    let kind = |event| if let Event::Message { message, .. } = event { Some(message.kind) } else { None };
    let kinds: Vec<_> = rig.events().into_iter().filter_map(kind).collect();
    assert_eq!(kinds, [qun_core::log::Kind::Me]);
}
