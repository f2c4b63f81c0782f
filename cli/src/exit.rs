//! How the program ends: its exit codes, and what it says on the way.

use std::process::ExitCode;

/// Why the program ends. The numbers are part of its interface: they stand in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All that was asked for is done.
    Ok = 0,
    /// The network was given up.
    Network = 1,
    /// The command line or a configuration is wrong, or this machine refuses a file, an address or a terminal.
    Usage = 2,
    /// The code is wrong or has expired.
    Code = 3,
    /// The server refused.
    Refused = 4,
    /// Something was sent, and nobody can tell whether it arrived.
    Unconfirmed = 5,
    /// Ctrl-C, or SIGTERM.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The exit codes for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0    done
  1    the network was given up
  2    usage: the command line, a configuration, a file or an address
  3    a wrong or expired code
  4    the server refused
  5    sent, but not confirmed
  130  interrupted";

/// A failure to tell a person, and how to exit.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failure {
    /// How to exit.
    pub(crate) exit: Exit,
    /// What happened, and what can be done.
    pub(crate) text: String,
}

impl Failure {
    /// This machine or its person is wrong.
    pub(crate) fn usage(text: impl ToString) -> Self {
        Self { exit: Exit::Usage, text: text.to_string() }
    }
}

impl From<crate::config::Error> for Failure {
    fn from(error: crate::config::Error) -> Self {
        Self::usage(error)
    }
}

impl From<crate::keys::Error> for Failure {
    fn from(error: crate::keys::Error) -> Self {
        Self::usage(error)
    }
}
