//! A client of ours, as a program that reads it.

use serde_json::Value;
use tempfile::TempDir;

use super::{OPS, Process, Server, qun};

/// `qun join --json`, as a program reads it.
pub(crate) struct Joined {
    pub(crate) process: Process,
    _state: TempDir,
}

impl Joined {
    pub(crate) fn new(server: &Server, name: &str) -> Self {
        let state = TempDir::new().expect("a directory");
        let mut command = qun();
        command.args(["join", OPS, "--json", "--stay", "--name", name, "--server", &server.door()]);
        command.env("XDG_STATE_HOME", state.path()).env_remove("QUN_CODE");
        let process = Process::start(&mut command);
        let joined = Self { process, _state: state };
        joined.until("joined", |_| true);
        joined
    }

    fn events(text: &str) -> Vec<Value> {
        // The last line may not be whole yet.
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    pub(crate) fn until(&self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.process
            .out
            .until(event, |text| Self::events(text).into_iter().find(|told| told["event"] == event && fits(told)))
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        Self::events(&self.process.out.text())
    }
}
