//! What we say: its pace, its acknowledgement, its fate when connections break.

use std::time::Duration;

use qun_core::Code;
use qun_core::client::{Event, Input};
use qun_core::json::Request;

use crate::rig::{Rig, echo, error, joined, msg, ops, page, welcome, welcome_with};

fn pending(rig: &Rig) -> Vec<String> {
    rig.client.pending().map(|say| say.text.to_string()).collect()
}

/// Reconnects and is let in again.
fn back(rig: &mut Rig, epoch: &str, first: u64, from: u64, head: u64) {
    rig.reconnect();
    rig.forget();
    rig.feed(&welcome());
    let re = rig.joins()[0].0;
    rig.feed(&joined(re, "ops", epoch, first, from, head));
}

#[test]
fn the_echo_is_the_acknowledgement() {
    let mut rig = Rig::in_room();
    let id = rig.say("hi");
    assert_eq!(rig.said(), [(id, "hi".to_string())]);
    assert_eq!(pending(&rig), ["hi"]);
    rig.feed(&msg(11, "hi"));
    assert_eq!(pending(&rig), ["hi"], "somebody else's");
    rig.feed(&echo(12, "hi", id));
    assert_eq!(rig.shown(), ["11 hi", "12 hi mine"]);
    assert!(pending(&rig).is_empty());
}

#[test]
fn nothing_is_said_where_we_are_not() {
    let mut rig = Rig::online();
    let text: qun_core::Text = "hi".parse().expect("a text");
    assert!(rig.client.say(rig.now, &ops(), Default::default(), text).is_err());
}

#[test]
fn a_paste_is_paced() {
    let mut rig = Rig::in_room();
    let texts: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    for text in &texts {
        rig.say(text);
    }
    let mut said = rig.said();
    assert_eq!(said.len(), 9, "the burst, less one");
    rig.pass(Duration::from_secs(3));
    let more = rig.said();
    assert!((5..=6).contains(&more.len()), "two a second: {}", more.len());
    said.extend(more);
    rig.pass(Duration::from_secs(4));
    said.extend(rig.said());
    assert_eq!(said.into_iter().map(|(_, text)| text).collect::<Vec<_>>(), texts);
}

#[test]
fn the_deadline_is_that_of_the_next_thing_to_do() {
    let mut rig = Rig::in_room();
    let until = |rig: &Rig| rig.client.deadline().map(|due| due.since(rig.now.mono));
    (0..12).for_each(|n| _ = rig.say(&n.to_string()));
    assert!(until(&rig).is_some_and(|wait| wait <= Duration::from_millis(600)), "the next message of a paste");
    rig.client.bye(rig.now);
    rig.drain();
    rig.pass(Duration::from_secs(4));
    assert!(until(&rig).is_some_and(|wait| wait <= Duration::from_secs(1)), "the end of a goodbye");

    let mut rig = Rig::in_room();
    rig.reconnect();
    rig.forget();
    rig.feed(&welcome());
    let (re, _) = rig.joins()[0];
    rig.feed(&error(re, "unavailable", "later", 3_000));
    assert_eq!(until(&rig), Some(Duration::from_secs(3)), "the next try to get back into a room");
}

#[test]
fn a_session_that_is_resumed_has_its_rate_still() {
    for (resumed, more) in [(true, 0..3), (false, 8..11)] {
        let mut rig = Rig::in_room();
        let ids: Vec<_> = (0..9).map(|n| rig.say(&n.to_string())).collect();
        for (seq, id) in (11..).zip(ids) {
            rig.feed(&echo(seq, "x", id));
        }
        rig.input(Input::Disconnected);
        rig.pass(Duration::from_millis(500));
        rig.input(Input::Connected);
        rig.forget();
        rig.feed(&welcome_with(resumed, 10, 2));
        let (re, _) = rig.joins()[0];
        rig.feed(&joined(re, "ops", "e1", 1, 20, 19));
        (0..20).for_each(|n| _ = rig.say(&n.to_string()));
        let said = rig.said().len();
        assert!(more.contains(&said), "{said} at once, resumed: {resumed}");
    }
}

#[test]
fn no_more_than_64_are_in_flight() {
    let mut rig = Rig::new();
    rig.input(Input::Connected);
    rig.feed(&welcome_with(false, 0, 0));
    let re = rig.client.join(rig.now, crate::rig::code());
    rig.drain();
    rig.feed(&joined(re, "ops", "e1", 1, 1, 0));
    rig.forget();
    let ids: Vec<_> = (0..70).map(|n| rig.say(&n.to_string())).collect();
    assert_eq!(rig.said().len(), 64);
    assert!(rig.client.deadline().is_some_and(|due| due > rig.now.mono), "time alone lets no other one go");
    rig.feed(&echo(1, "0", ids[0]));
    assert_eq!(rig.said(), [(ids[64], "64".to_string())]);
}

#[test]
fn slow_down_sends_again_in_order() {
    let mut rig = Rig::in_room();
    let a = rig.say("a");
    let b = rig.say("b");
    let c = rig.say("c");
    rig.forget();
    rig.feed(&error(b, "slow_down", "later", 700));
    rig.feed(&error(c, "slow_down", "later", 900));
    let d = rig.say("d");
    rig.pass(Duration::from_millis(899));
    assert!(rig.said().is_empty(), "nothing overtakes");
    rig.pass(Duration::from_secs(3));
    assert_eq!(rig.said().into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [b, c, d]);
    rig.feed(&echo(11, "a", a));
    for n in 0..50 {
        rig.feed(&error(b, "slow_down", "later", n));
        rig.feed(&error(c, "slow_down", "later", n));
        rig.feed(&error(d, "slow_down", "later", n));
        rig.pass(Duration::from_secs(5));
        assert_eq!(rig.said().len(), 3, "however often");
    }
    assert_eq!(rig.shown(), ["11 a mine"]);
}

#[test]
fn what_follows_a_refused_one_waits_for_it() {
    let mut rig = Rig::in_room();
    let a = rig.say("a");
    let b = rig.say("b");
    rig.forget();
    rig.feed(&error(a, "unavailable", "later", 0));
    rig.pass(Duration::from_secs(2));
    assert!(rig.said().is_empty(), "b may still be refused too, and then comes behind a");
    rig.feed(&error(b, "unavailable", "later", 0));
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.said().into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [a, b]);
}

#[test]
fn what_the_log_can_not_take_is_tried_a_few_times() {
    let mut rig = Rig::in_room();
    let id = rig.say("a");
    for _ in 0..5 {
        assert_eq!(rig.said().len(), 1);
        rig.feed(&error(id, "unavailable", "later", 1_500));
        rig.pass(Duration::from_millis(1_499));
        assert!(rig.said().is_empty());
        rig.pass(Duration::from_millis(1));
    }
    rig.feed(&error(id, "unavailable", "later", 1_500));
    assert_eq!(rig.shown(), ["refused unavailable"]);
    assert!(pending(&rig).is_empty());
}

#[test]
fn what_a_server_has_put_off_is_not_put_off_on_the_next_connection() {
    let mut rig = Rig::in_room();
    let id = rig.say("a");
    rig.said();
    rig.feed(&error(id, "unavailable", "later", 60_000));
    rig.input(Input::Disconnected);
    back(&mut rig, "e1", 1, 11, 10);
    assert_eq!(rig.said(), [(id, "a".to_string())]);
}

#[test]
fn a_refusal_is_shown() {
    let mut rig = Rig::in_room();
    let id = rig.say("a");
    rig.feed(&error(id, "read_only", "no", 0));
    assert!(matches!(rig.events()[..], [Event::Refused { re: Some(re), .. }] if re == id));
    assert!(pending(&rig).is_empty());
}

#[test]
fn a_line_that_would_end_the_connection_is_not_sent() {
    let mut rig = Rig::in_room();
    rig.say(&"\"".repeat(9_000));
    rig.say("b");
    assert_eq!(rig.shown(), ["refused bad_text"]);
    assert_eq!(rig.said().len(), 1);
}

#[test]
fn a_line_may_be_as_long_as_the_server_takes() {
    let line = |rig: &mut Rig| {
        let what = rig.sent().pop().expect("a say");
        let mut line = Vec::new();
        what.encode(&mut line);
        line.len()
    };
    let mut rig = Rig::in_room();
    rig.say("x");
    let length = line(&mut rig) + 99;
    let mut rig = Rig::in_room();
    rig.reconnect();
    rig.forget();
    rig.feed(&welcome().replace("16384", &length.to_string()));
    let (re, _) = rig.joins()[0];
    rig.feed(&joined(re, "ops", "e1", 1, 11, 10));
    rig.say(&"x".repeat(100));
    assert_eq!(line(&mut rig), length);
    rig.say(&"x".repeat(101));
    assert_eq!(rig.shown(), ["refused bad_text"]);
}

#[test]
fn what_may_be_in_the_log_and_is_too_long_now_is_not_called_refused() {
    let mut rig = Rig::in_room();
    rig.say(&"x".repeat(100));
    rig.reconnect();
    rig.forget();
    rig.feed(&welcome().replace("16384", "90"));
    let (re, _) = rig.joins()[0];
    rig.feed(&joined(re, "ops", "e1", 1, 11, 10));
    assert_eq!(rig.shown(), [format!("unconfirmed {}", "x".repeat(100))]);
    assert!(pending(&rig).is_empty());
}

#[test]
fn what_is_said_offline_is_sent_when_the_room_is_there() {
    let mut rig = Rig::in_room();
    rig.input(Input::Disconnected);
    let (a, b) = (rig.say("a"), rig.say("b"));
    assert_eq!(pending(&rig), ["a", "b"]);
    rig.pass(Duration::from_secs(1));
    rig.input(Input::Connected);
    rig.forget();
    rig.feed(&welcome());
    let re = rig.joins()[0].0;
    assert!(rig.said().is_empty());
    rig.feed(&joined(re, "ops", "e1", 1, 11, 10));
    assert_eq!(rig.said().into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [a, b]);
}

#[test]
fn found_in_the_replay_means_delivered() {
    let mut rig = Rig::in_room();
    let id = rig.say("a");
    back(&mut rig, "e1", 1, 11, 12);
    rig.feed(&msg(11, "x"));
    assert!(rig.said().is_empty(), "not before the replay is whole");
    rig.feed(&echo(12, "a", id));
    assert_eq!(rig.shown(), ["11 x backlog", "12 a mine backlog"]);
    assert!(rig.said().is_empty() && pending(&rig).is_empty());
}

#[test]
fn found_in_the_hole_means_delivered() {
    let mut rig = Rig::in_room();
    let id = rig.say("a");
    back(&mut rig, "e1", 1, 12, 12);
    let (fetch, ..) = rig.fetched();
    rig.feed(&msg(12, "x"));
    assert!(rig.said().is_empty(), "not before the hole is whole");
    let page = page(fetch, 1, false, 11..=11).replace("bbbbbbbbbb", &crate::rig::config().key.member().to_string());
    rig.feed(&page.replace("\"text\"", &format!("\"id\":\"{id}\",\"text\"")));
    assert_eq!(rig.shown(), ["11 m11 mine backlog", "12 x backlog"]);
    assert!(rig.said().is_empty() && pending(&rig).is_empty());
}

#[test]
fn not_found_in_the_same_epoch_is_sent_again_by_the_same_id() {
    let mut rig = Rig::in_room();
    let id = rig.say("a");
    back(&mut rig, "e1", 1, 11, 11);
    assert!(rig.said().is_empty());
    rig.feed(&msg(11, "x"));
    assert_eq!(rig.said(), [(id, "a".to_string())]);
    // It was on its way to the log all the time: the answer comes before the echo, and is not it.
    rig.feed(&format!(r#"{{"t":"ok","re":"{id}","seq":12}}"#));
    assert_eq!(pending(&rig), ["a"]);
    rig.feed(&echo(12, "a", id));
    assert_eq!(rig.shown(), ["11 x backlog", "12 a mine"]);
    assert!(pending(&rig).is_empty());
}

#[test]
fn a_refusal_of_what_may_be_in_the_log_confirms_nothing() {
    for (code, retry) in [("read_only", "no"), ("unavailable", "later")] {
        let mut rig = Rig::in_room();
        let id = rig.say("a");
        back(&mut rig, "e1", 1, 11, 10);
        // The first attempt may be on its way to the log still.
        for _ in 0..6 {
            assert_eq!(rig.said(), [(id, "a".to_string())]);
            rig.feed(&error(id, code, retry, 0));
            if pending(&rig).is_empty() {
                break;
            }
            rig.pass(Duration::from_secs(1));
        }
        assert_eq!(rig.shown(), ["unconfirmed a"], "{code}");
        assert!(pending(&rig).is_empty());
    }
}

#[test]
fn another_epoch_can_not_confirm_what_was_sent() {
    for (epoch, head) in [("e2", 0), ("e1", 0)] {
        let mut rig = Rig::in_room();
        rig.say("a");
        rig.input(Input::Disconnected);
        rig.say("b");
        rig.pass(Duration::from_secs(1));
        rig.input(Input::Connected);
        rig.forget();
        rig.feed(&welcome());
        let re = rig.joins()[0].0;
        rig.feed(&joined(re, "ops", epoch, 1, 1, head));
        assert_eq!(rig.shown(), ["restarted", "unconfirmed a"], "{epoch}");
        assert_eq!(rig.said().into_iter().map(|(_, text)| text).collect::<Vec<_>>(), ["b"], "b was never sent");
    }
}

#[test]
fn another_epoch_is_looked_through_before_it_can_not_confirm() {
    let mut rig = Rig::in_room();
    rig.say("a");
    back(&mut rig, "e2", 1, 19, 20);
    rig.feed(&msg(19, "x"));
    assert_eq!(rig.shown(), ["restarted", "19 x backlog"]);
    rig.feed(&msg(20, "y"));
    assert_eq!(rig.shown(), ["20 y backlog", "unconfirmed a"]);
    assert!(rig.said().is_empty() && pending(&rig).is_empty());
}

#[test]
fn another_epoch_that_has_it_confirms_it() {
    let mut rig = Rig::in_room();
    let id = rig.say("a");
    back(&mut rig, "e2", 1, 1, 1);
    rig.feed(&echo(1, "a", id));
    assert_eq!(rig.shown(), ["restarted", "1 a mine backlog"]);
    assert!(pending(&rig).is_empty());
}

#[test]
fn what_may_be_among_the_lost_is_not_sent_again() {
    let mut rig = Rig::in_room();
    rig.say("a");
    back(&mut rig, "e1", 15, 15, 14);
    assert_eq!(rig.shown(), ["lost 11-14", "unconfirmed a"]);
    assert!(rig.said().is_empty());

    // The same without a new connection.
    let mut rig = Rig::in_room();
    rig.say("a");
    rig.forget();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":20,"here":1,"members":[]}"#);
    let (fetch, ..) = rig.fetched();
    rig.feed(&page(fetch, 21, false, []));
    assert_eq!(rig.shown(), ["lost 11-20", "unconfirmed a"]);
    assert!(pending(&rig).is_empty());
}

#[test]
fn what_may_be_among_the_lost_is_not_sent_again_after_a_cut() {
    let mut rig = Rig::in_room();
    rig.say("a");
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":20,"here":1,"members":[]}"#);
    let (fetch, ..) = rig.fetched();
    // A part of the hole is lost, and before the rest of it comes the connection breaks.
    rig.feed(&page(fetch, 16, true, 16..=17));
    back(&mut rig, "e1", 16, 18, 19);
    rig.feed(&msg(18, "m18"));
    rig.feed(&msg(19, "m19"));
    assert_eq!(rig.shown(), ["18 m18 backlog", "19 m19 backlog", "unconfirmed a"]);
    assert!(rig.said().is_empty());
}

#[test]
fn leaving_without_a_connection_waits_for_what_was_said() {
    let mut rig = Rig::in_room();
    rig.input(Input::Disconnected);
    rig.forget();
    let id = rig.say("last words");
    let re = rig.client.leave(rig.now, &ops()).expect("in it");
    rig.drain();
    assert!(rig.shown().is_empty());
    rig.pass(Duration::from_secs(1));
    rig.input(Input::Connected);
    rig.forget();
    rig.feed(&welcome());
    let (join, _) = rig.joins()[0];
    rig.feed(&joined(join, "ops", "e1", 1, 11, 10));
    assert_eq!(rig.said(), [(id, "last words".to_string())]);
    rig.feed(&echo(11, "last words", id));
    assert!(matches!(rig.sent()[..], [Request::Leave { id: Some(id), .. }] if id == re));
}

#[test]
fn what_was_said_behind_the_lost_is_none_of_them() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":20,"here":1,"members":[]}"#);
    let (fetch, ..) = rig.fetched();
    let id = rig.say("a");
    rig.feed(&page(fetch, 21, false, []));
    rig.feed(&echo(21, "a", id));
    assert_eq!(rig.shown(), ["lost 11-20", "21 a mine"]);
}

#[test]
fn the_last_of_the_lost_may_be_ours() {
    let mut rig = Rig::in_room();
    rig.say("a");
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":11,"here":1,"members":[]}"#);
    let (fetch, ..) = rig.fetched();
    rig.feed(&page(fetch, 12, false, []));
    assert_eq!(rig.shown(), ["lost 11-11", "unconfirmed a"]);

    // The same by a cut.
    let mut rig = Rig::in_room();
    rig.say("a");
    back(&mut rig, "e1", 12, 12, 11);
    assert_eq!(rig.shown(), ["lost 11-11", "unconfirmed a"]);
}

#[test]
fn the_last_that_we_knew_of_is_not_ours() {
    let mut rig = Rig::in_room();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":20,"here":1,"members":[]}"#);
    let id = rig.say("a");
    back(&mut rig, "e1", 21, 21, 20);
    assert_eq!(rig.shown(), ["lost 11-20"]);
    assert_eq!(rig.said(), [(id, "a".to_string())], "it is in no log");
}

#[test]
fn what_the_log_has_and_we_never_see_is_delivered() {
    let mut rig = Rig::in_room();
    let id = rig.say("a");
    rig.feed(&format!(r#"{{"t":"ok","re":"{id}","seq":3}}"#));
    assert_eq!(rig.shown(), ["delivered"]);
    assert!(pending(&rig).is_empty());

    // The newest that was shown is one that we did not know for ours; the one behind it will still be shown.
    let (a, b) = (rig.say("a"), rig.say("b"));
    rig.feed(&format!(r#"{{"t":"ok","re":"{a}","seq":10}}"#));
    rig.feed(&format!(r#"{{"t":"ok","re":"{b}","seq":11}}"#));
    assert_eq!(rig.shown(), ["delivered"]);
    assert_eq!(pending(&rig), ["b"]);
}

#[test]
fn leaving_waits_for_what_was_said() {
    let mut rig = Rig::in_room();
    let id = rig.say("a");
    rig.forget();
    let re = rig.client.leave(rig.now, &ops()).expect("in it");
    rig.drain();
    assert!(rig.sent().is_empty());
    assert!(rig.client.say(rig.now, &ops(), Default::default(), "late".parse().expect("a text")).is_err());
    rig.feed(&echo(11, "a", id));
    assert!(matches!(rig.sent()[..], [Request::Leave { id: Some(id), .. }] if id == re));
    rig.events();
    rig.feed(&format!(r#"{{"t":"left","re":"{re}","room":"ops"}}"#));
    assert!(matches!(rig.events()[..], [Event::Left { re: Some(left), .. }] if left == re));
}

#[test]
fn a_goodbye_waits_for_what_was_said() {
    let mut rig = Rig::in_room();
    let id = rig.say("a");
    rig.client.bye(rig.now);
    rig.drain();
    assert!(!rig.sent().contains(&Request::Bye));
    rig.feed(&echo(11, "a", id));
    assert!(rig.sent().contains(&Request::Bye));
}

#[test]
fn a_goodbye_that_waited_enough_gives_every_message_its_answer() {
    let mut rig = Rig::in_room();
    rig.say("a");
    rig.input(Input::Disconnected);
    rig.say("b");
    rig.forget();
    rig.client.bye(rig.now);
    rig.pass(Duration::from_millis(4_999));
    assert_eq!(rig.shown(), [""; 0]);
    rig.pass(Duration::from_millis(1));
    let events = rig.events();
    assert!(matches!(
        &events[events.len() - 3..],
        [Event::Unconfirmed { .. }, Event::Refused { .. }, Event::Ended { bye: None }]
    ));
}

#[test]
fn the_end_answers_a_leave_that_waited_and_is_the_last_word() {
    let mut rig = Rig::in_room();
    rig.say("a");
    assert!(rig.client.leave(rig.now, &crate::rig::ops()).is_ok());
    rig.forget();
    rig.client.bye(rig.now);
    rig.pass(Duration::from_secs(11));
    assert!(matches!(rig.events()[..], [Event::Unconfirmed { .. }, Event::Ended { bye: None }]));
}

#[test]
fn a_kick_gives_every_message_its_answer() {
    let mut rig = Rig::in_room();
    for n in 0..12 {
        rig.say(&n.to_string());
    }
    rig.forget();
    rig.feed(r#"{"t":"left","room":"ops"}"#);
    let shown = rig.shown();
    assert_eq!(shown.iter().filter(|s| s.starts_with("unconfirmed")).count(), 9);
    assert_eq!(shown.iter().filter(|s| *s == "refused not_member").count(), 3);
    assert_eq!(shown.last().map(String::as_str), Some("left"));
    assert_eq!(rig.client.pending().count(), 0);
}

#[test]
fn another_code_of_a_room_that_we_are_in_sends_nothing_again() {
    let mut rig = Rig::in_room();
    let id = rig.say("hi");
    assert_eq!(rig.said().len(), 1);
    let re = rig.client.join(rig.now, "HA11-HA11".parse::<Code>().expect("a code"));
    rig.drain();
    rig.feed(&joined(re, "ops", "e1", 1, 11, 10));
    assert_eq!(rig.said(), [], "it is still on its way");
    rig.feed(&echo(11, "hi", id));
    assert!(pending(&rig).is_empty());
}
