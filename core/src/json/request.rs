//! What a client says.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::failure::ErrorCode;
use super::line::Line;
use super::strict::Fields;
use crate::account::Password;
use crate::id::{Id, Key, Position, RoomId, Seq};
use crate::log::{Kind, Span};
use crate::name::Name;
use crate::order::Order;
use crate::search::Words;
use crate::text::Text;

/// One line from a client.
///
/// A code stays as it was typed: whatever it is, it counts as a guess.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// The first request.
    Hello {
        /// What the answer is to name.
        id: Option<Id>,
        /// The versions that the client speaks.
        v: Vec<u64>,
        /// The client's name and version.
        agent: Option<String>,
        /// What to be called; the server finds a name where there is none.
        name: Option<Name>,
        /// By which the session outlives the connection.
        key: Option<Key>,
        /// Of the account that `name` is.
        password: Option<Password>,
    },
    /// Get into a room, or back into it.
    Join {
        /// What the answer is to name.
        id: Option<Id>,
        /// How to get in.
        door: Door,
        /// Where to go on.
        resume: Option<Position>,
        /// How many messages of backlog at most.
        tail: Option<u64>,
    },
    /// Say something.
    Say {
        /// Makes it idempotent, and names the answer.
        id: Option<Id>,
        /// Where.
        room: RoomId,
        /// What.
        text: Text,
        /// How it is meant: a say or a `me`; any other kind is sent as a say.
        kind: Kind,
    },
    /// Read what was said before.
    History {
        /// What the answer is to name.
        id: Option<Id>,
        /// Where.
        room: RoomId,
        /// Which messages.
        span: Span,
        /// How many at most.
        limit: Option<u64>,
    },
    /// Look for words.
    Search {
        /// What the answer is to name.
        id: Option<Id>,
        /// Where.
        room: RoomId,
        /// What to look for.
        words: Words,
        /// Only below this seq.
        before: Option<Seq>,
        /// How many messages at most.
        limit: Option<u64>,
    },
    /// Leave a room.
    Leave {
        /// What the answer is to name.
        id: Option<Id>,
        /// Which.
        room: RoomId,
    },
    /// Take another name.
    Name {
        /// What the answer is to name.
        id: Option<Id>,
        /// Which.
        name: Name,
    },
    /// Keep order in a room.
    Act {
        /// What the answer is to name.
        id: Option<Id>,
        /// Where.
        room: RoomId,
        /// What is to be done.
        order: Order,
    },
    /// Are you there?
    Ping {
        /// Comes back in `pong`.
        n: u64,
    },
    /// Here I am.
    Pong {
        /// From the `ping`.
        n: u64,
    },
    /// End the session.
    Bye,
}

/// How to get into a room.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Door {
    /// By a code, as it was typed.
    Code(String),
    /// By a membership that the session still holds, or because its account needs no code there.
    Held(RoomId),
}

/// Hides the code, so that no log ever shows it.
impl core::fmt::Debug for Door {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Code(_) => f.write_str("Code(…)"),
            Self::Held(room) => write!(f, "Held({room})"),
        }
    }
}

/// A line that is no request, and what to answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{text}")]
pub struct Malformed {
    /// The request, where that much could be read.
    pub re: Option<Id>,
    /// Which error.
    pub code: ErrorCode,
    /// What is wrong, for a person.
    pub text: String,
}

impl Request {
    /// Reads one line, its end stripped.
    ///
    /// # Errors
    /// [`Malformed`] says which error to answer, to which request, and what is wrong with the line: syntax, a duplicate
    /// key, nesting deeper than 16 (`bad_frame`); a type that there is not (`unknown_type`); a field that is missing or
    /// holds what it can't (`bad_field`, `bad_name`, `bad_text`).
    pub fn decode(line: &[u8]) -> Result<Self, Malformed> {
        match super::quick::say(line).and_then(super::quick::Say::into_request) {
            Some(say) => Ok(say),
            None => Self::general(line),
        }
    }

    /// The same, of any line.
    pub(crate) fn general(line: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::read(line).map_err(|error| Malformed {
            re: None,
            code: ErrorCode::BadFrame,
            text: error.to_string(),
        })?;
        let (id, id_is_bad) = match fields.text("id") {
            Ok(None) => (None, None),
            Ok(Some(id)) => match id.parse() {
                Ok(id) => (Some(id), None),
                Err(error) => (None, Some(alloc::format!("id: {error}"))),
            },
            Err(error) => (None, Some(error)),
        };
        let read = match id_is_bad {
            Some(text) => Err((ErrorCode::BadField, text)),
            None => Self::from_fields(id, &fields),
        };
        fields.wipe("password");
        read.map_err(|(code, text)| Malformed { re: id, code, text })
    }

    fn from_fields(id: Option<Id>, fields: &Fields<'_>) -> Result<Self, (ErrorCode, String)> {
        let field = |error: String| (ErrorCode::BadField, error);
        let room = || -> Result<RoomId, _> { parse(fields.need("room").map_err(field)?, "room", ErrorCode::BadField) };
        let name = |name: &str| -> Result<Name, _> { parse(name, "name", ErrorCode::BadName) };
        let n = || fields.integer("n").map(Option::unwrap_or_default).map_err(field);
        Ok(match fields.need("t").map_err(field)? {
            "hello" => {
                let optional = |name| fields.text(name).map_err(field);
                let name = optional("name")?.map(name).transpose()?;
                let password = optional("password")?.map(|password| parse(password, "password", ErrorCode::BadField));
                if name.is_none() && password.is_some() {
                    return Err(field("a password is an account's: name is missing".into()));
                }
                Self::Hello {
                    id,
                    v: fields.integers("v").map_err(field)?,
                    agent: optional("agent")?.map(ToString::to_string),
                    name,
                    key: optional("key")?.map(|key| parse(key, "key", ErrorCode::BadField)).transpose()?,
                    password: password.transpose()?,
                }
            }
            "join" => Self::Join {
                id,
                door: match (fields.text("code").map_err(field)?, fields.text("room").map_err(field)?) {
                    (Some(code), _) => Door::Code(code.into()),
                    (None, Some(_)) => Door::Held(room()?),
                    (None, None) => {
                        return Err(field("a join has a code, or a room that the session still holds".into()));
                    }
                },
                resume: match fields.object("resume").map_err(field)? {
                    None => None,
                    Some(resume) => Some(Position {
                        epoch: parse(resume.need("epoch").map_err(field)?, "resume.epoch", ErrorCode::BadField)?,
                        seq: Seq::new(
                            resume
                                .integer("seq")
                                .map_err(field)?
                                .ok_or_else(|| field("resume.seq is missing".into()))?,
                        ),
                    }),
                },
                tail: fields.integer("tail").map_err(field)?,
            },
            "say" => Self::Say {
                id,
                room: room()?,
                text: parse(fields.need("text").map_err(field)?, "text", ErrorCode::BadText)?,
                kind: match fields.text("kind").map_err(field)? {
                    None => Kind::Say,
                    Some("me") => Kind::Me,
                    Some(_) => return Err(field("kind: the only kind that can be said is \"me\"".into())),
                },
            },
            "history" => Self::History {
                id,
                room: room()?,
                span: match (fields.integer("before").map_err(field)?, fields.integer("after").map_err(field)?) {
                    (Some(before), None) => Span::Before(Seq::new(before)),
                    (None, Some(after)) => Span::After(Seq::new(after)),
                    _ => return Err(field("history has either before or after".into())),
                },
                limit: fields.integer("limit").map_err(field)?,
            },
            "search" => Self::Search {
                id,
                room: room()?,
                words: parse(fields.need("words").map_err(field)?, "words", ErrorCode::BadField)?,
                before: fields.integer("before").map_err(field)?.map(Seq::new),
                limit: fields.integer("limit").map_err(field)?,
            },
            "leave" => Self::Leave { id, room: room()? },
            "name" => Self::Name { id, name: name(fields.need("name").map_err(field)?)? },
            "ping" => Self::Ping { n: n()? },
            "pong" => Self::Pong { n: n()? },
            "bye" => Self::Bye,
            t => match super::order::read(t, fields) {
                Some(order) => Self::Act { id, room: room()?, order: order? },
                None => return Err((ErrorCode::UnknownType, "the server knows no request of this type".into())),
            },
        })
    }

    /// Appends it as one line.
    pub fn encode(&self, out: &mut Vec<u8>) {
        super::write_line(&Line::from(self), out);
    }
}

pub(super) fn parse<T: core::str::FromStr<Err: core::fmt::Display>>(
    text: &str,
    field: &str,
    code: ErrorCode,
) -> Result<T, (ErrorCode, String)> {
    text.parse().map_err(|error| (code, alloc::format!("{field}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Epoch;

    #[test]
    fn a_request_reads_as_it_was_written() {
        let id: Option<Id> = "h1".parse().ok();
        let room: RoomId = "ops".parse().unwrap();
        let (name, text): (Name, Text) = ("ann".parse().unwrap(), "hi \"there\"".parse().unwrap());
        let epoch: Epoch = "e9f2".parse().unwrap();
        let (seq, code) = (Seq::new(7), "K7QM-2XD4".into());
        let requests = [
            Request::Hello {
                id,
                v: [1, 2].into(),
                agent: Some("test/1".into()),
                name: Some(name.clone()),
                key: "q8ZtV1c0TgW2q8ZtV1c0Tg".parse().ok(),
                password: "caf\u{e9} \"horse\"".parse().ok(),
            },
            Request::Hello { id: None, v: [1].into(), agent: None, name: None, key: None, password: None },
            Request::Join { id, door: Door::Code(code), resume: Some(Position { epoch, seq }), tail: Some(5) },
            Request::Join { id, door: Door::Held(room.clone()), resume: None, tail: None },
            Request::Say { id, room: room.clone(), text: text.clone(), kind: Kind::Me },
            Request::Say { id: None, room: room.clone(), text, kind: Kind::Say },
            Request::History { id, room: room.clone(), span: Span::Before(seq), limit: Some(3) },
            Request::History { id, room: room.clone(), span: Span::After(seq), limit: None },
            Request::Leave { id, room },
            Request::Name { id, name },
            Request::Ping { n: 3 },
            Request::Pong { n: 4 },
            Request::Bye,
        ];
        for request in requests {
            let mut line = Vec::new();
            request.encode(&mut line);
            let line = line.strip_suffix(b"\n").expect("a line");
            assert_eq!(Request::decode(line).ok().as_ref(), Some(&request), "{}", String::from_utf8_lossy(line));
        }
    }
}
