//! Another configuration, while people are in.
//!
//! What the new one says counts from the next input on. Who is in a room that is still there notices nothing but what
//! changed about it: a title, a role, how it tells who is in it. Codes that are gone let nobody in; who came by one
//! stays, and comes back by it after a cut. A room that is gone first has its answers from the log, then everybody in it
//! is told, and then it is forgotten: its place is used again when nobody has anything of it to read any more.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::mem;

use super::Server;
use super::answer::News;
use super::codebook::{CodeHash, Opens, Standing};
use super::config::{Config, Presence, Room as RoomConfig};
use super::conn::{Conn, Join, Phase, Ping, Wait};
use super::io::{Action, Note};
use super::refusal::Refusal;
use super::room::{Grant, Life, Log, Pass, Room};
use super::slab::Handle;
use super::timers::Timer;
use crate::dialect::Style;
use crate::id::{ConnId, RoomId};
use crate::json::{ByeCode, Change};
use crate::limits::Limits;
use crate::log::Request;
use crate::role::Role;

/// What a configuration changed of the rooms.
#[derive(Debug, Default)]
pub(super) struct Changes {
    added: usize,
    removed: usize,
    changed: usize,
}

impl Server {
    /// Serves another configuration from here on. A server that goes down goes down with the one that it has.
    pub(super) fn reload(&mut self, config: Config) {
        if self.draining {
            return;
        }
        let doors = self.doors();
        self.agent = config.agent;
        self.style = Style { language: config.language, utc_offset_s: config.utc_offset_s };
        self.set_limits(config.limits);
        self.takes_guests = config.guests;
        self.set_accounts(config.accounts);
        let Changes { added, removed, changed } = self.set_rooms(config.rooms);
        for (id, code) in doors {
            self.recheck(id, code);
        }
        self.note(Note::Reloaded { added, removed, changed });
        for index in 0..self.rooms.len() as u32 {
            self.close_if_settled(index);
        }
        // A line that waits may wait no longer, or one that need not wait has to; and deadlines may be nearer.
        self.wake.extend(self.conns.ids());
    }

    fn set_limits(&mut self, limits: Limits) {
        let now = self.now.mono;
        let Limits { room_bytes, ping, .. } = mem::replace(&mut self.limits, limits);
        let limits = &self.limits;
        self.guesses.set_limits(limits, now);
        self.passwords.set_limits(limits, now);
        self.logins_by_name.set_limits(limits, now);
        if limits.room_bytes != room_bytes {
            self.rooms.iter_mut().for_each(|room| room.held.set_budget(limits.room_bytes));
        }
        self.set_rates();
        for session in self.sessions.iter_mut() {
            session.says.fit(self.says, now);
            session.acts.fit(self.acts, now);
        }
        for id in self.conns.ids() {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            // How long a line waits is reckoned anew.
            conn.wait.take_if(|wait| matches!(wait, Wait::Pace(_)));
            if self.limits.ping != ping {
                self.draw_ping(id);
            }
        }
    }

    /// How long a connection may be silent is drawn anew. One that has been so for longer by now is not pinged at once, because
    /// then all would be.
    fn draw_ping(&mut self, id: ConnId) {
        let (now, least, drawn) = (self.now.mono, self.limits.ping - self.limits.ping / 10, self.jittered_ping());
        let Some(conn) = self.conns.get_mut(id) else { return };
        let silence = now.since(conn.heard);
        if let Ping::After(_) = conn.ping {
            conn.ping = Ping::After(drawn.max(silence + (drawn - least)));
        }
    }

    /// Serves these rooms and no others. Of two of one id the first counts, as of two equal codes.
    pub(super) fn set_rooms(&mut self, rooms: Vec<RoomConfig>) -> Changes {
        let mut changes = Changes::default();
        let mut configured = BTreeSet::new();
        for room in rooms {
            let known = self.room_index.get(room.id.as_bytes());
            if known.is_some_and(|index| configured.contains(&index)) {
                continue;
            }
            let served = known.filter(|&index| self.rooms[index as usize].is_serving());
            let index = known.unwrap_or_else(|| self.add_room(&room));
            configured.insert(index);
            let is_new = served.is_none();
            let has_changed = self.set_room(index, room);
            changes.added += usize::from(is_new);
            changes.changed += usize::from(!is_new && has_changed);
        }
        let gone: Vec<u32> = self.room_index.places().filter(|&index| !configured.contains(&index)).collect();
        for index in gone {
            changes.removed += usize::from(self.begin_to_close(index));
        }
        changes
    }

    /// A place for a room, under its id.
    fn add_room(&mut self, room: &RoomConfig) -> u32 {
        let state = Room::new(room.id.clone(), room.title.clone(), room.presence, self.limits.room_bytes);
        let index = match self.vacant.pop() {
            Some(index) => {
                self.rooms[index as usize] = state;
                index
            }
            None => {
                self.rooms.push(state);
                self.rooms.len() as u32 - 1
            }
        };
        self.room_index.insert(room.id.clone(), index);
        // By which codes it is entered, acts may have changed before.
        self.rooms[index as usize].is_recalled = true;
        self.actions.push_back(Action::Log(Request::Recall { room: room.id.clone() }));
        index
    }

    /// What lets people into a room, as things are now: codes, and accounts that need none.
    pub(super) fn grants(&self, index: u32) -> Vec<(CodeHash, Grant)> {
        let room = &self.rooms[index as usize];
        let codes = room.codes().into_iter();
        let by_code = codes.map(|entrance| (self.codes.hash(&entrance.code), Grant::from(entrance)));
        let by_account = room.by_account.iter().map(|(_, code, grant)| (*code, grant.clone()));
        let mut grants: Vec<_> = by_code.chain(by_account).collect();
        let marks =
            grants.iter().filter_map(|(_, grant)| if let Pass::Code(mark) = grant.pass { Some(mark) } else { None });
        let former = self.former_roles(index, &marks.collect());
        grants.extend(former.into_iter().map(|role| (self.codes.hash_former(role, &room.id), Grant::former(role))));
        grants
    }

    /// Makes a room what its configuration says, and tells its members what concerns them; says whether anything
    /// changed.
    fn set_room(&mut self, index: u32, config: RoomConfig) -> bool {
        let RoomConfig { id, title, presence, codes: accesses, accounts, guests } = config;
        let by_account = accounts.iter().map(|listed| {
            let name = listed.name.folded();
            let code = self.codes.hash_account(&name, &id);
            (name, code, Grant::from(listed))
        });
        let by_account = by_account.collect();
        let room = &mut self.rooms[index as usize];
        (room.configured, room.by_account) = (accesses, by_account);
        self.refresh_who_came(index);
        let grants = self.grants(index);
        let roles = self.roles_in(index);
        let room = &mut self.rooms[index as usize];
        if let Life::Closing { until } = mem::replace(&mut room.life, Life::Serving) {
            self.timers.cancel(until, Timer::Room(index));
        }
        let before = room.access.clone();
        let set = room.set_codes(grants);
        let other_guests = mem::replace(&mut room.takes_guests, guests) != guests;
        let has_other_codes = room.access != before || other_guests;
        let is_retitled = mem::replace(&mut room.title, title) != room.title;
        let is_other = presence != room.presence;
        self.codes.set(index, set.iter().map(|set| (set.code, set.access)));
        self.tell_members(index, is_retitled, &roles);
        if is_other {
            self.set_presence(index, presence);
        }
        has_other_codes || is_retitled || is_other
    }

    /// What each session may do in a room, and what others are told that its member may.
    pub(super) fn roles_in(&self, index: u32) -> Vec<(Handle, Option<Role>, Option<Role>)> {
        let roles = |handle| (handle, self.role_of(handle, index), self.shown_role(handle, index));
        self.members_of(index).into_iter().map(roles).collect()
    }

    /// Tells those who are in a room what is new about it, or about them in it: `before` has their roles as they were. Who
    /// is held hears it when joining again.
    pub(super) fn tell_members(
        &mut self,
        index: u32,
        is_retitled: bool,
        before: &[(Handle, Option<Role>, Option<Role>)],
    ) {
        for &(handle, role, shown) in before {
            let has_new_role = self.role_of(handle, index) != role;
            let now_shown = self.shown_role(handle, index);
            let Some(session) = self.sessions.get(handle) else { continue };
            let Some(membership) = session.memberships.get(index) else { continue };
            let told = session.conn.zip(membership.slot);
            let (m, name) = (session.member, session.name.clone());
            if let Some(role) = now_shown.filter(|_| now_shown != shown && self.is_first(handle, index)) {
                self.announce(index, &Change::Role { m, name, role });
            }
            if let Some((conn, slot)) = told.filter(|_| is_retitled || has_new_role) {
                self.tell_room(conn, slot, handle, index, News { is_retitled, has_new_role });
            }
        }
    }

    /// Tells who is in a room in another way from here on. What was told before is replaced by a roster or a count at
    /// this place of everybody's stream, which is what a gap brings in which nothing was said.
    fn set_presence(&mut self, index: u32, presence: Presence) {
        let now = self.now.mono;
        let room = &mut self.rooms[index as usize];
        let here = room.members.len();
        if presence == Presence::Full && here > self.limits.full_members {
            let (room, most) = (room.id.clone(), self.limits.full_members);
            return self.note(Note::TooManyToName { room, here, most });
        }
        room.presence = presence;
        if let Some(due) = room.here_due.take() {
            self.timers.cancel(due, Timer::Here(index));
        }
        if room.members.is_empty() {
            return;
        }
        room.here_told = Some(now);
        self.stamp += 1;
        let (id, next, here) = (room.id.clone(), room.held.next(), room.here());
        let members = room.roster(index, &self.sessions);
        room.held.push_presence(self.stamp, &mut self.scratch, |dialect, out| {
            dialect.roster(&id, next, here, members.clone(), out)
        });
        self.wake_idle(index);
    }

    /// A room is no longer configured: nobody comes in, and what was said there is settled; says whether it was.
    fn begin_to_close(&mut self, index: u32) -> bool {
        let until = self.now.mono + self.limits.drain;
        let room = &mut self.rooms[index as usize];
        if !room.is_serving() {
            return false;
        }
        room.life = Life::Closing { until };
        room.access.iter_mut().for_each(|access| access.is_current = false);
        self.codes.set(index, []);
        self.refresh_who_came(index);
        self.timers.set(until, Timer::Room(index));
        true
    }

    /// Goes on with a room that closes, once everything that was said there is in its stream.
    pub(super) fn close_if_settled(&mut self, index: u32) {
        let room = &self.rooms[index as usize];
        if matches!(room.life, Life::Closing { .. }) && room.is_settled() {
            self.close_room(index);
        }
    }

    /// The wait for a room's says is over.
    pub(super) fn close_if_due(&mut self, index: u32) {
        if let Life::Closing { until } = self.rooms[index as usize].life
            && until <= self.now.mono
        {
            self.close_room(index);
        }
    }

    /// Everybody is out, and is told why.
    fn close_room(&mut self, index: u32) {
        let room = &mut self.rooms[index as usize];
        if let Life::Closing { until } = mem::replace(&mut room.life, Life::Closed) {
            self.timers.cancel(until, Timer::Room(index));
        }
        if let Some(due) = room.here_due.take() {
            self.timers.cancel(due, Timer::Here(index));
        }
        let id = room.id.clone();
        self.refuse_pages(index);
        let members = self.members_of(index);
        for &handle in &members {
            self.put_out(handle, index);
        }
        self.note(Note::RoomClosed { room: id, members: members.len() });
        self.closed.insert(index);
    }

    /// Ends a membership of a room that closes. The others in it go too, and need not hear of it.
    fn put_out(&mut self, handle: Handle, index: u32) {
        let Some(session) = self.sessions.get_mut(handle) else { return };
        let Some(membership) = session.memberships.remove(index) else { return };
        let conn = session.conn;
        let is_roomless = session.memberships.is_empty();
        let doubles = u64::from(self.twin(handle, index).is_some());
        let room = &mut self.rooms[index as usize];
        room.exit(membership.place, membership.access);
        room.doubles -= doubles;
        match (conn, membership.slot) {
            (Some(id), Some(slot)) => {
                // Who was about to leave has left by this.
                let leaving = |wait: &mut Wait| matches!(wait, Wait::Leaving { room, .. } if *room == index);
                let wait = self.conn(id).and_then(|conn| conn.wait.take_if(leaving));
                let (re, then) = match wait {
                    Some(Wait::Leaving { re, then, .. }) => (re, then),
                    _ => (None, None),
                };
                self.end_slot(id, slot);
                self.tell_out(id, re, index, slot, &ByeCode::RoomClosed);
                if let Some(join) = then {
                    self.join(id, *join);
                }
                self.wake.push_back(id);
            }
            // A session is kept for the sake of its rooms.
            (None, _) if is_roomless => self.end_session(handle, "lost"),
            _ => {}
        }
    }

    /// Forgets those rooms of which nobody has anything to read any more, and the log nothing to answer.
    pub(super) fn forget_closed(&mut self) {
        let rooms = &self.rooms;
        let is_done = |index: &u32| {
            let room = &rooms[*index as usize];
            let log_owes = matches!(room.log, Log::Opening(_)) || !room.is_settled() || !room.counting.is_empty();
            // One that is served again is closed no more.
            room.life != Life::Closed || !(log_owes || room.held.has_readers())
        };
        let done: Vec<u32> = self.closed.extract_if(.., is_done).collect();
        for index in done {
            let room = &mut self.rooms[index as usize];
            if room.life != Life::Closed {
                continue;
            }
            let is_open = matches!(room.log, Log::Open { .. });
            let id: RoomId = room.id.clone();
            *room = Room::new(id.clone(), Default::default(), Presence::default(), 0);
            room.life = Life::Closed;
            self.room_index.remove(&id);
            self.vacant.push(index);
            if is_open {
                self.actions.push_back(Action::Log(Request::Close { room: id }));
            }
        }
    }

    pub(super) fn members_of(&self, index: u32) -> Vec<Handle> {
        self.rooms[index as usize].members.values().copied().collect()
    }

    /// Who is on the way in, and by which code; `None`: by the room's name.
    pub(super) fn doors(&self) -> Vec<(ConnId, Option<CodeHash>)> {
        let code = |opens: Opens| self.rooms[opens.room as usize].access[opens.access as usize].code;
        let ids = self.conns.ids().into_iter();
        let door = |id| self.conns.get(id)?.door().map(|(opens, by_room)| (id, (!by_room).then(|| code(opens))));
        ids.filter_map(door).collect()
    }

    /// Looks again whether somebody who is on the way in may come in.
    pub(super) fn recheck(&mut self, id: ConnId, code: Option<CodeHash>) {
        let opens = match code.map(|code| self.codes.look_up(code)) {
            Some(Some(Standing::Opens(opens))) => Some(opens),
            Some(Some(Standing::Retired) | None) => None,
            None => self.conns.get(id).and_then(|conn| self.door_of(conn.session()?, conn.door()?.0.room)),
        };
        let Some(conn) = self.conns.get_mut(id) else { return };
        if let Phase::Naming(door) = &mut conn.phase {
            match opens {
                Some(opens) => *door = opens,
                None => self.shut_door(id),
            }
            return;
        }
        let Some(join) = conn.joining() else { return };
        let (re, room) = (join.re, join.opens.room);
        match opens.filter(|opens| opens.room == room) {
            Some(opens) => join.opens = opens,
            None => {
                // Whoever wanted to leave for another room stays.
                conn.wait = None;
                if let Log::Opening(waiting) = &mut self.rooms[room as usize].log {
                    waiting.retain(|waits| *waits != id);
                }
                self.refuse(id, re, if code.is_some() { Refusal::CodeExpired } else { Refusal::NotMember });
            }
        }
    }
}

impl Conn {
    /// What somebody is on the way to, and whether by the room's name.
    fn door(&self) -> Option<(Opens, bool)> {
        match (self.phase, &self.wait) {
            (Phase::Naming(opens), _) => Some((opens, false)),
            (_, Some(Wait::Opening(join) | Wait::Leaving { then: Some(join), .. })) => Some((join.opens, join.by_room)),
            _ => None,
        }
    }

    /// The join that waits.
    fn joining(&mut self) -> Option<&mut Join> {
        match &mut self.wait {
            Some(Wait::Opening(join) | Wait::Leaving { then: Some(join), .. }) => Some(join),
            _ => None,
        }
    }
}
