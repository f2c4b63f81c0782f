//! select(2).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use rustix::event::{FdSetElement, FdSetIter, Timespec, fd_set_bound, fd_set_insert, fd_set_remove, select};
use rustix::io::Errno;

use super::poller::{Interest, Poller, Ready, Trigger};

/// A set has a bit for each descriptor from 0 to one less than this: POSIX's `FD_SETSIZE`, a constant of every libc.
///
/// Kernels that we know would take longer sets. This poller does not use that: it is here to be what select(2) is, and who
/// needs more connections has a better poller at hand.
const FD_SETSIZE: usize = 1_024;

/// The longest wait that every system takes.
const LONGEST: Duration = Duration::from_secs(10_000_000);

const WORDS: usize = FD_SETSIZE.div_ceil(size_of::<FdSetElement>() * 8);

type Set = [FdSetElement; WORDS];

pub(super) struct Select {
    read: Set,
    write: Set,
    /// By descriptor.
    keys: Box<[u64; FD_SETSIZE]>,
}

impl Select {
    pub(super) fn new() -> Self {
        let empty = [FdSetElement::default(); WORDS];
        Self { read: empty, write: empty, keys: Box::new([0; FD_SETSIZE]) }
    }

    fn set(&mut self, fd: RawFd, interest: Interest) {
        for (set, on) in [(&mut self.read, interest.read), (&mut self.write, interest.write)] {
            if on { fd_set_insert(set, fd) } else { fd_set_remove(set, fd) }
        }
    }
}

impl Poller for Select {
    fn trigger(&self) -> Trigger {
        Trigger::Level
    }

    /// Only what stands in a set is told, and a hang-up only as something to read or to write.
    fn hears_hangups(&self) -> bool {
        false
    }

    fn add(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        let fd = source.as_raw_fd();
        // A bit beyond the set is what C programs write into whatever lies behind it.
        let Some(place) = usize::try_from(fd).ok().and_then(|fd| self.keys.get_mut(fd)) else {
            let highest = FD_SETSIZE - 1;
            return Err(io::Error::other(format!(
                "select can't watch descriptor {fd}: its sets end at {highest} (FD_SETSIZE is {FD_SETSIZE})"
            )));
        };
        *place = key;
        self.set(fd, interest);
        Ok(())
    }

    fn modify(&mut self, source: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        self.add(source, key, interest)
    }

    fn delete(&mut self, source: BorrowedFd<'_>) -> io::Result<()> {
        let fd = source.as_raw_fd();
        // One that was refused was never watched.
        if usize::try_from(fd).is_ok_and(|fd| fd < FD_SETSIZE) {
            self.set(fd, Interest::NONE);
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let timeout = timeout.map(whole_microseconds);
        // The kernel's answer is written over the question.
        let (mut read, mut write) = (self.read, self.write);
        let bound = fd_set_bound(&read).max(fd_set_bound(&write));
        #[expect(
            unsafe_code,
            reason = "select(2) takes descriptors by number, so nothing holds them open but our word"
        )]
        // SAFETY: a number stands in a set from `add` to `delete`, and `Poller` demands `delete` before the source is closed.
        let outcome = unsafe { select(bound, Some(&mut read), Some(&mut write), None, timeout.as_ref()) };
        match outcome {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let key = |fd: RawFd| self.keys[fd as usize];
        ready.extend(FdSetIter::new(&read).map(|fd| Ready { key: key(fd), read: true, ..Ready::default() }));
        ready.extend(FdSetIter::new(&write).map(|fd| Ready { key: key(fd), write: true, ..Ready::default() }));
        Ok(())
    }
}

/// Rounded up, so that a wait never ends just before what it waits for.
fn whole_microseconds(wait: Duration) -> Timespec {
    let us = wait.min(LONGEST).as_nanos().div_ceil(1_000) as i64;
    Timespec { tv_sec: us / 1_000_000, tv_nsec: us % 1_000_000 * 1_000 }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::super::contract;
    use super::*;

    #[test]
    fn it_does_what_a_poller_does() {
        contract::hold(Select::new());
    }

    #[test]
    fn a_descriptor_beyond_the_sets_is_refused_by_its_number_and_the_limit() {
        let (low, _other) = UnixStream::pair().unwrap();
        let Ok(high) = rustix::io::fcntl_dupfd_cloexec(&low, FD_SETSIZE as RawFd) else {
            return; // This process may not open so many.
        };
        let mut select = Select::new();
        let error = select.add(high.as_fd(), 1, Interest::BOTH).unwrap_err().to_string();
        assert!(error.contains(&high.as_raw_fd().to_string()) && error.contains("1023"), "{error}");
        select.delete(high.as_fd()).unwrap();
        select.add(low.as_fd(), 2, Interest::WRITE).unwrap();
        assert_eq!(contract::wait(&mut select), [Ready { key: 2, write: true, ..Ready::default() }]);
    }

    #[test]
    fn a_reset_is_told_as_something_to_read_or_write_and_else_not_at_all() {
        let (ours, theirs) = contract::connected();
        let mut select = Select::new();
        select.add(ours.as_fd(), 3, Interest::NONE).unwrap();
        contract::reset(theirs);
        contract::until_it_hangs_up(&ours);
        assert_eq!(contract::wait(&mut select), []);
        select.modify(ours.as_fd(), 3, Interest::READ).unwrap();
        assert_eq!(contract::wait(&mut select), [Ready { key: 3, read: true, ..Ready::default() }]);
        select.modify(ours.as_fd(), 3, Interest::WRITE).unwrap();
        assert_eq!(contract::wait(&mut select), [Ready { key: 3, write: true, ..Ready::default() }]);
    }

    #[test]
    fn a_wait_is_rounded_up_and_is_one_that_every_system_takes() {
        assert_eq!(whole_microseconds(Duration::from_nanos(1)), Timespec { tv_sec: 0, tv_nsec: 1_000 });
        assert_eq!(whole_microseconds(Duration::from_millis(1_250)), Timespec { tv_sec: 1, tv_nsec: 250_000_000 });
        assert_eq!(whole_microseconds(Duration::MAX).tv_sec, 10_000_000);
    }
}
