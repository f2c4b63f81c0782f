//! The client's loop against the server's.

use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, net::TcpListener};

use crate::every::over_every_loop;
use crate::support::{CODE, Loop, PATIENCE, serve, serve_with};
use qun_core::client::{Config, Event};
use qun_core::log::Kind;
use qun_core::{Entropy, Key, RoomId};
use qun_transports::readiness::{ClientHandle, Connection};

over_every_loop! {
    two_people_talk_and_say_goodbye
    a_server_that_comes_back_is_found_again
    a_name_is_looked_up_and_each_of_its_addresses_tried
}

/// A client on a thread of its own.
struct Somebody {
    handle: ClientHandle,
    events: Receiver<Event>,
    thread: JoinHandle<io::Result<()>>,
}

fn somebody(server: &str, seed: u8) -> Somebody {
    let config = Config {
        agent: "qun/test".into(),
        name: "ann".parse().ok(),
        key: Key::generate(&mut Entropy::new([seed; 32])),
        tail: 50,
        timeline: 100,
        password: None,
        backoff: Duration::from_millis(100),
    };
    let connection = Connection::new(server.into(), config, [seed; 32]).unwrap();
    let handle = connection.handle();
    let (tell, events) = mpsc::channel();
    let thread = thread::spawn(move || connection.run(move |_, event| drop(tell.send(event))));
    Somebody { handle, events, thread }
}

impl Somebody {
    fn event<T>(&self, find: impl Fn(Event) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let event = self.events.recv_timeout(end.saturating_duration_since(Instant::now()));
            if let Some(found) = find(event.expect("the event never came")) {
                return found;
            }
        }
    }

    fn join(&self) {
        self.handle.with(|client, now| {
            client.join(now, CODE.parse::<qun_core::Code>().unwrap());
        });
        self.event(|event| matches!(event, Event::Joined { .. }).then_some(()));
    }

    fn say(&self, text: &'static str) {
        self.handle.with(move |client, now| {
            client.say(now, &room(), Kind::Say, text.parse().unwrap()).unwrap();
        });
        self.hears(text);
    }

    fn hears(&self, text: &str) {
        self.event(|event| match event {
            Event::Message { message, .. } if message.text.as_str() == text => Some(()),
            _ => None,
        });
    }
}

fn room() -> RoomId {
    "ops".parse().unwrap()
}

fn two_people_talk_and_say_goodbye(kind: Loop) {
    let server = serve(kind);
    let (ann, bob) = (somebody(&server.addr.to_string(), 1), somebody(&server.addr.to_string(), 2));
    ann.join();
    bob.join();
    ann.say("hello bob");
    bob.hears("hello bob");
    assert_eq!(ann.handle.trouble(), None);

    ann.handle.with(|client, now| client.bye(now));
    ann.event(|event| matches!(event, Event::Ended { .. }).then_some(()));
    ann.thread.join().unwrap().unwrap();
    ann.handle.with(|_, _| panic!("a command after the end does nothing"));

    bob.handle.stop();
    bob.thread.join().unwrap().unwrap();
}

fn a_server_that_comes_back_is_found_again(kind: Loop) {
    let server = serve(kind);
    let addr = server.addr.to_string();
    let ann = somebody(&addr, 3);
    ann.join();
    ann.say("before");
    server.handle.stop();
    server.join();
    ann.event(|event| matches!(event, Event::Offline { attempt: 2.., .. }).then_some(()));
    assert!(ann.handle.trouble().unwrap().contains("refused"), "{:?}", ann.handle.trouble());

    let _server = serve_with(kind, &addr, |_| {});
    ann.event(|event| matches!(event, Event::Joined { .. }).then_some(()));
    ann.event(|event| matches!(event, Event::Restarted { .. }).then_some(()));
    assert_eq!(ann.handle.trouble(), None);
    ann.say("after");
    ann.handle.stop();
    ann.thread.join().unwrap().unwrap();
}

fn a_name_is_looked_up_and_each_of_its_addresses_tried(kind: Loop) {
    let server = serve(kind);
    let ann = somebody(&format!("localhost:{}", server.addr.port()), 4);
    ann.join();
    ann.handle.stop();
}

#[test]
fn commands_are_obeyed_while_nothing_answers() {
    // A listener that nobody accepts from, and whose queue is full, answers no attempt to connect.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ann = somebody(&listener.local_addr().unwrap().to_string(), 5);
    let (tell, told) = mpsc::channel();
    ann.handle.with(move |_, _| tell.send(()).unwrap());
    told.recv_timeout(Duration::from_secs(1)).unwrap();
    ann.handle.stop();
    ann.thread.join().unwrap().unwrap();
}
