//! The state machines of qun.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod client;
mod code;
mod entropy;
mod id;
pub mod json;
mod limits;
mod lines;
pub mod log;
mod name;
pub mod plain;
mod role;
pub mod server;
mod sniff;
mod text;
mod time;

pub use code::{Code, CodeError};
pub use entropy::Entropy;
pub use id::{ConnId, Epoch, Id, IdError, Key, KeyHash, MemberId, Position, RoomId, Seq};
pub use limits::{FIRST_LINE, Limits, SERVER_LINE};
pub use name::{Folded, Name, NameError};
pub use role::Role;
pub use text::{Text, TextError, TextLimits};
pub use time::{Instant, Now};
