//! A bare socket, and somebody who speaks json or types on it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size};
use serde_json::{Value, json};

use super::PATIENCE;

pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    said: u64,
}

impl Wire {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        Self { stream: BufReader::new(stream), said: 0 }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server reads");
    }

    /// Sends what the server may no longer want to hear.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    pub(crate) fn ask(&mut self, request: &Value) {
        self.send(format!("{request}\n"));
    }

    /// The next json line. What begins with no brace is a prompt, printed to one who was slow to speak.
    pub(crate) fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        if line.starts_with("Room code: ") {
            return self.line();
        }
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// The next json line that fits; those before it are dropped.
    pub(crate) fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.line();
            if fits(&line) {
                return line;
            }
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn call(&mut self, mut request: Value) -> Value {
        self.said += 1;
        let id = json!(format!("r{}", self.said));
        request["id"] = id.clone();
        self.ask(&request);
        self.until(|line| line["re"] == id)
    }

    pub(crate) fn hello(&mut self, name: &str, key: Option<&str>) -> Value {
        let welcome = self.call(json!({"t": "hello", "v": [1], "name": name, "key": key}));
        assert_eq!(welcome["t"], "welcome", "{welcome}");
        welcome
    }

    pub(crate) fn join(&mut self, code: &str) -> Value {
        self.call(json!({"t": "join", "code": code}))
    }

    /// Says hello and joins.
    pub(crate) fn member(&mut self, name: &str, code: &str) {
        self.hello(name, None);
        let joined = self.join(code);
        assert_eq!(joined["t"], "joined", "{joined}");
    }

    pub(crate) fn say(&mut self, room: &str, text: &str) {
        self.ask(&json!({"t": "say", "room": room, "text": text}));
    }

    /// Reads until these words have come, whatever lies around them. All that came.
    pub(crate) fn hears(&mut self, words: &str) -> String {
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains(words) {
            let new = self.stream.fill_buf().expect("more to come");
            assert!(!new.is_empty(), "waited for {words:?}, heard {:?}", String::from_utf8_lossy(&heard));
            let taken = new.len();
            heard.extend_from_slice(new);
            self.stream.consume(taken);
        }
        String::from_utf8(heard).expect("the server speaks UTF-8")
    }

    /// Reads until just these bytes have come.
    pub(crate) fn skips(&mut self, bytes: &[u8]) {
        let mut heard = Vec::new();
        while !heard.ends_with(bytes) {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("more to come");
            heard.push(byte[0]);
        }
    }

    /// All that comes until the server closes.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A server that closes with input unread resets the connection; what it said came before.
        let _ = self.stream.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Whether something comes within a moment.
    pub(crate) fn is_silent_for(&mut self, moment: Duration) -> bool {
        self.stream.get_ref().set_read_timeout(Some(moment)).expect("a timeout");
        let silent = self.stream.fill_buf().is_err();
        self.stream.get_ref().set_read_timeout(Some(PATIENCE)).expect("a timeout");
        silent
    }

    /// The end of what this side sends.
    pub(crate) fn finish(&mut self) {
        self.stream.get_ref().shutdown(Shutdown::Write).expect("it is open");
    }

    /// Ends with a RST.
    pub(crate) fn reset(self) {
        set_socket_linger(self.stream.get_ref(), Some(Duration::ZERO)).expect("an option");
    }

    /// Takes little into the kernel.
    pub(crate) fn narrow(&self) {
        set_socket_recv_buffer_size(self.stream.get_ref(), 4_096).expect("an option");
    }
}
