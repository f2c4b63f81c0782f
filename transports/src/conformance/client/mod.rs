//! What a loop around a [`Client`] must do, as checks that any loop over TCP can be put to.
//!
//! The other end is a server that a check has written: it accepts, answers, is silent, hangs up in the middle, and
//! measures what comes. Implement [`Subject`] and call [`check`], as for a server:
//!
//! ```no_run
//! use std::net::SocketAddr;
//! use qun_transports::conformance::client::{self, Command, Config, Subject, Tell};
//!
//! struct Mine;
//!
//! impl Subject for Mine {
//! #   fn start(_: SocketAddr, _: Config, _: Tell) -> Self { Mine }
//! #   fn command(&self, _: Command) {}
//!     // …
//! }
//!
//! #[test]
//! fn my_loop_keeps_the_contracts() {
//!     client::check::<Mine>().unwrap();
//! }
//! ```

mod bytes;
mod life;
mod script;

use std::net::SocketAddr;

use qun_core::Now;
use qun_core::client::{Client, Event};

use super::{Contract, Violations};
pub use qun_core::client::Config;

/// What a client under test shows its events to.
pub type Tell = Box<dyn FnMut(Event) + Send>;

/// What it is to do with its machine.
pub type Command = Box<dyn FnOnce(&mut Client, Now) + Send>;

/// A client under some loop. Dropping it ends it, at once.
pub trait Subject: Sized {
    /// Whether the loop reads from the network no faster than its events are taken: whether it stops reading while `tell`
    /// does not return. One that takes what comes into a memory of its own says no, and that contract is not checked.
    const WAITS_FOR_TELL: bool = true;

    /// Starts a client of the server at `addr`, on a thread or a task of its own. It tells every event, in order.
    fn start(addr: SocketAddr, config: Config, tell: Tell) -> Self;

    /// Has the loop do something with the machine, whatever else it waits for, and then what the machine wants.
    fn command(&self, command: Command);
}

/// All there is to check, one by one.
pub fn contracts<S: Subject>() -> Vec<Contract> {
    let contract = |name, check| Contract { name, check };
    let mut contracts = vec![
        contract("2: a flush goes on until nothing is left, through partial writes", bytes::in_full::<S>),
        contract("1: bytes may be split anywhere", bytes::split_anywhere::<S>),
        contract("1: a command is obeyed while nothing else happens", bytes::commands::<S>),
        contract("5: nothing of an old connection reaches the next", bytes::reuse::<S>),
        contract("4: the end of input is the end, told once", life::end_of_input::<S>),
        contract("5: a reset is told once", life::reset::<S>),
        contract("5: an attempt that fails is told once, and there is another", life::refused::<S>),
        contract("6: deadlines are kept where nothing else happens", life::backoff::<S>),
        contract("7: a connection that the machine closes is closed", life::closes::<S>),
        contract("7: the goodbye is said, and the end is the end", life::goodbye::<S>),
    ];
    if S::WAITS_FOR_TELL {
        contracts.push(contract("3: what is not taken is not read, and reading goes on after", bytes::edges::<S>));
    }
    contracts
}

/// Checks all contracts, beside each other.
///
/// # Errors
/// Every one that is broken, and how.
pub fn check<S: Subject>() -> Result<(), Violations> {
    super::check_all(contracts::<S>())
}
