//! A child process whose output is read while it runs.

use std::io::{Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::PATIENCE;

/// A running program. It is killed when this goes away.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) out: Heard,
    pub(crate) err: Heard,
}

/// What a stream has brought so far.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<(Mutex<Sound>, Condvar)>);

#[derive(Default)]
struct Sound {
    bytes: Vec<u8>,
    ended: bool,
}

impl Process {
    /// Starts a program with pipes for its three streams.
    pub(crate) fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (out, err) = (Heard::default(), Heard::default());
        out.listen(child.stdout.take().expect("a pipe"));
        err.listen(child.stderr.take().expect("a pipe"));
        let stdin = child.stdin.take();
        Self { child, stdin, out, err }
    }

    /// Takes a program in that was started with other streams.
    pub(crate) fn adopt(child: Child, out: Heard) -> Self {
        Self { child, stdin: None, out, err: Heard::default() }
    }

    pub(crate) fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin.write_all(text.as_bytes()).expect("it reads");
    }

    /// The end of its stdin.
    pub(crate) fn close(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it is ours");
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end; what it printed is whole then.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        // A program ends its streams as it ends, so that waiting for these is waiting for it, with a limit.
        self.out.end();
        self.child.wait().expect("it is ours")
    }

    /// Waits for its end and says the code that it ended with.
    pub(crate) fn exit(&mut self) -> Option<i32> {
        self.wait().code()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("stdout: {}\nstderr: {}", self.out.text(), self.err.text());
        }
    }
}

impl Heard {
    /// Reads a stream to its end, on a thread of its own.
    pub(crate) fn listen(&self, mut stream: impl Read + Send + 'static) {
        let Self(heard) = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            loop {
                // The end of a pseudo-terminal is an error.
                let read = stream.read(&mut buffer).unwrap_or(0);
                let mut sound = heard.0.lock().expect("no reader panics");
                sound.bytes.extend_from_slice(&buffer[..read]);
                sound.ended = read == 0;
                heard.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().expect("no reader panics").bytes).into_owned()
    }

    /// Waits until `found` finds something in all that was heard.
    pub(crate) fn until<T>(&self, what: &str, mut found: impl FnMut(&str) -> Option<T>) -> T {
        let Self(heard) = self;
        let deadline = Instant::now() + PATIENCE;
        let mut sound = heard.0.lock().expect("no reader panics");
        loop {
            let text = String::from_utf8_lossy(&sound.bytes).into_owned();
            if let Some(found) = found(&text) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!sound.ended && !left.is_zero(), "waited for {what}, heard {text:?}");
            sound = heard.1.wait_timeout(sound, left).expect("no reader panics").0;
        }
    }

    /// Waits until this was heard.
    pub(crate) fn until_says(&self, words: &str) {
        self.until(words, |text| text.contains(words).then_some(()));
    }

    /// Waits for the end of the stream.
    pub(crate) fn end(&self) {
        let Self(heard) = self;
        let deadline = Instant::now() + PATIENCE;
        let mut sound = heard.0.lock().expect("no reader panics");
        while !sound.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it does not end: {:?}", String::from_utf8_lossy(&sound.bytes));
            sound = heard.1.wait_timeout(sound, left).expect("no reader panics").0;
        }
    }
}
