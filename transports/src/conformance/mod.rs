//! What a loop around a [`Driver`](crate::Driver) must do, as checks that any loop can be put to; and, in [`client`], one
//! around a [`Client`](qun_core::client::Client).
//!
//! Whoever drives the machines with a loop of their own implements [`Subject`] for it in a test and calls [`check`]:
//!
//! ```no_run
//! use qun_core::server::Config;
//! use qun_transports::conformance::{self, CheckedLog, Subject};
//!
//! struct Mine;
//!
//! impl Subject for Mine {
//!     type Wire = std::net::TcpStream;
//! #   fn start(_: Config, _: CheckedLog) -> Self { Mine }
//! #   fn connect(&self) -> std::io::Result<Self::Wire> { Err(std::io::ErrorKind::NotFound.into()) }
//! #   fn drain(&self) {}
//! #   fn has_ended(&self) -> bool { true }
//!     // …
//! }
//!
//! #[test]
//! fn my_loop_keeps_the_contracts() {
//!     conformance::check::<Mine>().unwrap();
//! }
//! ```
//!
//! The checks see a loop from outside, as its users do: they connect, send, read late, hang up, and measure what comes
//! back. So they hold for any loop, and each names the contract of docs/architecture.md that a failure breaks. They take
//! some seconds of real time, beside each other.

mod burial;
pub mod client;
mod flush;
mod line;
mod log;
mod pace;
mod reading;
mod room;
mod verdicts;
mod wire;

use std::fmt;
use std::io;
use std::thread;

use qun_core::server::Config;

pub use log::CheckedLog;
pub use wire::Wire;

/// A server under some loop. Dropping it ends it, at once.
pub trait Subject: Sync + Sized {
    /// One connection's other end.
    type Wire: Wire;

    /// Starts a server with this configuration and log, on a thread or a task of its own.
    fn start(config: Config, log: CheckedLog) -> Self;

    /// Connects to it.
    ///
    /// # Errors
    /// Where that fails, and then so does the check.
    fn connect(&self) -> io::Result<Self::Wire>;

    /// Asks for a [drain](crate::Driver::drain); the loop ends once no connection is left.
    fn drain(&self);

    /// Whether the loop has ended.
    fn has_ended(&self) -> bool;
}

/// A contract, and the check that a loop keeps it.
pub struct Contract {
    /// What is demanded.
    pub name: &'static str,
    /// Says what was seen in place of it.
    pub check: fn() -> Result<(), Violation>,
}

/// What a loop did in place of what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(String);

/// Every contract that a loop broke.
#[derive(Clone, PartialEq, Eq)]
pub struct Violations(Vec<(&'static str, Violation)>);

/// All there is to check, one by one: for those who want a test for each.
pub fn contracts<S: Subject>() -> Vec<Contract> {
    let contract = |name, check| Contract { name, check };
    vec![
        contract("2: a flush goes on until nothing is left, through partial writes", flush::in_full::<S>),
        contract("2: a member who reads late misses nothing that the room still holds", flush::late_reader::<S>),
        contract("8: a stalled reader hides a bounded number of bytes in the kernel", flush::bounded_kernel::<S>),
        contract("3: what the machine does not want is not read, and reading goes on after", reading::edges::<S>),
        contract("4: the end of input is a half-close", reading::half_close::<S>),
        contract("1: bytes may be split anywhere", reading::split_anywhere::<S>),
        contract("6: deadlines are kept where nothing else happens", pace::deadlines::<S>),
        contract("1: an answer of the log wakes the loop", pace::late_log::<S>),
        contract("8: whoever sends without end delays nobody", pace::fairness::<S>),
        contract("5: a connection that is reset is buried", burial::reset::<S>),
        contract("5: nothing of a buried connection reaches the next", burial::reuse::<S>),
        contract("7: the last bytes reach whoever is still sending", burial::last_bytes::<S>),
        contract("10: nobody waits for another's password", verdicts::nobody_waits::<S>),
        contract("10: few passwords are verified at a time", verdicts::few_at_a_time::<S>),
        contract("10: each verdict is given to whom it is about", verdicts::each_its_own::<S>),
        contract("10: a verdict about somebody who is gone is about nobody", verdicts::of_the_gone::<S>),
        contract("10: a drain waits for no verdict", verdicts::drain::<S>),
        contract("7: a drain says goodbye to everyone and ends", burial::drain::<S>),
    ]
}

/// Checks all contracts, beside each other.
///
/// # Errors
/// Every one that is broken, and how.
pub fn check<S: Subject>() -> Result<(), Violations> {
    check_all(contracts::<S>())
}

fn check_all(contracts: Vec<Contract>) -> Result<(), Violations> {
    let broken: Vec<_> = thread::scope(|scope| {
        let checks = contracts.into_iter().map(|Contract { name, check }| (name, scope.spawn(check)));
        let checks: Vec<_> = checks.collect();
        let ends = checks.into_iter().map(|(name, check)| {
            (name, check.join().unwrap_or_else(|_| Err(Violation("the subject panicked".into()))))
        });
        ends.filter_map(|(name, end)| end.err().map(|violation| (name, violation))).collect()
    });
    if broken.is_empty() { Ok(()) } else { Err(Violations(broken)) }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<io::Error> for Violation {
    fn from(error: io::Error) -> Self {
        Self(format!("the connection failed: {error}"))
    }
}

impl Violations {
    /// The contracts by their names, and what was seen.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Violation)> {
        self.0.iter().map(|(name, violation)| (*name, violation))
    }
}

/// For `unwrap` in a test: what a person wants to read.
impl fmt::Debug for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, violation) in self.iter() {
            write!(f, "\n  {name}\n    {violation}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Violation {}
impl std::error::Error for Violations {}
