//! What a person at netcat types.

use alloc::boxed::Box;
use alloc::string::String;

use super::Server;
use super::codebook::Opens;
use super::conn::{Conn, Join, Phase};
use super::io::Reason;
use super::order::Author;
use super::refusal::Refusal;
use super::search::Query;
use super::slab::Handle;
use crate::id::{ConnId, Seq};
use crate::log::{Kind, Span};
use crate::name::Name;
use crate::plain::{self, Command, Entry, Phrase};
use crate::text::Text;

/// Messages of backlog that a person is shown.
const BACKLOG: u64 = 50;
/// Messages of history that a person is shown who does not say how many.
const HISTORY: u64 = 50;
/// Messages that a person is shown who searched: as many as a screen holds.
const FOUND: u64 = 20;

impl Server {
    /// Handles one line.
    pub(super) fn line(&mut self, id: ConnId, line: &[u8]) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let phase = conn.phase;
        if let Some(name) = conn.plain().and_then(|plain| plain.login.take()) {
            return self.password_line(id, &name, line);
        }
        match (phase, core::str::from_utf8(line)) {
            (Phase::Code(wrong), line_text) => {
                // Whatever it is, it is a guess.
                let lossy = line_text.map_or_else(|_| String::from_utf8_lossy(line).into_owned(), String::from);
                self.try_code(id, wrong, &lossy);
            }
            (Phase::Naming(opens), Ok(name)) => self.try_name(id, opens, name),
            (Phase::Naming(opens), Err(_)) => self.try_name(id, opens, "\u{FFFD}"),
            (Phase::Live(handle), Ok(line)) => self.command(id, handle, Command::parse(line)),
            (Phase::Live(_), Err(_)) => self.phrase(id, Phrase::NotUtf8),
            _ => {}
        }
    }

    fn try_code(&mut self, id: ConnId, wrong: u32, line: &str) {
        if self.login_at_prompt(id, line) {
            return;
        }
        let entry = Entry::parse(line);
        if entry.whole.is_empty() {
            return self.phrase(id, Phrase::CodePrompt);
        }
        let name = entry.named.map(|(_, name)| name);
        let readings = [entry.whole, entry.named.map_or("", |(code, _)| code)];
        let readings = if name.is_some() { &readings[..] } else { &readings[..1] };
        match self.guess(id, None, readings) {
            Ok((opens, 1)) => self.try_name(id, opens, name.unwrap_or_default()),
            Ok((opens, _)) => self.ask_for_name(id, opens),
            Err(refusal) => {
                // A room that is full or a code that has expired is no guess.
                let guessed = matches!(refusal, Refusal::WrongCode { .. } | Refusal::Locked { .. });
                self.not_in(id, wrong + u32::from(guessed), refusal);
            }
        }
    }

    /// Says that a code did not do. What came behind it was meant for a room, and is no guess.
    pub(super) fn not_in(&mut self, id: ConnId, wrong: u32, refusal: Refusal) {
        let tries = u64::from(self.limits.plain_guesses.saturating_sub(wrong));
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.lines.clear();
        conn.phase = Phase::Code(wrong);
        let (over, ended) = (tries == 0, conn.ended);
        let refusal = match refusal {
            Refusal::WrongCode { left } => Refusal::WrongCode { left: left.min(tries) },
            Refusal::WrongPassword { left } => Refusal::WrongPassword { left: left.min(tries) },
            refusal => refusal,
        };
        if let Some(refusal) = refusal.to_person() {
            self.phrase(id, Phrase::TryAgain(refusal));
        }
        if over {
            self.flush_and_close_after(id, Reason::Flood, false);
        } else if ended {
            self.flush_and_close_after(id, Reason::EndOfInput, false);
        } else {
            self.phrase(id, Phrase::CodePrompt);
        }
    }

    /// The code that was right is so no more, before its name was told: another one is asked for.
    pub(super) fn shut_door(&mut self, id: ConnId) {
        self.send(id, &b"\r\n"[..], super::out::PrivateKind::Reply);
        self.not_in(id, 0, Refusal::CodeExpired);
    }

    pub(super) fn ask_for_name(&mut self, id: ConnId, opens: Opens) {
        let (_, guest) = self.guest_name();
        if let Some(conn) = self.conn(id) {
            conn.phase = Phase::Naming(opens);
        }
        self.phrase(id, Phrase::NamePrompt(&guest));
    }

    fn try_name(&mut self, id: ConnId, opens: Opens, typed: &str) {
        if self.login_at_prompt(id, typed) {
            return;
        }
        let wanted = match typed.trim() {
            "" => None,
            typed => match typed.parse::<Name>() {
                Ok(name) => Some(name),
                Err(error) => {
                    self.phrase(id, Phrase::TryAgain(plain::Refusal::BadName(error)));
                    return self.ask_for_name(id, opens);
                }
            },
        };
        let handle = self.begin(id, None, wanted.clone());
        let Some(given) = self.sessions.get(handle).map(|session| session.name.clone()) else { return };
        if let Some(conn) = self.conn(id) {
            conn.phase = Phase::Live(handle);
        }
        self.note_welcome(id, handle, false);
        if let Some(wanted) = wanted.filter(|wanted| *wanted != given) {
            self.phrase(id, Phrase::NameGiven { wanted: &wanted, given: &given });
        }
        self.join(id, to_person(opens, false));
    }

    fn command(&mut self, id: ConnId, handle: Handle, command: Command<'_>) {
        if !matches!(command, Command::Nothing) {
            // It was read when the rate allowed it.
            let paced = self.pace_say(handle);
            debug_assert!(paced.is_ok());
        }
        let room = self.conn(id).and_then(Conn::plain).and_then(|plain| plain.room);
        match (command, room) {
            (Command::Nothing, _) => {}
            (Command::Help, room) => {
                let role = room.and_then(|room| self.role_of(handle, room)).unwrap_or_default();
                self.phrase(id, Phrase::Help(role));
            }
            (Command::Quit, _) => self.part(id, Reason::Done),
            (Command::Unknown(word), _) => self.phrase(id, Phrase::Unknown(word)),
            (Command::Usage(usage @ plain::Usage::Login), _) => self.start_over(id, Phrase::Usage(usage)),
            (Command::Usage(usage), _) => self.phrase(id, Phrase::Usage(usage)),
            (Command::Echo(on), _) => {
                if let Some(plain) = self.conn(id).and_then(Conn::plain) {
                    plain.echo = on;
                }
                self.phrase(id, Phrase::Echo(on));
            }
            (Command::Name(name), _) => self.name_command(id, handle, name),
            (Command::Login(name), _) => self.login_command(id, handle, name),
            (Command::Join(code), room) => self.join_command(id, handle, room, code),
            (_, None) => self.phrase(id, Phrase::NoRoom),
            (Command::Say(text), Some(room)) => self.say_command(id, handle, room, Kind::Say, text),
            (Command::Me(text), Some(room)) => self.say_command(id, handle, room, Kind::Me, text),
            (Command::Who, Some(room)) => {
                let mut bytes = alloc::vec::Vec::new();
                self.with_here(handle, room, |_, here| Phrase::Who(here).write(self.style.language, &mut bytes));
                self.send(id, bytes, super::out::PrivateKind::Reply);
            }
            (Command::History(count), Some(room)) => {
                let before = Span::Before(self.rooms[room as usize].head().next());
                let result = self.history(id, handle, None, room, before, Some(count.unwrap_or(HISTORY)));
                self.refuse_if(id, result);
            }
            (Command::Search(words), Some(room)) => self.search_command(id, handle, room, words),
            (Command::Order(order), Some(room)) => {
                let result = self.order(Author { session: handle, conn: id, re: None }, room, order);
                self.refuse_if(id, result);
            }
            (Command::Leave, Some(room)) => {
                let result = self.leave(id, handle, None, room, None);
                self.refuse_if(id, result);
            }
        }
    }

    fn say_command(&mut self, id: ConnId, handle: Handle, room: u32, kind: Kind, text: &str) {
        let result = match text.parse::<Text>() {
            Ok(text) => self.say(id, handle, room, None, kind, text),
            Err(error) => Err(Refusal::BadText(error)),
        };
        self.refuse_if(id, result);
    }

    fn search_command(&mut self, id: ConnId, handle: Handle, room: u32, words: &str) {
        let words = match words.parse() {
            Ok(words) => words,
            Err(error) => return self.phrase(id, Phrase::BadWords(error)),
        };
        let result = self.search(id, handle, None, room, Query { words, before: Seq::MAX, limit: Some(FOUND) });
        self.refuse_if(id, result);
    }

    fn name_command(&mut self, id: ConnId, handle: Handle, name: &str) {
        let name: Name = match name.parse() {
            Ok(name) => name,
            Err(error) => return self.phrase(id, Phrase::Refused(plain::Refusal::BadName(error))),
        };
        match self.change_name(handle, name.clone()) {
            Ok(()) => self.phrase(id, Phrase::YouAre(&name)),
            Err(Refusal::NameTaken) => self.phrase(id, Phrase::Refused(plain::Refusal::NameTaken(&name))),
            Err(Refusal::NameIsFixed) => {
                if let Some(name) = self.sessions.get(handle).map(|session| session.name.clone()) {
                    self.phrase(id, Phrase::NameIsFixed(&name));
                }
            }
            Err(refusal) => self.refuse(id, None, refusal),
        }
    }

    /// Goes to another room. A person at a terminal is in one at a time: lines of two would look alike.
    fn join_command(&mut self, id: ConnId, handle: Handle, room: Option<u32>, code: &str) {
        // A room that is open to oneself goes by its name; to a stranger, whatever is typed is a code.
        let named = code.parse().ok().and_then(|room| Some(self.room(&room)?.0));
        let join = match named.and_then(|room| self.door_of(handle, room)) {
            Some(opens) => to_person(opens, true),
            None => match self.guess(id, Some(handle), &[code]) {
                Ok((opens, _)) => to_person(opens, false),
                Err(refusal) => return self.refuse(id, None, refusal),
            },
        };
        match room {
            Some(room) if room == join.opens.room => {
                let title = self.rooms[room as usize].title.clone();
                self.phrase(id, Phrase::AlreadyIn { title: &title });
            }
            Some(room) => {
                let result = self.leave(id, handle, None, room, Some(Box::new(join)));
                self.refuse_if(id, result);
            }
            None => self.join(id, join),
        }
    }

    fn refuse_if(&mut self, id: ConnId, result: Result<(), Refusal>) {
        if let Err(refusal) = result {
            self.refuse(id, None, refusal);
        }
    }

    pub(super) fn refuse_person(&mut self, id: ConnId, refusal: Refusal) {
        if let Refusal::RoomClosed = refusal {
            let room = self.conn(id).and_then(Conn::plain).and_then(|plain| plain.room);
            let title = room.map(|room| self.rooms[room as usize].title.clone()).unwrap_or_default();
            return self.phrase(id, Phrase::RoomCloses { title: &title });
        }
        let phrase = match refusal {
            Refusal::ReadOnly => Phrase::ReadOnly,
            Refusal::NotMember | Refusal::NoHello | Refusal::SecondHello => Phrase::NoRoom,
            Refusal::BadText(error) => Phrase::BadText(error),
            refusal => match refusal.to_person() {
                Some(refusal) => Phrase::Refused(refusal),
                None => return,
            },
        };
        self.phrase(id, phrase);
    }
}

/// A join as a person means it.
pub(super) fn to_person(opens: Opens, by_room: bool) -> Join {
    Join { re: None, opens, by_room, resume: None, tail: Some(BACKLOG), is_counted: false }
}

impl Refusal {
    /// As the plain dialect has it, where it has it.
    pub(super) fn to_person(self) -> Option<plain::Refusal<'static>> {
        Some(match self {
            Self::WrongCode { left } => plain::Refusal::WrongCode { left },
            Self::CodeExpired => plain::Refusal::CodeExpired,
            Self::Locked { wait } => plain::Refusal::Locked { wait },
            Self::SlowDown { wait } => plain::Refusal::TooFast { wait },
            Self::RoomFull | Self::TooManyRooms => plain::Refusal::RoomFull,
            Self::Unavailable => plain::Refusal::Unavailable,
            Self::WrongPassword { left } => plain::Refusal::WrongPassword { left },
            Self::PasswordsLocked { wait } => plain::Refusal::PasswordsLocked { wait },
            Self::NoVerdict => plain::Refusal::NoVerdict,
            Self::NoGuests => plain::Refusal::NoGuests,
            Self::Forbidden(why) => plain::Refusal::Forbidden(why),
            Self::NotFound(what) => plain::Refusal::NotFound(what),
            Self::Unfit(why) => plain::Refusal::Unfit(why),
            Self::Muted { wait } => plain::Refusal::Muted { wait },
            Self::Banned { wait } => plain::Refusal::Banned { wait },
            Self::Kicked => plain::Refusal::Kicked,
            Self::Closed => plain::Refusal::Closed,
            Self::ReadOnly
            | Self::NotMember
            | Self::RoomClosed
            | Self::NameTaken
            | Self::NameIsFixed
            | Self::BadText(_)
            | Self::NoHello
            | Self::SecondHello => return None,
        })
    }
}
