//! Two ways of logging in, compared round by round.

use std::time::Duration;

/// The median, in microseconds.
pub(crate) fn median(times: &[Duration]) -> f64 {
    let mut times: Vec<_> = times.iter().map(|time| micros(*time)).collect();
    middle(&mut times)
}

/// How much longer one takes than the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Difference {
    /// Of the rounds' differences, in microseconds.
    pub(crate) median: f64,
    /// Between this one and [`high`](Self::high) the median of all possible rounds lies, with 95 % confidence.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// How often chance alone would make a difference as clear as this one (Wilcoxon's signed ranks, two-sided, normal
    /// approximation).
    pub(crate) p: f64,
}

impl Difference {
    pub(crate) fn of(one: &[Duration], other: &[Duration]) -> Self {
        let mut differences: Vec<_> = one.iter().zip(other).map(|(a, b)| micros(*a) - micros(*b)).collect();
        let p = signed_ranks(&differences);
        let median = middle(&mut differences);
        // Sorted by now. How many of n fall below their median is binomial.
        let n = differences.len() as f64;
        let reach = (1.96 * n.sqrt() / 2.0).ceil();
        let at = |place: f64| differences[(place.max(0.0) as usize).min(differences.len() - 1)];
        Self { median, low: at(n / 2.0 - reach), high: at(n / 2.0 + reach), p }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Sorts them, and says the one in the middle.
fn middle(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match numbers.len() {
        0 => f64::NAN,
        n if n % 2 == 0 => f64::midpoint(numbers[half - 1], numbers[half]),
        _ => numbers[half],
    }
}

fn signed_ranks(differences: &[f64]) -> f64 {
    let mut by_size: Vec<_> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    by_size.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let n = by_size.len() as f64;
    if n == 0.0 {
        return 1.0;
    }
    let positive: f64 =
        (1..).zip(&by_size).filter(|(_, difference)| **difference > 0.0).map(|(rank, _)| f64::from(rank)).sum();
    let (mean, deviation) = (n * (n + 1.0) / 4.0, (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt());
    two_sided((positive - mean) / deviation)
}

/// How often a normal number is farther from 0 than this one (Abramowitz and Stegun 7.1.26, good to 1.5e-7).
fn two_sided(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    series * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(micros: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        micros.into_iter().map(Duration::from_micros).collect()
    }

    #[test]
    fn what_differs_by_chance_alone_is_told_from_what_differs() {
        // The same hundred times in two orders, and then three microseconds more of each.
        let one = times((0..100).map(|n| 1_000 + n * 37 % 100));
        let other = times((0..100).map(|n| 1_000 + n * 61 % 100));
        let same = Difference::of(&one, &other);
        assert!(same.p > 0.1 && same.low <= 0.0 && same.high >= 0.0, "{same:?}");
        let later = times((0..100).map(|n| 1_030 + n * 61 % 100));
        let differs = Difference::of(&later, &other);
        assert!(differs.p < 1e-6 && (differs.median - 30.0).abs() < 1e-6, "{differs:?}");
    }

    #[test]
    fn the_tables_of_statistics_are_met() {
        for (z, p) in [(0.0, 1.0), (1.0, 0.317_31), (1.96, 0.05), (-2.575_83, 0.01)] {
            assert!((two_sided(z) - p).abs() < 1e-4, "{z}");
        }
        assert!((median(&times([3, 1, 2])) - 2.0).abs() < 1e-9);
        assert!((median(&times([4, 1, 2, 3])) - 2.5).abs() < 1e-9);
    }
}
