//! The command line.

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::system::System;

/// Compare qun with other servers that broadcast, and with as little as a server can do.
#[derive(Debug, Parser)]
#[command(name = "compare")]
pub(crate) struct Options {
    /// What to measure, separated by commas; without it all.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Workload>,
    /// Which servers, separated by commas; without it all.
    #[arg(long, value_delimiter = ',', value_name = "NAMES", help = systems_help())]
    systems: Vec<System>,
    /// How often each is measured; the median counts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeats: Option<u32>,
    /// How long one measurement takes, in seconds.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// A look: one repeat, shorter, with fewer people. Writes no document of itself.
    #[arg(long)]
    pub(crate) quick: bool,
    /// The document whose tables are written, between its markers; the drawing goes beside it. Without it
    /// docs/performance.md.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Install nothing, even as root: servers that are not there are left out.
    #[arg(long)]
    pub(crate) no_install: bool,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// People talk: the processor time of a delivery, and at a rate its latency.
    Rows,
    /// Nobody talks: memory.
    Idle,
    /// People come and go.
    Churn,
    /// Ever more people come into one room.
    Joining,
    /// Ever more members of a room, and ever more rooms.
    Flat,
    /// One member reads nothing.
    Stalled,
    /// Where the time goes, by `perf`.
    Profile,
}

impl Options {
    pub(crate) fn workloads(&self) -> &[Workload] {
        if self.only.is_empty() { Workload::value_variants() } else { &self.only }
    }

    pub(crate) fn systems(&self) -> Vec<System> {
        if self.systems.is_empty() { System::ALL.to_vec() } else { self.systems.clone() }
    }

    pub(crate) fn repeats(&self) -> u32 {
        self.repeats.unwrap_or(if self.quick { 1 } else { 3 })
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.seconds.unwrap_or(if self.quick { 0.3 } else { 0.6 })
    }

    /// `quick` where it shall be quick, else `whole`.
    pub(crate) fn scale<T>(&self, whole: T, quick: T) -> T {
        if self.quick { quick } else { whole }
    }

    /// Where to write.
    pub(crate) fn out(&self) -> Option<PathBuf> {
        let ours = || Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("performance.md");
        self.out.clone().or_else(|| (!self.quick).then(ours))
    }
}

fn systems_help() -> String {
    let names = System::ALL.iter().map(|system| system.name()).collect::<Vec<_>>().join(", ");
    format!("Which servers, separated by commas; without it all: {names}")
}
