//! What is found by words: everything that has them as far as the server has looked, and nothing else.

use qun_core::Instant;

use super::Violation;
use super::ask::Ask;
use super::json::Json;
use super::listen::wrong;
use super::model::Model;
use super::wire::{Wire, is_record};

impl Wire {
    pub(super) fn found(&mut self, model: &Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        let asked = self.answered(now, frame.text("re").unwrap_or_default())?;
        let Ask::Search { room, words, before, limit, head, .. } = asked.what else {
            return wrong(9, "something found that nobody looked for");
        };
        let Some(sub) = self.subs.get(&room).filter(|_| frame.text("room") == Some(&room)) else {
            return wrong(1, "something found in a room that this connection is not in");
        };
        let (first, from) = (frame.number("first"), frame.number("from"));
        let (Some(first), Some(from), Some(msgs)) = (first, from, frame.list("msgs")) else {
            return wrong(6, "half of what was found");
        };
        let kept = model.first(&room, &sub.epoch);
        if first > kept {
            return wrong(2, "the log begins before that");
        }
        if frame.text("epoch") != Some(&sub.epoch) || msgs.len() as u64 > limit.clamp(1, model.wide().page) {
            return wrong(2, "found in another history, or more than asked for");
        }
        if (frame.get("more") == Some(&Json::Bool(true))) != (from > first) || from < first {
            return wrong(2, format!("it looked back to {from}, and the log begins at {first}"));
        }
        let before = before.unwrap_or(u64::MAX);
        let mut due = from;
        for message in msgs {
            let Some(seq) = message.number("seq").filter(|seq| (due..before).contains(seq)) else {
                return wrong(2, format!("what was found below {before} is not in its order from {from} on"));
            };
            let record = model.record(&room, &sub.epoch, seq);
            if record.is_none_or(|record| !is_record(message, record) || !has(record.text.as_str(), &words)) {
                return wrong(2, format!("the log has something else at {seq}, or something without {words:?}"));
            }
            due = seq + 1;
        }
        let found = |seq: u64| msgs.iter().any(|message| message.number("seq") == Some(seq));
        // What was there as it was asked, and is there still.
        for seq in from.max(kept)..before.min(head + 1) {
            let record = model.record(&room, &sub.epoch, seq);
            if record.is_some_and(|record| has(record.text.as_str(), &words)) && !found(seq) {
                return wrong(2, format!("{seq} of {room} has {words:?}, and was not found"));
            }
        }
        Ok(())
    }
}

/// Whether a text has all of these words, the last one as the beginning of a word: of the plain words that people say in
/// these worlds.
fn has(text: &str, words: &str) -> bool {
    let is_last = |word: &str| words.ends_with(word) && word.len() >= 3;
    words.split(' ').all(|word| {
        let mut all = text.split(|c: char| !c.is_ascii_alphanumeric());
        all.any(|said| said == word || is_last(word) && said.starts_with(word))
    })
}
