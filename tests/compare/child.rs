//! Processes that must not outlive this one.

use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What runs now.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Has SIGINT and SIGTERM end what runs first.
///
/// # Errors
/// Where signals can't be watched.
pub(crate) fn end_with_this_process() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            // Kept, so that nothing starts any more.
            let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            for pid in running.iter() {
                // A bench ends the server that it has started.
                let _ = kill_process(*pid, Signal::TERM);
            }
            thread::sleep(Duration::from_millis(500));
            for pid in running.iter() {
                let _ = kill_process(*pid, Signal::KILL);
            }
            std::process::exit(130);
        }
    });
    Ok(())
}

/// A running process. It is killed when this goes away.
pub(crate) struct Running(Child);

impl Running {
    /// # Errors
    /// Where it can't be started.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn()?;
        running.push(Pid::from_child(&child));
        Ok(Self(child))
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Whether it ends by itself before `time` is over.
    pub(crate) fn ends_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            match self.0.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                Ok(None) => return false,
                _ => return true,
            }
        }
    }

    /// Asks it to end, and waits for that; so it can end what it has started.
    fn end(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        if !self.ends_within(Duration::from_secs(2)) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.end();
        }
        let pid = Pid::from_child(&self.0);
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).retain(|running| *running != pid);
    }
}
