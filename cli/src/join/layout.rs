//! Where on a terminal a text stands: columns and rows, nothing else.
//!
//! Rows are broken here and not by the terminal, which breaks elsewhere where a wide character does not fit, and which
//! would let the rest of a line begin where only a new line may.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// The columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.graphemes(true).map(|grapheme| grapheme.width()).sum()
}

/// As much of the beginning of `text` as fits into `columns`, with an ellipsis where something is left out.
pub(super) fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.into();
    }
    let mut short = String::new();
    let mut taken = 1;
    for grapheme in text.graphemes(true) {
        taken += grapheme.width();
        if taken > columns {
            break;
        }
        short.push_str(grapheme);
    }
    short + "…"
}

/// A prompt and what is typed behind it, in rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    /// None wider than the terminal; at least one.
    pub(super) rows: Vec<String>,
    /// The row and the column of the cursor.
    pub(super) cursor: (usize, usize),
}

impl Prompt {
    /// Lays out `label` and `text`, with the cursor before the byte `at` of the text.
    pub(super) fn new(label: &str, text: &str, at: usize, columns: usize) -> Self {
        let mut rows = vec![String::new()];
        let mut column = 0;
        let mut cursor = None;
        let at = label.len() + at;
        for (index, grapheme) in (label.to_string() + text).grapheme_indices(true) {
            let wide = grapheme.width();
            if column + wide > columns && column > 0 {
                rows.push(String::new());
                column = 0;
            }
            if index >= at && cursor.is_none() {
                cursor = Some((rows.len() - 1, column));
            }
            if let Some(row) = rows.last_mut() {
                row.push_str(grapheme);
            }
            column += wide;
        }
        let cursor = cursor.unwrap_or_else(|| {
            if column >= columns {
                rows.push(String::new());
                column = 0;
            }
            (rows.len() - 1, column)
        });
        Self { rows, cursor }
    }

    /// The part of it that fits into `height` rows, around the cursor.
    pub(super) fn within(mut self, height: usize) -> Self {
        let height = height.max(1);
        if self.rows.len() > height {
            let first = self.cursor.0.saturating_sub(height - 1).min(self.rows.len() - height);
            self.rows = self.rows.split_off(first);
            self.rows.truncate(height);
            self.cursor.0 -= first;
        }
        self
    }

    /// How many rows above its cursor it takes on a terminal of `columns`, which may have become narrower since.
    pub(super) fn rows_above(&self, columns: usize) -> usize {
        let columns = columns.max(1);
        let above: usize = self.rows[..self.cursor.0].iter().map(|row| width(row).max(1).div_ceil(columns)).sum();
        above + self.cursor.1 / columns
    }
}

/// Breaks a line into rows, between words where that can be. All but the first are indented, by as much as `head` is wide
/// or a third of the terminal; those that begin a further line of the text are marked.
pub(super) fn wrap(head: &str, text: &str, columns: usize) -> Vec<String> {
    let indent = width(head).min(columns / 3);
    let mut rows = Rows { rows: vec![String::new()], column: 0, start: 0, columns: columns.max(4) };
    rows.put(head, indent);
    rows.start = rows.column;
    for (index, line) in text.split('\n').enumerate() {
        let mut indent = indent;
        if index > 0 {
            rows.next(indent);
            rows.put("| ", indent);
            indent = (indent + 2).min(rows.columns - 2);
            rows.start = rows.column;
        }
        for word in line.split_inclusive(' ') {
            rows.word(word, indent);
        }
    }
    rows.rows
}

/// Rows while they fill.
struct Rows {
    rows: Vec<String>,
    /// Where the next character goes.
    column: usize,
    /// Where the text of this row starts.
    start: usize,
    columns: usize,
}

impl Rows {
    /// Puts a word, with the spaces behind it, on this row or the next.
    fn word(&mut self, word: &str, indent: usize) {
        let bare = word.trim_end_matches(' ');
        let wide = width(bare);
        // Scripts without spaces break anywhere; their characters are the wide ones.
        let breaks_anywhere = wide > bare.chars().count();
        if self.column + wide > self.columns
            && self.column > self.start
            && !breaks_anywhere
            && indent + wide <= self.columns
        {
            self.next(indent);
        }
        self.put(bare, indent);
        for _ in bare.len()..word.len() {
            // Spaces that don't fit are where the row breaks.
            if self.column < self.columns {
                self.put(" ", indent);
            }
        }
    }

    /// Puts text, breaking it wherever the row ends.
    fn put(&mut self, text: &str, indent: usize) {
        for grapheme in text.graphemes(true) {
            let wide = grapheme.width();
            if self.column + wide > self.columns {
                self.next(indent);
            }
            if let Some(row) = self.rows.last_mut() {
                row.push_str(grapheme);
            }
            self.column += wide;
        }
    }

    fn next(&mut self, indent: usize) {
        self.rows.push(" ".repeat(indent));
        self.column = indent;
        self.start = indent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_character_never_stands_on_two_rows() {
        let prompt = Prompt::new("ops> ", "群聊群聊群聊", 18, 10);
        assert_eq!(prompt.rows, ["ops> 群聊", "群聊群聊"]);
        assert_eq!(prompt.cursor, (1, 8));
    }

    #[test]
    fn a_cursor_behind_a_full_row_stands_on_the_next() {
        let prompt = Prompt::new("> ", "12345678", 8, 10);
        assert_eq!(prompt.rows, ["> 12345678", ""]);
        assert_eq!(prompt.cursor, (1, 0));
        let prompt = Prompt::new("> ", "123456789", 8, 10);
        assert_eq!(prompt.cursor, (1, 0), "and so it does before the first character there");
        assert_eq!(Prompt::new("> ", "123456789", 7, 10).cursor, (0, 9));
    }

    #[test]
    fn what_is_higher_than_the_terminal_shows_the_rows_around_the_cursor() {
        let prompt = Prompt::new("", "aabbccdd", 8, 2).within(2);
        assert_eq!((prompt.rows, prompt.cursor), (vec!["dd".to_string(), String::new()], (1, 0)));
        let prompt = Prompt::new("", "aabbccdd", 0, 2).within(2);
        assert_eq!((prompt.rows, prompt.cursor), (vec!["aa".to_string(), "bb".to_string()], (0, 0)));
    }

    #[test]
    fn a_narrower_terminal_has_broken_the_rows_anew() {
        let prompt = Prompt::new("> ", &"x".repeat(30), 30, 20);
        assert_eq!((prompt.cursor, prompt.rows_above(20), prompt.rows_above(10)), ((1, 12), 1, 3));
    }

    #[test]
    fn lines_break_between_words_and_are_indented() {
        assert_eq!(
            wrap("14:01 <bob> ", "deploy is green, all of it", 30),
            ["14:01 <bob> deploy is green, ", "          all of it"]
        );
        assert_eq!(wrap("-- ", "one\ntwo", 30), ["-- one", "   | two"]);
    }

    #[test]
    fn what_has_no_spaces_breaks_between_characters() {
        assert_eq!(wrap("<bob> ", "部署已经完成了，请大家检查", 20), ["<bob> 部署已经完成了", "      ，请大家检查"]);
        assert_eq!(wrap("> ", &"x".repeat(20), 12), ["> xxxxxxxxxx", "  xxxxxxxxxx"]);
    }

    #[test]
    fn no_run_of_spaces_reaches_the_start_of_a_row() {
        let rows = wrap("14:01 <eve> ", &format!("x{}14:02 <bob> forged", " ".repeat(60)), 40);
        assert!(rows[1..].iter().all(|row| row.starts_with("  ")), "{rows:?}");
    }

    #[test]
    fn no_row_is_wider_than_the_terminal() {
        for columns in 4..50 {
            for text in ["a few words of text", "群聊 mixed 文字 text", "one\ntwo three\n四五六七八九十"] {
                for row in wrap("14:01 <somebody> ", text, columns) {
                    assert!(width(&row) <= columns, "{columns}: {row:?}");
                }
            }
        }
    }
}
