//! People talk: seven workloads, each on every server.

use std::collections::BTreeMap;

use crate::bar;
use crate::bench::{Load, Pace};
use crate::lab::Lab;
use crate::markdown;
use crate::spread::{Spread, number};
use crate::system::{Dialect, Loop, System};

/// A workload, and what it came to.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    load: Load,
    /// For each system, one of each repeat that succeeded.
    results: BTreeMap<&'static str, Vec<Sample>>,
}

/// What one run came to.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Microseconds of the server's processor time for each delivery.
    cpu: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
}

/// The select(2) of the system looks at no descriptor above this.
const SELECT: u32 = 1_000;

impl Row {
    /// Whether latency counts, and not processor time.
    pub(crate) fn is_paced(&self) -> bool {
        matches!(self.load.pace, Pace::Rate(_))
    }

    pub(crate) fn cpu(&self, system: System) -> Option<Spread> {
        self.spread(system, |sample| sample.cpu)
    }

    pub(crate) fn p50(&self, system: System) -> Option<Spread> {
        self.spread(system, |sample| sample.p50)
    }

    pub(crate) fn p99(&self, system: System) -> Option<Spread> {
        self.spread(system, |sample| sample.p99)
    }

    fn spread(&self, system: System, of: impl Fn(&Sample) -> f64) -> Option<Spread> {
        Spread::of(self.results.get(system.name())?.iter().map(of))
    }

    fn cell(&self, system: System) -> String {
        if !self.is_paced() {
            return self.cpu(system).map_or("–".into(), Spread::show);
        }
        match (self.p50(system), self.p99(system)) {
            (Some(p50), Some(p99)) => format!("{} / {}", p50.show(), p99.show()),
            _ => "–".into(),
        }
    }
}

fn rows(seconds: f64) -> Vec<Row> {
    let talk = Load { seconds, ..Load::TALK };
    let loads = [
        ("100 rooms × 10, 1 sender each, 64 B, 1 in flight", Load { rooms: 100, members: 10, ..talk.clone() }),
        ("the same, 16 in flight per sender", Load { rooms: 100, members: 10, pace: Pace::Window(16), ..talk.clone() }),
        ("1 room × 1,000, 1 sender, 64 B, 1 in flight", Load { members: 1_000, ..talk.clone() }),
        ("1 room × 1,000, 10 senders, 64 B, 1 in flight", Load { members: 1_000, senders: 10, ..talk.clone() }),
        (
            "the same, 8 in flight per sender",
            Load { members: 1_000, senders: 10, pace: Pace::Window(8), ..talk.clone() },
        ),
        (
            "10 rooms × 100, 1 sender each, 400 B, 16 in flight",
            Load { rooms: 10, members: 100, bytes: 400, pace: Pace::Window(16), ..talk.clone() },
        ),
        (
            "10 rooms × 100, 64 B, at 1,000 messages a second: p50 / p99 in ms",
            Load { rooms: 10, members: 100, pace: Pace::Rate(1_000), seconds: 2.0 * seconds, ..talk },
        ),
    ];
    loads.map(|(title, load)| Row { title, load, results: BTreeMap::new() }).into()
}

/// Measures all of them: in each repeat one workload after the other, and in each of these one server after the other.
pub(crate) fn measure(lab: &Lab<'_>) -> Vec<Row> {
    let mut rows = rows(lab.options.seconds());
    for _ in 0..lab.options.repeats() {
        for row in &mut rows {
            for &system in &lab.systems {
                let by_select = matches!(system, System::Ours(_, Loop::Select));
                if by_select && row.load.rooms * row.load.members > SELECT {
                    continue;
                }
                let Some(result) = lab.measure(system, &row.load) else { continue };
                let section = &result["sections"][0];
                let latency = &section["latency_ms"];
                let numbers = [&section["server_us"], &latency["p50"], &latency["p99"]];
                match numbers.map(serde_json::Value::as_f64) {
                    [Some(cpu), Some(p50), Some(p99)] => {
                        row.results.entry(system.name()).or_default().push(Sample { cpu, p50, p99 });
                    }
                    _ => lab.note(format!("{}, {:?}: nothing arrived in time", system.name(), row.load)),
                }
            }
        }
    }
    rows
}

/// All servers, side by side.
pub(crate) fn table(lab: &Lab<'_>, rows: &[Row]) -> String {
    let systems = lab.systems(System::is_compared);
    let head = ["µs of CPU a delivery".to_owned()].into_iter().chain(systems.iter().map(|system| system.title()));
    let line = |row: &Row| {
        let cells = systems.iter().map(|system| row.cell(*system));
        [row.title.to_owned()].into_iter().chain(cells).collect()
    };
    let mut text = markdown::table(&head.collect::<Vec<_>>(), &rows.iter().map(line).collect::<Vec<_>>());
    for peer in &lab.missing {
        text += &format!("\nNot here, and so left out: {}.\n", peer.name());
    }
    text
}

/// What each row must be, and whether it is.
pub(crate) fn verdicts(rows: &[Row]) -> String {
    let head = ["", "qun, json: ÷ floor", "÷ best other", "qun, plain: ÷ floor", "÷ best other", "bar"];
    let line = |row: &Row| {
        let mut line = vec![row.title.to_owned()];
        let mut met = Vec::new();
        for dialect in Dialect::ALL {
            let verdict = if row.is_paced() { bar::latency(row, dialect) } else { bar::cpu(row, dialect) };
            line.extend(verdict.ratios);
            met.push(verdict.met);
        }
        line.push(bar::words(&met));
        line
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    markdown::table(&head.map(str::to_owned), &lines)
}

/// Our own loops, side by side, by their processor time a delivery.
pub(crate) fn loops(lab: &Lab<'_>, rows: &[Row]) -> String {
    let ours = lab.systems(|system| matches!(system, System::Ours(Dialect::Json, _)));
    let head = ["µs of CPU a delivery, json".to_owned()].into_iter().chain(ours.iter().map(|system| match system {
        System::Ours(_, by) => by.name().to_owned(),
        other => other.title(),
    }));
    let line = |row: &Row| {
        let cells = ours.iter().map(|system| {
            let cpu = row.cpu(*system);
            let base = row.cpu(System::JSON).filter(|_| *system != System::JSON);
            let ratio = cpu.zip(base).map(|(cpu, base)| format!(", × {}", number(cpu.median / base.median)));
            cpu.map_or("–".into(), Spread::show) + &ratio.unwrap_or_default()
        });
        let title = row.title.split(": p50").next().unwrap_or_default();
        [title.to_owned()].into_iter().chain(cells).collect()
    };
    markdown::table(&head.collect::<Vec<_>>(), &rows.iter().map(line).collect::<Vec<_>>())
}
