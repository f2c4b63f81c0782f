//! What a world is made of, and how one seed decides it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use qun_core::{Limits, TextLimits};

use super::dice::{Dice, Script};
use super::fault::Fault;
use super::rule::{Carried, Conditions, Rule, Word};

/// What a world is made of. The seed decides all of it, and then everything that happens there; what is changed
/// afterwards (a fault less, a person less) leaves the rest as it is, as far as it can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// What goes wrong.
    pub faults: BTreeSet<Fault>,
    /// How many people have a client of this project.
    pub clients: usize,
    /// How many sit at netcat.
    pub plain: usize,
    /// How many send corrupted bytes.
    pub hostile: usize,
    /// How many rooms there are.
    pub rooms: usize,
    /// How many accounts there are.
    pub accounts: usize,
    /// Whether there is one more room, in which order is kept.
    pub court: bool,
    /// How often another configuration comes while people are in.
    pub reloads: usize,
    /// The mean time between two acts of anybody.
    pub chatter: Duration,
    /// How long things go wrong.
    pub storm: Duration,
    /// How rough it is: the chances of faults are multiplied by it, over 4.
    pub roughness: u32,
    /// How much of a room the log keeps, in bytes of text and names with 64 for each message.
    pub log_bytes: usize,
    /// The server's limits.
    pub limits: Limits,
    /// The first choices in it, where they are not left to the seed.
    pub script: Script,
}

impl Plan {
    /// As many bytes as it takes to say what a world is made of.
    pub const HEAD: usize = 80;

    /// What this seed decides: which faults, how many people, how talkative, within which limits.
    pub fn from_seed(seed: u64) -> Self {
        Self::drawn(seed, &mut Dice::from_seed(seed ^ 0x5157_4152_4d00_0000))
    }

    /// A small world of which these bytes decide as much as they can: its seed and what it is made of, by the first
    /// [`HEAD`](Self::HEAD), then the choices in it. Any bytes are a world, and bytes that are appended change nothing of
    /// what the earlier ones decided.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (head, rest) = bytes.split_at(bytes.len().min(Self::HEAD));
        let mut dice = Dice::new(head.into(), fastrand::Rng::with_seed(0));
        let seed = dice.u64(..);
        let plan = Self::drawn(seed, &mut dice);
        Self {
            clients: plan.clients.min(3),
            plain: plan.plain.min(1),
            hostile: plan.hostile.min(1),
            rooms: plan.rooms.min(2),
            reloads: plan.reloads.min(3),
            chatter: plan.chatter / 4,
            storm: plan.storm / 20,
            script: Script::deal(rest),
            ..plan
        }
    }

    fn drawn(seed: u64, dice: &mut Dice) -> Self {
        // One world in eight is calm, so that what needs no fault is seen too.
        let calm = dice.u32(0..8) == 0;
        let likely = dice.u32(20..80);
        let faults = Fault::ALL.iter().copied().filter(|_| dice.u32(0..100) < likely && !calm).collect();
        let clients = dice.usize(2..=6);
        let plain = dice.usize(0..=3);
        let hostile = dice.usize(1..=3);
        let rooms = dice.usize(1..=4);
        let chatter = Duration::from_millis(dice.u64(20..=1_500));
        let storm = Duration::from_secs(dice.u64(60..=420));
        let roughness = dice.u32(1..=8);
        let small_log = dice.usize(1_000..6_000);
        let limits = limits(dice);
        // In two worlds of five nobody has an account.
        let accounts = [0, 0, 1, 2, 3][dice.usize(0..5)];
        let court = dice.bool();
        // In two worlds of three it stays as it is.
        let reloads = if dice.u32(0..3) == 0 { dice.usize(2..=12) } else { 0 };
        let plan = Self {
            seed,
            faults,
            clients,
            plain,
            hostile,
            rooms,
            accounts,
            court,
            reloads,
            chatter,
            storm,
            roughness,
            log_bytes: small_log,
            limits,
            script: Script::default(),
        };
        plan.consistent()
    }

    /// Four people in two rooms where nothing goes wrong, for tests.
    pub fn calm(seed: u64) -> Self {
        Self {
            seed,
            faults: BTreeSet::new(),
            clients: 4,
            plain: 1,
            hostile: 0,
            rooms: 2,
            accounts: 1,
            court: true,
            reloads: 0,
            chatter: Duration::from_millis(500),
            storm: Duration::from_secs(60),
            roughness: 4,
            log_bytes: usize::MAX,
            limits: Limits::default(),
            script: Script::default(),
        }
    }

    /// The same without these faults.
    pub fn without(&self, faults: &[Fault]) -> Self {
        let mut plan = self.clone();
        plan.faults.retain(|fault| !faults.contains(fault));
        plan.consistent()
    }

    /// Whether this goes wrong here.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn consistent(mut self) -> Self {
        if !self.has(Fault::Hostile) {
            self.hostile = 0;
        }
        if !self.has(Fault::SmallLog) {
            self.log_bytes = usize::MAX;
        }
        if self.has(Fault::SmallRooms) {
            // The smallest room that these texts allow: sixteen times the largest encoding of one.
            self.limits.text = TextLimits { bytes: 100, lines: 4 };
            self.limits.room_bytes = 8 << 10;
            // So talkative that a reader who stalls misses something before they are given up.
            self.limits.burst = 0;
            self.chatter = self.chatter.min(Duration::from_millis(150));
        } else {
            let Limits { text, room_bytes, .. } = Limits::default();
            (self.limits.text, self.limits.room_bytes) = (text, room_bytes);
        }
        self
    }

    /// The conditions of the network while things go wrong.
    pub(super) fn conditions(&self) -> Conditions {
        let rough = |per_mille: u32| per_mille * self.roughness / 4;
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        let rules = [
            Rule { fault: Fault::Refused, of: Carried::Attempt, per_mille: rough(200), word: Word::Drop },
            Rule { fault: Fault::Late, of: Carried::Attempt, per_mille: rough(100), word: Word::After(s(10)) },
            Rule { fault: Fault::HalfOpen, of: Carried::Attempt, per_mille: rough(10), word: Word::Hold },
            Rule { fault: Fault::Late, of: Carried::Segment, per_mille: rough(60), word: Word::After(s(2)) },
            Rule { fault: Fault::Stall, of: Carried::Segment, per_mille: rough(5), word: Word::After(s(30)) },
            Rule { fault: Fault::LateHello, of: Carried::Greeting, per_mille: rough(60), word: Word::After(s(40)) },
            Rule { fault: Fault::Lost, of: Carried::Segment, per_mille: rough(6), word: Word::Drop },
            Rule { fault: Fault::Torn, of: Carried::Segment, per_mille: rough(6), word: Word::Drop },
            Rule { fault: Fault::HalfOpen, of: Carried::Segment, per_mille: rough(3), word: Word::Hold },
        ];
        let rules = rules.into_iter().filter(|rule| self.has(rule.fault)).collect();
        Conditions { latency: ms(5), jitter: ms(if self.has(Fault::Late) { 300 } else { 5 }), rules }
    }
}

/// Limits that are reached.
pub(super) fn limits(dice: &mut Dice) -> Limits {
    let all = Limits::default();
    let mut pick = |often: Duration, rarely: Duration| if dice.u32(0..3) == 0 { rarely } else { often };
    let (ping, grace) = (pick(all.ping, Duration::from_secs(5)), pick(all.grace, Duration::from_secs(8)));
    let (stall, load) = (pick(all.stall, Duration::from_secs(3)), pick(all.load, Duration::from_secs(1)));
    let mut pick = |often: usize, rarely: usize| if dice.u32(0..3) == 0 { rarely } else { often };
    Limits {
        ping,
        grace,
        stall,
        load,
        in_flight: pick(all.in_flight, 3),
        private: pick(all.private, 2 << 10),
        unread: pick(all.unread, 1 << 10),
        replay: pick(all.replay as usize, 7) as u64,
        page: pick(all.page as usize, 5) as u64,
        burst: pick(all.burst as usize, 0) as u32,
        acts_burst: pick(all.acts_burst as usize, 4) as u32,
        connections_per_source: pick(all.connections_per_source as usize, 3) as u32,
        full_members: pick(all.full_members, 4),
        rooms: pick(all.rooms, 2),
        guess_per_s: pick(all.guess_per_s as usize, 3) as u32,
        ..all
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            clients,
            plain,
            hostile,
            rooms,
            accounts,
            court,
            reloads,
            chatter,
            storm,
            roughness,
            log_bytes,
            limits,
            ..
        } = self;
        let s = |count: &usize| if *count == 1 { "" } else { "s" };
        write!(f, "{clients} client{}, {plain} at netcat, {hostile} hostile, ", s(clients))?;
        write!(f, "{rooms} room{}, {accounts} account{}, ", s(rooms), s(accounts))?;
        write!(f, "{}", if *court { "a court, " } else { "" })?;
        if *reloads > 0 {
            write!(f, "{reloads} reloads, ")?;
        }
        write!(f, "an act each {chatter:?}, {storm:?} of roughness {roughness}")?;
        let defaults = Limits::default();
        let numbers = [
            ("room_bytes", limits.room_bytes, defaults.room_bytes),
            ("log_bytes", *log_bytes, usize::MAX),
            ("in_flight", limits.in_flight, defaults.in_flight),
            ("private", limits.private, defaults.private),
            ("unread", limits.unread, defaults.unread),
            ("replay", limits.replay as usize, defaults.replay as usize),
            ("page", limits.page as usize, defaults.page as usize),
            ("burst", limits.burst as usize, defaults.burst as usize),
            ("acts_burst", limits.acts_burst as usize, defaults.acts_burst as usize),
            (
                "connections_per_source",
                limits.connections_per_source as usize,
                defaults.connections_per_source as usize,
            ),
            ("full_members", limits.full_members, defaults.full_members),
            ("rooms", limits.rooms, defaults.rooms),
            ("guess_per_s", limits.guess_per_s as usize, defaults.guess_per_s as usize),
            ("ping_s", limits.ping.as_secs() as usize, defaults.ping.as_secs() as usize),
            ("grace_s", limits.grace.as_secs() as usize, defaults.grace.as_secs() as usize),
            ("stall_s", limits.stall.as_secs() as usize, defaults.stall.as_secs() as usize),
            ("load_s", limits.load.as_secs() as usize, defaults.load.as_secs() as usize),
        ];
        for (name, value, default) in numbers {
            if value != default {
                write!(f, ", {name} {value}")?;
            }
        }
        let faults: Vec<_> = self.faults.iter().map(|fault| fault.name()).collect();
        write!(f, "; faults: {}", if faults.is_empty() { "none".into() } else { faults.join(" ") })?;
        match self.script.len() {
            0 => Ok(()),
            given => write!(f, "; the first choices given by {given} bytes"),
        }
    }
}
