//! A waker for a thread that must not know whose task it wakes.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

/// Wakes whichever task looked last. The lock is held for no longer than it takes to swap a waker.
#[derive(Default)]
pub(super) struct Relay {
    task: Mutex<Option<Waker>>,
}

impl Relay {
    /// From now on the task of `cx` is woken. What it looks for is to be looked for after this.
    pub(super) fn look(&self, cx: &Context<'_>) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.wake();
        }
    }
}
