//! A program that says one thing after another, and whatever it is not sure of again, under the same id, without looking
//! whether it is there already. It also says again what it is sure of: the log must know that, too, after any crash.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use qun_core::{Entropy, Key};
use serde_json::{Value, json};

use super::person::Witness;

/// A bot, on a thread.
pub(crate) struct Bot {
    silent: Arc<AtomicBool>,
    thread: JoinHandle<Witness>,
}

/// What it knows.
struct Mind {
    key: Key,
    room: &'static str,
    code: &'static str,
    witness: Witness,
    /// The seq of the last message that was acknowledged.
    sure: Option<u64>,
}

impl Bot {
    pub(crate) fn begin(number: u8, server: SocketAddr, door: (&'static str, &'static str), seed: [u8; 32]) -> Self {
        let silent = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&silent);
        let witness = Witness { name: format!("bot{number}"), ..Witness::default() };
        let key = Key::generate(&mut Entropy::new(seed));
        let mut mind = Mind { key, room: door.0, code: door.1, witness, sure: None };
        let thread = thread::spawn(move || {
            // What breaks is the connection, and the server comes back.
            while mind.talk(server, &stop).is_err() {
                thread::sleep(Duration::from_millis(20));
            }
            mind.witness
        });
        Self { silent, thread }
    }

    /// Says no more, once what was said is acknowledged. What the bot knows.
    pub(crate) fn end(self) -> Witness {
        self.silent.store(true, Ordering::Release);
        self.thread.join().expect("it ends")
    }
}

impl Mind {
    /// Talks until it is to be silent, or the connection breaks.
    fn talk(&mut self, server: SocketAddr, silent: &AtomicBool) -> io::Result<()> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let mut ask = |request: Value| -> io::Result<Value> {
            stream.write_all(format!("{request}\n").as_bytes())?;
            loop {
                let line = lines.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
                // A line that a kill cut short.
                let answer: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
                if answer["re"] == request["id"] || answer["id"] == request["id"] {
                    return Ok(answer);
                }
            }
        };
        ask(json!({"t": "hello", "id": "h", "v": [1], "name": self.witness.name, "key": self.key.expose()}))?;
        ask(json!({"t": "join", "id": "j", "code": self.code, "tail": 0}))?;
        loop {
            let number = self.witness.acknowledged.len();
            if let Some(sure) = self.sure {
                let answer = ask(self.say(number - 1))?;
                if (&answer["t"], &answer["seq"]) != (&json!("ok"), &json!(sure)) {
                    self.witness.complaints.push(format!("{answer} of what was {sure} before"));
                }
            }
            if silent.load(Ordering::Acquire) && number == self.witness.said.len() {
                return Ok(());
            }
            let text = self.text(number);
            if number == self.witness.said.len() {
                self.witness.said.push((self.room.into(), text.clone()));
            }
            let answer = ask(self.say(number))?;
            let seq = answer["seq"].as_u64();
            if seq.is_none() {
                self.witness.complaints.push(answer.to_string());
                return Ok(());
            }
            self.sure = seq;
            self.witness.acknowledged.push(text);
        }
    }

    fn say(&self, number: usize) -> Value {
        json!({"t": "say", "id": format!("say-{number}"), "room": self.room, "text": self.text(number)})
    }

    fn text(&self, number: usize) -> String {
        format!("{} {number}", self.witness.name)
    }
}
