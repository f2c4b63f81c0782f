//! The line that a person types.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation as _;

/// A line, a cursor in it, and the lines before it.
#[derive(Debug, Default)]
pub(super) struct Editor {
    text: String,
    /// The byte before which the cursor stands; always between two characters as a person counts them.
    at: usize,
    /// Lines that were entered, oldest first.
    past: Vec<String>,
    /// Which of them stands here, and what was being typed before it did.
    browsing: Option<(usize, String)>,
}

/// What a key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stroke {
    /// The line, or nothing, changed.
    Edited,
    /// A line was entered; the editor is empty.
    Entered(String),
    /// Ctrl-D on an empty line.
    EndOfInput,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-L.
    ClearScreen,
}

/// Lines that are remembered.
const PAST: usize = 500;

impl Editor {
    /// What stands in the line.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The byte before which the cursor stands.
    pub(super) fn cursor(&self) -> usize {
        self.at
    }

    /// Puts a line back that could not be used, before whatever is typed by now.
    pub(super) fn put_back(&mut self, line: &str) {
        self.text.insert_str(0, line);
        self.at += line.len();
    }

    /// Takes what stands in the line out of it.
    pub(super) fn take(&mut self) -> String {
        self.at = 0;
        self.browsing = None;
        std::mem::take(&mut self.text)
    }

    /// Remembers a line, so that Up finds it.
    pub(super) fn remember(&mut self, line: &str) {
        if !line.is_empty() && self.past.last().is_none_or(|last| last != line) {
            self.past.push(line.into());
            if self.past.len() > PAST {
                self.past.remove(0);
            }
        }
    }

    /// Takes a paste: every line in it that has an end is entered, each by itself.
    pub(super) fn paste(&mut self, pasted: &str) -> Vec<String> {
        // Terminals paste the Enter key's character.
        let pasted = pasted.replace("\r\n", "\n").replace('\r', "\n");
        let mut entered = Vec::new();
        for (index, line) in pasted.split('\n').enumerate() {
            if index > 0 {
                entered.push(self.enter());
            }
            let shown: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
            self.insert(&shown);
        }
        entered
    }

    /// Takes a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Stroke {
        if key.kind == KeyEventKind::Release {
            return Stroke::Edited;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match (key.code, control || alt) {
            (KeyCode::Char('c'), _) if control && !alt => return Stroke::Interrupt,
            (KeyCode::Char('d'), _) if control && !alt && self.text.is_empty() => return Stroke::EndOfInput,
            (KeyCode::Char('l'), _) if control && !alt => return Stroke::ClearScreen,
            (KeyCode::Enter, _) => return Stroke::Entered(self.enter()),
            (KeyCode::Char('j' | 'm'), _) if control && !alt => return Stroke::Entered(self.enter()),

            (KeyCode::Left, true) => self.at = self.word_before(),
            (KeyCode::Right, true) => self.at = self.word_behind(),
            (KeyCode::Left, false) => self.at = self.before(),
            (KeyCode::Right, false) => self.at = self.behind(),
            (KeyCode::Home, _) => self.at = 0,
            (KeyCode::End, _) => self.at = self.text.len(),
            (KeyCode::Up, _) => self.older(),
            (KeyCode::Down, _) => self.newer(),
            (KeyCode::Backspace, true) => self.cut(self.word_before(), self.at),
            (KeyCode::Backspace, false) => self.cut(self.before(), self.at),
            (KeyCode::Delete, _) => self.cut(self.at, self.behind()),

            // Both at once is how some layouts type a third character.
            (KeyCode::Char(c), _) if control != alt => self.command(c, control),
            (KeyCode::Char(c), _) if !c.is_control() => self.insert(c.encode_utf8(&mut [0; 4])),
            _ => {}
        }
        Stroke::Edited
    }

    /// The keys of Emacs, as shells have them.
    fn command(&mut self, c: char, control: bool) {
        match (c, control) {
            ('a', true) => self.at = 0,
            ('e', true) => self.at = self.text.len(),
            ('b', true) => self.at = self.before(),
            ('f', true) => self.at = self.behind(),
            ('b', false) => self.at = self.word_before(),
            ('f', false) => self.at = self.word_behind(),
            ('d', true) => self.cut(self.at, self.behind()),
            ('h', true) => self.cut(self.before(), self.at),
            ('d', false) => self.cut(self.at, self.word_behind()),
            ('w', true) => self.cut(self.word_before(), self.at),
            ('u', true) => self.cut(0, self.at),
            ('k', true) => self.cut(self.at, self.text.len()),
            ('p', true) => self.older(),
            ('n', true) => self.newer(),
            _ => {}
        }
    }

    fn enter(&mut self) -> String {
        self.at = 0;
        self.browsing = None;
        std::mem::take(&mut self.text)
    }

    fn insert(&mut self, text: &str) {
        self.text.insert_str(self.at, text);
        self.at += text.len();
        // What was typed may join with what stands behind it into one character.
        self.at = self.border_from(self.at);
    }

    fn cut(&mut self, from: usize, to: usize) {
        self.text.drain(from..to);
        self.at = from;
        // What stood around the cut may have become one character.
        self.at = self.border_from(from);
    }

    /// The bytes before which a cursor may stand, but for the end.
    fn borders(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.text.grapheme_indices(true).map(|(at, _)| at)
    }

    /// The first place for a cursor that is not before the byte `at`.
    fn border_from(&self, at: usize) -> usize {
        self.borders().find(|border| *border >= at).unwrap_or(self.text.len())
    }

    fn before(&self) -> usize {
        self.borders().rev().find(|border| *border < self.at).unwrap_or(0)
    }

    fn behind(&self) -> usize {
        self.borders().find(|border| *border > self.at).unwrap_or(self.text.len())
    }

    fn word_before(&self) -> usize {
        let before = self.text[..self.at].trim_end();
        before
            .rfind(char::is_whitespace)
            .map_or(0, |space| space + before[space..].chars().next().map_or(0, char::len_utf8))
    }

    fn word_behind(&self) -> usize {
        let behind = &self.text[self.at..];
        let spaces = behind.len() - behind.trim_start().len();
        self.at + behind[spaces..].find(char::is_whitespace).map_or(behind.len(), |space| spaces + space)
    }

    fn older(&mut self) {
        let index = match &self.browsing {
            None => self.past.len(),
            Some((index, _)) => *index,
        };
        if let Some(older) = index.checked_sub(1) {
            let draft = self.browsing.take().map_or_else(|| self.text.clone(), |(_, draft)| draft);
            self.text = self.past[older].clone();
            self.at = self.text.len();
            self.browsing = Some((older, draft));
        }
    }

    fn newer(&mut self) {
        let Some((index, draft)) = self.browsing.take() else { return };
        match self.past.get(index + 1) {
            Some(newer) => {
                self.text = newer.clone();
                self.browsing = Some((index + 1, draft));
            }
            None => self.text = draft,
        }
        self.at = self.text.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(editor: &mut Editor, text: &str) {
        for c in text.chars() {
            editor.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
    }

    fn press(editor: &mut Editor, code: KeyCode, modifiers: KeyModifiers) -> Stroke {
        editor.key(KeyEvent::new(code, modifiers))
    }

    fn control(editor: &mut Editor, c: char) -> Stroke {
        press(editor, KeyCode::Char(c), KeyModifiers::CONTROL)
    }

    #[test]
    fn a_character_is_what_a_person_takes_for_one() {
        let mut editor = Editor::default();
        typed(&mut editor, "群e\u{301}👩‍👩‍👧");
        press(&mut editor, KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!(editor.text(), "群e\u{301}");
        press(&mut editor, KeyCode::Left, KeyModifiers::NONE);
        press(&mut editor, KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!((editor.text(), editor.cursor()), ("e\u{301}", 0));
    }

    #[test]
    fn words_go_whole_in_any_script() {
        let mut editor = Editor::default();
        typed(&mut editor, "你好 世界 ");
        control(&mut editor, 'w');
        assert_eq!(editor.text(), "你好 ");
        control(&mut editor, 'w');
        control(&mut editor, 'w');
        assert_eq!(editor.text(), "");
        typed(&mut editor, "one two");
        control(&mut editor, 'a');
        press(&mut editor, KeyCode::Right, KeyModifiers::CONTROL);
        control(&mut editor, 'k');
        assert_eq!(editor.text(), "one");
    }

    #[test]
    fn every_pasted_line_is_a_line_and_the_rest_waits() {
        let mut editor = Editor::default();
        typed(&mut editor, "say: ");
        assert_eq!(editor.paste("one\rtwo\r\n\u{1b}[31mthree"), ["say: one", "two"]);
        assert_eq!(editor.text(), "[31mthree");
    }

    #[test]
    fn older_lines_come_back_and_so_does_what_was_being_typed() {
        let mut editor = Editor::default();
        editor.remember("one");
        editor.remember("two");
        typed(&mut editor, "draft");
        control(&mut editor, 'p');
        control(&mut editor, 'p');
        control(&mut editor, 'p');
        assert_eq!(editor.text(), "one");
        control(&mut editor, 'n');
        assert_eq!(editor.text(), "two");
        control(&mut editor, 'n');
        assert_eq!(editor.text(), "draft");
    }

    #[test]
    fn ctrl_d_ends_only_an_empty_line() {
        let mut editor = Editor::default();
        typed(&mut editor, "x");
        assert_eq!(control(&mut editor, 'd'), Stroke::Edited);
        control(&mut editor, 'u');
        assert_eq!(control(&mut editor, 'd'), Stroke::EndOfInput);
    }
}
