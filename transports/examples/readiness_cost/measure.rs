//! Which loads are put on which servers.

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use qun_transports::readiness::PollerKind;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::crowd::{Crowd, ROOM};
use crate::process::{Calls, Process};
use crate::{plot, report};

/// With how many connections.
const CONNECTIONS: [usize; 4] = [10, 100, 1_000, 10_000];
/// As many as `select` is tried with: FD_SETSIZE is 1,024, and the server needs some descriptors for itself.
const SELECT: usize = 1_000;
/// Of so many runs the middle one counts.
const RUNS: usize = 5;
/// Deliveries of one run.
const DELIVERIES: usize = 10_000;
/// Deliveries of the run that strace counts, which is slow.
const COUNTED: usize = 1_000;

/// The two kinds of load.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    One,
    All,
}

/// What a delivery cost.
pub(crate) struct Cost {
    pub(crate) poller: PollerKind,
    pub(crate) connections: usize,
    pub(crate) load: Load,
    /// Microseconds: the least, the middle and the most of the runs.
    pub(crate) time: [f64; 3],
    /// System calls: waiting, reading, writing and others.
    pub(crate) calls: Option<[f64; 4]>,
}

impl Cost {
    pub(crate) fn all_calls(&self) -> Option<f64> {
        Some(self.calls?.iter().sum())
    }
}

/// Measures everything, prints it, and draws it at `path`.
pub(crate) fn all(path: Option<&str>) -> Result<(), Box<dyn Error>> {
    let descriptors = more_descriptors()?;
    let mut costs = Vec::new();
    for connections in CONNECTIONS {
        if connections + 100 > descriptors {
            eprintln!("left out: {connections} connections, for which {descriptors} descriptors are too few");
            continue;
        }
        for poller in PollerKind::ALL {
            if poller.as_str() == "select" && connections > SELECT {
                continue;
            }
            eprintln!("measuring {poller} with {connections} connections");
            one(poller, connections, &mut costs)?;
        }
    }
    io::stdout().write_all(report::table(&costs).as_bytes())?;
    if let Some(path) = path {
        std::fs::write(path, plot::svg(&costs)).map_err(|error| format!("can't write {path}: {error}"))?;
    }
    Ok(())
}

fn one(poller: PollerKind, connections: usize, costs: &mut Vec<Cost>) -> Result<(), Box<dyn Error>> {
    let rooms = connections / ROOM;
    let process = Process::start(poller, rooms)?;
    let mut crowd = Crowd::gather(process.port, rooms)?;
    for load in [Load::One, Load::All] {
        deliver(&process, &mut crowd, load, COUNTED)?;
        let mut time = Vec::new();
        for _ in 0..RUNS {
            let before = process.spent()?;
            let deliveries = deliver(&process, &mut crowd, load, DELIVERIES)?;
            time.push(per(process.spent()? - before, deliveries));
        }
        time.sort_by(f64::total_cmp);
        let calls = match process.trace()? {
            Some(trace) => {
                let deliveries = deliver(&process, &mut crowd, load, COUNTED)?;
                Some(sorted(&trace.calls()?).map(|count| count as f64 / deliveries as f64))
            }
            None => None,
        };
        let time = [time[0], time[RUNS / 2], time[RUNS - 1]];
        costs.push(Cost { poller, connections, load, time, calls });
    }
    // The server goes first: that everybody else leaves is then nobody's work.
    drop(process);
    Ok(())
}

/// Has at least `least` messages delivered; says how many it were.
fn deliver(process: &Process, crowd: &mut Crowd, load: Load, least: usize) -> Result<usize, Box<dyn Error>> {
    let mut deliveries = 0;
    while deliveries < least {
        deliveries += match load {
            Load::One => crowd.one_speaks()?,
            Load::All => crowd.all_speak(|| process.stop(), || process.go_on())?,
        };
    }
    Ok(deliveries)
}

fn per(time: Duration, deliveries: usize) -> f64 {
    time.as_secs_f64() * 1e6 / deliveries as f64
}

/// Waits, reads, writes, others.
fn sorted(calls: &[Calls]) -> [u64; 4] {
    let mut sorted = [0; 4];
    for Calls { name, count } in calls {
        let kind = match name.as_str() {
            "select" | "_newselect" | "pselect6" | "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => 0,
            "read" | "recv" | "recvfrom" | "recvmsg" => 1,
            "write" | "writev" | "send" | "sendto" | "sendmsg" => 2,
            _ => 3,
        };
        sorted[kind] += count;
    }
    sorted
}

/// Raises the limit as far as it goes, for this process and its servers.
fn more_descriptors() -> Result<usize, Box<dyn Error>> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(limit.maximum.map_or(usize::MAX, |maximum| maximum as usize))
}
