//! Connections: made, lost, and made again.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use qun_core::client::Event;

use super::Subject;
use super::script::{BACKOFF, Guest, Host, hello, welcome};
use crate::conformance::line::demand;
use crate::conformance::{Violation, Wire};

/// What a loop may add to a time that the machine wants.
const SLACK: Duration = Duration::from_secs(2);
/// How long nothing must happen for it to count as nothing.
const QUIET: Duration = Duration::from_millis(400);

/// A server that ends its side, several times. A client has nothing to say to one that will not answer.
pub(super) fn end_of_input<S: Subject>() -> Result<(), Violation> {
    let host = Host::open()?;
    let guest = Guest::<S>::start(&host);
    for nth in 1..=4 {
        let mut line = host.welcome()?;
        guest.online()?;
        line.wire().shutdown(Shutdown::Write)?;
        guest.offline(nth)?;
        line.rest()?;
    }
    Ok(())
}

/// A server whose connections are reset, in all that may be happening then.
pub(super) fn reset<S: Subject>() -> Result<(), Violation> {
    let host = Host::open()?;
    let guest = Guest::<S>::start(&host);
    for nth in 1..=6 {
        let mut line = host.accept()?;
        match nth % 3 {
            0 => {}
            1 => hello(&mut line)?,
            _ => {
                hello(&mut line)?;
                line.send(&welcome())?;
                guest.online()?;
                line.send("{\"t\":\"ping\",\"n\":1}\n{\"t\":\"msg\",\"ro")?;
            }
        }
        line.into_wire().reset()?;
        guest.offline(nth)?;
    }
    Ok(())
}

/// A server that is not there, and then is.
pub(super) fn refused<S: Subject>() -> Result<(), Violation> {
    let host = Host::open()?;
    let addr = host.addr;
    let guest = Guest::<S>::start(&host);
    let line = host.welcome()?;
    guest.online()?;
    drop((host, line));
    for nth in 1..=4 {
        guest.offline(nth)?;
    }
    let host = Host::at(addr)?;
    let _line = host.welcome()?;
    guest.until("that it is online", |event| matches!(event, Event::Online { .. }).then_some(()))
}

/// A server that says how long to stay away, and a client to which nothing else happens.
pub(super) fn backoff<S: Subject>() -> Result<(), Violation> {
    let wait = Duration::from_millis(600);
    let host = Host::open()?;
    let guest = Guest::<S>::start(&host);
    for _ in 0..2 {
        let mut line = host.welcome()?;
        guest.online()?;
        let start = Instant::now();
        line.send(&format!(
            "{{\"t\":\"bye\",\"code\":\"shutdown\",\"retry\":\"later\",\"wait_ms\":{},\"text\":\"\"}}\n",
            wait.as_millis()
        ))?;
        let next = host.accept_within(wait + BACKOFF + SLACK)?;
        let took = start.elapsed();
        demand(next.is_some(), || format!("it did not come back for {took:?}, and was to stay away for {wait:?}"))?;
        demand(took >= wait, || format!("it came back after {took:?}, and was to stay away for {wait:?}"))?;
        // That one is lost, so that the next is a wait of the client's own.
        drop(next);
    }
    Ok(())
}

/// A server that makes no sense: the machine hangs up, and tries another time.
pub(super) fn closes<S: Subject>() -> Result<(), Violation> {
    let host = Host::open()?;
    let guest = Guest::<S>::start(&host);
    for nth in 1..=3 {
        let mut line = host.welcome()?;
        guest.online()?;
        line.send("{this is no json\n")?;
        guest.offline(nth)?;
        // It may be reset, for what was not read of it.
        let ended = line.rest();
        demand(ended.as_ref().is_ok_and(|rest| rest.is_empty()) || ended.is_err(), || {
            format!("after it hung up it sent {ended:?}")
        })?;
        if let Err(Violation(what)) = ended {
            demand(!what.contains("nothing came"), || "the connection stays open after the machine closed it".into())?;
        }
    }
    Ok(())
}

/// A client that says goodbye, after what it had to say.
pub(super) fn goodbye<S: Subject>() -> Result<(), Violation> {
    let host = Host::open()?;
    let guest = Guest::<S>::start(&host);
    let mut line = host.welcome()?;
    guest.online()?;
    guest.command(|client, now| client.bye(now));
    line.until(r#""t":"bye""#)?;
    line.send("{\"t\":\"bye\",\"code\":\"done\",\"retry\":\"no\",\"text\":\"\"}\n")?;
    guest.until("its end", |event| matches!(event, Event::Ended { bye: None }).then_some(()))?;
    demand(line.rest().is_ok_and(|rest| rest.is_empty()), || "something came after the goodbye".into())?;
    guest.quiet(QUIET)?;
    demand(host.accept_within(Duration::ZERO)?.is_none(), || "it came back after its end".into())
}
