//! Connections that are closed on our side, whose last bytes are still on their way.
//!
//! Closing a socket that has unread input makes the kernel send a reset, and a reset makes the other side's kernel throw
//! away what it has received and not yet handed over: the `bye` that says why. So the sending direction is closed
//! first, and what comes in is read and thrown away until the other side closes too, for a short time, a bounded
//! number of bytes and a bounded number of sockets.

use std::collections::{HashMap, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use qun_core::Instant;

use super::poller::{Interest, Poller, Trigger};
use super::socket::{self, Got};

/// How long a socket lingers.
const TIME: Duration = Duration::from_secs(2);
/// How many bytes of one are thrown away.
const BYTES: usize = 1 << 20;
/// How many linger at once; the oldest makes room.
const SOCKETS: usize = 1_024;

/// The sockets that linger.
#[derive(Default)]
pub(super) struct Lingering {
    sockets: HashMap<u64, Lingerer>,
    /// Until when, oldest first. Some are gone by now.
    order: VecDeque<(Instant, u64)>,
}

struct Lingerer {
    stream: TcpStream,
    left: usize,
}

impl Lingering {
    /// Takes a socket that the poller watches so far for `interest`, under a key that is never used again.
    pub(super) fn take(
        &mut self,
        poller: &mut dyn Poller,
        stream: TcpStream,
        key: u64,
        interest: Interest,
        now: Instant,
    ) {
        // Edge-triggered, what is there already is told by watching anew.
        let is_watched = interest == Interest::READ && poller.trigger() == Trigger::Level;
        let goes_on = stream.shutdown(Shutdown::Write).is_ok()
            && (is_watched || poller.modify(stream.as_fd(), key, Interest::READ).is_ok());
        let lingerer = Lingerer { stream, left: BYTES };
        if !goes_on {
            lingerer.drop(poller);
            return;
        }
        self.sockets.insert(key, lingerer);
        self.order.push_back((now + TIME, key));
        if self.sockets.len() > SOCKETS {
            self.drop_oldest(poller);
        }
    }

    /// The socket of this key, if it lingers, is readable or has hung up. Says whether it is gone.
    pub(super) fn ready(&mut self, poller: &mut dyn Poller, key: u64, buffer: &mut [u8]) -> bool {
        let Some(lingerer) = self.sockets.get_mut(&key) else { return false };
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
        if gone && let Some(lingerer) = self.sockets.remove(&key) {
            lingerer.drop(poller);
            self.forget_gone();
        }
        gone
    }

    /// Lets those go whose time is over. Says whether any was.
    pub(super) fn expire(&mut self, poller: &mut dyn Poller, now: Instant) -> bool {
        let before = self.sockets.len();
        while self.deadline().is_some_and(|until| until <= now) {
            self.drop_oldest(poller);
        }
        self.sockets.len() < before
    }

    /// When the next one's time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.order.front().map(|(until, _)| *until)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    fn drop_oldest(&mut self, poller: &mut dyn Poller) {
        if let Some((_, key)) = self.order.pop_front()
            && let Some(oldest) = self.sockets.remove(&key)
        {
            oldest.drop(poller);
        }
        self.forget_gone();
    }

    /// The first in the order is there.
    fn forget_gone(&mut self) {
        while self.order.pop_front_if(|(_, key)| !self.sockets.contains_key(key)).is_some() {}
    }
}

impl Lingerer {
    fn drop(self, poller: &mut dyn Poller) {
        // What the poller can't forget it forgets as the socket closes.
        let _ = poller.closes(self.stream.as_fd());
    }
}
