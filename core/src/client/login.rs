//! Logging in while one is a guest, or somebody else.
//!
//! Who one is, a hello says. So a login ends the connection and says another hello, by the same key: right, and the session
//! of that key gives way to one of the account; wrong, and a hello as before takes up the session that was.

use super::Client;
use super::frames::Failure;
use super::link::Link;
use crate::account::Password;
use crate::id::Id;
use crate::name::Name;

/// A login, until it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Login {
    re: Id,
    name: Name,
    password: Password,
    /// How many messages had been said before: those are said as who we were, and what follows as the account.
    said: u64,
    /// The hello that asks for it.
    asked: Option<Id>,
}

impl Login {
    pub(super) fn new(re: Id, name: Name, password: Password, said: u64) -> Self {
        Self { re, name, password, said, asked: None }
    }

    /// Whom a hello names, and what proves it.
    pub(super) fn claim(&mut self, hello: Id) -> (Option<Name>, Option<Password>) {
        self.asked = Some(hello);
        (Some(self.name.clone()), Some(self.password.clone()))
    }
}

impl Client {
    /// Begins anew as somebody else, once everything that was said and asked before has its answer.
    pub(super) fn begin_login(&mut self) {
        if self.link.is_online() && self.login.is_some() && self.may_log_in() {
            self.hang_up();
            self.cut();
            self.dial();
        }
    }

    /// Whether the next hello may be that of the login: nothing is on its way that was said as who we are.
    pub(super) fn may_log_in(&self) -> bool {
        let Some(login) = &self.login else { return false };
        let is_behind = |(number, _)| number > login.said;
        self.rooms.iter().flat_map(|room| room.outbox.pending()).all(is_behind)
            && !self.asks.iter().any(|ask| ask.asked)
    }

    /// Whether the message of this number is not held back until we are somebody else.
    pub(super) fn may_say(&self, number: u64) -> bool {
        self.login.as_ref().is_none_or(|login| number <= login.said)
    }

    /// The hello succeeded. If it was that of a login, we are the account from here on, and this is the command.
    pub(super) fn logged_in(&mut self) -> Option<Id> {
        let Link::Greeting { hello, .. } = self.link else { return None };
        let Login { re, name, password, .. } = self.login.take_if(|login| login.asked == Some(hello))?;
        self.config.name = Some(name.clone());
        self.wanted = Some(name);
        self.config.password = Some(password);
        Some(re)
    }

    /// The hello failed. If it was that of a login, that is its answer, and we say who we were; else the failure is given
    /// back.
    pub(super) fn login_refused(&mut self, hello: Id, failure: Failure) -> Option<Failure> {
        let Some(Login { re, .. }) = self.login.take_if(|login| login.asked == Some(hello)) else {
            return Some(failure);
        };
        self.show_refused(Some(re), failure);
        self.greet();
        None
    }
}
