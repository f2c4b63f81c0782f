//! Servers and clients inside an async program, on [`async_io`] and any executor.
//!
//! - [`serve`] makes a [`Server`], a future that serves while it is polled. Its [`Handle`] stops, reloads
//!   and observes it.
//! - [`connect`] makes a [`Connection`], a stream of events that connects, and connects again, while it is polled.
//!
//! Nothing here spawns a task, has a thread of its own or waits behind a lock: each side is driven by the task that
//! awaits it, and several of them live in one process. (The host name of a server is looked up on a thread, because the
//! system's resolver blocks.)
//!
//! What is ready of a server's many sockets is known to a poller of the server's own (epoll, kqueue), which is one source
//! for `async_io`: readable while any socket is ready. So a wake-up costs the same however many connections there are, no
//! connection has a task, a waker or a queue, and a turn is the very one of [`readiness`](crate::readiness): what is ready
//! is read and handled, and each connection that has bytes is written once. The machine is borrowed for such a turn, which
//! never waits, and never across an await.
//!
//! **Dropping.** There is no await within a turn, so neither side can be dropped halfway through anything, and what
//! lies in between lies in the value itself: `&mut server` and [`Connection::next`] may be dropped at any time, in a
//! `select` for one, and awaited again. Dropping the values themselves drops their sockets.

mod connection;
mod dial;
mod relay;
mod server;
mod timer;

use std::io;

/// For a program that has no executor: runs one future on this thread, and looks after its sockets and timers there too.
pub use async_io::block_on;

pub use crate::readiness::{Event, Handle};
pub use connection::{Connection, connect};
pub use server::{Server, serve};

/// 32 bytes of the system's best randomness.
///
/// # Errors
/// Where the system has none.
pub fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}
