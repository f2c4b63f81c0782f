//! Connecting, backing off, beating, ending.

use std::time::Duration;

use qun_core::client::{Action, Client, Event, Input, Status};
use qun_core::json::{Request, Retry};

use crate::rig::{Rig, config, welcome};

const MS: Duration = Duration::from_millis(1);

fn offline(rig: &mut Rig) -> (u32, Duration, bool) {
    let now = rig.now.mono;
    let events = rig.events();
    let found = events.iter().find_map(|event| match event {
        Event::Offline { attempt, retry_at, bye } => Some((*attempt, retry_at.since(now), bye.is_some())),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("not offline: {events:?}"))
}

fn bye(code: &str, retry: &str, wait_ms: u64) -> String {
    format!(r#"{{"t":"bye","code":"{code}","retry":"{retry}","wait_ms":{wait_ms},"text":"Gone."}}"#)
}

#[test]
fn a_new_client_connects_and_says_hello_with_its_key() {
    let mut rig = Rig::new();
    assert_eq!((rig.connects, rig.client.status()), (1, Status::Connecting));
    rig.input(Input::Connected);
    let [Request::Hello { v, agent, name, key, .. }] = &rig.sent()[..] else { panic!("no hello") };
    assert_eq!((&v[..], agent.as_deref(), *key), (&[1][..], Some("test/1"), Some(config().key)));
    assert_eq!(name.as_ref().map(|name| name.as_str()), Some("ann"));
    rig.feed(&welcome());
    assert_eq!(rig.client.status(), Status::Online);
    assert!(matches!(rig.events()[..], [Event::Online { resumed: false, .. }]));
}

#[test]
fn nothing_but_the_hello_is_said_before_the_welcome() {
    let mut rig = Rig::new();
    rig.client.join(rig.now, crate::rig::code());
    rig.client.rename(rig.now, "eve".parse().expect("a name"));
    rig.input(Input::Connected);
    assert!(matches!(rig.sent()[..], [Request::Hello { .. }]));
    rig.feed(&welcome());
    assert!(matches!(rig.sent()[..], [Request::Join { .. }, Request::Name { .. }]));
}

#[test]
fn the_wait_between_attempts_doubles_up_to_its_most() {
    let mut rig = Rig::new();
    for n in 0..12 {
        rig.input(Input::Disconnected);
        let (attempt, wait, _) = offline(&mut rig);
        assert_eq!(attempt, n + 1);
        assert!(wait <= (500 * MS * (1 << n)).min(config().backoff), "{wait:?} after {n}");
        rig.pass(wait);
        assert_eq!(rig.connects, n as usize + 2);
    }
}

#[test]
fn clients_that_lose_their_server_together_do_not_come_back_together() {
    // How long each of 32 waits after so many failures in a row.
    let waits = |failures: usize| -> Vec<Duration> {
        let wait = |seed| {
            let mut rig = Rig::new();
            rig.client = Client::new(config(), [seed; 32]);
            rig.input(Input::Tick);
            let waits = std::iter::repeat_with(|| {
                rig.input(Input::Disconnected);
                let (_, wait, _) = offline(&mut rig);
                rig.pass(wait);
                wait
            });
            waits.take(failures).last().unwrap_or_default()
        };
        (0..32).map(wait).collect()
    };
    for (failures, bound) in [(1, 500 * MS), (4, 4_000 * MS), (9, 20_000 * MS)] {
        let waits = waits(failures);
        let shorter = waits.iter().filter(|wait| **wait < bound / 2).count();
        assert!((6..=26).contains(&shorter), "{shorter} of 32 wait less than half of {bound:?}: {waits:?}");
        assert!(waits.iter().all(|wait| *wait <= bound));
    }
}

#[test]
fn ten_seconds_live_end_a_row_of_failures() {
    for (live, attempt) in [(9_999 * MS, 4), (10_000 * MS, 1)] {
        let mut rig = Rig::new();
        for _ in 0..3 {
            rig.input(Input::Disconnected);
            rig.pass(20_000 * MS);
            rig.events();
        }
        rig.greet();
        rig.pass(live);
        rig.input(Input::Disconnected);
        assert_eq!(offline(&mut rig).0, attempt);
    }
}

/// A hello that was given up may reach the server after the next one, and take its session over.
#[test]
fn a_hello_of_its_own_that_comes_late_does_not_end_a_client() {
    let mut rig = Rig::new();
    rig.input(Input::Connected);
    rig.pass(20_000 * MS);
    assert!(matches!(rig.client.status(), Status::Waiting { .. }), "nobody answered the hello");
    rig.pass(20_000 * MS);
    rig.greet();
    rig.events();
    rig.feed(&bye("replaced", "no", 0));
    assert!(matches!(rig.client.status(), Status::Waiting { .. }));
    rig.pass(20_000 * MS);
    rig.greet();
    // There was one such hello, so this one is somebody else.
    rig.feed(&bye("replaced", "no", 0));
    assert_eq!(rig.client.status(), Status::Ended);
}

#[test]
fn a_bye_is_obeyed_by_its_class_whatever_its_code() {
    for code in ["shutdown", "a_code_to_come"] {
        let mut rig = Rig::online();
        rig.feed(&bye(code, "later", 8_000));
        let (_, wait, told) = offline(&mut rig);
        assert!(told && wait >= 8_000 * MS && rig.closes == 1);

        let mut rig = Rig::online();
        rig.feed(&bye(code, "now", 0));
        assert!(offline(&mut rig).1 <= 500 * MS);

        for class in ["fix", "no", "a_class_to_come"] {
            let mut rig = Rig::online();
            rig.events();
            rig.feed(&bye(code, class, 0));
            assert!(matches!(rig.events()[..], [Event::Ended { bye: Some(_) }]), "{class}");
            assert_eq!((rig.client.status(), rig.client.deadline(), rig.closes), (Status::Ended, None, 1));
        }
    }
}

#[test]
fn a_failed_hello_is_obeyed_by_its_class() {
    let fail = |class: &str| {
        let mut rig = Rig::new();
        rig.input(Input::Connected);
        rig.feed(&format!(r#"{{"t":"error","code":"bad_name","retry":"{class}","wait_ms":3000,"text":"No."}}"#));
        assert_eq!(rig.closes, 1);
        rig
    };
    assert!(offline(&mut fail("later")).1 >= 3_000 * MS);
    offline(&mut fail("now"));
    let [Event::Ended { bye: Some(bye) }] = &fail("fix").events()[..] else { panic!("not ended") };
    assert_eq!((bye.code.as_str(), bye.retry), ("bad_name", Retry::Fix));
}

#[test]
fn an_attempt_and_a_hello_are_given_up() {
    let mut rig = Rig::new();
    rig.input(Input::Tick);
    rig.pass(29_999 * MS);
    assert_eq!(rig.closes, 0);
    rig.pass(MS);
    assert_eq!(rig.closes, 1);
    offline(&mut rig);
    rig.pass(20_000 * MS);
    rig.input(Input::Connected);
    rig.pass(20_000 * MS);
    assert_eq!(rig.closes, 2);
    offline(&mut rig);
}

#[test]
fn inputs_of_a_connection_that_is_over_are_ignored() {
    let mut rig = Rig::online();
    rig.feed(&bye("slow", "now", 0));
    let before = rig.client.clone();
    rig.input(Input::Received(b"{\"t\":\"ping\",\"n\":1}\n"));
    rig.input(Input::Disconnected);
    rig.input(Input::Connected);
    assert_eq!(rig.client, before);
    // The same before the driver polled that there is to be another one.
    rig.client.reconnect(rig.now);
    rig.client.handle(rig.now, Input::Disconnected);
    assert_eq!(rig.client.status(), Status::Connecting);
}

#[test]
fn reconnecting_does_not_wait() {
    let mut rig = Rig::online();
    rig.feed(&bye("shutdown", "later", 60_000));
    assert!(matches!(rig.client.status(), Status::Waiting { .. }));
    rig.client.reconnect(rig.now);
    rig.drain();
    assert_eq!((rig.connects, rig.client.status()), (2, Status::Connecting));
}

#[test]
fn a_silent_server_is_pinged_and_then_given_up() {
    let mut rig = Rig::online();
    rig.forget();
    rig.pass(34_999 * MS);
    assert!(rig.sent().is_empty());
    rig.pass(MS);
    assert!(matches!(rig.sent()[..], [Request::Ping { n: 1 }]));
    rig.pass(9_999 * MS);
    assert_eq!(rig.closes, 0);
    rig.pass(MS);
    assert_eq!(rig.closes, 1);
    offline(&mut rig);
}

#[test]
fn any_byte_counts_as_life() {
    let mut rig = Rig::online();
    for _ in 0..10 {
        rig.pass(40_000 * MS);
        rig.input(Input::Received(b"x"));
    }
    assert_eq!(rig.closes, 0);
}

#[test]
fn a_ping_is_answered() {
    let mut rig = Rig::online();
    rig.forget();
    rig.feed(r#"{"t":"ping","n":17}"#);
    assert!(matches!(rig.sent()[..], [Request::Pong { n: 17 }]));
}

#[test]
fn a_clock_that_leaps_pings_at_once() {
    let mut rig = Rig::online();
    rig.forget();
    rig.now.unix_ms += 3_600_000;
    rig.input(Input::Tick);
    assert!(matches!(rig.sent()[..], [Request::Ping { .. }]), "the wall clock leapt ahead");

    let mut rig = Rig::online();
    rig.forget();
    rig.now.unix_ms -= 3_600_000;
    rig.input(Input::Tick);
    assert!(matches!(rig.sent()[..], [Request::Ping { .. }]), "the wall clock leapt back");

    let mut rig = Rig::online();
    rig.forget();
    rig.leap(3_600_000 * MS);
    assert!(matches!(rig.sent()[..], [Request::Ping { .. }]), "both leapt");
    rig.pass(10_000 * MS);
    assert_eq!(rig.closes, 1);

    // What comes first after a sleep may have lain there since before.
    let mut rig = Rig::online();
    rig.forget();
    rig.now.mono = rig.now.mono + 3_600_000 * MS;
    rig.now.unix_ms += 3_600_000;
    // However it is split.
    rig.client.handle(rig.now, Input::Received(b"{\"t\":\"pong\","));
    rig.input(Input::Received(b"\"n\":9}\n"));
    assert!(matches!(rig.sent()[..], [Request::Ping { .. }]));
    rig.pass(10_000 * MS);
    assert_eq!(rig.closes, 1);
}

#[test]
fn a_monotonic_clock_that_steps_back_is_read_as_no_time() {
    let mut rig = Rig::online();
    let deadline = rig.client.deadline();
    rig.now.mono = qun_core::Instant::from_micros(5);
    rig.now.unix_ms += 1;
    rig.input(Input::Tick);
    assert_eq!(rig.client.deadline(), deadline);
}

#[test]
fn a_prompt_before_the_json_is_discarded() {
    let mut rig = Rig::new();
    rig.input(Input::Connected);
    rig.input(Input::Received("Room code: \r\n-- 请输入\n\n".as_bytes()));
    rig.feed(&format!("{}\r", welcome()));
    assert_eq!(rig.client.status(), Status::Online);
}

#[test]
fn what_makes_no_sense_ends_the_connection_and_not_the_client() {
    for line in
        ["{", "{\"t\":5}", "{}", "{\"t\":\"msg\",\"room\":\"ops\"}", "{\"t\":\"here\",\"room\":\"ops\",\"n\":-1}"]
    {
        let mut rig = Rig::online();
        rig.feed(line);
        assert_eq!(rig.closes, 1, "{line}");
        offline(&mut rig);
    }
    let mut rig = Rig::online();
    rig.input(Input::Received(&vec![b'x'; 256 << 10]));
    assert_eq!(rig.closes, 1, "a line over the limit");
}

#[test]
fn a_server_of_another_version_is_hung_up_on() {
    let mut rig = Rig::new();
    rig.input(Input::Connected);
    rig.feed(&welcome().replace(r#""v":1"#, r#""v":2"#));
    assert_eq!(rig.closes, 1);
    offline(&mut rig);
}

#[test]
fn only_the_answer_to_this_hello_is_one() {
    let mut rig = Rig::new();
    rig.input(Input::Connected);
    let sent = rig.sent();
    let [Request::Hello { id: Some(hello), .. }] = &sent[..] else { panic!("{sent:?}") };
    let re = |line: &str, re: &str| line.replacen('{', &format!(r#"{{"re":"{re}","#), 1);
    rig.feed(&re(&welcome(), "another"));
    rig.feed(r#"{"t":"error","re":"another","code":"bad_name","retry":"fix","text":"No."}"#);
    assert_eq!(rig.client.status(), Status::Connecting);
    rig.feed(&re(&welcome(), &hello.to_string()));
    assert_eq!(rig.client.status(), Status::Online);
    assert_eq!(rig.client.limits().map(|limits| limits.line), Some(16_384));
}

#[test]
fn nothing_is_said_after_the_goodbye() {
    let mut rig = Rig::online();
    rig.client.bye(rig.now);
    rig.drain();
    rig.forget();
    rig.feed(r#"{"t":"ping","n":17}"#);
    assert!(rig.sent().is_empty());
}

#[test]
fn half_a_line_ends_with_its_connection() {
    let mut rig = Rig::online();
    rig.input(Input::Received(br#"{"t":"ping","#));
    rig.reconnect();
    rig.feed(&welcome());
    assert_eq!((rig.client.status(), rig.closes), (Status::Online, 0));
}

#[test]
fn a_goodbye_waits_for_the_server_to_see_us_off() {
    let mut rig = Rig::online();
    rig.forget();
    rig.client.bye(rig.now);
    rig.drain();
    assert!(matches!(rig.sent()[..], [Request::Bye]));
    assert!(rig.events().is_empty());
    rig.feed(&bye("done", "no", 0));
    assert!(matches!(rig.events()[..], [Event::Ended { bye: None }]));
    assert_eq!(rig.closes, 1);

    let mut rig = Rig::online();
    rig.forget();
    rig.client.bye(rig.now);
    rig.pass(5_000 * MS);
    assert!(matches!(rig.events()[..], [Event::Ended { bye: None }]), "a server that does not is left alone");
    assert_eq!(rig.closes, 1);

    let mut rig = Rig::online();
    rig.forget();
    rig.client.bye(rig.now);
    rig.input(Input::Disconnected);
    assert!(matches!(rig.events()[..], [Event::Ended { bye: None }]));
    assert_eq!(rig.closes, 0);
}

#[test]
fn a_goodbye_without_a_connection_is_done_at_once() {
    let mut rig = Rig::new();
    rig.client.bye(rig.now);
    rig.drain();
    assert!(matches!(rig.events()[..], [Event::Ended { bye: None }]));
    assert_eq!((rig.closes, rig.client.deadline()), (1, None));
}

#[test]
fn a_goodbye_before_the_driver_connects_makes_no_connection() {
    let mut client = Client::new(config(), [2; 32]);
    client.bye(Default::default());
    assert!(matches!(client.poll(), Some(Action::Show(Event::Ended { bye: None }))));
    assert_eq!(client.poll(), None);
}

#[test]
fn commands_after_the_end_are_answered() {
    let mut rig = Rig::in_room();
    rig.feed(&bye("kicked", "no", 0));
    rig.forget();
    let ids = [
        rig.client.join(rig.now, crate::rig::code()),
        rig.client.rename(rig.now, "eve".parse().expect("a name")),
        rig.say("hello?"),
    ];
    rig.drain();
    let refused: Vec<_> = rig
        .events()
        .into_iter()
        .map(|event| match event {
            Event::Refused { re: Some(re), .. } => re,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(refused, ids);
    assert!(rig.client.leave(rig.now, &crate::rig::ops()).is_ok());
    rig.drain();
    assert!(matches!(rig.events()[..], [Event::Left { re: Some(_), .. }]));
}
