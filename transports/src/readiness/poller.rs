//! What an event loop wants of the kernel.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Tells which of many sources are ready.
pub(crate) trait Poller: Send {
    /// When it tells that a source is ready.
    fn trigger(&self) -> Trigger;

    /// Whether a hang-up is told of a source of which nothing is watched.
    fn hears_hangups(&self) -> bool;

    /// Watches a source from here on, until it is [deleted](Self::delete). What is ready by now is told like what will be.
    ///
    /// # Errors
    /// Where the system, or the poller, has no place for another source.
    fn add(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()>;

    /// Changes what is watched of a source. What is ready by now is told, edge-triggered too.
    fn modify(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()>;

    /// Watches a source no longer. To be called before it is closed.
    fn delete(&mut self, source: BorrowedFd<'_>) -> io::Result<()>;

    /// The same, of a source of which there is no other descriptor, and which is closed next.
    fn closes(&mut self, source: BorrowedFd<'_>) -> io::Result<()> {
        self.delete(source)
    }

    /// Waits until a source is ready or `timeout` is over (`None`: for ever; it is never cut short), and puts what is
    /// ready into `ready`. A source may be told twice, for reading and for writing. An interruption by a signal is a wait
    /// that ends with nothing.
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()>;
}

/// When a poller tells that a source is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// At every wait, as long as it is. So a loop need not read or write until there is nothing more, and must not watch
    /// what it does not act upon.
    Level,
    /// Once, when it becomes so or when more arrives. So a loop must remember what it was told until a read or a write has
    /// met `WouldBlock`, and what it stops short of it must come back to by itself.
    Edge,
}

/// What is watched of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Interest {
    pub(crate) const NONE: Self = Self { read: false, write: false };
    pub(crate) const READ: Self = Self { read: true, write: false };
    pub(crate) const WRITE: Self = Self { read: false, write: true };
    pub(crate) const BOTH: Self = Self { read: true, write: true };
}

/// A source that is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) key: u64,
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// It failed, was reset, or ended in both directions.
    pub(crate) hangup: bool,
    /// Edge-triggered: a read that comes back with less than was asked for may have stopped before what is told here, an
    /// end or an urgent byte, and nothing will tell of it again. Read until there is nothing.
    pub(crate) rest: bool,
}
