//! Bytes to lines, and lines to whoever handles them.

use alloc::vec::Vec;

use zeroize::Zeroize;

use super::conn::{Conn, Phase, Ping, Plain, Tongue, Wait};
use super::io::{Action, Peer, Reason};
use super::out::PrivateKind;
use super::{Server, Source};
use crate::dialect::Dialect;
use crate::id::ConnId;
use crate::limits::FIRST_LINE;
use crate::plain::Phrase;
use crate::sniff::{Sniff, sniff};

/// What comes next of what a connection has sent.
enum Next {
    /// Nothing, until more comes.
    Nothing,
    /// A line, in the buffer that was given for it.
    Line(Dialect),
    /// It told what it speaks.
    Decided(Sniff),
    TooLong,
}

impl Server {
    pub(super) fn opened(&mut self, id: ConnId, peer: Peer) {
        self.conns.insert(Conn::new(id, peer, self.limits.line, self.now.mono));
        let count = self.count(peer);
        let limit = self.limits.connections_per_source;
        if self.draining {
            self.closed(id, Reason::Shutdown);
        } else if limit > 0 && count > limit {
            self.closed(id, Reason::Flood);
        } else {
            self.schedule(id);
        }
    }

    /// Remembers a connection's source; says how many it has.
    fn count(&mut self, peer: Peer) -> u32 {
        let Some(source) = counted(peer) else { return 0 };
        let count = self.sources.entry(source).or_default();
        *count += 1;
        *count
    }

    /// Forgets a connection's source, as it is buried.
    pub(super) fn uncount(&mut self, peer: Peer) {
        let Some(source) = counted(peer) else { return };
        if let Some(count) = self.sources.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
    }

    pub(super) fn received(&mut self, id: ConnId, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| !conn.ended) else { return };
        conn.heard = self.now.mono;
        if let Ping::Until(_) = conn.ping {
            conn.ping = Ping::After(self.limits.ping);
        }
        if conn.is_closing() {
            return;
        }
        conn.take(bytes);
        if conn.tongue == Tongue::Unknown && conn.lines.unread().first() == Some(&0xFF) {
            // Telnet speaks before its person does: what it said is no line.
            let said = conn.lines.rest().unwrap_or_default();
            conn.tongue = Tongue::Plain(Plain::default());
            conn.take(&said);
            self.ask_for_code(id);
        }
        self.answer_telnet(id);
        self.pump(id);
        let most = 2 * self.limits.unread;
        if self.conns.get(id).is_some_and(|conn| conn.lines.unread().len() > conn.line + most) {
            self.part(id, Reason::Flood);
        }
    }

    /// Declines what the last bytes asked for. Whoever reads no answers gets none: what asks is no line, and never waits.
    pub(super) fn answer_telnet(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let is_full = conn.out.private_bytes > self.limits.private;
        let reply = conn.plain().map(|plain| core::mem::take(&mut plain.reply)).unwrap_or_default();
        if is_full {
            return;
        }
        self.send(id, reply, PrivateKind::Reply);
    }

    pub(super) fn ended(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.ended = true;
        self.pump(id);
    }

    /// Handles the lines that have come, until there is none or the next one has to wait.
    pub(super) fn pump(&mut self, id: ConnId) {
        loop {
            self.leave_if_settled(id, false);
            self.part_if_settled(id);
            let Some(conn) = self.conns.get_mut(id) else { return };
            if conn.is_closing() {
                break;
            }
            if self.is_blocked(id) {
                break;
            }
            let Some(conn) = self.conns.get_mut(id) else { return };
            let mut line = core::mem::take(&mut self.line);
            let next = conn.next(&mut line);
            let is_over = conn.ended;
            // The next line of either may hold a password, whatever it turns out to be.
            let is_secret = conn.phase == Phase::Hello || conn.is_asked_for_password();
            match next {
                Next::Line(Dialect::Json) => self.request(id, &line),
                Next::Line(Dialect::Plain) => self.line(id, &line),
                _ => {}
            }
            if is_secret {
                line.as_mut_slice().zeroize();
                if let Some(conn) = self.conns.get_mut(id) {
                    conn.lines.wipe();
                }
            }
            line.clear();
            self.line = line;
            match next {
                Next::Line(_) => {}
                Next::Nothing if is_over => self.part(id, Reason::EndOfInput),
                Next::Nothing => break,
                Next::Decided(sniff) => self.decided(id, sniff),
                Next::TooLong => self.part(id, Reason::TooBig),
            }
        }
        if let Some(conn) = self.conns.get_mut(id) {
            conn.lines.tidy();
        }
        self.queue_reading(id);
        self.schedule(id);
    }

    /// Whether the connection's next line has to wait. Where it waits for its rate, that is arranged here.
    fn is_blocked(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get(id) else { return true };
        if self.is_waiting(conn) {
            return true;
        }
        // A person's lines wait for their rate; a program is refused what exceeds it.
        if conn.dialect() != Some(Dialect::Plain) {
            return false;
        }
        let Some(session) = conn.session().and_then(|handle| self.sessions.get(handle)) else { return false };
        let wait = session.says.wait(self.says, self.now.mono);
        if wait.is_zero() || !conn.has_line() {
            return false;
        }
        let Some(conn) = self.conns.get_mut(id) else { return true };
        let Some(plain) = conn.plain() else { return false };
        let told = core::mem::replace(&mut plain.told_slow, true);
        conn.wait = Some(Wait::Pace(self.now.mono + wait));
        if !told {
            self.phrase(id, Phrase::SlowDown { per_s: self.limits.per_s });
        }
        true
    }

    /// Has `poll` tell the driver whether to read, if that changed.
    fn queue_reading(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        let read = self.wants_to_read(conn);
        let Some(conn) = self.conns.get_mut(id) else { return };
        if read != conn.reading && !conn.reading_queued {
            conn.reading_queued = true;
            self.reads.push_back(id);
        }
    }

    /// What to tell the driver about reading, if it is not told already.
    pub(super) fn reading(&mut self, id: ConnId) -> Option<bool> {
        let read = self.wants_to_read(self.conns.get(id)?);
        let conn = self.conns.get_mut(id)?;
        conn.reading_queued = false;
        let news = conn.reading != read;
        conn.reading = read;
        news.then_some(read)
    }

    /// Lines that wait inside stop the reading; a connection that closes is read to its end, so that what is unread at
    /// its close does not cost it the last lines.
    fn wants_to_read(&self, conn: &Conn) -> bool {
        conn.is_closing() || conn.lines.unread().is_empty() || !self.is_waiting(conn)
    }

    /// Whether the next line waits: for an answer, for unsent bytes to go out, or for the session's says.
    fn is_waiting(&self, conn: &Conn) -> bool {
        let session = conn.session().and_then(|handle| self.sessions.get(handle));
        conn.wait.is_some()
            || !self.recalling.is_empty()
            || conn.out.private_bytes > self.limits.private
            || session.is_some_and(|session| session.in_flight >= self.limits.in_flight)
            // Whoever logs in may be somebody else after it: what they said before is said by who they were.
            || (session.is_some_and(|session| session.in_flight > 0) && conn.is_asked_for_password())
    }

    /// Says something in the plain dialect.
    pub(super) fn phrase(&mut self, id: ConnId, phrase: Phrase<'_>) {
        let mut bytes = Vec::new();
        phrase.write(self.style.language, &mut bytes);
        self.send(id, bytes, PrivateKind::Reply);
    }

    pub(super) fn note(&mut self, note: super::io::Note) {
        self.actions.push_back(Action::Note(note));
    }
}

impl Conn {
    /// Adds bytes to the lines, without what telnet says between them.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        match &mut self.tongue {
            Tongue::Plain(plain) => {
                let mut keep = Vec::new();
                plain.telnet.strip(bytes, &mut keep, &mut plain.reply);
                self.lines.push(&keep);
            }
            _ => self.lines.push(bytes),
        }
    }

    fn has_line(&self) -> bool {
        self.lines.has_line(self.line_limit()) || (self.ended && !self.lines.unread().is_empty())
    }

    fn line_limit(&self) -> usize {
        match self.phase {
            Phase::Code(0) => FIRST_LINE,
            _ => self.line,
        }
    }

    fn next(&mut self, line: &mut Vec<u8>) -> Next {
        let limit = self.line_limit();
        let dialect = match self.tongue {
            Tongue::Unknown => {
                return match sniff(self.lines.unread(), self.ended) {
                    Sniff::Undecided => Next::Nothing,
                    sniff => Next::Decided(sniff),
                };
            }
            Tongue::Json => Dialect::Json,
            Tongue::Plain(_) => Dialect::Plain,
        };
        match self.lines.next(limit, line) {
            Some(Ok(())) => Next::Line(dialect),
            Some(Err(crate::lines::TooLong)) => Next::TooLong,
            // A last line counts without its end.
            None if self.ended => match self.lines.rest() {
                Some(rest) => {
                    *line = rest;
                    Next::Line(dialect)
                }
                None => Next::Nothing,
            },
            None => Next::Nothing,
        }
    }
}

/// The source of those connections that are counted: a person on this machine needs no protection from himself, and
/// behind a local proxy everyone seems to be one.
fn counted(peer: Peer) -> Option<Source> {
    if peer.is_loopback() { None } else { peer.source() }
}
