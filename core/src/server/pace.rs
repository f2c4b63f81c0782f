//! Rates: a burst, then one every so often (the generic cell rate algorithm: one instant is all the state).

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::limits::Limits;
use crate::time::Instant;

/// A rate; by default there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Rate {
    /// How many at once.
    burst: u32,
    /// One more after so many microseconds; zero: no limit.
    every: u64,
}

/// How far one source of events has used its allowance up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pace {
    /// When the allowance is full again.
    full: Instant,
}

impl Rate {
    /// No limit where either is zero. In whole microseconds, as instants are: a wait that is too short to move an instant
    /// would never end.
    pub(super) fn new(burst: u32, every: Duration) -> Self {
        let micros = if burst == 0 { 0 } else { every.as_nanos().div_ceil(1_000) };
        Self { burst, every: u64::try_from(micros).unwrap_or(u64::MAX) }
    }

    fn every(self) -> Duration {
        Duration::from_micros(self.every)
    }

    /// How long the whole of it takes to come back.
    fn whole(self) -> Duration {
        Duration::from_micros(self.every.saturating_mul(self.burst.into()))
    }

    /// `burst` at once and `per_s` a second; no limit where either is zero.
    pub(super) fn per_second(burst: u32, per_s: u32) -> Self {
        Self::new(burst, Duration::from_secs(1).checked_div(per_s).unwrap_or_default())
    }
}

impl Pace {
    /// How long until one more is allowed: zero where it is now.
    pub(super) fn wait(self, rate: Rate, now: Instant) -> Duration {
        if rate.every == 0 {
            return Duration::ZERO;
        }
        (self.full + rate.every()).since(now).saturating_sub(rate.whole())
    }

    /// Uses one up.
    pub(super) fn spend(&mut self, rate: Rate, now: Instant) {
        self.full = self.full.max(now) + rate.every();
    }

    /// Gives the last one back.
    pub(super) fn forgive(&mut self, rate: Rate) {
        self.full = self.full.minus(rate.every());
    }

    /// The rate is another one from here on: nothing is owed that would take longer to forgive than the whole of it.
    pub(super) fn fit(&mut self, rate: Rate, now: Instant) {
        self.full = self.full.min(now + rate.whole());
    }

    /// How many are allowed right now.
    pub(super) fn left(self, rate: Rate, now: Instant) -> u64 {
        if rate.every == 0 {
            return u64::MAX;
        }
        let used = self.full.since(now).as_micros().div_ceil(rate.every.into());
        u64::from(rate.burst).saturating_sub(used as u64)
    }
}

/// The wrong guesses of each source (of codes, of passwords; or for each account, whoever makes them), and of all together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Guesses<Source = super::io::Source> {
    rate: Rate,
    all: Rate,
    most: usize,
    everyone: Pace,
    by_source: BTreeMap<Source, Pace>,
    /// The same, by when their allowance is full again: then they are forgotten.
    by_end: BTreeSet<(Pace, Source)>,
}

impl<Source: Copy + Ord> Guesses<Source> {
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

    /// The limits are others from here on. What was guessed before counts, as far as it can.
    pub(super) fn set_limits(&mut self, limits: &Limits, now: Instant) {
        let Self { rate, all, most, .. } = Self::new(limits);
        (self.rate, self.all, self.most) = (rate, all, most);
        self.everyone.fit(all, now);
        self.by_source.values_mut().for_each(|pace| pace.fit(rate, now));
        self.by_end = self.by_source.iter().map(|(&source, &pace)| (pace, source)).collect();
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

    /// The last wrong guess of `source` was none.
    pub(super) fn forgive(&mut self, source: Option<Source>) {
        self.everyone.forgive(self.all);
        let Some((source, pace)) = source.and_then(|source| Some((source, self.by_source.get_mut(&source)?))) else {
            return;
        };
        self.by_end.remove(&(*pace, source));
        pace.forgive(self.rate);
        self.by_end.insert((*pace, source));
    }

    /// How many more wrong guesses `source` has.
    pub(super) fn left(&self, source: Option<Source>, now: Instant) -> u64 {
        if source.is_none() { u64::MAX } else { self.pace(source).left(self.rate, now) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_zero_or_moves_the_clock() {
        for per_s in 1..2_000 {
            let rate = Rate::per_second(10, per_s);
            let (mut pace, mut now) = (Pace::default(), Instant::from_micros(1_000_003));
            for _ in 0..50 {
                let wait = pace.wait(rate, now);
                assert!(wait.is_zero() || now + wait > now, "{per_s} a second: {wait:?}");
                now = now + wait;
                assert!(pace.wait(rate, now).is_zero());
                pace.spend(rate, now);
            }
        }
    }

    #[test]
    fn a_burst_and_then_one_every_so_often() {
        let (rate, mut pace, now) = (Rate::per_second(10, 2), Pace::default(), Instant::from_micros(7));
        for left in (0..10).rev() {
            assert!(pace.wait(rate, now).is_zero());
            pace.spend(rate, now);
            assert_eq!(pace.left(rate, now), left);
        }
        assert_eq!(pace.wait(rate, now), Duration::from_millis(500));
        assert_eq!(pace.left(rate, now + Duration::from_millis(500)), 1);
        assert_eq!(pace.left(rate, now + Duration::from_secs(60)), 10);
    }

    #[test]
    fn nobody_waits_longer_under_a_new_rate_than_one_who_has_used_it_up() {
        let now = Instant::from_micros(1_000_003);
        let (long, short) = (Rate::new(1_000, Duration::from_secs(10)), Rate::per_second(10, 2));
        for (before, after) in [(long, short), (short, long), (short, Rate::per_second(0, 0))] {
            let mut pace = Pace::default();
            while pace.wait(before, now).is_zero() {
                pace.spend(before, now);
            }
            pace.fit(after, now);
            assert!(pace.wait(after, now) <= after.every(), "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_full_table_of_guesses_forgets_who_is_nearest_to_be_forgiven() {
        let limits = Limits { guess_sources: 2, guess_per_s: 0, ..Limits::default() };
        let mut guesses = Guesses::new(&limits);
        let source = |last: u8| super::super::Peer::Net(([10, 0, 0, last], 1).into()).source();
        let now = Instant::from_micros(0);
        assert_eq!(guesses.wrong(source(1), now), 9);
        assert_eq!(guesses.wrong(source(1), now), 8);
        assert_eq!(guesses.wrong(source(2), now), 9);
        assert_eq!(guesses.wrong(source(3), now), 9);
        assert_eq!(guesses.wrong(source(1), now), 7, "the worst is remembered");
        assert_eq!(guesses.by_source.len(), 2);
        assert_eq!(guesses.by_end.len(), 2);
    }
}
