//! A wait that ends at a microsecond, where the poller itself counts in milliseconds.

use std::io;
use std::time::Duration;

use crate::readiness::poller::{Interest, Poller};

/// Rings at the time it was set to.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) struct Metronome(std::os::fd::OwnedFd);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Metronome {
    /// One that the poller watches under `key`.
    pub(super) fn new(poller: &mut dyn Poller, key: u64) -> io::Result<Self> {
        use std::os::fd::AsFd as _;

        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        poller.add(timer.as_fd(), key, Interest::READ)?;
        Ok(Self(timer))
    }

    /// Rings once after `wait`, and says how long the poller may wait.
    pub(super) fn set(&mut self, wait: Duration) -> io::Result<Option<Duration>> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        // Nothing would turn it off.
        let wait = wait.max(Duration::from_nanos(1));
        let once = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: never, it_value: once })?;
        Ok(None)
    }

    /// It rang.
    pub(super) fn hear(&mut self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

/// kqueue counts nanoseconds itself.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) struct Metronome;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Metronome {
    pub(super) fn new(_: &mut dyn Poller, _: u64) -> io::Result<Self> {
        let _ = Interest::READ;
        Ok(Self)
    }

    pub(super) fn set(&mut self, wait: Duration) -> io::Result<Option<Duration>> {
        Ok(Some(wait))
    }

    pub(super) fn hear(&mut self) {}
}
