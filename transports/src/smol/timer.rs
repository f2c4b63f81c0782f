//! A timer for a deadline that moves.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use qun_core::Instant;

use crate::clock::Clock;

/// Tells when a deadline has come.
///
/// Setting a timer of `async_io` costs a lock and a system call, and most deadlines move back before they come. So it is
/// set only where it would come too late; where it comes too early, it is set anew then.
pub(super) struct Timer {
    clock: Clock,
    timer: async_io::Timer,
    /// For when the timer is set.
    set: Option<Instant>,
}

impl Timer {
    /// A timer of deadlines by this clock.
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, timer: async_io::Timer::never(), set: None }
    }

    /// Ready once `deadline` has come; else the task is woken then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        if deadline <= self.clock.now().mono {
            return Poll::Ready(());
        }
        loop {
            if self.set.is_none_or(|set| deadline < set) {
                // What the clock can't say is too far away to come.
                let Some(at) = self.clock.at(deadline) else { return Poll::Pending };
                self.timer.set_at(at);
                self.set = Some(deadline);
            }
            ready!(Pin::new(&mut self.timer).poll(cx));
            if self.set.take() == Some(deadline) {
                return Poll::Ready(());
            }
        }
    }
}
