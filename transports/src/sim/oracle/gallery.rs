//! Those at court who sit at netcat: what they type, and whether what they read is so.

use qun_core::{Instant, Role};

use super::Violation;
use super::model::{Model, canonical};
use super::reasons::Want;
use super::rules::{Mark, Rules, folded};
use super::seat::wrong;
use super::wire::Wire;
use crate::sim::incident::Incident;

impl Wire {
    /// Somebody at netcat types a line.
    pub(super) fn court_types(&mut self, model: &mut Model, now: Instant, person: usize, line: &str) {
        if self.seat.came.is_none() {
            self.seat.came = Some(model.court_asks(now, Want::Say, None));
        }
        if let Some(name) = self.seat.login.take() {
            return model.logs_in(now, self.source, person, Some(&name), Some(line));
        }
        self.seat.login = line.strip_prefix("/login ").map(String::from);
        if let Some(account) =
            model.logins.account_of(person).cloned().filter(|_| canonical(line).contains(&model.court.lodge))
        {
            model.court.lodgers.entry(account).or_default();
        }
        // What is typed by one who was put out is taken for a code.
        model.people.tries(now, self.source);
        line.split_whitespace().for_each(|word| model.people.named(person, word));
    }

    /// And reads one: of what is asked for there nobody knows which line an answer is to, so a reason is right if it was at any
    /// time since they came.
    pub(super) fn court_is_told(&mut self, model: &mut Model, person: usize, line: &str) -> Result<(), Violation> {
        let Some((_, words)) = line.split_once("-- ") else { return Ok(()) };
        let named = words.split_once(" is taken: you are ").map(|(_, name)| name).or(words.strip_prefix("You are "));
        let listed = words.split_once(" (you").and_then(|(before, _)| before.rsplit([' ', ':']).next());
        let name = named.and_then(|name| name.trim_end().strip_suffix('.')).or(listed);
        self.seat.names.extend(name.filter(|name| !name.contains(' ')).map(folded));
        let Some(came) = &self.seat.came else { return Ok(()) };
        let (counted, clocks) = (model.has_counted(came), model.clocks(came));
        let seat = &self.seat;
        let is_mine = |mark: &Mark| match mark {
            Mark::Member(m) => {
                // Whoever is somebody's account, or has said nothing yet, is not known by that.
                let known = model.court.members.get(m);
                known.is_none_or(|known| *known == person) || model.logins.is_account(m)
            }
            Mark::Name(name) => seat.names.is_empty() || seat.names.iter().any(|had| model.may_be_called(had, name)),
            Mark::Source(source) => *source == self.source,
        };
        let is_low = model.court.lowest(person).is_none_or(|least| least < Role::Moderator);
        let is_so = if words.starts_with("You may not speak here") {
            let counts = |rules: &Rules| rules.mutes.iter().any(|(mark, mute)| is_mine(mark) && mute.until > clocks.0);
            counted.iter().any(|rules| counts(rules))
        } else if words.starts_with("You are banned from that room") {
            let is_banned = |rules: &Rules| rules.bans.iter().any(|(mark, ban)| is_mine(mark) && ban.until > clocks.0);
            let counts = |rules: &Rules| is_banned(rules) || rules.hidden > clocks.0;
            counted.iter().any(|rules| counts(rules))
        } else if words.starts_with("The room is closed to all but") {
            is_low && counted.iter().any(|rules| rules.is_closed)
        } else if let Some(role) = words.strip_prefix("That takes the role ") {
            let needs = role.trim_end().strip_suffix('.').and_then(Role::named);
            needs.is_none_or(|needs| model.court.lowest(person).is_none_or(|least| least < needs))
        } else if words.starts_with("Only people with an account come in here") {
            true
        } else if words.starts_with("You were put out of that room while") {
            // Nobody who has no key comes back.
            false
        } else {
            return Ok(());
        };
        if !is_so {
            return wrong(format!("somebody called {:?} is told so, and there is no reason", seat.names));
        }
        model.court.counts(Incident::ToldAtNetcat);
        Ok(())
    }
}
