//! What waiting costs a server: processor time and system calls for each message delivered, under every poller, with few and
//! with many connections.
//!
//! ```sh
//! cargo run --release -p qun-transports --example readiness_cost -- docs/readiness-cost.svg
//! ```
//!
//! prints a table, and draws it where a path is given. The server is a process of its own, so that what is measured is its
//! cost alone and both ends have descriptors enough: processor time as the kernel accounts it to the server's one thread,
//! system calls as `strace -c` counts them, in a run apart (without strace that half stays empty). There are rooms of ten. In
//! one kind of load a single room talks, message by message, and everybody else is idle. In the other one member of every
//! room speaks while the server is stopped, so that it finds them all ready at once.

#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod plot;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod server;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [server::COMMAND, poller, rooms] => server::run(poller.parse()?, rooms.parse()?),
        [] => measure::all(None),
        [path] if path.ends_with(".svg") => measure::all(Some(path)),
        _ => Err("usage: readiness_cost [PATH.svg]".into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this measures what Linux accounts to a process: there is nothing to measure here");
    std::process::exit(2);
}
