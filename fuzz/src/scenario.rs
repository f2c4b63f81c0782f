//! Whole worlds of the simulator.

use std::collections::VecDeque;
use std::fmt::Write as _;

use qun_transports::sim::{Plan, run};

/// How many of the last things that happened are told.
const LAST: usize = 60;

/// A small world of the simulator, in which the bytes decide what there is and what happens (see [`Plan::from_bytes`]):
/// every invariant holds there, whatever goes wrong.
pub fn scenario(bytes: &[u8]) {
    let plan = Plan::from_bytes(bytes);
    let report = run(&plan, None, None);
    if report.violation.is_none() {
        return;
    }
    let mut last = VecDeque::new();
    let mut keep = |line: &str| {
        last.extend([line.to_string()]);
        last.drain(..last.len().saturating_sub(LAST));
    };
    run(&plan, None, Some(&mut keep));
    let mut told = format!("{plan}\nIts last moments:\n{}\n{report}\n", Vec::from(last).join("\n"));
    // Any shell makes a file of this.
    let _ = write!(told, "To see it again: printf '");
    bytes.iter().for_each(|byte| _ = write!(told, "\\{byte:03o}"));
    assert!(
        report.violation.is_none(),
        "{told}' > world && cargo run --profile checked -p qun-fuzz --bin scenario world"
    );
}
