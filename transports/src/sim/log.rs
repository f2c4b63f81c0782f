//! The log of the simulated server: the one in memory, with a disk's slowness.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;
use qun_core::log::{Answer, Request};
use qun_core::{Instant, Now};

use super::weather::up_to;
use crate::log::Log;
use crate::memory::MemoryLog;

/// Takes a request at once and answers later. A crash between the two is the one that people fear: the message is in
/// the log, and nobody was told.
#[derive(Clone, Debug)]
pub(super) struct SlowLog {
    memory: MemoryLog,
    rng: Rng,
    slowness: Duration,
    answers: VecDeque<(Instant, Answer)>,
    now: Instant,
}

impl SlowLog {
    pub(super) fn new(memory: MemoryLog, rng: Rng, slowness: Duration) -> Self {
        Self { memory, rng, slowness, answers: VecDeque::new(), now: Instant::default() }
    }

    /// Says what time it is: answers that are due by now may be polled.
    pub(super) fn set_time(&mut self, now: Instant) {
        self.now = now;
    }

    /// When the next answer is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.answers.front().map(|(at, _)| *at)
    }

    pub(super) fn memory(&self) -> &MemoryLog {
        &self.memory
    }

    /// What survives a crash of the server.
    pub(super) fn into_memory(self) -> MemoryLog {
        self.memory
    }
}

impl Log for SlowLog {
    fn submit(&mut self, now: Now, request: Request) {
        self.memory.submit(now, request);
        while let Some(answer) = self.memory.poll() {
            let earliest = self.answers.back().map_or(now.mono, |(at, _)| *at);
            let at = earliest.max(now.mono + up_to(&mut self.rng, self.slowness));
            self.answers.push_back((at, answer));
        }
    }

    fn poll(&mut self) -> Option<Answer> {
        if self.deadline()? <= self.now { self.answers.pop_front().map(|(_, answer)| answer) } else { None }
    }
}
