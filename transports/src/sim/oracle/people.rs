//! Who is here, as far as connections tell: sessions, their rooms, their names, and how much they ask for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use qun_core::{Instant, Limits};

use super::Violation;
use super::ask::Asked;
use super::pace::{Pace, Rate, Spent};

/// The longest that a line may wait inside the server before it is handled, and an answer before it goes out.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everybody who has a key.
#[derive(Clone, Debug, Default)]
pub(super) struct People {
    /// Who a person is on the wire.
    members: BTreeMap<usize, String>,
    /// Since the server's start.
    sessions: BTreeMap<usize, Session>,
    /// Since the server's start, whoever was called what.
    called: BTreeMap<String, BTreeSet<usize>>,
    /// Who may be in by a code: by the room, and then the code.
    let_in: BTreeMap<String, BTreeMap<String, BTreeMap<usize, LetIn>>>,
    /// Those at netcat since the server's start, and when they went.
    netcats: BTreeMap<usize, Option<Instant>>,
    /// When each source sent what may have been a wrong code; and when it sent those that were told to be wrong.
    tries: VecDeque<(Instant, usize)>,
    wrong: VecDeque<(Instant, usize)>,
    /// Those of all sources together.
    guesses: Pace,
}

/// What is known of one who is in by a code, or was.
#[derive(Clone, Copy, Debug, Default)]
struct LetIn {
    /// When they were told so.
    told: Option<Instant>,
    /// Since when they may be out again.
    until: Option<Instant>,
}

impl LetIn {
    /// Whether they were in before that. Of what happens at one instant, as when a machine thaws, nobody knows which was first.
    fn is_in_since(&self, since: Instant) -> bool {
        self.told.is_some_and(|told| told < since) && self.until.is_none()
    }
}

/// What is known of a person's session.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    /// How often the server got a hello of theirs.
    pub(super) hellos: u64,
    /// Rooms that they surely are in, although no connection of theirs is: until their grace ends.
    held: BTreeMap<String, Instant>,
    /// By which code they are in each of them.
    held_by: BTreeMap<String, String>,
    /// When the server got their last hello, or lost their last connection.
    changed: Instant,
    /// Until when a way in or out that they asked for had no answer: their line may have waited.
    asks: Instant,
    /// When the server lost their last connection.
    lost: Option<Instant>,
    /// Whether it ever lost one.
    was_lost: bool,
    said_bye: bool,
    /// Whether the server has seen them off, or they have no key: their session ended with its connection.
    is_done: bool,
    /// Rooms that they ever asked to leave.
    leaves: BTreeSet<String>,
    /// How much they have surely said.
    spent: Spent,
    /// When they asked for what a whole room is told of, and when they said something.
    acts: VecDeque<Instant>,
    says: VecDeque<Instant>,
}

impl People {
    pub(super) fn booted(&mut self) {
        self.sessions.clear();
        self.called.clear();
        self.let_in.clear();
        self.netcats.clear();
        self.tries.clear();
        self.wrong.clear();
        self.guesses = Pace::default();
    }

    pub(super) fn session(&mut self, person: usize) -> &mut Session {
        self.sessions.entry(person).or_default()
    }

    pub(super) fn hellos(&self, person: usize) -> u64 {
        self.sessions.get(&person).map_or(0, |session| session.hellos)
    }

    /// Who this person is on the wire.
    pub(super) fn member(&self, person: usize) -> Option<&String> {
        self.members.get(&person)
    }

    /// Whose this member id is.
    pub(super) fn whose(&self, m: &str) -> Option<usize> {
        self.members.iter().find(|(_, member)| *member == m).map(|(person, _)| *person)
    }

    /// The server says who a person is: always the same.
    pub(super) fn is_called(&mut self, person: usize, m: &str) -> Result<(), Violation> {
        if self.members.entry(person).or_insert_with(|| m.into()) == m {
            return Ok(());
        }
        Err(Violation::new(10, format!("person {person} was somebody else")))
    }

    /// Somebody has this name, or had it.
    pub(super) fn named(&mut self, person: usize, name: &str) {
        self.called.entry(name.to_lowercase()).or_default().insert(person);
    }

    /// Whether another one may have this name: one who had it, or one of those whom nobody knows.
    pub(super) fn may_be_taken(&self, person: usize, name: &str) -> bool {
        let name = name.to_lowercase();
        let unknown = ["eve", "mallory", "guest"].iter().any(|known| name.starts_with(known));
        let is_others = |name: &str| self.called.get(name).is_some_and(|who| who.iter().any(|other| *other != person));
        // Who asked for one that was taken has it with a number, before anybody hears of that.
        let numberless = name.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('-');
        unknown || is_others(&name) || numberless.is_some_and(is_others)
    }

    fn who_by(&self, (room, code): (&str, &str)) -> Option<&BTreeMap<usize, LetIn>> {
        self.let_in.get(room)?.get(code)
    }

    /// A person asks to come into a room by a code, or is told that they are in by it.
    pub(super) fn lets_in(&mut self, (room, code): (&str, &str), person: usize, told: Option<Instant>) {
        let who = self.let_in.entry(room.into()).or_default().entry(code.into()).or_default();
        who.insert(person, LetIn { told, until: None });
    }

    /// And may be out of a room again from now on, by this code or by any; or of all.
    pub(super) fn lets_out(&mut self, now: Instant, person: usize, room: Option<&str>, code: Option<&str>) {
        let rooms = self.let_in.iter_mut().filter(|(id, _)| room.is_none_or(|room| room == *id));
        let codes = rooms.flat_map(|(_, codes)| codes).filter(|(by, _)| code.is_none_or(|code| code == *by));
        for (_, who) in codes {
            if let Some(let_in) = who.get_mut(&person) {
                let_in.until.get_or_insert(now);
            }
        }
    }

    /// Whether somebody has ever asked to come in by this code: they may have been let in, and not know of it.
    pub(super) fn has_asked(&self, door: (&str, &str), person: usize) -> bool {
        self.who_by(door).is_some_and(|who| who.contains_key(&person))
    }

    /// Whether somebody may be in by this code.
    pub(super) fn is_in_by(&self, door: (&str, &str), person: usize, since: Instant, limits: &Limits) -> bool {
        let let_in = self.who_by(door).and_then(|who| who.get(&person));
        let_in.is_some_and(|let_in| self.may_be_in(person, let_in, since, limits))
    }

    /// How many others surely have been in by this code since then.
    pub(super) fn in_by(&self, door: (&str, &str), person: usize, since: Instant) -> usize {
        let in_by = self.who_by(door).into_iter().flatten();
        in_by.filter(|(who, let_in)| **who != person && let_in.is_in_since(since)).count()
    }

    /// How many others may be in by this code at most.
    pub(super) fn most_in(&self, door: (&str, &str), person: usize, since: Instant, limits: &Limits) -> usize {
        let in_by = self.who_by(door).into_iter().flatten();
        in_by.filter(|(who, let_in)| **who != person && self.may_be_in(**who, let_in, since, limits)).count()
    }

    /// How many others may be in this room at most.
    pub(super) fn most_in_room(&self, room: &str, person: usize, since: Instant, limits: &Limits) -> usize {
        let codes = self.let_in.get(room).into_iter().flat_map(BTreeMap::keys);
        codes.map(|code| self.most_in((room, code), person, since, limits)).sum()
    }

    /// A room is gone: nobody surely is held there.
    pub(super) fn lets_all_out(&mut self, now: Instant, room: &str) {
        self.sessions.values_mut().for_each(|session| _ = session.held.remove(room));
        for let_in in
            self.let_in.get_mut(room).into_iter().flat_map(BTreeMap::values_mut).flat_map(BTreeMap::values_mut)
        {
            let_in.until.get_or_insert(now);
        }
    }

    /// By how many codes a person may be in rooms at most, but for this one.
    pub(super) fn most_rooms(&self, but: (&str, &str), person: usize, since: Instant, limits: &Limits) -> usize {
        let may = |let_in: &LetIn| self.may_be_in(person, let_in, since, limits);
        let doors =
            self.let_in.iter().flat_map(|(room, codes)| codes.iter().map(move |(code, who)| ((room, code), who)));
        let others = doors.filter(|((room, code), _)| (room.as_str(), code.as_str()) != but);
        others.filter_map(|(_, who)| who.get(&person)).filter(|let_in| may(let_in)).count()
    }

    /// Each hello of theirs, and each loss of a connection, may have their grace begin anew.
    fn may_be_in(&self, person: usize, let_in: &LetIn, since: Instant, limits: &Limits) -> bool {
        let changed = self.sessions.get(&person).map_or(since, |session| session.changed.max(session.asks));
        let_in.until.is_none_or(|until| until.max(changed) + limits.grace + PATIENCE > since)
    }

    /// Who at netcat comes, or has gone.
    pub(super) fn at_netcat(&mut self, person: usize, gone: Option<Instant>) {
        self.netcats.insert(person, gone);
    }

    /// How many are at netcat at most.
    pub(super) fn most_at_netcat(&self, since: Instant, limits: &Limits) -> usize {
        let long = 3 * limits.drain + PATIENCE;
        self.netcats.values().filter(|gone| gone.is_none_or(|gone| gone + long > since)).count()
    }

    /// A source sends what may be a wrong code.
    pub(super) fn tries(&mut self, now: Instant, source: usize) {
        self.tries.push_back((now, source));
    }

    /// Whether a source, or all of them, may have sent so many wrong codes that no other is looked at.
    pub(super) fn may_be_locked(&mut self, source: usize, now: Instant, limits: &Limits) -> bool {
        let long = limits.guess_every * limits.guess_burst + PATIENCE;
        while self.tries.pop_front_if(|(at, _)| *at + long < now).is_some() {}
        let lately = |(at, _): &&(Instant, usize)| *at + PATIENCE > now;
        let by_source = self.tries.iter().filter(|(_, other)| *other == source).count();
        by_source >= limits.guess_burst as usize
            || self.tries.iter().filter(lately).count() >= limits.guess_per_s as usize
    }

    /// A wrong code was looked at, since then: of all sources together not too many are.
    pub(super) fn guesses(&mut self, since: Instant, now: Instant, limits: &Limits) -> Result<(), Violation> {
        let rate = Rate { burst: limits.guess_per_s, per_s: limits.guess_per_s };
        match self.guesses.does(since, now, rate) {
            Some((times, time)) => {
                Err(Violation::new(1, format!("{times} wrong codes were looked at within {time:?}")))
            }
            None => Ok(()),
        }
    }

    /// A source is told that the code was wrong that it sent at this time: not too often.
    pub(super) fn guessed(
        &mut self,
        source: usize,
        sent: Instant,
        now: Instant,
        limits: &Limits,
    ) -> Result<(), Violation> {
        self.guesses(sent, now, limits)?;
        self.wrong.push_back((sent, source));
        while self.wrong.pop_front_if(|(at, _)| *at + limits.guess_every < now).is_some() {}
        let count = self.wrong.iter().filter(|(_, other)| *other == source).count();
        if count > limits.guess_burst as usize + 1 {
            return Err(Violation::new(1, format!("source {source} may guess {count} times")));
        }
        Ok(())
    }

    /// The server has lost a person's connection: they are held in these rooms from then on.
    pub(super) fn lost(&mut self, now: Instant, person: usize, rooms: BTreeMap<String, String>) {
        let session = self.session(person);
        (session.lost, session.was_lost, session.changed) = (Some(now), true, now);
        session.hold(now, rooms);
        self.lets_out(now, person, None, None);
    }

    /// Somebody hears that somebody went: they hear why, and not of one whose grace goes on. `heard`: since then they have
    /// heard everything at once.
    pub(super) fn may_go(
        &self,
        (now, heard): (Instant, Instant),
        m: &str,
        room: &str,
        why: &str,
        limits: &Limits,
    ) -> Result<(), String> {
        let Some(session) = self.whose(m).and_then(|person| self.sessions.get(&person)) else { return Ok(()) };
        let is_why = match why {
            "left" => session.leaves.contains(room),
            "bye" => session.said_bye,
            "lost" => session.was_lost || session.hellos > 1,
            _ => false,
        };
        // Of those without a key nobody knows by which connection they went.
        if !is_why && session.hellos > 0 {
            return Err(format!("{m} did not go by {why:?}"));
        }
        match session.held.get(room).filter(|since| heard < **since) {
            Some(since) if why == "lost" && now.since(*since) < limits.grace => {
                Err(format!("{m} is gone after {:?}, with {:?} of grace", now.since(*since), limits.grace))
            }
            _ => Ok(()),
        }
    }

    /// When those who may come into the room are out of it for sure, because each of their ways in has ended long ago; of
    /// each who it is. Who has a way in that has not ended is not among them.
    pub(super) fn are_out_at(&self, thawed: Instant, limits: &Limits, room: &str) -> Vec<(Instant, &String)> {
        let long = limits.grace + 2 * limits.drain + Duration::from_secs(1);
        let by_code = self.let_in.get(room).into_iter().flat_map(BTreeMap::values);
        // Whoever has no name on the wire is in no roster.
        let known = by_code.flatten().filter_map(|(person, let_in)| Some((person, self.members.get(person)?, let_in)));
        let mut are_out: Vec<(usize, Option<Instant>, &String)> = Vec::new();
        for (person, m, let_in) in known {
            let session = self.sessions.get(person);
            let ended = session.zip(let_in.until);
            let ended = ended.map(|(session, until)| until.max(session.changed).max(session.asks).max(thawed) + long);
            match are_out.iter_mut().find(|(other, ..)| other == person) {
                Some((_, at, _)) => *at = at.zip(ended).map(|(at, ended)| at.max(ended)),
                None => are_out.push((*person, ended, m)),
            }
        }
        are_out.into_iter().filter_map(|(_, at, m)| Some((at?, m))).collect()
    }

    /// When nobody has those in a roster any more who were lost; of each who it is.
    pub(super) fn are_gone_at(&self, thawed: Instant, limits: &Limits) -> Vec<(Instant, &String)> {
        let long = limits.grace + 2 * limits.drain + Duration::from_secs(1);
        let short = 2 * limits.drain + Duration::from_secs(1);
        let gone = |session: &Session| {
            let time = if session.is_done { short } else { long };
            session.lost.map(|lost| lost.max(thawed) + time)
        };
        let gone = self.members.iter().filter_map(|(person, m)| Some((gone(self.sessions.get(person)?)?, m)));
        gone.collect()
    }
}

impl Session {
    /// A hello reaches the server, and takes the session over from a connection that has it in these rooms. Whether the
    /// session must be there still, where that is sure.
    pub(super) fn hello(
        &mut self,
        now: Instant,
        thawed: Instant,
        over: Option<BTreeMap<String, String>>,
        (narrow, wide): (&Limits, &Limits),
    ) -> Option<bool> {
        (self.hellos, self.changed) = (self.hellos + 1, now);
        self.acts.push_back(now);
        let is_taken_over = over.is_some();
        self.hold(now, over.unwrap_or_default());
        let is_held = self.held.values().any(|since| now.since(*since) < narrow.grace);
        let long = wide.grace + 2 * wide.drain + Duration::from_secs(1);
        let is_gone = self.lost.take().is_some_and(|lost| now > lost.max(thawed) + long);
        match self.hellos {
            1 => Some(false),
            _ if is_taken_over || is_held => Some(true),
            _ => is_gone.then_some(false),
        }
    }

    fn hold(&mut self, since: Instant, rooms: BTreeMap<String, String>) {
        for (room, code) in rooms {
            self.held.entry(room.clone()).or_insert(since);
            self.held_by.insert(room, code);
        }
    }

    /// By which code they are held in a room, where they are.
    pub(super) fn held_by(&self, room: &str) -> Option<&String> {
        self.held_by.get(room).filter(|_| self.held.contains_key(room))
    }

    /// Until when they surely are held in a room.
    pub(super) fn held_until(&self, now: Instant, room: &str, grace: Duration) -> Option<Instant> {
        self.held.get(room).map(|since| *since + grace).filter(|until| *until > now)
    }

    /// They are in the room by a connection of theirs.
    pub(super) fn joined(&mut self, room: &str) {
        self.held.remove(room);
    }

    pub(super) fn leaves(&mut self, room: &str) {
        self.held.remove(room);
        self.leaves.insert(room.into());
    }

    /// A way in or out that they asked for has no answer yet.
    pub(super) fn asks(&mut self, now: Instant) {
        self.asks = now;
    }

    /// The server may have given them up, or heard that no more comes from them, and not be able to say so.
    pub(super) fn may_be_lost(&mut self) {
        self.was_lost = true;
    }

    pub(super) fn is_done(&mut self) {
        self.is_done = true;
    }

    pub(super) fn says_bye(&mut self) {
        self.held.clear();
        self.said_bye = true;
    }

    /// A request of theirs is answered. Who came back, and may have been held no more by then, came in once more.
    pub(super) fn is_answered(&mut self, now: Instant, asked: &Asked) {
        if asked.returns.is_some_and(|until| until <= now) {
            self.acts(now);
        }
    }

    pub(super) fn acts(&mut self, now: Instant) {
        self.acts.push_back(now);
    }

    pub(super) fn says(&mut self, now: Instant) {
        self.says.push_back(now);
    }

    /// They say something, which is handled at once or at a time that nobody knows; says whether the rate surely allows it.
    pub(super) fn spends(&mut self, now: Instant, is_handled_now: bool, rate: Rate) -> bool {
        self.spent.once_more(now, is_handled_now, rate)
    }

    /// Whether so much was asked for lately that a join or another name may be refused.
    pub(super) fn may_act_too_fast(&mut self, now: Instant, limits: &Limits) -> bool {
        is_too_fast(&mut self.acts, now, limits.acts_burst, limits.acts_per_s)
    }

    /// Whether so much was said lately that more may be refused.
    pub(super) fn may_say_too_fast(&mut self, now: Instant, limits: &Limits) -> bool {
        is_too_fast(&mut self.says, now, limits.burst, limits.per_s)
    }
}

/// Whether there was more than a burst, not counting what was forgotten since whenever it was handled.
fn is_too_fast(when: &mut VecDeque<Instant>, now: Instant, burst: u32, per_s: u32) -> bool {
    if burst == 0 || per_s == 0 {
        return false;
    }
    let long = Duration::from_secs(u64::from(burst.div_ceil(per_s))) + PATIENCE;
    while when.pop_front_if(|at| *at + long < now).is_some() {}
    when.len() > burst as usize
}
