//! Searching: what of a text counts, and what a person looks for.
//!
//! A text is a row of **words**: runs of letters, digits and their marks, in NFKC and case-folded, so that `ＤＥＰＬＯＹ` is
//! `deploy` and `Straße` is `strasse`. Scripts that put no space between words have none to find by: there each character
//! is a word of its own, and what somebody typed in one piece is found where it stands in one piece. So 部署 finds 部署了, and
//! 部 finds both. Everything else (spaces, punctuation, symbols) only separates.
//!
//! Every log finds by this and nothing else, so that all of them find the same.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::str::FromStr;

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use serde::{Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What is looked for: a text has all of these, anywhere and in any order.
///
/// What stands between two spaces belongs together: `v1.2` is the word `v1` with `2` right behind it. The last word, where
/// it has three characters or more, stands for every word that begins with it. Cheap to clone.
///
/// ```
/// # use qun_core::Words;
/// let words: Words = "green DEPL".parse()?;
/// assert!(words.are_in("The deployment is green."));
/// assert!(!words.are_in("deploy: greenish"));
/// assert!("部署".parse::<Words>()?.are_in("全部署名"));
/// # Ok::<(), qun_core::WordsError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Words {
    typed: Arc<str>,
    terms: Arc<[Term]>,
}

/// Something that stands in one piece in what is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// Words, each with a space before it, and one at the end where the last of them is whole.
    needle: String,
}

/// Why nothing can be found by what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WordsError {
    /// It has no word.
    #[error("there is no letter and no digit in it to look for")]
    Empty,
    /// More than [`Words::MAX_BYTES`] bytes.
    #[error("at most 200 bytes can be looked for")]
    TooLong,
}

impl Words {
    /// The most bytes, as typed.
    pub const MAX_BYTES: usize = 200;

    /// As typed.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// What is to be found; at least one.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether a text has them all.
    pub fn are_in(&self, text: &str) -> bool {
        self.are_in_folded(&folded(text))
    }

    /// The same, of what [`folded`] made of the text.
    pub fn are_in_folded(&self, folded: &str) -> bool {
        self.terms.iter().all(|term| folded.contains(&term.needle))
    }

    /// Where a text has one of them: bytes of the text, ascending and apart.
    pub fn places(&self, text: &str) -> Vec<Range<usize>> {
        // Where each word begins in the folded text, and where it stands in the text.
        let (mut folded, mut words) = (String::from(" "), Vec::new());
        each_word(text, |word, at| {
            words.push((folded.len(), at));
            folded.push_str(word);
            folded.push(' ');
        });
        let mut places = Vec::new();
        for Term { needle } in self.terms.iter() {
            // Two that follow each other share the space between them.
            let mut from = 0;
            while let Some(at) = folded[from..].find(needle.as_str()).map(|at| from + at) {
                let last = at + needle.trim_end().len();
                let is_of_it = |(begin, _): &&(usize, Range<usize>)| (at + 1..last).contains(begin);
                let mut found = words.iter().filter(is_of_it).map(|(_, at)| at.clone());
                if let Some(first) = found.next() {
                    let end = found.next_back().map_or(first.end, |last| last.end);
                    places.push(first.start..end);
                }
                from = at + 1;
            }
        }
        places.sort_unstable_by_key(|place| (place.start, place.end));
        places.dedup_by(|next, place| {
            let touches = next.start <= place.end;
            if touches {
                place.end = place.end.max(next.end);
            }
            touches
        });
        places
    }
}

impl Term {
    /// Its words, folded, with one space between two.
    pub fn words(&self) -> &str {
        self.needle.trim()
    }

    /// Whether the last word is only a beginning.
    pub fn is_open(&self) -> bool {
        !self.needle.ends_with(' ')
    }
}

impl FromStr for Words {
    type Err = WordsError;

    fn from_str(typed: &str) -> Result<Self, WordsError> {
        let typed = typed.trim();
        if typed.len() > Self::MAX_BYTES {
            return Err(WordsError::TooLong);
        }
        let needles = typed.split_whitespace().map(folded).filter(|needle| needle.len() > 1);
        let mut terms: Vec<_> = needles.map(|needle| Term { needle }).collect();
        let Some(Term { needle }) = terms.last_mut() else { return Err(WordsError::Empty) };
        let last = needle.trim_end().rsplit(' ').next().unwrap_or_default();
        if last.chars().count() >= OPEN && !last.chars().any(stands_alone) {
            needle.pop();
        }
        Ok(Self { typed: typed.into(), terms: terms.into() })
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.typed)
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.typed)
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.typed, f)
    }
}

/// The words of a text, folded, with one space before and behind each: what an index holds.
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len() + 2);
    folded.push(' ');
    each_word(text, |word, _| {
        folded.push_str(word);
        folded.push(' ');
    });
    folded
}

/// Characters that a word has at least that stands for all that begin with it. Shorter ones begin too many.
const OPEN: usize = 3;

/// Gives each word of a text, folded, and its place.
fn each_word(text: &str, give: impl FnMut(&str, Range<usize>)) {
    let mut words = Cutter { word: String::new(), place: 0..0, give };
    let mut cluster = String::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, first)) = rest.next() {
        let mut end = start + first.len_utf8();
        while let Some((at, c)) = rest.next_if(|(_, c)| joins(*c)) {
            end = at + c.len_utf8();
        }
        match first {
            // Most of what people write folds to itself, but for its case.
            _ if end > start + first.len_utf8() => {}
            '\0'..='\x7F' => {
                words.take(first.to_ascii_lowercase(), start..end);
                continue;
            }
            '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' => {
                words.take(first, start..end);
                continue;
            }
            _ => {}
        }
        cluster.clear();
        fold(&text[start..end], &mut cluster);
        cluster.chars().for_each(|c| words.take(c, start..end));
    }
    words.end();
}

/// Cuts folded characters into words.
struct Cutter<F> {
    /// So much of the word that goes on.
    word: String,
    place: Range<usize>,
    give: F,
}

impl<F: FnMut(&str, Range<usize>)> Cutter<F> {
    fn take(&mut self, c: char, at: Range<usize>) {
        let is_letter = c.is_alphanumeric();
        if is_letter && stands_alone(c) {
            self.end();
            (self.give)(c.encode_utf8(&mut [0; 4]), at);
        } else if is_letter {
            self.place = if self.word.is_empty() { at } else { self.place.start..at.end };
            self.word.push(c);
        } else if c.is_ascii() || !is_combining_mark(c) {
            self.end();
        } else if !self.word.is_empty() && !is_unseen(c) {
            // A mark is of the word that it stands in, or of nothing.
            self.place.end = at.end;
            self.word.push(c);
        }
    }

    fn end(&mut self) {
        if !self.word.is_empty() {
            (self.give)(&self.word, self.place.clone());
            self.word.clear();
        }
    }
}

/// Appends the NFKC case fold of one character and what joins it.
fn fold(cluster: &str, out: &mut String) {
    const CASES: CaseMapperBorrowed<'static> = CaseMapper::new();
    let nfkc: String = cluster.nfkc().collect();
    out.extend(CASES.fold_string(&nfkc).nfkc());
}

/// Whether a character may be composed with the one before it.
fn joins(c: char) -> bool {
    // Vowels and final consonants of Hangul compose, and are no marks.
    !c.is_ascii() && (is_combining_mark(c) || matches!(c, '\u{1160}'..='\u{11FF}'))
}

/// A mark that chooses a glyph, and changes nothing of what is written.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{180B}'..='\u{180F}' | '\u{20DD}'..='\u{20E4}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Whether a character is of a script that puts no space between words, or glues to a word what others write apart.
fn stands_alone(c: char) -> bool {
    matches!(c,
        '\u{0E00}'..='\u{0EFF}' // Thai, Lao
        | '\u{1000}'..='\u{109F}' // Burmese
        | '\u{1780}'..='\u{17FF}' // Khmer
        | '\u{2E80}'..='\u{2FDF}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3038}'..='\u{303C}'
        | '\u{3040}'..='\u{312F}' | '\u{31A0}'..='\u{31BF}' | '\u{31F0}'..='\u{31FF}' // kana, Bopomofo
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}' // Han
        | '\u{AC00}'..='\u{D7A3}' // Hangul
        | '\u{1B000}'..='\u{1B16F}') // more kana
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn finds(words: &str, text: &str) -> bool {
        words.parse::<Words>().unwrap().are_in(text)
    }

    #[test]
    fn a_sign_of_any_script_separates_and_a_mark_that_is_seen_does_not() {
        assert!(finds("v2", "v1，v2") && finds("v1", "v1，v2"));
        // It composes with nothing, and is no mere choice of a glyph.
        assert!(finds("q\u{302}", "q\u{302}r q\u{302}") && !finds("q", "q\u{302}"));
    }

    fn marked(words: &str, text: &str) -> String {
        let mut marked = text.to_string();
        for place in words.parse::<Words>().unwrap().places(text).into_iter().rev() {
            marked.insert(place.end, ']');
            marked.insert(place.start, '[');
        }
        marked
    }

    #[test]
    fn a_word_is_found_however_it_is_written() {
        for (words, text) in [
            ("deploy", "DEPLOY is green"),
            ("ｄｅｐｌｏｙ", "deploy"),
            ("STRASSE", "in der Straße"),
            ("café", "Cafe\u{301}!"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("kg", "5 ㎏"),
            ("１２", "(12)"),
            ("1", "1\u{FE0F}\u{20E3}"),
            ("한글", "\u{1112}\u{1161}\u{11AB}\u{1100}\u{1173}\u{11AF}"),
        ] {
            assert!(finds(words, text), "{words} in {text}");
        }
    }

    #[test]
    fn a_text_without_spaces_has_words_all_the_same() {
        for words in ["部", "署", "部署", "署到", "服务器", "部署 服务器", "服务器 部署"] {
            assert!(finds(words, "已经部署到服务器了。"), "{words}");
        }
        assert!(!finds("署部", "部署"));
        assert!(!finds("部署", "部门署名"), "what was typed in one piece stands in one piece");
        assert!(finds("部 署", "部门署名"));
        assert!(finds("デプロイ", "本番デプロイ完了") && finds("배포", "배포가") && finds("ภาษา", "ภาษาไทย"));
        assert!(finds("v2部署", "用v2部署") && finds("部署v2", "部署v2.1"));
    }

    #[test]
    fn the_last_word_may_be_a_beginning() {
        assert!(finds("dep", "deployed") && finds("green dep", "deployed, green"));
        assert!(!finds("dep green", "deployed, green"), "and only the last");
        assert!(!finds("de", "deployed"), "two letters begin too much");
        assert!(finds("de", "de facto"));
        assert!(!finds("eploy", "deploy"), "an end is no beginning");
    }

    #[test]
    fn what_is_typed_in_one_piece_stands_in_one_piece() {
        assert!(finds("v1.2", "since v1.2") && finds("v1.2", "v1-2") && !finds("v1.2", "2 of v1"));
        assert!(finds("ann@example.org", "mail <Ann@example.org>"));
        assert!(finds("2 v1", "v1.2"));
    }

    #[test]
    fn there_is_something_to_look_for() {
        for nothing in ["", " \t", "…!?", "🎉", "❤\u{FE0F}", "\u{301}"] {
            assert_eq!(nothing.parse::<Words>(), Err(WordsError::Empty), "{nothing:?}");
        }
        assert!("x".repeat(Words::MAX_BYTES).parse::<Words>().is_ok());
        assert_eq!("x".repeat(Words::MAX_BYTES + 1).parse::<Words>(), Err(WordsError::TooLong));
        let words: Words = " a 部署 - green ".parse().unwrap();
        let terms: Vec<_> = words.terms().iter().map(|term| (term.words(), term.is_open())).collect();
        assert_eq!(terms, [("a", false), ("部 署", false), ("green", true)]);
        assert_eq!(words.as_str(), "a 部署 - green");
    }

    #[test]
    fn what_was_found_can_be_shown() {
        assert_eq!(marked("dep", "deploy, DEPLOYED; re-deploy"), "[deploy], [DEPLOYED]; re-[deploy]");
        assert_eq!(marked("部署", "部署，部署部署"), "[部署]，[部署][部署]".replace("][", ""));
        assert_eq!(marked("v1.2 is", "v1.2 is"), "[v1.2] [is]");
        assert_eq!(marked("kg", "5㎏"), "5㎏");
        assert_eq!(marked("5kg", "5㎏"), "[5㎏]");
        assert_eq!(marked("a", "b"), "b");
    }

    #[test]
    fn an_index_holds_words_and_spaces() {
        assert_eq!(folded("Deploy (v1.2) 部署!"), " deploy v1 2 部 署 ");
        assert_eq!(folded("🎉"), " ");
    }

    /// Texts in which more often than by chance something happens.
    const TEXT: &str = "([a-cA-Cß]|[部署了한 é]|[\u{301}\u{3099}\u{FE0F}か\u{1161}ᄒ㎏ﷺ①]|[ .-]|\\PC){0,24}";

    proptest! {
        #[test]
        fn every_word_of_a_text_is_found_in_it(text in TEXT) {
            let all = folded(&text);
            prop_assert!(all.starts_with(' ') && all.ends_with(' ') && !all.contains("  "));
            prop_assert!(all.chars().all(|c| c == ' ' || !c.is_ascii() || c.is_ascii_alphanumeric()));
            for piece in text.split_whitespace().filter(|piece| piece.len() <= Words::MAX_BYTES) {
                if let Ok(words) = piece.parse::<Words>() {
                    prop_assert!(words.are_in(&text), "{piece:?}");
                    prop_assert!(!words.places(&text).is_empty());
                }
            }
        }

        #[test]
        fn places_are_apart_and_whole_characters(text in TEXT, words in TEXT) {
            let Ok(words) = words.parse::<Words>() else { return Ok(()) };
            let places = words.places(&text);
            prop_assert!(places.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert!(places.iter().all(|place| text.get(place.clone()).is_some_and(|word| !word.is_empty())));
            if words.are_in(&text) {
                prop_assert!(!places.is_empty());
            }
        }

        #[test]
        fn words_say_what_was_typed(typed in TEXT) {
            let Ok(words) = typed.parse::<Words>() else { return Ok(()) };
            prop_assert_eq!(words.as_str().parse::<Words>(), Ok(words.clone()));
            prop_assert_eq!(vec![typed.trim()], vec![words.as_str()]);
        }
    }
}
