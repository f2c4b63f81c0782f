//! The log on a disk: the same answers as the log in memory, and what it is for, which is everything that goes wrong.
#![cfg(test)]

mod archive;
mod damage;
mod faults;
mod keep;
mod model;
mod restart;
mod restore;
mod rig;
