//! What moves the bytes of qun.
//!
//! The machines of [`qun_core`] do no input or output. Here is what stands between them and the world:
//!
//! - [`Driver`] joins a server machine and a [`Log`], and names the connections;
//! - [`MemoryLog`] is the log that lives in memory;
//! - [`readiness`] is a blocking event loop on one thread, for servers and for clients over TCP;
//! - `smol` is the same inside an async program, on any executor (feature `smol`);
//! - `sqlite` is the log on a disk (feature `sqlite`);
//! - `conformance` checks any loop, ours and others', by what it must do (feature `conformance`);
//! - `load` puts a load on a server and says what it costs (feature `load`);
//! - `sim` is a whole world in one process: servers, clients and what lies between them under virtual time, every
//!   choice from one seed (feature `sim`).
//!
//! An event loop only moves bytes: what a room is, no line of this crate knows.

#[cfg(feature = "readiness")]
mod clock;
#[cfg(all(feature = "conformance", unix))]
pub mod conformance;
mod driver;
mod ids;
#[cfg(all(feature = "load", unix))]
pub mod load;
mod log;
mod memory;
#[cfg(all(feature = "readiness", unix))]
pub mod readiness;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(all(feature = "smol", unix))]
pub mod smol;
#[cfg(all(feature = "sqlite", unix))]
pub mod sqlite;

#[cfg(feature = "accounts")]
mod verifier;

#[cfg(feature = "readiness")]
pub use clock::Clock;
pub use driver::{Driver, Event};
pub use log::Log;
pub use memory::MemoryLog;
#[cfg(feature = "accounts")]
pub use verifier::{Verifier, hash_password, parse_hash};

/// The README's example, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
