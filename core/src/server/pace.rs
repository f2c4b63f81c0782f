//! Rates: a burst, then one every so often (the generic cell rate algorithm: one instant is all the state).

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use super::io::Source;
use crate::limits::Limits;
use crate::time::Instant;

/// A rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rate {
    /// How many at once.
    burst: u32,
    /// One more after this long; zero: no limit.
    every: Duration,
}

/// How far one source of events has used its allowance up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pace {
    /// When the allowance is full again.
    full: Instant,
}

impl Rate {
    pub(super) fn new(burst: u32, every: Duration) -> Self {
        Self { burst: burst.max(1), every }
    }

    /// `burst` at once and `per_s` a second; no limit where either is zero.
    pub(super) fn per_second(burst: u32, per_s: u32) -> Self {
        let every = if burst == 0 || per_s == 0 { Duration::ZERO } else { Duration::from_secs(1) / per_s };
        Self::new(burst, every)
    }
}

impl Pace {
    /// How long until one more is allowed: zero where it is now.
    pub(super) fn wait(self, rate: Rate, now: Instant) -> Duration {
        (self.full + rate.every).since(now).saturating_sub(rate.every * rate.burst)
    }

    /// Uses one up.
    pub(super) fn spend(&mut self, rate: Rate, now: Instant) {
        self.full = self.full.max(now) + rate.every;
    }

    /// How many are allowed right now.
    pub(super) fn left(self, rate: Rate, now: Instant) -> u64 {
        if rate.every.is_zero() {
            return u64::MAX;
        }
        let used = self.full.since(now).as_micros().div_ceil(rate.every.as_micros());
        u64::from(rate.burst).saturating_sub(used as u64)
    }
}

/// The wrong guesses of each source, and of all together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Guesses {
    rate: Rate,
    all: Rate,
    most: usize,
    everyone: Pace,
    by_source: BTreeMap<Source, Pace>,
    /// The same, by when their allowance is full again: then they are forgotten.
    by_end: BTreeSet<(Pace, Source)>,
}

impl Guesses {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            rate: Rate::new(limits.guess_burst, limits.guess_every),
            all: Rate::per_second(limits.guess_per_s, limits.guess_per_s),
            most: limits.guess_sources.max(1),
            everyone: Pace::default(),
            by_source: BTreeMap::new(),
            by_end: BTreeSet::new(),
        }
    }

    /// How long `source` has to wait for its next guess: zero where it may guess now.
    pub(super) fn wait(&self, source: Option<Source>, now: Instant) -> Duration {
        self.pace(source).wait(self.rate, now).max(self.everyone.wait(self.all, now))
    }

    /// `source` guessed wrong. How many more wrong guesses it has.
    pub(super) fn wrong(&mut self, source: Option<Source>, now: Instant) -> u64 {
        self.everyone.spend(self.all, now);
        let Some(source) = source else { return u64::MAX };
        self.forget(source, now);
        let mut pace = self.pace(Some(source));
        self.by_end.remove(&(pace, source));
        pace.spend(self.rate, now);
        self.by_source.insert(source, pace);
        self.by_end.insert((pace, source));
        pace.left(self.rate, now)
    }

    fn pace(&self, source: Option<Source>) -> Pace {
        source.and_then(|source| self.by_source.get(&source)).copied().unwrap_or_default()
    }

    /// Forgets those whose allowance is full again, and where that leaves no room for `newcomer` those nearest to it.
    fn forget(&mut self, newcomer: Source, now: Instant) {
        let fits = |guesses: &Self| guesses.by_source.len() < guesses.most || guesses.by_source.contains_key(&newcomer);
        while let Some(&(pace, source)) = self.by_end.first()
            && (pace.full <= now || !fits(self))
        {
            self.by_end.pop_first();
            self.by_source.remove(&source);
        }
    }
}
