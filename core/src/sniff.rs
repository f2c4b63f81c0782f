//! Which dialect a connection speaks, from its first bytes (PROTOCOL.md, One port).

/// First words by which an IRC client is known; no code begins with one.
pub(crate) const RESERVED: [&str; 7] = ["CAP", "NICK", "USER", "PASS", "QUIT", "PING", "WEBIRC"];
