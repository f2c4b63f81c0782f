//! Codes that let in so many: the log has a use before it lets anybody in, so that no crash gives it back.
//!
//! A use is taken at once, so that no two have the same. Then the log is told, and asked for what it holds behind that: its answer
//! has the use, and who came by it goes on from where they waited. A use that lets nobody in after all is given back.

use super::Server;
use super::codebook::Opens;
use super::conn::{Join, Wait};
use super::io::{Action, LogTask};
use super::refusal::Refusal;
use super::room::Pass;
use super::rules::{Made, Mark, Rules, hold};
use crate::id::ConnId;
use crate::log::{Facts, Request, Unavailable};

/// A use that the log is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Counting {
    /// Who came by it, and waits.
    conn: ConnId,
    code: Mark,
    /// How many are left behind it.
    left: u64,
}

impl Server {
    /// Takes a use of the code by which somebody comes, if it has so many; then they wait until the log has it, and this says so.
    pub(super) fn count_use(&mut self, id: ConnId, join: Join) -> Result<bool, Refusal> {
        let Opens { room: index, access } = join.opens;
        let access = &self.rooms[index as usize].access[access as usize];
        let (Pass::Code(code), Some(uses)) = (access.pass, access.uses) else { return Ok(false) };
        // What an act says of the code that is on its way comes behind this, and has not heard of it.
        let acting = self.rooms[index as usize].acting.as_ref();
        if acting.is_some_and(|acting| acting.facts.iter().any(|fact| fact.key == code.under("code"))) {
            return Err(Refusal::Unavailable);
        }
        let left = uses.saturating_sub(1);
        self.set_uses(index, code, left);
        let room = &mut self.rooms[index as usize];
        room.counting.push_back(Counting { conn: id, code, left });
        self.actions.push_back(Action::Log(Request::Recall { room: room.id.clone() }));
        if let Some(conn) = self.conn(id) {
            conn.wait = Some(Wait::Opening(join.into()));
        }
        Ok(true)
    }

    /// The log has said what it holds behind the oldest use that it was told of: who waits for that comes in.
    pub(super) fn counted(&mut self, index: u32, facts: Result<Facts, Unavailable>) {
        let Some(Counting { conn: id, code, left }) = self.rooms[index as usize].counting.pop_front() else { return };
        let room = &self.rooms[index as usize];
        let is_by_it =
            |opens: Opens| opens.room == index && room.access[opens.access as usize].pass == Pass::Code(code);
        let is_it = |wait: &mut Wait| matches!(wait, Wait::Opening(join) if is_by_it(join.opens));
        let conn = self.conns.get_mut(id).filter(|conn| !conn.is_closing());
        let waits = conn.and_then(|conn| Some((conn.session()?, conn.wait.take_if(is_it)?)));
        let has = |facts: Facts| Rules::read(facts).made.get(&code).is_some_and(|made| made.uses <= Some(left));
        let mut is_in = false;
        if let Some((session, Wait::Opening(join))) = waits {
            if facts.is_err() {
                self.log_failed(index, LogTask::Keep, 1);
            }
            if facts.is_ok_and(has) {
                self.enter(id, Join { is_counted: true, ..*join });
                let session = self.sessions.get(session);
                is_in = session.is_some_and(|session| session.memberships.get(index).is_some());
            } else {
                // It may be over by now.
                let session = self.sessions.get(session);
                let refusal = self.admits(session, join.opens, None, true).err().unwrap_or(Refusal::Unavailable);
                self.refuse(id, join.re, refusal);
            }
            self.wake.push_back(id);
        }
        let rules = self.rooms[index as usize].rules.as_deref();
        if let Some(left) = rules.and_then(|rules| rules.made.get(&code)?.uses).filter(|_| !is_in) {
            self.set_uses(index, code, left.saturating_add(1));
        }
    }

    /// A code lets in so many more.
    fn set_uses(&mut self, index: u32, code: Mark, uses: u64) {
        let room = &mut self.rooms[index as usize];
        if let Some(access) = room.access.iter_mut().find(|access| access.pass == Pass::Code(code)) {
            access.uses = Some(uses);
        }
        let Some(made) = room.rules.as_ref().and_then(|rules| rules.made.get(&code)) else { return };
        let fact = hold(code.under("code"), &Made { uses: Some(uses), ..made.clone() });
        self.keep(index, [fact].into());
    }
}
