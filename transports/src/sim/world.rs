//! The world: who is in it, what time it is, and what happens next.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::time::Duration;

use qun_core::client::{self, Client};
use qun_core::server::{self, Verdict, Verification};
use qun_core::{Code, ConnId, Entropy, Id, Instant, Key, Name, Now, Password, RoomId};

use super::breaks::{Break, Breaks};
use super::court::Court;
use super::dice::{Dice, Script};
use super::fault::{Counters, Fault};
use super::link::{End, Link, LinkId};
use super::log::{Disk, SimLog};
use super::oracle::{Oracle, Trust, Violation, canonical};
use super::person::{Command, Mind, Person, TIMELINE};
use super::plan::Plan;
use super::raw::{Raw, RawKind};
use super::reload::{Change, Former, Moment};
use super::rule::Conditions;
use super::schedule::Schedule;
use super::site::{Site, facts};
use super::tampered::Tampered;
use super::trace::Trace;
use super::verdicts::Bench;
use crate::driver::Driver;

/// A server, its people, its log and the network between them.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) plan: Plan,
    pub(super) now: Now,
    /// What the server's clocks say.
    pub(super) server_now: Now,
    pub(super) server_ahead: i64,
    /// The server's machine stands still until then.
    pub(super) frozen: Instant,
    /// The choices of the network, of people, of fate: apart, so that fewer of one leave the others as they are.
    pub(super) net: Dice,
    pub(super) acts: Dice,
    pub(super) chaos: Dice,
    pub(super) conditions: Conditions,
    pub(super) host: Host,
    pub(super) people: Vec<Person>,
    pub(super) links: BTreeMap<LinkId, Link>,
    pub(super) conns: BTreeMap<ConnId, LinkId>,
    /// Connections whose clients are gone without a word.
    pub(super) abandoned: Vec<LinkId>,
    pub(super) schedule: Schedule<Happening>,
    pub(super) trace: Trace,
    pub(super) next_link: u64,
    pub(super) next_token: u64,
    pub(super) next_identity: usize,
    pub(super) config: server::Config,
    /// The codes of the rooms: to talk, and to read.
    pub(super) codes: Vec<(RoomId, Code, Code)>,
    /// One more for each room, to talk for a while or for few.
    pub(super) guests: Vec<Code>,
    /// Codes and rooms that are configured no more; what the server was told last; and the choices of all that.
    pub(super) former: Vec<Former>,
    pub(super) gone: Vec<server::RoomConfig>,
    pub(super) served: server::Config,
    pub(super) reloads: Dice,
    /// The room in which order is kept, if there is one.
    pub(super) court: Option<Court>,
    /// How verdicts on passwords come, and which passwords they are on.
    pub(super) bench: Bench,
    pub(super) verdicts: BTreeMap<Verification, String>,
    /// How often the server was started, and when the last time.
    pub(super) boots: u64,
    pub(super) booted: Instant,
    pub(super) next_password: u64,
    pub(super) counters: Counters,
    pub(super) oracle: Oracle,
    pub(super) breaks: Breaks,
    pub(super) which: Option<Break>,
    /// Whether things go wrong, and people do something.
    pub(super) is_stormy: bool,
    /// Whether the server was told to go down.
    pub(super) is_draining: bool,
    /// By when it must be down then; time at which its machine stands still does not count.
    pub(super) halt: Instant,
    journal: Option<VecDeque<String>>,
}

/// The machine that the server runs on.
#[derive(Clone, Debug)]
pub(super) enum Host {
    Up(Box<Driver<Tampered>>),
    /// Between a crash and the next start, with the log that survived.
    Down(Box<SimLog>),
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
    /// A fault strikes.
    Strike(Fault),
    /// A person's machine wakes up.
    Wake(usize),
    /// A verdict on a password, asked for by the server that was started so often.
    Verdict(u64, Verification, Verdict),
    /// The server's machine goes on.
    Thaw,
    /// The server, told to go down, must be down.
    Halt,
    /// The server starts again.
    Boot,
    /// Another configuration comes at such a moment, with this change if there is one; so often it is still looked whether
    /// the moment is there.
    Reload(Moment, Option<Change>, u32),
    /// Another one comes that takes people without an account everywhere.
    Open,
}

/// What may happen in a second: far more than ever does, and little enough that a world in which time stands still is seen
/// before long.
const STEPS: u64 = 1_000_000;

/// When the world begins: 2026-01-01T00:00:00Z.
pub(super) const BEGIN_MS: u64 = 1_767_225_600_000;

impl World {
    /// A world whose server has just started and whose people want to join their rooms.
    pub fn new(plan: &Plan) -> Self {
        Self::broken(plan, None)
    }

    /// The same, with something in it that is wrong.
    pub fn broken(plan: &Plan, which: Option<Break>) -> Self {
        let mut root = Dice::from_seed(plan.seed);
        let mut entropy = Entropy::new(root.seed());
        let Site { config, codes, guests, court } = Site::new(plan, &mut entropy);
        let facts = facts(&config);
        let now = Now { mono: Instant::default(), unix_ms: BEGIN_MS };
        let Script { net, acts, chaos, log } = plan.script.clone();
        let [net, acts, mut chaos, log] = [net, acts, chaos, log].map(|script| Dice::new(script, root.fork()));
        let log = Box::new(SimLog::new(plan.disk(&mut chaos), log));
        let bench = plan.bench(&mut chaos);
        let mut world = Self {
            plan: plan.clone(),
            now,
            server_now: now,
            server_ahead: 0,
            frozen: now.mono,
            net,
            acts,
            chaos,
            conditions: plan.conditions(),
            host: Host::Down(log),
            people: Vec::new(),
            links: BTreeMap::new(),
            conns: BTreeMap::new(),
            abandoned: Vec::new(),
            schedule: Schedule::new(),
            trace: Trace::new(),
            next_link: 0,
            next_token: 0,
            next_identity: 0,
            served: config.clone(),
            config,
            codes,
            guests,
            former: Vec::new(),
            gone: Vec::new(),
            reloads: Dice::from_seed(0),
            court,
            bench,
            verdicts: BTreeMap::new(),
            boots: 0,
            booted: now.mono,
            next_password: 0,
            counters: Counters::default(),
            oracle: Oracle::new(facts),
            breaks: Breaks::new(which, root.fork()),
            which,
            is_stormy: true,
            is_draining: false,
            halt: now.mono,
            journal: None,
        };
        world.reloads = Dice::new(Vec::new(), root.fork());
        world.oracle.model.are_lines_kept = which.is_some();
        if let Some(court) = &world.court {
            let codes = court.roles().map(|(code, role)| (canonical(code.canonical()), (role, role)));
            world.oracle.model.court.codes = codes.collect();
            world.oracle.model.court.lodge = canonical(court.lodge.canonical());
            world.breaks.misrule.knows(&court.codes);
        }
        world.boot();
        world.populate(&mut entropy);
        world.schedule.push(now.mono, Happening::Act);
        world.plan_strikes();
        world.plan_reloads();
        world
    }

    fn populate(&mut self, entropy: &mut Entropy) {
        for index in 0..self.plan.clients {
            let key = Key::generate(entropy);
            let (client, joins) = self.new_client(index, key);
            self.people.push(Person::new(index, Mind::Client(Box::new(client))));
            joins.into_iter().for_each(|id| self.people[index].asks(id, Command::Join));
        }
        let raws = [(RawKind::Plain, self.plan.plain), (RawKind::Hostile, self.plan.hostile)];
        for kind in raws.into_iter().flat_map(|(kind, count)| std::iter::repeat_n(kind, count)) {
            self.people.push(Person::new(self.people.len(), Mind::Raw(Raw::new(kind))));
        }
        self.populate_court(entropy);
        self.next_identity = self.people.len();
        for index in 0..self.people.len() {
            if self.people[index].client().is_some() {
                self.settle_person(index);
            }
        }
    }

    /// A client that wants to be in some rooms, the first always; and what it calls that.
    pub(super) fn new_client(&mut self, index: usize, key: Key) -> (Client, Vec<Id>) {
        let (account, password) = self.some_account().unzip();
        let name = if self.acts.bool() { NAMES[index % NAMES.len()].parse().ok() } else { None };
        let mut client = self.client(key, account.or(name), password);
        let mut joins = Vec::new();
        for index in 0..self.codes.len() {
            if index == 0 || self.acts.bool() {
                joins.push(client.join(self.now, self.codes[index].1.clone()));
            }
        }
        (client, joins)
    }

    /// A client of somebody who is called so.
    pub(super) fn client(&mut self, key: Key, name: Option<Name>, password: Option<Password>) -> Client {
        let config = client::Config {
            agent: "qun/sim".into(),
            name,
            key,
            tail: self.acts.u64(0..=60),
            timeline: TIMELINE,
            password,
            backoff: Duration::from_secs(20),
        };
        Client::new(config, self.acts.seed())
    }

    /// What time it is.
    pub fn now(&self) -> Now {
        self.now
    }

    /// What went wrong so far, and how often.
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        counters.set(Fault::SmallRooms, self.oracle.model.gaps);
        counters.happened(&self.oracle.model.court.incidents);
        match &self.host {
            Host::Up(driver) => counters.add(&driver.log().counters()),
            Host::Down(log) => counters.add(&log.counters),
        }
        counters
    }

    /// What is as it must not be, if anything is.
    pub fn violation(&self) -> Option<&Violation> {
        self.oracle.violation()
    }

    /// A fingerprint of everything that has happened: the same plan and the same calls give the same.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Writes down from now on what happens, the newest `lines` of it.
    pub fn keep_journal(&mut self, lines: usize) {
        self.journal = Some(VecDeque::with_capacity(lines.min(1 << 16)));
    }

    /// What was written down since it was taken last.
    pub fn take_journal(&mut self) -> Vec<String> {
        self.journal.as_mut().map(|journal| journal.drain(..).collect()).unwrap_or_default()
    }

    pub(super) fn journal(&mut self, line: impl FnOnce() -> String) {
        let Some(journal) = &mut self.journal else { return };
        if journal.len() == journal.capacity() {
            journal.pop_front();
        }
        let seconds = Duration::from_micros(self.now.mono.as_micros()).as_secs_f64();
        journal.push_back(format!("{seconds:11.6} {}", line()));
    }

    /// Lets the next thing happen, if anything ever will.
    pub fn step(&mut self) -> bool {
        let next = self.next();
        next.into_iter().for_each(|at| self.step_to(at));
        next.is_some()
    }

    /// Lets what is next happen, and it happens then.
    fn step_to(&mut self, at: Instant) {
        self.advance(at);
        self.look_at_deadlines();
        match self.schedule.pop(self.now.mono) {
            Some(happening) => self.happen(happening),
            None => self.tick(),
        }
    }

    /// Lets everything happen that happens within this time, until something is as it must not be.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now.mono + time;
        let mut left = STEPS * (1 + time.as_secs());
        while let Some(at) = self.next().filter(|at| *at <= end && self.violation().is_none()) {
            self.step_to(at);
            left -= 1;
            if left == 0 {
                let text = format!("so much happens that time stands still: {:?} is next", self.next());
                self.oracle.note(Err(Violation::new(9, text)));
            }
        }
        self.advance(end);
        self.look_at_unsent();
    }

    pub(super) fn plan_has(&self, fault: Fault) -> bool {
        self.is_stormy && self.plan.has(fault)
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.frozen > self.now.mono
    }

    pub(super) fn is_asleep(&self, person: usize) -> bool {
        self.people[person].asleep > self.now.mono
    }

    /// What a person's clocks say.
    pub(super) fn clock_of(&self, person: usize) -> Now {
        let unix_ms = self.now.unix_ms.saturating_add_signed(self.people[person].ahead);
        Now { unix_ms, ..self.now }
    }

    /// When the next thing happens: something scheduled, a machine's deadline, or an answer of the log.
    pub(super) fn next(&self) -> Option<Instant> {
        let host = match &self.host {
            Host::Up(driver) if !self.is_frozen() => [self.breaks.deadline(driver.deadline()), driver.log().deadline()],
            _ => [None; 2],
        };
        let awake = (0..self.people.len()).filter(|person| !self.is_asleep(*person));
        let clients = awake.filter_map(|person| self.people[person].client()?.deadline());
        host.into_iter().flatten().chain(self.schedule.next()).chain(clients).min()
    }

    pub(super) fn advance(&mut self, to: Instant) {
        self.now.mono = self.now.mono.max(to);
        self.now.unix_ms = BEGIN_MS + self.now.mono.as_micros() / 1_000;
        self.server_now = Now { unix_ms: self.now.unix_ms.saturating_add_signed(self.server_ahead), ..self.now };
        self.oracle.clock(self.now.mono, self.server_now.unix_ms);
        if let Host::Up(driver) = &mut self.host {
            driver.log_mut().inner().set_time(self.now.mono);
        }
    }

    /// Nothing is scheduled for now: somebody's deadline has come.
    pub(super) fn tick(&mut self) {
        if let Host::Up(driver) = &mut self.host
            && self.frozen <= self.now.mono
        {
            let deadline = self.breaks.deadline(driver.deadline());
            if [deadline, driver.log().deadline()].into_iter().flatten().any(|at| at <= self.now.mono) {
                driver.tick(self.server_now);
                self.settle_server();
            }
        }
        for index in 0..self.people.len() {
            if self.is_asleep(index) {
                continue;
            }
            let (mono, now) = (self.now.mono, self.clock_of(index));
            let Some(client) = self.people[index].client_mut() else { continue };
            if client.deadline().is_some_and(|at| at <= mono) {
                client.handle(now, client::Input::Tick);
                self.settle_person(index);
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        self.trace.number(self.now.mono.as_micros());
        let _ = write!(self.trace, "{happening:?}");
        match happening {
            Happening::Knock(link) => self.knock(link),
            Happening::Answer(link, yes) => self.answer(link, yes),
            Happening::Arrive(link, end) => self.arrive(link, end),
            Happening::Room(link, end) => self.flush(link, end),
            Happening::Lost(link, end) => self.lose(link, end),
            Happening::Act => self.act(),
            Happening::Strike(fault) => self.strike(fault),
            Happening::Wake(person) => self.wake(person),
            Happening::Verdict(boot, request, verdict) => self.verdict(boot, request, verdict),
            Happening::Thaw => self.thaw(),
            Happening::Halt => self.halt(),
            Happening::Boot => self.boot(),
            Happening::Reload(moment, change, looks) => self.reload(moment, change, looks),
            Happening::Open => self.open_to_guests(),
        }
    }

    pub(super) fn boot(&mut self) {
        let Host::Down(log) = &mut self.host else { return };
        let empty = Box::new(SimLog::new(Disk::sound(0), Dice::from_seed(0)));
        let log = Tampered::new(*std::mem::replace(log, empty), self.which, self.chaos.fork());
        let limits = self.breaks.limits(&self.config.limits);
        let config = self.breaks.misrule.config(server::Config { limits, ..self.config.clone() });
        self.served = config.clone();
        let driver = Driver::new(config, self.chaos.seed(), log);
        self.host = Host::Up(Box::new(driver));
        self.is_draining = false;
        self.boots += 1;
        self.booted = self.now.mono;
        self.verdicts.clear();
        self.oracle.booted();
        self.oracle.starts(facts(&self.config));
        self.breaks.booted();
        self.journal(|| "the server starts".into());
        self.advance(self.now.mono);
    }
}

impl Person {
    /// What the oracle may expect of their connections.
    pub(super) fn trust(&self, index: usize) -> Trust {
        match &self.mind {
            _ if self.court.is_some() => Trust::Court(self.identity),
            Mind::Client(_) => Trust::Client(self.identity),
            Mind::Raw(raw) if raw.kind == RawKind::Plain => Trust::Plain(self.identity),
            Mind::Raw(_) => Trust::Hostile(index),
        }
    }

    /// Where they connect from: two people share a network, and all who send corrupted bytes.
    pub(super) fn source(&self, index: usize) -> usize {
        match &self.mind {
            _ if self.court.is_some() => 300 + index,
            Mind::Client(_) => index / 2,
            Mind::Raw(raw) if raw.kind == RawKind::Plain => 100 + index / 2,
            Mind::Raw(_) => 200,
        }
    }
}

/// What people like to be called; two of them like the same.
pub(super) const NAMES: [&str; 6] = ["ann", "bob", "mei", "Ann", "小明", "eve"];
