//! A server's bytes into a client.

use std::time::Duration;

use qun_core::client::{Action, Client, Config, Event, Input};
use qun_core::json::Request;
use qun_core::log::Kind;
use qun_core::{Entropy, Key, Now};

const WELCOME: &[u8] = br#"{"t":"welcome","v":1,"server":"s","m":"Xk3pQ9aLw2","name":"ann","resumed":false,"now":0,"ping_s":25,"grace_s":60,"limits":{"line":16384,"text":4000,"lines":64,"name":32,"replay":200,"burst":10,"per_s":2}}
"#;

/// A client wants into a room and to say something there; a server sends `bytes`, then the connection breaks and the next one
/// gets them again. What the client sends is whole requests, what it shows is the same however the bytes were split, and
/// it always knows what to do next.
///
/// The first byte says whether a welcome comes before them.
pub fn client(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    let piece = 1 + usize::from(kind >> 1) % 13;
    let whole = run(kind & 1 == 0, bytes, usize::MAX);
    let split = run(kind & 1 == 0, bytes, piece);
    assert_eq!(whole, split);
}

fn run(welcome: bool, bytes: &[u8], piece: usize) -> Vec<Event> {
    let mut entropy = Entropy::new([1; 32]);
    let config = Config {
        agent: "fuzz/0".into(),
        name: "ann".parse().ok(),
        key: Key::generate(&mut entropy),
        tail: 10,
        timeline: 50,
        backoff: Duration::from_secs(20),
    };
    let mut driven = Driven {
        client: Client::new(config, [2; 32]),
        now: Now::default(),
        shown: Vec::new(),
        up: false,
        wants: false,
    };
    driven.client.join(driven.now, "K7QM-2XD4".parse().expect("a code"));
    driven.settle();
    for _ in 0..2 {
        if !driven.connect() {
            break;
        }
        if welcome {
            driven.client.handle(driven.now, Input::Received(WELCOME));
            driven.settle();
        }
        for piece in bytes.chunks(piece) {
            driven.client.handle(driven.now, Input::Received(piece));
        }
        driven.settle();
        driven.speak();
        driven.wait(Duration::from_secs(8));
        if std::mem::take(&mut driven.up) {
            driven.client.handle(driven.now, Input::Disconnected);
            driven.settle();
        }
    }
    driven.shown
}

struct Driven {
    client: Client,
    now: Now,
    shown: Vec<Event>,
    /// There is a connection.
    up: bool,
    /// The client has asked for one.
    wants: bool,
}

impl Driven {
    /// Connects as soon as the client wants it; `false` where it never does again.
    fn connect(&mut self) -> bool {
        for _ in 0..100 {
            if std::mem::take(&mut self.wants) {
                self.up = true;
                self.client.handle(self.now, Input::Connected);
                self.settle();
                return true;
            }
            let Some(at) = self.client.deadline() else { return false };
            self.now.mono = self.now.mono.max(at);
            self.client.handle(self.now, Input::Tick);
            self.settle();
        }
        false
    }

    /// Says something in every room that the client is in by now.
    fn speak(&mut self) {
        let rooms: Vec<_> = self.client.rooms().map(|room| room.id().clone()).collect();
        for room in rooms.iter().take(3) {
            let text = "hello".parse().expect("a text");
            let _ = self.client.say(self.now, room, Kind::Say, text);
            let _ = self.client.history(self.now, room, qun_core::Seq::new(9), 5);
        }
        self.settle();
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(at) = self.client.deadline().filter(|&at| at < end) {
            self.now.mono = at;
            self.client.handle(self.now, Input::Tick);
            self.settle();
        }
        self.now.mono = end;
        self.client.handle(self.now, Input::Tick);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(action) = self.client.poll() {
            match action {
                Action::Connect => self.wants = true,
                Action::Close => (self.up, self.wants) = (false, false),
                Action::Transmit => self.flush(),
                Action::Show(event) => self.shown.push(event),
            }
        }
        assert!(self.client.deadline().is_none_or(|at| at > self.now.mono), "drained, and yet due");
    }

    fn flush(&mut self) {
        let mut sent = Vec::new();
        while let Some(mut transmit) = self.client.transmit() {
            let mut slices: [&[u8]; 4] = [&[]; 4];
            let filled = transmit.gather(&mut slices, |slice| slice);
            let bytes = slices[..filled].concat();
            assert!(!bytes.is_empty(), "a transmit has bytes");
            transmit.advance(bytes.len()).expect("no more was sent than there was");
            sent.extend_from_slice(&bytes);
        }
        for line in sent.split_inclusive(|&b| b == b'\n') {
            let line = line.strip_suffix(b"\n").expect("a whole line");
            assert!(Request::decode(line).is_ok(), "no request: {:?}", String::from_utf8_lossy(line));
        }
    }
}
