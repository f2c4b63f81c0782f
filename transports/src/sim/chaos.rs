//! What goes wrong by itself, from time to time; and what heals.

use std::time::Duration;

use qun_core::client;

use super::dice::Dice;
use super::fault::Fault;
use super::link::{End, LinkId};
use super::log::Disk;
use super::oracle::Violation;
use super::person::Mind;
use super::plan::Plan;
use super::raw::RawKind;
use super::rule::{Conditions, chance, up_to};
use super::verdicts::Bench;
use super::world::{Happening, Host, World};

/// Those that strike by themselves, and how many seconds apart in the mean.
const STRIKES: [(Fault, u64); 11] = [
    (Fault::Window, 4),
    (Fault::Reset, 10),
    (Fault::Storm, 60),
    (Fault::BothClose, 20),
    (Fault::Spurious, 1),
    (Fault::Nap, 30),
    (Fault::Freeze, 60),
    (Fault::Leap, 30),
    (Fault::StepBack, 5),
    (Fault::Crash, 60),
    (Fault::Shutdown, 120),
];

impl World {
    pub(super) fn plan_strikes(&mut self) {
        for (fault, _) in STRIKES {
            if self.plan.has(fault) {
                self.plan_strike(fault);
            }
        }
    }

    fn plan_strike(&mut self, fault: Fault) {
        let mean = STRIKES.into_iter().find(|(other, _)| *other == fault).map_or(60, |(_, mean)| mean);
        let mean = Duration::from_secs(mean) * 4 / self.plan.roughness;
        let at = self.now.mono + up_to(&mut self.chaos, 2 * mean);
        self.schedule.push(at, Happening::Strike(fault));
    }

    pub(super) fn strike(&mut self, fault: Fault) {
        if !self.is_stormy {
            return;
        }
        self.plan_strike(fault);
        self.journal(|| format!("strikes: {fault}"));
        match fault {
            Fault::Window => self.shut_window(),
            Fault::Reset | Fault::BothClose => self.reset_some(fault),
            Fault::Storm => self.storm(),
            Fault::Spurious => self.disturb(),
            Fault::Nap => self.nap(),
            Fault::Freeze => self.freeze(),
            Fault::Leap => self.leap(),
            Fault::StepBack => self.step_back(),
            Fault::Crash => self.crash(),
            Fault::Shutdown => self.shut_down(),
            _ => {}
        }
    }

    fn some_link(&mut self) -> Option<LinkId> {
        let ids: Vec<_> = self.links.keys().copied().collect();
        self.chaos.choice(&ids).copied()
    }

    /// A receiver takes nothing for a while.
    fn shut_window(&mut self) {
        let Some(id) = self.some_link() else { return };
        let end = if chance(&mut self.chaos, 700) { End::Client } else { End::Server };
        let until = self.now.mono + up_to(&mut self.chaos, Duration::from_secs(15));
        if let Some(link) = self.links.get_mut(&id) {
            self.counters.count(Fault::Window);
            link.to(end).shut = until;
            self.schedule.push(until, Happening::Arrive(id, end));
        }
    }

    /// A connection is reset: both ends hear of it at once, or each when it may.
    fn reset_some(&mut self, fault: Fault) {
        let Some(id) = self.some_link() else { return };
        self.counters.count(fault);
        if fault == Fault::Reset {
            return self.cut(id);
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.cut = true;
        }
        self.schedule.push(self.now.mono, Happening::Lost(id, End::Server));
        self.schedule.push(self.now.mono, Happening::Lost(id, End::Client));
    }

    /// Everyone is cut off, and comes back at once.
    fn storm(&mut self) {
        self.counters.count(Fault::Storm);
        let ids: Vec<_> = self.links.keys().copied().collect();
        for id in ids {
            if let Some(link) = self.links.get_mut(&id) {
                link.cut = true;
            }
            self.lose(id, End::Client);
            self.schedule.push(self.now.mono, Happening::Lost(id, End::Server));
        }
        for index in 0..self.people.len() {
            let now = self.clock_of(index);
            if self.is_asleep(index) {
                continue;
            }
            if let Some(client) = self.people[index].client_mut() {
                client.reconnect(now);
                self.people[index].not_before = now.mono;
                self.settle_person(index);
            }
        }
    }

    /// Ticks and wakeups that nobody asked for.
    fn disturb(&mut self) {
        self.counters.count(Fault::Spurious);
        if let Host::Up(driver) = &mut self.host
            && self.frozen <= self.now.mono
        {
            driver.tick(self.server_now);
            self.settle_server();
        }
        if let Some(id) = self.some_link() {
            self.flush(id, End::Server);
            self.settle_server();
            self.flush(id, End::Client);
        }
        let index = self.chaos.usize(0..self.people.len());
        let now = self.clock_of(index);
        if !self.is_asleep(index)
            && let Some(client) = self.people[index].client_mut()
        {
            client.handle(now, client::Input::Tick);
            self.settle_person(index);
        }
    }

    fn nap(&mut self) {
        let index = self.chaos.usize(0..self.people.len());
        self.counters.count(Fault::Nap);
        let until = self.now.mono + up_to(&mut self.chaos, Duration::from_secs(120));
        self.people[index].asleep = self.people[index].asleep.max(until);
        self.schedule.push(self.people[index].asleep, Happening::Wake(index));
    }

    pub(super) fn wake(&mut self, index: usize) {
        if self.is_asleep(index) {
            return;
        }
        if let Some(id) = self.people[index].link {
            self.arrive(id, End::Client);
        }
        if let Some(id) = self.people[index].link {
            self.flush(id, End::Client);
        }
        self.settle_person(index);
    }

    fn freeze(&mut self) {
        if self.is_frozen() {
            return;
        }
        self.counters.count(Fault::Freeze);
        let time = up_to(&mut self.chaos, Duration::from_secs(30));
        self.frozen = self.now.mono + time;
        self.halt = self.halt + time;
        self.oracle.froze(self.now.mono, time);
        self.schedule.push(self.frozen, Happening::Thaw);
    }

    pub(super) fn thaw(&mut self) {
        if self.is_frozen() {
            return;
        }
        let ids: Vec<_> = self.links.keys().copied().collect();
        if let Host::Up(driver) = &mut self.host
            && self.chaos.bool()
        {
            driver.tick(self.server_now);
        }
        self.settle_server();
        for id in ids {
            self.arrive(id, End::Server);
            self.flush(id, End::Server);
            self.settle_server();
        }
    }

    /// Somebody sets a clock.
    fn leap(&mut self) {
        self.counters.count(Fault::Leap);
        let leap = self.chaos.i64(-7_200_000..7_200_000);
        match self.chaos.usize(0..=self.people.len()) {
            index if index < self.people.len() => self.people[index].ahead += leap,
            _ => self.server_ahead += leap,
        }
    }

    /// A clock that should not go back does.
    fn step_back(&mut self) {
        let Host::Up(driver) = &mut self.host else { return };
        if self.frozen > self.now.mono {
            return;
        }
        self.counters.count(Fault::StepBack);
        let back = self.chaos.u64(0..10_000_000);
        let mono = qun_core::Instant::from_micros(self.now.mono.as_micros().saturating_sub(back));
        driver.tick(qun_core::Now { mono, ..self.server_now });
        self.settle_server();
    }

    pub(super) fn crash(&mut self) {
        self.counters.count(Fault::Crash);
        self.go_down();
    }

    fn shut_down(&mut self) {
        let Host::Up(driver) = &mut self.host else { return };
        if self.is_draining || self.frozen > self.now.mono {
            return;
        }
        self.counters.count(Fault::Shutdown);
        self.is_draining = true;
        self.oracle.drains(self.now.mono);
        driver.drain(self.server_now);
        self.settle_server();
        self.halt = self.now.mono + 2 * self.plan.limits.drain + Duration::from_millis(1);
        self.schedule.push(self.halt, Happening::Halt);
    }

    /// Going down takes no longer than twice the time for draining.
    pub(super) fn halt(&mut self) {
        if !self.is_draining {
            return;
        }
        if self.halt > self.now.mono {
            return self.schedule.push(self.halt, Happening::Halt);
        }
        if let Host::Up(driver) = &self.host
            && driver.connections() > 0
        {
            let text = format!("the server should be down, and has {} connections", driver.connections());
            self.oracle.note(Err(Violation::new(11, text)));
        }
        self.go_down();
    }

    fn go_down(&mut self) {
        let Host::Up(driver) = &mut self.host else { return };
        let log = driver.log_mut().clone().crashed();
        self.host = Host::Down(Box::new(log));
        if self.plan_has(Fault::NewEpoch)
            && self.chaos.bool()
            && let Host::Down(log) = &mut self.host
        {
            self.counters.count(Fault::NewEpoch);
            log.begin_anew();
            for committed in std::mem::take(&mut log.committed) {
                self.oracle.committed(committed);
            }
        }
        self.oracle.booted();
        self.cut_all();
        let at = self.now.mono + up_to(&mut self.chaos, Duration::from_secs(10));
        self.schedule.push(at, Happening::Boot);
    }

    /// Nothing goes wrong any more, and nobody does anything: people at netcat stay, who sends corrupted bytes goes.
    pub fn heal(&mut self) {
        self.journal(|| "everything heals".into());
        self.is_stormy = false;
        self.conditions = Conditions::clear();
        self.bench = Bench::sound();
        let disk = Disk::sound(self.plan.log_bytes);
        match &mut self.host {
            Host::Up(driver) => driver.log_mut().inner().set_disk(disk),
            Host::Down(log) => log.set_disk(disk),
        }
        for id in std::mem::take(&mut self.abandoned) {
            self.schedule.push(self.now.mono, Happening::Lost(id, End::Server));
        }
        for index in 0..self.people.len() {
            let broken = self.people[index].link.and_then(|id| self.links.get(&id)).is_some_and(|l| l.is_broken());
            self.people[index].asleep = self.now.mono;
            self.wake(index);
            match &self.people[index].mind {
                Mind::Raw(raw) if raw.kind == RawKind::Hostile || broken => self.hang_up_raw(index),
                _ => {}
            }
        }
    }

    /// What keeps everyone from having everything, and everything that was said from having its end.
    pub fn unsettled(&self) -> Option<String> {
        if !matches!(self.host, Host::Up(_)) || self.is_draining || self.is_frozen() {
            return Some("the server is down".into());
        }
        for (index, person) in self.people.iter().enumerate() {
            let conn = person.link.and_then(|id| self.links.get(&id)?.conn);
            let room = |token: u64| self.oracle.model.said.get(&token).map(|said| said.room.as_str());
            let is_kept_out =
                |token| conn.zip(room(token)).is_some_and(|(conn, room)| self.oracle.is_kept_out(conn, room));
            let waits = conn.is_some_and(|conn| self.oracle.is_kept_out_anywhere(conn));
            if let Some(why) = person.unsettled(waits, is_kept_out).or_else(|| self.person_unsettled(index)) {
                return Some(format!("person {index}: {why}"));
            }
        }
        self.oracle.unsettled()
    }

    fn person_unsettled(&self, index: usize) -> Option<String> {
        let person = &self.people[index];
        let client = person.client().filter(|_| !person.has_ended)?;
        if client.status() != client::Status::Online || person.is_done {
            return Some(format!("{:?}", client.status()));
        }
        if person.court.is_some() {
            return None;
        }
        let Some(conn) = person.link.and_then(|id| self.links.get(&id)?.conn) else {
            return Some("the server does not know of the connection".into());
        };
        for room in client.rooms() {
            let at = room.position();
            let head = self.oracle.model.book(room.id().as_str(), at.epoch.as_str()).len() as u64;
            // Somebody else may have come in by a code for few.
            if self.oracle.is_kept_out(conn, room.id().as_str()) {
                continue;
            }
            if !room.is_joined() || at.seq.get() != head {
                return Some(format!("{} is shown up to {} of {head}", room.id(), at.seq));
            }
            let roster = room
                .roster()
                .map(|roster| roster.map(|person| (person.m.to_string(), person.name.to_string())).collect());
            if roster.as_ref() != self.oracle.roster(conn, room.id().as_str()) {
                return Some(format!("the roster of {} is {roster:?}", room.id()));
            }
            if self.oracle.here(conn, room.id().as_str()) != Some(room.here()) {
                return Some(format!("{} are said to be in {}", room.here(), room.id()));
            }
            if person.has_seen(room.id()).is_some_and(|seen| seen != head) {
                return Some(format!("{} was shown up to {:?}", room.id(), person.has_seen(room.id())));
            }
        }
        None
    }

    /// What was called delivered is in a log, and what was called refused is in none.
    ///
    /// # Errors
    /// The first that is not so.
    pub fn check(&self) -> Result<(), Violation> {
        if let Some(violation) = self.violation() {
            return Err(violation.clone());
        }
        self.people.iter().try_for_each(|person| person.check(&self.oracle.model))
    }
}

impl Plan {
    /// How the log behaves while things go wrong.
    pub(super) fn disk(&self, dice: &mut Dice) -> Disk {
        let sound = Disk::sound(self.log_bytes);
        let slow = Duration::from_millis(dice.u64(20..4_000));
        let bursts = Duration::from_millis(dice.u64(50..3_000));
        let when = |fault, per_mille: u32| if self.has(fault) { per_mille * self.roughness / 4 } else { 0 };
        Disk {
            slowness: if self.has(Fault::SlowLog) { slow } else { sound.slowness },
            bursts: self.has(Fault::Bursts).then_some(bursts),
            refuses: when(Fault::DiskFull, 40),
            unavailable: when(Fault::Unavailable, 200),
            unanswered: when(Fault::Unanswered, 100),
            foreign: when(Fault::Foreign, 60),
            apart: self.has(Fault::Apart),
            bytes: self.log_bytes,
        }
    }
}
