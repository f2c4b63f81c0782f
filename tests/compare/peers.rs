//! How other servers are started: alone on a port of the loopback, and without limits on what people may do.
//!
//! Rates, flood limits, penalties, looking up names and identities, limits on connections and on what waits for a slow reader
//! are all lifted; nothing is written to disk.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::system::Peer;

/// The command that starts a server on `port`, whose files are in `dir`.
///
/// # Errors
/// Where its configuration can't be written.
pub(crate) fn command(peer: Peer, program: &Path, port: u16, dir: &Path) -> io::Result<Command> {
    let config = dir.join(format!("{}.conf", peer.name()));
    let mut command = Command::new(program);
    match peer {
        Peer::Redis => {
            let port = port.to_string();
            command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--maxclients", "18000"]);
            command.args(["--client-output-buffer-limit", "pubsub 0 0 0", "--tcp-backlog", "4096"]);
        }
        Peer::Nats => {
            fs::write(&config, format!("listen: \"127.0.0.1:{port}\"\nmax_connections: 100000\n"))?;
            command.arg("-c").arg(&config);
        }
        Peer::Inspircd => {
            fs::write(&config, inspircd(port))?;
            command.args(["--nofork", "--nopid", "--runasroot", "--config"]).arg(&config);
        }
        Peer::Ngircd => {
            fs::write(&config, ngircd(port))?;
            command.args(["-n", "-f"]).arg(&config);
        }
        Peer::Mosquitto => {
            fs::write(&config, mosquitto(port))?;
            command.arg("-c").arg(&config);
        }
    }
    command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

fn inspircd(port: u16) -> String {
    format!(
        r#"<config format="xml">
<server name="irc.test" description="compared" network="test" id="00A">
<admin name="nobody" email="nobody@irc.test" nick="nobody">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect name="main" allow="*" timeout="600" pingfreq="3600" fakelag="no" threshold="1000000000"
  commandrate="1000000000" recvq="100000000" softsendq="2000000000" hardsendq="2000000000" limit="100000"
  globalmax="100000" localmax="100000" maxchans="100" resolvehostnames="no" useident="no">
<performance softlimit="100000" somaxconn="4096" quietbursts="yes">
"#
    )
}

/// It is not run as root, whoever starts it.
fn ngircd(port: u16) -> String {
    format!(
        "[Global]\nName = irc.test\nInfo = compared\nListen = 127.0.0.1\nPorts = {port}\nMotdPhrase = hi\n\
         [Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxNickLength = 16\nMaxPenaltyTime = 0\n\
         PingTimeout = 3600\n\
         [Options]\nDNS = no\nIdent = no\nPAM = no\n"
    )
}

fn mosquitto(port: u16) -> String {
    format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\n\
         persistence false\nlog_type none\n"
    )
}
