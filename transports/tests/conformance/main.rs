//! Our loops keep the contracts, and the checks find those who don't.
#![cfg(target_os = "linux")]

#[cfg(test)]
mod faulty;
#[cfg(test)]
mod faulty_client;
#[cfg(test)]
mod ours;
