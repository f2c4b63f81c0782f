//! `qun sim`: worlds in which everything goes wrong, each from its seed.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use qun_transports::sim::{Break, Counters, Fault, Plan, Report, run, shrink};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::args::Sim;
use crate::exit::{Exit, Failure};

/// Worlds that are tried to make a failure smaller.
const TRIES: usize = 200;
/// Lines of what happened that are shown of a failure.
const TRACE: usize = 30;
/// Columns of a terminal that is no wider than any.
const COLUMNS: usize = 80;

/// What all worlds so far came to.
#[derive(Debug, Default)]
struct Totals {
    worlds: u64,
    simulated: Duration,
    counters: Counters,
}

pub(crate) fn run_sim(args: &Sim) -> Result<Exit, Failure> {
    if args.breaks {
        return breaks(args);
    }
    let seeds = match (args.seed, args.seeds.clone()) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, Some(seeds)) => seeds,
        // As many as there is time for, and not those that everyone has tried.
        (None, None) => {
            let [a, b, c, d, ..] = crate::seed()?;
            u64::from(u32::from_le_bytes([a, b, c, d])) << 16..u64::MAX
        }
    };
    let began = Instant::now();
    let time = args.minutes.map(|minutes| Duration::from_secs(60 * minutes));
    let mut totals = Totals::default();
    let mut shown = began;
    for seed in seeds {
        let plan = plan(args, seed);
        if args.seed.is_some() {
            tell(&format!("seed {seed}: {plan}"))?;
        }
        let report = one(args, &plan);
        if report.violation.is_some() {
            clear();
            return failed(args, &plan, &report);
        }
        totals.worlds += 1;
        totals.simulated += report.simulated;
        totals.counters.add(&report.counters);
        if args.seed.is_some() {
            tell(&report.to_string())?;
        }
        if shown.elapsed() > Duration::from_millis(500) {
            shown = Instant::now();
            progress(&format!("seed {seed}: {}", totals.line(began.elapsed())));
        }
        if time.is_some_and(|time| began.elapsed() >= time) {
            break;
        }
    }
    clear();
    crate::say(&format!("{}\n", totals.line(began.elapsed())))
}

fn plan(args: &Sim, seed: u64) -> Plan {
    let mut plan = Plan::from_seed(seed).without(&args.off);
    plan.clients = args.clients.unwrap_or(plan.clients);
    plan.plain = args.plain.unwrap_or(plan.plain);
    plan.hostile = args.hostile.unwrap_or(plan.hostile);
    plan.rooms = args.rooms.unwrap_or(plan.rooms).max(1);
    plan.storm = args.storm_ms.map_or(plan.storm, Duration::from_millis);
    plan
}

fn one(args: &Sim, plan: &Plan) -> Report {
    if !args.trace {
        return run(plan, None, None);
    }
    let mut out = io::stdout().lock();
    run(plan, None, Some(&mut |line| _ = writeln!(out, "{line}")))
}

/// Tells what is broken, and the shortest way to it that is found.
fn failed(args: &Sim, plan: &Plan, report: &Report) -> Result<Exit, Failure> {
    let Some(violation) = &report.violation else { return Ok(Exit::Ok) };
    tell(&format!("seed {}: {violation}", plan.seed))?;
    let mut smaller = (plan.clone(), report.clone());
    if !args.trace {
        tell(&format!("In {plan}."))?;
        progress("looking for a smaller world that breaks it too …");
        smaller = shrink(plan, None, violation, TRIES);
        clear();
        let (plan, report) = &smaller;
        crate::say("\nThe smallest world found that breaks it:\n")?;
        tell(&format!("{plan}."))?;
        tell(&report.to_string())?;
        crate::say("\nIts last moments (all of it: see below):\n")?;
        let mut lines = VecDeque::new();
        run(
            plan,
            None,
            Some(&mut |line| {
                if lines.len() == TRACE {
                    lines.pop_front();
                }
                lines.push_back(cut(line));
            }),
        );
        for line in lines {
            crate::say(&format!("{line}\n"))?;
        }
    }
    crate::say(&format!("\nTo see it again:\n  {}\n", replay(plan, &smaller.0)))?;
    Ok(Exit::Network)
}

/// Says a paragraph, in lines that fit a terminal.
fn tell(text: &str) -> Result<Exit, Failure> {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.width();
        if column > 0 && column + 1 + width > COLUMNS {
            lines.push_str("\n  ");
            column = 2;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += width;
    }
    crate::say(&format!("{lines}\n"))
}

/// As much of a line as fits a terminal.
fn cut(line: &str) -> String {
    let mut column = 0;
    let fits = |c: &char| {
        column += c.width().unwrap_or(0);
        column < COLUMNS
    };
    let cut: String = line.chars().take_while(fits).collect();
    if cut.len() < line.len() { cut + "…" } else { cut }
}

/// The command that runs this world again.
fn replay(plan: &Plan, smaller: &Plan) -> String {
    let mut command = format!("qun sim --trace --seed {}", plan.seed);
    let off: Vec<_> = Plan::from_seed(plan.seed).faults.difference(&smaller.faults).map(|fault| fault.name()).collect();
    if !off.is_empty() {
        command += &format!(" --off {}", off.join(","));
    }
    let whole = Plan::from_seed(plan.seed);
    let numbers = [
        ("clients", whole.clients, smaller.clients),
        ("plain", whole.plain, smaller.plain),
        ("hostile", whole.hostile, smaller.hostile),
        ("rooms", whole.rooms, smaller.rooms),
        ("storm-ms", whole.storm.as_millis() as usize, smaller.storm.as_millis() as usize),
    ];
    for (name, _, now) in numbers.into_iter().filter(|(_, before, now)| before != now) {
        command += &format!(" --{name} {now}");
    }
    command
}

/// How many seeds each deliberate break takes until the oracle sees it.
fn breaks(args: &Sim) -> Result<Exit, Failure> {
    let seeds = args.seeds.clone().unwrap_or(0..100);
    let mut exit = Exit::Ok;
    crate::say(&format!("{:<22} {:>5}  {:<9}  what it does\n", "break", "seeds", "invariant"))?;
    for which in Break::ALL.iter().copied() {
        let mut tried = 0;
        let seen = seeds.clone().find_map(|seed| {
            tried += 1;
            run(&plan(args, seed), Some(which), None).violation
        });
        let (count, invariant) = match seen {
            Some(violation) => (tried.to_string(), violation.invariant.to_string()),
            None => {
                exit = Exit::Network;
                ("none".into(), "-".into())
            }
        };
        crate::say(&format!("{which:<22} {count:>5}  {invariant:<9}  {}\n", which.doc()))?;
    }
    Ok(exit)
}

impl Totals {
    fn line(&self, took: Duration) -> String {
        let hours = self.simulated.as_secs_f64() / 3_600.0;
        let per_second = hours / took.as_secs_f64().max(0.001);
        let Self { worlds, counters, .. } = self;
        let kinds = Fault::ALL.len() - counters.missing().len();
        let total = counters.total();
        format!(
            "{worlds} worlds, {hours:.1} simulated hours ({per_second:.2} a second), {total} faults of {kinds} kinds"
        )
    }
}

fn progress(line: &str) {
    let mut err = io::stderr();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[K{line}");
        let _ = err.flush();
    }
}

fn clear() {
    progress("");
}

/// Reads `A..B`.
pub(crate) fn parse_seeds(text: &str) -> Result<std::ops::Range<u64>, String> {
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.filter(|range| range.start < range.end).ok_or_else(|| "write A..B, as in 0..1000".into())
}
