//! epoll(7), level-triggered and edge-triggered: to the kernel the difference is one flag.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use super::poller::{Interest, Poller, Ready, Trigger};

/// The most sources told at one wait. The kernel tells the others next, in turn, so that none waits for ever.
const AT_ONCE: usize = 512;

pub(super) struct Epoll {
    fd: OwnedFd,
    trigger: Trigger,
}

impl Epoll {
    pub(super) fn new(trigger: Trigger) -> io::Result<Self> {
        Ok(Self { fd: epoll::create(CreateFlags::CLOEXEC)?, trigger })
    }

    fn flags(&self, interest: Interest) -> EventFlags {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, interest.read);
        flags.set(EventFlags::OUT, interest.write);
        if self.trigger == Trigger::Edge {
            flags.insert(EventFlags::ET);
            // What a short read may stop before: see `Ready::rest`.
            flags.set(EventFlags::RDHUP | EventFlags::PRI, interest.read);
        }
        flags
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Poller for Epoll {
    fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// The kernel adds `EPOLLERR` and `EPOLLHUP` to whatever is asked for.
    fn hears_hangups(&self) -> bool {
        true
    }

    fn add(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.fd, source, EventData::new_u64(key), self.flags(interest))?)
    }

    fn modify(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.fd, source, EventData::new_u64(key), self.flags(interest))?)
    }

    fn delete(&mut self, source: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.fd, source)?)
    }

    /// The kernel forgets what is closed. Where a copy of the descriptor keeps it open for a moment, as in a process that is
    /// about to become another program, it may be told of still.
    fn closes(&mut self, _: BorrowedFd<'_>) -> io::Result<()> {
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let timeout = timeout.map(whole_milliseconds);
        let mut space = [const { MaybeUninit::uninit() }; AT_ONCE];
        let events = match epoll::wait(&self.fd, &mut space, timeout.as_ref()) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        ready.extend(events.iter().map(|&epoll::Event { flags, data, .. }| Ready {
            key: data.u64(),
            read: flags.contains(EventFlags::IN),
            write: flags.contains(EventFlags::OUT),
            hangup: flags.intersects(EventFlags::ERR | EventFlags::HUP),
            rest: flags.intersects(EventFlags::RDHUP | EventFlags::PRI),
        }));
        Ok(())
    }
}

/// epoll_wait(2) counts milliseconds in an `int`. Rounded up, so that a wait never ends just before what it waits for.
fn whole_milliseconds(wait: Duration) -> Timespec {
    let ms = wait.as_micros().div_ceil(1_000).min(i32::MAX as u128) as i64;
    Timespec { tv_sec: ms / 1_000, tv_nsec: ms % 1_000 * 1_000_000 }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::Shutdown;

    use super::super::contract::{self, wait};
    use super::*;

    #[test]
    fn both_do_what_a_poller_does() {
        contract::hold(Epoll::new(Trigger::Level).unwrap());
        contract::hold(Epoll::new(Trigger::Edge).unwrap());
    }

    #[test]
    fn a_reset_is_told_of_who_is_watched_for_nothing() {
        for trigger in [Trigger::Level, Trigger::Edge] {
            let (ours, theirs) = contract::connected();
            let mut epoll = Epoll::new(trigger).unwrap();
            epoll.add(ours.as_fd(), 3, Interest::NONE).unwrap();
            contract::reset(theirs);
            contract::until_it_hangs_up(&ours);
            assert_eq!(wait(&mut epoll), [Ready { key: 3, hangup: true, ..Ready::default() }]);
        }
    }

    #[test]
    fn an_end_behind_the_bytes_is_told_with_them_and_never_again() {
        let (mut ours, mut theirs) = contract::connected();
        let mut epoll = Epoll::new(Trigger::Edge).unwrap();
        theirs.write_all(b"x").unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        epoll.add(ours.as_fd(), 4, Interest::READ).unwrap();
        let ready = loop {
            if let [ready] = wait(&mut epoll)[..]
                && ready.rest
            {
                break ready;
            }
        };
        assert_eq!(ready, Ready { key: 4, read: true, rest: true, ..Ready::default() });
        assert_eq!(ours.read(&mut [0; 8]).unwrap(), 1);
        assert_eq!(wait(&mut epoll), []);
    }

    #[test]
    fn a_wait_is_rounded_up_and_fits_an_int() {
        assert_eq!(whole_milliseconds(Duration::from_micros(1)), Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
        assert_eq!(whole_milliseconds(Duration::from_millis(1_250)), Timespec { tv_sec: 1, tv_nsec: 250_000_000 });
        assert_eq!(whole_milliseconds(Duration::MAX).tv_sec, i64::from(i32::MAX / 1_000));
    }
}
