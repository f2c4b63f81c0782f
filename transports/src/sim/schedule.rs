//! What is to happen, and when.

use std::collections::BTreeMap;

use qun_core::Instant;

/// A queue by time; what is to happen at the same time happens in the order in which it was scheduled.
#[derive(Clone, Debug)]
pub(super) struct Schedule<T> {
    happenings: BTreeMap<(Instant, u64), T>,
    scheduled: u64,
}

impl<T> Schedule<T> {
    pub(super) fn new() -> Self {
        Self { happenings: BTreeMap::new(), scheduled: 0 }
    }

    pub(super) fn push(&mut self, at: Instant, what: T) {
        self.scheduled += 1;
        self.happenings.insert((at, self.scheduled), what);
    }

    /// When the next thing happens.
    pub(super) fn next(&self) -> Option<Instant> {
        self.happenings.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next thing, where it happens no later than `now`.
    pub(super) fn pop(&mut self, now: Instant) -> Option<T> {
        if self.next()? <= now { self.happenings.pop_first().map(|(_, what)| what) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_by_time_and_then_by_scheduling() {
        let at = Instant::from_micros;
        let mut schedule = Schedule::new();
        for (time, what) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b')] {
            schedule.push(at(time), what);
        }
        assert_eq!(schedule.pop(at(2)), None);
        let popped: String = std::iter::from_fn(|| schedule.pop(at(9))).collect();
        assert_eq!(popped, "abcd");
    }
}
