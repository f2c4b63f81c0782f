//! Tells in words what happens.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use qun_core::client::Event;
use qun_core::json::{Change, ErrorCode, PageMessage, Person};
use qun_core::log::Kind;
use qun_core::{MemberId, Role, RoomId, Seq};

/// A line to show, without its end. Other people's text stands in `text` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What it is.
    pub(super) tone: Tone,
    /// What stands before the text, and how far its further lines are indented.
    pub(super) head: String,
    /// The text; it may have several lines.
    pub(super) text: String,
}

/// What a line is, which decides how and where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Somebody says something.
    Message,
    /// Something about a room.
    Room,
    /// Something about the connection, or that we did wrong: for the person, not for who reads along.
    Aside,
}

impl Line {
    /// A line about a room.
    pub(super) fn room(text: impl Into<String>) -> Self {
        Self { tone: Tone::Room, head: "-- ".into(), text: text.into() }
    }

    /// A line for the person.
    pub(super) fn aside(text: impl Into<String>) -> Self {
        Self { tone: Tone::Aside, head: "-- ".into(), text: text.into() }
    }

    /// The line with its further lines indented and marked, so that no text can look like another line.
    pub(super) fn render(&self) -> String {
        let indent = format!("\n{}| ", " ".repeat(super::layout::width(&self.head)));
        format!("{}{}", self.head, self.text.replace('\n', &indent))
    }
}

/// Remembers what has been told, so that it can tell what is new about the rest.
#[derive(Debug)]
pub(super) struct Scribe {
    server: String,
    me: MemberId,
    zone: TimeZone,
    /// The day of the message that was told last; before the first, today.
    day: Date,
    rooms: HashMap<RoomId, Told>,
    /// The room whose lines need no mark that they are its.
    pub(super) current: Option<RoomId>,
    link: Link,
}

/// What was told of a room.
#[derive(Debug)]
struct Told {
    title: String,
    role: Role,
    /// The oldest message that was told.
    oldest: Option<Seq>,
    /// Whether its next message of this kind begins what the person has not seen.
    news: News,
}

/// Where the line goes that says: from here on it is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// Before the first live message: what came before is what others said without us.
    AtLive,
    /// Before whatever comes: it was said while we were away.
    AtAny,
    /// Nowhere.
    Told,
}

/// What was told of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    New,
    Up,
    Down,
}

impl Scribe {
    /// A scribe who has told nothing, at `now`.
    pub(super) fn new(server: &str, me: MemberId, now: &ZonedDateTime) -> Self {
        let zone = now.time_zone().clone();
        let (rooms, current) = (HashMap::new(), None);
        Self { server: server.into(), me, zone, day: now.date(), rooms, current, link: Link::New }
    }

    /// What people call a room.
    pub(super) fn title<'a>(&'a self, room: &'a RoomId) -> &'a str {
        self.rooms.get(room).map_or(room.as_str(), |told| &told.title)
    }

    /// The oldest message of a room that was told.
    pub(super) fn oldest(&self, room: &RoomId) -> Option<Seq> {
        self.rooms.get(room)?.oldest
    }

    /// Tells what happened; `members` is who is in the room that it is about.
    pub(super) fn tell(&mut self, event: &Event, members: Option<&[Person]>) -> Vec<Line> {
        match event {
            Event::Online { .. } => match std::mem::replace(&mut self.link, Link::Up) {
                // That we are back in our rooms says it too.
                Link::Down if self.rooms.is_empty() => vec![Line::aside("Connected.")],
                Link::New | Link::Up | Link::Down => Vec::new(),
            },
            Event::Offline { bye, .. } => {
                let told = std::mem::replace(&mut self.link, Link::Down);
                let server = &self.server;
                match (bye, told) {
                    (Some(bye), _) => vec![Line::aside(crate::errand::said(bye))],
                    (None, Link::New) => vec![Line::aside(format!("No connection to {server}. Trying again."))],
                    (None, Link::Up) => vec![Line::aside(format!("The connection to {server} is lost. Trying again."))],
                    (None, Link::Down) => Vec::new(),
                }
            }
            Event::Ended { bye } => bye.iter().map(|bye| Line::aside(crate::errand::said(bye))).collect(),
            Event::Joined { re, room, title, role, here, head, topic } => {
                let mut who = self.who(*here, members);
                who.push_str(match role {
                    Role::Read => " You can read here, not speak.",
                    Role::Talk => "",
                    Role::Moderator => " You are a moderator.",
                    Role::Owner => " You are an owner.",
                });
                if let Some(topic) = topic {
                    who.push_str(&format!(" Topic: {topic}"));
                }
                let line = self.joined(re.is_some(), room, title, *here, *head, &who);
                if let Some(told) = self.rooms.get_mut(room) {
                    told.role = *role;
                }
                vec![line]
            }
            Event::Restarted { room } => {
                if let Some(told) = self.rooms.get_mut(room) {
                    told.oldest = None;
                }
                vec![self.about(room, "The history restarted: what was said before is gone from the server.")]
            }
            Event::Message { room, message, live, mine } => self.message(room, message, *live, *mine),
            Event::Lost { room, from, to } => {
                let text = match to.get().saturating_sub(from.get()) + 1 {
                    1 => "1 message is lost here: the server no longer has it.".to_string(),
                    n => format!("{n} messages are lost here: the server no longer has them."),
                };
                vec![self.about(room, &text)]
            }
            Event::Presence { room, change } => self.presence(room, change),
            // How many are in a large room changes all the time; /who says it.
            Event::Here { .. } | Event::Roster { .. } | Event::Delivered { .. } => Vec::new(),
            Event::Left { room, bye, .. } => {
                let title = self.title(room);
                let line = Line::room(match bye {
                    Some(bye) => format!("You are out of {title}: {}", crate::errand::said(bye)),
                    None => format!("You are out of {title}."),
                });
                self.rooms.remove(room);
                vec![line]
            }
            Event::Room { room, title, role } => self.room(room, title, *role),
            Event::Page { room, messages, more, .. } => self.page(room, messages, *more),
            Event::Found { room, messages, from, more, .. } => self.found(room, messages, *from, *more),
            // Everyone is shown what was done, and so are we.
            Event::Done { .. } => Vec::new(),
            Event::Code { label, code, .. } => {
                vec![Line::room(format!("The code {label} is {} now. Only you see this.", code.0))]
            }
            Event::Renamed { name, .. } => vec![Line::room(format!("You are now {name}."))],
            Event::Refused { code, text, left, .. } => vec![Line::aside(refusal(code, text, *left))],
            Event::Unconfirmed { text, .. } => {
                vec![Line {
                    head: "-- Not confirmed, say it again if it is missing: ".into(),
                    ..Line::aside(text.as_str())
                }]
            }
            Event::Notice { text, .. } => vec![Line { head: "-- Notice: ".into(), ..Line::room(text.as_str()) }],
        }
    }

    fn joined(&mut self, asked: bool, room: &RoomId, title: &str, here: u64, head: Seq, who: &str) -> Line {
        let news = match (self.rooms.contains_key(room), head) {
            (true, _) => News::AtAny,
            (false, Seq::ZERO) => News::Told,
            (false, _) => News::AtLive,
        };
        let told = self.rooms.entry(room.clone()).or_insert_with(|| Told {
            title: title.into(),
            role: Role::Talk,
            oldest: None,
            news,
        });
        told.title = title.into();
        told.news = news;
        if !asked && news == News::AtAny {
            return self.about(room, &format!("Back in {title}, {here} here."));
        }
        Line::room(format!("{title}. {who}"))
    }

    /// What we may do in the room that we talk in.
    pub(super) fn role(&self) -> Role {
        let told = self.current.as_ref().and_then(|room| self.rooms.get(room));
        told.map_or(Role::Talk, |told| told.role)
    }

    /// What is new about a room.
    fn room(&mut self, room: &RoomId, title: &str, role: Role) -> Vec<Line> {
        let Some(told) = self.rooms.get_mut(room) else { return Vec::new() };
        let is_retitled = std::mem::replace(&mut told.title, title.into()) != title;
        let has_new_role = std::mem::replace(&mut told.role, role) != role;
        let mut lines = Vec::new();
        if is_retitled {
            lines.push(self.about(room, &format!("The room is called {title} now.")));
        }
        if has_new_role {
            let text = match role {
                Role::Read => "From now on you can read here, not speak.",
                Role::Talk => "You may speak here now.",
                Role::Moderator => "You are a moderator here now.",
                Role::Owner => "You are an owner here now.",
            };
            lines.push(self.about(room, text));
        }
        lines
    }

    /// Who is in a room: `3 here: ann (you), bob, mei.`
    pub(super) fn who(&self, here: u64, members: Option<&[Person]>) -> String {
        const SHOWN: usize = 20;
        let Some(members) = members else { return format!("{here} here.") };
        let mut names: Vec<_> = members
            .iter()
            .take(SHOWN)
            .map(|person| if person.m == self.me { format!("{} (you)", person.name) } else { person.name.to_string() })
            .collect();
        if members.len() > SHOWN {
            names.push(format!("and {} more", members.len() - SHOWN));
        }
        format!("{here} here: {}.", names.join(", "))
    }

    fn message(&mut self, room: &RoomId, message: &PageMessage, live: bool, mine: bool) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(told) = self.rooms.get_mut(room) {
            let is_news = match told.news {
                News::AtLive => live,
                News::AtAny => true,
                News::Told => false,
            };
            if is_news {
                // A line between nothing and something divides nothing, and who speaks has seen what came before.
                if told.oldest.is_some() && !mine {
                    lines.push(Line::room("new --"));
                }
                told.news = News::Told;
            }
            told.oldest = Some(told.oldest.map_or(message.seq, |oldest| oldest.min(message.seq)));
        }
        lines.extend(self.said(room, message));
        lines
    }

    fn page(&mut self, room: &RoomId, messages: &[PageMessage], more: bool) -> Vec<Line> {
        let Some(first) = messages.first() else { return vec![Line::room("There is nothing older.")] };
        if let Some(told) = self.rooms.get_mut(room) {
            told.oldest = Some(told.oldest.map_or(first.seq, |oldest| oldest.min(first.seq)));
        }
        let mut lines = vec![Line::room(format!("Older messages of {}:", self.title(room)))];
        for message in messages {
            lines.extend(self.said(room, message));
        }
        lines.push(Line::room(if more { "That was older; /history shows more." } else { "That was all there is." }));
        lines
    }

    fn found(&mut self, room: &RoomId, messages: &[PageMessage], from: Seq, more: bool) -> Vec<Line> {
        let (head, end) = match (messages, more) {
            ([], false) => return vec![Line::room("No message has that.")],
            ([], true) => {
                let text = format!("No message from {from} on has that; older ones can't be looked at yet.");
                return vec![Line::room(text)];
            }
            (_, false) => ("Found in", "That was all that has it."),
            (_, true) => ("The newest found in", "There may be more: more words find fewer."),
        };
        let mut lines = vec![Line::room(format!("{head} {}:", self.title(room)))];
        for message in messages {
            lines.extend(self.numbered(room, message, &format!("#{} ", message.seq)));
        }
        lines.push(Line::room(end));
        lines
    }

    /// A message, and the day where it is another one than before.
    fn said(&mut self, room: &RoomId, message: &PageMessage) -> Vec<Line> {
        self.numbered(room, message, "")
    }

    fn numbered(&mut self, room: &RoomId, message: &PageMessage, number: &str) -> Vec<Line> {
        let ts = i64::try_from(message.ts).ok().and_then(|ts| Timestamp::from_millisecond(ts).ok()).unwrap_or_default();
        let at = ts.to_zoned_datetime(self.zone.clone());
        let mut lines = Vec::new();
        if at.date() != self.day {
            self.day = at.date();
            lines.push(Line::room(format!("{} --", at.strftime("%A, %Y-%m-%d"))));
        }
        let name = &message.name;
        let name = match message.kind {
            Kind::Me => format!("* {name}"),
            // Nobody says what begins so.
            Kind::Act(_) => format!("-- {name}"),
            Kind::Say | Kind::Removed => format!("<{name}>"),
        };
        let mark = self.mark(room);
        let head = format!("{mark}{} {number}{name} ", at.strftime("%H:%M"));
        // A tab is as wide as the terminal likes, which is no width to wrap lines by.
        let text = message.text.as_str().replace('\t', "    ");
        lines.push(Line { tone: Tone::Message, head, text });
        lines
    }

    fn presence(&self, room: &RoomId, change: &Change) -> Vec<Line> {
        let text = match change {
            Change::In { m, .. } | Change::Out { m, .. } | Change::Name { m, .. } if *m == self.me => {
                return Vec::new();
            }
            Change::In { name, .. } => format!("{name} is here."),
            Change::Out { name, why, .. } if why.as_deref() == Some("lost") => format!("{name} lost the connection."),
            Change::Out { name, .. } => format!("{name} left."),
            Change::Name { name, was, .. } => format!("{was} is now {name}."),
            // Whom it concerns is told by the room, and why by whoever gave it.
            Change::Role { .. } | Change::Unknown => return Vec::new(),
        };
        vec![self.about(room, &text)]
    }

    /// A line about a room, which it names where it is not the one that the person talks in.
    fn about(&self, room: &RoomId, text: &str) -> Line {
        Line::room(format!("{}{text}", self.mark(room)))
    }

    fn mark(&self, room: &RoomId) -> String {
        match &self.current {
            Some(current) if current != room => format!("[{room}] "),
            _ => String::new(),
        }
    }
}

/// A refusal in words, with the tries that are left.
pub(super) fn refusal(code: &ErrorCode, text: &str, left: Option<u64>) -> String {
    crate::errand::refusal(code, text, left).to_string()
}

#[cfg(test)]
mod tests {
    use qun_core::{Entropy, Id};

    use super::*;

    fn scribe() -> Scribe {
        let now = "2026-02-17T14:00:00+00:00[UTC]".parse().unwrap();
        Scribe::new("127.0.0.1:7777", MemberId::from_bits(0), &now)
    }

    fn room() -> RoomId {
        "ops".parse().unwrap()
    }

    fn joined(asked: bool, head: u64) -> Event {
        let id = Id::generate(&mut Entropy::new([1; 32]));
        Event::Joined {
            re: asked.then_some(id),
            room: room(),
            title: "On-call".into(),
            role: Role::Talk,
            topic: None,
            here: 2,
            head: Seq::new(head),
        }
    }

    fn message(seq: u64, at: &str, text: &str, live: bool) -> Event {
        let ts: Timestamp = at.parse().unwrap();
        Event::Message {
            room: room(),
            message: PageMessage {
                seq: Seq::new(seq),
                ts: u64::try_from(ts.as_millisecond()).unwrap(),
                m: MemberId::from_bits(16),
                name: "bob".parse().unwrap(),
                kind: Kind::Say,
                text: text.parse().unwrap(),
                id: None,
            },
            live,
            mine: false,
        }
    }

    fn told(scribe: &mut Scribe, events: &[Event]) -> Vec<String> {
        events.iter().flat_map(|event| scribe.tell(event, None)).map(|line| line.render()).collect()
    }

    #[test]
    fn a_line_divides_what_was_said_before_from_what_is_new() {
        let mut scribe = scribe();
        let events = [
            joined(true, 1),
            message(1, "2026-02-16T09:00:00Z", "before", false),
            message(2, "2026-02-17T14:01:00Z", "now", true),
            message(3, "2026-02-17T14:02:00Z", "and now", true),
            joined(false, 4),
            message(4, "2026-02-17T14:03:00Z", "missed", false),
        ];
        assert_eq!(
            told(&mut scribe, &events),
            [
                "-- On-call. 2 here.",
                "-- Monday, 2026-02-16 --",
                "09:00 <bob> before",
                "-- new --",
                "-- Tuesday, 2026-02-17 --",
                "14:01 <bob> now",
                "14:02 <bob> and now",
                "-- Back in On-call, 2 here.",
                "-- new --",
                "14:03 <bob> missed",
            ]
        );
    }

    #[test]
    fn the_first_words_of_a_room_are_not_divided_from_nothing() {
        let events = [joined(true, 0), message(1, "2026-02-17T14:01:00Z", "first", true)];
        assert_eq!(told(&mut scribe(), &events), ["-- On-call. 2 here.", "14:01 <bob> first"]);
    }

    #[test]
    fn what_was_found_has_its_day_its_time_and_its_number() {
        let found = |messages: Vec<PageMessage>, from, more| {
            let re = Id::generate(&mut Entropy::new([2; 32]));
            Event::Found { re, room: room(), messages, from: Seq::new(from), more }
        };
        let old = message(612, "2026-02-16T09:00:00Z", "deploy", false);
        let Event::Message { message: old, .. } = old else { unreachable!() };
        let events = [
            joined(true, 700),
            found(vec![old], 1, false),
            found(vec![], 1, false),
            found(vec![], 400, true),
            message(701, "2026-02-17T14:01:00Z", "now", true),
        ];
        assert_eq!(
            told(&mut scribe(), &events)[1..],
            [
                "-- Found in On-call:",
                "-- Monday, 2026-02-16 --",
                "09:00 #612 <bob> deploy",
                "-- That was all that has it.",
                "-- No message has that.",
                "-- No message from 400 on has that; older ones can't be looked at yet.",
                "-- Tuesday, 2026-02-17 --",
                "14:01 <bob> now",
            ]
        );
    }

    #[test]
    fn no_text_can_forge_a_line() {
        let events = [message(1, "2026-02-17T14:01:00Z", "one\n14:02 <ann> two", true)];
        assert_eq!(told(&mut scribe(), &events), ["14:01 <bob> one\n            | 14:02 <ann> two"]);
    }

    #[test]
    fn another_room_is_named() {
        let mut scribe = scribe();
        scribe.current = Some("hall".parse().unwrap());
        let events = [message(1, "2026-02-17T14:01:00Z", "hi", true)];
        assert_eq!(told(&mut scribe, &events), ["[ops] 14:01 <bob> hi"]);
    }

    #[test]
    fn what_is_new_about_a_room_is_told_and_why_it_ends() {
        let news = |title: &str, role| Event::Room { room: room(), title: title.into(), role };
        let bye = qun_core::client::Bye {
            code: qun_core::json::ByeCode::RoomClosed,
            retry: qun_core::json::Retry::No,
            text: "The room is closed.".into(),
        };
        let events = [
            joined(true, 0),
            news("Day shift", Role::Talk),
            news("Day shift", Role::Read),
            news("Day shift", Role::Talk),
            Event::Left { re: None, room: room(), bye: Some(bye) },
        ];
        assert_eq!(
            told(&mut scribe(), &events)[1..],
            [
                "-- The room is called Day shift now.",
                "-- From now on you can read here, not speak.",
                "-- You may speak here now.",
                "-- You are out of Day shift: The room is closed.",
            ]
        );
    }

    #[test]
    fn a_lost_connection_is_told_once() {
        let offline = |attempt| Event::Offline { attempt, retry_at: qun_core::Instant::from_micros(0), bye: None };
        let online = Event::Online { member: MemberId::from_bits(0), name: "ann".parse().unwrap(), resumed: true };
        assert_eq!(
            told(&mut scribe(), &[online.clone(), offline(1), offline(2), online.clone()]),
            ["-- The connection to 127.0.0.1:7777 is lost. Trying again.", "-- Connected."]
        );
        assert_eq!(
            told(&mut scribe(), &[offline(1), online]),
            ["-- No connection to 127.0.0.1:7777. Trying again.", "-- Connected."]
        );
    }
}
