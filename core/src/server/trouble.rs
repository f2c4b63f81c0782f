//! What the log could not do: told as it begins, then at a rate that an operator can read, and when it is over.

use core::time::Duration;

use super::Server;
use super::io::{LogTask, Note};
use crate::time::Instant;

/// How long a fault that was told of is not told of again.
const AGAIN: Duration = Duration::from_secs(60);

/// How a room's log does one kind of thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Trouble {
    fails: bool,
    /// When a fault was told last.
    told: Option<Instant>,
    /// Failures since then.
    untold: u64,
    /// Failures since it last was told to work.
    all: u64,
}

impl Trouble {
    /// It failed so often; how many failures are to be told of now, if any. What comes and goes is told no more often than
    /// what stays.
    fn failed(&mut self, count: u64, now: Instant) -> Option<u64> {
        self.fails = true;
        self.untold = self.untold.saturating_add(count);
        self.all = self.all.saturating_add(count);
        if self.told.is_some_and(|told| now < told + AGAIN) {
            return None;
        }
        self.told = Some(now);
        Some(core::mem::take(&mut self.untold))
    }

    /// It did not fail; how often it had, where that was told and is over now.
    fn worked(&mut self) -> Option<u64> {
        if !core::mem::take(&mut self.fails) || self.untold == self.all {
            return None;
        }
        self.untold = 0;
        Some(core::mem::take(&mut self.all))
    }
}

impl Server {
    /// The log could not do so much for a room.
    pub(super) fn log_failed(&mut self, room: u32, task: LogTask, count: u64) {
        let now = self.now.mono;
        let state = &mut self.rooms[room as usize];
        let trouble = state.trouble.of(task);
        if let Some(count) = trouble.failed(count, now) {
            let room = state.id.clone();
            self.note(Note::LogFault { room, task, count });
        }
    }

    /// The log did something for a room.
    pub(super) fn log_worked(&mut self, room: u32, task: LogTask) {
        let state = &mut self.rooms[room as usize];
        if let Some(count) = state.trouble.of(task).worked() {
            let room = state.id.clone();
            self.note(Note::LogWorks { room, task, count });
        }
    }
}

/// How a room's log does both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Troubles {
    keep: Trouble,
    read: Trouble,
}

impl Troubles {
    fn of(&mut self, task: LogTask) -> &mut Trouble {
        match task {
            LogTask::Keep => &mut self.keep,
            LogTask::Read => &mut self.read,
        }
    }
}
