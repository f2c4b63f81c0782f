//! The server that a load starts for itself.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use clap::ValueEnum as _;
use qun_core::Code;
use serde::Deserialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Bench, Presence};
use crate::exit::{Exit, Failure};

/// The server, if there is one, that must not outlive this process.
#[derive(Clone, Default)]
pub(super) struct Guard(Arc<Mutex<Option<Host>>>);

impl Guard {
    /// One that takes its server along when this process is interrupted.
    pub(super) fn new() -> io::Result<Self> {
        let guard = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let ours = guard.clone();
        thread::spawn(move || {
            if signals.forever().next().is_some() {
                // Held to the end, so that nobody tells of a server that is gone.
                let mut place = ours.0.lock().unwrap_or_else(PoisonError::into_inner);
                drop(place.take());
                super::clear();
                std::process::exit(Exit::Interrupted as i32);
            }
        });
        Ok(guard)
    }

    /// Starts a server for as long as this guard lives; says where it is, its process, and what opens its rooms.
    pub(super) fn start(&self, args: &Bench) -> Result<(SocketAddr, u32, Vec<String>), Failure> {
        // Whoever interrupts this waits until there is something to end.
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (host, codes) = Host::start(args)?;
        let (address, process) = (host.address, host.child.id());
        *place = Some(host);
        Ok((address, process, codes))
    }

    /// Ends the server.
    pub(super) fn end(&self) {
        let host = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(host);
    }
}

/// A `qun serve` of its own process, which ends with this value.
struct Host {
    child: Child,
    address: SocketAddr,
    _config: tempfile::NamedTempFile,
}

/// The log line that says where it listens.
#[derive(Deserialize)]
struct Listening {
    event: String,
    addr: Option<SocketAddr>,
    why: Option<String>,
}

impl Host {
    /// Starts a server with the rooms that are asked for, without rates; says what opens them.
    fn start(args: &Bench) -> Result<(Self, Vec<String>), Failure> {
        let cant = |error: io::Error| Failure::usage(format!("can't start a server: {error}"));
        let mut entropy = crate::entropy()?;
        let codes: Vec<_> = (0..args.rooms).map(|_| Code::generate(&mut entropy).to_string()).collect();
        let mut config = tempfile::NamedTempFile::new().map_err(cant)?;
        config.write_all(document(&codes, args.presence).as_bytes()).map_err(cant)?;
        let mut command = Command::new(std::env::current_exe().map_err(cant)?);
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config.path());
        if let Some(poller) = args.poller {
            command.args(["--poller", poller.as_str()]);
        }
        if let Some(runtime) = args.runtime.to_possible_value() {
            command.args(["--runtime", runtime.get_name()]);
        }
        // Ctrl-C is for the load, which then ends its server.
        command.process_group(0);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(cant)?;
        let mut lines =
            BufReader::new(child.stderr.take().ok_or_else(|| cant(io::ErrorKind::BrokenPipe.into()))?).lines();
        let mut said = String::new();
        let address = loop {
            let Some(line) = lines.next().transpose().map_err(cant)? else {
                let _ = child.wait();
                return Err(Failure::usage(format!("the server did not start: {said}")));
            };
            match serde_json::from_str::<Listening>(&line) {
                Ok(Listening { event, addr: Some(addr), .. }) if event == "listening" => break addr,
                Ok(Listening { why: Some(why), .. }) => said = why,
                _ => said = line,
            }
        };
        // What else it tells is read, so that it is never held up by telling it, and thrown away.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok((Self { child, address, _config: config }, codes))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Its configuration.
fn document(codes: &[String], presence: Presence) -> String {
    let presence = match presence {
        Presence::Count => "count",
        Presence::Full => "full",
    };
    // Counts that are owed to those who have just come in would be measured with what comes after them: hence `here_s`.
    let mut text = String::from(
        "[limits]\nburst = 0\nper_s = 0\nacts_burst = 0\nacts_per_s = 0\nfull_members = 2000\nhere_s = 3600\n",
    );
    for (room, code) in codes.iter().enumerate() {
        let _ = write!(
            text,
            "\n[[room]]\nid = \"bench{room}\"\ntitle = \"Bench\"\npresence = \"{presence}\"\ncodes = [{{ code = \"{code}\", label = \"bench\" }}]\n"
        );
    }
    text
}
