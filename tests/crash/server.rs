//! The server, which is killed and started again on the same files and the same port.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::binary::qun;

/// Longer than anything takes on a machine that is busy with other things, too.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    dir: TempDir,
    child: Child,
    addr: SocketAddr,
    /// How often it was started, and so how often its journal may say that it listens.
    starts: usize,
}

/// A message of the log, read back over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) seq: u64,
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Server {
    pub(crate) fn start(rooms: &[(&str, &str)], durability: &str) -> Self {
        let dir = TempDir::new().expect("a directory");
        let rooms: String = rooms
            .iter()
            .map(|(id, code)| format!("[[room]]\nid = \"{id}\"\ncodes = [{{ code = \"{code}\" }}]\n"))
            .collect();
        let storage = format!("[storage]\npath = \"qun.db\"\ndurability = \"{durability}\"\n");
        let config = format!("{storage}[limits]\nburst = 0\nacts_burst = 0\n{rooms}");
        fs::write(dir.path().join("qun.toml"), config).expect("a file");
        let child = spawn(&dir, "127.0.0.1:0");
        let mut server = Self { dir, child, addr: ([127, 0, 0, 1], 0).into(), starts: 1 };
        server.addr = server.until_it_listens();
        server
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn start_again(&mut self) {
        self.child = spawn(&self.dir, &self.addr.to_string());
        self.starts += 1;
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    pub(crate) fn terminate(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// Waits until the process that runs now listens; where.
    pub(crate) fn until_it_listens(&mut self) -> SocketAddr {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let journal = self.journal();
            let pieces: Vec<_> = journal.split(START).skip(1).collect();
            let entries = pieces.get(self.starts - 1).into_iter().flat_map(|piece| piece.lines());
            let mut entries = entries.filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(entry) = entries.find(|entry| entry["event"] == "listening") {
                return entry["addr"].as_str().and_then(|addr| addr.parse().ok()).expect("an address");
            }
            let ended = self.child.try_wait().expect("it is ours");
            assert!(ended.is_none(), "the server did not start: {journal}");
            assert!(Instant::now() < deadline, "the server does not listen: {journal}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// All that it wrote to stderr, of all its lives.
    pub(crate) fn journal(&self) -> String {
        fs::read_to_string(self.dir.path().join("journal")).unwrap_or_default()
    }

    /// All that a room's log holds, read in pages by somebody who was never there before.
    pub(crate) fn log_of(&self, room: &str, code: &str) -> Vec<Message> {
        let mut stream = TcpStream::connect(self.addr).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines();
        let mut ask = |request: &Value| {
            stream.write_all(format!("{request}\n").as_bytes()).expect("the server reads");
            let mut answers =
                lines.by_ref().map(|line| serde_json::from_str::<Value>(&line.expect("a line")).expect("json"));
            answers.find(|answer| answer["re"] == request["id"]).expect("an answer")
        };
        ask(&json!({"t": "hello", "id": "h", "v": [1], "name": "checker"}));
        let joined = ask(&json!({"t": "join", "id": "j", "code": code, "tail": 0}));
        assert_eq!(joined["first"], 1, "{joined}");
        let mut log = Vec::new();
        loop {
            let page = ask(&json!({"t": "history", "id": "p", "room": room, "after": log.len(), "limit": 200}));
            for message in page["msgs"].as_array().expect("a page") {
                let text = |field: &str| message[field].as_str().expect("a text").to_string();
                let seq = message["seq"].as_u64().expect("a seq");
                log.push(Message { seq, name: text("name"), text: text("text") });
            }
            if page["more"] == false {
                assert_eq!(joined["head"], log.len(), "the room's head is its last message");
                return log;
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands in the journal before each start.
const START: &str = "# start\n";

fn spawn(dir: &TempDir, listen: &str) -> Child {
    let mut journal: File =
        OpenOptions::new().create(true).append(true).open(dir.path().join("journal")).expect("a file");
    journal.write_all(START.as_bytes()).expect("it is ours");
    let mut command: Command = qun();
    command.args(["serve", "--listen", listen, "--config"]).arg(dir.path().join("qun.toml"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(journal).spawn().expect("qun runs")
}
