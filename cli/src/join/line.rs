//! A line, as it is to be shown.

use super::layout;

/// A line to show, without its end. Other people's text stands in `text` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What it is.
    pub(super) tone: Tone,
    /// What stands before the text, and how far its further lines are indented.
    pub(super) head: String,
    /// The text; it may have several lines.
    pub(super) text: String,
}

/// What a line is, which decides how and where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Somebody says something.
    Message,
    /// Something about a room.
    Room,
    /// Something about the connection, or that we did wrong: for the person, not for who reads along.
    Aside,
}

impl Line {
    /// A line about a room.
    pub(super) fn room(text: impl Into<String>) -> Self {
        Self { tone: Tone::Room, head: "-- ".into(), text: text.into() }
    }

    /// A line for the person.
    pub(super) fn aside(text: impl Into<String>) -> Self {
        Self { tone: Tone::Aside, head: "-- ".into(), text: text.into() }
    }

    /// The line with its further lines indented and marked, so that no text can look like another line.
    pub(super) fn render(&self) -> String {
        let indent = format!("\n{}| ", " ".repeat(layout::width(&self.head)));
        format!("{}{}", self.head, self.text.replace('\n', &indent))
    }
}
