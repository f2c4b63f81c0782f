//! What a json client makes of its stream, and what it may rely on.

use std::collections::{BTreeMap, BTreeSet};

use qun_core::json::{Change, ErrorCode, Frame, Person};
use qun_core::{Id, MemberId, RoomId, Seq};

/// One connection's stream, checked frame by frame.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    unread: Vec<u8>,
    /// Whether a frame has come.
    begun: bool,
    pub(crate) me: Option<MemberId>,
    pub(crate) rooms: BTreeMap<RoomId, Room>,
    /// Requests that are not answered yet; a say says where.
    pub(crate) asked: BTreeMap<Id, Option<RoomId>>,
    /// Errors that came, by their codes.
    pub(crate) errors: Vec<ErrorCode>,
    pub(crate) bye: bool,
    /// Whether a message's sender must be in the roster: `out` comes after the session's own says.
    pub(crate) strict: bool,
}

/// A room as this client knows it.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) next: Seq,
    pub(crate) head: Seq,
    pub(crate) roster: Option<BTreeMap<MemberId, String>>,
    pub(crate) here: u64,
}

impl Fold {
    /// Takes what was sent. `check` sees each message with its room.
    pub(crate) fn take(&mut self, bytes: &[u8], mut check: impl FnMut(&RoomId, Seq, &str)) {
        self.unread.extend_from_slice(bytes);
        while let Some(end) = self.unread.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            assert!(line.len() <= qun_core::SERVER_LINE);
            match Frame::decode(&line[..end]) {
                None => assert!(!self.begun, "only a prompt is no json, and stands before all else"),
                Some(frame) => self.frame(frame.unwrap(), &mut check),
            }
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.unread.is_empty()
    }

    fn frame(&mut self, frame: Frame, check: &mut impl FnMut(&RoomId, Seq, &str)) {
        assert!(!self.bye, "behind the bye: {frame:?}");
        self.begun = true;
        match frame {
            Frame::Welcome(welcome) => {
                assert!(self.me.replace(welcome.m).is_none());
                self.answered(welcome.re);
            }
            Frame::Joined(joined) => {
                assert!(joined.from <= joined.head.next() && joined.first <= joined.head.next(), "{joined:?}");
                let roster = joined.members.map(people);
                assert!(roster.as_ref().is_none_or(|roster| roster.contains_key(&self.me.unwrap())));
                let room = Room { next: joined.from, head: joined.head, roster, here: joined.here };
                self.rooms.insert(joined.room.id, room);
                self.answered(joined.re);
            }
            Frame::Msg(message) => {
                let body = message.body;
                let room = self.rooms.get_mut(&message.room).expect("a message of a room that was not joined");
                assert_eq!(body.seq, room.next, "a hole in {}", message.room);
                room.next = room.next.next();
                check(&message.room, body.seq, body.text.as_str());
                if self.strict && body.seq > room.head && !body.name.as_str().starts_with("far") {
                    assert!(room.roster.as_ref().is_none_or(|roster| roster.contains_key(&body.m)), "{body:?} is out");
                }
                if Some(body.m) == self.me
                    && let Some(id) = body.id
                {
                    self.asked.remove(&id);
                }
            }
            Frame::Presence { room, change } => {
                let room = self.rooms.get_mut(&room).expect("presence of a room that was not joined");
                let roster = room.roster.as_mut().expect("presence in a room that counts");
                match change {
                    Change::In { m, name, .. } => {
                        assert!(roster.insert(m, name.to_string()).is_none(), "{name} is in twice")
                    }
                    Change::Out { m, name, .. } => assert_eq!(roster.remove(&m), Some(name.to_string())),
                    Change::Name { m, name, was } => {
                        assert_eq!(roster.insert(m, name.to_string()), Some(was.to_string()));
                    }
                    Change::Role { m, name, .. } => assert_eq!(roster.get(&m), Some(&name.to_string())),
                    Change::Unknown => panic!("an unknown change"),
                }
            }
            Frame::Here { room, n } => {
                let room = self.rooms.get_mut(&room).expect("a number of a room that was not joined");
                assert!(room.roster.is_none());
                room.here = n;
            }
            Frame::Gap { room, from, to, here, members } => {
                let room = self.rooms.get_mut(&room).expect("a gap of a room that was not joined");
                assert_eq!(from, room.next, "the gap begins elsewhere");
                assert!(to.next() >= from);
                (room.next, room.here, room.roster) = (to.next(), here, members.map(people));
            }
            Frame::Left { re, room, .. } => {
                // A membership that was held had no stream.
                self.rooms.remove(&room);
                self.answered(re);
            }
            Frame::Page(page) => {
                assert!(page.msgs.windows(2).all(|pair| pair[0].seq.next() == pair[1].seq));
                self.answered(page.re);
            }
            Frame::Found(found) => {
                assert!(found.msgs.windows(2).all(|pair| pair[0].seq < pair[1].seq));
                assert!(found.msgs.iter().all(|message| message.seq >= found.from && found.from >= found.first));
                self.answered(found.re);
            }
            Frame::Ok { re, .. } | Frame::Code { re, .. } => self.answered(re),
            Frame::Error { re, code, left, wait_ms, .. } => {
                assert!(left.into_iter().chain(wait_ms).all(|n| n < 1 << 53), "an integer of the wire: {left:?}");
                self.errors.push(code);
                if re.is_some() {
                    self.answered(re);
                }
            }
            Frame::Bye { .. } => self.bye = true,
            Frame::Room { room } => assert!(self.rooms.contains_key(&room.id), "news of a room that was not joined"),
            Frame::Notice { .. } | Frame::Ping { .. } | Frame::Pong { .. } => {}
            Frame::Unknown => panic!("an unknown frame"),
        }
    }

    fn answered(&mut self, re: Option<Id>) {
        if let Some(re) = re {
            assert!(self.asked.remove(&re).is_some(), "answered twice: {re}");
        }
    }
}

fn people(members: Vec<Person>) -> BTreeMap<MemberId, String> {
    let (count, names) = (members.len(), members.iter().map(|p| p.name.clone()).collect::<BTreeSet<_>>().len());
    let roster: BTreeMap<_, _> = members.into_iter().map(|person| (person.m, person.name.to_string())).collect();
    assert_eq!((roster.len(), names), (count, count), "somebody is in the roster twice");
    roster
}
