//! Sending: all of it, in order, whatever the connection takes at once.

use std::thread;
use std::time::Duration;

use super::line::{Line, demand, say};
use super::room::{connect, member, serve};
use super::{Subject, Violation, Wire};

/// So many bytes of text in a say make the kernel take a few dozen, not thousands.
const TEXT: usize = 3_000;

/// Answers of some MB to one who reads late and little at a time.
pub(super) fn in_full<S: Subject>() -> Result<(), Violation> {
    const PAGES: usize = 20;
    let server: S = serve()?;
    let mut ann = member(&server, "ann")?;
    for number in 0..40 {
        ann.say(&format!("s{number}"), &"x".repeat(TEXT))?;
    }
    let mut late = member(&server, "late")?;
    for page in 0..PAGES {
        late.send(&format!(
            "{{\"t\":\"history\",\"id\":\"h{page}\",\"room\":\"ops\",\"before\":1000,\"limit\":40}}\n"
        ))?;
    }
    late.send("{\"t\":\"bye\"}\n")?;
    thread::sleep(Duration::from_millis(400));
    let text = slowly(late)?;
    let pages: Vec<_> = text.lines().filter(|line| line.contains(r#""t":"page""#)).collect();
    demand(pages.len() == PAGES, || format!("of {PAGES} pages {} came", pages.len()))?;
    for (number, page) in pages.iter().enumerate() {
        demand(page.contains(&format!(r#""re":"h{number}""#)), || format!("page {number} is another"))?;
        let whole = page.matches(&"x".repeat(TEXT)).count();
        demand(whole == 40 && page.ends_with('}'), || format!("page {number} has {whole} of 40 texts"))?;
    }
    demand(text.ends_with('\n') && text.contains(r#""t":"bye""#), || "the goodbye did not come".into())
}

/// Reads to the end, in pieces of every size.
fn slowly<W: Wire>(line: Line<W>) -> Result<String, Violation> {
    let mut wire = line.into_wire();
    let mut bytes = Vec::new();
    let mut buffer = [0; 5_000];
    for size in (1..buffer.len()).step_by(97).cycle() {
        match wire.read(&mut buffer[..size])? {
            0 => break,
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    }
    String::from_utf8(bytes).map_err(|_| Violation("what came is no UTF-8".into()))
}

/// Somebody who reads nothing while the room says less than it holds.
pub(super) fn late_reader<S: Subject>() -> Result<(), Violation> {
    let server: S = serve()?;
    let (mut late, mut ann) = (member(&server, "late")?, member(&server, "ann")?);
    let mut seen = Vec::new();
    for number in 0..140 {
        seen.push(ann.say(&format!("a{number}"), &"y".repeat(TEXT))?);
    }
    for (number, seen) in seen.iter().enumerate() {
        let got = late.until(r#""t":"msg""#)?;
        demand(got == *seen, || {
            format!("message {number} is not what the others got: {}", &got[..got.len().min(120)])
        })?;
    }
    Ok(())
}

/// Somebody who reads nothing while the room says far more than it holds.
pub(super) fn bounded_kernel<S: Subject>() -> Result<(), Violation> {
    const SAYS: usize = 2_500;
    /// Twice the room's budget, for what was on its way.
    const BOUND: usize = 1 << 20;
    let server: S = serve()?;
    let (mut stalled, mut ann) = (member(&server, "stalled")?, member(&server, "ann")?);
    let mut talker = connect(&server)?;
    talker.get_in("talker")?;
    for number in 0..SAYS {
        ann.send(&say(&format!("a{number}"), &"z".repeat(TEXT)))?;
        // In steps, so that nobody but the one who stalls falls behind.
        if number % 50 == 49 {
            ann.until(&format!(r#""id":"a{number}""#))?;
            talker.until(&format!(r#""id":"a{number}""#))?;
        }
    }
    let mut hidden = 0;
    loop {
        let line = stalled.next()?.ok_or_else(|| Violation("the stalled reader was sent away".into()))?;
        if line.contains(r#""t":"gap""#) {
            break;
        }
        hidden += line.len();
        demand(hidden <= BOUND, || format!("more than {BOUND} bytes were waiting for one who read nothing"))?;
    }
    let last = ann.say("last", "and on we go")?;
    let seq = last.split_once(r#""seq":"#).and_then(|(_, rest)| rest.split(',').next()).unwrap_or_default();
    // What was on its way may be as old again, and then there is another gap, which may reach to the end.
    let missed = format!("\"to\":{seq},");
    loop {
        match stalled.next()? {
            Some(line) if line == last || line.contains(r#""t":"gap""#) && line.contains(&missed) => return Ok(()),
            Some(_) => {}
            None => return Err(Violation("the stalled reader was sent away".into())),
        }
    }
}
