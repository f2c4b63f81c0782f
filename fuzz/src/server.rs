//! Bytes into a server.

use std::time::Duration;

use arbitrary::Unstructured;
use qun_core::Name;
use qun_core::json::{Door, Frame, Request};

use crate::pieces::{Pieces, same_however_cut};
use crate::values;
use crate::world::{OWNER, World, line};

/// A json member sends `bytes`: it is answered by frames, whatever it is, the same however the bytes were cut on their
/// ways in and out, and nobody else's stream breaks.
pub fn server_json(bytes: &[u8]) {
    same_however_cut(bytes, |cut| {
        let (mut world, bob) = world_with_bob(cut.clone());
        let mallory = world.connect();
        world.send(mallory, &[hello(None), join()].concat());
        world.send_in(mallory, bytes, cut);
        world.wait(Duration::from_secs(40));
        world.wire(bob).frames();
        let mallory = world.wire(mallory);
        mallory.frames();
        (mallory.received.clone(), mallory.open)
    });
}

/// A person in a room types `bytes`: what they see is lines of text, the same however the bytes were cut on their ways in
/// and out, and nobody else's stream breaks.
pub fn server_plain(bytes: &[u8]) {
    same_however_cut(bytes, |cut| {
        let (mut world, bob) = world_with_bob(cut.clone());
        let mallory = world.connect();
        world.send(mallory, b"K7QM-2XD4 mallory\n");
        world.send_in(mallory, bytes, cut);
        world.wait(Duration::from_secs(40));
        world.wire(bob).frames();
        let mallory = world.wire(mallory);
        let text = text(&mallory.received);
        // A prompt ends no line.
        let lines = ["Password: ", "Password (it will be seen as you type): "]
            .into_iter()
            .find_map(|prompt| text.strip_suffix(prompt))
            .unwrap_or(&text);
        assert!(lines.ends_with("\r\n") && !lines.replace("\r\n", "").contains('\n'), "half a line");
        match foreseen(&text) {
            known if known == text => (text, Some(mallory.open)),
            known => (known.into(), None),
        }
    });
}

/// What is seen up to a code or a login that was wrong: behind it everything is discarded that has come by then, which
/// depends on the split.
fn foreseen(text: &str) -> &str {
    let wrong = [
        "That code does not open",
        "-- /login and the name of your account",
        "There is no account of that name",
        "Too many wrong passwords",
        "A password has",
        "A name has",
        "that is not UTF-8",
        "The password can't be verified",
        "You are logged in already",
    ];
    let end = wrong.iter().filter_map(|words| text.find(words)).min();
    end.map_or(text, |end| &text[..end])
}

/// `bytes` are the first of a connection and all that it has to say: whatever dialect they are taken for, what is answered
/// is of one, and the same however the bytes were cut on their ways in and out.
pub fn server_sniff(bytes: &[u8]) {
    for is_prompted in [false, true] {
        same_however_cut(bytes, |cut| {
            let (mut world, bob) = world_with_bob(cut.clone());
            let mallory = world.connect();
            if is_prompted {
                world.wait(Duration::from_millis(500));
            }
            world.send_in(mallory, bytes, cut);
            world.finish(mallory);
            // At two lines a second, as plain lines are read.
            world.wait(Duration::from_secs(3_600));
            world.wire(bob).frames();
            let mallory = world.wire(mallory);
            assert!(!mallory.open, "a connection that has ended is open");
            if mallory.received.starts_with(b"{") {
                mallory.frames();
            }
            foreseen(&text(&mallory.received)).to_owned()
        });
    }
}

/// Several connections do what `bytes` say. Those that speak json get frames and nothing else.
///
/// Each act is a byte, of which the lower three bits name a connection and the upper ones what it does; what it sends
/// follows with its length: bytes, or what a request is drawn from. A verdict on a password comes when an act says so, whichever waits.
pub fn server_any(bytes: &[u8]) {
    let (mut world, bob) = world_with_bob(Pieces::of(bytes));
    world.are_verdicts_late = true;
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
            0..=13 => {
                let length = rest.next().unwrap_or_default();
                let sent: Vec<u8> = rest.by_ref().take(length.into()).collect();
                world.send(wire, &sent);
            }
            14..=15 => {
                let length = rest.next().unwrap_or_default();
                let drawn: Vec<u8> = rest.by_ref().take(length.into()).collect();
                if let Ok(request) = values::request(&mut Unstructured::new(&drawn)) {
                    world.send(wire, &line(&request));
                }
            }
            16..=18 => {
                spoke_json[who] |= world.wires()[wire].received.is_empty();
                let greeting = match act >> 3 {
                    16 => [hello(None), join()],
                    17 => [hello(None), join_by(OWNER)],
                    _ => [log_in(), join()],
                };
                world.send(wire, &greeting.concat());
            }
            19 => world.send(wire, b"K7QM-2XD4 person\n"),
            20 => world.send(wire, format!("{OWNER} keeper\n").as_bytes()),
            21 => world.finish(wire),
            22 => world.reset(wire),
            23 => world.wire(wire).stalled = true,
            24 => {
                world.wire(wire).stalled = false;
                world.settle();
            }
            25 => world.verdict(rest.next().unwrap_or_default()),
            26..=30 => world.wait(Duration::from_millis(u64::from(rest.next().unwrap_or_default()) * 20)),
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
fn world_with_bob(takes: Pieces) -> (World, usize) {
    let mut world = World::new(takes);
    let bob = world.connect();
    world.send(bob, &[hello("bob".parse().ok()), join()].concat());
    (world, bob)
}

/// The text of a stream, without the telnet options that are declined in it. These are answered as soon as they are seen:
/// before which line that is, and whether they are seen that stand behind a goodbye, depends on the split.
fn text(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte == 0xFF {
            bytes.nth(1);
        } else {
            text.push(byte);
        }
    }
    let text = String::from_utf8(text).expect("text is UTF-8");
    assert!(!text.replace("\r\n", "").contains(|c: char| c.is_control() && c != '\t' && c != '\n'), "{text:?}");
    text
}

fn hello(name: Option<Name>) -> Vec<u8> {
    line(&Request::Hello { id: None, v: vec![1], agent: None, name, key: None, password: None })
}

fn log_in() -> Vec<u8> {
    let (name, password) = ("ann".parse().ok(), "correct horse".parse().ok());
    line(&Request::Hello { id: None, v: vec![1], agent: None, name, key: None, password })
}

fn join() -> Vec<u8> {
    join_by("K7QM-2XD4")
}

fn join_by(code: &str) -> Vec<u8> {
    line(&Request::Join { id: None, door: Door::Code(code.into()), resume: None, tail: None })
}
