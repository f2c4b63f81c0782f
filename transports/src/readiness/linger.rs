//! Connections that are closed on our side, whose last bytes are still on their way.
//!
//! Closing a socket that has unread input makes the kernel send a reset, and a reset makes the other side's kernel throw
//! away what it has received and not yet handed over: the `bye` that says why. So the sending direction is closed
//! first, and what comes in is read and thrown away until the other side closes too, for a short time, a bounded
//! number of bytes and a bounded number of sockets.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use qun_core::Instant;

use super::poller::{Interest, Poller};
use super::socket::{self, Got};

/// How long a socket lingers.
const TIME: Duration = Duration::from_secs(2);
/// How many bytes of one are thrown away.
const BYTES: usize = 1 << 20;
/// How many linger at once; the oldest makes room.
const SOCKETS: usize = 1_024;

/// The sockets that linger, oldest first.
#[derive(Default)]
pub(super) struct Lingering {
    sockets: VecDeque<Lingerer>,
    next: u64,
}

struct Lingerer {
    key: u64,
    stream: TcpStream,
    until: Instant,
    left: usize,
}

impl Lingering {
    /// Takes a socket that the poller watches under another key; `key` makes one of a number never used before.
    pub(super) fn take(&mut self, poller: &mut dyn Poller, stream: TcpStream, now: Instant, key: impl Fn(u64) -> u64) {
        self.next += 1;
        let lingerer = Lingerer { key: key(self.next), stream, until: now + TIME, left: BYTES };
        let goes_on = lingerer.stream.shutdown(Shutdown::Write).is_ok()
            && poller.modify(lingerer.stream.as_fd(), lingerer.key, Interest::READ).is_ok();
        if !goes_on {
            lingerer.drop(poller);
            return;
        }
        self.sockets.push_back(lingerer);
        if self.sockets.len() > SOCKETS
            && let Some(oldest) = self.sockets.pop_front()
        {
            oldest.drop(poller);
        }
    }

    /// The socket of this key is readable or has hung up. Says whether it is gone.
    pub(super) fn ready(&mut self, poller: &mut dyn Poller, key: u64, buffer: &mut [u8]) -> bool {
        let Ok(index) = self.sockets.binary_search_by_key(&key, |lingerer| lingerer.key) else { return false };
        let lingerer = &mut self.sockets[index];
        // Until there is nothing: edge-triggered, what is left over would never be told again, nor the end behind it.
        // That takes little from the others, because all that is ever read of one is bounded.
        while lingerer.left > 0 {
            lingerer.left = match socket::read(&lingerer.stream, buffer) {
                Ok(Got::Bytes(n)) => lingerer.left.saturating_sub(n),
                Ok(Got::Nothing) => break,
                Ok(Got::End) | Err(_) => 0,
            };
        }
        let gone = lingerer.left == 0;
        if gone && let Some(lingerer) = self.sockets.remove(index) {
            lingerer.drop(poller);
        }
        gone
    }

    /// Lets those go whose time is over. Says whether any was.
    pub(super) fn expire(&mut self, poller: &mut dyn Poller, now: Instant) -> bool {
        let over = self.sockets.partition_point(|lingerer| lingerer.until <= now);
        self.sockets.drain(..over).for_each(|lingerer| lingerer.drop(poller));
        over > 0
    }

    /// When the next one's time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.sockets.front().map(|oldest| oldest.until)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }
}

impl Lingerer {
    fn drop(self, poller: &mut dyn Poller) {
        // What the poller can't forget it forgets as the socket closes.
        let _ = poller.delete(self.stream.as_fd());
    }
}
