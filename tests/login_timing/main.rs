//! Whether the time that a login takes says which names are accounts.
//!
//! ```sh
//! cargo run --release -p qun-tests --example login_timing                        # 3 accounts, hashes as `qun account` makes them
//! cargo run --release -p qun-tests --example login_timing -- --accounts 10000
//! cargo run --release -p qun-tests --example login_timing -- --cheap --rounds 5000
//! ```
//!
//! starts `qun serve` and logs in over the loopback, one after the other, each on a connection of its own: in every round once
//! by a right password, once by a wrong one, and once as somebody who is no account, in an order drawn by lot, with names
//! drawn by lot. What is timed is from the hello to its answer. Rounds are compared with themselves, so that whatever else
//! this machine does falls upon all three.
//!
//! With `--cheap` the hashes cost next to nothing: then what the server does beside them stands out that Argon2id would hide.

mod server;
mod statistics;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use qun_core::Entropy;

use server::Server;
use statistics::{Difference, median};

/// Whether the time that a login takes says which names are accounts.
#[derive(Debug, Parser)]
struct Options {
    /// Accounts in the server's file.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    accounts: u32,
    /// Rounds of three logins each. Two of them are wrong, and a server lets one address be wrong a million times.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=400_000))]
    rounds: u32,
    /// Hashes that cost next to nothing.
    #[arg(long)]
    cheap: bool,
}

/// How somebody logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    Right,
    WrongPassword,
    WrongName,
}

impl Login {
    const ALL: [Self; 3] = [Self::Right, Self::WrongPassword, Self::WrongName];

    fn name(self) -> &'static str {
        match self {
            Self::Right => "right password",
            Self::WrongPassword => "wrong password",
            Self::WrongName => "no such account",
        }
    }
}

/// Rounds whose times are not counted: threads begin, and caches fill.
const WARM: u32 = 5;

fn main() -> ExitCode {
    match run(&Options::parse()).and_then(|report| {
        io::stdout().write_all(report.as_bytes()).map_err(|error| format!("can't write to stdout: {error}"))
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "login_timing: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<String, String> {
    let server = Server::start(options.accounts, options.cheap)?;
    let mut entropy = Entropy::new([7; 32]);
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..WARM + options.rounds {
        let mut order = [0, 1, 2];
        for at in (1..order.len()).rev() {
            order.swap(at, entropy.below(at as u64 + 1) as usize);
        }
        for kind in order {
            let time = server.log_in(Login::ALL[kind], &mut entropy)?;
            if round >= WARM {
                times[kind].push(time);
            }
        }
    }
    Ok(report(options, &times))
}

fn report(options: &Options, times: &[Vec<Duration>; 3]) -> String {
    let mut out = String::new();
    let hashes = if options.cheap { "hashes that cost next to nothing" } else { "hashes as `qun account` makes them" };
    let _ = writeln!(out, "{} accounts, {} rounds, {hashes}\n", options.accounts, options.rounds);
    for (login, times) in Login::ALL.iter().zip(times) {
        let _ = writeln!(out, "{:<16} median {:>10.1} µs", login.name(), median(times));
    }
    let _ = writeln!(out);
    for (one, other) in [(2, 1), (0, 1)] {
        let Difference { median, low, high, p } = Difference::of(&times[one], &times[other]);
        let (one, other) = (Login::ALL[one].name(), Login::ALL[other].name());
        let _ = writeln!(out, "{one} − {other}: {median:+.1} µs (95 %: {low:+.1} to {high:+.1}), p = {p:.3}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_answered_as_they_should_be() {
        let report = run(&Options { accounts: 3, rounds: 10, cheap: true }).unwrap();
        assert_eq!(report.matches("median").count(), 3, "{report}");
    }
}
