//! Tells in words what happens: here where we are and who is there, in `messages` what was said.

mod messages;

use std::collections::HashMap;

use jiff::ZonedDateTime;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use qun_core::client::Event;
use qun_core::json::{self, Change, ErrorCode, Person};
use qun_core::{MemberId, Name, Role, RoomId, Seq};

use super::line::Line;

/// Remembers what has been told, so that it can tell what is new about the rest.
#[derive(Debug)]
pub(super) struct Scribe {
    server: String,
    me: MemberId,
    /// What we want to be called, and what we were told that we are.
    wanted: Option<Name>,
    called: Option<Name>,
    account: Option<Name>,
    /// The rooms that our account may enter by their ids.
    open: Vec<json::Room>,
    zone: TimeZone,
    /// The day of the message that was told last; before the first, today.
    day: Date,
    rooms: HashMap<RoomId, Told>,
    /// The room whose lines need no mark that they are its.
    pub(super) current: Option<RoomId>,
    link: Link,
    /// Whether we came back as somebody else without having been away, as far as the person knows.
    is_recast: bool,
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
    pub(super) fn new(server: &str, me: MemberId, wanted: Option<Name>, now: &ZonedDateTime) -> Self {
        Self {
            server: server.into(),
            me,
            wanted,
            called: None,
            account: None,
            open: Vec::new(),
            zone: now.time_zone().clone(),
            day: now.date(),
            rooms: HashMap::new(),
            current: None,
            link: Link::New,
            is_recast: false,
        }
    }

    /// Whom to log in as where nobody is named.
    pub(super) fn name(&self) -> Option<&Name> {
        self.wanted.as_ref().or(self.called.as_ref())
    }

    /// The rooms that our account may enter by their ids.
    pub(super) fn open(&self) -> &[json::Room] {
        &self.open
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
            Event::Online { re, member, name, account, rooms, .. } => {
                self.me = *member;
                let was = std::mem::replace(&mut self.link, Link::Up);
                self.is_recast = was == Link::Up;
                let mut lines = Vec::new();
                // That we are back in our rooms says it too.
                if was == Link::Down && self.rooms.is_empty() {
                    lines.push(Line::aside("Connected."));
                }
                lines.extend(self.called(name, account.as_ref()));
                lines.extend(self.logged_in(re.is_some(), account.as_ref(), rooms));
                lines
            }
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
            Event::Joined { re: None, room, title, role, .. } if self.is_recast && self.rooms.contains_key(room) => {
                self.room(room, title, *role)
            }
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
            Event::Renamed { name, .. } => {
                (self.wanted, self.called) = (Some(name.clone()), Some(name.clone()));
                vec![Line::room(format!("You are now {name}."))]
            }
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

    /// What we are called, where it is not what we want to be called.
    fn called(&mut self, name: &Name, account: Option<&Name>) -> Option<Line> {
        if account.is_some() {
            self.wanted = Some(name.clone());
        }
        let is_news = self.called.replace(name.clone()).as_ref() != Some(name);
        let wanted = self.wanted.as_ref().filter(|wanted| is_news && *wanted != name)?;
        Some(Line::aside(format!("{wanted} is taken: you are {name}. If it is yours: /login {wanted}")))
    }

    /// Who we have proved to be, and where that lets us in.
    fn logged_in(&mut self, asked: bool, account: Option<&Name>, rooms: &[json::Room]) -> Vec<Line> {
        let is_news = asked || self.account.as_ref() != account;
        let opens = self.open != rooms;
        (self.account, self.open) = (account.cloned(), rooms.to_vec());
        let mut lines = Vec::new();
        if let Some(account) = account.filter(|_| is_news) {
            lines.push(Line::aside(format!("You are logged in as {account}.")));
        }
        if !rooms.is_empty() && (is_news || opens) {
            let rooms: Vec<_> = rooms.iter().map(|room| room.id.as_str()).collect();
            lines.push(Line::aside(format!("/join takes you without a code to: {}", rooms.join(", "))));
        }
        lines
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
            .map(|person| {
                let is_me = person.m == self.me;
                let role = (person.role != Role::default()).then(|| person.role.as_str());
                let tags = [is_me.then_some("you"), person.has_account().then_some("account"), role];
                match tags.into_iter().flatten().collect::<Vec<_>>()[..] {
                    [] => person.name.to_string(),
                    ref tags => format!("{} ({})", person.name, tags.join(", ")),
                }
            })
            .collect();
        if members.len() > SHOWN {
            names.push(format!("and {} more", members.len() - SHOWN));
        }
        format!("{here} here: {}.", names.join(", "))
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
    use jiff::Timestamp;
    use qun_core::json::PageMessage;
    use qun_core::log::Kind;
    use qun_core::{Entropy, Id};

    use super::*;

    pub(super) fn scribe() -> Scribe {
        let now = "2026-02-17T14:00:00+00:00[UTC]".parse().unwrap();
        Scribe::new("127.0.0.1:7777", MemberId::from_bits(0), "ann".parse().ok(), &now)
    }

    pub(super) fn room() -> RoomId {
        "ops".parse().unwrap()
    }

    pub(super) fn joined(asked: bool, head: u64) -> Event {
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

    pub(super) fn message(seq: u64, at: &str, text: &str, live: bool) -> Event {
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

    fn online(name: &str, account: Option<&str>, rooms: &[&str]) -> Event {
        let open = |id: &&str| json::Room {
            id: id.parse().unwrap(),
            title: "On-call".into(),
            role: Role::Talk,
            topic: None,
            closed: false,
        };
        Event::Online {
            re: None,
            member: MemberId::from_bits(0),
            name: name.parse().unwrap(),
            resumed: true,
            account: account.map(|account| account.parse().unwrap()),
            rooms: rooms.iter().map(open).collect(),
        }
    }

    pub(super) fn told(scribe: &mut Scribe, events: &[Event]) -> Vec<String> {
        events.iter().flat_map(|event| scribe.tell(event, None)).map(|line| line.render()).collect()
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
        let online = online("ann", None, &[]);
        assert_eq!(
            told(&mut scribe(), &[online.clone(), offline(1), offline(2), online.clone()]),
            ["-- The connection to 127.0.0.1:7777 is lost. Trying again.", "-- Connected."]
        );
        assert_eq!(
            told(&mut scribe(), &[offline(1), online]),
            ["-- No connection to 127.0.0.1:7777. Trying again.", "-- Connected."]
        );
    }

    #[test]
    fn whose_name_is_taken_is_told_once_and_how_it_may_be_theirs() {
        let mut scribe = scribe();
        let taken = online("ann-2", None, &[]);
        assert_eq!(
            told(&mut scribe, std::slice::from_ref(&taken)),
            ["-- ann is taken: you are ann-2. If it is yours: /login ann"]
        );
        assert!(told(&mut scribe, &[taken]).is_empty());
        assert_eq!(scribe.name().map(Name::as_str), Some("ann"), "which a bare /login means");
    }

    #[test]
    fn who_logs_in_is_told_where_that_lets_them_in_and_is_in_their_rooms_as_before() {
        let mut scribe = scribe();
        told(&mut scribe, &[online("ann-2", None, &[]), joined(true, 3)]);
        let mut again = joined(false, 3);
        if let Event::Joined { role, .. } = &mut again {
            *role = Role::Moderator;
        }
        let events = [online("ann", Some("ann"), &["dev", "ops"]), again];
        assert_eq!(
            told(&mut scribe, &events),
            [
                "-- You are logged in as ann.",
                "-- /join takes you without a code to: dev, ops",
                "-- You are a moderator here now.",
            ]
        );
        assert!(told(&mut scribe, &events[..1]).is_empty(), "what was told is not told again");
        let later = [online("ann", Some("ann"), &["dev"])];
        assert_eq!(told(&mut scribe, &later), ["-- /join takes you without a code to: dev"]);
    }

    #[test]
    fn a_roster_says_who_has_a_role_and_whose_name_is_theirs() {
        let person = |name: &str, m: Option<MemberId>, role| {
            let name: Name = name.parse().unwrap();
            Person { m: m.unwrap_or_else(|| MemberId::of_account(&name.folded())), name, role }
        };
        let me = Some(MemberId::from_bits(0));
        let members = [
            person("Ann", me, Role::Talk),
            person("Bob", None, Role::Talk),
            person("mei", None, Role::Owner),
            person("bob-2", Some(MemberId::from_bits(1 << 8)), Role::Read),
        ];
        assert_eq!(
            scribe().who(4, Some(&members)),
            "4 here: Ann (you), Bob (account), mei (account, owner), bob-2 (read)."
        );
    }
}
