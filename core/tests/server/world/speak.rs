//! The other end's side of the json dialect.

use qun_core::ConnId;
use serde_json::{Value, json};

use super::{World, seconds};

pub(crate) const OPS: &str = "K7QM-2XD4";
pub(crate) const GUEST: &str = "R3AD-0N1Y";
pub(crate) const DEV: &str = "DEV0-C0DE";
pub(crate) const HALL: &str = "HA11-HA11";
pub(crate) const WRONG: &str = "WR0N-GGGG";

pub(crate) const ANN: &str = "q8ZtV1c0TgW2q8ZtV1c0Tg";
pub(crate) const BOB: &str = "bobbobbobbobbobbobbobb";
pub(crate) const MEI: &str = "mei-mei-mei-mei-mei-me";

impl World {
    /// Sends one json line.
    pub(crate) fn ask(&mut self, conn: ConnId, request: Value) {
        self.send(conn, format!("{request}\n"));
    }

    /// Sends one json line and takes the one line that must come of it.
    pub(crate) fn call(&mut self, conn: ConnId, request: Value) -> Value {
        self.quiet(conn);
        self.ask(conn, request);
        self.only(conn)
    }

    /// The lines that came since the last time.
    pub(crate) fn lines(&mut self, conn: ConnId) -> Vec<Value> {
        let text = self.text(conn);
        assert!(text.is_empty() || text.ends_with('\n'), "not a whole line: {text:?}");
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line:?}"))).collect()
    }

    /// The one line that came since the last time.
    pub(crate) fn only(&mut self, conn: ConnId) -> Value {
        let mut lines = self.lines(conn);
        assert_eq!(lines.len(), 1, "one line was to come: {lines:#?}");
        lines.remove(0)
    }

    /// Nothing came since the last time.
    pub(crate) fn quiet(&mut self, conn: ConnId) {
        assert_eq!(self.text(conn), "");
    }

    pub(crate) fn hello(&mut self, conn: ConnId, name: &str, key: Option<&str>) -> Value {
        let welcome = self.call(conn, json!({"t": "hello", "id": "h0", "v": [1], "name": name, "key": key}));
        assert_eq!(welcome["t"], "welcome", "{welcome}");
        welcome
    }

    /// Joins by code and takes the answer, and whatever came before it.
    pub(crate) fn join(&mut self, conn: ConnId, code: &str) -> Value {
        self.take(conn);
        self.ask(conn, json!({"t": "join", "id": "j1", "code": code, "tail": 0}));
        self.lines(conn).swap_remove(0)
    }

    /// A connection that has said hello, without a key.
    pub(crate) fn client(&mut self, name: &str) -> ConnId {
        let conn = self.connect();
        self.hello(conn, name, None);
        conn
    }

    /// A connection in a room, without a key. What the others were told of it is left to them.
    pub(crate) fn member(&mut self, name: &str, code: &str) -> ConnId {
        let conn = self.client(name);
        let joined = self.join(conn, code);
        assert_eq!(joined["t"], "joined", "{joined}");
        conn
    }

    /// A connection in a room, with a key.
    pub(crate) fn keyed(&mut self, name: &str, key: &str, code: &str) -> ConnId {
        let conn = self.connect();
        self.hello(conn, name, Some(key));
        let joined = self.join(conn, code);
        assert_eq!(joined["t"], "joined", "{joined}");
        conn
    }

    pub(crate) fn say(&mut self, conn: ConnId, id: &str, room: &str, text: &str) {
        self.ask(conn, json!({"t": "say", "id": id, "room": room, "text": text}));
    }

    /// Lets seconds pass in which these clients answer every ping.
    pub(crate) fn keep(&mut self, conns: &[ConnId], time: u64) {
        for _ in 0..time {
            self.wait(seconds(1));
            for &conn in conns {
                self.send(conn, "{\"t\":\"pong\"}\n");
            }
        }
    }

    /// A connection that speaks plain, in a room; its greeting is taken.
    pub(crate) fn person(&mut self, name: &str, code: &str) -> ConnId {
        let conn = self.connect();
        self.send(conn, format!("{code} {name}\n"));
        let greeting = self.text(conn);
        assert!(greeting.contains("You are in"), "{greeting:?}");
        conn
    }
}

/// The texts of the messages among these lines.
pub(crate) fn texts(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter(|line| line["t"] == "msg").filter_map(|line| line["text"].as_str()).collect()
}

/// The types of these lines.
pub(crate) fn types(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["t"].as_str()).collect()
}

/// The names in this roster, sorted.
pub(crate) fn names(frame: &Value) -> Vec<&str> {
    let members = frame["members"].as_array().expect("a roster");
    let mut names: Vec<_> = members.iter().filter_map(|person| person["name"].as_str()).collect();
    names.sort_unstable();
    names
}
