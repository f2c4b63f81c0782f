//! What everyone was shown, against what the log holds.

use std::collections::HashMap;

use super::person::Witness;
use super::server::Message;

/// Nothing is lost, nothing is there twice, and everyone saw the one order of the log.
pub(crate) fn room(room: &str, log: &[Message], witnesses: &[Witness]) -> Result<(), String> {
    let mut places: HashMap<&str, u64> = HashMap::new();
    for (expected, message) in (1..).zip(log) {
        if message.seq != expected {
            return Err(format!("the log of {room} has {} where {expected} should be", message.seq));
        }
        if let Some(first) = places.insert(&message.text, message.seq) {
            return Err(format!("the log of {room} has {:?} twice, as {first} and as {expected}", message.text));
        }
    }
    for witness in witnesses {
        let who = &witness.name;
        if let Some(complaint) = witness.complaints.first() {
            return Err(format!("{who} was told: {complaint}"));
        }
        let mut last = 0;
        for text in witness.said.iter().filter(|(said_in, _)| said_in == room).map(|(_, text)| text) {
            // Everything that was said has come to its end by now, and that end was an acknowledgement.
            let Some(&seq) = places.get(text.as_str()) else {
                return Err(format!("{text:?} was acknowledged and is not in the log of {room}"));
            };
            if seq <= last {
                return Err(format!("{who} said {text:?} after what stands behind it in the log of {room}"));
            }
            last = seq;
        }
        let mut before = None;
        for seen in witness.seen.get(room).into_iter().flatten() {
            if before.is_some_and(|before| seen.seq != before + 1) {
                return Err(format!("{who} was shown {} after {before:?} in {room}", seen.seq));
            }
            before = Some(seen.seq);
            let held = usize::try_from(seen.seq).ok().and_then(|seq| log.get(seq.checked_sub(1)?));
            if held != Some(seen) {
                return Err(format!("{who} was shown {seen:?} in {room}, and the log has {held:?}"));
            }
        }
    }
    Ok(())
}
