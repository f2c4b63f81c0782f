//! A connection line by line, and what a check says where it is not as it should be.

use std::io::{BufRead, BufReader, ErrorKind};
use std::time::Duration;

use super::room::CODE;
use super::{Violation, Wire};

/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody at a [`Wire`].
pub(super) struct Line<W: Wire> {
    reader: BufReader<W>,
}

impl<W: Wire> Line<W> {
    pub(super) fn new(wire: W) -> Result<Self, Violation> {
        wire.limit(PATIENCE)?;
        Ok(Self { reader: BufReader::new(wire) })
    }

    pub(super) fn wire(&self) -> &W {
        self.reader.get_ref()
    }

    pub(super) fn into_wire(self) -> W {
        self.reader.into_inner()
    }

    pub(super) fn send(&mut self, text: &str) -> Result<(), Violation> {
        Ok(self.reader.get_mut().write_all(text.as_bytes())?)
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<String>, Violation> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(line)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(Violation(format!("nothing came for {PATIENCE:?}")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether nothing has come by now.
    pub(super) fn is_silent(&mut self) -> Result<bool, Violation> {
        self.wire().limit(Duration::from_millis(1))?;
        let come = self.reader.fill_buf().map(drop);
        self.wire().limit(PATIENCE)?;
        match come {
            Ok(()) => Ok(false),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// The next line that has `part`.
    pub(super) fn until(&mut self, part: &str) -> Result<String, Violation> {
        loop {
            match self.next().map_err(|Violation(what)| Violation(format!("waiting for {part}: {what}")))? {
                Some(line) if line.contains(part) => return Ok(line),
                Some(_) => {}
                None => return Err(Violation(format!("the connection ended before {part}"))),
            }
        }
    }

    /// All that comes up to the end.
    pub(super) fn rest(&mut self) -> Result<String, Violation> {
        let mut rest = String::new();
        while let Some(line) = self.next()? {
            rest += &line;
        }
        Ok(rest)
    }

    pub(super) fn get_in(&mut self, name: &str) -> Result<(), Violation> {
        self.send(&hello(name))?;
        self.until(r#""t":"joined""#).map(drop)
    }

    /// Says something, and waits for the echo.
    pub(super) fn say(&mut self, id: &str, text: &str) -> Result<String, Violation> {
        self.send(&say(id, text))?;
        self.until(&format!(r#""id":"{id}""#))
    }
}

pub(super) fn hello(name: &str) -> String {
    format!("{{\"t\":\"hello\",\"v\":[1],\"name\":\"{name}\"}}\n{{\"t\":\"join\",\"id\":\"j\",\"code\":\"{CODE}\"}}\n")
}

pub(super) fn say(id: &str, text: &str) -> String {
    format!("{{\"t\":\"say\",\"id\":\"{id}\",\"room\":\"ops\",\"text\":\"{text}\"}}\n")
}

pub(super) fn demand(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(otherwise())) }
}
