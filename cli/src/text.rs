//! From what a person or a program writes to texts that can be said.

use qun_core::{Text, TextError, TextLimits};

/// What every server allows that nobody configured otherwise.
pub(crate) const LIMITS: TextLimits = TextLimits { bytes: 4_000, lines: 64 };

/// Why something can't be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsayable {
    /// There is nothing to say.
    #[error("there is nothing to say")]
    Nothing,
    /// A line holds what no text may.
    #[error("line {line}: {error}")]
    Line { line: usize, error: TextError },
}

/// Cuts `written` into as few texts as possible, each within `limits`: between lines where that can be, else behind a
/// space, else between characters. Line ends become `\n`, those at the end go, and a text that would be blank is left
/// out.
///
/// # Errors
/// Says nothing of it where a part of it can't be said, so that nobody gets half of what was meant.
pub(crate) fn pieces(written: &str, limits: &TextLimits) -> Result<Vec<Text>, Unsayable> {
    let mut cut = Vec::new();
    let mut piece = String::new();
    let mut piece_lines = 0;
    for (index, line) in written.trim_end().lines().enumerate() {
        if let Err(error @ TextError::Control(_)) = line.parse::<Text>() {
            return Err(Unsayable::Line { line: index + 1, error });
        }
        for part in parts(line, limits.bytes) {
            if piece_lines > 0 && (piece_lines == limits.lines || piece.len() + 1 + part.len() > limits.bytes) {
                cut.push(std::mem::take(&mut piece));
                piece_lines = 0;
            }
            if piece_lines > 0 {
                piece.push('\n');
            }
            piece.push_str(part);
            piece_lines += 1;
        }
    }
    cut.push(piece);
    // All that can be wrong with them now is that they are blank.
    let texts: Vec<Text> = cut.iter().filter_map(|piece| piece.parse().ok()).collect();
    if texts.is_empty() { Err(Unsayable::Nothing) } else { Ok(texts) }
}

/// Cuts a line into parts of at most `bytes`.
fn parts(line: &str, bytes: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        if line.len() <= bytes {
            rest = None;
            return Some(line);
        }
        let most = line.floor_char_boundary(bytes);
        let space = line[..most].rfind(' ').map(|at| at + 1).filter(|at| *at > most / 2);
        // A limit below the length of one character still makes progress.
        let first = line.chars().next().map_or(1, char::len_utf8);
        let (part, behind) = line.split_at(space.unwrap_or(most).max(first));
        rest = Some(behind);
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(written: &str, bytes: usize, lines: usize) -> Vec<String> {
        let texts = pieces(written, &TextLimits { bytes, lines }).unwrap();
        for text in &texts {
            text.check(&TextLimits { bytes, lines }).unwrap();
        }
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_fits_is_one_text() {
        assert_eq!(cut("one\r\n\r\n  two\n\n", 4_000, 64), ["one\n\n  two"]);
    }

    #[test]
    fn it_is_cut_between_lines() {
        assert_eq!(cut("aaa\nbbb\nccc", 7, 64), ["aaa\nbbb", "ccc"]);
        assert_eq!(cut("a\nb\nc", 100, 2), ["a\nb", "c"]);
    }

    #[test]
    fn a_long_line_is_cut_behind_a_space_or_between_characters() {
        assert_eq!(cut("hello brave new world", 12, 64), ["hello brave ", "new world"]);
        assert_eq!(cut("群群群群", 7, 64), ["群群", "群群"]);
    }

    #[test]
    fn nothing_is_lost_but_line_ends() {
        let written = "word ".repeat(5_000);
        assert_eq!(cut(&written, 4_000, 64).concat(), written.trim_end());
    }

    #[test]
    fn what_can_not_be_said_is_told_with_its_line() {
        assert_eq!(pieces("\n \n", &LIMITS), Err(Unsayable::Nothing));
        let error = pieces("fine\n\u{1b}[31mred", &LIMITS).unwrap_err();
        assert_eq!(error.to_string(), "line 2: the text has the control character '\\u{1b}'");
    }
}
