//! Bare sockets that speak the dialects.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::{PATIENCE, Server};

/// Somebody who speaks json.
#[derive(Debug)]
pub struct Json {
    stream: BufReader<TcpStream>,
}

impl Json {
    /// A connection that has said nothing.
    pub fn connect(server: &Server) -> Self {
        Self { stream: BufReader::new(connect(server)) }
    }

    /// A connection whose hello was answered.
    pub fn hello(server: &Server, name: &str) -> Self {
        let mut peer = Self::connect(server);
        peer.send(&json!({"t": "hello", "v": [1], "name": name}));
        peer.expect("welcome");
        peer
    }

    /// A connection that is in a room.
    pub fn join(server: &Server, name: &str, code: &str) -> Self {
        let mut peer = Self::hello(server, name);
        peer.send(&json!({"t": "join", "code": code}));
        peer.expect("joined");
        peer
    }

    /// Sends one line.
    pub fn send(&mut self, line: &Value) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Says something in a room.
    pub fn say(&mut self, room: &str, id: &str, text: &str) {
        self.send(&json!({"t": "say", "room": room, "id": id, "text": text}));
    }

    /// Sends bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the server takes what is sent");
    }

    /// The next line; `None`: the server closed the connection.
    pub fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap_or_else(|_| panic!("no json: {line}"))),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("waiting for a line: {error}"),
        }
    }

    /// The next line of this type; what comes before it is passed over.
    pub fn expect(&mut self, t: &str) -> Value {
        loop {
            let line = self.next().unwrap_or_else(|| panic!("closed before any {t}"));
            if line["t"] == t {
                return line;
            }
        }
    }

    /// Waits until somebody has said this.
    pub fn hears(&mut self, text: &str) {
        while self.expect("msg")["text"] != text {}
    }

    /// All lines up to the answer to a ping: what the server had said by then.
    pub fn so_far(&mut self) -> Vec<Value> {
        self.send(&json!({"t": "ping", "n": 4711}));
        let mut lines = Vec::new();
        loop {
            match self.next().expect("an answer to the ping") {
                line if line["t"] == "pong" => return lines,
                line => lines.push(line),
            }
        }
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }
}

/// Somebody at netcat.
#[derive(Debug)]
pub struct Plain {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Plain {
    /// A connection that has said nothing.
    pub fn connect(server: &Server) -> Self {
        Self { stream: connect(server), unread: Vec::new() }
    }

    /// A connection that is in a room.
    pub fn join(server: &Server, name: &str, code: &str) -> Self {
        let mut peer = Self::connect(server);
        peer.line(&format!("{code} {name}"));
        peer.expect("You are in");
        peer
    }

    /// Types a line.
    pub fn line(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Sends bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes what is sent");
    }

    /// Reads up to and with these words, and says all that was read.
    pub fn expect(&mut self, words: &str) -> String {
        loop {
            if let Some(at) = self.unread.windows(words.len()).position(|window| window == words.as_bytes()) {
                let read = self.unread.drain(..at + words.len()).collect();
                return String::from_utf8(read).expect("UTF-8");
            }
            let mut buffer = [0; 4096];
            let n = self.stream.read(&mut buffer).unwrap_or_else(|error| panic!("waiting for {words:?}: {error}"));
            assert!(n > 0, "closed before {words:?}: {:?}", String::from_utf8_lossy(&self.unread));
            self.unread.extend_from_slice(&buffer[..n]);
        }
    }

    /// Everything up to the end of the connection.
    pub fn rest(mut self) -> String {
        match self.stream.read_to_end(&mut self.unread) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => {
                panic!("the connection does not end: {error}")
            }
            _ => {}
        }
        String::from_utf8(self.unread).expect("UTF-8")
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.addr).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket option");
    stream.set_nodelay(true).expect("a socket option");
    stream
}
