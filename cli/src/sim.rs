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
/// Columns where nobody says how many there are; and how few and how many are used.
const COLUMNS: usize = 80;
const NARROW: usize = 24;
const WIDE: usize = 120;
/// Columns before what a break does, where the table has room for it; and when it has.
const TABLE: usize = 40;
const TABLE_FROM: usize = 72;

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
    plan.accounts = args.accounts.unwrap_or(plan.accounts);
    plan.court = args.court.map_or(plan.court, |courts| courts > 0);
    plan.reloads = args.reloads.unwrap_or(plan.reloads);
    plan.storm = args.storm_ms.map_or(plan.storm, Duration::from_millis);
    plan
}

fn one(args: &Sim, plan: &Plan) -> Report {
    if !args.trace {
        return run(plan, args.broken, None);
    }
    let mut out = io::stdout().lock();
    run(plan, args.broken, Some(&mut |line| _ = writeln!(out, "{line}")))
}

/// Tells what is broken, and the shortest way to it that is found.
fn failed(args: &Sim, plan: &Plan, report: &Report) -> Result<Exit, Failure> {
    let Some(violation) = &report.violation else { return Ok(Exit::Ok) };
    tell(&format!("seed {}: {violation}", plan.seed))?;
    let mut smaller = (plan.clone(), report.clone());
    if !args.trace {
        tell(&format!("In {plan}."))?;
        progress("looking for a smaller world that breaks it too …");
        smaller = shrink(plan, args.broken, violation, TRIES);
        clear();
        let (plan, report) = &smaller;
        crate::say("\nThe smallest world found that breaks it:\n")?;
        tell(&format!("{plan}."))?;
        tell(&report.to_string())?;
        crate::say("\nIts last moments (all of it: see below):\n")?;
        let mut lines = VecDeque::new();
        run(
            plan,
            args.broken,
            Some(&mut |line| {
                if lines.len() == TRACE {
                    lines.pop_front();
                }
                lines.push_back(cut(line, columns()));
            }),
        );
        for line in lines {
            crate::say(&format!("{line}\n"))?;
        }
    }
    // In one line, however long, so that it can be copied.
    let broken = args.broken.map(|broken| format!(" --break {broken}")).unwrap_or_default();
    crate::say(&format!("\nTo see it again:\n  {}{broken}\n", replay(plan, &smaller.0)))?;
    Ok(Exit::Network)
}

/// Says a paragraph, in lines that fit the terminal.
fn tell(text: &str) -> Result<Exit, Failure> {
    crate::say(&format!("{}\n", wrapped(text, columns(), 2)))
}

/// A paragraph in lines of so many columns, all but the first indented. A word that is longer than a line is cut.
fn wrapped(text: &str, columns: usize, indent: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    let begin = |lines: &mut String, column: &mut usize| {
        lines.push('\n');
        lines.extend(std::iter::repeat_n(' ', indent));
        *column = indent;
    };
    for (index, word) in text.split(' ').enumerate() {
        let (width, rest) = (word.width(), columns.saturating_sub(column + 1));
        if index > 0 && width > rest && (width <= columns - indent || rest < columns / 4) {
            begin(&mut lines, &mut column);
        } else if index > 0 {
            lines.push(' ');
            column += 1;
        }
        for c in word.chars() {
            let width = c.width().unwrap_or(0);
            if column + width > columns {
                begin(&mut lines, &mut column);
            }
            lines.push(c);
            column += width;
        }
    }
    lines
}

/// As much of a line as fits the terminal.
fn cut(line: &str, columns: usize) -> String {
    let mut column = 0;
    let fits = |c: &char| {
        column += c.width().unwrap_or(0);
        column < columns
    };
    let cut: String = line.chars().take_while(fits).collect();
    if cut.len() < line.len() { cut + "…" } else { cut }
}

/// How wide the terminal is.
fn columns() -> usize {
    let size = if io::stdout().is_terminal() { crossterm::terminal::size().ok() } else { None };
    size.map_or(COLUMNS, |(columns, _)| usize::from(columns).clamp(NARROW, WIDE))
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
        ("accounts", whole.accounts, smaller.accounts),
        ("court", usize::from(whole.court), usize::from(smaller.court)),
        ("reloads", whole.reloads, smaller.reloads),
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
    let columns = columns();
    // Where there is no room beside the figures, what a break does stands below them.
    let row = |name: &str, count: &str, invariant: &str, doc: &str| {
        let figures = format!("{name:<22} {count:>5}  {invariant:<9}");
        if columns < TABLE_FROM {
            format!("{}\n{}\n", figures.trim_end(), wrapped(&format!("  {doc}"), columns, 2))
        } else {
            format!("{}\n", wrapped(&format!("{figures} {doc}"), columns, TABLE))
        }
    };
    crate::say(&row("break", "seeds", "invariant", "what it does"))?;
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
        crate::say(&row(&which.to_string(), &count, &invariant, which.doc()))?;
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
        let _ = write!(err, "\r\x1b[K{}", cut(line, columns()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_fits_whatever_is_in_it() {
        let text = "invariant 5 is broken: \"{\\\"t\\\":\\\"presence\\\",\\\"room\\\":\\\"room-0\\\"}\" of 小明小明小明小明小明小明小明 here";
        for columns in [NARROW, 40, 80] {
            let lines = wrapped(text, columns, 2);
            assert!(lines.lines().all(|line| line.width() <= columns), "{lines}");
            let squeezed = |text: &str| text.replace([' ', '\n'], "");
            assert_eq!(squeezed(&lines), squeezed(text));
            assert!(cut(text, columns).width() <= columns);
        }
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        assert_eq!(wrapped("all of it", 24, 2), "all of it");
        assert_eq!(wrapped("one two three four five six", 24, 2), "one two three four five\n  six");
        assert_eq!(cut("all of it", 24), "all of it");
    }
}
