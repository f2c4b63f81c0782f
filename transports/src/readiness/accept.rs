//! Taking in connections, in storms and without descriptors too.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use qun_core::Instant;
use rustix::io::Errno;
use socket2::SockRef;

use super::poller::{Interest, Poller};
use super::socket;

/// Connections taken from one listener at a turn, so that a storm does not stop those who are in.
const AT_ONCE: usize = 64;
/// Connections that the kernel keeps for us. The 128 of the standard library overflow when everybody comes back at once,
/// and who is then turned away tries again only after a second.
const QUEUE: i32 = 4_096;
/// How long a pause lasts where no connection closes before.
const PAUSE: Duration = Duration::from_millis(250);

/// The listening sockets.
pub(super) struct Listeners {
    listeners: Vec<TcpListener>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// All is well.
    Open,
    /// There was no descriptor or no memory. A listener that is full is readable all the time, so it is not watched.
    Paused { until: Instant },
    /// Watched again, and nothing accepted in vain since; but nobody has been told that all is well.
    Trying,
}

/// What came of accepting.
pub(super) enum Accepted {
    /// Somebody.
    Peer(TcpStream, SocketAddr),
    /// There is no descriptor or no memory for another connection; accepting pauses. Told once, until `Again`.
    Full(io::Error),
    /// After `Full`: everyone who waited has been taken in.
    Again,
}

/// What an error of accept(2) means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// Nobody is waiting.
    Nobody,
    /// This one connection failed, or nothing did.
    GoOn,
    /// No descriptor or no memory.
    Full,
    /// It is no listening socket.
    Broken,
}

impl Listeners {
    /// Watches each listener under the key that `key` makes of its index.
    pub(super) fn new(
        listeners: Vec<TcpListener>,
        poller: &mut dyn Poller,
        key: impl Fn(usize) -> u64,
    ) -> io::Result<Self> {
        for (index, listener) in listeners.iter().enumerate() {
            socket::prepare_listener(listener)?;
            // Listening again only sets the length of the queue, to which the system has a limit of its own.
            let _ = SockRef::from(listener).listen(QUEUE);
            poller.add(listener.as_fd(), key(index), Interest::READ)?;
        }
        Ok(Self { listeners, state: State::Open })
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.listeners.len()
    }

    /// Takes in who waits at this listener, some at a time; says whether others may wait still.
    ///
    /// # Errors
    /// Where the listener itself is broken.
    pub(super) fn accept(&mut self, index: usize, now: Instant, out: &mut Vec<Accepted>) -> io::Result<bool> {
        let Some(listener) = self.listeners.get(index) else { return Ok(false) };
        for _ in 0..AT_ONCE {
            let error = match socket::accept(listener) {
                Ok((stream, peer)) => {
                    out.push(Accepted::Peer(stream, peer));
                    continue;
                }
                Err(error) => error,
            };
            match meaning(&error) {
                Meaning::Nobody => {
                    if self.state == State::Trying {
                        self.state = State::Open;
                        out.push(Accepted::Again);
                    }
                    return Ok(false);
                }
                Meaning::GoOn => {}
                Meaning::Full => {
                    if self.state == State::Open {
                        out.push(Accepted::Full(error));
                    }
                    self.state = State::Paused { until: now + PAUSE };
                    return Ok(false);
                }
                Meaning::Broken => return Err(error),
            }
        }
        Ok(true)
    }

    /// Whether the listeners are to be left alone for a while.
    pub(super) fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused { .. })
    }

    /// Watches the listeners, or not.
    pub(super) fn watch(&self, poller: &mut dyn Poller, on: bool, key: impl Fn(usize) -> u64) -> io::Result<()> {
        let interest = if on { Interest::READ } else { Interest::NONE };
        for (index, listener) in self.listeners.iter().enumerate() {
            poller.modify(listener.as_fd(), key(index), interest)?;
        }
        Ok(())
    }

    /// A descriptor is free: a pause need last no longer.
    pub(super) fn retry(&mut self, now: Instant) {
        if let State::Paused { until } = &mut self.state {
            *until = now;
        }
    }

    /// Ends a pause that is over; says whether one was.
    pub(super) fn resume(&mut self, now: Instant) -> bool {
        let over = self.deadline().is_some_and(|until| until <= now);
        if over {
            self.state = State::Trying;
        }
        over
    }

    /// When a pause ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Paused { until } => Some(until),
            State::Open | State::Trying => None,
        }
    }

    /// Listens no longer.
    pub(super) fn close(&mut self, poller: &mut dyn Poller) {
        for listener in self.listeners.drain(..) {
            let _ = poller.delete(listener.as_fd());
        }
        self.state = State::Open;
    }
}

fn meaning(error: &io::Error) -> Meaning {
    match Errno::from_io_error(error) {
        Some(Errno::AGAIN) => Meaning::Nobody,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Meaning::Full,
        Some(Errno::BADF | Errno::FAULT | Errno::INVAL | Errno::NOTSOCK) | None => Meaning::Broken,
        // EINTR, ECONNABORTED, EPROTO, EPERM, and on Linux any error that the new socket has already: accept(2).
        Some(_) => Meaning::GoOn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_failure_of_one_connection_ends_the_listener() {
        let of = |errno: Errno| meaning(&errno.into());
        for errno in [Errno::INTR, Errno::CONNABORTED, Errno::PROTO, Errno::PERM, Errno::NETDOWN, Errno::HOSTUNREACH] {
            assert_eq!(of(errno), Meaning::GoOn, "{errno}");
        }
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert_eq!(of(errno), Meaning::Full, "{errno}");
        }
        assert_eq!(of(Errno::WOULDBLOCK), Meaning::Nobody);
        assert_eq!(of(Errno::NOTSOCK), Meaning::Broken);
    }
}
