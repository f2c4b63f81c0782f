//! What is asked of the server whenever it has nothing more to do, and whenever time has passed.

use qun_core::{ConnId, Limits, SERVER_LINE};

use super::link::Link;
use super::oracle::Violation;
use super::world::{Host, World};

/// Slices that are looked at: more than any connection may have.
const SLICES: usize = 1 << 14;

impl World {
    /// Everything that the server owes by now has gone out, and it holds no more than it may.
    pub(super) fn look_at_server(&mut self) {
        let Host::Up(driver) = &self.host else { return };
        // The records and each dialect's encoding, with one batch on top of each.
        let budget = self.config.limits.room_bytes;
        // One that is gone holds what some have still to read.
        let rooms = self.codes.len() + usize::from(self.court.is_some());
        let most = rooms * 3 * (budget + budget / 8 + 1_024);
        let memory = driver.memory();
        if memory > most {
            let text = format!("the rooms hold {memory} bytes, where {most} are allowed");
            self.oracle.note(Err(Violation::new(7, text)));
        }
        let (conns, links) = (&self.conns, &self.links);
        let link = |conn: ConnId| conns.get(&conn).and_then(|id| links.get(id));
        let takes = |conn: ConnId| link(conn).is_some_and(|link| !link.is_blocked());
        let is_read = |conn: ConnId| link(conn).is_some_and(|link| link.reading);
        self.oracle.settled(self.now.mono, takes, is_read);
    }

    /// What a connection still has to take is bounded, whatever it asked for: what its rooms hold, and once more for each
    /// join that is on its way to begin a stream anew; as many private frames as may wait, and one more.
    pub(super) fn look_at_unsent(&mut self) {
        let Limits { room_bytes, private, page, text, .. } = &self.config.limits;
        let stream = room_bytes + room_bytes / 8 + (8 << 10);
        let line = SERVER_LINE.min(*page as usize * (2 * text.bytes + 300)) + (8 << 10);
        let others = private + line;
        let rooms = self.codes.len() + usize::from(self.court.is_some());
        let blocked: Vec<_> =
            self.conns.iter().filter(|(_, id)| self.links.get(id).is_some_and(Link::is_blocked)).collect();
        if self.is_frozen() {
            return;
        }
        let Host::Up(driver) = &mut self.host else { return };
        for (conn, _) in blocked {
            let Some(transmit) = driver.transmit(*conn) else { continue };
            let mut slices = vec![&[][..]; SLICES];
            let count = transmit.gather(&mut slices, |slice| slice);
            let unsent: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            let most = (rooms + self.oracle.joins(*conn)) * stream + others;
            if unsent > most {
                let text = format!("{conn:?} has {unsent} bytes to take, where {most} are allowed");
                return self.oracle.note(Err(Violation::new(7, text)));
            }
        }
    }

    /// Nothing that was due to happen at the server has not happened.
    pub(super) fn look_at_deadlines(&mut self) {
        if self.is_frozen() || matches!(self.host, Host::Down(_)) {
            return;
        }
        let (conns, links) = (&self.conns, &self.links);
        let takes = |conn: ConnId| {
            let link = conns.get(&conn).and_then(|id| links.get(id));
            link.is_some_and(|link| !link.is_blocked())
        };
        match self.is_draining {
            true => self.oracle.look_at_end(self.now.mono, takes),
            false => self.oracle.look_at_deadlines(self.now.mono, takes),
        }
    }
}
