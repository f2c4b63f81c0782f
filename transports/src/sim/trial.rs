//! One seed, from the storm to the calm; and the shortest way to what it broke.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::breaks::Break;
use super::fault::{Counters, Fault};
use super::oracle::Violation;
use super::plan::Plan;
use super::world::World;

/// How long it may take until everything is well again once nothing goes wrong any more: the longest silence that is
/// believed in, the grace of those who are gone, and the longest backoff.
const CALM: Duration = Duration::from_secs(240);

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The fingerprint of all that happened.
    pub trace_hash: u64,
    /// How much time went by in the world.
    pub simulated: Duration,
    /// How long it took until everything was well again.
    pub healed: Duration,
    /// What went wrong.
    pub counters: Counters,
    /// What was as it must not be.
    pub violation: Option<Violation>,
}

/// Runs a world: first everything breaks, then everything heals, and all must be well within a bounded time. What happens
/// is told to `journal`, line by line.
pub fn run(plan: &Plan, which: Option<Break>, journal: Option<&mut dyn FnMut(&str)>) -> Report {
    let mut world = World::broken(plan, which);
    let mut journal = journal;
    if journal.is_some() {
        world.keep_journal(1 << 12);
    }
    let caught = catch_unwind(AssertUnwindSafe(|| live(&mut world, plan, &mut journal)));
    let outcome = caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
        Err(Violation::new(9, format!("a machine panicked: {}", text.unwrap_or_default())))
    });
    if let Some(journal) = &mut journal {
        world.take_journal().iter().for_each(|line| journal(line));
    }
    Report {
        trace_hash: world.trace_hash(),
        simulated: Duration::from_micros(world.now().mono.as_micros()),
        healed: outcome.as_ref().copied().unwrap_or_default(),
        counters: world.counters(),
        violation: outcome.err(),
    }
}

fn live(world: &mut World, plan: &Plan, journal: &mut Option<&mut dyn FnMut(&str)>) -> Result<Duration, Violation> {
    let mut tell = |world: &mut World| {
        if let Some(journal) = journal {
            world.take_journal().iter().for_each(|line| journal(line));
        }
    };
    let mut left = plan.storm;
    while !left.is_zero() {
        let slice = left.min(Duration::from_secs(1));
        left -= slice;
        world.run_for(slice);
        tell(world);
        world.check()?;
    }
    world.heal();
    let took = calm(world, &mut tell)?;
    // Nothing that was said before turns up now, and who leaves late is missed.
    world.run_for(Duration::from_secs(30));
    calm(world, &mut tell)?;
    Ok(took)
}

/// Waits until all is well.
fn calm(world: &mut World, tell: &mut dyn FnMut(&mut World)) -> Result<Duration, Violation> {
    let healed = world.now().mono;
    loop {
        tell(world);
        world.check()?;
        let took = world.now().mono.since(healed);
        match world.unsettled() {
            None => return Ok(took),
            Some(why) if took > CALM => {
                return Err(Violation::new(11, format!("after {took:?} of calm, {why}")));
            }
            Some(_) => world.run_for(Duration::from_secs(1)),
        }
    }
}

/// Looks for a smaller world that breaks the same invariant: less time, fewer faults, fewer people. At most `tries` worlds
/// are tried.
pub fn shrink(plan: &Plan, which: Option<Break>, violation: &Violation, tries: usize) -> (Plan, Report) {
    let mut tries = tries;
    let mut best = (plan.clone(), run(plan, which, None));
    let mut try_plan = |best: &mut (Plan, Report), plan: Plan| {
        if tries == 0 || plan == best.0 {
            return false;
        }
        tries -= 1;
        let report = run(&plan, which, None);
        let is_same = report.violation.as_ref().is_some_and(|found| found.invariant == violation.invariant);
        let shorter = is_same && report.simulated <= best.1.simulated.max(Duration::from_secs(60)) * 2;
        if shorter {
            *best = (plan, report);
        }
        shorter
    };
    loop {
        let mut is_smaller = false;
        for fault in Fault::ALL.iter().copied().filter(|fault| plan.has(*fault)) {
            if best.0.has(fault) {
                let smaller = best.0.without(&[fault]);
                is_smaller |= try_plan(&mut best, smaller);
            }
        }
        let cuts: [fn(&mut Plan); 8] = [
            |plan| plan.hostile = 0,
            |plan| plan.plain = plan.plain.saturating_sub(1),
            |plan| plan.clients = plan.clients.max(2) - 1,
            |plan| plan.rooms = plan.rooms.max(2) - 1,
            |plan| plan.accounts = 0,
            |plan| plan.court = false,
            |plan| plan.reloads /= 2,
            |plan| plan.storm /= 2,
        ];
        for cut in cuts {
            let mut smaller = best.0.clone();
            cut(&mut smaller);
            is_smaller |= try_plan(&mut best, smaller);
        }
        if !is_smaller {
            break;
        }
    }
    // No more of it than up to where it broke.
    if best.1.simulated < best.0.storm {
        // In whole milliseconds, as the command line has them.
        best.0.storm = Duration::from_millis(best.1.simulated.as_millis() as u64 + 2);
        best.1 = run(&best.0, which, None);
    }
    best
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace_hash, simulated, healed, counters, violation } = self;
        match violation {
            Some(violation) => write!(f, "after {simulated:?}: {violation}")?,
            None => write!(f, "{simulated:?}, healed after {healed:?}")?,
        }
        write!(f, "; trace {trace_hash:016x}")?;
        if *counters != Counters::default() { write!(f, "; {counters}") } else { Ok(()) }
    }
}
