//! Keeping order, and what it does to the one who sees it done, or whom it is done to.

use std::time::Duration;

use qun_core::client::{Bye, Entry, Event, Input, NotMember};
use qun_core::json::{Change, ErrorCode, Request, Retry};
use qun_core::log::Kind;
use qun_core::{Act, Id, Order, Role, Seq, Whom};

use crate::rig::{Rig, code, echo, error, joined, msg, ops, welcome};

fn kick() -> Order {
    Order::Kick { whom: Whom::Name("bob".parse().expect("a name")), why: None }
}

fn gives(rig: &mut Rig, order: Order) -> Id {
    let re = rig.client.order(rig.now, &ops(), order).expect("in the room");
    rig.drain();
    re
}

/// The orders that were sent.
fn given(rig: &mut Rig) -> Vec<(Id, Order)> {
    let order = |request| match request {
        Request::Act { id: Some(id), order, .. } => Some((id, order)),
        _ => None,
    };
    rig.sent().into_iter().filter_map(order).collect()
}

/// An act of bob's.
fn act(seq: u64, kind: &str, act: &str) -> String {
    format!(
        r#"{{"t":"msg","room":"ops","seq":{seq},"ts":1,"m":"bbbbbbbbbb","name":"bob","kind":"{kind}","act":{act},"text":"does it"}}"#
    )
}

fn remove(seq: u64, of: u64) -> String {
    act(seq, "remove", &format!(r#"{{"on":{{"m":"bbbbbbbbbb","name":"bob"}},"of":{of}}}"#))
}

fn ok(re: Id) -> String {
    format!(r#"{{"t":"ok","re":"{re}","seq":11}}"#)
}

fn left(code: &str, retry: &str) -> String {
    format!(r#"{{"t":"left","room":"ops","code":"{code}","retry":"{retry}","text":"Out."}}"#)
}

/// The texts of what stands in the timeline.
fn timeline(rig: &Rig) -> Vec<String> {
    let text = |entry: &Entry| match entry {
        Entry::Message(message) => Some(message.text.to_string()),
        Entry::Lost { .. } | Entry::Restarted => None,
    };
    rig.client.room(&ops()).expect("in it").timeline().filter_map(text).collect()
}

/// The room is joined again after a cut.
fn back(rig: &mut Rig, head: u64) {
    rig.reconnect();
    rig.feed(&welcome());
    let joins = rig.joins();
    rig.feed(&joined(joins[0].0, "ops", "e1", 1, head + 1, head));
}

#[test]
fn an_order_is_done_when_the_server_says_so() {
    let mut rig = Rig::in_room();
    let re = gives(&mut rig, kick());
    assert_eq!(given(&mut rig), [(re, kick())]);
    assert!(rig.events().is_empty());
    rig.feed(&act(11, "kick", r#"{"on":{"name":"bob"}}"#));
    assert_eq!(rig.shown(), ["11 does it"], "what everybody sees is not the answer");
    rig.feed(&ok(re));
    assert_eq!(rig.events(), [Event::Done { re, room: ops() }]);
    rig.feed(&ok(re));
    assert!(rig.events().is_empty(), "once");
}

#[test]
fn a_code_is_told_to_whom_it_was_made_for() {
    let mut rig = Rig::in_room();
    let rotate = Order::Code(qun_core::CodeOrder::Rotate { label: None, after_s: None });
    let re = gives(&mut rig, rotate);
    let line = |re: &str| format!(r#"{{"t":"code","re":"{re}","room":"ops","label":"team","code":"AAAA-BBBB"}}"#);
    rig.feed(&line("another"));
    assert!(rig.events().is_empty(), "none of ours");
    rig.feed(&line(&re.to_string()));
    let events = rig.events();
    let [Event::Code { re: answered, label, code, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*answered, &**label, &*code.0), (re, "team", "AAAA-BBBB"));
    assert!(!format!("{events:?} {:?}", rig.client).contains("AAAA"), "no debug form has it");
}

/// Where a client may be when an order is given, and what may happen to it then: each order has one answer.
#[test]
fn an_order_has_one_answer_wherever_the_client_is_and_whatever_happens() {
    type Happens = (&'static str, fn(&mut Rig, Id), &'static [&'static str]);
    let happens: [Happens; 8] = [
        ("it is done", |rig, re| rig.feed(&ok(re)), &["done"]),
        ("it is forbidden", |rig, re| rig.feed(&error(re, "forbidden", "no", 0)), &["refused forbidden"]),
        // A person decides whether it is still wanted.
        ("the log takes nothing", |rig, re| rig.feed(&error(re, "unavailable", "later", 0)), &["refused unavailable"]),
        ("nobody is called so", |rig, re| rig.feed(&error(re, "not_found", "fix", 0)), &["refused not_found"]),
        ("the line is cut", |rig, _| back(rig, 10), &["refused unavailable"]),
        ("we are put out", |rig, _| rig.feed(&left("kicked", "no")), &["refused not_member", "left"]),
        (
            "we leave",
            |rig, _| {
                rig.client.leave(rig.now, &ops()).expect("in the room");
                rig.drain();
                rig.feed(r#"{"t":"left","room":"ops"}"#);
            },
            &["refused not_member", "left"],
        ),
        (
            "the server sends us away",
            |rig, _| rig.feed(r#"{"t":"bye","code":"banned","retry":"no","text":"Go."}"#),
            &["refused unavailable", "ended"],
        ),
    ];
    let what = |event: &Event| match event {
        Event::Done { .. } => Some("done".to_string()),
        Event::Refused { code, .. } => Some(format!("refused {}", code.as_str())),
        Event::Left { .. } => Some("left".into()),
        Event::Ended { .. } => Some("ended".into()),
        _ => None,
    };
    for (name, happen, answers) in happens {
        let mut rig = Rig::in_room();
        let re = gives(&mut rig, kick());
        assert_eq!(given(&mut rig).len(), 1);
        happen(&mut rig, re);
        let told: Vec<_> = rig.events().iter().filter_map(what).collect();
        assert_eq!(told, answers, "{name}");
        // It is not given a second time, whatever comes.
        rig.pass(Duration::from_secs(30));
        assert!(given(&mut rig).is_empty(), "{name}");
        rig.feed(&ok(re));
        assert!(!rig.events().iter().any(|event| matches!(event, Event::Done { .. })), "{name}");
    }
}

#[test]
fn an_order_is_given_where_we_are_and_waits_where_we_are_again() {
    let mut rig = Rig::online();
    assert_eq!(rig.client.order(rig.now, &ops(), kick()), Err(NotMember), "not in the room");

    let mut rig = Rig::in_room();
    rig.input(Input::Disconnected);
    let re = gives(&mut rig, kick());
    assert!(rig.sent().is_empty(), "away");
    rig.pass(Duration::from_secs(21));
    rig.input(Input::Connected);
    rig.feed(&welcome());
    let sent = rig.sent();
    assert!(!sent.iter().any(|request| matches!(request, Request::Act { .. })), "joining");
    let Some(Request::Join { id: Some(join), .. }) = sent.last() else { panic!("{sent:?}") };
    rig.feed(&joined(*join, "ops", "e1", 1, 11, 10));
    assert_eq!(given(&mut rig), [(re, kick())]);

    let mut rig = Rig::in_room();
    rig.client.leave(rig.now, &ops()).expect("in the room");
    rig.drain();
    assert_eq!(rig.client.order(rig.now, &ops(), kick()), Err(NotMember), "leaving");

    let mut rig = Rig::in_room();
    rig.input(Input::Disconnected);
    rig.client.bye(rig.now);
    rig.drain();
    rig.forget();
    gives(&mut rig, kick());
    let events = rig.events();
    assert!(matches!(events[..], [Event::Refused { code: ErrorCode::BadState, .. }]), "over: {events:?}");
}

#[test]
fn orders_are_paced_like_messages_and_one_that_was_too_fast_is_given_again() {
    let mut rig = Rig::in_room();
    let orders: Vec<_> = (0..12).map(|_| gives(&mut rig, kick())).collect();
    assert_eq!(given(&mut rig).iter().map(|(id, _)| *id).collect::<Vec<_>>(), orders[..9], "the burst, less one");
    rig.pass(Duration::from_secs(1));
    assert!((1..=2).contains(&given(&mut rig).len()), "two a second");
    rig.feed(&error(orders[0], "slow_down", "later", 2_000));
    assert!(rig.events().is_empty(), "the person needs not know");
    rig.pass(Duration::from_millis(1_900));
    assert!(given(&mut rig).is_empty());
    rig.pass(Duration::from_millis(200));
    assert_eq!(given(&mut rig)[0].0, orders[0]);
}

#[test]
fn a_topic_is_what_was_said_last_and_old_acts_change_nothing() {
    let mut rig = Rig::online();
    let re = rig.client.join(rig.now, code());
    rig.drain();
    rig.feed(&joined(re, "ops", "e1", 1, 9, 10).replace(r#""role":"talk""#, r#""role":"talk","topic":"the deploy""#));
    let topic = |rig: &Rig| rig.client.room(&ops()).and_then(|room| room.topic()).map(ToString::to_string);
    assert_eq!(topic(&rig).as_deref(), Some("the deploy"));
    // Backlog: what came of it `joined` has said already.
    rig.feed(&act(9, "topic", r#"{"topic":"the plan"}"#));
    rig.feed(&msg(10, "ok"));
    assert_eq!(topic(&rig).as_deref(), Some("the deploy"));
    rig.feed(&act(11, "topic", r#"{"topic":"the party"}"#));
    assert_eq!(topic(&rig).as_deref(), Some("the party"));
    rig.feed(&act(12, "topic", "{}"));
    assert_eq!(topic(&rig), None);
    // One that somebody changed while we were away.
    rig.reconnect();
    rig.feed(&welcome());
    let (re, _) = *rig.joins().last().expect("it joins again");
    rig.feed(&joined(re, "ops", "e1", 1, 13, 13).replace(r#""role":"talk""#, r#""role":"talk","topic":"the rest""#));
    assert_eq!(topic(&rig).as_deref(), Some("the rest"));
}

#[test]
fn a_room_is_closed_and_opened_by_acts_and_closed_as_joined_says() {
    let mut rig = Rig::in_room();
    let is_closed = |rig: &Rig| rig.client.room(&ops()).expect("in it").is_closed();
    assert!(!is_closed(&rig));
    rig.feed(&act(11, "close", r#"{"why":"night"}"#));
    assert!(is_closed(&rig));
    // What is said meanwhile is over, and not said again when the room opens.
    let id = rig.say("hello?");
    rig.feed(&error(id, "closed", "no", 0));
    rig.feed(&act(12, "open", "{}"));
    assert!(!is_closed(&rig));
    assert_eq!(rig.shown(), ["11 does it", "refused closed", "12 does it"]);
    rig.pass(Duration::from_secs(30));
    assert_eq!(rig.said().len(), 1);
    rig.reconnect();
    rig.feed(&welcome());
    let re = rig.joins()[0].0;
    rig.feed(&joined(re, "ops", "e1", 1, 13, 12).replace(r#""role":"talk""#, r#""role":"talk","closed":true"#));
    assert!(is_closed(&rig));
}

#[test]
fn what_was_taken_back_is_shown_no_more() {
    let mut rig = Rig::in_room();
    rig.feed(&msg(11, "a password"));
    rig.feed(&msg(12, "other"));
    rig.forget();
    rig.feed(&remove(13, 11));
    assert_eq!(timeline(&rig), ["(removed)", "other", "does it"]);
    let events = rig.events();
    let [Event::Message { message, .. }] = &events[..] else { panic!("{events:?}") };
    assert!(matches!(&message.kind, Kind::Act(act) if matches!(**act, Act::Remove { of, .. } if of == Seq::new(11))));
    // What is not there any more, and what never was.
    rig.feed(&remove(14, 3));
    rig.feed(&remove(15, 9_999));
    assert_eq!(timeline(&rig)[..2], ["(removed)", "other"]);
}

#[test]
fn what_was_taken_back_before_it_could_be_shown_never_is() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":12,"here":2,"members":[]}"#);
    let (fetch, ..) = rig.fetched();
    // It waits behind the hole.
    rig.feed(&msg(13, "a password"));
    rig.feed(&remove(14, 13));
    assert!(rig.shown().is_empty());
    assert!(!format!("{:?}", rig.client).contains("a password"));
    rig.feed(&crate::rig::page(fetch, 1, false, 11..=12));
    assert_eq!(rig.shown(), ["11 m11", "12 m12", "13 (removed)", "14 does it"]);
}

#[test]
fn what_was_taken_back_while_its_page_was_on_its_way_is_shown_no_more() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":12,"here":2,"members":[]}"#);
    let (fetch, ..) = rig.fetched();
    rig.feed(&remove(13, 11));
    // The page was read before the act was written.
    rig.feed(&crate::rig::page(fetch, 1, false, 11..=12));
    assert_eq!(timeline(&rig), ["(removed)", "m12", "does it"]);
}

#[test]
fn a_page_of_history_has_what_was_taken_back_as_the_log_has_it() {
    let mut rig = Rig::in_room();
    let re = rig.client.history(rig.now, &ops(), Seq::new(5), 2).expect("in the room");
    rig.drain();
    rig.feed(&format!(
        r#"{{"t":"page","re":"{re}","room":"ops","epoch":"e1","first":1,"more":false,"msgs":[{{"seq":4,"ts":1,"m":"bbbbbbbbbb","name":"bob","kind":"removed","text":"(removed)"}}]}}"#
    ));
    let events = rig.events();
    let [Event::Page { messages, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&messages[0].kind, messages[0].text.as_str()), (&Kind::Removed, "(removed)"));
}

#[test]
fn whoever_is_put_out_is_out_until_they_knock_again() {
    for (code_of_it, again) in [("kicked", "joined"), ("banned", "refused banned")] {
        let mut rig = Rig::in_room();
        let (id, late) = (rig.say("on its way"), rig.say("and this"));
        rig.feed(&error(late, "slow_down", "later", 9_000));
        rig.forget();
        rig.feed(&left(code_of_it, "no"));
        let events = rig.events();
        let Some(Event::Left { re: None, bye: Some(Bye { code: why, retry: Retry::No, .. }), .. }) = events.last()
        else {
            panic!("{events:?}")
        };
        assert_eq!(why.as_str(), code_of_it);
        let fates: Vec<_> = events.iter().filter_map(crate::rig::short).collect();
        assert_eq!(fates, ["unconfirmed on its way", "refused not_member", "left"], "{code_of_it}: {id}");
        // The machine does not try by itself, now or after a cut.
        rig.reconnect();
        rig.feed(&welcome());
        assert!(rig.joins().is_empty());
        let re = rig.client.join(rig.now, code());
        rig.drain();
        assert_eq!(rig.joins().len(), 1);
        rig.forget();
        match again {
            "joined" => rig.feed(&joined(re, "ops", "e1", 1, 11, 10)),
            _ => rig.feed(&error(re, "banned", "no", 60_000)),
        }
        let events = rig.events();
        let is_in = rig.client.room(&ops()).is_some();
        assert_eq!(is_in, again == "joined", "{events:?}");
    }
}

#[test]
fn whoever_was_put_out_while_away_learns_it_when_they_come_back() {
    for refusal in ["kicked", "banned", "closed", "not_member"] {
        let mut rig = Rig::in_room();
        let id = rig.say("may be there");
        rig.reconnect();
        rig.feed(&welcome());
        let (re, _) = rig.joins()[0];
        rig.forget();
        rig.feed(&error(re, refusal, "no", 0));
        let told: Vec<_> = rig.events().iter().filter_map(crate::rig::short).collect();
        assert_eq!(told, ["unconfirmed may be there", "left", &format!("refused {refusal}")], "{id}");
        rig.pass(Duration::from_secs(30));
        assert!(rig.joins().is_empty(), "and does not knock again: {refusal}");
    }
}

#[test]
fn what_is_said_into_a_mute_is_refused_and_not_said_when_it_is_over() {
    let mut rig = Rig::in_room();
    rig.feed(&act(11, "mute", &format!(r#"{{"on":{{"m":"{}","name":"ann"}},"until":9}}"#, rig.client.member())));
    let (first, second) = (rig.say("one"), rig.say("two"));
    rig.feed(&error(first, "muted", "no", 600_000));
    rig.feed(&error(second, "muted", "no", 600_000));
    assert_eq!(rig.shown(), ["11 does it", "refused muted", "refused muted"]);
    rig.forget();
    rig.pass(Duration::from_secs(20));
    assert!(rig.said().is_empty() && rig.client.pending().count() == 0);
    // Nothing else has changed.
    rig.feed(&act(12, "unmute", r#"{"on":{"name":"ann"}}"#));
    let id = rig.say("three");
    rig.feed(&echo(13, "three", id));
    assert_eq!(rig.shown(), ["12 does it", "13 three mine"]);
}

#[test]
fn a_mute_that_met_a_cut_leaves_open_what_was_said_before_it() {
    let mut rig = Rig::in_room();
    rig.say("may be there");
    back(&mut rig, 10);
    let said = rig.said();
    assert_eq!(said.len(), 1, "not in the log, so said again");
    rig.forget();
    rig.feed(&error(said[0].0, "muted", "no", 0));
    // The first attempt may have come before the mute, into a log that had not told of it yet.
    assert_eq!(rig.shown(), ["unconfirmed may be there"]);
}

#[test]
fn roles_are_told_to_all_and_to_the_one_who_has_them() {
    let mut rig = Rig::in_room();
    let role = |rig: &Rig, name: &str| {
        let mut roster = rig.client.room(&ops()).expect("in it").roster().expect("it says who");
        roster.find(|person| person.name.as_str() == name).map(|person| person.role)
    };
    let me = rig.client.member();
    rig.feed(r#"{"t":"presence","room":"ops","ev":"role","m":"bbbbbbbbbb","name":"bob","role":"owner"}"#);
    assert!(matches!(rig.events()[..], [Event::Presence { change: Change::Role { role: Role::Owner, .. }, .. }]));
    rig.feed(&format!(r#"{{"t":"presence","room":"ops","ev":"role","m":"{me}","name":"ann","role":"moderator"}}"#));
    assert_eq!((role(&rig, "bob"), role(&rig, "ann")), (Some(Role::Owner), Some(Role::Moderator)));
    assert_eq!(rig.client.room(&ops()).map(|room| room.role()), Some(Role::Talk), "which `room` says");
    rig.feed(r#"{"t":"room","room":{"id":"ops","title":"On-call","role":"moderator"}}"#);
    assert_eq!(rig.client.room(&ops()).map(|room| room.role()), Some(Role::Moderator));
    // Somebody who is called otherwise keeps it, one whose role is not said is like most, and so is one that nobody knows.
    rig.feed(r#"{"t":"presence","room":"ops","ev":"name","m":"bbbbbbbbbb","name":"rob","was":"bob"}"#);
    assert_eq!(role(&rig, "rob"), Some(Role::Owner));
    for line in [
        r#"{"t":"presence","room":"ops","ev":"role","m":"bbbbbbbbbb","name":"rob"}"#,
        r#"{"t":"presence","room":"ops","ev":"role","m":"bbbbbbbbbb","name":"rob","role":"emperor"}"#,
    ] {
        rig.feed(line);
        assert_eq!(role(&rig, "rob"), Some(Role::Talk), "{line}");
    }
}

#[test]
fn another_role_while_away_is_what_joined_says() {
    let mut rig = Rig::in_room();
    rig.reconnect();
    rig.feed(&welcome());
    let (re, _) = rig.joins()[0];
    rig.forget();
    rig.feed(&joined(re, "ops", "e1", 1, 11, 10).replace(r#""role":"talk""#, r#""role":"read""#));
    assert!(matches!(rig.events()[..], [Event::Joined { role: Role::Read, .. }]));
    assert_eq!(rig.client.room(&ops()).map(|room| room.role()), Some(Role::Read));
}
