//! The server's process from outside: its processor time, its system calls, and stopping it for a moment.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use qun_transports::readiness::PollerKind;
use rustix::process::{Pid, Signal, kill_process};

use crate::server;

/// A server that ends as this is dropped.
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    pub(crate) port: u16,
}

/// An strace that counts.
pub(crate) struct Trace {
    strace: Child,
    told: Lines<BufReader<ChildStderr>>,
}

/// What was counted of one kind of system call.
pub(crate) struct Calls {
    pub(crate) name: String,
    pub(crate) count: u64,
}

impl Process {
    pub(crate) fn start(poller: PollerKind, rooms: usize) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([server::COMMAND, poller.as_str(), &rooms.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pid = Pid::from_raw(child.id() as i32).ok_or("a process without an id")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("a process without stdout")?).read_line(&mut line)?;
        Ok(Self { child, pid, port: line.trim().parse().map_err(|_| "the server did not start")? })
    }

    /// The processor time of the loop's thread, which is the process's first.
    pub(crate) fn spent(&self) -> io::Result<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.child.id()))?;
        let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok());
        nanoseconds.map(Duration::from_nanos).ok_or_else(|| io::Error::other("schedstat without a number"))
    }

    /// Begins to count system calls; `None` where there is no strace, or it may not trace.
    pub(crate) fn trace(&self) -> Result<Option<Trace>, Box<dyn Error>> {
        let strace = Command::new("strace")
            .args(["-c", "-p", &self.child.id().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut strace) = strace else { return Ok(None) };
        let mut told = BufReader::new(strace.stderr.take().ok_or("strace without stderr")?).lines();
        if told.next().transpose()?.is_some_and(|line| line.ends_with("attached")) {
            return Ok(Some(Trace { strace, told }));
        }
        strace.wait()?;
        Ok(None)
    }

    /// Lets the server do nothing until it [goes on](Self::go_on).
    pub(crate) fn stop(&self) -> io::Result<()> {
        kill_process(self.pid, Signal::STOP)?;
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
            let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
            if matches!(state, Some('T' | 't')) {
                return Ok(());
            }
            thread::yield_now();
        }
    }

    pub(crate) fn go_on(&self) -> io::Result<()> {
        Ok(kill_process(self.pid, Signal::CONT)?)
    }
}

impl Trace {
    /// Ends the counting.
    pub(crate) fn calls(mut self) -> Result<Vec<Calls>, Box<dyn Error>> {
        let pid = Pid::from_raw(self.strace.id() as i32).ok_or("a process without an id")?;
        kill_process(pid, Signal::INT)?;
        let summary: Vec<String> = self.told.collect::<io::Result<_>>()?;
        self.strace.wait()?;
        Ok(summary.iter().filter_map(|line| row(line)).collect())
    }
}

/// A row of strace's summary: share, seconds, microseconds a call, calls, errors (may be missing), name.
fn row(line: &str) -> Option<Calls> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let name = *columns.last()?;
    if name == "total" || columns.len() < 5 {
        return None;
    }
    Some(Calls { name: name.into(), count: columns[3].parse().ok()? })
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
