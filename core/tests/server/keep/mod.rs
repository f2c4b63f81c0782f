//! Who keeps order in a room: each rule of PROTOCOL.md, moderation.

mod ban;
mod codes;
mod kick;
mod mute;
mod person;
mod remove;
mod right;
mod room;
mod turn;

use qun_core::Role;
use qun_core::server::{Config, Presence};
use serde_json::{Value, json};

use crate::world::{GUEST, OPS, World, room};

pub(crate) const OWNER: &str = "0WNE-RC0D";

pub(crate) const KEEPER: &str = "KEEP-ERC0";

pub(crate) fn set(config: &mut Config) {
    let codes = [(OPS, Role::Talk), (GUEST, Role::Read), (KEEPER, Role::Moderator), (OWNER, Role::Owner)];
    config.rooms[0] = room("ops", "On-call", Presence::Full, &codes);
    for (access, label) in config.rooms[0].codes.iter_mut().zip(["team", "guests", "keepers", "owners"]) {
        access.label = label.into();
    }
    (config.limits.burst, config.limits.per_s) = (0, 0);
}

/// A world in which `ops` has a code for each role.
pub(crate) fn world() -> World {
    World::with(set)
}

/// The same log, and a server that has just begun.
fn restarted(before: World) -> World {
    let mut world = world();
    world.log = before.log;
    world
}

pub(crate) fn act(t: &str, rest: Value) -> Value {
    let mut request = json!({"t": t, "id": "a1", "room": "ops"});
    for (key, value) in rest.as_object().expect("fields") {
        request[key] = value.clone();
    }
    request
}

/// Asks, and takes the answer from among what comes.
pub(crate) fn order(world: &mut World, conn: qun_core::ConnId, t: &str, rest: Value) -> Value {
    world.take(conn);
    world.ask(conn, act(t, rest));
    let lines = world.lines(conn);
    let answer = lines.iter().find(|line| line["re"] == "a1");
    answer.unwrap_or_else(|| panic!("no answer among {lines:#?}")).clone()
}

pub(crate) fn done(world: &mut World, conn: qun_core::ConnId, t: &str, rest: Value) {
    let answer = order(world, conn, t, rest);
    assert!(answer["t"] == "ok" && answer["seq"].is_u64(), "{answer}");
}

pub(crate) fn is_refused(world: &mut World, conn: qun_core::ConnId, t: &str, rest: Value, code: &str) {
    let answer = order(world, conn, t, rest);
    assert_eq!((&answer["t"], &answer["code"]), (&json!("error"), &json!(code)), "{answer}");
}
