//! Somebody who talks all the time, by the client that everybody uses, and remembers everything that it shows.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use qun_core::client::{Client, Config, Event};
use qun_core::log::Kind;
use qun_core::{Code, Entropy, Key, Now};
use qun_transports::readiness::{ClientHandle, Connection};

use super::ROOMS;
use super::server::Message;

/// Messages of one person that are not acknowledged at once.
const AHEAD: usize = 8;

/// Longer than it takes, after everything, until everyone has everything.
const PATIENCE: Duration = Duration::from_secs(120);

/// A person, on a thread.
pub(crate) struct Person {
    handle: ClientHandle,
    mind: Arc<Mind>,
    thread: JoinHandle<()>,
}

/// What a person knows.
struct Mind {
    witness: Mutex<Witness>,
    /// Whether the person has said enough.
    silent: AtomicBool,
}

/// What a person has said and seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    pub(crate) name: String,
    /// Room and text, in the order of saying.
    pub(crate) said: Vec<(String, String)>,
    /// Texts that came back as the person's own.
    pub(crate) acknowledged: Vec<String>,
    /// What was shown in each room, in that order.
    pub(crate) seen: HashMap<String, Vec<Message>>,
    /// What should never have been shown.
    pub(crate) complaints: Vec<String>,
}

impl Person {
    pub(crate) fn begin(number: u8, server: SocketAddr, codes: [&str; ROOMS.len()], seed: [u8; 32]) -> Self {
        let name = format!("p{number}");
        let config = Config {
            agent: "crash".into(),
            name: name.parse().ok(),
            key: Key::generate(&mut Entropy::new(seed)),
            tail: 0,
            timeline: 100,
            password: None,
            backoff: Duration::from_millis(200),
        };
        let connection = Connection::new(server.to_string(), config, seed).expect("a client");
        let handle = connection.handle();
        let witness = Witness { name, ..Witness::default() };
        let mind = Arc::new(Mind { witness: Mutex::new(witness), silent: AtomicBool::new(false) });
        let codes = codes.map(|code| code.parse::<Code>().expect("a code"));
        handle.with(move |client, now| {
            for code in codes {
                client.join(now, code);
            }
        });
        let (hand, heard) = (handle.clone(), Arc::clone(&mind));
        let thread = thread::spawn(move || {
            let hear = |_: &Client, event| hear(&heard, event, &hand);
            connection.run(hear).expect("the loop runs");
        });
        Self { handle, mind, thread }
    }

    /// Says no more.
    pub(crate) fn fall_silent(&self) {
        self.mind.silent.store(true, Ordering::Release);
    }

    /// Waits until everything that was said is acknowledged.
    pub(crate) fn settle(&self) {
        self.until("everything that was said is acknowledged", |client, witness| {
            client.pending().next().is_none() && witness.acknowledged.len() == witness.said.len()
        });
    }

    /// Waits until everything up to these seqs was shown. What this person knows.
    pub(crate) fn end(self, heads: [u64; ROOMS.len()]) -> Witness {
        self.until("everything is shown", move |_, witness| {
            let newest = |room| witness.seen.get(room).and_then(|seen| seen.last()).map_or(0, |message| message.seq);
            ROOMS.iter().zip(heads).all(|((room, _), head)| newest(*room) >= head)
        });
        self.handle.stop();
        self.thread.join().expect("it ends");
        self.mind.witness.lock().expect("nobody panics").clone()
    }

    /// Waits until the client and its person say so.
    fn until(&self, what: &'static str, is_so: impl Fn(&Client, &Witness) -> bool + Clone + Send + 'static) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (tell, told) = mpsc::channel();
            let (mind, is_so) = (Arc::clone(&self.mind), is_so.clone());
            self.handle.with(move |client, _| {
                let _ = tell.send(is_so(client, &mind.witness.lock().expect("nobody panics")));
            });
            if told.recv().expect("the client runs") {
                return;
            }
            let witness = self.mind.witness.lock().expect("nobody panics");
            assert!(witness.complaints.is_empty(), "{} was told: {:?}", witness.name, witness.complaints);
            assert!(Instant::now() < deadline, "{}: it never came to be that {what}", witness.name);
            drop(witness);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn hear(mind: &Arc<Mind>, event: Event, handle: &ClientHandle) {
    let mut witness = mind.witness.lock().expect("nobody panics");
    match event {
        // The first time; after that, each acknowledgement is a reason to go on.
        Event::Joined { re: Some(_), .. } => (0..AHEAD).for_each(|_| speak(mind, handle)),
        Event::Message { room, message, mine, .. } => {
            let text = message.text.as_str().to_string();
            if mine {
                witness.acknowledged.push(text.clone());
                speak(mind, handle);
            }
            let seen = Message { seq: message.seq.get(), name: message.name.to_string(), text };
            witness.seen.entry(room.to_string()).or_default().push(seen);
        }
        Event::Restarted { .. }
        | Event::Lost { .. }
        | Event::Refused { .. }
        | Event::Unconfirmed { .. }
        | Event::Delivered { .. }
        | Event::Left { .. }
        | Event::Ended { .. } => witness.complaints.push(format!("{event:?}")),
        _ => {}
    }
}

/// Says the next thing, as soon as the client is asked.
fn speak(mind: &Arc<Mind>, handle: &ClientHandle) {
    let mind = Arc::clone(mind);
    handle.with(move |client: &mut Client, now: Now| {
        if mind.silent.load(Ordering::Acquire) {
            return;
        }
        let mut witness = mind.witness.lock().expect("nobody panics");
        let number = witness.said.len();
        let (room, _) = ROOMS[number % ROOMS.len()];
        let text = format!("{} {number}", witness.name);
        let said = client.say(now, &room.parse().expect("a room"), Kind::Say, text.parse().expect("a text"));
        // Of two rooms, one is joined before the other.
        if said.is_ok() {
            witness.said.push((room.into(), text));
        }
    });
}
