//! The server's loop.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::every::{crowd, over_every_loop};
use crate::support::{CODE, Line, Loop, PATIENCE, Running, config, hello, say, serve, serve_with};
use qun_core::server::{Config, Note, Overview, Reason};
use qun_transports::readiness::Event;
use socket2::{Domain, Socket, Type};

over_every_loop! {
    a_storm_of_connections_is_taken_in
    a_silent_client_delays_nobody
    a_reset_at_any_moment_hurts_nobody_else
    a_half_closed_connection_is_answered_to_the_end
    a_reader_who_takes_nothing_is_found_out_and_delays_nobody
    whoever_reads_late_gets_everything_in_order
    a_goodbye_reaches_whoever_is_still_sending
    what_cannot_go_on_costs_no_time
    a_paused_connection_that_is_reset_is_noticed_at_once
    a_drain_says_goodbye_to_everyone_and_ends
    a_stop_ends_at_once
    a_reload_reaches_those_who_are_in_and_those_who_come
    a_server_that_sleeps_is_observed
    whoever_asks_a_server_that_has_ended_is_let_go
}

fn a_storm_of_connections_is_taken_in(kind: Loop) {
    let _crowd = crowd();
    let server = serve(kind);
    let mut lines: Vec<_> = (0..300).map(|_| server.connect()).collect();
    for line in &mut lines {
        line.send("{\"t\":\"hello\",\"v\":[1]}\n");
    }
    for line in &mut lines {
        line.until(r#""t":"welcome""#);
    }
}

fn a_silent_client_delays_nobody(kind: Loop) {
    let _crowd = crowd();
    let server = serve(kind);
    let _silent: Vec<_> = (0..50).map(|_| server.connect()).collect();
    let mut half = server.connect();
    half.send("{\"t\":\"hel");
    let mut ann = server.member("ann");
    let start = Instant::now();
    for number in 0..100 {
        ann.say(&format!("id{number}"), "hi");
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

fn a_reset_at_any_moment_hurts_nobody_else(kind: Loop) {
    let server = serve(kind);
    let mut ann = server.member("ann");
    let script = format!("{}{}", hello("bob"), say("s1", "in the middle of"));
    for cut in 0..script.len() {
        let mut bob = server.connect();
        bob.send(&script[..cut]);
        if cut % 3 == 0 {
            // Some resets meet a server that is writing.
            thread::yield_now();
        }
        bob.reset();
        if cut % 20 == 0 {
            ann.say(&format!("still{cut}"), "here");
        }
    }
    ann.say("last", "here");
    server.event(|event| matches!(event, Event::Lost { .. }).then_some(()));
    server.handle.drain();
    ann.until(r#""code":"shutdown""#);
    server.join();
}

fn a_half_closed_connection_is_answered_to_the_end(kind: Loop) {
    let server = serve(kind);
    let mut line = server.connect();
    line.send(&(hello("ci") + &say("s1", "build ok")));
    line.stream().shutdown(Shutdown::Write).unwrap();
    line.until(r#""id":"s1""#);
    while line.next().is_some() {}

    let mut netcat = TcpStream::connect(server.addr).unwrap();
    netcat.set_read_timeout(Some(PATIENCE)).unwrap();
    netcat.write_all(format!("{CODE} ci\nbuild failed").as_bytes()).unwrap();
    netcat.shutdown(Shutdown::Write).unwrap();
    let mut said = String::new();
    netcat.read_to_string(&mut said).unwrap();
    assert!(said.contains("build ok"), "{said}");
    let mut ann = server.member("ann");
    ann.until("build failed");
}

fn a_reader_who_takes_nothing_is_found_out_and_delays_nobody(kind: Loop) {
    let server = serve_with(kind, "127.0.0.1:0", |limits| limits.stall = Duration::from_millis(300));
    let mut stalled = narrow(&server);
    stalled.get_in("stalled");
    let (mut ann, mut bob) = (server.member("ann"), server.member("bob"));
    let text = "x".repeat(2_000);
    // Less than 200 kB: in a kernel that took whatever it was given, all of this would count as sent.
    for number in 0..90 {
        ann.say(&format!("a{number}"), &text);
        bob.until(&format!(r#""id":"a{number}""#));
    }
    server.event(|event| match event {
        Event::Note(Note::Closed { reason: Reason::Slow, .. }) => Some(()),
        _ => None,
    });
    ann.say("last", "still here");
}

fn whoever_reads_late_gets_everything_in_order(kind: Loop) {
    let server = serve(kind);
    let mut line = narrow(&server);
    line.get_in("late");
    let writer = line.stream().try_clone().unwrap();
    let pings = 20_000;
    // More than the private queue holds: the server stops to read, the writer is blocked, and nothing is lost.
    let writing = thread::spawn(move || {
        let lines: String = (0..pings).map(|n| format!("{{\"t\":\"ping\",\"n\":{n}}}\n")).collect();
        (&writer).write_all(lines.as_bytes()).unwrap();
    });
    thread::sleep(Duration::from_millis(200));
    for n in 0..pings {
        assert_eq!(line.until(r#""t":"pong""#), format!("{{\"t\":\"pong\",\"n\":{n}}}\n"));
    }
    writing.join().unwrap();
}

fn a_goodbye_reaches_whoever_is_still_sending(kind: Loop) {
    let server = serve(kind);
    for _ in 0..20 {
        let mut line = server.connect();
        line.send("{\"t\":\"hello\",\"v\":[1]}\n");
        line.until(r#""t":"welcome""#);
        // The line is too long long before it ends; what comes after the server's bye must not destroy it.
        let endless = vec![b'x'; 200_000];
        line.stream().write_all(b"{").unwrap();
        line.stream().write_all(&endless).unwrap();
        line.until(r#""code":"too_big""#);
        assert_eq!(line.next(), None);
    }
}

fn what_cannot_go_on_costs_no_time(kind: Loop) {
    let server = serve(kind);
    // Ended input, and output that nobody takes.
    let mut ended = narrow(&server);
    ended.get_in("ended");
    ended.send(&history_requests());
    ended.stream().shutdown(Shutdown::Write).unwrap();
    // Paused, because it takes no answers; then reset.
    let mut paused = narrow(&server);
    paused.get_in("paused");
    paused.stream().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let pings = "{\"t\":\"ping\",\"n\":1}\n".repeat(100_000);
    assert!(paused.stream().write_all(pings.as_bytes()).is_err(), "the server reads without end");
    thread::sleep(Duration::from_millis(700));
    paused.reset();
    server.event(|event| matches!(event, Event::Lost { .. }).then_some(()));
    thread::sleep(Duration::from_millis(1_000));
    server.handle.stop();
    let spent = server.join();
    assert!(spent < Duration::from_millis(900), "{spent:?} of two seconds");
    drop(ended);
}

fn a_paused_connection_that_is_reset_is_noticed_at_once(kind: Loop) {
    // Over the rate, what a plain client sends is read later; the server has nothing to say to it meanwhile.
    let server = serve_with(kind, "127.0.0.1:0", |limits| (limits.burst, limits.per_s) = (1, 1));
    let mut hasty = server.connect();
    hasty.send(&format!("{CODE} hasty\n{}", "one more line\n".repeat(100)));
    thread::sleep(Duration::from_millis(300));
    hasty.reset();
    server.event(|event| matches!(event, Event::Lost { .. }).then_some(()));
    thread::sleep(Duration::from_millis(700));
    server.handle.stop();
    let spent = server.join();
    assert!(spent < Duration::from_millis(500), "{spent:?} of one second");
}

fn a_drain_says_goodbye_to_everyone_and_ends(kind: Loop) {
    let server = serve(kind);
    let mut lines: Vec<_> = (0..20).map(|number| server.member(&format!("m{number}"))).collect();
    let addr = server.addr;
    server.handle.drain();
    for line in &mut lines {
        line.until(r#""code":"shutdown""#);
        assert_eq!(line.next(), None);
    }
    drop(lines);
    server.join();
    assert!(TcpStream::connect(addr).is_err());
}

fn a_stop_ends_at_once(kind: Loop) {
    let server = serve(kind);
    let ann = server.member("ann");
    server.handle.stop();
    server.join();
    ann.stream().read_to_end(&mut Vec::new()).ok();
}

fn a_reload_reaches_those_who_are_in_and_those_who_come(kind: Loop) {
    let server = serve(kind);
    let (mut ann, mut bob) = (server.member("ann"), server.connect());
    let mut config = config();
    config.rooms[0].title = "Day shift".into();
    config.rooms[0].codes[0].code = "NEWC-0DE7".parse().unwrap();
    server.handle.reload(config.clone());
    ann.until(r#""title":"Day shift""#);
    bob.send(&hello("bob"));
    bob.until(r#""code":"code_expired""#);
    bob.send("{\"t\":\"join\",\"code\":\"NEWC-0DE7\"}\n");
    bob.until(r#""t":"joined""#);
    let (added, removed) = server.event(|event| match event {
        Event::Note(Note::Reloaded { added, removed, .. }) => Some((added, removed)),
        _ => None,
    });
    assert_eq!((added, removed), (0, 0));
    // Of two at once the last counts.
    server.handle.reload(config);
    server.handle.reload(Config::default());
    for line in [&mut ann, &mut bob] {
        line.until(r#""code":"room_closed""#);
        line.send("{\"t\":\"ping\",\"n\":5}\n");
        line.until("pong");
    }
}

fn a_server_that_sleeps_is_observed(kind: Loop) {
    let server = serve(kind);
    let mut ann = server.member("ann");
    ann.say("s1", "one");
    ann.say("s2", "two");
    let _silent = server.connect();
    let overview = || {
        let (tell, told) = mpsc::channel();
        server.handle.observe(move |overview| tell.send(overview).unwrap());
        told.recv_timeout(PATIENCE).expect("a server that runs answers")
    };
    while overview().connections < 2 {
        thread::yield_now();
    }
    let overview = overview();
    assert_eq!((overview.sessions, overview.rooms.len(), server.handle.connections()), (1, 1, 2));
    let room = &overview.rooms[0];
    assert_eq!((room.id.as_str(), &*room.title, room.members, room.head.get()), ("ops", "On-call", 1, 2));
    assert!(room.memory > 0 && room.memory == overview.memory);
}

fn whoever_asks_a_server_that_has_ended_is_let_go(kind: Loop) {
    let server = serve(kind);
    let handle = server.handle.clone();
    server.handle.stop();
    server.join();
    let (tell, told) = mpsc::channel::<Overview>();
    handle.observe(move |overview| tell.send(overview).unwrap());
    assert!(told.recv().is_err(), "it is dropped, not kept");
    handle.reload(config());
    handle.drain();
    assert_eq!(handle.connections(), 0);
}

/// A connection whose own kernel keeps little for it.
fn narrow(server: &Running) -> Line {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.set_send_buffer_size(4 << 10).unwrap();
    socket.connect(&server.addr.into()).unwrap();
    Line::new(socket.into())
}

/// Requests whose answers fill every buffer.
fn history_requests() -> String {
    let say = say("s", &"x".repeat(3_000));
    let says: String = (0..40).map(|n| say.replace("\"s\"", &format!("\"s{n}\""))).collect();
    says + &"{\"t\":\"history\",\"id\":\"h\",\"room\":\"ops\",\"before\":1000,\"limit\":40}\n".repeat(20)
}
