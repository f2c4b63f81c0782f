//! A request as it stands on the wire: every field that one may have.

use alloc::vec::Vec;

use serde::Serialize;

use super::request::{Door, Request};
use crate::account::Password;
use crate::id::{Id, Key, MemberId, Position, RoomId, Seq};
use crate::log::{Kind, Span};
use crate::name::Name;
use crate::order::{CodeOrder, Order, Which, Whom};
use crate::role::Role;
use crate::search::Words;
use crate::text::Text;

/// One line, to be written.
#[derive(Default, Serialize)]
pub(super) struct Line<'a> {
    t: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<&'a [u64]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    m: Option<MemberId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a RoomId>,
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    deed: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume: Option<Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tail: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uses: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kick: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<&'a Words>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a Text>,
}

impl<'a> From<&'a Request> for Line<'a> {
    fn from(request: &'a Request) -> Self {
        let line = Self::default();
        match request {
            Request::Hello { id, v, agent, name, key, password } => Self {
                t: "hello",
                id: *id,
                v: Some(v),
                agent: agent.as_deref(),
                name: name.as_ref(),
                key: key.as_ref().map(Key::expose),
                password: password.as_ref().map(Password::expose),
                ..line
            },
            Request::Join { id, door, resume, tail } => {
                let (code, room) = match door {
                    Door::Code(code) => (Some(code.as_str()), None),
                    Door::Held(room) => (None, Some(room)),
                };
                Self { t: "join", id: *id, code, room, resume: *resume, tail: *tail, ..line }
            }
            Request::Say { id, room, text, kind } => {
                let kind = (*kind == Kind::Me).then_some("me");
                Self { t: "say", id: *id, room: Some(room), text: Some(text), kind, ..line }
            }
            Request::History { id, room, span, limit } => {
                let (before, after) = match *span {
                    Span::Before(seq) => (Some(seq), None),
                    Span::After(seq) => (None, Some(seq)),
                };
                Self { t: "history", id: *id, room: Some(room), before, after, limit: *limit, ..line }
            }
            Request::Search { id, room, words, before, limit } => Self {
                t: "search",
                id: *id,
                room: Some(room),
                words: Some(words),
                before: *before,
                limit: *limit,
                ..line
            },
            Request::Leave { id, room } => Self { t: "leave", id: *id, room: Some(room), ..line },
            Request::Name { id, name } => Self { t: "name", id: *id, name: Some(name), ..line },
            Request::Ping { n } => Self { t: "ping", n: Some(*n), ..line },
            Request::Pong { n } => Self { t: "pong", n: Some(*n), ..line },
            Request::Act { id, room, order } => Self { id: *id, room: Some(room), ..Self::from(order) },
            Request::Bye => Self { t: "bye", ..line },
        }
    }
}

impl<'a> From<&'a Order> for Line<'a> {
    fn from(order: &'a Order) -> Self {
        let line = Self { t: order.verb().as_str(), ..Self::default() };
        match order {
            Order::Kick { whom, why } => Self { why: why.as_ref(), ..line.about(whom) },
            Order::Ban { whom, by, for_s, why } => {
                let by = by.iter().map(|by| by.as_str()).collect();
                Self { by, for_s: *for_s, why: why.as_ref(), ..line.about(whom) }
            }
            Order::Mute { whom, for_s, why } => Self { for_s: *for_s, why: why.as_ref(), ..line.about(whom) },
            Order::Unban { whom } | Order::Unmute { whom } => line.about(whom),
            Order::Topic { topic } => Self { text: topic.as_ref(), ..line },
            Order::Remove { which: Which::Message(seq), why } => Self { seq: Some(*seq), why: why.as_ref(), ..line },
            Order::Remove { which: Which::Newest(whom), why } => Self { why: why.as_ref(), ..line.about(whom) },
            Order::Close { why } => Self { why: why.as_ref(), ..line },
            Order::Open => line,
            Order::Role { whom, role } => Self { role: *role, ..line.about(whom) },
            Order::Code(CodeOrder::Rotate { label, after_s }) => {
                Self { deed: Some("rotate"), label: label.as_deref(), after_s: *after_s, ..line }
            }
            Order::Code(CodeOrder::Add { label, role, for_s, uses }) => Self {
                deed: Some("add"),
                label: label.as_deref(),
                role: Some(*role),
                for_s: *for_s,
                uses: *uses,
                ..line
            },
            Order::Code(CodeOrder::Retire { label, after_s, kick }) => {
                Self { deed: Some("retire"), label: Some(label), after_s: *after_s, kick: kick.then_some(true), ..line }
            }
        }
    }
}

impl<'a> Line<'a> {
    fn about(self, whom: &'a Whom) -> Self {
        match whom {
            Whom::Member(m) => Self { m: Some(*m), ..self },
            Whom::Name(name) => Self { name: Some(name), ..self },
        }
    }
}
