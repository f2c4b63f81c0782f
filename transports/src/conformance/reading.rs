//! Reading: not when it is not wanted, again when it is, and to the end.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use super::line::{demand, hello, say};
use super::room::{connect, member, serve};
use super::{Subject, Violation, Wire};

/// What the kernels of both sides may take while nobody reads.
const KERNELS: usize = 16 << 20;

/// Pings without end from one who reads no answer, until the loop takes no more. Then every one is answered.
pub(super) fn edges<S: Subject>() -> Result<(), Violation> {
    let server: S = serve()?;
    let mut line = member(&server, "ann")?;
    let mut writer = line.wire().another()?;
    writer.limit(Duration::from_millis(700))?;
    let mut sent = Vec::new();
    let mut written = 0;
    let mut pings = 0;
    loop {
        while sent.len() < written + (64 << 10) {
            sent.extend_from_slice(format!("{{\"t\":\"ping\",\"n\":{pings}}}\n").as_bytes());
            pings += 1;
        }
        match writer.write(&sent[written..]) {
            Ok(n) => written += n,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => return Err(error.into()),
        }
        demand(written <= KERNELS, || format!("{KERNELS} bytes were read of one who takes no answers"))?;
    }
    let whole = sent[..written].iter().filter(|byte| **byte == b'\n').count();
    for n in 0..whole {
        let pong = line.until(r#""t":"pong""#)?;
        demand(pong == format!("{{\"t\":\"pong\",\"n\":{n}}}\n"), || format!("for ping {n} came {pong}"))?;
    }
    Ok(())
}

/// Somebody who comes in, says something, ends, and then reads what the room had to tell.
pub(super) fn half_close<S: Subject>() -> Result<(), Violation> {
    const TOLD: usize = 140;
    let server: S = serve()?;
    let mut ann = member(&server, "ann")?;
    for number in 0..TOLD {
        ann.say(&format!("a{number}"), &"x".repeat(3_000))?;
    }
    let mut ci = connect(&server)?;
    // More than a kernel takes for one who does not read: most of it is still to be sent as the end comes.
    let join = hello("ci").replace("\"id\":\"j\"", "\"id\":\"j\",\"tail\":200");
    ci.send(&(join + &say("s1", "build ok")))?;
    ci.wire().half_close()?;
    thread::sleep(Duration::from_millis(300));
    let rest = ci.rest()?;
    demand(rest.contains(r#""id":"s1""#), || "what was said has no echo".into())?;
    let told = rest.matches(r#""id":"a"#).count();
    demand(told == TOLD, || format!("of {TOLD} messages {told} came"))?;
    ann.until(r#""id":"s1""#).map(drop)
}

/// One byte at a time.
pub(super) fn split_anywhere<S: Subject>() -> Result<(), Violation> {
    let server: S = serve()?;
    let mut ann = connect(&server)?;
    for byte in (hello("ann") + &say("s1", "群 in pieces")).as_bytes() {
        let mut wire = ann.wire().another()?;
        wire.write_all(&[*byte])?;
    }
    let said = ann.until(r#""id":"s1""#)?;
    demand(said.contains("群 in pieces"), || format!("what came back is {said}"))
}
