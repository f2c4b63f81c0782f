//! The event loops over real sockets.
#![cfg(target_os = "linux")]

#[cfg(test)]
mod client;
#[cfg(test)]
mod every;
#[cfg(test)]
mod fairness;
#[cfg(test)]
mod once;
#[cfg(test)]
mod python;
#[cfg(test)]
mod server;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
