//! Accounts: whose a name is, who is one member, and which passwords are looked at.

mod came;
mod change;
mod guess;
mod member;
mod password;
mod person;
mod room;

use qun_core::server::{Account, Listed};
use qun_core::{ConnId, PasswordHash, Role};
use serde_json::{Value, json};

use crate::world::{OPS, World};

const LAPTOP: &str = "laptoplaptoplaptoplapt";

const SECRET: &str = "correct horse";

pub(crate) fn account(name: &str, password: &str) -> Account {
    Account { name: name.parse().unwrap(), hash: PasswordHash::new(&format!("hash of {password}")) }
}

pub(crate) fn listed(name: &str, role: Role) -> Listed {
    Listed { name: name.parse().unwrap(), role }
}

/// A world in which ann and mei have accounts, and ann needs no code for `dev`, where she is a moderator.
fn world() -> World {
    World::with(|config| {
        config.accounts = vec![account("ann", SECRET), account("mei", "battery staple")];
        config.rooms[1].accounts = vec![listed("Ann", Role::Moderator)];
    })
}

pub(crate) fn hello(name: &str, key: Option<&str>, password: &str) -> Value {
    json!({"t": "hello", "id": "h0", "v": [1], "name": name, "key": key, "password": password})
}

impl World {
    fn logged_in(&mut self, key: Option<&str>) -> ConnId {
        let conn = self.connect();
        let welcome = self.call(conn, hello("ann", key, SECRET));
        assert_eq!(welcome["t"], "welcome", "{welcome}");
        conn
    }

    fn in_ops(&mut self, key: &str) -> ConnId {
        let conn = self.logged_in(Some(key));
        assert_eq!(self.join(conn, OPS)["t"], "joined");
        conn
    }
}
