//! `qun serve`, as its own process on a port that it chose.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::Value;
use tempfile::TempDir;

use super::{DEV, GUEST, HALL, KEEPER, OPS, OWNER, Process, Wire, qun};

/// How the server waits for its sockets, as the name of the test says.
pub(crate) const POLLER: &str = match env!("CARGO_CRATE_NAME").as_bytes() {
    b"end_to_end_over_select" => "select",
    b"end_to_end_over_epoll_et" => "epoll-et",
    _ => "epoll",
};

/// What drives it.
const RUNTIME: &str = match env!("CARGO_CRATE_NAME").as_bytes() {
    b"end_to_end_over_smol" => "smol",
    _ => "readiness",
};

/// A server with three rooms: `ops` (a code for each role), `dev` and `hall`, which only counts.
pub(crate) struct Server {
    process: Process,
    pub(crate) addr: SocketAddr,
    dir: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// A server with these lines in its `[limits]`.
    pub(crate) fn with(limits: &str) -> Self {
        Self::configured("", limits)
    }

    /// A server that keeps what is said in `qun.db`, with these lines in its `[limits]`.
    pub(crate) fn kept(limits: &str) -> Self {
        Self::configured("[storage]\npath = \"qun.db\"\n", limits)
    }

    fn configured(storage: &str, limits: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let room = |id: &str, presence: &str, codes: &[(&str, &str)]| {
            let code =
                |(code, role): &(&str, &str)| format!("{{ code = \"{code}\", label = \"{role}\", role = \"{role}\" }}");
            let codes: Vec<_> = codes.iter().map(code).collect();
            format!("[[room]]\nid = \"{id}\"\npresence = \"{presence}\"\ncodes = [{}]\n", codes.join(", "))
        };
        let rooms = [
            room("ops", "full", &[(OPS, "talk"), (GUEST, "read"), (KEEPER, "moderator"), (OWNER, "owner")]),
            room("dev", "full", &[(DEV, "talk")]),
            room("hall", "count", &[(HALL, "talk")]),
        ];
        let config = format!("utc_offset = \"+00:00\"\n{storage}[limits]\n{limits}\n{}", rooms.concat());
        let file = dir.path().join("qun.toml");
        std::fs::write(&file, config).expect("a file");
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
        let (process, addr) = serve(&dir, "127.0.0.1:0");
        Self { process, addr, dir }
    }

    /// Kills it, and starts it again where it was.
    pub(crate) fn crash_and_restart(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it where it was, once it has ended.
    pub(crate) fn start_again(&mut self) {
        (self.process, self.addr) = serve(&self.dir, &self.addr.to_string());
    }

    /// Tries that, and demands that it refuses. What it says.
    pub(crate) fn does_not_start(&self) -> String {
        let mut command = qun();
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(self.path("qun.toml"));
        let mut process = Process::start(&mut command);
        assert_eq!(process.exit(), Some(2));
        process.err.end();
        process.err.text()
    }

    /// A file in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// As a client is told where it is.
    pub(crate) fn door(&self) -> String {
        self.addr.to_string()
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(self.addr)
    }

    /// Waits until its log has an entry of this event that `fits`.
    pub(crate) fn until_logs(&self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.process.err.until(event, |text| {
            let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            entries.filter(|entry| entry["event"] == event).find(&fits)
        })
    }

    /// Waits until this finds something in all of its log.
    pub(crate) fn until_log<T>(&self, found: impl FnMut(&str) -> Option<T>) -> T {
        self.process.err.until("an entry of its log", found)
    }

    pub(crate) fn log(&self) -> String {
        self.process.err.text()
    }

    pub(crate) fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Changes its configuration and has it read again.
    pub(crate) fn reconfigure(&self, change: impl FnOnce(String) -> String) {
        let file = self.dir.path().join("qun.toml");
        let config = std::fs::read_to_string(&file).expect("it was written");
        std::fs::write(&file, change(config)).expect("a file");
        self.process.signal(Signal::HUP);
    }

    /// Waits for its end; its log is whole then.
    pub(crate) fn exit(&mut self) -> Option<i32> {
        let exit = self.process.exit();
        self.process.err.end();
        exit
    }

    /// Demands that it runs and serves.
    pub(crate) fn is_well(&mut self) {
        assert!(self.process.is_running(), "the server has ended");
        let mut wire = self.connect();
        wire.member("visitor", DEV);
        wire.say("dev", "are you well?");
        wire.until(|line| line["text"] == "are you well?");
    }
}

fn serve(dir: &TempDir, listen: &str) -> (Process, SocketAddr) {
    let mut command = qun();
    command
        .args(["serve", "--runtime", RUNTIME, "--poller", POLLER, "--listen", listen, "--config"])
        .arg(dir.path().join("qun.toml"));
    let process = Process::start(&mut command);
    let addr = process.err.until("where it listens", |text| {
        let line = text.lines().next()?;
        let entry: Value = serde_json::from_str(line).ok()?;
        assert_eq!(entry["event"], "listening", "the first line of the log");
        Some(entry["addr"].as_str()?.parse().expect("an address"))
    });
    (process, addr)
}

/// Lets this process, and those that it starts, have as many descriptors as the system allows. How many that is.
pub(crate) fn free_descriptors() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
