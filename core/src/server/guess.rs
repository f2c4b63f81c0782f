//! Codes are tried.

use super::Server;
use super::codebook::Opens;
use super::io::Note;
use super::refusal::Refusal;
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
        if let Some((opens, _)) = found
            && let Some(session) = session.and_then(|handle| self.sessions.get(handle))
            && session.memberships.contains_key(&opens.room)
        {
            self.admits(opens, true)?;
            return found.ok_or(Refusal::NotMember);
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
        self.admits(opens, false)?;
        Ok((opens, reading))
    }

    /// Whether the code still admits somebody, who may be in the room already.
    pub(super) fn admits(&self, opens: Opens, member: bool) -> Result<(), Refusal> {
        let room = &self.rooms[opens.room as usize];
        let access = &room.access[opens.access as usize];
        if access.expires.is_some_and(|expires| expires <= self.now.unix_ms) {
            return Err(Refusal::CodeExpired);
        }
        let full = room.presence == super::Presence::Full && room.members.len() >= self.limits.full_members;
        if !member && (full || access.max_members.is_some_and(|most| access.members >= most)) {
            return Err(Refusal::RoomFull);
        }
        Ok(())
    }
}
