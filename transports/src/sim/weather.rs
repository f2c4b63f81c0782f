//! What the network does to what is sent through it.

use std::time::Duration;

use fastrand::Rng;

/// How rough the network is, and how often the server goes down. Chances are in a thousand, for each segment sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// The shortest time that a segment takes.
    pub latency: Duration,
    /// What may come on top of that for any segment.
    pub jitter: Duration,
    /// The chance that one is late.
    pub late: u32,
    /// How late it is at most.
    pub lateness: Duration,
    /// The chance that one is lost, and the connection with it: both ends learn of it sooner or later.
    pub cut: u32,
    /// The chance that nothing of its direction arrives any more, and nobody is told (half-open).
    pub hold: u32,
    /// The chance, for each attempt to connect, that it fails.
    pub refuse: u32,
    /// The mean time between two crashes of the server; `None`: it never crashes.
    pub crash: Option<Duration>,
    /// The chance that the log survives a crash. Otherwise the next one begins with new epochs.
    pub keep_log: u32,
}

/// What becomes of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives after this time, though never before those sent earlier.
    After(Duration),
    /// It is lost. A stream can't lose a part and go on, so the connection is lost too.
    Drop,
    /// It stays where it is, and so does all that follows it.
    Hold,
}

impl Weather {
    /// Nothing but the speed of light.
    pub const CLEAR: Self = Self {
        latency: Duration::from_millis(20),
        jitter: Duration::from_millis(5),
        late: 0,
        lateness: Duration::ZERO,
        cut: 0,
        hold: 0,
        refuse: 0,
        crash: None,
        keep_log: 1_000,
    };

    /// Everything goes wrong now and then.
    pub const ROUGH: Self = Self {
        latency: Duration::from_millis(5),
        jitter: Duration::from_millis(300),
        late: 50,
        lateness: Duration::from_secs(8),
        cut: 15,
        hold: 5,
        refuse: 200,
        crash: Some(Duration::from_secs(90)),
        keep_log: 700,
    };

    pub(super) fn fate(&self, rng: &mut Rng) -> Fate {
        if chance(rng, self.cut) {
            Fate::Drop
        } else if chance(rng, self.hold) {
            Fate::Hold
        } else {
            let late = if chance(rng, self.late) { up_to(rng, self.lateness) } else { Duration::ZERO };
            Fate::After(self.delay(rng) + late)
        }
    }

    pub(super) fn delay(&self, rng: &mut Rng) -> Duration {
        self.latency + up_to(rng, self.jitter)
    }
}

/// Whether something of this chance in a thousand happens.
pub(super) fn chance(rng: &mut Rng, per_mille: u32) -> bool {
    rng.u32(0..1_000) < per_mille
}

/// Any time up to `most`.
pub(super) fn up_to(rng: &mut Rng, most: Duration) -> Duration {
    Duration::from_micros(rng.u64(0..=most.as_micros() as u64))
}
