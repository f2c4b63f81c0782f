//! The log, as a driver sees it.

use std::task::Waker;

use qun_core::Now;
use qun_core::log::{Answer, Request};

/// Where the rooms' messages are kept and numbered; [`qun_core::log`] says what its words mean.
///
/// The [`Driver`](crate::Driver) owns the log and calls it, always on the loop's thread: [`submit`](Self::submit) for
/// each request of the machine, in the machine's order, and [`poll`](Self::poll) until there is no answer, after every
/// turn and whenever the loop is woken. Neither may block: what takes time belongs on a thread of the log's own, which
/// wakes the loop by the [`Waker`] of [`start`](Self::start) once it has an answer.
pub trait Log {
    /// Called once, before anything else. A log that answers later than at the next [`poll`](Self::poll) keeps `waker`,
    /// which any thread may use; one that answers at once needs none.
    fn start(&mut self, waker: Waker) {
        drop(waker);
    }

    /// Takes a request. Each is answered as [`qun_core::log`] has it, at once or later, and a fault is an answer too.
    fn submit(&mut self, now: Now, request: Request);

    /// The next answer, where there is one now. The answers of one room come in the order in which the log gave them;
    /// between rooms there is no order.
    fn poll(&mut self) -> Option<Answer>;
}
