//! qun beside other servers that broadcast, and beside the floor: what a delivery costs each of them, in one run.
//!
//! ```sh
//! cargo run --release -p qun-tests --example compare              # all of it, some 12 minutes
//! cargo run --release -p qun-tests --example compare -- --quick   # a look, some 2 minutes
//! ```
//!
//! builds `qun` and the relay that is the floor, takes the other servers from Debian packages (and installs them, where it
//! runs as root), starts each anew for each measurement on a free port of the loopback, without limits, and loads it by
//! `qun bench`, which verifies what arrives. Servers take turns within each repeat, so that whatever else this machine does
//! falls upon all. What comes out is printed, and written into docs/performance.md between its markers, with a drawing
//! beside it. `--help` has the rest.

#[cfg(target_os = "linux")]
mod bar;
#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod churn;
#[cfg(target_os = "linux")]
mod debian;
#[cfg(target_os = "linux")]
mod document;
#[cfg(target_os = "linux")]
mod flat;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod joining;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod markdown;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod peers;
#[cfg(target_os = "linux")]
mod plot;
#[cfg(target_os = "linux")]
mod profile;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod spread;
#[cfg(target_os = "linux")]
mod stalled;
#[cfg(target_os = "linux")]
mod svg;
#[cfg(target_os = "linux")]
mod system;
#[cfg(target_os = "linux")]
mod talk;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use clap::Parser as _;

    match run(&options::Options::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn run(options: &options::Options) -> Result<(), Box<dyn std::error::Error>> {
    use std::io::Write as _;
    use std::time::Instant;

    use options::Workload;

    child::end_with_this_process()?;
    let start = Instant::now();
    let lab = lab::Lab::open(options)?;
    let mut document = document::Document::open(options.out().as_deref())?;
    let (mut rows, mut curves) = (Vec::new(), Vec::new());
    for workload in options.workloads() {
        eprintln!("{workload:?}, after {} s", start.elapsed().as_secs());
        match workload {
            Workload::Rows => {
                document.put("machine", &machine::describe(&lab))?;
                rows = talk::measure(&lab);
                document.put("rows", &talk::table(&lab, &rows))?;
                document.put("bar", &talk::verdicts(&rows))?;
                document.put("loops", &talk::loops(&lab, &rows))?;
            }
            Workload::Idle => document.put("idle", &idle::measure(&lab))?,
            Workload::Churn => document.put("churn", &churn::measure(&lab))?,
            Workload::Joining => document.put("joining", &joining::measure(&lab))?,
            Workload::Flat => {
                curves = flat::measure(&lab);
                document.put("flat", &flat::tables(&curves))?;
            }
            Workload::Profile => document.put("profile", &profile::measure(&lab))?,
            Workload::Stalled => document.put("stalled", &stalled::measure(&lab))?,
        }
    }
    if let Some(out) = options.out()
        && !rows.is_empty()
    {
        std::fs::write(out.with_extension("svg"), plot::draw(&rows, &curves))?;
    }
    for failure in lab.failures() {
        eprintln!("left out: {failure}");
    }
    writeln!(std::io::stderr(), "done in {} s", start.elapsed().as_secs())?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this measures what Linux accounts to a process: there is nothing to measure here");
    std::process::exit(2);
}
