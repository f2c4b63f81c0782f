//! How a person says which room.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use qun_core::client::Door;

use crate::exit::{Exit, Failure};

/// What the command line says about the room.
#[derive(Debug)]
pub(crate) enum Knock {
    /// This one.
    At(Door),
    /// Nothing: the person at the terminal is to be asked.
    Ask,
}

/// Finds the code, or what else opens the room: as it was given, in the first line of stdin where that is `-`, or not yet.
///
/// # Errors
/// Where what was given can be no code, or nobody can be asked.
pub(crate) fn knock(given: Option<&str>) -> Result<Knock, Failure> {
    match given.map(str::trim) {
        Some("-") if !io::stdin().is_terminal() => {
            let mut line = String::new();
            io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| Failure::usage(format!("can't read the code from stdin: {error}")))?;
            parse(&line).map(Knock::At)
        }
        Some(given) if !given.is_empty() && given != "-" => parse(given).map(Knock::At),
        _ if io::stdin().is_terminal() => Ok(Knock::Ask),
        _ => Err(Failure::usage("no code: give one as an argument or in QUN_CODE, or `-` to read it from stdin")),
    }
}

/// Finds the code, or asks for it.
///
/// # Errors
/// As [`knock`] and [`ask`].
pub(crate) fn find(given: Option<&str>) -> Result<Door, Failure> {
    match knock(given)? {
        Knock::At(door) => Ok(door),
        Knock::Ask => ask(),
    }
}

/// Asks at the terminal, once.
///
/// # Errors
/// Where nothing is answered, or what can be no code.
pub(crate) fn ask() -> Result<Door, Failure> {
    let mut answer = String::new();
    let asked = io::stderr().write_all(b"Room code: ").and_then(|()| io::stdin().read_line(&mut answer));
    match asked {
        Ok(0) => Err(Failure { exit: Exit::Interrupted, text: "no code".into() }),
        Ok(_) => parse(&answer),
        Err(error) => Err(Failure::usage(format!("can't ask for the code: {error}"))),
    }
}

fn parse(typed: &str) -> Result<Door, Failure> {
    typed.parse().map_err(|error| Failure { exit: Exit::Code, text: format!("that can't be a code: {error}") })
}
