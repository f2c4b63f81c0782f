//! Codes are tried.

use super::Server;
use super::codebook::{CodeHash, Opens, Standing};
use super::io::Note;
use super::membership::Membership;
use super::refusal::Refusal;
use super::session::Session;
use super::slab::Handle;
use crate::id::ConnId;
use crate::role::Role;

impl Server {
    /// Tries one guess, which may be read in several ways; says what it opens, and by which reading.
    ///
    /// Past the limit of wrong guesses none is looked at, right or wrong; but whoever is in a room (or held there after a
    /// cut) gets back into it nevertheless.
    pub(super) fn guess(
        &mut self,
        id: ConnId,
        session: Option<Handle>,
        readings: &[&str],
    ) -> Result<(Opens, usize), Refusal> {
        let Some(peer) = self.conns.get(id).map(|conn| conn.peer) else { return Err(Refusal::NoHello) };
        let wait = self.guesses.wait(peer.source(), self.now.mono);
        let codes = readings.iter().enumerate();
        let codes = codes.filter_map(|(reading, typed)| Some((self.codes.hash_typed(typed)?, reading)));
        let mut found = codes.filter_map(|(code, reading)| Some((code, self.codes.look_up(code)?, reading)));
        let found = found.next();
        if let Some((code, standing, reading)) = found
            && let Some(session) = session.and_then(|handle| self.sessions.get(handle))
            && let Some((opens, membership)) = self.membership_by(session, code, standing)
        {
            self.admits(Some(session), opens, Some(membership), false)?;
            return Ok((opens, reading));
        }
        if !wait.is_zero() {
            self.note(Note::Locked { peer });
            return Err(Refusal::Locked { wait });
        }
        match found {
            Some((_, Standing::Opens(opens), reading)) => {
                let session = session.and_then(|handle| self.sessions.get(handle));
                self.admits(session, opens, None, false)?;
                Ok((opens, reading))
            }
            // Whoever has it was told it once.
            Some((_, Standing::Retired, _)) => Err(Refusal::CodeExpired),
            None => {
                let left = self.guesses.wrong(peer.source(), self.now.mono);
                self.note(Note::WrongCode { peer, left });
                Err(Refusal::WrongCode { left })
            }
        }
    }

    /// The membership that a session has in the room that a code opens, or, where it opens none any more, in the one that
    /// the session entered by it.
    fn membership_by<'s>(
        &self,
        session: &'s Session,
        code: CodeHash,
        standing: Standing,
    ) -> Option<(Opens, &'s Membership)> {
        if let Standing::Opens(opens) = standing {
            return Some((opens, session.memberships.get(opens.room)?));
        }
        session.memberships.iter().find_map(|(room, membership)| {
            let (state, access) = (&self.rooms[room as usize], membership.access);
            let is_it = state.is_serving() && state.access[access as usize].code == code;
            is_it.then_some((Opens { room, access }, membership))
        })
    }

    /// Whether the code admits somebody who may be in the room already: by this code, and then it is not asked again, or
    /// by another one. `is_counted`: the log has that one more has come by it.
    pub(super) fn admits(
        &self,
        session: Option<&Session>,
        opens: Opens,
        held: Option<&Membership>,
        is_counted: bool,
    ) -> Result<(), Refusal> {
        let is_guest = session.is_none_or(|session| session.account.is_none());
        let room = &self.rooms[opens.room as usize];
        if let (Some(rules), Some(session)) = (&room.rules, session) {
            let role = room.role_by(Some(session), opens.access);
            if let Some(until) = rules.banned(&self.marks(session), role, self.now.unix_ms) {
                return Err(Refusal::Banned { wait: until.wait() });
            }
            if rules.closed && role < Role::Moderator && held.is_none() {
                return Err(Refusal::Closed);
            }
        }
        if held.is_some_and(|held| held.access == opens.access) {
            return Ok(());
        }
        let access = &room.access[opens.access as usize];
        // Who came by it once may come again for as long as that is remembered, whatever has become of the code.
        let is_known = self.came_by(session, opens);
        if !is_known && access.expires.is_some_and(|expires| expires <= self.now.unix_ms) {
            return Err(Refusal::CodeExpired);
        }
        if is_guest && !(self.takes_guests && room.takes_guests) {
            return Err(Refusal::NoGuests);
        }
        if held.is_none() && !is_known && !is_counted && access.uses == Some(0) {
            return Err(Refusal::CodeExpired);
        }
        let is_full = room.presence == super::Presence::Full && room.members.len() >= self.limits.full_members;
        if (held.is_none() && is_full) || access.max_members.is_some_and(|most| access.members >= most) {
            return Err(Refusal::RoomFull);
        }
        Ok(())
    }

    /// Whether somebody's account is remembered to have come by this.
    pub(super) fn came_by(&self, session: Option<&Session>, opens: Opens) -> bool {
        let account = session.and_then(|session| session.account.as_ref());
        account.and_then(|account| self.rooms[opens.room as usize].former_access(account)) == Some(opens.access)
    }
}
