//! Where qun's processor time goes, by perf(1).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::{Load, Pace};
use crate::child::Running;
use crate::lab::Lab;
use crate::markdown::table;
use crate::programs::which;

/// What the server does in the kernel, by the functions below which it does it; the greatest counts, since they call each other.
const IN_KERNEL: [(&str, &[&str]); 3] = [
    ("kernel: sending", &["do_writev", "vfs_writev", "ksys_write", "__sys_sendmsg", "__sys_sendto", "tcp_sendmsg"]),
    ("kernel: receiving", &["ksys_read", "vfs_read", "do_readv", "__sys_recvfrom", "__sys_recvmsg", "tcp_recvmsg"]),
    ("kernel: waiting", &["do_epoll_wait", "ep_poll", "do_epoll_ctl", "__x64_sys_epoll_wait", "core_sys_select"]),
];

/// What it does itself, by words in the names of functions; the first that fits counts.
const IN_PROGRAM: [(&str, &[&str]); 7] = [
    ("json: reading and writing it", &["serde", "qun_core::json", "qun_core::text", "qun_core::lines"]),
    ("qun-core: the machine", &["qun_core"]),
    ("qun-transports: the loop and the log", &["qun_transports"]),
    ("memory: taking and giving back", &["malloc", "free", "calloc", "realloc", "unlink_chunk"]),
    ("memory: copying and comparing", &["mem"]),
    ("collections of the standard library", &["alloc::", "core::"]),
    ("else", &[""]),
];

/// Shares of the server's time under two loads.
pub(crate) fn measure(lab: &Lab<'_>) -> String {
    let Some(perf) = which("perf") else { return "There is no `perf` here.".into() };
    let seconds = lab.options.scale(4.0, 2.0);
    let talk = Load { pace: Pace::Window(16), seconds, ..Load::TALK };
    let loads = [
        ("100 rooms × 10, 64 B, 16 in flight", Load { rooms: 100, members: 10, ..talk.clone() }),
        ("1 room × 1,000, 64 B, 1 in flight", Load { members: 1_000, pace: Pace::Window(1), ..talk }),
    ];
    let mut head = vec!["share of the server's processor time".to_owned()];
    let mut columns = Vec::new();
    for (title, load) in loads {
        match profile(lab, &perf, &load) {
            Ok(shares) => {
                head.push(title.into());
                columns.push(shares);
            }
            Err(why) => eprintln!("no profile of {title}: {why}"),
        }
    }
    let Some(first) = columns.first() else { return "`perf` could not look at the server.".into() };
    let lines: Vec<_> = first
        .iter()
        .enumerate()
        .map(|(at, (name, _))| {
            let shares = columns.iter().map(|shares| format!("{:.1} %", shares[at].1));
            [(*name).to_owned()].into_iter().chain(shares).collect()
        })
        .collect();
    table(&head, &lines)
}

/// In percent.
type Shares = Vec<(&'static str, f64)>;

fn profile(lab: &Lab<'_>, perf: &Path, load: &Load) -> Result<Shares, String> {
    let data = lab.file("perf.data");
    let mut bench = Command::new(&lab.qun);
    bench.args(load.args()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut bench = Running::start(&mut bench).map_err(|error| error.to_string())?;
    let server = child_of(bench.child().id()).ok_or("the server does not start")?;
    // People get in, and talk for a while.
    thread::sleep(Duration::from_secs_f64(1.0 + load.seconds / 4.0));
    let mut record = Command::new(perf);
    record.args(["record", "--event", "cpu-clock", "--freq", "1999", "-g", "--pid", &server.to_string(), "--output"]);
    record.arg(&data).args(["--", "sleep", &(load.seconds / 2.0).to_string()]);
    let recorded = record.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    drop(bench);
    if !recorded.is_ok_and(|status| status.success()) {
        return Err("perf can't record".into());
    }
    let within = report(perf, &data, &["--children", "--sort", "sym"])?;
    let own = report(perf, &data, &["--no-children", "--sort", "sym"])?;
    Ok(shares(&within, &own))
}

/// The server that a load has started.
fn child_of(process: u32) -> Option<u32> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
        if let Some(child) = children.split_whitespace().next() {
            return child.parse().ok();
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

/// A function, whether it is the kernel's, and its share.
struct Function {
    name: String,
    in_kernel: bool,
    share: f64,
}

fn report(perf: &Path, data: &PathBuf, how: &[&str]) -> Result<Vec<Function>, String> {
    let mut report = Command::new(perf);
    report.args(["report", "--stdio", "-g", "none", "--input"]).arg(data).args(how).stderr(Stdio::null());
    let output = report.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(read).collect())
}

/// Reads `12.3%  0.5%  [k] tcp_sendmsg`, of which the first share counts.
fn read(line: &str) -> Option<Function> {
    let share = line.split_whitespace().next()?.strip_suffix('%')?.parse().ok()?;
    let (before, name) = line.split_once("] ")?;
    Some(Function { name: name.trim().to_owned(), in_kernel: before.ends_with('k'), share })
}

fn shares(within: &[Function], own: &[Function]) -> Shares {
    let below = |names: &[&str]| {
        let among = within.iter().filter(|function| function.in_kernel && names.contains(&function.name.as_str()));
        among.map(|function| function.share).fold(0.0, f64::max)
    };
    let mut shares: Shares = IN_KERNEL.iter().map(|(name, functions)| (*name, below(functions))).collect();
    let kernel: f64 = own.iter().filter(|function| function.in_kernel).map(|function| function.share).sum();
    let rest = kernel - shares.iter().map(|(_, share)| share).sum::<f64>();
    shares.push(("kernel: else", rest.max(0.0)));
    let mut program = IN_PROGRAM.map(|(name, _)| (name, 0.0));
    for function in own.iter().filter(|function| !function.in_kernel) {
        let place = IN_PROGRAM.iter().position(|(_, words)| words.iter().any(|word| function.name.contains(word)));
        program[place.unwrap_or(IN_PROGRAM.len() - 1)].1 += function.share;
    }
    shares.extend(program);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let functions = |report: &str| report.lines().filter_map(read).collect::<Vec<_>>();
        let within = functions("# comment\n\n  60.00%  1.00%  [k] do_writev\n  50.00%  0.00%  [k] tcp_sendmsg\n");
        let own = functions(
            "  55.00%  [k] tcp_sendmsg\n  9.00%  [k] ep_poll\n  30.00%  [.] <qun_core::server::Server as X>::handle\n   6.00%  [.] _int_malloc\n",
        );
        let shares = shares(&within, &own);
        let share = |start: &str| shares.iter().find(|(name, _)| name.starts_with(start)).unwrap().1;
        assert_eq!([share("kernel: sending"), share("kernel: else"), share("qun-core")], [60.0, 4.0, 30.0]);
        assert_eq!(share("memory: taking"), 6.0);
    }
}
