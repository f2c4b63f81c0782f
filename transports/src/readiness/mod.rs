//! A blocking event loop on one thread, for servers and for clients.
//!
//! A loop asks the kernel which sockets are ready, reads all that is there, lets the machine handle it, and then writes
//! each connection once, with one vectored write of as many batches as there are. Nobody's slowness is anyone else's: a
//! socket that takes no more bytes is left alone until it does, one that is silent costs nothing, and none is read
//! for more than one buffer before the others had their turn.
//!
//! - [`Server`] listens; its [`Handle`] stops it from another thread or from a signal's.
//! - [`Connection`] is one client's side; its [`ClientHandle`] gives commands to the machine from any thread.
//! - [`PollerKind`] says by which of the kernel's ways a server learns what is ready. A poller is a thin file of its own,
//!   and the loop above it is the same for all; `server/turn.rs` begins with what it does differently.
//!
//! ```no_run
//! use qun_core::server::Config;
//! use qun_transports::MemoryLog;
//! use qun_transports::readiness::{Options, Server};
//!
//! # fn serve(config: Config, random: [[u8; 32]; 2]) -> std::io::Result<()> {
//! let listener = std::net::TcpListener::bind("127.0.0.1:7777")?;
//! let log = MemoryLog::new(random[0]);
//! let server = Server::new(vec![listener], config, log, random[1], Options::default())?;
//! let handle = server.handle();
//! std::thread::spawn(move || {
//!     std::thread::park(); // until it is time to go down
//!     handle.drain();
//! });
//! server.run(|event| eprintln!("{event:?}"))
//! # }
//! ```

mod accept;
mod alarm;
pub(crate) mod connect;
#[cfg(test)]
mod contract;
mod descriptors;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
pub(crate) mod kind;
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod kqueue;
mod linger;
pub(crate) mod poller;
pub(crate) mod resolve;
mod select;
pub(crate) mod server;
pub(crate) mod socket;
mod table;
mod unheard;

pub use connect::{ClientHandle, Connection};
pub use descriptors::raise_descriptor_limit;
pub use kind::{PollerKind, UnknownPoller};
pub use server::{Event, Handle, Options, Server};
