//! The log that a check gives to a loop.

use std::sync::mpsc::{self, Receiver, Sender};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use qun_core::Now;
use qun_core::log::{Answer, Request};

use crate::log::Log;
use crate::memory::MemoryLog;

/// A log in memory that answers at once, or later from a thread of its own, as one on a disk would.
#[derive(Debug)]
pub struct CheckedLog {
    memory: MemoryLog,
    delay: Option<Delay>,
}

/// A thread that hands every answer on after a while.
#[derive(Debug)]
struct Delay {
    time: Duration,
    give: Option<Sender<Answer>>,
    take: Option<Receiver<Answer>>,
}

impl CheckedLog {
    pub(super) fn prompt() -> Self {
        Self { memory: MemoryLog::new([7; 32]), delay: None }
    }

    pub(super) fn late(time: Duration) -> Self {
        Self { delay: Some(Delay { time, give: None, take: None }), ..Self::prompt() }
    }
}

impl Log for CheckedLog {
    fn start(&mut self, waker: Waker) {
        let Some(Delay { time, give, take }) = &mut self.delay else { return };
        let time = *time;
        let (asked, asks) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        (*give, *take) = (Some(asked), Some(told));
        thread::spawn(move || {
            for answer in asks {
                thread::sleep(time);
                if tell.send(answer).is_err() {
                    return;
                }
                waker.wake_by_ref();
            }
        });
    }

    fn submit(&mut self, now: Now, request: Request) {
        self.memory.submit(now, request);
        if let Some(Delay { give: Some(give), .. }) = &self.delay {
            while let Some(answer) = self.memory.poll() {
                // It fails where the thread is gone, and then nobody will hear the answer.
                let _ = give.send(answer);
            }
        }
    }

    fn poll(&mut self) -> Option<Answer> {
        match &self.delay {
            Some(Delay { take: Some(take), .. }) => take.try_recv().ok(),
            // A loop that never starts its log has one that never answers.
            Some(_) => None,
            None => self.memory.poll(),
        }
    }
}
