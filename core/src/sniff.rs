//! Which dialect a connection speaks, from its first bytes (PROTOCOL.md, One port).

use crate::limits::FIRST_LINE;

/// First words by which an IRC client is known; no code begins with one.
pub(crate) const RESERVED: [&str; 7] = ["CAP", "NICK", "USER", "PASS", "QUIT", "PING", "WEBIRC"];

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sniff {
    /// Nothing yet.
    Undecided,
    Json,
    Plain,
    Irc,
    /// A request that no byte layer below has taken.
    Http,
    /// A ClientHello that no byte layer below has taken.
    Tls,
    /// A first line that never ends.
    TooLong,
}

/// Looks at all that has come; `ended`: nothing more will.
pub(crate) fn sniff(unread: &[u8], ended: bool) -> Sniff {
    match unread.first() {
        None => return Sniff::Undecided,
        Some(b'{') => return Sniff::Json,
        Some(0xFF) => return Sniff::Plain,
        Some(0x16) => return Sniff::Tls,
        Some(_) => {}
    }
    let line = match unread.iter().take(FIRST_LINE).position(|&b| b == b'\n') {
        Some(end) => &unread[..end],
        None if unread.len() >= FIRST_LINE => return Sniff::TooLong,
        None if ended => unread,
        None => return Sniff::Undecided,
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some((version, request)) = line.split_last()
        && version.is_ascii_digit()
        && request.ends_with(b" HTTP/1.")
    {
        return Sniff::Http;
    }
    let first = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    if RESERVED.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(first)) { Sniff::Irc } else { Sniff::Plain }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_LINE, RESERVED, Sniff, sniff};

    #[test]
    fn the_first_byte_decides_where_it_can() {
        assert_eq!(sniff(b"", false), Sniff::Undecided);
        assert_eq!(sniff(b"{", false), Sniff::Json);
        assert_eq!(sniff(b"\xFF", false), Sniff::Plain);
        assert_eq!(sniff(b"\x16\x03", false), Sniff::Tls);
        assert_eq!(sniff(b"K", false), Sniff::Undecided);
    }

    #[test]
    fn the_first_line_decides_otherwise() {
        assert_eq!(sniff(b"K7QM-2XD4\n", false), Sniff::Plain);
        assert_eq!(sniff(b"\r\n", false), Sniff::Plain);
        assert_eq!(sniff(b"GET / HTTP/1.1\r\nHost: x\r\n", false), Sniff::Http);
        assert_eq!(sniff(b"GET / HTTP/2\r\n", false), Sniff::Plain);
        for word in RESERVED {
            assert_eq!(sniff(alloc::format!("{} x\n", word.to_lowercase()).as_bytes(), false), Sniff::Irc);
            assert_eq!(sniff(alloc::format!("{word}x\n").as_bytes(), false), Sniff::Plain);
        }
    }

    #[test]
    fn a_last_line_needs_no_end() {
        assert_eq!(sniff(b"K7QM-2XD4", false), Sniff::Undecided);
        assert_eq!(sniff(b"K7QM-2XD4", true), Sniff::Plain);
        assert_eq!(sniff(b"QUIT", true), Sniff::Irc);
    }

    #[test]
    fn a_first_line_has_a_limit() {
        let mut line = alloc::vec![b'a'; FIRST_LINE - 1];
        assert_eq!(sniff(&line, false), Sniff::Undecided);
        line.push(b'\n');
        assert_eq!(sniff(&line, false), Sniff::Plain);
        line[FIRST_LINE - 1] = b'a';
        assert_eq!(sniff(&line, false), Sniff::TooLong);
    }
}
