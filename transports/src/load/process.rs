//! What the operating system has on a process.

use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// A process of this machine.
pub(super) struct Process {
    pid: Pid,
    system: System,
}

/// What it has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since it began, in user and in kernel mode: on Linux of all its threads that live, to the
    /// nanosecond, elsewhere in steps of some milliseconds.
    pub cpu: Duration,
    /// Bytes that it has in memory.
    pub resident: u64,
}

impl Process {
    /// The process with this number; `None` where there is none, or nothing is known of it.
    pub(super) fn new(pid: u32) -> Option<Self> {
        let mut process = Self { pid: Pid::from_u32(pid), system: System::new().ok()? };
        process.usage().is_some().then_some(process)
    }

    /// This process itself.
    pub(super) fn own() -> Option<Self> {
        Self::new(std::process::id())
    }

    /// What it has used by now; `None` once it is gone.
    pub(super) fn usage(&mut self) -> Option<Usage> {
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.pid]), true, what);
        let process = self.system.process(self.pid)?;
        let cpu = exact_cpu(self.pid).unwrap_or(Duration::from_millis(process.accumulated_cpu_time()));
        Some(Usage { cpu, resident: process.memory() })
    }
}

/// What the scheduler has counted for each thread: the first number of its `schedstat`.
fn exact_cpu(pid: Pid) -> Option<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        // A thread may end meanwhile.
        let Ok(counts) = std::fs::read_to_string(thread.ok()?.path().join("schedstat")) else { continue };
        nanoseconds += counts.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanoseconds)).filter(|time| !time.is_zero())
}

/// Bytes that the kernel holds for itself and for sockets, on the whole machine; `None` where it does not say.
pub(super) fn kernel_bytes() -> Option<u64> {
    let memory = std::fs::read_to_string("/proc/meminfo").ok()?;
    let slab = memory.lines().find_map(|line| line.strip_prefix("Slab:"))?;
    let slab: u64 = slab.trim().strip_suffix(" kB")?.parse().ok()?;
    let sockets = std::fs::read_to_string("/proc/net/sockstat").ok()?;
    let pages: u64 = sockets.lines().find_map(|line| line.strip_prefix("TCP:")?.rsplit(' ').next()?.parse().ok())?;
    Some((slab << 10) + pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_knows_this_process() {
        let usage = Process::own().unwrap().usage().unwrap();
        assert!(usage.resident > 1 << 20, "{usage:?}");
        assert!(Process::new(u32::MAX >> 1).is_none());
    }
}
