//! One member of a room of a hundred reads nothing.

use serde_json::Value;

use crate::bench::{Load, Pace};
use crate::lab::Lab;
use crate::markdown::{count, table};
use crate::spread::number;
use crate::system::{Peer, System};

/// MiB by which the server may grow.
const MEMORY: f64 = 1.0;

/// What may change of the others' throughput, worst second and p99: no run is like the one before.
const NOISE: f64 = 1.25;

pub(crate) fn measure(lab: &Lab<'_>) -> String {
    let seconds = lab.options.scale(15.0, 3.0);
    let load = Load { kind: "stalled", members: 100, bytes: 400, pace: Pace::Window(16), seconds, ..Load::TALK };
    let systems = lab.systems(|system| {
        matches!(system, System::JSON | System::PLAIN | System::Peer(Peer::Redis | Peer::Nats | Peer::Inspircd))
    });
    let lines: Vec<_> = systems.into_iter().filter_map(|system| line(system, &lab.measure(system, &load)?)).collect();
    let head = [
        "before → while one reads nothing",
        "deliveries a second",
        "worst second",
        "p99, ms",
        "memory grows by, MiB",
        "bar",
    ];
    table(&head.map(str::to_owned), &lines)
}

fn line(system: System, result: &Value) -> Option<Vec<String>> {
    let [before, after] = [0, 1].map(|section| &result["sections"][section]);
    let rate = |section: &Value| Some(section["delivered"].as_f64()? / section["time_s"].as_f64()?);
    let worst = |section: &Value| section["worst_second"].as_f64();
    let p99 = |section: &Value| section["latency_ms"]["p99"].as_f64();
    let (rates, worsts, p99s) =
        ([rate(before)?, rate(after)?], [worst(before)?, worst(after)?], [p99(before)?, p99(after)?]);
    let growth = (after["resident"].as_f64()? - before["resident"].as_f64()?) / f64::from(1 << 20);
    let met =
        rates[0] <= NOISE * rates[1] && worsts[0] <= NOISE * worsts[1] && p99s[1] <= NOISE * p99s[0] && growth < MEMORY;
    let bar = match system {
        System::Ours(..) if met => "met",
        System::Ours(..) => "missed",
        _ => "",
    };
    let whole = |[before, after]: [f64; 2]| format!("{} → {}", count(before as u64), count(after as u64));
    Some(vec![
        system.title(),
        whole(rates),
        whole(worsts),
        format!("{} → {}", number(p99s[0]), number(p99s[1])),
        format!("{growth:.1}"),
        bar.into(),
    ])
}
