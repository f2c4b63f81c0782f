//! What qun is held to: near the floor, and below every other server.

use crate::spread::number;
use crate::system::{Dialect, Loop, System};
use crate::talk::Row;

/// A delivery may cost so many times what the floor needs for lines of the same length.
const FLOOR: f64 = 1.25;

/// How one dialect does in one row.
pub(crate) struct Verdict {
    /// Beside the floor, and beside the best other server.
    pub(crate) ratios: [String; 2],
    /// Whether that is enough; `None` where something was not measured.
    pub(crate) met: Option<bool>,
}

/// By processor time.
pub(crate) fn cpu(row: &Row, dialect: Dialect) -> Verdict {
    let median = |system| row.cpu(system).map(|cpu| cpu.median);
    let ours = median(System::Ours(dialect, Loop::Epoll));
    let by_floor = ratio(ours, median(System::Floor(dialect)));
    let by_best = ratio(ours, best(median));
    let met = by_floor.zip(by_best).map(|(floor, best)| floor <= FLOOR && best < 1.0);
    Verdict { ratios: [by_floor, by_best].map(show), met }
}

/// By latency: p50 and p99 not above the best other server's.
pub(crate) fn latency(row: &Row, dialect: Dialect) -> Verdict {
    let ours = System::Ours(dialect, Loop::Epoll);
    let p50 = |system| row.p50(system).map(|p50| p50.median);
    let p99 = |system| row.p99(system).map(|p99| p99.median);
    let by_floor = [ratio(p50(ours), p50(System::Floor(dialect))), ratio(p99(ours), p99(System::Floor(dialect)))];
    let by_best = [ratio(p50(ours), best(p50)), ratio(p99(ours), best(p99))];
    let both = |[p50, p99]: [Option<f64>; 2]| format!("{} / {}", show(p50), show(p99));
    let met = by_best[0].zip(by_best[1]).map(|(p50, p99)| p50 <= 1.0 && p99 <= 1.0);
    Verdict { ratios: [both(by_floor), both(by_best)], met }
}

/// `met`, or which dialect misses it.
pub(crate) fn words(met: &[Option<bool>]) -> String {
    let missed: Vec<_> = Dialect::ALL
        .iter()
        .zip(met)
        .filter(|(_, met)| **met == Some(false))
        .map(|(dialect, _)| dialect.name())
        .collect();
    match met {
        _ if !missed.is_empty() => format!("missed by {}", missed.join(" and ")),
        _ if met.contains(&None) => "–".into(),
        _ => "met".into(),
    }
}

/// The least of the other servers.
fn best(value: impl Fn(System) -> Option<f64>) -> Option<f64> {
    let peers = System::ALL.into_iter().filter(|system| matches!(system, System::Peer(_)));
    peers.filter_map(value).min_by(f64::total_cmp)
}

fn ratio(ours: Option<f64>, theirs: Option<f64>) -> Option<f64> {
    Some(ours? / theirs?)
}

fn show(ratio: Option<f64>) -> String {
    ratio.map_or("–".into(), number)
}
