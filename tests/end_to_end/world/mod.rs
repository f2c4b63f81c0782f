//! A server, and what talks to it.

mod binary;
mod joined;
mod process;
mod server;
mod wire;

use std::time::Duration;

pub(crate) use binary::{qun, which};
pub(crate) use joined::Joined;
pub(crate) use process::{Heard, Process};
pub(crate) use server::{POLLER, Server, free_descriptors};
pub(crate) use wire::Wire;

/// Longer than anything takes on a machine that is busy with other things, too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const OPS: &str = "K7QM-2XD4";
pub(crate) const GUEST: &str = "R3AD-0N1Y";
pub(crate) const KEEPER: &str = "KEEP-ERC0";
pub(crate) const OWNER: &str = "0WNE-RC0D";
pub(crate) const DEV: &str = "DEV0-C0DE";
pub(crate) const HALL: &str = "HA11-HA11";
pub(crate) const WRONG: &str = "WR0N-GGGG";

pub(crate) const ANN: &str = "q8ZtV1c0TgW2q8ZtV1c0Tg";
