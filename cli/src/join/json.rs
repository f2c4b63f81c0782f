//! Tells programs what happens: the lines of `--json`.
//!
//! The names here are an interface, documented in `qun join --help`. Fields are added, none changes its meaning.

use qun_core::client::{Bye, Event};
use qun_core::json::{Change, ErrorCode, PageMessage, Person, Retry, Room};
use qun_core::{Id, MemberId, Name, Role, RoomId, Seq, Text};
use serde::Serialize;

use crate::session::Doing;

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Told<'a> {
    Online {
        member: &'a MemberId,
        name: &'a Name,
        resumed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        account: Option<&'a Name>,
        #[serde(skip_serializing_if = "<[Room]>::is_empty")]
        rooms: &'a [Room],
    },
    Offline {
        attempt: u32,
        retry_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        bye: Option<Goodbye<'a>>,
    },
    Ended {
        #[serde(skip_serializing_if = "Option::is_none")]
        bye: Option<Goodbye<'a>>,
    },
    Joined {
        room: &'a RoomId,
        title: &'a str,
        role: Role,
        #[serde(skip_serializing_if = "Option::is_none")]
        topic: Option<&'a Text>,
        here: u64,
        head: Seq,
        #[serde(skip_serializing_if = "Option::is_none")]
        members: Option<&'a [Person]>,
    },
    Restarted {
        room: &'a RoomId,
    },
    Message {
        room: &'a RoomId,
        #[serde(flatten)]
        message: &'a PageMessage,
        live: bool,
        mine: bool,
    },
    Lost {
        room: &'a RoomId,
        from: Seq,
        to: Seq,
    },
    Presence {
        room: &'a RoomId,
        #[serde(flatten)]
        change: &'a Change,
    },
    Here {
        room: &'a RoomId,
        n: u64,
    },
    Roster {
        room: &'a RoomId,
        #[serde(skip_serializing_if = "Option::is_none")]
        members: Option<&'a [Person]>,
    },
    Left {
        room: &'a RoomId,
        #[serde(skip_serializing_if = "Option::is_none")]
        bye: Option<Goodbye<'a>>,
    },
    Room {
        room: &'a RoomId,
        title: &'a str,
        role: Role,
    },
    Page {
        room: &'a RoomId,
        more: bool,
        messages: &'a [PageMessage],
    },
    Found {
        room: &'a RoomId,
        from: Seq,
        more: bool,
        messages: &'a [PageMessage],
    },
    Done {
        room: &'a RoomId,
    },
    Code {
        room: &'a RoomId,
        label: &'a str,
        code: &'a str,
    },
    Renamed {
        name: &'a Name,
    },
    Refused {
        what: &'static str,
        code: &'a ErrorCode,
        retry: Retry,
        #[serde(skip_serializing_if = "Option::is_none")]
        wait_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<u64>,
        text: &'a str,
    },
    Delivered {
        room: &'a RoomId,
        id: Id,
    },
    Unconfirmed {
        room: &'a RoomId,
        id: Id,
        text: &'a Text,
    },
    Notice {
        level: &'a str,
        text: &'a Text,
    },
    Unsaid {
        text: &'a str,
        why: String,
    },
}

/// What the server said as it closed a connection or a room.
#[derive(Debug, Serialize)]
pub(super) struct Goodbye<'a> {
    code: &'a str,
    retry: Retry,
    text: &'a str,
}

impl<'a> From<&'a Bye> for Goodbye<'a> {
    fn from(bye: &'a Bye) -> Self {
        Self { code: bye.code.as_str(), retry: bye.retry, text: &bye.text }
    }
}

impl<'a> Told<'a> {
    /// What to tell of an event; `None` where a program needs not know. `members` is who is in its room, `retry_ms` when an
    /// offline client tries again, `doing` the command that was refused.
    pub(super) fn of(
        event: &'a Event,
        members: Option<&'a [Person]>,
        retry_ms: u64,
        doing: Option<&Doing>,
    ) -> Option<Self> {
        Some(match event {
            Event::Online { member, name, resumed, account, rooms, .. } => {
                Self::Online { member, name, resumed: *resumed, account: account.as_ref(), rooms }
            }
            Event::Offline { attempt, bye, .. } => {
                Self::Offline { attempt: *attempt, retry_ms, bye: bye.as_ref().map(Goodbye::from) }
            }
            Event::Ended { bye } => Self::Ended { bye: bye.as_ref().map(Goodbye::from) },
            Event::Joined { room, title, role, topic, here, head, .. } => {
                let topic = topic.as_ref();
                Self::Joined { room, title, role: *role, topic, here: *here, head: *head, members }
            }
            Event::Restarted { room } => Self::Restarted { room },
            Event::Message { room, message, live, mine } => Self::Message { room, message, live: *live, mine: *mine },
            Event::Lost { room, from, to } => Self::Lost { room, from: *from, to: *to },
            Event::Presence { change: Change::Unknown, .. } => return None,
            Event::Presence { room, change } => Self::Presence { room, change },
            Event::Here { room, n } => Self::Here { room, n: *n },
            Event::Roster { room } => Self::Roster { room, members },
            Event::Left { room, bye, .. } => Self::Left { room, bye: bye.as_ref().map(Goodbye::from) },
            Event::Room { room, title, role } => Self::Room { room, title, role: *role },
            Event::Page { room, messages, more, .. } => Self::Page { room, more: *more, messages },
            Event::Found { room, messages, from, more, .. } => Self::Found { room, from: *from, more: *more, messages },
            Event::Done { room, .. } => Self::Done { room },
            Event::Code { room, label, code, .. } => Self::Code { room, label, code: &code.0 },
            Event::Renamed { name, .. } => Self::Renamed { name },
            Event::Refused { code, retry, wait_ms, left, text, .. } => {
                let what = match doing {
                    Some(Doing::Join(_)) => "join",
                    Some(Doing::Say { .. }) => "say",
                    Some(Doing::History { .. }) => "history",
                    Some(Doing::Search { .. }) => "search",
                    Some(Doing::Leave(_)) => "leave",
                    Some(Doing::Rename(_)) => "name",
                    Some(Doing::Login(..)) => "login",
                    Some(Doing::Order(_, order)) => order.verb().as_str(),
                    None => "unknown",
                };
                Self::Refused { what, code, retry: *retry, wait_ms: *wait_ms, left: *left, text }
            }
            Event::Delivered { id, room } => Self::Delivered { room, id: *id },
            Event::Unconfirmed { id, room, text } => Self::Unconfirmed { room, id: *id, text },
            Event::Notice { level, text } => Self::Notice { level, text },
        })
    }

    /// The line, without its end.
    pub(super) fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_that_help_documents() {
        let room: RoomId = "ops".parse().unwrap();
        let message = Event::Message {
            room: room.clone(),
            message: PageMessage {
                seq: Seq::new(7),
                ts: 5,
                m: MemberId::from_bits(0),
                name: "bob".parse().unwrap(),
                kind: qun_core::log::Kind::Me,
                text: "waves".parse().unwrap(),
                id: None,
            },
            live: true,
            mine: false,
        };
        assert_eq!(
            Told::of(&message, None, 0, None).unwrap().line(),
            r#"{"event":"message","room":"ops","seq":7,"ts":5,"m":"AAAAAAAAAA","name":"bob","kind":"me","text":"waves","live":true,"mine":false}"#
        );
        let change = Change::Out { m: MemberId::from_bits(0), name: "bob".parse().unwrap(), why: Some("left".into()) };
        assert_eq!(
            Told::of(&Event::Presence { room: room.clone(), change }, None, 0, None).unwrap().line(),
            r#"{"event":"presence","room":"ops","ev":"out","m":"AAAAAAAAAA","name":"bob","why":"left"}"#
        );
        let refused = Event::Refused {
            re: None,
            code: ErrorCode::BadCode,
            retry: Retry::Fix,
            wait_ms: None,
            left: Some(4),
            text: "No.".into(),
        };
        let bye = Bye { code: qun_core::json::ByeCode::RoomClosed, retry: Retry::No, text: "It is closed.".into() };
        assert_eq!(
            Told::of(&Event::Left { re: None, room: room.clone(), bye: Some(bye) }, None, 0, None).unwrap().line(),
            r#"{"event":"left","room":"ops","bye":{"code":"room_closed","retry":"no","text":"It is closed."}}"#
        );
        assert_eq!(
            Told::of(&Event::Room { room, title: "Day shift".into(), role: Role::Read }, None, 0, None).unwrap().line(),
            r#"{"event":"room","room":"ops","title":"Day shift","role":"read"}"#
        );
        let door = "K7QM-2XD4".parse().unwrap();
        assert_eq!(
            Told::of(&refused, None, 0, Some(&Doing::Join(door))).unwrap().line(),
            r#"{"event":"refused","what":"join","code":"bad_code","retry":"fix","left":4,"text":"No."}"#
        );
    }
}
