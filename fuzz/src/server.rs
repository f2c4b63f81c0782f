//! Bytes into a server.

use std::time::Duration;

use qun_core::json::{Door, Frame, Request};

use crate::world::{World, line};

/// A json member sends `bytes`: it is answered by frames, whatever it is, the same however it was split, and nobody else's
/// stream breaks.
pub fn server_json(bytes: &[u8]) {
    let hello = [hello(), join()].concat();
    let [whole, split] = [usize::MAX, piece(bytes)].map(|piece| {
        let (mut world, bob) = world_with_bob();
        let mallory = world.connect();
        world.send(mallory, &hello);
        give_in_pieces(&mut world, mallory, bytes, piece);
        world.wait(Duration::from_secs(40));
        world.wire(bob).frames();
        let mallory = world.wire(mallory);
        (mallory.frames(), mallory.open)
    });
    assert_eq!(whole, split);
}

/// A person in a room types `bytes`: what they see is lines of text, the same however it was split, and nobody else's
/// stream breaks.
pub fn server_plain(bytes: &[u8]) {
    let [whole, split] = [usize::MAX, piece(bytes)].map(|piece| {
        let (mut world, bob) = world_with_bob();
        let mallory = world.connect();
        world.send(mallory, b"K7QM-2XD4 mallory\n");
        give_in_pieces(&mut world, mallory, bytes, piece);
        world.wait(Duration::from_secs(40));
        world.wire(bob).frames();
        let mallory = world.wire(mallory);
        let text = String::from_utf8(without_telnet(&mallory.received)).expect("text is UTF-8");
        assert!(text.ends_with("\r\n"), "half a line");
        assert!(!text.replace("\r\n", "").contains(|c: char| c.is_control() && c != '\t'), "{text:?}");
        (text, mallory.open)
    });
    assert_eq!(whole, split);
}

/// Several connections do what `bytes` say. Those that speak json get frames and nothing else.
///
/// Each act is a byte, of which the lower three bits name a connection and the upper ones what it does; what it sends
/// follows with its length.
pub fn server_any(bytes: &[u8]) {
    let (mut world, bob) = world_with_bob();
    let mut rest = bytes.iter().copied();
    let mut wires: [Option<usize>; 8] = [None; 8];
    let mut spoke_json = [false; 8];
    for _ in 0..64 {
        let Some(act) = rest.next() else { break };
        let who = usize::from(act & 7);
        let wire = match wires[who] {
            Some(wire) if world.wires()[wire].open => wire,
            _ => {
                spoke_json[who] = false;
                *wires[who].insert(world.connect())
            }
        };
        match act >> 3 {
            0..=15 => {
                let length = rest.next().unwrap_or_default();
                let sent: Vec<u8> = rest.by_ref().take(length.into()).collect();
                world.send(wire, &sent);
            }
            16..=18 => {
                spoke_json[who] |= world.wires()[wire].received.is_empty();
                world.send(wire, &[hello(), join()].concat());
            }
            19..=20 => world.send(wire, b"K7QM-2XD4 person\n"),
            21 => world.finish(wire),
            22 => world.reset(wire),
            23 => world.wire(wire).stalled = true,
            24 => {
                world.wire(wire).stalled = false;
                world.settle();
            }
            25..=30 => world.wait(Duration::from_millis(u64::from(rest.next().unwrap_or_default()) * 20)),
            _ => world.drain(),
        }
    }
    let bob = world.wire(bob);
    let frames = bob.frames();
    assert!(bob.open || matches!(frames.last(), Some(Frame::Bye { .. })));
    for (who, wire) in wires.into_iter().enumerate() {
        if let Some(wire) = wire.filter(|_| spoke_json[who]) {
            let received = &world.wires()[wire].received;
            // What was sent before may have made it plain.
            if received.starts_with(b"{") {
                world.wires()[wire].frames();
            }
        }
    }
    world.drain();
    for wire in wires.into_iter().flatten() {
        world.wire(wire).stalled = false;
    }
    world.wait(Duration::from_secs(10));
    assert!(world.wires().iter().all(|wire| !wire.open), "a drained server has connections");
}

/// A world in which bob is in `ops` and listens.
fn world_with_bob() -> (World, usize) {
    let mut world = World::new();
    let bob = world.connect();
    world.send(bob, &[hello(), join()].concat());
    (world, bob)
}

fn give_in_pieces(world: &mut World, wire: usize, bytes: &[u8], piece: usize) {
    // The log answers when all is given: so its answers come at the same place of the stream.
    for piece in bytes.chunks(piece) {
        world.give(wire, piece);
    }
    world.settle();
}

/// The text of a stream, without the telnet options that are declined in it. These are answered as soon as they are seen:
/// before which line that is, and whether they are seen that stand behind a goodbye, depends on the split.
fn without_telnet(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte == 0xFF {
            bytes.nth(1);
        } else {
            text.push(byte);
        }
    }
    text
}

/// How long the pieces of these bytes are, if the bytes themselves decide it.
fn piece(bytes: &[u8]) -> usize {
    1 + bytes.iter().map(|&byte| usize::from(byte)).sum::<usize>() % 13
}

fn hello() -> Vec<u8> {
    line(&Request::Hello { id: None, v: vec![1], agent: None, name: None, key: None })
}

fn join() -> Vec<u8> {
    line(&Request::Join { id: None, door: Door::Code("K7QM-2XD4".into()), resume: None, tail: None })
}
