//! What is asked of the server whenever it has nothing more to do, and whenever time has passed.

use qun_core::ConnId;

use super::oracle::Violation;
use super::world::{Host, World};

impl World {
    /// Everything that the server owes by now has gone out, and it holds no more than it may.
    pub(super) fn look_at_server(&mut self) {
        let Host::Up(driver) = &self.host else { return };
        let most = self.config.rooms.len() * (3 * self.config.limits.room_bytes + (64 << 10));
        let memory = driver.memory();
        if memory > most {
            let text = format!("the rooms hold {memory} bytes, where {most} are allowed");
            self.oracle.note(Err(Violation::new(7, text)));
        }
        let (conns, links) = (&self.conns, &self.links);
        let link = |conn: ConnId| conns.get(&conn).and_then(|id| links.get(id));
        let takes = |conn: ConnId| link(conn).is_some_and(|link| !link.is_blocked());
        let is_read = |conn: ConnId| link(conn).is_some_and(|link| link.reading);
        self.oracle.settled(takes, is_read);
    }

    /// Nothing that was due to happen at the server has not happened.
    pub(super) fn look_at_deadlines(&mut self) {
        if self.is_frozen() || self.is_draining || matches!(self.host, Host::Down(_)) {
            return;
        }
        let (conns, links) = (&self.conns, &self.links);
        let takes = |conn: ConnId| {
            let link = conns.get(&conn).and_then(|id| links.get(id));
            link.is_some_and(|link| !link.is_blocked())
        };
        self.oracle.look_at_deadlines(self.now.mono, takes);
    }
}
