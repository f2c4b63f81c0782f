//! Servers and clients inside async programs.
#![cfg(target_os = "linux")]

#[cfg(test)]
mod cancel;
#[cfg(test)]
mod life;
#[cfg(test)]
mod rig;
