//! The real binary over real sockets: as many processes as there are people.
//!
//! Nothing here sleeps: whoever waits, waits for something, and gives up only after a time that no machine needs.
#![cfg(test)]

pub(crate) mod world;

mod accounts;
mod bench;
mod crowd;
mod hostile;
mod intruder;
mod keep;
mod login;
mod programs;
mod reload;
mod resume;
mod rooms;
mod search;
mod slow_disk;
mod stopping;
mod storage;
mod terminal;
