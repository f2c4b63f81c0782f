//! What is done.

use qun_core::ConnId;
use serde_json::{Value, json};

use crate::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Kick,
    Ban,
    BanKey,
    BanName,
    BanSource,
    Unban,
    Mute,
    Unmute,
    Topic,
    /// The newest message of theirs is taken back.
    Remove,
    Close,
    Open,
    /// They are given the role of a moderator.
    Role,
    Add,
    Rotate,
    Retire,
    /// Their code is retired, with those who came by it.
    Shut,
    /// All accounts are configured no more.
    Gone,
}

impl Act {
    pub(super) const ALL: [Self; 18] = [
        Self::Kick,
        Self::Ban,
        Self::BanKey,
        Self::BanName,
        Self::BanSource,
        Self::Unban,
        Self::Mute,
        Self::Unmute,
        Self::Topic,
        Self::Remove,
        Self::Close,
        Self::Open,
        Self::Role,
        Self::Add,
        Self::Rotate,
        Self::Retire,
        Self::Shut,
        Self::Gone,
    ];

    /// Asks for it; says under which id, where it is asked for.
    pub(super) fn ask(self, world: &mut World, own: ConnId, name: &str) -> Option<&'static str> {
        let fields = match self {
            Self::Kick => json!({"t": "kick", "name": name}),
            Self::Ban => json!({"t": "ban", "name": name}),
            Self::BanKey => json!({"t": "ban", "name": name, "by": ["key"]}),
            Self::BanName => json!({"t": "ban", "name": name, "by": ["name"]}),
            Self::BanSource => json!({"t": "ban", "name": name, "by": ["source"]}),
            Self::Unban => json!({"t": "unban", "name": name}),
            Self::Mute => json!({"t": "mute", "name": name}),
            Self::Unmute => json!({"t": "unmute", "name": name}),
            Self::Topic => json!({"t": "topic", "text": "order"}),
            Self::Remove => json!({"t": "remove", "name": name}),
            Self::Close => json!({"t": "close"}),
            Self::Open => json!({"t": "open"}),
            Self::Role => json!({"t": "role", "name": name, "role": "moderator"}),
            Self::Add => json!({"t": "code", "do": "add"}),
            Self::Rotate => json!({"t": "code", "do": "rotate", "label": "team"}),
            Self::Retire => json!({"t": "code", "do": "retire", "label": "team"}),
            Self::Shut => json!({"t": "code", "do": "retire", "label": "team", "kick": true}),
            Self::Gone => {
                world.reload(|config| config.accounts.clear());
                return None;
            }
        };
        let mut request: Value = fields;
        (request["id"], request["room"]) = (json!("act"), json!("ops"));
        world.take(own);
        world.ask(own, request);
        Some("act")
    }
}
