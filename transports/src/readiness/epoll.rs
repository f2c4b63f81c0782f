//! Level-triggered epoll(7).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use super::poller::{Interest, Poller, Ready};

/// The most sources told at one wait. The kernel tells the others next, in turn, so that none waits for ever.
const AT_ONCE: usize = 512;

pub(crate) struct Epoll {
    fd: OwnedFd,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { fd: epoll::create(CreateFlags::CLOEXEC)? })
    }
}

/// An epoll is readable while one of its sources is ready, and so it can be watched by another loop.
impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Poller for Epoll {
    fn add(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.fd, source, EventData::new_u64(key), flags(interest))?)
    }

    fn modify(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.fd, source, EventData::new_u64(key), flags(interest))?)
    }

    fn delete(&mut self, source: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.fd, source)?)
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
        }));
        Ok(())
    }
}

fn flags(interest: Interest) -> EventFlags {
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN, interest.read);
    flags.set(EventFlags::OUT, interest.write);
    flags
}

/// epoll_wait(2) counts milliseconds in an `int`. Rounded up, so that a wait never ends just before what it waits for.
fn whole_milliseconds(wait: Duration) -> Timespec {
    let ms = wait.as_micros().div_ceil(1_000).min(i32::MAX as u128) as i64;
    Timespec { tv_sec: ms / 1_000, tv_nsec: ms % 1_000 * 1_000_000 }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn wait(epoll: &mut Epoll) -> Vec<Ready> {
        let mut ready = Vec::new();
        epoll.wait(Some(Duration::ZERO), &mut ready).unwrap();
        ready
    }

    #[test]
    fn what_is_ready_is_told_until_it_is_not() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut epoll = Epoll::new().unwrap();
        epoll.add(ours.as_fd(), 7, Interest::READ).unwrap();
        assert_eq!(wait(&mut epoll), []);
        theirs.write_all(b"x").unwrap();
        let readable = Ready { key: 7, read: true, write: false, hangup: false };
        assert_eq!((wait(&mut epoll), wait(&mut epoll)), (vec![readable], vec![readable]));

        epoll.modify(ours.as_fd(), 8, Interest::WRITE).unwrap();
        assert_eq!(wait(&mut epoll), [Ready { key: 8, read: false, write: true, hangup: false }]);
        epoll.modify(ours.as_fd(), 9, Interest::NONE).unwrap();
        assert_eq!(wait(&mut epoll), []);
        drop(theirs);
        assert_eq!(wait(&mut epoll), [Ready { key: 9, read: false, write: false, hangup: true }]);
        epoll.delete(ours.as_fd()).unwrap();
        assert_eq!(wait(&mut epoll), []);
    }

    #[test]
    fn a_wait_is_rounded_up_and_fits_an_int() {
        assert_eq!(whole_milliseconds(Duration::from_micros(1)), Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
        assert_eq!(whole_milliseconds(Duration::from_millis(1_250)), Timespec { tv_sec: 1, tv_nsec: 250_000_000 });
        assert_eq!(whole_milliseconds(Duration::MAX).tv_sec, i64::from(i32::MAX / 1_000));
    }
}
