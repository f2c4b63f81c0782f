//! The keys of `[limits]`: every limit of the wire, in the unit that a person would write it in.

use std::time::Duration;

use qun_core::{Limits, SERVER_LINE};

use super::document::Section;

/// One key of `[limits]`.
pub(super) struct Key {
    /// As it is written.
    pub(super) name: &'static str,
    /// The least that makes sense.
    least: u64,
    /// The most that the wire or this program can hold.
    most: u64,
    /// What it limits, for the file that `init` writes.
    pub(super) doc: &'static str,
    /// What it sets.
    slot: fn(&mut Limits) -> Slot<'_>,
}

/// A limit in the type and the unit that the core keeps it in.
enum Slot<'a> {
    Size(&'a mut usize),
    Count(&'a mut u32),
    Messages(&'a mut u64),
    Seconds(&'a mut Duration),
    Millis(&'a mut Duration),
}

impl Slot<'_> {
    fn set(self, number: u64) {
        match self {
            Self::Size(slot) => *slot = usize::try_from(number).unwrap_or(usize::MAX),
            Self::Count(slot) => *slot = u32::try_from(number).unwrap_or(u32::MAX),
            Self::Messages(slot) => *slot = number,
            Self::Seconds(slot) => *slot = Duration::from_secs(number),
            Self::Millis(slot) => *slot = Duration::from_millis(number),
        }
    }

    fn get(self) -> u64 {
        match self {
            Self::Size(slot) => *slot as u64,
            Self::Count(slot) => u64::from(*slot),
            Self::Messages(slot) => *slot,
            Self::Seconds(slot) => slot.as_secs(),
            Self::Millis(slot) => u64::try_from(slot.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Key {
    /// What it is where nobody sets it.
    pub(super) fn default(&self) -> u64 {
        (self.slot)(&mut Limits::default()).get()
    }
}

/// Every limit.
pub(super) const KEYS: &[Key] = {
    const DAY: u64 = 86_400;
    const MIB: u64 = 1 << 20;
    &[
        key("line", 1_024, MIB, "bytes of one line from a client", |l| Slot::Size(&mut l.line)),
        key("text", 1, 100_000, "bytes of one text", |l| Slot::Size(&mut l.text.bytes)),
        key("lines", 1, 4_096, "lines of one text", |l| Slot::Size(&mut l.text.lines)),
        key("replay", 0, 10_000, "messages that a join replays at most", |l| Slot::Messages(&mut l.replay)),
        key("page", 1, 10_000, "messages on one page of history", |l| Slot::Messages(&mut l.page)),
        key("burst", 0, 1_000_000, "messages that a session may say at once; 0: no rate", |l| {
            Slot::Count(&mut l.burst)
        }),
        key("per_s", 0, 1_000_000, "messages a second after that; 0: no rate", |l| Slot::Count(&mut l.per_s)),
        key("acts_burst", 0, 1_000_000, "joins and new names of a session at once; 0: no rate", |l| {
            Slot::Count(&mut l.acts_burst)
        }),
        key("acts_per_s", 0, 1_000_000, "and a second after that; 0: no rate", |l| Slot::Count(&mut l.acts_per_s)),
        key("in_flight", 1, 65_536, "messages of a session on their way to the log", |l| Slot::Size(&mut l.in_flight)),
        key("private", 4_096, 16 * MIB, "unsent bytes of answers, from which on a client's next lines wait", |l| {
            Slot::Size(&mut l.private)
        }),
        key("unread", 65_536, 16 * MIB, "bytes that a connection may send while its lines wait", |l| {
            Slot::Size(&mut l.unread)
        }),
        key("rooms", 1, 4_096, "rooms that one session may be in", |l| Slot::Size(&mut l.rooms)),
        key("room_bytes", 65_536, 1_024 * MIB, "bytes of the newest messages that a room holds for its readers", |l| {
            Slot::Size(&mut l.room_bytes)
        }),
        key("full_members", 1, 2_000, "members of a room with presence = \"full\"", |l| {
            Slot::Size(&mut l.full_members)
        }),
        key("connections_per_source", 0, 1_000_000, "connections of one address; 0: any number", |l| {
            Slot::Count(&mut l.connections_per_source)
        }),
        key("guess_burst", 1, 1_000_000, "wrong codes of one address before it is locked", |l| {
            Slot::Count(&mut l.guess_burst)
        }),
        key("guess_every_s", 1, DAY, "how long a locked address waits for one more", |l| {
            Slot::Seconds(&mut l.guess_every)
        }),
        key("guess_per_s", 0, 1_000_000, "wrong codes a second of all together; 0: no rate", |l| {
            Slot::Count(&mut l.guess_per_s)
        }),
        key("guess_sources", 1, 16 * MIB, "addresses whose wrong codes are remembered", |l| {
            Slot::Size(&mut l.guess_sources)
        }),
        key("plain_guesses", 1, 1_000, "wrong codes after which netcat is sent away", |l| {
            Slot::Count(&mut l.plain_guesses)
        }),
        key("prompt_ms", 1, 60_000, "silence after which a connection is asked for its code", |l| {
            Slot::Millis(&mut l.prompt)
        }),
        key("handshake_s", 1, 3_600, "how long a connection may take to get in", |l| Slot::Seconds(&mut l.handshake)),
        key("ping_s", 1, 3_600, "silence after which a client is pinged", |l| Slot::Seconds(&mut l.ping)),
        key("pong_s", 1, 3_600, "how long it may take to answer", |l| Slot::Seconds(&mut l.pong)),
        key("grace_s", 0, 7 * DAY, "how long a session outlives its connection", |l| Slot::Seconds(&mut l.grace)),
        key("stall_s", 1, 3_600, "how long a connection may take no byte", |l| Slot::Seconds(&mut l.stall)),
        key("drain_s", 1, 3_600, "how long a closing connection may take", |l| Slot::Seconds(&mut l.drain)),
        key("load_s", 1, 3_600, "how long a page of history may take", |l| Slot::Seconds(&mut l.load)),
        key("verify_s", 1, 3_600, "how long it may take to verify a password", |l| Slot::Seconds(&mut l.verify)),
        key("here_s", 0, 3_600, "least time between two counts of a room with presence = \"count\"", |l| {
            Slot::Seconds(&mut l.here)
        }),
        key("spread_s", 0, 3_600, "over how long a shutdown spreads the return of its clients", |l| {
            Slot::Seconds(&mut l.spread)
        }),
    ]
};

const fn key(name: &'static str, least: u64, most: u64, doc: &'static str, slot: fn(&mut Limits) -> Slot<'_>) -> Key {
    Key { name, least, most, doc, slot }
}

/// Reads `[limits]`.
pub(super) fn read(mut section: Section<'_, '_>) -> Limits {
    let mut limits = Limits::default();
    for key in KEYS {
        if let Some(number) = section.whole(key.name, key.least..=key.most) {
            (key.slot)(&mut limits).set(number.value);
        }
    }
    for what in contradictions(&limits) {
        section.refuse(section.at, what);
    }
    section.finish();
    limits
}

/// Limits that are right each for itself and wrong together.
fn contradictions(limits: &Limits) -> Vec<String> {
    let mut found = Vec::new();
    let text = limits.text.bytes;
    // What surrounds a text in a `say`: the longest room, id and kind, and the syntax.
    let line = 3 * text + 512;
    if limits.line < line {
        found.push(format!(
            "line is {} bytes: a text of {text} bytes, all of it written as \\uXXXX, needs {line}",
            limits.line
        ));
    }
    let room = 16 * largest_encoding(limits);
    if limits.room_bytes < room {
        found.push(format!(
            "room_bytes is {}: a room holds at least 16 of the largest messages that text and lines allow, {room} bytes",
            limits.room_bytes
        ));
    }
    let largest = largest_encoding(limits);
    if largest > SERVER_LINE {
        found.push(format!(
            "a message of text and lines may take {largest} bytes, and a line from the server has at most {SERVER_LINE}"
        ));
    }
    found
}

/// The most bytes that a legal message takes in any dialect: in json every character may be escaped by a backslash, in
/// plain every line but the first is indented, by the time and the widest name; and what surrounds it.
fn largest_encoding(limits: &Limits) -> usize {
    2 * limits.text.bytes + 80 * limits.text.lines + 512
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_of_the_core_has_a_key() {
        let mut limits = Limits::default();
        for key in KEYS {
            (key.slot)(&mut limits).set(key.default() + 1);
        }
        // Field by field, so that a new one in the core does not compile before it has a key here.
        #[rustfmt::skip]
        let Limits {
            line, text, replay, page, burst, per_s, acts_burst, acts_per_s, in_flight, private, unread, rooms, room_bytes, full_members,
            connections_per_source, guess_burst, guess_every, guess_per_s, guess_sources, plain_guesses, prompt, handshake,
            ping, pong, grace, stall, drain, load, verify, here, spread,
        } = limits;
        let old = Limits::default();
        assert!(line > old.line && text.bytes > old.text.bytes && text.lines > old.text.lines && replay > old.replay);
        assert!(page > old.page && burst > old.burst && per_s > old.per_s && in_flight > old.in_flight);
        assert!(acts_burst > old.acts_burst && acts_per_s > old.acts_per_s);
        assert!(private > old.private && unread > old.unread && rooms > old.rooms && room_bytes > old.room_bytes);
        assert!(full_members > old.full_members && connections_per_source > old.connections_per_source);
        assert!(guess_burst > old.guess_burst && guess_every > old.guess_every && guess_per_s > old.guess_per_s);
        assert!(guess_sources > old.guess_sources && plain_guesses > old.plain_guesses && prompt > old.prompt);
        assert!(handshake > old.handshake && ping > old.ping && pong > old.pong && grace > old.grace);
        assert!(stall > old.stall && drain > old.drain && load > old.load && verify > old.verify);
        assert!(here > old.here && spread > old.spread);
    }

    #[test]
    fn the_defaults_are_within_their_bounds_and_agree() {
        for key in KEYS {
            assert!((key.least..=key.most).contains(&key.default()), "{}", key.name);
        }
        assert_eq!(contradictions(&Limits::default()), Vec::<String>::new());
    }
}
