//! What came out.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::process::{Process, Usage};
use super::tally::Faults;
use super::{Failure, Plan};

/// The outcome of a load.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Of [`Traffic::Talk`](super::Traffic::Talk) and [`Traffic::Stalled`](super::Traffic::Stalled).
    Talked(Talked),
    /// Of [`Traffic::Idle`](super::Traffic::Idle).
    Idled(Idled),
    /// Of [`Traffic::Churn`](super::Traffic::Churn).
    Churned(Churned),
}

/// How everybody got in.
#[derive(Clone, Copy, Debug)]
pub struct Entered {
    /// How many.
    pub members: usize,
    /// What it took, from the first connect to the last welcome.
    pub spent: Spent,
}

/// People talked.
#[derive(Clone, Debug)]
pub struct Talked {
    /// Before that.
    pub entered: Entered,
    /// The sections that were measured: one, or one with all reading and one with a member that reads nothing.
    pub sections: Vec<Section>,
    /// What was wrong, from the first message to the last.
    pub faults: Faults,
}

/// A stretch of time in which people talked.
#[derive(Clone, Debug)]
pub struct Section {
    /// What it took.
    pub spent: Spent,
    /// Messages said.
    pub said: u64,
    /// Messages that reached somebody: one for each who heard it.
    pub delivered: u64,
    /// Bytes of the frames that brought them.
    pub bytes: u64,
    /// Deliveries of the worst whole second.
    pub worst_second: Option<u64>,
    /// How late deliveries were.
    pub latency: Latency,
}

/// Nobody talked.
#[derive(Clone, Copy, Debug)]
pub struct Idled {
    /// Before that.
    pub entered: Entered,
    /// What the server had in memory before anybody came.
    pub before: Option<Usage>,
    /// What the kernel had by then, and had in the end, on the whole machine and so for both ends of the connections.
    pub kernel: Option<[u64; 2]>,
    /// What being idle took.
    pub spent: Spent,
}

/// People came and went.
#[derive(Clone, Debug)]
pub struct Churned {
    /// How many connected, got in, left and went.
    pub cycles: u64,
    /// What it took.
    pub spent: Spent,
    /// How long one took.
    pub latency: Latency,
}

/// What a stretch of time took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// How long it was.
    pub time: Duration,
    /// The server's processor time, where its process is known.
    pub server: Option<Duration>,
    /// The server's bytes in memory at the end.
    pub resident: Option<u64>,
    /// This process's processor time.
    pub load: Duration,
}

/// How late things were, to a thousandth, from 1 µs to 10 minutes.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

impl Latency {
    pub(super) fn new() -> Self {
        // Bounds that are right.
        #[expect(clippy::unwrap_used)]
        Self(Histogram::new_with_bounds(1, 600_000_000, 3).unwrap())
    }

    pub(super) fn record(&mut self, micros: u64) {
        self.0.saturating_record(micros);
    }

    /// The latency that `share` of them, from 0 to 1, did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(share))
    }

    /// The greatest.
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.0.max())
    }
}

impl Spent {
    /// The server's processor time for each of `n` things, in microseconds.
    pub fn server_each(&self, n: u64) -> Option<f64> {
        Some(self.server?.as_secs_f64() * 1e6 / n as f64).filter(|each| each.is_finite())
    }

    /// This process's processor time for each of `n` things, in microseconds.
    pub fn load_each(&self, n: u64) -> f64 {
        self.load.as_secs_f64() * 1e6 / n as f64
    }
}

/// Reads the clocks of both processes.
pub(super) struct Meter {
    server: Option<Process>,
    own: Option<Process>,
}

/// What they said at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    at: u64,
    pub(super) server: Option<Usage>,
    own: Option<Usage>,
}

impl Meter {
    pub(super) fn new(plan: &Plan) -> Result<Self, Failure> {
        let server = plan.process.map(|pid| Process::new(pid).ok_or(Failure::NoProcess(pid))).transpose()?;
        Ok(Self { server, own: Process::own() })
    }

    /// Reads them at microsecond `at`.
    pub(super) fn read(&mut self, at: u64) -> Reading {
        let usage = |process: &mut Option<Process>| process.as_mut().and_then(Process::usage);
        Reading { at, server: usage(&mut self.server), own: usage(&mut self.own) }
    }
}

impl Reading {
    /// What it took from then to `end`.
    pub(super) fn until(self, end: Self) -> Spent {
        let between = |from: Option<Usage>, to: Option<Usage>| Some(to?.cpu.saturating_sub(from?.cpu));
        Spent {
            time: Duration::from_micros(end.at - self.at),
            server: between(self.server, end.server),
            resident: end.server.map(|usage| usage.resident),
            load: between(self.own, end.own).unwrap_or_default(),
        }
    }
}
