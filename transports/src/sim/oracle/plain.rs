//! What a person at netcat sees, and what of it must be so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use qun_core::Instant;

use super::Violation;
use super::ask::Say;
use super::drafts::Typed;
use super::model::{Model, Trouble, canonical, token};
use super::place::Place;
use super::wire::{Sub, Trust, Wire};
use super::words::{is_message, names, rest_of, unprompted};

/// Messages of backlog that a person is shown at most.
const BACKLOG: u64 = 50;
/// What they are told as their room is closed, behind its title.
const CLOSED: &str = " is closed. To another room: /join CODE";

/// A screen: the room that it is in, who is there, and how far its messages go.
#[derive(Clone, Debug, Default)]
pub(super) struct Screen {
    /// All that was typed, as codes are compared, and what may be names in it.
    letters: String,
    words: BTreeSet<String>,
    /// What was said.
    said: Vec<Typed>,
    /// What was typed that has no token.
    others: BTreeSet<String>,
    /// What this person is called.
    me: Option<String>,
    /// Whether there is a number behind it by now, because somebody has an account of that name.
    pub(super) may_be_numbered: bool,
    pub(super) room: Option<Place>,
    /// What the room is called by now, where that is to be told.
    pub(super) title_due: Option<String>,
    is_spoken_to: bool,
    /// The most that has arrived of a line, and of what came with it.
    pub(super) most: usize,
    /// Whether there was one ever.
    pub(super) was_in: bool,
    /// Whether this person's own lines come back.
    echo: bool,
    /// Each room's newest message as a line was typed that may lead there, the first since they came to where they are.
    heads: BTreeMap<String, u64>,
    /// How long a page was asked for, if one is, and the newest messages then.
    history: u64,
    page_heads: BTreeMap<String, u64>,
    /// A page of history is being shown, from here up to there.
    page: Option<(u64, u64)>,
    /// The lines that continue the last message.
    rest: VecDeque<String>,
    /// How many codes were wrong, and how often lines arrived: behind a wrong code none of those counts that came with it.
    wrong: u64,
    arrivals: u64,
    /// Whether they were told that their lines are read slowly.
    is_slowed: bool,
    /// What they typed that is always answered, and is not.
    commands: VecDeque<&'static str>,
    /// When somebody typed that they leave, and when they asked who is there.
    pub(super) leaves: Option<Instant>,
    asked_who: VecDeque<Instant>,
}

fn wrong<T>(invariant: u8, text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::new(invariant, text))
}

impl Wire {
    /// A person types a line.
    pub(super) fn typed(&mut self, model: &mut Model, now: Instant, line: &str) -> Result<(), Violation> {
        self.requests += 1;
        let said = token(line.strip_prefix("/me ").unwrap_or(line));
        // What is typed for a room that does not let them in, as it is full, is taken for a code.
        if said.is_none() || !self.screen.was_in {
            model.people.tries(now, self.source);
        }
        let screen = &mut self.screen;
        screen.letters.push_str(&canonical(line));
        for word in line.split_whitespace() {
            if let Trust::Plain(person) = self.trust {
                model.people.named(person, word);
            }
            screen.words.insert(word.into());
        }
        if let Some(token) = said {
            let (troubles, version) = (model.troubles_of(token), model.version());
            screen.said.push(Typed { token, troubles, version });
            let mut names: Vec<_> = screen.words.iter().cloned().chain(screen.me.clone()).collect();
            if screen.me.is_none() || screen.may_be_numbered {
                // Whoever has not heard what they are called may be called that with a number.
                names.extend(screen.words.iter().map(|word| format!("{word}-")));
            }
            if let Some(Place { id, .. }) = &screen.room {
                let troubles = model.troubles(id, Trouble::Append);
                let say = Say { number: self.requests, room: id.clone(), token, troubles, fits: true, version };
                model.typed(token, id, troubles);
                self.says.insert(token.to_string(), say);
            }
            return model.received(now, token, names, false, None);
        }
        let letters = canonical(line);
        let codes: Vec<_> = model.history.codes().filter(|code| letters.contains(*code)).cloned().collect();
        if let Trust::Plain(person) = self.trust {
            codes.iter().for_each(|code| model.logins.sends(person, code));
        }
        screen.others.insert(line.trim().into());
        let heads = || model.facts.rooms.keys().filter_map(|id| Some((id.clone(), model.told(id)?.1))).collect();
        if screen.heads.is_empty() {
            screen.heads = heads();
        }
        match line.trim().split_once(' ').unwrap_or((line.trim(), "")) {
            ("/quit", _) => {
                self.said_bye = true;
                self.leave_taking(model, now);
            }
            ("/nonsense", _) => screen.commands.push_back("There is no command /nonsense"),
            ("/echo", _) => screen.commands.push_back("Echo is "),
            ("/who", _) => screen.asked_who.push_back(now),
            ("/leave" | "/join", _) => screen.leaves = Some(now),
            ("/history", count) if screen.history == 0 => {
                (screen.history, screen.page_heads) = (count.parse().unwrap_or(BACKLOG), heads());
            }
            _ => {}
        }
        Ok(())
    }

    /// A person reads a line.
    pub(super) fn reads(&mut self, model: &Model, now: Instant, line: &str) -> Result<(), Violation> {
        let Trust::Plain(person) = self.trust else { return Ok(()) };
        let is_left = line.contains("-- You left ");
        let is_closed = line.contains("-- ") && line.ends_with(CLOSED);
        self.says.retain(|_, say| !model.is_told_of(say.token));
        if let Some((_, refused)) = line.split_once("-- Not sent, try again later: #") {
            let digits = refused.bytes().take_while(u8::is_ascii_digit).count();
            match self.says.remove(&refused[..digits]) {
                Some(say) if model.troubles(&say.room, Trouble::Append) > say.troubles => {}
                Some(_) => return wrong(3, format!("the log has refused nothing, at {line:?}")),
                None if self.screen.has_said_unseen(&refused[..digits], model) => {}
                None => return wrong(3, format!("it was said already, at {line:?}")),
            }
        }
        if is_left && let Some(leaves) = self.screen.leaves.take() {
            let overdue = now.since(leaves) >= model.facts.limits.drain;
            let owed = self.says.values().any(|say| self.is_owed_at_netcat(model, say));
            if owed && !overdue {
                return wrong(5, format!("left before what was said there: {:?}", self.says));
            }
        }
        if is_left || is_closed {
            self.says.clear();
        }
        let result = self.screen.line(model, now, person, self.version, line);
        result.map_err(|violation| Violation { text: format!("{}, at {line:?}", violation.text), ..violation })
    }
}

impl Screen {
    pub(super) fn sub(&self, room: &str) -> Option<&Sub> {
        self.room.as_ref().filter(|place| place.id == room).map(|place| &place.sub)
    }

    /// Whether the server has said anything but prompts.
    pub(super) fn is_spoken_to(&self) -> bool {
        self.is_spoken_to
    }

    /// Lines arrive, together: none of them is longer than this.
    pub(super) fn arrives(&mut self, bytes: usize) {
        self.arrivals += 1;
        self.most = self.most.max(bytes);
    }

    pub(super) fn is_out_of_guesses(&self, model: &Model) -> bool {
        self.wrong >= model.facts.limits.plain_guesses.into()
    }

    /// A line, since this configuration.
    fn line(&mut self, model: &Model, now: Instant, person: usize, since: usize, line: &str) -> Result<(), Violation> {
        if line.contains("Your name [") {
            // The code before was right: those that are wrong are counted anew, if its room goes before the name is told.
            self.wrong = 0;
        }
        let line = unprompted(line);
        if let Some(expected) = self.rest.pop_front() {
            let is = line.trim_start().strip_prefix("| ").unwrap_or_default();
            return if is == expected { Ok(()) } else { wrong(2, format!("{expected:?} was due")) };
        }
        if let Some(words) = line.strip_prefix("-- ") {
            self.is_spoken_to = true;
            return self.server_words(model, now, person, since, words);
        }
        if line.is_empty() {
            return Ok(());
        }
        if !is_message(line) && !self.was_in {
            return self.answer_to_prompt(model, line);
        }
        if self.page.is_some() {
            return self.page_line(model, line);
        }
        let echo = self.echo;
        let Some(place) = &mut self.room else { return wrong(1, "a message outside any room") };
        loop {
            let next = place.sub.next;
            let Some(record) = model.record(&place.id, &place.sub.epoch, next) else {
                return wrong(4, format!("{next} was due, and the log does not have it"));
            };
            if model.told(&place.id).is_none_or(|(_, head)| head < next) {
                return wrong(4, format!("{next} was due, and the server was not told of it"));
            }
            place.sub.next += 1;
            let is_own = place.is_own(model, person, next, &self.others);
            if let Some(rest) = rest_of(record, line) {
                if place.vague > 0 {
                    // Where no backlog is shown, what is shown first has come since they are here, and so has all behind it.
                    place.sub.backlog = place.sub.backlog.min(next);
                }
                (self.rest, place.vague) = (rest, 0);
                if is_own && token(record.text.as_str()).is_some() && !echo && next > place.wavering {
                    return wrong(2, "their own line comes back");
                }
                // One of several that are the same, and have no token, may have been an earlier one.
                let is_sure = token(record.text.as_str()).is_some();
                return if is_sure { place.look_around(model, next) } else { Ok(()) };
            }
            let may_be_spared = !echo || next <= place.wavering || token(record.text.as_str()).is_none();
            let is_passed = next < place.vague || is_own && may_be_spared;
            if !is_passed {
                return wrong(2, format!("{record:?} was due"));
            }
        }
    }

    fn page_line(&mut self, model: &Model, line: &str) -> Result<(), Violation> {
        let (Some((next, to)), Some(place)) = (&mut self.page, &self.room) else {
            return wrong(1, "a page outside any room");
        };
        let due = model.record(&place.id, &place.sub.epoch, *next).filter(|_| *next <= *to);
        *next += 1;
        match due.and_then(|record| rest_of(record, line)) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => wrong(2, format!("of a page up to {to}, the log has {due:?}")),
        }
    }

    fn answer_to_prompt(&mut self, model: &Model, line: &str) -> Result<(), Violation> {
        // One that is not even looked at counts, too.
        self.wrong += u64::from(line.contains("Too many wrong codes. "));
        let Some((_, left)) = line.split_once("That code does not open a room. ") else { return Ok(()) };
        self.wrong += 1;
        if self.wrong > self.arrivals {
            return wrong(1, "what came behind a wrong code is taken for codes");
        }
        let left = left.split(' ').next().and_then(|left| left.parse().ok()).unwrap_or(0);
        if self.wrong + left > u64::from(model.facts.limits.plain_guesses) {
            return wrong(1, format!("after {} wrong codes", self.wrong));
        }
        Ok(())
    }

    /// The server speaks for itself.
    fn server_words(
        &mut self,
        model: &Model,
        now: Instant,
        person: usize,
        since: usize,
        words: &str,
    ) -> Result<(), Violation> {
        let number = |text: &str| text.split(' ').next().and_then(|number| number.parse::<u64>().ok());
        let title = |title: &String| words.strip_prefix(title).and_then(|rest| rest.strip_prefix(". "));
        let rooms = || model.since(since).flat_map(|facts| &facts.rooms);
        let room = rooms().find_map(|(id, room)| Some((id, title(&room.title)?)));
        if let Some((id, rest)) = room.filter(|(_, rest)| rest.contains(" here")) {
            return self.enters(model, since, id, rest);
        }
        if let Some(title) = words.strip_suffix(CLOSED) {
            return self.is_put_out(model, since, title);
        }
        if let Some(title) = words.strip_prefix("The room is called ").and_then(|words| words.strip_suffix(" now.")) {
            self.title_due = None;
            let place = self.room.as_ref().map(|place| &place.id);
            let is_so = rooms().any(|(id, room)| Some(id) == place && room.title == title);
            return if is_so { Ok(()) } else { wrong(1, format!("no room is called {title:?}")) };
        }
        if let Some((_, range)) = words.strip_prefix("You missed ").and_then(|missed| missed.split_once(" (")) {
            let range = range.split(')').next().unwrap_or_default();
            let (from, to) = range.split_once(" to ").unwrap_or((range, range));
            let count = words.strip_prefix("You missed ").and_then(number);
            let (Some(from), Some(to), Some(place)) = (number(from), number(to), &mut self.room) else {
                return wrong(2, "half a gap");
            };
            let (echo, others) = (self.echo, &self.others);
            let is_passed = |place: &Place, seq| {
                let is_spared = !echo || seq <= place.wavering;
                seq < place.vague || is_spared && place.is_own(model, person, seq, others)
            };
            return place.missed(model, now, is_passed, count, from, to);
        }
        if let Some(range) = words.strip_prefix("Messages ").or(words.strip_prefix("Message ")) {
            let (from, to) = range.split_once(" to ").unwrap_or((range, range));
            let (from, to) = (number(from.trim_end_matches(':')), number(to.trim_end_matches(':')));
            return self.opens_page(model, from.zip(to));
        }
        if words.starts_with("End of history") {
            let is_whole = self.page.take().is_some_and(|(next, to)| next == to + 1);
            return if is_whole { Ok(()) } else { wrong(2, "a page ends early") };
        }
        if words.starts_with("There is no history") || words.starts_with("The server can't reach") {
            self.history = 0;
        }
        if words.starts_with("You left ") {
            self.room = None;
            return Ok(());
        }
        if words.starts_with("Slow down: ") && std::mem::replace(&mut self.is_slowed, true) {
            return wrong(9, "it was said before");
        }
        let is_answer = ["There is no command /nonsense", "Echo is "].iter().any(|answer| words.starts_with(answer));
        if is_answer && !self.commands.pop_front().is_some_and(|due| words.starts_with(due)) {
            return wrong(9, "another answer was due");
        }
        if let Some(on) = words.strip_prefix("Echo is ") {
            self.echo = on.starts_with("on");
            if let Some(place) = &mut self.room {
                place.wavering = model.told(&place.id).map_or(0, |(_, head)| head);
            }
            return Ok(());
        }
        let given = words.split_once(" is taken: you are ").map(|(_, name)| name);
        if let Some(name) = given.or(words.strip_prefix("You are ")).and_then(|name| name.strip_suffix('.'))
            && !name.starts_with("in ")
        {
            self.me = Some(name.into());
            return Ok(());
        }
        self.sees(model, now, since, words)
    }

    /// Who comes and goes, and who is there.
    fn sees(&mut self, model: &Model, now: Instant, since: usize, words: &str) -> Result<(), Violation> {
        let Some(place) = &mut self.room else { return Ok(()) };
        let is_counted = model.says_who(&place.id, since) == Some(false);
        if words.starts_with("You missed who came and went") {
            (place.names, place.missed) = (None, now);
            return Ok(());
        }
        let me = &mut self.me;
        let one = |end: &str| words.strip_suffix(end).filter(|name| !name.contains(' ')).map(String::from);
        let renamed = words.strip_suffix('.').and_then(|words| words.split_once(" is now "));
        let is_so = if let Some(name) = one(" came in.") {
            place.names.as_mut().map(|names| names.insert(name))
        } else if let Some(name) = one(" left.") {
            place.names.as_mut().map(|names| names.remove(&name))
        } else if let Some((was, name)) = renamed.filter(|(was, _)| !was.contains(' ')) {
            if me.as_deref() == Some(was) {
                *me = Some(name.into());
            }
            place.names.as_mut().map(|names| names.remove(was) && names.insert(name.into()))
        } else if let Some((_, list)) = words.split_once(" here: ").filter(|(count, _)| count.parse::<u64>().is_ok()) {
            // An answer from before a gap comes behind it.
            let asked = self.asked_who.pop_front().unwrap_or_default();
            if place.names.is_none() && asked <= place.missed {
                return Ok(());
            }
            let you = list.rsplit_once(" (you").and_then(|(before, _)| before.rsplit(' ').next());
            self.me = you.map(String::from).or(self.me.take());
            let names = names(list);
            let is_so = place.names.as_ref().map(|before| *before == names);
            place.names = Some(names);
            return match is_so {
                Some(false) => wrong(10, "it is not who was told to be here before"),
                _ => Ok(()),
            };
        } else {
            return Ok(());
        };
        match is_so {
            Some(false) => wrong(10, format!("it does not follow from who was here before: now {:?}", place.names)),
            Some(true) => Ok(()),
            None if is_counted => wrong(10, "nobody is told of who comes and goes here"),
            None => Ok(()),
        }
    }

    fn enters(&mut self, model: &Model, since: usize, id: &str, rest: &str) -> Result<(), Violation> {
        if !model.codes_once(id).any(|code| self.letters.contains(code)) {
            return wrong(1, format!("in {id} without its code"));
        }
        let Some((epoch, told)) = model.told(id) else { return wrong(4, "a room that is not open") };
        let number = |text: &str| text.split(' ').next().and_then(|number| number.parse::<u64>().ok());
        // "Last 2 of 815 messages:"; without a backlog nothing says where the room is.
        let (here, backlog) = rest.split_once(". Last ").unwrap_or((rest.trim_end_matches('.'), "0 of ?"));
        let backlog = backlog.split_once(" of ").and_then(|(last, of)| Some((number(last)?, number(of)?)));
        let before = self.heads.get(id).copied().unwrap_or_default().max(model.opened_at(id));
        let (last, head) = backlog.unwrap_or((0, before));
        let due_by = |replay: u64| (head + 1).saturating_sub(BACKLOG.min(replay)).max(1);
        let replays = || model.since(since).map(|facts| facts.limits.replay);
        let due = due_by(replays().max().unwrap_or_default());
        let from = head + 1 - last.min(head);
        if head < before || head > told || last > head || from < due {
            return wrong(2, format!("{id} was at {before} and is at {told}, and {due} was due"));
        }
        let due = due_by(replays().min().unwrap_or_default()).max(model.first(id, epoch));
        if from > due && model.are_surely_held(id, epoch, due, head) {
            return wrong(2, format!("{due} was due and is surely held"));
        }
        let names = here.split_once(" here: ").map(|(_, list)| names(list));
        if model.says_who(id, since).is_some_and(|says_who| names.is_some() != says_who) {
            return wrong(10, "a room says who is there, or how many");
        }
        let me = here.rsplit_once(" (you)").and_then(|(before, _)| before.rsplit(' ').next());
        self.me = me.map(String::from).or(self.me.take());
        let is_vague = backlog.is_none();
        let sub = Sub {
            epoch: epoch.into(),
            next: from,
            backlog: if is_vague { told } else { head },
            is_quiet: false,
            roster: None,
            roles: BTreeMap::new(),
            here: 0,
            here_told: None,
            code: String::new(),
            role: "",
            title: String::new(),
            number: 0,
            begun_at: None,
        };
        let vague = if is_vague { told + 1 } else { 0 };
        self.room = Some(Place { id: id.into(), sub, vague, wavering: 0, names, missed: Instant::default() });
        self.was_in = true;
        self.heads.clear();
        Ok(())
    }

    fn opens_page(&mut self, model: &Model, range: Option<(u64, u64)>) -> Result<(), Violation> {
        let (Some((from, to)), Some(place)) = (range, &self.room) else { return wrong(2, "half a page") };
        let before = self.page_heads.get(&place.id).copied().unwrap_or_default();
        let told = model.told(&place.id).map_or(0, |(_, head)| head);
        let due_by = |page: u64| (to + 1).saturating_sub(self.history.min(page));
        let (due, latest) = (due_by(model.wide().page), due_by(model.narrow().page));
        let first = model.first(&place.id, &place.sub.epoch);
        if to < before || to > told || from < due || from > latest.max(first) {
            return wrong(2, format!("the newest {} of {before} to {told} were asked for", self.history));
        }
        (self.page, self.history) = (Some((from, to)), 0);
        Ok(())
    }

    pub(super) fn is_behind(&self, model: &Model, person: usize) -> Option<String> {
        let place = self.room.as_ref()?;
        let (_, head) = model.told(&place.id)?;
        let mut unseen = place.sub.next.max(place.vague)..=head;
        let missing = unseen.find(|seq| {
            // Two that are the same, and have no token, can't be told from one another.
            let record = model.record(&place.id, &place.sub.epoch, *seq);
            let has_token = record.is_some_and(|record| token(record.text.as_str()).is_some());
            let is_spared = !self.echo || *seq <= place.wavering || !has_token;
            !(is_spared && place.is_own(model, person, *seq, &self.others))
        });
        let record = |seq| model.record(&place.id, &place.sub.epoch, seq);
        missing.map(|seq| format!("{} has {head}, and {seq} is not sent: {:?}", place.id, record(seq)))
    }

    /// Whether it was said before they saw that they are in a room, so that it may be refused, once.
    fn has_said_unseen(&mut self, token: &str, model: &Model) -> bool {
        let is_it = |said: &Typed| said.token.to_string() == token && said.troubles < model.troubles_of(said.token);
        self.said.iter().position(is_it).map(|at| self.said.remove(at)).is_some()
    }

    /// What was said by one who came into a room, stayed there, and then had nothing more to say.
    pub(super) fn whole_script(&self) -> &[Typed] {
        let is_away = |line: &String| ["/join", "/leave", "/quit"].iter().any(|word| line.starts_with(word));
        let has_stayed = self.was_in && !self.others.iter().any(is_away);
        if has_stayed { &self.said } else { &[] }
    }

    /// What this person is called.
    pub(super) fn me(&self) -> Option<&String> {
        self.me.as_ref()
    }

    /// Who this person sees in a room.
    pub(super) fn names(&self, room: &str) -> Option<&BTreeSet<String>> {
        self.room.as_ref().filter(|place| place.id == room)?.names.as_ref()
    }
}
