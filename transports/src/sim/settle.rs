//! What the machines want is done, until they want nothing more.

use std::fmt::Write;

use qun_core::ConnId;
use qun_core::client::{self, Action};
use qun_core::server::Reason;

use super::fault::Fault;
use super::link::{End, Parcel};
use super::oracle::Violation;
use super::person::Mind;
use super::world::{Happening, Host, World};
use crate::driver::Event;

/// The most that a machine wants at once: far more than it ever does.
const MOST: usize = 1_000_000;

impl World {
    /// Does what the server wants, until it wants nothing more.
    pub(super) fn settle_server(&mut self) {
        if self.is_frozen() {
            return;
        }
        let mut ticks = 0;
        for _ in 0..MOST {
            let Host::Up(driver) = &mut self.host else { return };
            let event = driver.poll(self.server_now);
            let log = driver.log_mut();
            for committed in log.take_committed() {
                self.oracle.committed(committed);
            }
            for tap in log.take_taps() {
                self.oracle.tap(self.now.mono, &tap);
            }
            let Some(event) = event else {
                let Host::Up(driver) = &mut self.host else { return };
                let deadline = self.breaks.deadline(driver.deadline());
                if deadline.is_none_or(|at| at > self.server_now.mono) {
                    return self.look_at_server();
                }
                ticks += 1;
                if ticks > 1 {
                    return self.oracle.note(Err(Violation::new(9, "the server wants a tick at once after one")));
                }
                driver.tick(self.server_now);
                continue;
            };
            if self.breaks.swallows(&event) {
                continue;
            }
            match event {
                Event::Transmit(conn) => {
                    if let Some(&id) = self.conns.get(&conn) {
                        self.flush(id, End::Server);
                    }
                }
                Event::Read(conn, on) => self.set_reading(conn, on),
                Event::Close(conn, reason) => {
                    self.journal(|| format!("{conn:?} is closed: {reason:?}"));
                    self.close(conn, reason);
                }
                Event::Verify { request, hash, password } => self.verify(request, &hash, password.expose()),
                Event::Note(note) if self.plan.accounts > 0 => self.oracle.overhears(&format!("{note:?}")),
                Event::Note(_) => {}
            }
        }
        self.oracle.note(Err(Violation::new(9, "the server wants something for ever")));
    }

    fn set_reading(&mut self, conn: ConnId, on: bool) {
        let Some(&id) = self.conns.get(&conn) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.reading = on;
        if on {
            self.schedule.push(self.now.mono, Happening::Arrive(id, End::Server));
        }
    }

    /// The server is done with a connection; what it has sent still arrives.
    fn close(&mut self, conn: ConnId, reason: Reason) {
        self.oracle.closed(self.now.mono, conn, reason);
        let Some(id) = self.conns.remove(&conn) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.conn = None;
        if link.to(End::Server).is_ending() {
            self.counters.count(Fault::BothClose);
        }
        let at = self.now.mono + self.conditions.latency;
        let at = link.to(End::Client).send(at, Parcel::End);
        self.schedule.push(at, Happening::Arrive(id, End::Client));
        self.forget(id);
    }

    /// Does what somebody wants, until they want nothing more.
    pub(super) fn settle_person(&mut self, index: usize) {
        let mut ticks = 0;
        for wanted in 0.. {
            if wanted == MOST {
                self.oracle.note(Err(Violation::new(9, "a client wants something for ever")));
                break;
            }
            let now = self.clock_of(index);
            let Some(client) = self.people[index].client_mut() else { break };
            let Some(action) = client.poll() else {
                if client.deadline().is_none_or(|at| at > now.mono) {
                    break;
                }
                ticks += 1;
                if ticks > 1 {
                    self.oracle.note(Err(Violation::new(9, "a client wants a tick at once after one")));
                    break;
                }
                client.handle(now, client::Input::Tick);
                continue;
            };
            match action {
                Action::Connect => {
                    if self.now.mono < self.people[index].not_before {
                        self.oracle.note(Err(Violation::new(11, format!("person {index} is back too early"))));
                    }
                    self.connect(index);
                }
                Action::Close => {
                    if self.people[index].court.is_none() {
                        let closed = self.people[index].hands.closes(self.now.mono);
                        self.oracle.note(closed.map_err(|violation| violation.of(index)));
                    }
                    self.hang_up(index);
                }
                Action::Transmit => {
                    if let Some(id) = self.people[index].link {
                        self.flush(id, End::Client);
                    }
                }
                Action::Show(event) => {
                    let _ = write!(self.trace, "{index} {event:?}");
                    self.journal(|| format!("person {index} is shown {event:?}"));
                    if self.people[index].court.is_some() {
                        self.see_at_court(index, &event);
                        continue;
                    }
                    for _ in 0..self.breaks.shows(&event) {
                        let full = self.plan.has(Fault::DiskFull);
                        let seen = self.people[index].see(now.mono, &event, &self.oracle.model, full);
                        self.oracle.note(seen.map_err(|violation| violation.of(index)));
                    }
                }
            }
        }
        if let (Some(id), Mind::Raw(_)) = (self.people[index].link, &self.people[index].mind) {
            self.flush(id, End::Client);
        }
        if self.people[index].court.is_some() {
            return self.judge_at_court(index);
        }
        let judged = self.people[index].judge(self.now.mono, &self.oracle.model);
        self.oracle.note(judged.map_err(|violation| violation.of(index)));
    }
}
