//! The server that a check has: one room.

use std::time::Duration;

use qun_core::server::{Access, Config, Presence, RoomConfig};
use qun_core::{Limits, Role};

use super::line::Line;
use super::{CheckedLog, Subject, Violation};

/// The code of the one room, `ops`.
pub(super) const CODE: &str = "K7QM-2XD4";

/// A server that checks nothing but its loop: no rates.
pub(super) fn serve<S: Subject>() -> Result<S, Violation> {
    serve_with(CheckedLog::prompt(), |_| {})
}

pub(super) fn serve_with<S: Subject>(log: CheckedLog, change: impl FnOnce(&mut Config)) -> Result<S, Violation> {
    let stall = Duration::from_secs(60);
    let limits = Limits { burst: 0, per_s: 0, connections_per_source: 1_000, stall, ..Limits::default() };
    let wrong = |error: &dyn std::error::Error| Violation(format!("the check itself is wrong: {error}"));
    let code = CODE.parse().map_err(|error| wrong(&error))?;
    let access = Access { code, label: "team".into(), role: Role::Talk, expires: None, max_members: None };
    let id = "ops".parse().map_err(|error| wrong(&error))?;
    let room = RoomConfig {
        id,
        title: "On-call".into(),
        presence: Presence::Full,
        codes: vec![access],
        accounts: Vec::new(),
        guests: true,
    };
    let mut config = Config { rooms: vec![room], limits, ..Config::default() };
    change(&mut config);
    Ok(S::start(config, log))
}

pub(super) fn connect<S: Subject>(server: &S) -> Result<Line<S::Wire>, Violation> {
    Line::new(server.connect()?)
}

/// Somebody who is in the room.
pub(super) fn member<S: Subject>(server: &S, name: &str) -> Result<Line<S::Wire>, Violation> {
    let mut line = connect(server)?;
    line.get_in(name)?;
    Ok(line)
}
