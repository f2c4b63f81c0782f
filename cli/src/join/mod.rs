//! `qun join`: a room in a terminal, or in a pipe.
//!
//! [`terminal`] is for a person: an [`editor`] below, drawn by a [`screen`], and above it what happens. [`pipe`] is for
//! programs: stdin is said, stdout is what happens, in words or as [`json`]. Both tell what happens by one [`scribe`].

mod command;
mod editor;
mod json;
mod layout;
mod line;
mod pipe;
mod screen;
mod scribe;
mod terminal;

use std::io::{self, IsTerminal as _};

use crate::args;
use crate::door::{self, Knock};
use crate::exit::{Exit, Failure};
use crate::session::{Manner, Session};

/// Runs `qun join`.
///
/// # Errors
/// Where there is no code, or the server or the code ends it.
pub(crate) fn run(args: args::Join) -> Result<Exit, Failure> {
    let knock = door::knock(args.door.code.as_deref())?;
    let (name, password) = args.door.who.prove()?;
    let server = args.door.who.server;
    let manner = Manner { server: server.clone(), name: name.clone(), password, tail: args.tail };
    let is_for_a_person = !args.json && io::stdin().is_terminal() && io::stdout().is_terminal();
    if is_for_a_person {
        let (session, inbox) = Session::start(manner)?;
        return terminal::run(session, &inbox, &server, name, knock);
    }
    let door = match knock {
        Knock::At(door) => door,
        Knock::Ask => door::ask()?,
    };
    let (session, inbox) = Session::start(manner)?;
    let manner = pipe::Manner { json: args.json, stay: args.stay, patience: args.timeout, server, name };
    pipe::run(session, &inbox, door, manner)
}
