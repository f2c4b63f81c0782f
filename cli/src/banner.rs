//! How to get in, for the person who starts a server.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use qun_core::Code;
use qun_core::server::RoomConfig;

use crate::config::DEFAULT_LISTEN;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// For a temporary room.
pub(crate) fn temporary(code: &Code, addresses: &[SocketAddr]) -> String {
    let mut text = format!("qun {VERSION}: a temporary room, which ends with this process.\n\n  code   {code}\n");
    for address in addresses {
        doors(&mut text, &code.to_string(), *address);
    }
    text.push_str("\nCtrl-C stops it. `qun init` writes a configuration for rooms and codes that stay.\n");
    warn(&mut text, addresses);
    text
}

/// For the rooms of a configuration; it knows their codes, and a screen need not.
pub(crate) fn configured(rooms: &[RoomConfig], addresses: &[SocketAddr], history: Option<&Path>) -> String {
    let mut text = format!("qun {VERSION}: {} room{}.\n\n", rooms.len(), if rooms.len() == 1 { "" } else { "s" });
    for room in rooms {
        let labels: Vec<_> = room.codes.iter().map(|access| &*access.label).collect();
        let _ = writeln!(text, "  {}  {} (codes: {})", room.id, room.title, labels.join(", "));
    }
    text.push('\n');
    for address in addresses {
        doors(&mut text, "CODE", *address);
    }
    let _ = match history {
        Some(file) => writeln!(text, "\nWhat is said is kept in {}.", file.display()),
        None => writeln!(text, "\nWhat is said is kept in memory, and gone with this process: [storage] keeps it."),
    };
    text.push_str("The codes stand in the configuration. Ctrl-C stops the server.\n");
    warn(&mut text, addresses);
    text
}

/// The ways in through one address.
fn doors(text: &mut String, code: &str, address: SocketAddr) {
    let reached = reached(address);
    let server = if reached == DEFAULT_LISTEN { String::new() } else { format!(" --server {reached}") };
    let _ = writeln!(text, "  join   qun join {code}{server}\n  or     nc {} {}", reached.ip(), reached.port());
}

/// Where on this machine a listener is reached that listens on all its addresses.
fn reached(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn warn(text: &mut String, addresses: &[SocketAddr]) {
    if addresses.iter().any(|address| !address.ip().is_loopback()) {
        text.push_str("Other machines can reach it, and what is said travels unencrypted.\n");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_to_get_in() {
        let code: Code = "K7QM-2XD4".parse().unwrap();
        let text = temporary(&code, &[DEFAULT_LISTEN]);
        assert!(text.contains("qun join K7QM-2XD4\n") && text.contains("nc 127.0.0.1 7777\n"), "{text}");
        assert!(!text.contains("unencrypted"), "{text}");
        let text = temporary(&code, &["0.0.0.0:8000".parse().unwrap()]);
        assert!(text.contains("qun join K7QM-2XD4 --server 127.0.0.1:8000\n"), "{text}");
        assert!(text.contains("nc 127.0.0.1 8000\n") && text.contains("unencrypted"), "{text}");
    }
}
