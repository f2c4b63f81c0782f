//! What a json client asks for.

use super::Server;
use super::conn::{Join, Phase};
use super::hello::Hello;
use super::io::Reason;
use super::order::Author;
use super::refusal::Refusal;
use super::search::Query;
use super::slab::Handle;
use crate::id::{ConnId, Id, Seq};
use crate::json::{self, Door, Frame, Malformed, Request, Say};
use crate::log::Kind;
use crate::text::Text;

impl Server {
    /// Handles one line.
    pub(super) fn request(&mut self, id: ConnId, line: &[u8]) {
        let live = match self.conns.get(id).map(|conn| conn.phase) {
            Some(Phase::Live(handle)) => Some(handle),
            _ => None,
        };
        if let Some(handle) = live
            && let Some(Say { id: re, room, text }) = json::say(line)
            && let Some(room) = self.room_called(handle, room)
        {
            if let Err(refusal) = self.say_in(id, handle, re, room, Kind::Say, text) {
                self.refuse(id, re, refusal);
            }
            return;
        }
        let request = match Request::general(line) {
            Ok(request) => request,
            Err(Malformed { re, code, text }) => {
                let retry = code.retry();
                let error = Frame::Error { re, code, retry, wait_ms: None, left: None, text };
                return self.frame(id, &error);
            }
        };
        match (request, live) {
            (Request::Hello { id: re, v, agent: _, name, key, password }, None) if v.contains(&json::VERSION) => {
                self.hello(id, Hello { id: re, name, key, password });
            }
            (Request::Hello { .. }, None) => self.part(id, Reason::Version),
            (Request::Hello { id: re, .. }, Some(_)) => self.refuse(id, re, Refusal::SecondHello),
            (Request::Bye, _) => self.part(id, Reason::Done),
            (Request::Ping { n }, Some(_)) => self.frame(id, &Frame::Pong { n }),
            (Request::Pong { .. }, Some(_)) => {}
            (request, Some(handle)) => self.live_request(id, handle, request),
            (request, None) => self.refuse(id, request.id(), Refusal::NoHello),
        }
    }

    fn live_request(&mut self, id: ConnId, handle: Handle, request: Request) {
        let re = request.id();
        let result = match request {
            Request::Join { door, resume, tail, .. } => self.open_door(id, handle, &door).map(|opens| {
                let by_room = matches!(door, Door::Held(_));
                self.join(id, Join { re, opens, by_room, resume, tail, is_counted: false });
            }),
            Request::Say { room, text, kind, .. } => match self.room_called(handle, room.as_bytes()) {
                Some(room) => self.say_in(id, handle, re, room, kind, text),
                None => Err(Refusal::NotMember),
            },
            Request::History { room, span, limit, .. } => match self.room(&room) {
                Some((room, _)) => self.history(id, handle, re, room, span, limit),
                None => Err(Refusal::NotMember),
            },
            Request::Search { room, words, before, limit, .. } => match self.room(&room) {
                Some((room, _)) => {
                    let query = Query { words, before: before.unwrap_or(Seq::MAX), limit };
                    self.pace_say(handle).and_then(|()| self.search(id, handle, re, room, query))
                }
                None => Err(Refusal::NotMember),
            },
            Request::Leave { room, .. } => match self.room(&room) {
                Some((room, _)) => self.leave(id, handle, re, room, None),
                None => Err(Refusal::NotMember),
            },
            Request::Name { name, .. } => self.change_name(handle, name).map(|()| {
                self.frame(id, &Frame::Ok { re, seq: None });
            }),
            Request::Act { room, order, .. } => match self.room(&room) {
                Some((room, _)) => self
                    .pace_say(handle)
                    .and_then(|()| self.order(Author { session: handle, conn: id, re }, room, order)),
                None => Err(Refusal::NotMember),
            },
            Request::Hello { .. } | Request::Ping { .. } | Request::Pong { .. } | Request::Bye => Ok(()),
        };
        if let Err(refusal) = result {
            self.refuse(id, re, refusal);
        }
    }

    fn say_in(
        &mut self,
        id: ConnId,
        handle: Handle,
        re: Option<Id>,
        room: u32,
        kind: Kind,
        text: Text,
    ) -> Result<(), Refusal> {
        self.pace_say(handle)?;
        self.say(id, handle, room, re, kind, text)
    }

    /// The room of this id. Mostly it is the only one that the session is in, and is found without looking through all.
    fn room_called(&self, handle: Handle, id: &[u8]) -> Option<u32> {
        let only = self.sessions.get(handle).and_then(|session| session.memberships.rooms().next());
        let is_it = |room: &u32| {
            let room = &self.rooms[*room as usize];
            room.is_serving() && room.id.as_bytes() == id
        };
        only.filter(is_it).or_else(|| self.room_index.get(id))
    }

    fn open_door(&mut self, id: ConnId, handle: Handle, door: &Door) -> Result<super::codebook::Opens, Refusal> {
        match door {
            Door::Code(code) => self.guess(id, Some(handle), &[code]).map(|(opens, _)| opens),
            Door::Held(room) => {
                let (room, state) = self.room(room).ok_or(Refusal::NotMember)?;
                if !state.is_serving() {
                    return Err(Refusal::RoomClosed);
                }
                self.door_of(handle, room).ok_or(Refusal::NotMember)
            }
        }
    }

    /// How a session gets into a room without telling a code: by its membership, or because its account needs none.
    pub(super) fn door_of(&self, handle: Handle, room: u32) -> Option<super::codebook::Opens> {
        let session = self.sessions.get(handle)?;
        let state = &self.rooms[room as usize];
        let held = session.memberships.get(room).map(|membership| membership.access);
        let access = held.or_else(|| state.open_access(session.account.as_ref()?)).filter(|_| state.is_serving())?;
        Some(super::codebook::Opens { room, access })
    }
}

impl Request {
    /// What the answer is to name.
    fn id(&self) -> Option<Id> {
        match self {
            Self::Hello { id, .. }
            | Self::Join { id, .. }
            | Self::Say { id, .. }
            | Self::History { id, .. }
            | Self::Search { id, .. }
            | Self::Leave { id, .. }
            | Self::Name { id, .. }
            | Self::Act { id, .. } => *id,
            Self::Ping { .. } | Self::Pong { .. } | Self::Bye => None,
        }
    }
}
