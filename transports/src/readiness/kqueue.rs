//! kqueue(2), level-triggered, by the `polling` crate: the way of macOS and the BSDs.
//!
//! `polling` speaks to many kernels; its Linux side is what the test below runs on.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use polling::{Event, Events, PollMode};

use super::poller::{Interest, Poller, Ready, Trigger};

pub(super) struct Kqueue {
    poller: polling::Poller,
    /// What the latest wait told, kept for its memory.
    events: Events,
}

impl Kqueue {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { poller: polling::Poller::new()?, events: Events::new() })
    }
}

impl AsFd for Kqueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}

impl Poller for Kqueue {
    fn trigger(&self) -> Trigger {
        Trigger::Level
    }

    /// A hang-up is told by the filters that are set, as something to read or to write.
    fn hears_hangups(&self) -> bool {
        false
    }

    fn add(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        let event = event(key, interest)?;
        #[expect(
            unsafe_code,
            reason = "`polling` remembers the descriptor by its number, so nothing holds it open but our word"
        )]
        // SAFETY: `Poller` demands `delete` before the source is closed.
        unsafe {
            self.poller.add_with_mode(source.as_raw_fd(), event, PollMode::Level)
        }
    }

    fn modify(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        self.poller.modify_with_mode(source, event(key, interest)?, PollMode::Level)
    }

    fn delete(&mut self, source: BorrowedFd<'_>) -> io::Result<()> {
        self.poller.delete(source)
    }

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        self.events.clear();
        match self.poller.wait(&mut self.events, timeout) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        ready.extend(self.events.iter().map(|event| Ready {
            key: event.key as u64,
            read: event.readable,
            write: event.writable,
            hangup: event.is_interrupt(),
            rest: false,
        }));
        Ok(())
    }
}

fn event(key: u64, interest: Interest) -> io::Result<Event> {
    let key =
        usize::try_from(key).map_err(|_| io::Error::other("this system's poller has no room for a key of 64 bits"))?;
    Ok(Event::new(key, interest.read, interest.write))
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    #[test]
    fn it_does_what_a_poller_does() {
        contract::hold(Kqueue::new().unwrap());
    }
}
