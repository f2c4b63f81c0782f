//! A whole world in one process: a server, its log, clients, and the network between them, under virtual time.
//!
//! Everything that happens follows from one seed: the same seed gives the same world, byte for byte and microsecond for
//! microsecond, and [`World::trace_hash`] says so. A week passes in as long as it takes to handle what happens in it.
//!
//! - [`World`] holds all of it and moves from one happening to the next.
//! - [`Weather`] says what the network does to what is sent, and how often the server crashes. It can change at any
//!   time: break everything, then clear up and demand that all is well.
//! - [`World::check`] compares what each person was shown with the log.
//!
//! ```
//! use std::time::Duration;
//!
//! use qun_transports::sim::{Config, Weather, World};
//!
//! let mut world = World::new(Config { weather: Weather::ROUGH, ..Config::new(7) });
//! world.run_for(Duration::from_secs(600));
//! world.set_weather(Weather::CLEAR);
//! world.set_chatter(None);
//! world.run_for(Duration::from_secs(600));
//! world.check().unwrap();
//! ```

mod link;
mod log;
mod network;
mod person;
mod schedule;
mod trace;
mod weather;
mod world;

pub use person::{Person, Said, Shown};
pub use weather::Weather;
pub use world::{Config, Violation, World};
