//! What the end-to-end tests stand on: the real binary as a server and as a client, and bare sockets.
//!
//! Nothing here sleeps: whoever waits, waits for something to be said, and fails after [`PATIENCE`].

mod binary;
mod peer;
mod screen;
mod server;

use std::time::Duration;

pub use binary::qun;
pub use peer::{Json, Plain};
pub use screen::Screen;
pub use server::Server;

/// How long anything may take before a test fails: far longer than it does on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A code of the room `ops`, to talk.
pub const OPS: &str = "K7QM-2XD4";
/// A code of the room `ops`, to read.
pub const OPS_READ: &str = "R3AD-0N1Y";
/// The code of the room `hall`, which only counts.
pub const HALL: &str = "HA11-HA11";
/// A code of the room `ops` that is over.
pub const EXPIRED: &str = "01DC-0DE5";
