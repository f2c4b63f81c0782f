//! qun: group chat where a code gets you into a room.
//!
//! `qun serve` runs a server, `qun join` and `qun send` are its clients. This program reads configurations and command lines,
//! and draws; the bytes are moved by `qun-transports`, and what they mean is decided by `qun-core`.

mod account;
mod archive;
mod args;
mod banner;
#[cfg(feature = "load")]
mod bench;
mod config;
mod door;
mod errand;
mod exit;
mod history;
mod join;
mod journal;
mod keys;
mod print;
mod search;
mod secret;
mod send;
mod serve;
mod session;
#[cfg(feature = "sim")]
mod sim;
mod text;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use qun_core::{Code, Entropy};

use crate::exit::{Exit, Failure};

/// What a turn of the loop takes and gives back are pieces of a few KiB, for which the allocators of most systems are slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What this program calls itself on the wire.
const AGENT: &str = concat!("qun/", env!("CARGO_PKG_VERSION"));

fn main() -> ExitCode {
    let result = match args::Cli::parse().command {
        args::Command::Serve(args) => serve::run(args),
        args::Command::Init { file } => init(&file),
        args::Command::Check { config, database } => check(&config.file, database),
        args::Command::Join(args) => join::run(args),
        args::Command::Send(args) => send::run(args),
        args::Command::History(args) => history::run(args),
        args::Command::Search(args) => search::run(args),
        args::Command::Account(args) => account::run(&args).and_then(|told| say(&told)),
        args::Command::Code(args::Code::New { n }) => new_codes(n),
        #[cfg(feature = "load")]
        args::Command::Bench(args) => bench::run(&args),
        args::Command::Backup { to, config } => archive::backup(&to, &config),
        args::Command::Export(args) => archive::export(&args),
        args::Command::Import(args) => archive::import(&args),
        #[cfg(feature = "sim")]
        args::Command::Sim(args) => sim::run_sim(&args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let _ = writeln!(io::stderr(), "qun: {failure}");
            failure.exit.into()
        }
    }
}

fn init(file: &Path) -> Result<Exit, Failure> {
    config::init(file, &mut entropy()?)?;
    let file = file.display();
    say(&format!("{file} is written, with fresh codes. Look into it, then: qun serve --config {file}\n"))
}

fn check(file: &Path, database: bool) -> Result<Exit, Failure> {
    let config::Reading { settings, warnings } = config::read(file)?;
    for warning in warnings {
        let _ = writeln!(io::stderr(), "qun: warning: {warning}");
    }
    let rooms: Vec<_> = settings.core.rooms.iter().map(|room| room.id.as_str()).collect();
    let exit = say(&format!("{} is right. Rooms: {}\n", file.display(), rooms.join(", ")))?;
    match settings.storage.filter(|_| database) {
        Some(storage) => archive::check(&storage),
        None if database => Err(Failure::usage("there is no database: the configuration has no [storage]")),
        None => Ok(exit),
    }
}

fn new_codes(n: u32) -> Result<Exit, Failure> {
    let mut entropy = entropy()?;
    let codes: Vec<_> = (0..n).map(|_| format!("{}\n", Code::generate(&mut entropy))).collect();
    say(&codes.concat())
}

/// Writes to stdout. That nobody reads it is no failure.
fn say(text: &str) -> Result<Exit, Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage(format!("can't write to stdout: {error}")))
        }
        _ => Ok(Exit::Ok),
    }
}

/// 32 bytes of this machine's best randomness.
fn seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Failure::usage(format!("this machine gives no randomness: {error}")))?;
    Ok(seed)
}

/// A fresh generator of keys and codes.
fn entropy() -> Result<Entropy, Failure> {
    seed().map(Entropy::new)
}
