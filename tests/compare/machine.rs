//! Where it was measured, and what.

use std::fs;
use std::process::Command;

use crate::debian;
use crate::lab::Lab;
use crate::markdown::count;
use crate::system::System;

/// The machine, and the versions of what is compared.
pub(crate) fn describe(lab: &Lab<'_>) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(": ")?.1.to_owned()));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    let date = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output();
    let date = date.map_or(String::new(), |date| String::from_utf8_lossy(&date.stdout).trim().to_owned());
    let packages = lab.systems.iter().filter_map(|system| match system {
        System::Peer(peer) => Some(format!("{} {}", peer.program(), debian::version(peer.program())?)),
        _ => None,
    });
    let packages: Vec<_> = packages.collect();
    let (repeats, seconds) = (lab.options.repeats(), lab.options.seconds());
    format!(
        "Measured on {date}: {cores} cores of {}, Linux {}, {} descriptors a process, load average {load} at the start. \
         {} of each, {seconds} s long; cells are medians, with the least and the most in brackets. \
         From Debian: {}.\n",
        model.as_deref().unwrap_or("an unnamed processor"),
        kernel.trim(),
        count(lab.descriptors.into()),
        if repeats == 1 { "One repeat".into() } else { format!("{repeats} repeats") },
        if packages.is_empty() { "nothing".into() } else { packages.join(", ") },
    )
}
