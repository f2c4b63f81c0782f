//! The server that a load starts for itself.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;

use clap::ValueEnum as _;
use qun_core::Code;
use serde::Deserialize;

use super::{Bench, Presence};
use crate::exit::Failure;

/// A `qun serve` of its own process, which ends with this value.
pub(super) struct Host {
    child: Child,
    pub(super) address: SocketAddr,
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
    pub(super) fn start(args: &Bench) -> Result<(Self, Vec<String>), Failure> {
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

    /// Its process.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
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
    let mut text =
        String::from("[limits]\nburst = 0\nper_s = 0\nacts_burst = 0\nacts_per_s = 0\nfull_members = 2000\n");
    for (room, code) in codes.iter().enumerate() {
        let _ = write!(
            text,
            "\n[[room]]\nid = \"bench{room}\"\ntitle = \"Bench\"\npresence = \"{presence}\"\ncodes = [{{ code = \"{code}\", label = \"bench\" }}]\n"
        );
    }
    text
}
