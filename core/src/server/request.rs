//! What a json client asks for.

use super::Server;
use super::conn::{Join, Phase};
use super::hello::Hello;
use super::io::Reason;
use super::refusal::Refusal;
use super::search::Query;
use super::slab::Handle;
use crate::id::{ConnId, Id, Seq};
use crate::json::{self, Door, Frame, Malformed, Request};

impl Server {
    /// Handles one line.
    pub(super) fn request(&mut self, id: ConnId, line: &[u8]) {
        let request = match Request::decode(line) {
            Ok(request) => request,
            Err(Malformed { re, code, text }) => {
                let retry = code.retry();
                let error = Frame::Error { re, code, retry, wait_ms: None, left: None, text };
                return self.frame(id, &error);
            }
        };
        let live = match self.conns.get(id).map(|conn| conn.phase) {
            Some(Phase::Live(handle)) => Some(handle),
            _ => None,
        };
        match (request, live) {
            (Request::Hello { id: re, v, agent: _, name, key }, None) if v.contains(&json::VERSION) => {
                self.hello(id, Hello { id: re, name, key });
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
                self.join(id, Join { re, opens, resume, tail });
            }),
            Request::Say { room, text, kind, .. } => match self.room(&room) {
                Some((room, _)) => self.pace_say(handle).and_then(|()| self.say(id, handle, room, re, kind, text)),
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
            Request::Hello { .. } | Request::Ping { .. } | Request::Pong { .. } | Request::Bye => Ok(()),
        };
        if let Err(refusal) = result {
            self.refuse(id, re, refusal);
        }
    }

    fn open_door(&mut self, id: ConnId, handle: Handle, door: &Door) -> Result<super::codebook::Opens, Refusal> {
        match door {
            Door::Code(code) => self.guess(id, Some(handle), &[code]).map(|(opens, _)| opens),
            Door::Held(room) => {
                let (room, state) = self.room(room).ok_or(Refusal::NotMember)?;
                if !state.is_serving() {
                    return Err(Refusal::RoomClosed);
                }
                let session = self.sessions.get(handle).ok_or(Refusal::NotMember)?;
                let membership = session.memberships.get(&room).ok_or(Refusal::NotMember)?;
                Ok(super::codebook::Opens { room, access: membership.access })
            }
        }
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
            | Self::Name { id, .. } => *id,
            Self::Ping { .. } | Self::Pong { .. } | Self::Bye => None,
        }
    }
}
