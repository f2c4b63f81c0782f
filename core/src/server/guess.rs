//! Codes are tried.

use super::Server;
use super::codebook::Opens;
use super::io::Note;
use super::refusal::Refusal;
use super::session::Membership;
use super::slab::Handle;
use crate::id::ConnId;

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
        let mut found = readings.iter().enumerate().filter_map(|(i, code)| Some((self.codes.look_up(code)?, i)));
        let found = found.next();
        if let Some((opens, reading)) = found
            && let Some(session) = session.and_then(|handle| self.sessions.get(handle))
            && let Some(membership) = session.memberships.get(&opens.room)
        {
            self.admits(opens, Some(membership))?;
            return Ok((opens, reading));
        }
        if !wait.is_zero() {
            self.note(Note::Locked { peer });
            return Err(Refusal::Locked { wait });
        }
        let Some((opens, reading)) = found else {
            let left = self.guesses.wrong(peer.source(), self.now.mono);
            self.note(Note::WrongCode { peer, left });
            return Err(Refusal::WrongCode { left });
        };
        self.admits(opens, None)?;
        Ok((opens, reading))
    }

    /// Whether the code admits somebody who may be in the room already: by this code, and then it is not asked again, or
    /// by another one.
    pub(super) fn admits(&self, opens: Opens, held: Option<&Membership>) -> Result<(), Refusal> {
        if held.is_some_and(|held| held.access == opens.access) {
            return Ok(());
        }
        let room = &self.rooms[opens.room as usize];
        let access = &room.access[opens.access as usize];
        if access.expires.is_some_and(|expires| expires <= self.now.unix_ms) {
            return Err(Refusal::CodeExpired);
        }
        let is_full = room.presence == super::Presence::Full && room.members.len() >= self.limits.full_members;
        if (held.is_none() && is_full) || access.max_members.is_some_and(|most| access.members >= most) {
            return Err(Refusal::RoomFull);
        }
        Ok(())
    }
}
