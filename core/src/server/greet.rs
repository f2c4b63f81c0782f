//! First words: what a connection turns out to speak, and what it is asked or told before that is known.

use core::time::Duration;

use super::Server;
use super::conn::{Phase, Plain, Tongue};
use super::io::{Peer, Reason, Source};
use super::out::PrivateKind;
use crate::dialect::Dialect;
use crate::id::ConnId;
use crate::plain::Phrase;
use crate::sniff::Sniff;

/// How long a source that has spoken HTTP is not prompted (PROTOCOL.md, One port).
const HTTP_MEMORY: Duration = Duration::from_secs(60);
/// How many of them are remembered.
const HTTP_SOURCES: usize = 1_024;

/// What a person behind a browser is told. A byte layer that speaks HTTP would have taken the request.
const NO_HTTP: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 65\r\n\
    Connection: close\r\n\r\nThis is a qun server. It speaks no HTTP: connect with qun or nc.\n";
const NO_IRC: &str = "ERROR :This is a qun server. It speaks no IRC: connect with qun or nc.\r\n";

impl Server {
    /// Acts on what the first bytes told.
    pub(super) fn decided(&mut self, id: ConnId, sniff: Sniff) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let prompted = conn.phase == Phase::Sniffing(true);
        let peer = conn.peer;
        match sniff {
            Sniff::Undecided => {}
            Sniff::Json => {
                conn.tongue = Tongue::Json;
                conn.phase = Phase::Hello;
                conn.out.dialect = Dialect::Json;
                if prompted {
                    self.send(id, &b"\r\n"[..], PrivateKind::Reply);
                }
            }
            Sniff::Plain => {
                let said = conn.lines.rest().unwrap_or_default();
                conn.tongue = Tongue::Plain(Plain::default());
                conn.phase = Phase::Code(0);
                conn.take(&said);
                self.answer_telnet(id);
            }
            Sniff::Irc => self.turn_away(id, prompted, NO_IRC),
            Sniff::Http => {
                if let Some(source) = peer.source() {
                    self.remember_http(source);
                }
                self.turn_away(id, prompted, NO_HTTP);
            }
            Sniff::Tls => self.part(id, Reason::Protocol),
            Sniff::TooLong => self.part(id, Reason::TooBig),
        }
    }

    /// Says in its own words to somebody of another protocol that this is not it. It counts as no guess.
    fn turn_away(&mut self, id: ConnId, prompted: bool, words: &'static str) {
        if prompted {
            self.send(id, &b"\r\n"[..], PrivateKind::Reply);
        }
        self.send(id, words.as_bytes(), PrivateKind::Reply);
        self.part(id, Reason::Protocol);
    }

    fn remember_http(&mut self, source: Source) {
        let now = self.now.mono;
        if self.http.len() >= HTTP_SOURCES {
            self.http.retain(|_, until| *until > now);
        }
        if self.http.len() < HTTP_SOURCES {
            self.http.insert(source, now + HTTP_MEMORY);
        }
    }

    /// Whether this source gets no prompt before it has sent an empty line: a browser's spare connection would choke.
    pub(super) fn is_quiet(&self, peer: Peer) -> bool {
        let until = peer.source().and_then(|source| self.http.get(&source));
        until.is_some_and(|until| *until > self.now.mono)
    }

    /// A connection that says nothing is asked for its code; what it speaks stays open.
    pub(super) fn prompt(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.phase = Phase::Sniffing(true);
        self.phrase(id, Phrase::CodePrompt);
    }

    /// A connection that speaks plain is asked for its code, unless it was.
    pub(super) fn ask_for_code(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let prompted = conn.phase == Phase::Sniffing(true);
        conn.phase = Phase::Code(0);
        if !prompted {
            self.phrase(id, Phrase::CodePrompt);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_length_of_the_http_answer_is_true() {
        let (head, body) = super::NO_HTTP.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&alloc::format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
