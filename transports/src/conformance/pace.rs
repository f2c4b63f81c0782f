//! Time: when nothing else happens, and when too much does.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use super::line::demand;
use super::room::{connect, member, serve, serve_with};
use super::{CheckedLog, Subject, Violation};

/// What a loop may add to a time that the machine wants.
const SLACK: Duration = Duration::from_secs(2);

/// Somebody who never gets further than half a line, alone on the server.
pub(super) fn deadlines<S: Subject>() -> Result<(), Violation> {
    let time = Duration::from_millis(400);
    let server: S = serve_with(CheckedLog::prompt(), |config| config.limits.handshake = time)?;
    // From a moment before the server can have heard of it.
    let start = Instant::now();
    let mut silent = connect(&server)?;
    silent.send("{\"t\":\"hel")?;
    let rest = silent.rest()?;
    let took = start.elapsed();
    demand(rest.contains(r#""code":"handshake""#), || format!("it was sent away with {rest:?}"))?;
    demand(took >= time, || format!("it was sent away after {took:?} and not {time:?}"))?;
    demand(took <= time + SLACK, || format!("it was sent away only after {took:?} and not {time:?}"))
}

/// A log whose answers come from another thread, while nothing else happens.
pub(super) fn late_log<S: Subject>() -> Result<(), Violation> {
    let delay = Duration::from_millis(30);
    let server: S = serve_with(CheckedLog::late(delay), |_| {})?;
    let mut ann = member(&server, "ann")?;
    for number in 0..5 {
        let start = Instant::now();
        ann.say(&format!("a{number}"), "is it written?")?;
        let took = start.elapsed();
        demand(took <= delay + SLACK, || {
            format!("an answer that the log had after {delay:?} was heard after {took:?}")
        })?;
    }
    Ok(())
}

/// Somebody who is heard while another sends as much as goes of what needs no answer.
pub(super) fn fairness<S: Subject>() -> Result<(), Violation> {
    let server: S = serve()?;
    let mut ann = member(&server, "ann")?;
    let mut flood = member(&server, "flood")?.into_wire();
    let pongs = "{\"t\":\"pong\",\"n\":1}\n".repeat(4_000);
    // It ends as the server does.
    thread::spawn(move || while flood.write_all(pongs.as_bytes()).is_ok() {});
    for number in 0..30 {
        let start = Instant::now();
        ann.say(&format!("a{number}"), "may I?")?;
        let took = start.elapsed();
        demand(took <= SLACK, || format!("it took {took:?} to be heard beside one who sends without end"))?;
    }
    Ok(())
}
