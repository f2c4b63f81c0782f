//! What an event loop wants of the kernel.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::str::FromStr;
use std::time::Duration;

use super::epoll::Epoll;

/// Tells which of many sources are ready.
///
/// The loops are written for **level-triggered** readiness: a source in whose state anything of interest is true is told
/// at every [`wait`](Self::wait). So a loop need not read or write until `WouldBlock`, and must not stay interested
/// in what it does not act upon.
pub(crate) trait Poller: Send {
    /// Watches a source from here on. A hang-up or an error is told without any interest.
    fn add(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()>;

    /// Changes what is watched of a source.
    fn modify(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()>;

    /// Watches a source no longer. To be called before it is closed.
    fn delete(&mut self, source: BorrowedFd<'_>) -> io::Result<()>;

    /// Waits until a source is ready or `timeout` is over (`None`: for ever; it is never cut short), and puts what is
    /// ready into `ready`, each source at most once. An interruption by a signal is a wait that ends with nothing.
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()>;
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
}

/// A source that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) key: u64,
    pub(crate) read: bool,
    pub(crate) write: bool,
    /// It failed, was reset, or ended in both directions.
    pub(crate) hangup: bool,
}

/// By which of the kernel's ways an event loop learns what is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PollerKind {
    /// `epoll`, level-triggered.
    #[default]
    Epoll,
}

impl PollerKind {
    /// Every kind there is.
    pub const ALL: [Self; 1] = [Self::Epoll];

    /// What a configuration calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Epoll => "epoll",
        }
    }

    pub(crate) fn open(self) -> io::Result<Box<dyn Poller>> {
        match self {
            Self::Epoll => Ok(Box::new(Epoll::new()?)),
        }
    }
}

impl fmt::Display for PollerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that no poller has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPoller(String);

impl fmt::Display for UnknownPoller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = PollerKind::ALL.iter().map(|kind| kind.as_str()).collect();
        write!(f, "there is no poller {:?}; there is {}", self.0, names.join(", "))
    }
}

impl std::error::Error for UnknownPoller {}

impl FromStr for PollerKind {
    type Err = UnknownPoller;

    fn from_str(name: &str) -> Result<Self, UnknownPoller> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| UnknownPoller(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in PollerKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let error = "kqueue".parse::<PollerKind>().unwrap_err();
        assert_eq!(error.to_string(), "there is no poller \"kqueue\"; there is epoll");
    }
}
