//! A server: the real one, on a port of its own choice.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{EXPIRED, HALL, OPS, OPS_READ, PATIENCE, qun};

/// `qun serve` with the rooms `ops` and `hall`. It is killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    home: TempDir,
    child: Child,
    log: Receiver<Value>,
}

impl Server {
    /// A server with the protocol's own limits, but for these lines of `[limits]`.
    pub fn start(limits: &str) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let config = format!(
            "[limits]\n{limits}\n\
             [[room]]\nid = \"ops\"\ntitle = \"On-call\"\ncodes = [\n\
             {{ code = \"{OPS}\", label = \"team\" }},\n\
             {{ code = \"{OPS_READ}\", label = \"guests\", role = \"read\" }},\n\
             {{ code = \"{EXPIRED}\", label = \"old\", expires = \"2001-01-01T00:00:00Z\" }},\n]\n\
             [[room]]\nid = \"hall\"\ntitle = \"Hall\"\npresence = \"count\"\n\
             codes = [{{ code = \"{HALL}\", label = \"all\" }}]\n"
        );
        std::fs::write(home.path().join("qun.toml"), config).expect("a configuration");
        Self::run(home, "127.0.0.1:0")
    }

    /// Kills it, as a power cut would, and starts it again at the same address.
    pub fn restart(mut self) -> Self {
        self.kill();
        // The directory lives on; only the process is a new one.
        let home = std::mem::replace(&mut self.home, tempfile::tempdir().expect("a directory"));
        Self::run(home, &self.addr.to_string())
    }

    fn run(home: TempDir, listen: &str) -> Self {
        let config = home.path().join("qun.toml");
        let config = config.to_str().expect("a path in UTF-8");
        let mut command = qun(home.path(), &["serve", "--config", config, "--listen", listen]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("a server");
        let stderr = BufReader::new(child.stderr.take().expect("its log"));
        let (tell, log) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no log line: {line}"));
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let mut server = Self { addr: SocketAddr::from(([0; 4], 0)), home, child, log };
        let listening = server.logged("listening");
        server.addr = listening["addr"].as_str().and_then(|addr| addr.parse().ok()).expect("an address");
        server
    }

    /// Its log, up to the next line of this event.
    pub fn logged(&mut self, event: &str) -> Value {
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the log never says {event}"));
            if line["event"] == event {
                return line;
            }
        }
    }

    /// All that it has logged and nobody has looked at.
    pub fn log(&self) -> Vec<Value> {
        self.log.try_iter().collect()
    }

    /// A home directory that goes with it.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Asks it to go down.
    pub fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).expect("it runs");
    }

    /// How it ended.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("it was started")
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().expect("it was started");
        self.wait();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
