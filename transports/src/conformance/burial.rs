//! The ends of connections.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use super::line::{PATIENCE, demand, hello};
use super::room::{connect, member, serve};
use super::{Subject, Violation, Wire};

/// A member whose connection is lost; without a key the session is over, and the room is told.
pub(super) fn reset<S: Subject>() -> Result<(), Violation> {
    let server: S = serve()?;
    let mut ann = member(&server, "ann")?;
    for number in 0..5 {
        let name = format!("bob{number}");
        let bob = member(&server, &name)?;
        ann.until(&format!(r#""name":"{name}""#))?;
        bob.into_wire().reset()?;
        ann.until(r#""ev":"out""#)?;
    }
    Ok(())
}

/// Members who are lost while the room talks, and others who come into their places.
pub(super) fn reuse<S: Subject>() -> Result<(), Violation> {
    let server: S = serve()?;
    let mut ann = member(&server, "ann")?;
    for number in 0..40 {
        let bob = member(&server, &format!("bob{number}"))?;
        ann.say(&format!("a{number}"), "who is there?")?;
        bob.into_wire().reset()?;
        ann.until(r#""ev":"out""#)?;
        let mut stranger = connect(&server)?;
        ann.say(&format!("b{number}"), "a secret")?;
        stranger.send("{\"t\":\"hello\",\"v\":[1]}\n{\"t\":\"ping\",\"n\":1}\n")?;
        let welcome = stranger.next()?.unwrap_or_default();
        demand(welcome.contains(r#""t":"welcome""#), || format!("a new connection began with {welcome:?}"))?;
        let pong = stranger.next()?.unwrap_or_default();
        demand(pong.contains(r#""t":"pong""#), || format!("one who is in no room got {pong:?}"))?;
    }
    Ok(())
}

/// Somebody who is sent away for a line that is too long, and sends on.
pub(super) fn last_bytes<S: Subject>() -> Result<(), Violation> {
    let server: S = serve()?;
    for _ in 0..20 {
        let mut line = connect(&server)?;
        line.send("{\"t\":\"hello\",\"v\":[1]}\n")?;
        line.until(r#""t":"welcome""#)?;
        let mut writer = line.wire().another()?;
        // The server may have closed by then: what is looked for is its last word.
        let _ = writer.write_all(&[b'{'; 200_000]);
        thread::sleep(Duration::from_millis(5));
        line.until(r#""code":"too_big""#)?;
        demand(line.next()?.is_none(), || "something came after the goodbye".into())?;
    }
    Ok(())
}

/// Everybody, in a room and out of it, and the loop itself.
pub(super) fn drain<S: Subject>() -> Result<(), Violation> {
    let server: S = serve()?;
    let mut lines = Vec::new();
    for number in 0..10 {
        lines.push(member(&server, &format!("m{number}"))?);
    }
    // One whose own end is over, and one who is lost.
    let mut ended = connect(&server)?;
    ended.send(&hello("ended"))?;
    ended.wire().half_close()?;
    connect(&server)?.into_wire().reset()?;
    demand(!server.has_ended(), || "the loop ended before it was asked to".into())?;
    server.drain();
    for line in &mut lines {
        line.until(r#""code":"shutdown""#)?;
        demand(line.next()?.is_none(), || "something came after the goodbye".into())?;
    }
    drop((lines, ended));
    let start = Instant::now();
    while !server.has_ended() {
        demand(start.elapsed() < PATIENCE, || format!("the loop goes on {PATIENCE:?} after everybody left"))?;
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
