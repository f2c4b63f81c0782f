//! What keeping messages costs. `cargo run --release -p qun-transports --features sqlite --example storage_cost`
//!
//! Without an argument: messages a second and the time to the echo, for the log in memory and for both durabilities, at 1,
//! 10, 100 and 1,000 senders. Each sender has one message on its way and sends the next one with the echo; ten are in a
//! room. The server machine and the log are real; there are no sockets between, so that what is measured is the log.
//!
//! With `pages N`: what a page of 100 costs in a room of N messages, and opening that room, beside an empty one.
//!
//! With `search N`: what it costs to find words in a room of N messages, and to index them.
//!
//! `DIR` (a variable) is where the databases go; without it, the system's directory for temporary files.
#![allow(clippy::print_stdout)]

mod pages;
mod search;
mod senders;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::var_os("DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = dir.join(format!("qun-storage-cost-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let mut args = std::env::args().skip(1);
    let result = match (args.next().as_deref(), args.next()) {
        (None, _) => senders::measure(&dir),
        (Some("pages"), Some(count)) => count.parse().map_err(Into::into).and_then(|count| pages::measure(&dir, count)),
        (Some("search"), Some(count)) => {
            count.parse().map_err(Into::into).and_then(|count| search::measure(&dir, count))
        }
        _ => Err("no argument, or: pages N, or: search N".into()),
    };
    std::fs::remove_dir_all(&dir)?;
    result
}
