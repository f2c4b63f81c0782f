//! `qun bench`: a load on a server, what the server makes of it, and what that costs.

mod host;
mod report;

use std::io::{self, IsTerminal as _, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use qun_transports::load::{self, LEAST_BYTES, Outcome, Pace, Plan, Progress, Protocol, Traffic};
use qun_transports::readiness::PollerKind;
use serde::Deserialize;

use crate::args::Runtime;
use crate::config;
use crate::exit::{Exit, Failure};
use host::Guard;

/// `qun bench`
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What happens in the rooms.
    #[arg(value_enum, default_value_t)]
    load: Load,
    /// A server that runs already. Without it one is started on this machine for the time of the load, without rates.
    #[arg(long, value_name = "HOST:PORT", value_parser = crate::args::server)]
    server: Option<String>,
    /// What to speak.
    #[arg(long, value_name = "NAME", default_value = "json", help = protocol_help())]
    protocol: Protocol,
    /// Of a server of qun's that runs already: its configuration, whose codes open the rooms.
    #[arg(long, value_name = "FILE", requires = "server", conflicts_with = "code")]
    config: Option<PathBuf>,
    /// Of a server of qun's that runs already: the code of a room. May be given several times.
    #[arg(long, requires = "server")]
    code: Vec<String>,
    /// The process of a server that runs already, on this machine: its processor time and memory are read.
    #[arg(long, requires = "server")]
    pid: Option<u32>,
    /// Rooms, each with its own people.
    #[arg(short, long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rooms: u32,
    /// Members of each room.
    #[arg(short, long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    members: u32,
    /// Members of each room who talk.
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    senders: u32,
    /// Bytes of each text, 18 at least.
    #[arg(short, long, value_name = "N", default_value_t = 64)]
    bytes: usize,
    /// Messages that each sender has in flight, always; one is in flight until its last member has it.
    #[arg(short, long, value_name = "N", default_value_t = 16, conflicts_with = "rate")]
    window: u32,
    /// In place of --window: messages a second of all senders together. Latency is counted from when a message was due.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// How long it is measured, in seconds.
    #[arg(short = 't', long, value_name = "SECONDS", default_value_t = 5.0, value_parser = some_seconds)]
    seconds: f64,
    /// How long it goes on before that, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    warmup: f64,
    /// Of the server that is started: how it waits for sockets.
    #[arg(long, value_name = "NAME", conflicts_with = "server")]
    poller: Option<PollerKind>,
    /// Of the server that is started: what drives it.
    #[arg(long, value_enum, default_value_t, conflicts_with = "server")]
    runtime: Runtime,
    /// Of the server that is started: what its rooms tell of who is there.
    #[arg(long, value_enum, default_value_t, conflicts_with = "server")]
    presence: Presence,
    /// Print one JSON object in place of the table.
    #[arg(long)]
    json: bool,
}

/// What happens in the rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Load {
    /// Senders talk, everyone listens.
    #[default]
    Talk,
    /// The same, and then again while one member of the first room reads nothing any more.
    Stalled,
    /// Everyone is in, nobody talks: what a connection takes in memory.
    Idle,
    /// Rooms × members people at a time connect, get in, leave and go, over and over.
    Churn,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Presence {
    /// How many.
    #[default]
    Count,
    /// Who.
    Full,
}

/// Runs `qun bench`.
///
/// # Errors
/// A load that can't be run to its end. Faults are no error here: they are told, and exit with 1.
pub(crate) fn run(args: &Bench) -> Result<Exit, Failure> {
    let descriptors = qun_transports::readiness::raise_descriptor_limit().unwrap_or(0);
    let connections = u64::from(args.rooms) * u64::from(args.members);
    if connections + 64 > descriptors {
        return Err(Failure::usage(format!(
            "{connections} connections need more descriptors than the {descriptors} that this system allows a process: raise its hard limit (ulimit -Hn), or take fewer --rooms or --members"
        )));
    }
    let guard = Guard::new().map_err(|error| Failure::usage(format!("can't watch for signals: {error}")))?;
    let (server, doors, process) = match &args.server {
        Some(server) => (resolve(server)?, doors(args)?, args.pid),
        None => {
            if !args.protocol.is_quns() {
                return Err(Failure::usage(format!("qun speaks no {}: name a --server that does", args.protocol)));
            }
            let (server, process, doors) = guard.start(args)?;
            (server, doors, Some(process))
        }
    };
    let plan = Plan {
        traffic: match args.load {
            Load::Talk => Traffic::Talk,
            Load::Stalled => Traffic::Stalled,
            Load::Idle => Traffic::Idle,
            Load::Churn => Traffic::Churn,
        },
        doors,
        members: args.members,
        senders: args.senders,
        bytes: args.bytes,
        pace: args.rate.map_or(Pace::Window(args.window), Pace::Rate),
        warmup: Duration::from_secs_f64(args.warmup),
        time: Duration::from_secs_f64(args.seconds),
        process,
        ..Plan::new(server, args.protocol)
    };
    let outcome = load::run(&plan, &mut progress);
    guard.end();
    clear();
    let outcome = outcome.map_err(|failure| self::failure(&plan, &failure))?;
    crate::say(&if args.json { report::json(&plan, &outcome) } else { report::table(&plan, &outcome, columns()) })?;
    match outcome {
        Outcome::Talked(talked) if !talked.faults.is_none() => Ok(Exit::Network),
        _ => Ok(Exit::Ok),
    }
}

/// What opens the rooms of a server that runs already.
fn doors(args: &Bench) -> Result<Vec<String>, Failure> {
    let wanted = args.rooms as usize;
    if !args.protocol.is_quns() {
        return Ok((0..wanted).map(|room| format!("bench{room}")).collect());
    }
    let codes = match &args.config {
        Some(file) => {
            let rooms = config::read(file)?.settings.core.rooms;
            let code = |room: &qun_core::server::RoomConfig| {
                room.codes.iter().find(|with| with.role == qun_core::Role::Talk).map(|with| with.code.to_string())
            };
            rooms.iter().filter_map(code).collect()
        }
        None => args.code.clone(),
    };
    if codes.len() < wanted {
        return Err(Failure::usage(format!(
            "{wanted} rooms need as many codes, and there are {}: give --config FILE or --code CODE of each, or fewer --rooms",
            codes.len()
        )));
    }
    Ok(codes.into_iter().take(wanted).collect())
}

fn resolve(server: &str) -> Result<SocketAddr, Failure> {
    let addresses = server.to_socket_addrs();
    let none = |why: String| Failure { exit: Exit::Network, text: format!("can't find {server}: {why}") };
    addresses.map_err(|error| none(error.to_string()))?.next().ok_or_else(|| none("it has no address".into()))
}

/// What a person can do about it.
fn failure(plan: &Plan, failure: &load::Failure) -> Failure {
    let text = match failure {
        load::Failure::Refused { member, words } if plan.protocol.is_quns() => {
            let refusal: Refusal = serde_json::from_str(words).unwrap_or_else(|_| Refusal::of_plain(words));
            format!("the server refused member {member}: {}{}", refusal.text, refusal.advice())
        }
        load::Failure::Closed { .. } | load::Failure::Stuck { .. } => format!("{failure} ({})", plan.server),
        _ => failure.to_string(),
    };
    match failure {
        load::Failure::Plan(_) | load::Failure::NoProcess(_) => Failure::usage(text),
        _ => Failure { exit: Exit::Network, text },
    }
}

/// What a server of qun's says as it refuses something.
#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: String,
    text: String,
}

impl Refusal {
    fn of_plain(words: &str) -> Self {
        let slow = ["Slow down", "慢一点"].iter().any(|start| words.contains(start));
        Self { code: if slow { "slow_down".into() } else { String::new() }, text: words.to_owned() }
    }

    fn advice(&self) -> &'static str {
        match self.code.as_str() {
            "slow_down" => {
                "\n(a load wants a server without rates: burst, per_s, acts_burst and acts_per_s = 0 under [limits] of its configuration)"
            }
            "room_full" => {
                "\n(full_members under [limits] of its configuration says how many a room with presence = \"full\" takes)"
            }
            _ => "",
        }
    }
}

fn progress(progress: Progress) {
    if !io::stderr().is_terminal() {
        return;
    }
    let text = match progress {
        Progress::Entering(n, of) => format!("{n} of {of} are in"),
        Progress::Talking(time, delivered) => format!("{} s: {delivered} deliveries", time.as_secs()),
        Progress::Settling => "waiting for the last deliveries".into(),
        Progress::Idling(time) => format!("{} s of silence", time.as_secs()),
        Progress::Churning(time, cycles) => format!("{} s: {cycles} came and went", time.as_secs()),
    };
    let _ = write!(io::stderr(), "\r\x1b[K{text}");
}

/// How wide the terminal is; elsewhere lines are as long as they are.
fn columns() -> usize {
    let columns = io::stdout().is_terminal().then(crossterm::terminal::size).and_then(Result::ok);
    columns.map_or(usize::MAX, |(columns, _)| usize::from(columns))
}

fn clear() {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}

fn protocol_help() -> String {
    let names = Protocol::ALL.map(Protocol::as_str).join(", ");
    format!("What to speak: {names}. All but the first two want a --server that speaks it")
}

fn some_seconds(text: &str) -> Result<f64, String> {
    seconds(text).and_then(|time| if time < 0.05 { Err("it is at least 0.05 seconds".into()) } else { Ok(time) })
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("it is a number of seconds, up to 86400".into()),
    }
}

const _: () = assert!(LEAST_BYTES == 18, "what --bytes says");
