//! How fast may be said what waits to be said.

use core::time::Duration;

use crate::json::Limits;
use crate::time::Instant;

/// The server's token bucket, as it looks from here.
///
/// One token less than the server has, and refilled a little slower: what a network delays or bunches up then still
/// finds its token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Pacer {
    /// When the bucket is full again.
    full: Instant,
    /// How long one token takes.
    every: Duration,
    /// How long all tokens but one take.
    slack: Duration,
}

impl Pacer {
    /// Takes over what the server allows. `anew`: with a bucket that nobody used yet.
    pub(super) fn configure(&mut self, now: Instant, limits: &Limits, anew: bool) {
        let rated = limits.burst > 0 && limits.per_s > 0;
        let token = if rated { 1_000_000 / limits.per_s } else { 0 };
        self.every = Duration::from_micros(token + token / 64);
        let spare = limits.burst.saturating_sub(2).min(u64::from(u32::MAX));
        self.slack = self.every.saturating_mul(spare as u32);
        if anew {
            self.full = now;
        }
    }

    /// From when on the next one may be said.
    pub(super) fn ready(&self) -> Instant {
        let slack = u64::try_from(self.slack.as_micros()).unwrap_or(u64::MAX);
        Instant::from_micros(self.full.as_micros().saturating_sub(slack))
    }

    /// One was said.
    pub(super) fn spend(&mut self, now: Instant) {
        self.full = self.full.max(now) + self.every;
    }

    /// The server found it too fast: nothing before `until`, and then one at a time.
    pub(super) fn slow_down(&mut self, until: Instant) {
        self.full = self.full.max(until + self.slack);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(burst: u64, per_s: u64) -> Limits {
        Limits { line: 16_384, text: 4_000, lines: 64, name: 32, replay: 200, burst, per_s }
    }

    /// What a server of these limits, whose bucket fills up exactly, says to a client that sends all it may.
    fn errors(limits: Limits, says: u32) -> u32 {
        let (mut pacer, mut now) = (Pacer::default(), Instant::from_micros(5_000_000));
        pacer.configure(now, &limits, true);
        let (mut tokens, mut last, mut errors) = (limits.burst * 1_000_000, now, 0);
        for _ in 0..says {
            now = now.max(pacer.ready());
            pacer.spend(now);
            let gained = now.since(last).as_micros() as u64 * limits.per_s;
            (tokens, last) = ((tokens + gained).min(limits.burst * 1_000_000), now);
            match tokens.checked_sub(1_000_000) {
                Some(rest) => tokens = rest,
                None => errors += 1,
            }
        }
        errors
    }

    #[test]
    fn a_paste_never_errors() {
        for (burst, per_s) in [(10, 2), (1, 1), (2, 1), (1, 50), (100, 3)] {
            assert_eq!(errors(limits(burst, per_s), 500), 0, "{burst} in a burst, {per_s} a second");
        }
    }

    #[test]
    fn zero_lifts_the_rate() {
        for (burst, per_s) in [(0, 2), (10, 0), (0, 0)] {
            let mut pacer = Pacer::default();
            let now = Instant::from_micros(7);
            pacer.configure(now, &limits(burst, per_s), true);
            (0..1_000).for_each(|_| pacer.spend(now));
            assert!(pacer.ready() <= now);
        }
    }

    #[test]
    fn what_the_server_asks_to_wait_is_waited_for() {
        let (mut pacer, now) = (Pacer::default(), Instant::from_micros(1));
        pacer.configure(now, &limits(10, 2), true);
        let until = now + Duration::from_millis(700);
        pacer.slow_down(until);
        assert_eq!(pacer.ready(), until);
        pacer.spend(until);
        assert!(pacer.ready() > until);
    }
}
