//! Everyone is in, nobody talks.

use std::time::Duration;

use super::crowd::Wait;
use super::gather::{failure, gather};
use super::process::kernel_bytes;
use super::report::{Idled, Meter};
use super::{Failure, Plan, Progress};

pub(super) fn run(plan: &Plan, observe: &mut dyn FnMut(Progress)) -> Result<Idled, Failure> {
    let mut meter = Meter::new(plan)?;
    let kernel_before = kernel_bytes();
    let before = meter.read(0).server;
    let (mut crowd, entered) = gather(plan, &mut meter, observe)?;
    let start = crowd.now();
    let begin = meter.read(start);
    let mut told = start;
    loop {
        let now = crowd.now();
        let gone = Duration::from_micros(now - start);
        if gone >= plan.time {
            break;
        }
        if now - told >= 1_000_000 {
            told = now;
            observe(Progress::Idling(gone));
        }
        let mut fault = None;
        crowd.turn(Wait::Roughly((plan.time - gone).min(Duration::from_secs(1))), |member, event| {
            fault = fault.take().or_else(|| failure(member, event));
        })?;
        if let Some(failure) = fault {
            return Err(failure);
        }
    }
    let spent = begin.until(meter.read(crowd.now()));
    let kernel = kernel_before.zip(kernel_bytes()).map(|(before, after)| [before, after]);
    Ok(Idled { entered, before, kernel, spent })
}
