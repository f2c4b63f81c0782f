//! The clocks of this machine, as the core wants them.

use std::time::{Instant, SystemTime};

use qun_core::Now;

/// Reads both clocks; `mono` counts from when this value was made. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// What the clocks say.
    pub fn now(&self) -> Now {
        let mono = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        // A wall clock that stands before 1970 is wrong, and 1970 no more so.
        let unix = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Now { mono: qun_core::Instant::from_micros(mono), unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) }
    }

    /// When `mono` is, as the standard library has it; `None` where it can't say.
    #[cfg(feature = "smol")]
    pub(crate) fn at(&self, mono: qun_core::Instant) -> Option<Instant> {
        self.start.checked_add(mono.since(qun_core::Instant::default()))
    }
}
