//! Bytes, both ways: all of them, in order, and none of another connection.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use qun_core::client::Event;
use qun_core::json::Request;
use qun_core::log::Kind;
use qun_core::{RoomId, Text};

use super::Subject;
use super::script::{Guest, Host, hello, msg};
use crate::conformance::line::demand;
use crate::conformance::{Violation, Wire};

/// Messages that a client has on their way at most.
const IN_FLIGHT: usize = 64;
/// What the kernels of both sides may take while nobody reads.
const KERNELS: usize = 16 << 20;

/// The text of this number, of some KB.
fn text(number: usize) -> String {
    format!("{number} {}", "x".repeat(3_900))
}

fn say<S: Subject>(guest: &Guest<S>, number: usize) {
    guest.command(move |client, now| {
        if let (Ok(room), Ok(text)) = ("ops".parse::<RoomId>(), text(number).parse::<Text>()) {
            // Where it is not in the room, the check finds that nothing came.
            let _ = client.say(now, &room, Kind::Say, text);
        }
    });
}

/// As much as a client may have on its way, to a server that reads late and little at a time.
pub(super) fn in_full<S: Subject>() -> Result<(), Violation> {
    let host = Host::open()?.narrow()?;
    let guest = Guest::<S>::start(&host);
    guest.join();
    let line = host.member()?;
    guest.until("that it is in the room", |event| matches!(event, Event::Joined { .. }).then_some(()))?;
    (0..IN_FLIGHT).for_each(|number| say(&guest, number));
    thread::sleep(Duration::from_millis(300));
    let mut wire = line.into_wire();
    let (mut bytes, mut buffer, mut sizes) = (Vec::new(), [0; 5_000], (1..5_000).step_by(97).cycle());
    while bytes.iter().filter(|byte| **byte == b'\n').count() < IN_FLIGHT {
        let size = sizes.next().unwrap_or(1);
        match wire.read(&mut buffer[..size]) {
            Ok(0) => return Err(Violation("the connection ended in the middle".into())),
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                let whole = bytes.iter().filter(|byte| **byte == b'\n').count();
                return Err(Violation(format!("of {IN_FLIGHT} messages {whole} came, and then nothing more")));
            }
            Err(error) => return Err(error.into()),
        }
    }
    for (number, line) in bytes.split(|byte| *byte == b'\n').take(IN_FLIGHT).enumerate() {
        let said = match Request::decode(line) {
            Ok(Request::Say { text, .. }) => text.to_string(),
            other => return Err(Violation(format!("in place of message {number} came {other:?}"))),
        };
        demand(said == text(number), || format!("message {number} is another"))?;
    }
    Ok(())
}

/// A server that sends one byte at a time.
pub(super) fn split_anywhere<S: Subject>() -> Result<(), Violation> {
    let host = Host::open()?;
    let guest = Guest::<S>::start(&host);
    guest.join();
    let line = host.member()?;
    for byte in (msg(1, "群 in pieces") + &msg(2, "and whole")).as_bytes() {
        let mut wire = line.wire();
        wire.write_all(&[*byte])?;
        // So that most of them are read one by one, on a busy machine, too.
        thread::sleep(Duration::from_millis(1));
    }
    for expected in ["群 in pieces", "and whole"] {
        let shown = guest.until("a message", |event| match event {
            Event::Message { message, .. } => Some(message.text.to_string()),
            _ => None,
        })?;
        demand(shown == expected, || format!("in place of {expected:?} it told {shown:?}"))?;
    }
    Ok(())
}

/// A command, to a client to which nothing else happens, and to one that has no connection.
pub(super) fn commands<S: Subject>() -> Result<(), Violation> {
    let host = Host::open()?;
    let guest = Guest::<S>::start(&host);
    let mut line = host.welcome()?;
    guest.online()?;
    thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    guest.join();
    line.until(r#""t":"join""#)?;
    let took = start.elapsed();
    demand(took < Duration::from_secs(2), || format!("a command was obeyed after {took:?}"))
}

/// A connection that is lost with a line half sent and a line half read.
pub(super) fn reuse<S: Subject>() -> Result<(), Violation> {
    let host = Host::open()?.narrow()?;
    let guest = Guest::<S>::start(&host);
    guest.join();
    for round in 0..4 {
        let mut line = if round == 0 { host.member()? } else { host.welcome()? };
        if round > 0 {
            line.until(r#""t":"join""#)?;
        } else {
            guest.until("that it is in the room", |event| matches!(event, Event::Joined { .. }).then_some(()))?;
            (0..IN_FLIGHT).for_each(|number| say(&guest, number));
            line.until(r#""t":"say""#)?;
        }
        line.send("{\"t\":\"notice\",\"level\":\"info\",\"text\":\"half of a")?;
        thread::sleep(Duration::from_millis(100));
        line.into_wire().reset()?;
    }
    let mut line = host.accept()?;
    hello(&mut line)?;
    line.send(&super::script::welcome())?;
    // Behind the hello comes what a new connection begins with, and nothing that was half said on an old one.
    let next = line.next()?.unwrap_or_default();
    let asked = Request::decode(next.trim_end().as_bytes());
    demand(matches!(asked, Ok(Request::Join { .. })), || format!("behind the hello came {next:?}"))?;
    line.send("{\"t\":\"notice\",\"level\":\"info\",\"text\":\"whole\"}\n")?;
    guest.until("a notice", |event| match event {
        Event::Notice { text, .. } => Some(text.as_str() == "whole"),
        _ => None,
    })?;
    Ok(())
}

/// A server that sends without end to a client whose events nobody takes, until it takes no more. Then all is told.
pub(super) fn edges<S: Subject>() -> Result<(), Violation> {
    let host = Host::open()?;
    let guest = Guest::<S>::slow(&host);
    guest.join();
    let line = {
        let member = thread::scope(|scope| {
            let member = scope.spawn(|| host.member());
            let joined =
                guest.until("that it is in the room", |event| matches!(event, Event::Joined { .. }).then_some(()));
            joined.and(member.join().unwrap_or_else(|_| Err(Violation("the check itself is wrong".into()))))
        });
        member?
    };
    let mut wire = line.into_wire();
    wire.limit(Duration::from_millis(700))?;
    let (mut sent, mut written, mut messages) = (Vec::new(), 0, 0);
    loop {
        while sent.len() < written + (64 << 10) {
            messages += 1;
            sent.extend_from_slice(msg(messages, &"y".repeat(1_000)).as_bytes());
        }
        match wire.write(&sent[written..]) {
            Ok(n) => written += n,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => return Err(error.into()),
        }
        demand(written <= KERNELS, || format!("{KERNELS} bytes were read for one who takes no events"))?;
    }
    let whole = sent[..written].iter().filter(|byte| **byte == b'\n').count();
    for seq in 1..=whole {
        let told = guest.until(&format!("message {seq} of {whole}"), |event| match event {
            Event::Message { message, .. } => Some(message.seq.get()),
            _ => None,
        })?;
        demand(told == seq as u64, || format!("in place of message {seq} it told {told}"))?;
    }
    Ok(())
}
