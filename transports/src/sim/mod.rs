//! A whole world in one process: a server, its log, people, and the network between them, under virtual time.
//!
//! Everything that happens follows from one seed: the same seed gives the same world, byte for byte and microsecond for
//! microsecond, and [`World::trace_hash`] says so. A week passes in as long as it takes to handle what happens in it.
//!
//! - A [`Plan`] is what a seed decides: which faults, how many people of which kind, how talkative, within which limits.
//! - A [`Script`] gives the first choices that are made in a world, which are a seed's else: so a fuzzer can steer one by
//!   one ([`Plan::from_bytes`]).
//! - A [`World`] holds all of it and moves from one happening to the next. It runs the real server and the real clients;
//!   the log, the network and those at netcat are simulated.
//! - A [`Fault`] is something that goes wrong; [`Counters`] say how often each did. What the network does is composed of
//!   the [`Word`]s of [`Rule`]s.
//! - The oracle (`oracle/`) watches from outside that every invariant of docs/architecture.md holds.
//! - A [`Break`] is a server, a log or a client that is wrong in one way, by which the oracle shows that it can see.
//! - [`run`] is a whole trial: first everything breaks, then everything heals, and all must be well in a bounded time;
//!   [`shrink`] looks for the shortest way to what broke.
//!
//! ```
//! use qun_transports::sim::{Plan, run};
//!
//! let report = run(&Plan::from_seed(7), None, None);
//! assert_eq!(report.violation, None);
//! ```

mod acts;
mod breaks;
mod chaos;
mod court;
mod dice;
mod fault;
mod garbled;
mod incident;
mod link;
mod log;
mod misrule;
mod network;
mod oracle;
mod person;
mod plan;
mod raw;
mod reload;
mod rule;
mod schedule;
mod settle;
mod site;
mod stale;
mod tampered;
mod trace;
mod trial;
mod verdicts;
mod watch;
mod world;

pub use breaks::{Break, NoBreak};
pub use dice::Script;
pub use fault::{Counters, Fault, NoFault};
pub use incident::Incident;
pub use oracle::Violation;
pub use plan::Plan;
pub use reload::{Change, Moment};
pub use rule::{Carried, Conditions, Rule, Word};
pub use trial::{Report, run, shrink};
pub use world::World;
