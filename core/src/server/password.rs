//! A person at netcat or telnet logs in: at the prompt for the code, at the one for the name, or later.

use super::Server;
use super::conn::{Conn, Phase};
use super::io::Reason;
use super::login::What;
use super::out::PrivateKind;
use super::person::to_person;
use super::refusal::Refusal;
use super::slab::Handle;
use crate::account::Password;
use crate::id::{ConnId, RoomId};
use crate::name::Name;
use crate::plain::{self, Command, Phrase};

impl Server {
    /// Takes the answer to a prompt for a login, if it is one: no code and no name begins with a slash. Says whether it
    /// did.
    pub(super) fn login_at_prompt(&mut self, id: ConnId, line: &str) -> bool {
        match Command::parse(line.trim()) {
            Command::Login(name) => match name.parse() {
                Ok(name) => self.ask_for_password(id, name),
                Err(error) => self.start_over(id, Phrase::TryAgain(plain::Refusal::BadName(error))),
            },
            Command::Usage(usage @ plain::Usage::Login) => self.start_over(id, Phrase::Usage(usage)),
            _ => return false,
        }
        true
    }

    pub(super) fn login_command(&mut self, id: ConnId, handle: Handle, name: &str) {
        let session = self.sessions.get(handle).filter(|session| session.account.is_some());
        if let Some(name) = session.map(|session| session.name.clone()) {
            return self.start_over(id, Phrase::LoggedInAlready(&name));
        }
        match name.parse() {
            Ok(name) => self.ask_for_password(id, name),
            Err(error) => self.start_over(id, Phrase::Refused(plain::Refusal::BadName(error))),
        }
    }

    fn ask_for_password(&mut self, id: ConnId, name: Name) {
        let Some(plain) = self.conn(id).and_then(Conn::plain) else { return };
        plain.login = Some(name);
        let hidden = plain.telnet.speaks();
        if let Some(command) = plain.telnet.hide(true) {
            self.send(id, command.to_vec(), PrivateKind::Reply);
        }
        self.phrase(id, Phrase::PasswordPrompt { hidden });
    }

    /// Takes the answer to the prompt for a password.
    pub(super) fn password_line(&mut self, id: ConnId, name: &Name, line: &[u8]) {
        let shown_again = self.conn(id).and_then(Conn::plain).and_then(|plain| plain.telnet.hide(false));
        if let Some(command) = shown_again {
            // Enter was not shown, either.
            self.send(id, [&command[..], b"\r\n"].concat(), PrivateKind::Reply);
        }
        let password =
            core::str::from_utf8(line).map_err(|_| None).and_then(|line| line.parse::<Password>().map_err(Some));
        let result = match password {
            Ok(password) => self.verify(id, name, password, What::Person),
            Err(error) => {
                let phrase = match error {
                    Some(error) => Phrase::TryAgain(plain::Refusal::BadPassword(error)),
                    None => Phrase::NotUtf8,
                };
                return self.start_over(id, phrase);
            }
        };
        if let Err(refusal) = result {
            self.person_is_not(id, refusal);
        }
    }

    /// Asks again what the connection was asked before somebody wanted to log in.
    fn ask_again(&mut self, id: ConnId) {
        match self.conns.get(id).map(|conn| conn.phase) {
            Some(Phase::Code(_)) => self.phrase(id, Phrase::CodePrompt),
            Some(Phase::Naming(opens)) => self.ask_for_name(id, opens),
            _ => {}
        }
    }

    /// A person's password was right.
    pub(super) fn person_is(&mut self, id: ConnId, name: &Name) {
        let Some(phase) = self.conns.get(id).map(|conn| conn.phase) else { return };
        match phase {
            Phase::Code(_) | Phase::Naming(_) => {
                let handle = self.begin_as(id, None, name);
                if let Some(conn) = self.conn(id) {
                    conn.phase = Phase::Live(handle);
                }
                self.note_welcome(id, handle, false);
                let opens = if let Phase::Naming(opens) = phase { Some(opens) } else { None };
                self.say_logged_in(id, handle, name, opens.is_some());
                if let Some(opens) = opens {
                    self.join(id, to_person(opens, false));
                }
            }
            Phase::Live(handle) => {
                self.become_account(handle, name);
                self.note_welcome(id, handle, true);
                let is_in = self.conn(id).and_then(Conn::plain).is_some_and(|plain| plain.room.is_some());
                self.say_logged_in(id, handle, name, is_in);
            }
            _ => {}
        }
    }

    fn say_logged_in(&mut self, id: ConnId, handle: Handle, name: &Name, is_in: bool) {
        let rooms = self.open_to(handle);
        let rooms: alloc::vec::Vec<RoomId> = rooms.into_iter().map(|room| room.id).collect();
        self.phrase(id, Phrase::LoggedIn { name, rooms: &rooms, is_in });
    }

    /// Nobody can log in so, and what was sent behind it is a password, or was meant for somebody else: it is said to nobody.
    pub(super) fn start_over(&mut self, id: ConnId, phrase: Phrase<'_>) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.lines.clear();
        let ended = conn.ended;
        self.phrase(id, phrase);
        if ended {
            self.part(id, Reason::EndOfInput);
        } else {
            self.ask_again(id);
        }
    }

    /// A person's password was wrong, or could not be looked at.
    pub(super) fn person_is_not(&mut self, id: ConnId, refusal: Refusal) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        match conn.phase {
            Phase::Code(wrong) => {
                let is_wrong = matches!(refusal, Refusal::WrongPassword { .. } | Refusal::PasswordsLocked { .. });
                self.not_in(id, wrong + u32::from(is_wrong), refusal);
            }
            Phase::Naming(_) => {
                if let Some(refusal) = refusal.to_person() {
                    self.start_over(id, Phrase::TryAgain(refusal));
                }
            }
            _ => {
                if let Some(refusal) = refusal.to_person() {
                    self.start_over(id, Phrase::Refused(refusal));
                }
            }
        }
    }
}
