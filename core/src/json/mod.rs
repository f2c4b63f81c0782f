//! The json dialect: one object a line. See PROTOCOL.md for what each line means.

mod failure;
mod frame;
mod line;
mod message;
mod order;
mod quick;
mod request;
mod strict;

pub use failure::{ByeCode, ErrorCode, Retry};
pub use frame::{Change, Found, Frame, Joined, Limits, Message, Page, PageMessage, Person, Room, ShownCode, Welcome};
pub(crate) use message::write_messages;
pub(crate) use quick::{Say, say};
pub use request::{Door, Malformed, Request};

/// The version of the wire that this crate speaks.
pub const VERSION: u64 = 1;

/// Appends `value` as one line.
///
/// Nothing that the dialect's types hold can fail to be written: they have string keys and no floats.
fn write_line<T: serde::Serialize>(value: &T, out: &mut alloc::vec::Vec<u8>) {
    let line = serde_json::to_vec(value);
    debug_assert!(line.is_ok(), "a type of the dialect that json can't hold");
    out.extend_from_slice(&line.unwrap_or_default());
    out.push(b'\n');
}
