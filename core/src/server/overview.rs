//! What a server looks like at a moment, for whoever runs it.

use alloc::string::String;
use alloc::vec::Vec;

use super::Server;
use crate::id::{RoomId, Seq};

/// A server at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Overview {
    /// How many connections are open.
    pub connections: usize,
    /// How many sessions there are; some may have no connection at the moment, and a new connection no session yet.
    pub sessions: usize,
    /// Bytes that the rooms hold; see [`Server::memory`].
    pub memory: usize,
    /// The rooms, by id; those too that are about to be closed.
    pub rooms: Vec<RoomOverview>,
}

/// A room at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoomOverview {
    /// Which.
    pub id: RoomId,
    /// What people call it.
    pub title: String,
    /// How many are in it, those too who were cut off and may come back.
    pub members: usize,
    /// The newest message; [`Seq::ZERO`] where there is none, or nobody has joined since the server's start.
    pub head: Seq,
    /// Bytes that it holds.
    pub memory: usize,
}

impl Server {
    /// How the server is: a copy, of the size of the list of rooms.
    pub fn overview(&self) -> Overview {
        let rooms = self.room_index.places().map(|index| {
            let room = &self.rooms[index as usize];
            let (id, title) = (room.id.clone(), room.title.clone());
            RoomOverview { id, title, members: room.members.len(), head: room.head(), memory: room.held.bytes() }
        });
        let (connections, sessions) = (self.conns.len(), self.sessions.len());
        Overview { connections, sessions, memory: self.memory(), rooms: rooms.collect() }
    }
}
