//! Worlds from seeds.

use qun_transports::sim::{Plan, run};

#[test]
fn the_same_seed_gives_the_same_world() {
    let of = |seed| run(&Plan::from_seed(seed), None, None).trace_hash;
    assert_eq!(of(11), of(11));
    assert_ne!(of(11), of(12));
}

#[test]
fn seeds() {
    let from: u64 = std::env::var("FROM").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let n: u64 = std::env::var("N").ok().and_then(|s| s.parse().ok()).unwrap_or(10);
    let mut bad = 0;
    for seed in from..from + n {
        let plan = Plan::from_seed(seed);
        let report = run(&plan, None, None);
        if report.violation.is_some() {
            bad += 1;
            println!("seed {seed}: {plan}\n   {report}");
        }
    }
    assert_eq!(bad, 0);
}

#[test]
fn journal() {
    let seed: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let plan = Plan::from_seed(seed);
    let report = run(&plan, None, Some(&mut |line| println!("{line}")));
    println!("{report}");
}
