//! The server machine.

mod config;
mod io;

use crate::id::ConnId;
use crate::time::{Instant, Now};
pub use config::{Access, Config, Presence, Room};
pub use io::{Action, Hangup, Input, Note, Peer, Reason, Source};

/// The server: sessions, rooms and what is said in them, without the sockets.
///
/// Its methods are of four kinds. *Input*: [`handle`](Self::handle). *Polls*: [`poll`](Self::poll),
/// [`deadline`](Self::deadline). *Output*: [`transmit`](Self::transmit). *Getters*: [`connections`](Self::connections).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    config: Config,
}

impl Server {
    /// A server without connections. All its randomness (ids, the key of its code table, jitter) follows from `seed`, 32
    /// bytes of the driver's best.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let _ = seed;
        Self { config }
    }

    /// Takes an input. Infallible: what is wrong with it is answered to the one who sent it.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        let _ = (now, input);
    }

    /// The next action, until there is none.
    pub fn poll(&mut self) -> Option<Action> {
        None
    }

    /// When the machine wants an [`Input::Tick`] at the latest: not after now while actions wait; `None`: never.
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// What `conn` is to send next, or `None` where there is nothing.
    pub fn transmit(&mut self, conn: ConnId) -> Option<Transmit<'_>> {
        let _ = (conn, &self.config);
        None
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        0
    }
}

/// The unsent bytes of one connection: peek, then consume; a write may take any part of them.
#[derive(Debug)]
pub struct Transmit<'a> {
    server: &'a mut Server,
}

/// More bytes were called sent than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more bytes were called sent than there are")]
pub struct Overrun;

impl Transmit<'_> {
    /// Fills `out` from its start with the next bytes to send, in order, and says how many slices it filled: at least
    /// one where `out` has room. `wrap` makes what a vectored write wants of a slice, `IoSlice::new` for one.
    ///
    /// Every slice but the first begins with a whole frame, and every one ends with one.
    pub fn gather<'s, T>(&'s self, out: &mut [T], wrap: impl Fn(&'s [u8]) -> T) -> usize {
        let _ = (out, wrap, &self.server);
        0
    }

    /// The first `n` bytes of what [`gather`](Self::gather) showed are sent.
    ///
    /// # Errors
    /// [`Overrun`] where there are fewer; then all there are count as sent.
    pub fn advance(&mut self, n: usize) -> Result<(), Overrun> {
        let _ = n;
        Ok(())
    }
}
