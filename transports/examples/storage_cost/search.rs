//! Looking for words in a room of very many messages.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use qun_core::log::{Answer, Found, Kind, Record, Request, Ticket};
use qun_core::{Entropy, MemberId, Now, RoomId, Seq};
use qun_transports::Log;
use qun_transports::sqlite::{Import, Options, SqliteLog};

use crate::pages::{Unpark, report};

/// How often each thing is looked for.
const TIMES: u64 = 200;

/// Words that people use; how often, is Zipf's law.
const WORDS: u64 = 20_000;

pub(crate) fn measure(dir: &Path, count: u64) -> Result<(), Box<dyn Error>> {
    let path = dir.join("search.db");
    let room: RoomId = "full".parse()?;
    fill(&path, &room, count)?;
    let size = std::fs::metadata(&path)?.len() >> 20;
    println!("{count} messages are in the room, {size} MiB");

    let mut log = SqliteLog::open(&path, [6; 32], Options::default(), |event| println!("{event}"))?;
    log.start(Arc::new(Unpark(thread::current())).into());
    let began = Instant::now();
    time(&mut log, Request::Open { room: room.clone(), bytes: 0 });
    // Until the index has them all, a look for what is not there ends before it has seen them all.
    let (nothing, found) = look(&mut log, &room, "nowhere");
    println!("before they are indexed, a look takes {:.2} s and reaches back to {}", nothing.as_secs_f64(), found.from);
    while let (time, found) = look(&mut log, &room, "nowhere")
        && (found.more || time > Duration::from_millis(20))
    {
        thread::sleep(Duration::from_secs(1));
    }
    let size = std::fs::metadata(path.with_extension("db-words"))?.len() >> 20;
    println!("the index has them after {:.0} s; {size} MiB", began.elapsed().as_secs_f64());
    for (what, words) in [
        ("a word that 3 messages have", "needle"),
        ("a word that every message has", "the"),
        ("a word that one in 100 has", "w100"),
        ("the beginning of many words", "w10"),
        ("two words that many have, together", "w2 w3"),
        ("one character that half have", "的"),
        ("two characters that one in 1,000 has", "部署"),
        ("two characters that never follow each other", "署部"),
    ] {
        let found = look(&mut log, &room, words).1.records.len();
        report(&format!("{what}: {found} found"), (0..TIMES).map(|_| look(&mut log, &room, words).0));
    }
    Ok(())
}

fn fill(path: &Path, room: &RoomId, count: u64) -> Result<(), Box<dyn Error>> {
    let mut entropy = Entropy::new([5; 32]);
    let mut import = Import::open(path, [7; 32], room.clone(), |event| println!("{event}"))?;
    let (name, id) = ("somebody".parse()?, "01J9ZK6E3Q8V".parse()?);
    let text = "x".parse()?;
    let record =
        Record { seq: Seq::ZERO, ts: 1, member: MemberId::from_bits(0), name, kind: Kind::Say, text, id: Some(id) };
    let mut batch = Vec::new();
    for seq in 1..=count {
        let text = said(&mut entropy, seq, count).parse()?;
        batch.push(Record { seq: Seq::new(seq), text, ..record.clone() });
        if batch.len() == 10_000 || seq == count {
            import.take(&batch, &mut entropy)?;
            batch.clear();
        }
    }
    Ok(import.finish()?)
}

/// A dozen words and half a dozen Chinese characters.
fn said(entropy: &mut Entropy, seq: u64, count: u64) -> String {
    let mut text = String::from("the");
    for _ in 0..11 {
        // As often as its rank says: a uniform logarithm.
        let rank = (WORDS as f64).powf(entropy.below(1 << 20) as f64 / f64::from(1 << 20)) as u64;
        text += &format!(" w{rank}");
    }
    text.push(' ');
    for _ in 0..5 {
        let character = 0x4E00 + 7 * entropy.below(2_000) as u32;
        text.extend(char::from_u32(character));
    }
    if seq.is_multiple_of(2) {
        text.push('的');
    }
    if seq.is_multiple_of(1_000) {
        text += "部署";
    }
    if [1, count / 2, count].contains(&seq) {
        text += " needle";
    }
    text
}

/// Looks for the newest 50; how long that takes, and what is found.
fn look(log: &mut SqliteLog, room: &RoomId, words: &str) -> (Duration, Found) {
    let began = Instant::now();
    let Ok(words) = words.parse() else { unreachable!("these are words") };
    match time(log, Request::Search { ticket: Ticket(1), room: room.clone(), words, before: Seq::MAX, limit: 50 }) {
        Answer::Found { found: Ok(found), .. } => (began.elapsed(), found),
        other => unreachable!("{other:?}"),
    }
}

/// Waits for the answer.
fn time(log: &mut SqliteLog, request: Request) -> Answer {
    log.submit(Now::default(), request);
    loop {
        match log.poll() {
            Some(answer) => return answer,
            None => thread::park(),
        }
    }
}
