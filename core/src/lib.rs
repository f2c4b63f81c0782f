//! The state machines of qun, group chat in which a code gets you into a room.
//!
//! Everything that the world does is an *input*; everything that the machine wants is an *action*. There is no socket
//! here, no clock, no thread, no file and no random number: time and entropy come in with the inputs, and what is slow
//! (the log) is asked by an action and answers by an input. So the same inputs give the same outputs, on a socket, in a
//! browser, on a microcontroller, or in a simulator that runs a week of faults in a second.
//!
//! - [`server::Server`] is a server: sessions, rooms, what is said in them, in two dialects ([`json`], [`plain`]).
//! - [`client::Client`] is a client: reconnecting, resuming, what is said and not acknowledged yet, rosters, timelines.
//! - [`log`] is what a server and its durable log say to each other.
//! - [`search`] is what of a text counts when somebody looks for words.
//! - [`Code`], [`Name`], [`Text`], [`Seq`] and their like are types that can't be wrong: parsed once, at the edge.
//!
//! A driver is the loop around a machine that moves the bytes. This is a whole one, for one connection and two lines:
//!
//! ```
//! use qun_core::server::{Action, Config, Input, Peer, Server};
//! use qun_core::{ConnId, Instant, Now};
//!
//! let mut server = Server::new(Config::default(), [7; 32]);
//! let now = Now { mono: Instant::from_micros(0), unix_ms: 1_771_329_600_000 };
//! let conn = ConnId { index: 0, generation: 0 };
//!
//! // What the world does goes in …
//! server.handle(now, Input::Opened { conn, peer: Peer::Local });
//! server.handle(now, Input::Received { conn, bytes: b"{\"t\":\"hello\",\"v\":[1],\"name\":\"ann\"}\n" });
//! server.handle(now, Input::Received { conn, bytes: b"{\"t\":\"join\",\"code\":\"no such code\"}\n" });
//!
//! // … and what the machine wants comes out.
//! let mut sent = Vec::new();
//! while let Some(action) = server.poll() {
//!     let Action::Transmit(conn) = action else { continue };
//!     while let Some(mut transmit) = server.transmit(conn) {
//!         let mut slices: [&[u8]; 16] = [&[]; 16];
//!         let filled = transmit.gather(&mut slices, |bytes| bytes);
//!         let taken = slices[..filled].concat(); // a socket may take less
//!         transmit.advance(taken.len())?;
//!         sent.extend(taken);
//!     }
//! }
//! let sent = String::from_utf8(sent)?;
//! assert!(sent.starts_with("{\"t\":\"welcome\""));
//! assert!(sent.contains("\"code\":\"bad_code\""));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod account;
mod act;
pub mod client;
mod code;
mod dialect;
mod entropy;
mod id;
pub mod json;
mod limits;
mod lines;
pub mod log;
mod name;
mod order;
pub mod plain;
mod role;
pub mod search;
pub mod server;
mod sniff;
mod text;
mod time;
mod verb;

pub use account::{Password, PasswordError, PasswordHash};
pub use act::{Act, Deed, Subject};
pub use code::{Code, CodeError};
pub use entropy::Entropy;
pub use id::{ConnId, Epoch, Id, IdError, Key, KeyHash, MemberId, Position, RoomId, Seq};
pub use limits::{FIRST_LINE, Limits, SERVER_LINE};
pub use name::{Folded, Name, NameError};
pub use order::{By, CodeOrder, Order, Which, Whom};
pub use role::Role;
pub use search::{Words, WordsError};
pub use text::{Text, TextError, TextLimits};
pub use time::{Instant, Now};
pub use verb::Verb;
