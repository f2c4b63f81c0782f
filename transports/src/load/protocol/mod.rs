//! What a load speaks: qun's dialects, and what other servers that broadcast speak, as far as a load needs it.

mod irc;
mod json;
mod mqtt;
mod nats;
mod plain;
mod redis;
mod relay;

use std::fmt;
use std::str::FromStr;

/// A protocol that a load can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// qun's dialect of programs.
    Json,
    /// qun's dialect of people.
    Plain,
    /// Any IRC server (RFC 2812).
    Irc,
    /// The publish and subscribe of Redis, by RESP3.
    Redis,
    /// NATS core.
    Nats,
    /// MQTT 3.1.1, quality of service 0.
    Mqtt,
    /// No protocol: the first line names the room and comes back; every further line goes to all who named it.
    Relay,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Json, Self::Plain, Self::Irc, Self::Redis, Self::Nats, Self::Mqtt, Self::Relay];

    /// Its name on a command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Plain => "plain",
            Self::Irc => "irc",
            Self::Redis => "redis",
            Self::Nats => "nats",
            Self::Mqtt => "mqtt",
            Self::Relay => "relay",
        }
    }

    /// Whether rooms are entered by a code of qun's.
    pub fn is_quns(self) -> bool {
        matches!(self, Self::Json | Self::Plain)
    }

    /// Whether who says something hears it, too.
    pub(super) fn echoes(self) -> bool {
        !matches!(self, Self::Plain | Self::Irc)
    }

    /// Whether the server closes after a goodbye, or else the client is to.
    pub(super) fn server_closes(self) -> bool {
        !matches!(self, Self::Nats | Self::Relay)
    }

    /// What to send on a new connection.
    pub(super) fn enter(self, me: Me<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Json => json::enter(me, out),
            Self::Plain => plain::enter(me, out),
            Self::Irc => irc::enter(me, out),
            Self::Redis => redis::enter(me, out),
            Self::Nats => nats::enter(me, out),
            Self::Mqtt => mqtt::enter(me, out),
            Self::Relay => relay::enter(me, out),
        }
    }

    /// Says a text.
    pub(super) fn say(self, me: Me<'_>, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Json => json::say(me, text, out),
            Self::Plain => plain::say(text, out),
            Self::Irc => irc::say(me, text, out),
            Self::Redis => redis::say(me, text, out),
            Self::Nats => nats::say(me, text, out),
            Self::Mqtt => mqtt::say(me, text, out),
            Self::Relay => relay::say(text, out),
        }
    }

    /// Leaves the room and says goodbye.
    pub(super) fn leave(self, me: Me<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Json => json::leave(me, out),
            Self::Plain => plain::leave(out),
            Self::Irc => irc::leave(me, out),
            Self::Redis => redis::leave(me, out),
            Self::Nats => nats::leave(out),
            Self::Mqtt => mqtt::leave(me, out),
            Self::Relay => relay::leave(),
        }
    }

    /// The first whole frame of `bytes` and how long it is; `None` where it is not whole yet.
    ///
    /// # Errors
    /// Where that is no frame.
    pub(super) fn frame<'a>(self, me: Me<'_>, bytes: &'a [u8]) -> Result<Option<(usize, Frame<'a>)>, Nonsense> {
        match self {
            Self::Json => Ok(line(bytes, json::read)),
            Self::Plain => Ok(line(bytes, plain::read)),
            Self::Irc => Ok(line(bytes, |line| irc::read(me, line))),
            Self::Redis => redis::frame(bytes),
            Self::Nats => nats::frame(bytes),
            Self::Mqtt => mqtt::frame(me, bytes),
            Self::Relay => Ok(line(bytes, relay::read)),
        }
    }
}

/// A member, as its protocol sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Me<'a> {
    /// Which one it is, over all rooms: its name follows from it.
    pub(super) number: u32,
    /// The code that opens its room, or the room's name where there are no codes.
    pub(super) door: &'a str,
    /// The room's id, as [`Frame::Entered`] brought it, or what `door` says.
    pub(super) room: &'a str,
    /// How many texts it has said.
    pub(super) said: u32,
}

/// What a server says, as far as a load cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// It holds somebody's text.
    Message,
    /// We are in; the room's id, where it is not the one asked for.
    Entered(Option<&'a str>),
    /// To be answered by this.
    Answer(Vec<u8>),
    /// The server does not let us.
    Refused,
    /// Nothing that matters.
    Other,
}

/// What came is no frame of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nonsense;

/// The first line and what `read` makes of it, without its end.
fn line<'a>(bytes: &'a [u8], read: impl FnOnce(&'a [u8]) -> Frame<'a>) -> Option<(usize, Frame<'a>)> {
    let end = memchr::memchr(b'\n', bytes)?;
    let line = &bytes[..end];
    Some((end + 1, read(line.strip_suffix(b"\r").unwrap_or(line))))
}

/// A name that every one of these protocols takes, 9 characters at most.
fn name(number: u32) -> String {
    format!("b{number:x}")
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            format!("there is no protocol {name:?}; there are {names}")
        })
    }
}
