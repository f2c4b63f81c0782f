//! Rates, as they look from outside: of what happened within any time, not more was allowed.

use std::collections::VecDeque;
use std::time::Duration;

use qun_core::Instant;

/// The longest time within which is counted: what is kept does not grow for ever.
const LONG: Duration = Duration::from_secs(60);

/// So many at once, and so many a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) per_s: u32,
}

/// What somebody does that has a rate. Of each time that it was done is known when at the earliest.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// Since when at the earliest, the smallest first.
    done: VecDeque<Instant>,
    /// When they may have begun anew, with nothing used up.
    anew: VecDeque<Instant>,
}

impl Pace {
    /// They may have begun anew.
    pub(super) fn begins(&mut self, now: Instant) {
        self.anew.push_back(now);
    }

    /// It was done once more, between `since` and now. Says how often within which time, where that is too often.
    pub(super) fn does(&mut self, since: Instant, now: Instant, rate: Rate) -> Option<(usize, Duration)> {
        while self.done.pop_front_if(|at| *at + LONG < now).is_some() {}
        while self.anew.pop_front_if(|at| *at + LONG < now).is_some() {}
        let at = self.done.partition_point(|at| *at <= since);
        self.done.insert(at, since);
        if rate.burst == 0 || rate.per_s == 0 {
            return None;
        }
        let count = self.done.len();
        let too_many =
            self.done.iter().enumerate().map(|(before, since)| (count - before, *since)).find(|(times, since)| {
                let begun = 1 + self.anew.iter().filter(|at| *at >= since).count() as u64;
                let most = begun * u64::from(rate.burst)
                    + now.since(*since).as_micros() as u64 * u64::from(rate.per_s) / 1_000_000;
                *times as u64 > most
            });
        too_many.map(|(times, since)| (times, now.since(since)))
    }
}

/// What somebody has used up of a rate, as long as each time is known at which they did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    /// When all of it may be used again.
    full: Instant,
    /// Whether some time was not known.
    is_unsure: bool,
}

impl Spent {
    /// It is done once more, now or at some later time; says whether the rate surely allows it.
    pub(super) fn once_more(&mut self, now: Instant, is_now: bool, rate: Rate) -> bool {
        self.is_unsure |= !is_now;
        if self.is_unsure || rate.burst == 0 || rate.per_s == 0 {
            return false;
        }
        let every = Duration::from_micros(1_000_000_u64.div_ceil(rate.per_s.into()));
        let full = self.full.max(now) + every;
        let fits = full.since(now) <= every * rate.burst;
        if fits {
            self.full = full;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, per_s: 2 };

    fn ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1_000)
    }

    #[test]
    fn a_burst_and_then_so_many_a_second() {
        let mut pace = Pace::default();
        for at in [0, 0, 0, 500, 1_000, 1_500] {
            assert_eq!(pace.does(ms(at), ms(at), RATE), None);
        }
        assert_eq!(pace.does(ms(1_999), ms(1_999), RATE), Some((7, Duration::from_millis(1_999))));
    }

    #[test]
    fn what_may_have_been_done_earlier_is_no_burst() {
        let mut pace = Pace::default();
        for at in [0, 500, 1_000, 1_500, 2_000, 2_500] {
            assert_eq!(pace.does(ms(at), ms(2_500), RATE), None);
        }
        assert!((0..2).all(|_| pace.does(ms(2_400), ms(2_500), RATE).is_none()));
        assert_eq!(pace.does(ms(2_400), ms(2_500), RATE), Some((9, Duration::from_millis(2_500))));
    }

    #[test]
    fn what_is_surely_allowed_is_a_burst_and_then_so_many_a_second() {
        let mut spent = Spent::default();
        let fits = |spent: &mut Spent, at| spent.once_more(ms(at), true, RATE);
        assert!([0, 0, 0].into_iter().all(|at| fits(&mut spent, at)));
        assert!(!fits(&mut spent, 499) && fits(&mut spent, 500) && !fits(&mut spent, 999) && fits(&mut spent, 1_000));
        assert!(!spent.once_more(ms(9_000), false, RATE) && !fits(&mut spent, 90_000), "nobody knows any more");
    }

    #[test]
    fn who_begins_anew_has_another_burst() {
        let mut pace = Pace::default();
        assert!((0..3).all(|_| pace.does(ms(0), ms(0), RATE).is_none()));
        pace.begins(ms(1));
        assert!((0..3).all(|_| pace.does(ms(1), ms(1), RATE).is_none()));
        assert!(pace.does(ms(1), ms(1), RATE).is_some());
    }
}
