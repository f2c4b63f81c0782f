//! `qun bench`, and what it says.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::child::Running;

/// What a measurement may take beyond its own time: people have to get in, too.
const PATIENCE: Duration = Duration::from_secs(90);

/// A load, as on the command line of `qun bench`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Load {
    pub(crate) kind: &'static str,
    pub(crate) rooms: u32,
    pub(crate) members: u32,
    pub(crate) senders: u32,
    pub(crate) bytes: usize,
    pub(crate) pace: Pace,
    pub(crate) seconds: f64,
    /// What rooms of qun's tell of who is there.
    pub(crate) presence: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    Window(u32),
    Rate(u32),
}

impl Load {
    /// People talk, to be completed.
    pub(crate) const TALK: Self = Self {
        kind: "talk",
        rooms: 1,
        members: 2,
        senders: 1,
        bytes: 64,
        pace: Pace::Window(1),
        seconds: 0.5,
        presence: "count",
    };

    pub(crate) fn args(&self) -> Vec<String> {
        let (pace, number) = match self.pace {
            Pace::Window(window) => ("--window", window),
            Pace::Rate(rate) => ("--rate", rate),
        };
        let Self { kind, rooms, members, senders, bytes, seconds, .. } = self;
        let args = [
            "bench",
            "--json",
            kind,
            "--rooms",
            &rooms.to_string(),
            "--members",
            &members.to_string(),
            "--senders",
            &senders.to_string(),
            "--bytes",
            &bytes.to_string(),
            pace,
            &number.to_string(),
            "--seconds",
            &seconds.to_string(),
            "--warmup",
            &(seconds / 3.0).clamp(0.1, 1.0).to_string(),
        ];
        args.map(str::to_owned).into()
    }
}

/// Runs a load; what came out of it, by the names that `qun bench --json` has for it.
///
/// # Errors
/// Where it can't be run, takes too long or finds a fault, in its own words.
pub(crate) fn run(qun: &mut Command, load: &Load, more: &[String]) -> Result<Value, String> {
    qun.args(load.args()).args(more).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut bench = Running::start(qun).map_err(|error| format!("can't run qun bench: {error}"))?;
    if !bench.ends_within(PATIENCE + Duration::from_secs_f64(2.0 * load.seconds)) {
        return Err("it takes too long".into());
    }
    // Both fit into what a pipe holds.
    let (mut out, mut err) = (String::new(), String::new());
    let child = bench.child();
    let status = child.wait().map_err(|error| error.to_string())?;
    let read = child.stdout.take().map(|mut stream| stream.read_to_string(&mut out));
    read.transpose().map_err(|error| error.to_string())?;
    let read = child.stderr.take().map(|mut stream| stream.read_to_string(&mut err));
    read.transpose().map_err(|error| error.to_string())?;
    let said = || err.trim().trim_start_matches("qun: ").to_owned();
    let mut document: Value = serde_json::from_str(&out).map_err(|_| said())?;
    let result = document["result"].take();
    if !status.success() {
        return Err(format!("what arrived was not what was said: {}", result["faults"]));
    }
    Ok(result)
}
