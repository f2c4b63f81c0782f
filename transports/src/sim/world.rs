//! The world: who is in it, what time it is, and what happens next.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use qun_core::client::{self, Client};
use qun_core::log::Kind;
use qun_core::server::{self, Access, Presence};
use qun_core::{Code, ConnId, Entropy, Instant, Key, Limits, Now, Role, RoomId};

use super::link::{End, Link, LinkId};
use super::log::SlowLog;
use super::person::Person;
use super::schedule::Schedule;
use super::trace::Trace;
use super::weather::{Weather, chance, up_to};
use crate::driver::Driver;
use crate::memory::MemoryLog;

/// What a [`World`] is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Everything follows from it.
    pub seed: u64,
    /// How many people there are. Each has a client and joins every room.
    pub people: usize,
    /// How many rooms there are.
    pub rooms: usize,
    /// What the network and the server suffer from.
    pub weather: Weather,
    /// The mean time between two acts of anybody; `None`: nobody does anything.
    pub chatter: Option<Duration>,
    /// How long the log takes to answer at most.
    pub log_slowness: Duration,
    /// How much of a room the log holds, as [`MemoryLog`] counts; what is older is lost.
    pub log_bytes: usize,
    /// The server's limits.
    pub limits: Limits,
}

impl Config {
    /// Four people in two rooms, in clear weather.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            people: 4,
            rooms: 2,
            weather: Weather::CLEAR,
            chatter: Some(Duration::from_millis(500)),
            log_slowness: Duration::from_millis(20),
            log_bytes: MemoryLog::BUDGET,
            limits: Limits::default(),
        }
    }
}

/// Something is as it must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub(super) String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

/// A server, its people and the network between them.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) now: Now,
    pub(super) rng: Rng,
    pub(super) weather: Weather,
    pub(super) host: Host,
    pub(super) people: Vec<Person>,
    pub(super) links: BTreeMap<LinkId, Link>,
    pub(super) conns: BTreeMap<ConnId, LinkId>,
    pub(super) schedule: Schedule<Happening>,
    pub(super) trace: Trace,
    pub(super) next_link: u64,
    config: server::Config,
    log_slowness: Duration,
    log_bytes: usize,
    chatter: Option<Duration>,
    violations: Vec<Violation>,
}

/// The machine that the server runs on.
#[derive(Clone, Debug)]
pub(super) enum Host {
    Up(Box<Driver<SlowLog>>),
    /// Between a crash and the next start, with the log that survived.
    Down(Option<MemoryLog>),
}

/// What the schedule holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    /// An attempt to connect reaches the server.
    Knock(LinkId),
    /// The answer to it reaches the client.
    Answer(LinkId, bool),
    /// Something has arrived at an end.
    Arrive(LinkId, End),
    /// An end hears that there is room to send again.
    Room(LinkId, End),
    /// An end learns that the connection is lost.
    Lost(LinkId, End),
    /// Somebody does something.
    Act,
    /// The server crashes.
    Crash,
    /// It starts again.
    Boot,
}

/// When the world begins: 2026-01-01T00:00:00Z.
const BEGIN_MS: u64 = 1_767_225_600_000;

impl World {
    /// A world whose server has just started and whose people want to join every room.
    pub fn new(config: Config) -> Self {
        let mut rng = Rng::with_seed(config.seed);
        let mut entropy = Entropy::new(seed(&mut rng));
        let rooms: Vec<_> = (0..config.rooms).map(|index| room(index, &mut entropy)).collect();
        let codes: Vec<_> = rooms.iter().map(|room| room.codes[0].code.clone()).collect();
        let now = Now { mono: Instant::default(), unix_ms: BEGIN_MS };
        let people = (0..config.people).map(|_| person(&mut rng, &mut entropy, now, &codes)).collect();
        let server = server::Config { rooms, limits: config.limits, ..server::Config::default() };
        let mut world = Self {
            now,
            weather: config.weather,
            host: Host::Down(None),
            people,
            links: BTreeMap::new(),
            conns: BTreeMap::new(),
            schedule: Schedule::new(),
            trace: Trace::new(),
            next_link: 0,
            config: server,
            log_slowness: config.log_slowness,
            log_bytes: config.log_bytes,
            chatter: config.chatter,
            violations: Vec::new(),
            rng,
        };
        world.boot();
        world.plan_crash();
        world.schedule.push(now.mono, Happening::Act);
        for index in 0..world.people.len() {
            world.settle_client(index);
        }
        world
    }

    /// What time it is.
    pub fn now(&self) -> Now {
        self.now
    }

    /// The people.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The rooms.
    pub fn rooms(&self) -> impl Iterator<Item = &RoomId> {
        self.config.rooms.iter().map(|room| &room.id)
    }

    /// The server's log, or what a crash has left of it.
    pub fn log(&self) -> Option<&MemoryLog> {
        match &self.host {
            Host::Up(driver) => Some(driver.log().memory()),
            Host::Down(log) => log.as_ref(),
        }
    }

    /// A fingerprint of everything that has happened: the same seed and the same calls give the same.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Changes the weather from now on. What is already held back or cut stays so.
    pub fn set_weather(&mut self, weather: Weather) {
        let crashes = self.weather.crash.is_some();
        self.weather = weather;
        if !crashes {
            self.plan_crash();
        }
    }

    /// Changes how much people do from now on.
    pub fn set_chatter(&mut self, chatter: Option<Duration>) {
        let silent = self.chatter.is_none();
        self.chatter = chatter;
        if silent {
            self.schedule.push(self.now.mono, Happening::Act);
        }
    }

    /// Lets the next thing happen, if anything ever will.
    ///
    /// # Panics
    /// Where a machine breaks its contract with its driver: it wants a tick at once after one, or has bytes to send that
    /// it doesn't show.
    pub fn step(&mut self) -> bool {
        let Some(at) = self.next() else { return false };
        self.advance(at);
        match self.schedule.pop(self.now.mono) {
            Some(happening) => self.happen(happening),
            None => self.tick(),
        }
        true
    }

    /// Lets everything happen that happens within this time.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while self.next().is_some_and(|at| at <= end) {
            self.step();
        }
        self.advance(end);
    }

    /// Lets things happen until `done`, at most for this time; says whether it came to that.
    pub fn run_until(&mut self, time: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now.mono + time;
        while !done(self) {
            if self.next().is_none_or(|at| at > end) {
                self.advance(end);
                return done(self);
            }
            self.step();
        }
        true
    }

    /// Whether everyone was shown every message of the log once and in order, every say has come to an end, and nobody
    /// ever saw anything else. True in clear weather, once things have had time to settle.
    ///
    /// # Errors
    /// The first thing that is not so.
    pub fn check(&self) -> Result<(), Violation> {
        if let Some(violation) = self.violations.first() {
            return Err(violation.clone());
        }
        let Some(log) = self.log() else { return Err(Violation("there is no log".into())) };
        for (index, person) in self.people.iter().enumerate() {
            for room in self.rooms() {
                person.check(room, log).map_err(|Violation(text)| Violation(format!("person {index}: {text}")))?;
            }
        }
        Ok(())
    }

    /// When the next thing happens: something scheduled, a machine's deadline, or an answer of the log.
    fn next(&self) -> Option<Instant> {
        let host = match &self.host {
            Host::Up(driver) => [driver.deadline(), driver.log().deadline()],
            Host::Down(_) => [None; 2],
        };
        let clients = self.people.iter().filter_map(|person| person.client.deadline());
        host.into_iter().flatten().chain(self.schedule.next()).chain(clients).min()
    }

    fn advance(&mut self, to: Instant) {
        self.now.mono = self.now.mono.max(to);
        self.now.unix_ms = BEGIN_MS + self.now.mono.as_micros() / 1_000;
        if let Host::Up(driver) = &mut self.host {
            driver.log_mut().set_time(self.now.mono);
        }
    }

    /// Nothing is scheduled for now: somebody's deadline has come.
    fn tick(&mut self) {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= self.now.mono);
        if let Host::Up(driver) = &mut self.host
            && (due(driver.deadline()) || due(driver.log().deadline()))
        {
            driver.tick(self.now);
            self.settle_server();
        }
        for index in 0..self.people.len() {
            let client = &mut self.people[index].client;
            if client.deadline().is_some_and(|at| at <= self.now.mono) {
                client.handle(self.now, client::Input::Tick);
                self.settle_client(index);
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        self.trace.number(self.now.mono.as_micros());
        self.trace.bytes(format!("{happening:?}").as_bytes());
        match happening {
            Happening::Knock(link) => self.knock(link),
            Happening::Answer(link, yes) => self.answer(link, yes),
            Happening::Arrive(link, end) => self.arrive(link, end),
            Happening::Room(link, end) => self.flush(link, end),
            Happening::Lost(link, end) => self.lose(link, end),
            Happening::Act => self.act(),
            Happening::Crash => self.crash(),
            Happening::Boot => self.boot(),
        }
    }

    /// Somebody says something, reads what was said, or loses patience with the connection.
    fn act(&mut self) {
        let Some(mean) = self.chatter else { return };
        let next = self.now.mono + up_to(&mut self.rng, 2 * mean);
        self.schedule.push(next, Happening::Act);
        if self.people.is_empty() {
            return;
        }
        let index = self.rng.usize(0..self.people.len());
        let rooms: Vec<RoomId> = self.config.rooms.iter().map(|room| room.id.clone()).collect();
        let Some(room) = self.rng.choice(&rooms) else { return };
        let person = &mut self.people[index];
        match self.rng.u32(0..100) {
            0..3 => person.client.reconnect(self.now),
            _ => {
                let most = if chance(&mut self.rng, 20) { 600 } else { 8 };
                let words = self.rng.usize(1..=most);
                let text: String = (0..words).map(|_| "word ").collect();
                let kind = if chance(&mut self.rng, 100) { Kind::Me } else { Kind::Say };
                // Before the first `joined` there is no room to say it in.
                if let Ok(text) = text.trim_end().parse()
                    && let Ok(id) = person.client.say(self.now, room, kind, text)
                {
                    person.says(id);
                }
            }
        }
        self.settle_client(index);
    }

    fn plan_crash(&mut self) {
        if let Some(mean) = self.weather.crash {
            let at = self.now.mono + up_to(&mut self.rng, 2 * mean);
            self.schedule.push(at, Happening::Crash);
        }
    }

    fn crash(&mut self) {
        if self.weather.crash.is_none() {
            return;
        }
        if let Host::Up(driver) = std::mem::replace(&mut self.host, Host::Down(None)) {
            if chance(&mut self.rng, self.weather.keep_log) {
                self.host = Host::Down(Some(driver.into_log().into_memory()));
            }
            self.cut_all();
        }
        let at = self.now.mono + up_to(&mut self.rng, Duration::from_secs(10));
        self.schedule.push(at, Happening::Boot);
        self.plan_crash();
    }

    fn boot(&mut self) {
        let Host::Down(log) = &mut self.host else { return };
        let memory = log.take().unwrap_or_else(|| MemoryLog::with_budget(seed(&mut self.rng), self.log_bytes));
        let log = SlowLog::new(memory, self.rng.fork(), self.log_slowness);
        let driver = Driver::new(self.config.clone(), seed(&mut self.rng), log);
        self.host = Host::Up(Box::new(driver));
        self.advance(self.now.mono);
    }

    /// Notes what is wrong, for [`check`](Self::check) to tell.
    pub(super) fn note(&mut self, index: usize, seen: Result<(), Violation>) {
        if let Err(Violation(text)) = seen {
            self.violations.push(Violation(format!("person {index} at {:?}: {text}", self.now.mono)));
        }
    }
}

fn seed(rng: &mut Rng) -> [u8; 32] {
    std::array::from_fn(|_| rng.u8(..))
}

fn room(index: usize, entropy: &mut Entropy) -> server::RoomConfig {
    let access = Access {
        code: Code::generate(entropy),
        label: "all".into(),
        role: Role::Talk,
        expires: None,
        max_members: None,
    };
    let presence = if index.is_multiple_of(2) { Presence::Full } else { Presence::Count };
    let id = format!("room-{index}").parse().unwrap_or_else(|_| unreachable!("a room's id may look like this"));
    server::RoomConfig { id, title: format!("Room {index}"), presence, codes: vec![access] }
}

fn person(rng: &mut Rng, entropy: &mut Entropy, now: Now, codes: &[Code]) -> Person {
    let config = client::Config {
        agent: "qun/sim".into(),
        name: None,
        key: Key::generate(entropy),
        tail: rng.u64(1..=60),
        timeline: 500,
        backoff: Duration::from_secs(20),
    };
    let mut client = Client::new(config, seed(rng));
    for code in codes {
        client.join(now, code.clone());
    }
    Person::new(client)
}
