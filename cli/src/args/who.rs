//! Which server, as whom, into which room.

use std::path::PathBuf;
use std::str::FromStr as _;

use clap::Args;
use qun_core::{Name, Password};

use crate::account;
use crate::exit::Failure;
use crate::secret;

/// Which room, as whom.
#[derive(Debug, Args)]
pub(crate) struct Door {
    /// The room's code, or with --account the id of a room that the account may enter; `-` reads it from the first line of stdin. Without one it is asked for. Other people on this
    /// machine can see arguments: QUN_CODE and `-` are safer.
    #[arg(env = "QUN_CODE", hide_env_values = true, value_name = "CODE")]
    pub(crate) code: Option<String>,
    #[command(flatten)]
    pub(crate) who: Who,
}

/// As whom, and where.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// What to be called; without it the server finds a name.
    #[arg(long, env = "QUN_NAME", hide_env_values = true, value_parser = Name::from_str)]
    pub(crate) name: Option<Name>,
    /// Log in to this account, which is what to be called then. The password is asked for at the terminal, and kept in memory
    /// for as long as this runs.
    #[arg(long, env = "QUN_ACCOUNT", hide_env_values = true, value_name = "NAME", value_parser = Name::from_str)]
    pub(crate) account: Option<Name>,
    /// Read the account's password from the first line of this file, which nobody else may read.
    #[arg(long, env = "QUN_PASSWORD_FILE", hide_env_values = true, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// The server; without a port, 7777.
    #[arg(
        long,
        env = "QUN_SERVER",
        hide_env_values = true,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:7777"
    )]
    #[arg(value_parser = server)]
    pub(crate) server: String,
}

impl Who {
    /// Whom to be at the server, with the password that proves it.
    ///
    /// # Errors
    /// Where the password is asked for and nobody can be asked, or can't be read.
    pub(crate) fn prove(&self) -> Result<(Option<Name>, Option<Password>), Failure> {
        let Some(account) = &self.account else {
            let alone = "--password-file is an account's: say which by --account NAME";
            return if self.password_file.is_some() {
                Err(Failure::usage(alone))
            } else {
                Ok((self.name.clone(), None))
            };
        };
        let password = match &self.password_file {
            Some(file) => account::from_file(file)?,
            None => secret::ask(&format!("Password of {account}: "))?,
        };
        Ok((Some(account.clone()), Some(password)))
    }
}

/// Reads `HOST`, `HOST:PORT`, `IPV6` or `[IPV6]:PORT`, and adds the port where there is none.
pub(crate) fn server(text: &str) -> Result<String, String> {
    let wrong = || Err("write HOST:PORT, as in chat.example.org:7777 or [::1]:7777".to_string());
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(format!("[{text}]:{DEFAULT_PORT}"));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, port),
        Some(_) => return wrong(),
        None => (text, DEFAULT_PORT),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match bracketed {
        Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || "[]:/@".contains(c))
        }
    };
    match port.parse::<u16>() {
        Ok(1..) if host_fits => Ok(format!("{}:{port}", host.to_lowercase())),
        _ => wrong(),
    }
}

/// The port of a server that is named without one.
const DEFAULT_PORT: &str = "7777";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_port_in_the_end() {
        for (typed, meant) in [
            ("chat.example.org", "chat.example.org:7777"),
            ("Chat.Example.org:80", "chat.example.org:80"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("::1", "[::1]:7777"),
            ("[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(server(typed).as_deref(), Ok(meant), "{typed}");
        }
        for typed in ["", ":7777", "host:", "host:0", "host:70000", "http://host", "[::1", "a b:1", "[host]:1"] {
            assert!(server(typed).is_err(), "{typed}");
        }
    }
}
