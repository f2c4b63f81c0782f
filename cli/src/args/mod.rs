//! The command line.
//!
//! A list of commands with their options; [`who`] is what those have in common that go to a server.

mod who;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use qun_core::{Name, RoomId, Seq};
use qun_transports::readiness::PollerKind;

use crate::config;
use crate::exit;

pub(crate) use who::{Door, Who, server};

/// Group chat where a code gets you into a room.
#[derive(Debug, Parser)]
#[command(name = "qun", version, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a server. Without --config: one temporary room on this machine, and how to get in is printed.
    ///
    /// SIGINT or SIGTERM says goodbye to everyone, sends what is left and exits 0; a second one stops at once. SIGHUP reads
    /// the configuration again and serves it to those who are in.
    /// On a terminal it says what happens in words; elsewhere it writes log lines to stderr, one JSON object each.
    Serve(Serve),
    /// Write a commented configuration with fresh codes, readable by you only. Overwrites nothing.
    Init {
        /// Where to.
        #[arg(default_value = config::DEFAULT_FILE, value_name = "FILE")]
        file: PathBuf,
    },
    /// Read a configuration as `serve` would, and say what is wrong with it; with --database, its database too.
    Check {
        #[command(flatten)]
        config: Config,
        /// Read the whole database, too. The server may run, and nobody waits.
        #[arg(long)]
        database: bool,
    },
    /// Get into a room and talk.
    ///
    /// On a terminal: a prompt below, what is said above; /help lists the commands. Elsewhere: every line of stdin is
    /// said, what is said goes to stdout, and the end of stdin leaves once all is acknowledged.
    #[command(after_help = exit::HELP, after_long_help = format!("{JSON_HELP}\n\n{}", exit::HELP))]
    Join(Join),
    /// Say something and go. Exits 0 only when it is acknowledged.
    ///
    /// All of stdin is one message where it fits into one (4000 bytes, 64 lines), and else as few as possible, split
    /// between lines where that can be.
    #[command(after_help = exit::HELP)]
    Send(Send),
    /// Print what was said in a room.
    ///
    /// The newest 100 messages, or with --since all from then on, in the order in which they were said.
    #[command(after_help = exit::HELP)]
    History(History),
    /// Print the messages of a room that have some words.
    ///
    /// The newest 50 that have all of them, anywhere in the text and in any order. Case does not count, and what is typed in
    /// one piece stands in one piece (v1.2, 部署). The last word, from three letters on, finds all that begin with it.
    #[command(after_help = exit::HELP)]
    Search(Search),
    /// Make codes.
    #[command(subcommand)]
    Code(Code),
    /// Say who may log in: names that are somebody's, by a password.
    ///
    /// A new password is asked for at the terminal, and else read from the first line of stdin. It is never an argument:
    /// other people on this machine can see arguments.
    #[command(subcommand)]
    Account(Account),
    /// Put a load on a server, and say what it makes of it and what that costs.
    ///
    /// Rooms are filled over real connections, some members talk, and everyone is watched to hear everything once, in
    /// order, and nothing of another room. Exits 1 where something was wrong.
    #[cfg(feature = "load")]
    Bench(crate::bench::Bench),
    /// Copy the database of a configuration, whole and as it is at one moment. The server may run, and nobody waits.
    ///
    /// The copy is a database like any other. docs/storage.md says how it is put back.
    Backup {
        /// Where to; it must not exist.
        #[arg(value_name = "FILE")]
        to: PathBuf,
        #[command(flatten)]
        config: Config,
    },
    /// Write a room's history as text: one message a line, as JSON. The server may run.
    Export(Export),
    /// Read a room's history that `export` wrote. No server may have the database open.
    ///
    /// Messages keep their numbers and times. Those that the room has already are passed over, so that an import that was
    /// broken off is simply begun again. What does not fit is named, with its line, and nothing behind it is taken.
    Import(Import),
    /// Break this server in a simulated world, from a seed, and see that nothing is lost.
    ///
    /// The real server and clients run in one thread of virtual time, on a network, a log and clocks that fail in every
    /// way, until everything heals. Exits 0 when every invariant held, and 1 with the seed and the shortest way to what
    /// broke. Without --seed or --seeds: seeds that nobody has tried, until it is stopped or --minutes are over.
    #[cfg(feature = "sim")]
    Sim(Sim),
}

/// `qun sim`
#[cfg(feature = "sim")]
#[derive(Debug, Args)]
pub(crate) struct Sim {
    /// Run this world, and say what it is made of.
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub(crate) seed: Option<u64>,
    /// Run the worlds of these seeds, the last one excluded.
    #[arg(long, value_name = "A..B", value_parser = crate::sim::parse_seeds)]
    pub(crate) seeds: Option<std::ops::Range<u64>>,
    /// Stop after so many minutes.
    #[arg(long, value_name = "M")]
    pub(crate) minutes: Option<u64>,
    /// Write down everything that happens.
    #[arg(long)]
    pub(crate) trace: bool,
    /// Instead: how many seeds each deliberate break of the server takes until it is seen.
    #[arg(long)]
    pub(crate) breaks: bool,
    /// With one of these breaks in every world: so does a failure look.
    #[arg(long = "break", value_name = "BREAK", conflicts_with = "breaks")]
    pub(crate) broken: Option<qun_transports::sim::Break>,
    /// Without these faults, separated by commas.
    #[arg(long, value_name = "FAULTS", value_delimiter = ',')]
    pub(crate) off: Vec<qun_transports::sim::Fault>,
    /// With so many people who have a client, whatever the seed says.
    #[arg(long, value_name = "N")]
    pub(crate) clients: Option<usize>,
    /// With so many people at netcat.
    #[arg(long, value_name = "N")]
    pub(crate) plain: Option<usize>,
    /// With so many who send corrupted bytes.
    #[arg(long, value_name = "N")]
    pub(crate) hostile: Option<usize>,
    /// With so many rooms.
    #[arg(long, value_name = "N")]
    pub(crate) rooms: Option<usize>,
    /// With so many accounts.
    #[arg(long, value_name = "N")]
    pub(crate) accounts: Option<usize>,
    /// With so many rooms in which order is kept: none or one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub(crate) court: Option<u8>,
    /// With so many reloads of the server's configuration.
    #[arg(long, value_name = "N")]
    pub(crate) reloads: Option<usize>,
    /// Let things go wrong for so many milliseconds.
    #[arg(long, value_name = "MS")]
    pub(crate) storm_ms: Option<u64>,
}

/// `qun serve`
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// What to serve; `qun init` writes one.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen, in place of what the configuration says [default: 127.0.0.1:7777]. Port 0 takes a free one.
    /// May be given several times.
    #[arg(long, value_name = "IP:PORT", value_parser = config::parse_listen)]
    pub(crate) listen: Vec<SocketAddr>,
    /// How to wait for sockets, in place of what the configuration says.
    #[arg(long, value_name = "NAME", help = poller_help())]
    pub(crate) poller: Option<PollerKind>,
    /// What drives the server. Nobody inside can tell the difference.
    #[arg(long, env = "QUN_RUNTIME", value_enum, default_value_t)]
    pub(crate) runtime: Runtime,
}

/// Which configuration says where the database and the accounts are.
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The server's configuration.
    #[arg(long = "config", value_name = "FILE", default_value = config::DEFAULT_FILE)]
    pub(crate) file: PathBuf,
}

/// `qun export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The room's id.
    #[arg(value_name = "ROOM")]
    pub(crate) room: RoomId,
    /// Where to, in place of stdout. Where the file is there already, what is new is added to it.
    #[arg(short, long, value_name = "FILE", conflicts_with = "after")]
    pub(crate) output: Option<PathBuf>,
    /// Only messages behind this number.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub(crate) after: u64,
    #[command(flatten)]
    pub(crate) config: Config,
}

/// `qun import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The id of the room to fill, one of the configuration's.
    #[arg(value_name = "ROOM")]
    pub(crate) room: RoomId,
    /// Where from, in place of stdin.
    #[arg(value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: Config,
}

/// `qun account`
#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Add an account.
    Add {
        /// Its name, which nobody else can have from then on.
        #[arg(value_name = "NAME", value_parser = Name::from_str)]
        name: Name,
        #[command(flatten)]
        config: Config,
    },
    /// Change the password of one. Its sessions end when the server reads that.
    Passwd {
        /// Whose.
        #[arg(value_name = "NAME", value_parser = Name::from_str)]
        name: Name,
        #[command(flatten)]
        config: Config,
    },
    /// Remove one. Its sessions end when the server reads that, and its name is free.
    Remove {
        /// Whose.
        #[arg(value_name = "NAME", value_parser = Name::from_str)]
        name: Name,
        #[command(flatten)]
        config: Config,
    },
    /// Print the names of all.
    List {
        #[command(flatten)]
        config: Config,
    },
}

/// What drives a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// A blocking loop over the poller.
    #[default]
    Readiness,
    /// The loop of async programs, over the system's own poller whatever is chosen.
    Smol,
}

/// `qun join`
#[derive(Debug, Args)]
pub(crate) struct Join {
    #[command(flatten)]
    pub(crate) door: Door,
    /// Write what happens to stdout as JSON, one object a line, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
    /// How many earlier messages to show.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) tail: u64,
    /// Not on a terminal: stay after the end of stdin, and however long the room takes.
    #[arg(long)]
    pub(crate) stay: bool,
    /// Not on a terminal: how long to wait for the room, and after the end of stdin for an acknowledgement, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// `qun send`
#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    pub(crate) door: Door,
    /// What to say, in place of stdin.
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// How long to wait while nothing goes on, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// `qun history`
#[derive(Debug, Args)]
pub(crate) struct History {
    #[command(flatten)]
    pub(crate) door: Door,
    /// Nothing older: a time (2027-01-31T08:00:00Z), a date, or how long ago (90m, 3d).
    #[arg(long, value_name = "WHEN", value_parser = crate::history::parse_since)]
    pub(crate) since: Option<jiff::Timestamp>,
    /// The newest ones, so many at most.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// One message a line, as JSON: seq, ts (milliseconds since 1970), m, name, kind? ("me"), text, id?
    #[arg(long)]
    pub(crate) json: bool,
    /// How long to wait while nothing goes on, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// `qun search`
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// The room's code, or with --account the id of a room that the account may enter; `-` takes QUN_CODE, or reads it from
    /// the first line of stdin. Other people on this machine can see arguments.
    #[arg(value_name = "CODE")]
    pub(crate) code: String,
    /// What to look for.
    #[arg(value_name = "WORDS", required = true)]
    pub(crate) words: Vec<String>,
    /// Only messages before this number.
    #[arg(long, value_name = "SEQ", value_parser = seq)]
    pub(crate) before: Option<Seq>,
    /// The newest ones, so many at most.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: u64,
    /// One message a line, as JSON: seq, ts (milliseconds since 1970), m, name, kind? ("me"), text, id?
    #[arg(long)]
    pub(crate) json: bool,
    /// How long to wait while nothing goes on, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) who: Who,
}

/// `qun code`
#[derive(Debug, Subcommand)]
pub(crate) enum Code {
    /// Print new codes, 40 random bits each.
    New {
        /// How many.
        #[arg(short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        n: u32,
    },
}

const JSON_HELP: &str = "\
With --json every line on stdout is an object whose \"event\" says what it is. Fields may be added, none changes:
  online       member, name, resumed, account?, rooms? ({id, title, role} each: what it may enter by id)
  offline      attempt, retry_ms, bye?
  joined       room, title, role, topic?, here, head, members? ({m, name, role?} each)
  message      room, seq, ts, m, name, kind? (\"me\", \"kick\" …), act?, text, id?, live, mine
  page         room, more, messages (as message, without room, live and mine)
  found        room, from, more, messages (the same)
  lost         room, from, to
  restarted    room
  presence     room, ev (\"in\", \"out\", \"name\", \"role\"), m, name, role?, was?, why?
  here         room, n
  roster       room, members
  left         room, bye? ({code, retry, text}: the room is closed, for one)
  room         room, title, role: what it is called and what you may do there, from here on
  done         room: what was asked for to keep order is done
  code         room, label, code: one that was asked for
  renamed      name
  refused      what, code, retry, wait_ms?, left?, text
  delivered    room, id: a message of ours that is in the log and is never shown
  unconfirmed  room, id, text
  notice       level, text
  unsaid       text, why: what stood on stdin can't be said
  ended        bye? ({code, retry, text})
ts is in milliseconds since 1970; fields with ? may be absent. Lines of stdin are said.";

/// With the pollers that this system has.
fn poller_help() -> String {
    let names = PollerKind::ALL.map(PollerKind::as_str).join(", ");
    format!("How to wait for sockets, in place of what the configuration says: {names}")
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("it is a whole number from 1 to 86400".into()),
    }
}

fn seq(text: &str) -> Result<Seq, String> {
    match text.parse() {
        Ok(seq) if seq <= Seq::MAX.get() => Ok(Seq::new(seq)),
        _ => Err("it is the number of a message".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_slip_on_the_command_line_is_answered_with_what_there_is() {
        let error = Cli::try_parse_from(["qun", "serve", "--poller", "poll"]).unwrap_err().to_string();
        for poller in PollerKind::ALL {
            assert!(error.contains(poller.as_str()), "{error}");
        }
        let error = Cli::try_parse_from(["qun", "serve", "--listen", "7777"]).unwrap_err().to_string();
        assert!(error.contains("127.0.0.1:7777"), "{error}");
        let error = Cli::try_parse_from(["qun", "join", "K7QM-2XD4", "--name", "two words"]).unwrap_err().to_string();
        assert!(error.contains("a name has only letters"), "{error}");
    }
}
