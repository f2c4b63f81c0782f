//! A terminal with a prompt below and what happens above it.

use std::io::{self, Write as _};

use crossterm::cursor::{MoveTo, MoveToColumn, MoveUp};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{self, Clear, ClearType};
use crossterm::{execute, queue};

use super::layout::{self, Prompt};
use super::line::{Line, Tone};

/// The terminal in raw mode; as it was again when this is dropped.
#[derive(Debug)]
pub(super) struct Screen {
    columns: usize,
    rows: usize,
    /// What stands below now.
    drawn: Prompt,
    /// Whether lines that nobody said are dimmed.
    dims: bool,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Where it is none, or one that has no raw mode.
    pub(super) fn take() -> io::Result<Self> {
        let (columns, rows) = terminal::size()?;
        terminal::enable_raw_mode()?;
        let dims = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
        let mut screen = Self { columns: 0, rows: 0, drawn: Prompt::new("", "", 0, usize::MAX), dims };
        screen.resize(columns, rows);
        execute!(io::stdout(), EnableBracketedPaste)?;
        Ok(screen)
    }

    /// How wide it is.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// It has another size.
    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        // A terminal that says it has none is being made, or lies.
        self.columns = usize::from(columns).max(4);
        self.rows = usize::from(rows).max(2);
    }

    /// Shows `lines` above, and below the prompt `label` with `text`, its cursor before the byte `at`. One write, so that
    /// nothing flickers.
    pub(super) fn show(&mut self, lines: &[Line], label: &str, text: &str, at: usize) -> io::Result<()> {
        // A tab would move the cursor by nobody knows how much.
        let prompt = Prompt::new(label, &text.replace('\t', " "), at, self.columns).within(self.rows - 1);
        if lines.is_empty() && prompt == self.drawn {
            return Ok(());
        }
        let mut out = Vec::new();
        self.erase(&mut out)?;
        for line in lines {
            let dim = self.dims && line.tone != Tone::Message;
            for row in layout::wrap(&line.head, &line.text, self.columns) {
                let (on, off) = if dim { ("\x1b[2m", "\x1b[22m") } else { ("", "") };
                write!(out, "{on}{row}{off}\r\n")?;
            }
        }
        out.extend_from_slice(prompt.rows.join("\r\n").as_bytes());
        let below = prompt.rows.len() - 1 - prompt.cursor.0;
        if below > 0 {
            queue!(out, MoveUp(short(below)))?;
        }
        queue!(out, MoveToColumn(short(prompt.cursor.1)))?;
        self.drawn = prompt;
        flush(&out)
    }

    /// Clears it; the prompt is to be shown again.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.drawn = Prompt::new("", "", 0, usize::MAX);
        execute!(io::stdout(), Clear(ClearType::All), MoveTo(0, 0))
    }

    /// Removes the prompt.
    fn erase(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let above = self.drawn.rows_above(self.columns);
        if above > 0 {
            queue!(out, MoveUp(short(above)))?;
        }
        queue!(out, MoveToColumn(0), Clear(ClearType::FromCursorDown))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = Vec::new();
        // Nobody is left to tell that the terminal is gone.
        let _ = self.erase(&mut out).and_then(|()| queue!(out, DisableBracketedPaste)).and_then(|()| flush(&out));
        let _ = terminal::disable_raw_mode();
    }
}

fn flush(out: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(out)?;
    stdout.flush()
}

/// A place on a terminal, which has no more than this many.
fn short(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}
