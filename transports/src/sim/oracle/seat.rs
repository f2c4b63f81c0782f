//! A connection of somebody at court: what is asked for on it, and whether what is answered is right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use qun_core::log::Kind;
use qun_core::{Act, Instant, Role};

use super::Violation;
use super::json::Json;
use super::model::{Model, canonical};
use super::order::{is_order, needs};
use super::reasons::{Asked, Order, View, Want, Who};
use super::rules::folded;
use super::wire::Wire;
use crate::sim::court::{COURT, LODGE};
use crate::sim::incident::Incident;

/// The rooms of those who keep order, as they are on one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Seat {
    me: Option<String>,
    name: String,
    is_account: bool,
    /// Whether its session may be in the rooms already, though not here.
    is_resumed: bool,
    /// The newest message as they came in, while they are in; up to where everything was surely done then; the next one; and by which code they came.
    since: Option<u64>,
    done: u64,
    next: u64,
    code: Option<String>,
    /// What they are told of who is there.
    view: Option<Arc<View>>,
    /// Who was kicked, and is not told to have gone.
    kicked: Option<String>,
    /// Whether they have asked to leave.
    leaves: bool,
    /// Whether they are in the room without guests.
    lodges: bool,
    /// What has no answer.
    asked: BTreeMap<String, Asked>,
    /// As whom, and with which password, it says hello.
    hello: (String, Option<String>),
    /// Whose password the next line at netcat is.
    pub(super) login: Option<String>,
    /// By what they came in, or what they typed first; and what they are called at netcat.
    pub(super) came: Option<Asked>,
    pub(super) names: BTreeSet<String>,
}

impl Seat {
    /// Something else is told of who is there.
    fn sees(&mut self, change: impl FnOnce(&mut View)) {
        let Some(view) = &self.view else { return };
        let mut new = (**view).clone();
        change(&mut new);
        if new != **view {
            self.shows(new);
        }
    }

    fn shows(&mut self, view: View) {
        let view = Arc::new(view);
        self.asked.values_mut().for_each(|asked| asked.views.push(view.clone()));
        self.view = Some(view);
    }

    fn who(&self, person: usize, source: usize) -> Who {
        let m = self.me.clone().unwrap_or_default();
        Who { person, m, name: self.name.clone(), source, is_account: self.is_account }
    }
}

impl Wire {
    /// Somebody at court sends a line.
    pub(super) fn court_says(&mut self, model: &mut Model, now: Instant, person: usize, line: &str) {
        let request = Json::read(line.as_bytes());
        self.stranger.counts_join(request.as_ref(), line);
        model.court_hears(person, line, request.as_ref());
        let Some(request) = request else { return self.court_types(model, now, person, line) };
        if let (Some("hello"), Some(name)) = (request.text("t"), request.text("name")) {
            model.people.named(person, name);
            model.logs_in(now, self.source, person, Some(name), request.text("password"));
            self.seat.hello = (name.into(), request.text("password").map(String::from));
        }
        if request.text("t") == Some("bye") {
            self.is_leaving = true;
        }
        self.seat.leaves |= request.text("t") == Some("leave") && request.text("room") == Some(COURT);
        let Some(id) = request.text("id") else { return };
        let want = match request.text("t").unwrap_or_default() {
            "say" if request.text("room") == Some(COURT) => Want::Say,
            "join" => {
                let code = request.text("code").map(canonical);
                let is_lodge = code.as_ref() == Some(&model.court.lodge);
                let room = request.text("room").unwrap_or(if is_lodge { LODGE } else { COURT });
                if let Some(code) = &code {
                    model.comes_with(code);
                    // A room that is not open may not know it.
                    model.people.tries(now, self.source);
                }
                if let Some(account) = model.logins.account_of(person).cloned().filter(|_| room == LODGE) {
                    model.court.lodgers.entry(account).or_default();
                }
                Want::Join { room: room.into(), code }
            }
            what if is_order(what) => match Order::read(&request) {
                Some(order) => Want::Order(order),
                None => return,
            },
            _ => return,
        };
        let asked = model.court_asks(now, want, self.seat.view.as_ref());
        self.seat.asked.insert(id.into(), asked);
    }

    /// And reads one.
    pub(super) fn court_reads(&mut self, model: &mut Model, person: usize, line: &str) -> Result<(), Violation> {
        // What has waited, or a part of it, may have been written before.
        if self.is_prompt {
            model.is_taken_back(line)?;
        }
        let Some(frame) = Json::read(line.as_bytes()).filter(|_| line.starts_with('{')) else {
            return self.court_is_told(model, person, line);
        };
        let room = frame.text("room").or_else(|| frame.get("room")?.text("id"));
        match frame.text("t").unwrap_or_default() {
            "welcome" => self.court_welcomes(model, person, &frame),
            "joined" => self.court_lets_in(model, person, &frame),
            "left" => self.court_lets_out(model, person, &frame),
            "msg" if room == Some(COURT) => self.court_message(model, &frame),
            "room" if room == Some(COURT) => self.court_tells_role(model, person, &frame),
            "presence" if room == Some(COURT) => {
                self.court_presence(&frame);
                Ok(())
            }
            "gap" if room == Some(COURT) => {
                self.seat.next = frame.number("to").map_or(self.seat.next, |to| to + 1);
                let roster = roster(&frame);
                self.seat.kicked = None;
                self.seat.asked.values_mut().for_each(|asked| asked.is_vague = true);
                self.court_misses(model, &frame);
                self.seat.sees(|view| view.roster = roster);
                Ok(())
            }
            "ok" | "code" => self.court_does(model, person, &frame),
            "error" => self.court_refuses(model, person, &frame),
            "bye" => {
                self.is_over = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn court_tells_role(&mut self, model: &Model, person: usize, frame: &Json) -> Result<(), Violation> {
        let role = frame.get("room").and_then(|room| Role::named(room.text("role")?)).unwrap_or_default();
        let who = self.seat.who(person, self.source);
        let code = self.seat.code.as_ref();
        if self.seat.came.as_ref().is_some_and(|came| !model.may_have_role(came, &who, code, role)) {
            return wrong(format!("{who:?}, who came by {code:?}, is told to be {role}"));
        }
        self.seat.sees(|view| view.role = role);
        Ok(())
    }

    fn court_welcomes(&mut self, model: &mut Model, person: usize, frame: &Json) -> Result<(), Violation> {
        let (m, name) = (frame.text("m").unwrap_or_default(), frame.text("name").unwrap_or_default());
        let (wanted, password) = &self.seat.hello;
        model.is_let_in(frame, wanted, password.as_deref(), 0)?;
        model.is_theirs(name, m)?;
        model.people.named(person, name);
        model.court.members.insert(m.into(), person);
        model.court.sources.insert(m.into(), self.source);
        model.court.names.entry(m.into()).or_default().insert(folded(name));
        let seat = &mut self.seat;
        (seat.me, seat.name) = (Some(m.into()), name.into());
        seat.is_account = frame.get("account").is_some();
        seat.is_resumed = frame.get("resumed") == Some(&Json::Bool(true));
        if !seat.is_account {
            model.court.keyed.insert(m.into());
        }
        Ok(())
    }

    fn court_lets_in(&mut self, model: &mut Model, person: usize, frame: &Json) -> Result<(), Violation> {
        let asked = frame.text("re").and_then(|re| self.seat.asked.remove(re));
        let Some(at) = frame.get("room") else { return Ok(()) };
        let role = at.text("role").and_then(Role::named).unwrap_or_default();
        let who = self.seat.who(person, self.source);
        let code = match asked.as_ref().map(|asked| &asked.want) {
            Some(Want::Join { code, .. }) => code.clone(),
            _ => return wrong("somebody comes in who has not asked for it"),
        };
        if at.text("id") == Some(LODGE) {
            return self.lodge_lets_in(model, &who, code.as_ref());
        }
        let is_in = (self.seat.since.is_some(), self.seat.since.is_some() || self.seat.is_resumed);
        if let Some(asked) = &asked {
            model.may_come_in(asked, &who, code.as_ref(), role, is_in)?;
            model.is_told_of_kick(asked, &who)?;
            if !model.may_be_about(asked, at) {
                return wrong(format!(
                    "that is not what the court was like, where it was {:?}",
                    model.has_counted(asked)
                ));
            }
        }
        model.court.away.remove(&who.m);
        match &code {
            Some(code) if model.court.heard.contains_key(code) => {
                if !is_in.1 && !who.is_account {
                    model.has_come_by(code);
                }
                model.court.counts(Incident::ByMade);
            }
            Some(_) => {}
            None => model.court.counts(Incident::ByName),
        }
        let seat = &mut self.seat;
        let head = frame.number("head").unwrap_or_default();
        let done = asked.as_ref().and_then(|asked| asked.done.as_ref()).map_or(0, |(_, done)| *done);
        (seat.since, seat.done, seat.came) = (Some(head), done.min(head), asked);
        seat.next = frame.number("from").unwrap_or_default();
        (seat.code, seat.kicked) = (code, None);
        seat.shows(View { me: who.m, role, roster: roster(frame) });
        Ok(())
    }

    fn lodge_lets_in(&mut self, model: &mut Model, who: &Who, code: Option<&String>) -> Result<(), Violation> {
        if !who.is_account {
            return wrong("a guest is let into a room that takes none");
        }
        let account = folded(&who.name);
        let epoch = model.told(LODGE).map(|(epoch, _)| epoch.to_string());
        if code.is_some() {
            model.court.lodgers.insert(account, epoch);
            model.court.counts(Incident::Lodged);
        } else if model.court.lodgers.contains_key(&account) {
            model.court.counts(Incident::LodgedByName);
        } else {
            return wrong("an account comes by the name of a room to which it never came by a code");
        }
        self.seat.lodges = true;
        Ok(())
    }

    fn court_lets_out(&mut self, model: &mut Model, person: usize, frame: &Json) -> Result<(), Violation> {
        if frame.text("room") == Some(LODGE) {
            self.seat.lodges = false;
            return Ok(());
        }
        let who = self.seat.who(person, self.source);
        let since = self.seat.since.take().map_or(0, |_| self.seat.done);
        self.seat.view = None;
        self.seat.is_resumed = false;
        let Some(code) = frame.text("code") else { return Ok(()) };
        let epoch = model.told(COURT).map(|(epoch, _)| epoch.to_string()).unwrap_or_default();
        let is_so = match code {
            // Whoever becomes somebody else may be banned since before.
            "kicked" | "banned" => {
                let since = if code == "kicked" { since } else { 0 };
                model.court.puts_out(&who, code, &epoch, since, None)
            }
            "code_changed" => {
                let made = self.seat.code.as_ref().and_then(|code| model.court.heard.get(code)?.seq);
                model.court.puts_out(&who, code, &epoch, since, made)
            }
            _ => false,
        };
        if !is_so {
            return wrong(format!("{who:?} is put out as {code}, and nothing has done that"));
        }
        model.court.counts(match code {
            "kicked" => Incident::PutOut,
            "banned" => Incident::BannedOut,
            _ => Incident::CodeChanged,
        });
        Ok(())
    }

    fn court_message(&mut self, model: &mut Model, frame: &Json) -> Result<(), Violation> {
        let Some(since) = self.seat.since else { return wrong("a message to somebody who is out") };
        let seq = frame.number("seq").unwrap_or_default();
        model.is_put_out(self.seat.me.as_ref(), since, seq)?;
        self.seat.next = seq + 1;
        if let Some(id) = frame.text("id")
            && frame.text("m") == self.seat.me.as_deref()
        {
            self.seat.asked.remove(id);
        }
        // Nothing that was said here is appended behind an act before it is done.
        if let Some(m) = self.seat.kicked.take_if(|_| frame.text("id").is_some()) {
            return wrong(format!("{m} was kicked before {seq}, and is still there"));
        }
        if frame.text("kind") == Some("kick") && seq > since {
            let on = frame.get("act").and_then(|act| act.get("on")?.text("m"));
            let there = on.filter(|on| self.seat.view.as_ref().is_some_and(|view| view.roster.contains_key(*on)));
            self.seat.kicked = there.map(String::from);
        }
        Ok(())
    }

    /// What was said here and missed has had its echo.
    fn court_misses(&mut self, model: &Model, frame: &Json) {
        let epoch = model.told(COURT).map(|(epoch, _)| epoch).unwrap_or_default();
        let range = frame.number("from").unwrap_or_default()..=frame.number("to").unwrap_or_default();
        for id in range.filter_map(|seq| model.record(COURT, epoch, seq)?.id) {
            self.seat.asked.remove(id.as_str());
        }
    }

    fn court_presence(&mut self, frame: &Json) {
        let (Some(m), Some(name)) = (frame.text("m"), frame.text("name")) else { return };
        let role = frame.text("role").and_then(Role::named).unwrap_or_default();
        if matches!(frame.text("ev"), Some("in" | "out")) {
            self.seat.kicked.take_if(|kicked| kicked == m);
        }
        self.seat.sees(|view| {
            let before = view.roster.get(m).map_or(role, |(_, role)| *role);
            match frame.text("ev").unwrap_or_default() {
                "in" | "role" => _ = view.roster.insert(m.into(), (folded(name), role)),
                "name" => _ = view.roster.insert(m.into(), (folded(name), before)),
                "out" => _ = view.roster.remove(m),
                _ => {}
            }
        });
    }

    /// An order is done, or something was said before.
    fn court_does(&mut self, model: &mut Model, person: usize, frame: &Json) -> Result<(), Violation> {
        let re = frame.text("re").unwrap_or_default();
        let Some(asked) = self.seat.asked.remove(re) else { return Ok(()) };
        let Want::Order(order) = &asked.want else { return Ok(()) };
        let me = self.seat.me.clone().unwrap_or_default();
        if model.most(&me).is_some_and(|most| most < needs(&order.what)) {
            return wrong(format!("{} is done for {person} who is {:?} at most", order.what, model.most(&me)));
        }
        if !model.may_answer_order(&asked, order, "ok", self.seat.since.is_some()) {
            return wrong(format!("{order:?} is done, and there is a reason to refuse it"));
        }
        if frame.text("t") == Some("code") {
            let code = canonical(frame.text("code").unwrap_or_default());
            model.hears_code(&asked, order, &me, self.seat.next, code);
            model.court.counts(Incident::CodeMade);
            return Ok(());
        }
        model.court.counts(Incident::Done);
        let seq = frame.number("seq").unwrap_or_default();
        let epoch = model.told(COURT).map(|(epoch, _)| epoch).unwrap_or_default();
        let record = model.record(COURT, epoch, seq);
        let is_it =
            |record: &&qun_core::log::Record| record.kind.name() == order.what && record.member.to_string() == me;
        if record.filter(is_it).is_none() {
            return wrong(format!("{order:?} is done at {seq}, where the log has {record:?}"));
        }
        if let Some(Kind::Act(act)) = record.map(|record| &record.kind)
            && let Act::Ban { until, .. } | Act::Mute { until, .. } = &**act
        {
            let (least, most) = model.clocks(&asked);
            let until_then = |clock: u64| order.for_s.map(|s| clock + 1_000 * s);
            if *until < until_then(least) || *until > until_then(most) {
                return wrong(format!("{order:?} lasts until {until:?}, and the clock showed {least} to {most}"));
            }
        }
        // Somebody who is out by now was told of nothing behind that.
        if self.seat.since.is_some() && self.seat.next <= seq {
            return wrong(format!("{order:?} is done at {seq}, and {} is to come", self.seat.next));
        }
        Ok(())
    }

    fn court_refuses(&mut self, model: &mut Model, person: usize, frame: &Json) -> Result<(), Violation> {
        let (re, code) = (frame.text("re").unwrap_or_default(), frame.text("code").unwrap_or_default());
        let Some(asked) = self.seat.asked.remove(re) else { return Ok(()) };
        let who = self.seat.who(person, self.source);
        let is_in = self.seat.since.is_some();
        let is_so = match &asked.want {
            Want::Say => model.may_refuse_say(&asked, &who, code, is_in),
            Want::Order(order) => model.may_answer_order(&asked, order, code, is_in),
            Want::Join { room, code: tried } if room == LODGE => {
                self.may_refuse_lodger(model, &asked, &who, tried.as_ref(), code)
            }
            Want::Join { code: tried, .. } => model.may_refuse_join(&asked, &who, tried.as_ref(), code, is_in),
        };
        if !is_so {
            let counted = model.has_counted(&asked);
            let last = counted.last();
            return wrong(format!("{who:?} is refused as {code}, and there is no reason: {asked:?}; {last:?}"));
        }
        if code == "kicked" {
            model.court.away.remove(&who.m);
            model.court.tells_of_put_out(&who);
            self.seat.is_resumed = false;
        }
        let incident = match (code, &asked.want) {
            ("forbidden", _) => Incident::Forbidden,
            ("not_found", _) => Incident::NotFound,
            ("bad_field", _) => Incident::Unfit,
            ("muted", _) => Incident::Muted,
            ("closed", _) => Incident::Closed,
            ("banned", _) => Incident::Banned,
            ("kicked", _) => Incident::Kicked,
            ("code_expired", _) => Incident::CodeOver,
            ("no_guests", _) => Incident::NoGuests,
            ("not_member", Want::Join { .. }) => Incident::NotByName,
            _ => return Ok(()),
        };
        model.court.counts(incident);
        Ok(())
    }

    /// Whether somebody may be refused so who wants to be in the room without guests.
    fn may_refuse_lodger(&self, model: &Model, asked: &Asked, who: &Who, code: Option<&String>, answer: &str) -> bool {
        let limits = &model.facts.limits;
        match answer {
            "no_guests" => !who.is_account && code.is_some(),
            "not_member" => {
                let epoch = model.told(LODGE).map(|(epoch, _)| epoch);
                let came = model.court.lodgers.get(&folded(&who.name)).and_then(Option::as_deref);
                // Before the room is open the log may not have said who came.
                let has_come = who.is_account && came.is_some() && came == epoch && asked.is_open;
                code.is_none() && !has_come && !self.seat.lodges
            }
            "unavailable" => model.is_unavailable(LODGE, asked),
            "room_full" => limits.full_members < 20 || limits.rooms <= 2,
            "slow_down" => limits.acts_burst > 0,
            "locked" => code.is_some(),
            _ => false,
        }
    }

    /// The connection is over. Where it is cut, whoever is in the court by it, and had neither asked to leave nor said goodbye,
    /// is held there.
    pub(super) fn court_is_over(&self, model: &mut Model, now: Instant, is_cut: bool) {
        // What they were answered on it may be that they were kicked, and has reached nobody.
        let is_on_the_way = self.seat.asked.values().any(|asked| matches!(asked.want, Want::Join { .. }));
        if let Some(m) = self.seat.me.as_ref().filter(|_| is_on_the_way) {
            model.court.away.remove(m);
        }
        if !is_cut {
            return;
        }
        let is_staying = !self.is_over && !self.is_leaving && !self.is_ended && !self.seat.leaves;
        if let Some(m) =
            self.seat.me.clone().filter(|_| is_staying && self.seat.since.is_some() && !self.seat.is_account)
        {
            model.court.away.insert(m, now);
        }
    }

    /// Something that has no answer.
    pub(super) fn court_unsettled(&self) -> Option<String> {
        let (id, asked) = self.seat.asked.first_key_value().filter(|_| !self.is_over && !self.is_leaving)?;
        Some(format!("{:?} ({id}) has no answer", asked.want))
    }
}

/// Who is in the room, as a frame tells it, and as what.
fn roster(frame: &Json) -> BTreeMap<String, (String, Role)> {
    let members = frame.list("members").unwrap_or_default().iter();
    let role = |member: &Json| member.text("role").and_then(Role::named).unwrap_or_default();
    let person = |member: &Json| Some((member.text("m")?.to_string(), (folded(member.text("name")?), role(member))));
    members.filter_map(person).collect()
}

pub(super) fn wrong<T>(text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::new(14, text))
}
