//! The pollers by their names.

use std::fmt;
use std::io;
#[cfg(feature = "smol")]
use std::os::fd::{AsFd, OwnedFd};
use std::str::FromStr;

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::epoll::Epoll;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::kqueue::Kqueue;
use super::poller::Poller;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::poller::Trigger;
use super::select::Select;

/// By which of the kernel's ways an event loop learns what is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PollerKind {
    /// `select(2)`: everywhere, and no descriptor above 1023. Every wait hands the kernel all that is watched, and looks
    /// through it.
    Select,
    /// `epoll(7)`, level-triggered: told as long as it is so.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[default]
    Epoll,
    /// `epoll(7)`, edge-triggered: told when it becomes so.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    EpollEt,
    /// `kqueue(2)` of macOS and the BSDs, level-triggered.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    #[default]
    Kqueue,
}

impl PollerKind {
    /// Every kind that this system has.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub const ALL: [Self; 3] = [Self::Select, Self::Epoll, Self::EpollEt];

    /// Every kind that this system has.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub const ALL: [Self; 2] = [Self::Select, Self::Kqueue];

    /// What a configuration calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Select => "select",
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll => "epoll",
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::EpollEt => "epoll-et",
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Self::Kqueue => "kqueue",
        }
    }

    pub(crate) fn open(self) -> io::Result<Box<dyn Poller>> {
        Ok(match self {
            Self::Select => Box::new(Select::new()),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll => Box::new(Epoll::new(Trigger::Level)?),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::EpollEt => Box::new(Epoll::new(Trigger::Edge)?),
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Self::Kqueue => Box::new(Kqueue::new()?),
        })
    }
}

/// A poller that another loop can watch in its turn: the descriptor is readable while one of the poller's sources is ready.
#[cfg(feature = "smol")]
pub(crate) fn nested() -> io::Result<(Box<dyn Poller>, OwnedFd)> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let poller = Epoll::new(Trigger::Level)?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let poller = Kqueue::new()?;
    // The same poller under another descriptor, since whoever watches wants to own one.
    let watched = poller.as_fd().try_clone_to_owned()?;
    Ok((Box::new(poller), watched))
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
        let names = PollerKind::ALL.map(PollerKind::as_str).join(", ");
        write!(f, "this system has no poller {:?}; it has {names}", self.0)
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
        let error = "poll".parse::<PollerKind>().unwrap_err().to_string();
        assert!(error.starts_with("this system has no poller \"poll\"; it has select, "), "{error}");
    }
}
