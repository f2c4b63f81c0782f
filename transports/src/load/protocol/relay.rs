//! The bare relay of `examples/relay.rs`, which is as little as a server of rooms can do.

use super::{Frame, Me};

pub(super) fn enter(me: Me<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(me.door.as_bytes());
    out.push(b'\n');
}

pub(super) fn say(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(text);
    out.push(b'\n');
}

pub(super) fn leave() {}

/// What bears no mark is the room's name, which comes back.
pub(super) fn read(line: &[u8]) -> Frame<'_> {
    if line.starts_with(b"^") { Frame::Message } else { Frame::Entered(None) }
}
