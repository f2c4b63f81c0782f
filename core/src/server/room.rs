//! Rooms: who is in, what is held, what is on its way to the log.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::config::{self, Presence};
use super::held::Held;
use super::session::Sessions;
use super::slab::Handle;
use crate::id::{ConnId, Epoch, Id, RoomId, Seq};
use crate::json::Person;
use crate::log::Draft;
use crate::role::Role;
use crate::text::Text;
use crate::time::Instant;

/// A room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Room {
    pub(super) id: RoomId,
    pub(super) title: String,
    pub(super) presence: Presence,
    pub(super) access: Vec<Access>,
    pub(super) log: Log,
    pub(super) held: Held,
    /// The memberships that have caught up. An append drains it, so that it costs nothing per blocked member.
    pub(super) idle: Vec<(ConnId, u16)>,
    /// By their place, which is the order of entering.
    pub(super) members: BTreeMap<u64, Handle>,
    next_place: u64,
    /// When the number of members was told, in a room that only counts.
    pub(super) here_told: Option<Instant>,
    /// Whether it has changed since, and will be told again.
    pub(super) here_due: bool,
    /// The says of the append that is outstanding, in order; none: no append is.
    pub(super) appending: Vec<Said>,
    /// What came meanwhile: the next append.
    pub(super) waiting: Vec<(Said, Draft)>,
    /// Settled, and not in the stream yet.
    pub(super) unseen: VecDeque<(Seq, Handle)>,
}

/// A code of the room, without the code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Access {
    pub(super) label: Box<str>,
    pub(super) role: Role,
    pub(super) expires: Option<u64>,
    pub(super) max_members: Option<u32>,
    /// How many are in by it.
    pub(super) members: u32,
}

/// Where the room is with its log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Log {
    /// Nobody has asked for it yet, or it could not be opened.
    Shut,
    /// These connections wait for it, to join.
    Opening(Vec<ConnId>),
    /// It is there.
    Open {
        /// Which history it has.
        epoch: Epoch,
        /// The oldest message that can be loaded.
        first: Seq,
    },
}

/// Whose say it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Said {
    pub(super) session: Handle,
    /// Where the answer goes, if it is still this session's.
    pub(super) conn: ConnId,
    pub(super) re: Option<Id>,
    pub(super) text: Text,
}

impl Room {
    pub(super) fn new(room: config::Room, budget: usize) -> Self {
        let access = room.codes.into_iter().map(|access| Access {
            label: access.label,
            role: access.role,
            expires: access.expires,
            max_members: access.max_members,
            members: 0,
        });
        Self {
            id: room.id,
            title: room.title,
            presence: room.presence,
            access: access.collect(),
            log: Log::Shut,
            held: Held::new(budget),
            idle: Vec::new(),
            members: BTreeMap::new(),
            next_place: 0,
            here_told: None,
            here_due: false,
            appending: Vec::new(),
            waiting: Vec::new(),
            unseen: VecDeque::new(),
        }
    }

    /// The newest message.
    pub(super) fn head(&self) -> Seq {
        self.held.next().minus(1)
    }

    /// How many are in.
    pub(super) fn here(&self) -> u64 {
        self.members.len() as u64
    }

    /// Who is in; `None` in a room that only counts.
    pub(super) fn roster(&self, sessions: &Sessions) -> Option<Vec<Person>> {
        let persons = || self.members.values().filter_map(|&handle| Some(sessions.get(handle)?.person())).collect();
        (self.presence == Presence::Full).then(persons)
    }

    /// Lets a session in and says its place.
    pub(super) fn enter(&mut self, session: Handle, access: u32) -> u64 {
        let place = self.next_place;
        self.next_place += 1;
        self.members.insert(place, session);
        self.access[access as usize].members += 1;
        place
    }

    /// A member is in by another code now.
    pub(super) fn change_access(&mut self, from: u32, to: u32) {
        self.access[from as usize].members -= 1;
        self.access[to as usize].members += 1;
    }

    /// Lets a session out.
    pub(super) fn exit(&mut self, place: u64, access: u32) {
        self.members.remove(&place);
        self.access[access as usize].members -= 1;
    }
}
