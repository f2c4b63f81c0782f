//! What the log in memory promises.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use qun_core::log::{Kind, Span, Tail, Ticket, Unavailable};
use qun_core::{Act, Id, Instant, Key, Seq, Subject};

use super::room::{RUN, RUN_BYTES};
use super::*;

fn room() -> RoomId {
    "ops".parse().unwrap()
}

fn at(unix_ms: u64) -> Now {
    Now { mono: Instant::default(), unix_ms }
}

fn draft(once: Option<u64>, text: &str) -> Draft {
    let key: Key = "q8ZtV1c0TgW2q8ZtV1c0Tg".parse().unwrap();
    Draft {
        once: once.map(|id| (key.hash(), id.to_string().parse().unwrap())),
        member: key.member(),
        name: "ann".parse().unwrap(),
        kind: Kind::Say,
        text: text.parse().unwrap(),
        facts: Vec::new(),
    }
}

fn ask(log: &mut MemoryLog, now: Now, request: Request) -> Vec<Answer> {
    log.submit(now, request);
    std::iter::from_fn(|| log.poll()).collect()
}

fn opened(budget: usize) -> MemoryLog {
    let mut log = MemoryLog::with_budget([7; 32], budget);
    ask(&mut log, at(0), Request::Open { room: room(), bytes: 0 });
    log
}

fn append(log: &mut MemoryLog, now: Now, drafts: Vec<Draft>) -> (Vec<Outcome>, Vec<Record>) {
    let mut answers = ask(log, now, Request::Append { room: room(), drafts }).into_iter();
    let Some(Answer::Settled { outcomes, .. }) = answers.next() else { panic!("settled first") };
    let grown = answers.flat_map(|answer| match answer {
        Answer::Grew { records, .. } => records.to_vec(),
        other => panic!("{other:?}"),
    });
    (outcomes, grown.collect())
}

fn page(log: &mut MemoryLog, span: Span, limit: u64) -> (Vec<u64>, bool) {
    let request = Request::Load { ticket: Ticket(1), room: room(), span, limit };
    match ask(log, at(0), request).pop() {
        Some(Answer::Loaded { ticket: Ticket(1), page: Ok(page) }) => {
            (page.records.iter().map(|record| record.seq.get()).collect(), page.more)
        }
        other => panic!("{other:?}"),
    }
}

fn tail(log: &mut MemoryLog, bytes: usize) -> Tail {
    match ask(log, at(0), Request::Open { room: room(), bytes }).pop() {
        Some(Answer::Ready { tail: Ok(tail), .. }) => tail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_say_is_appended_once() {
    let mut log = opened(MemoryLog::BUDGET);
    let (outcomes, records) = append(&mut log, at(5), vec![draft(Some(1), "a"), draft(Some(1), "a")]);
    assert_eq!(outcomes, [Outcome::New(Seq::new(1)), Outcome::Known(Seq::new(1))]);
    assert_eq!(records.len(), 1);
    let (outcomes, records) = append(&mut log, at(6), vec![draft(Some(1), "a")]);
    assert_eq!(outcomes, [Outcome::Known(Seq::new(1))]);
    assert!(records.is_empty());
}

#[test]
fn a_large_append_is_told_in_several_answers_and_lies_in_several_places() {
    for (count, text) in [(3 * RUN + 1, "x".to_owned()), (7, "x".repeat(RUN_BYTES / 2))] {
        let mut log = opened(MemoryLog::BUDGET);
        let drafts = (0..count).map(|n| draft(Some(n as u64), &text)).collect();
        let answers = ask(&mut log, at(5), Request::Append { room: room(), drafts });
        let [Answer::Settled { outcomes, .. }, grown @ ..] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(outcomes.len(), count);
        let runs = grown.iter().map(|answer| match answer {
            Answer::Grew { records, .. } => records.clone(),
            other => panic!("{other:?}"),
        });
        let runs: Vec<Arc<[Record]>> = runs.collect();
        assert_eq!(runs.len(), 4);
        let seqs: Vec<_> = runs.iter().flat_map(|run| run.iter()).map(|record| record.seq.get()).collect();
        assert_eq!(seqs, (1..=count as u64).collect::<Vec<_>>());
        assert_eq!(log.records(&room()).count(), count);
    }
}

#[test]
fn what_is_taken_back_is_gone_here_and_nothing_else_is() {
    let mut log = opened(MemoryLog::BUDGET);
    let (_, told) = append(&mut log, at(5), (1..=3).map(|n| draft(Some(n), "abc")).collect());
    let on = Subject { m: None, name: "ann".parse().unwrap() };
    let kind = Act::Remove { of: Seq::new(2), on, why: None }.into();
    append(&mut log, at(6), vec![Draft { kind, ..draft(None, "ann took it back") }]);
    let texts: Vec<_> = log.records(&room()).map(|record| record.text.as_str()).collect();
    assert_eq!(texts, ["abc", "(removed)", "abc", "ann took it back"]);
    assert_eq!(told[1].text.as_str(), "abc", "what was told before is the room's");
    log.rooms[&room()].audit();
    let (outcomes, _) = append(&mut log, at(7), vec![draft(Some(2), "abc"), draft(Some(3), "abc")]);
    assert_eq!(outcomes, [Outcome::Known(Seq::new(2)), Outcome::Known(Seq::new(3))]);
}

#[test]
fn a_say_without_a_key_is_appended_each_time() {
    let mut log = opened(MemoryLog::BUDGET);
    let (outcomes, _) = append(&mut log, at(5), vec![draft(None, "a"), draft(None, "a")]);
    assert_eq!(outcomes, [Outcome::New(Seq::new(1)), Outcome::New(Seq::new(2))]);
}

#[test]
fn stamps_never_go_back() {
    let mut log = opened(MemoryLog::BUDGET);
    append(&mut log, at(50), vec![draft(None, "a")]);
    let (_, records) = append(&mut log, at(20), vec![draft(None, "b")]);
    assert_eq!(records[0].ts, 50);
}

#[test]
fn a_room_that_was_never_opened_refuses() {
    let mut log = MemoryLog::new([7; 32]);
    assert_eq!(append(&mut log, at(0), vec![draft(None, "a")]).0, [Outcome::Refused]);
    let request = Request::Load { ticket: Ticket(3), room: room(), span: Span::Before(Seq::MAX), limit: 1 };
    assert_eq!(ask(&mut log, at(0), request), [Answer::Loaded { ticket: Ticket(3), page: Err(Unavailable) }]);
}

#[test]
fn a_room_that_the_server_has_no_more_is_forgotten() {
    let mut log = opened(MemoryLog::BUDGET);
    let epoch = tail(&mut log, 0).epoch;
    append(&mut log, at(0), vec![draft(Some(1), "abc")]);
    assert_eq!(ask(&mut log, at(0), Request::Close { room: room() }), []);
    assert_eq!(log.records(&room()).count(), 0);
    let tail = tail(&mut log, 100);
    assert_eq!((tail.head, tail.records.len()), (Seq::ZERO, 0));
    assert_ne!(tail.epoch, epoch, "and who comes back to it is told so");
}

#[test]
fn opening_again_goes_on_in_the_same_epoch() {
    let mut log = opened(MemoryLog::BUDGET);
    let epoch = tail(&mut log, 0).epoch;
    append(&mut log, at(0), vec![draft(None, "abc"), draft(None, "de"), draft(None, "f")]);
    let tail = tail(&mut log, 3);
    assert_eq!((tail.epoch, tail.first, tail.head), (epoch, Seq::new(1), Seq::new(3)));
    assert_eq!(tail.records.iter().map(|record| record.seq.get()).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn another_log_has_another_epoch() {
    let mut other = MemoryLog::new([8; 32]);
    ask(&mut other, at(0), Request::Open { room: room(), bytes: 0 });
    assert_ne!(tail(&mut opened(0), 0).epoch, tail(&mut other, 0).epoch);
}

#[test]
fn pages_say_whether_there_is_more() {
    let mut log = opened(MemoryLog::BUDGET);
    append(&mut log, at(0), (0..10).map(|_| draft(None, "x")).collect());
    assert_eq!(page(&mut log, Span::Before(Seq::new(11)), 3), (vec![8, 9, 10], true));
    assert_eq!(page(&mut log, Span::Before(Seq::new(4)), 3), (vec![1, 2, 3], false));
    assert_eq!(page(&mut log, Span::Before(Seq::new(1)), 3), (vec![], false));
    assert_eq!(page(&mut log, Span::Before(Seq::MAX), 2), (vec![9, 10], true));
    assert_eq!(page(&mut log, Span::After(Seq::ZERO), 3), (vec![1, 2, 3], true));
    assert_eq!(page(&mut log, Span::After(Seq::new(7)), 3), (vec![8, 9, 10], false));
    assert_eq!(page(&mut log, Span::After(Seq::new(10)), 3), (vec![], false));
    assert_eq!(page(&mut log, Span::After(Seq::MAX), 3), (vec![], false));
}

#[test]
fn what_is_trimmed_may_be_said_again() {
    let mut log = opened(2 * (MemoryLog::OVERHEAD + 4));
    append(&mut log, at(0), vec![draft(Some(1), "a"), draft(Some(2), "b"), draft(Some(3), "c")]);
    assert_eq!(page(&mut log, Span::After(Seq::ZERO), 9), (vec![2, 3], false));
    let (outcomes, _) = append(&mut log, at(0), vec![draft(Some(3), "c"), draft(Some(1), "a")]);
    assert_eq!(outcomes, [Outcome::Known(Seq::new(3)), Outcome::New(Seq::new(4))]);
}

proptest! {
    #[test]
    fn numbers_are_dense_and_the_budget_holds(
        batches in proptest::collection::vec(
            proptest::collection::vec((proptest::option::of(0_u64..40), "[a-z]{1,60}"), 1..6), 1..40),
        budget in 0_usize..6_000,
        clock in proptest::collection::vec(0_u64..1_000, 40),
    ) {
        let mut log = opened(budget);
        let mut head = 0;
        let mut ts = 0;
        for (batch, now) in batches.into_iter().zip(clock) {
            let drafts: Vec<_> = batch.iter().map(|(once, text)| draft(*once, text)).collect();
            let mut said: BTreeMap<Id, Seq> =
                log.records(&room()).filter_map(|record| Some((record.id?, record.seq))).collect();
            let mut next = Seq::new(head);
            let expected = drafts.iter().map(|draft| match draft.once.map(|(_, id)| id) {
                Some(id) if said.contains_key(&id) => Outcome::Known(said[&id]),
                id => {
                    next = next.next();
                    said.extend(id.map(|id| (id, next)));
                    Outcome::New(next)
                }
            });
            let expected: Vec<_> = expected.collect();
            let (outcomes, records) = append(&mut log, at(now), drafts);
            prop_assert_eq!(&outcomes, &expected);
            let new = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::New(_))).count();
            prop_assert_eq!(new, records.len());
            for record in &records {
                prop_assert_eq!(record.seq.get(), head + 1);
                prop_assert!(record.ts >= ts);
                (head, ts) = (record.seq.get(), record.ts);
            }
            let tail = tail(&mut log, usize::MAX);
            prop_assert_eq!(tail.head.get(), head);
            prop_assert_eq!(tail.first.plus(tail.records.len() as u64), tail.head.next());
            log.rooms[&room()].audit();
            prop_assert!(tail.records.windows(2).all(|pair| pair[1].seq == pair[0].seq.next()));
            let bytes: usize =
                log.records(&room()).map(|r| MemoryLog::OVERHEAD + r.text.as_str().len() + 3).sum();
            prop_assert!(bytes <= budget);
            let mut ids: Vec<_> = log.records(&room()).filter_map(|record| record.id).collect();
            ids.sort_unstable();
            prop_assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }

    #[test]
    fn pages_walk_the_whole_log_both_ways(count in 0_usize..40, limit in 1_u64..9, budget in 0_usize..20_000) {
        let mut log = opened(budget);
        append(&mut log, at(0), (0..count).map(|_| draft(None, "x")).collect());
        let all: Vec<u64> = log.records(&room()).map(|record| record.seq.get()).collect();

        let (mut after, mut up) = (Seq::ZERO, Vec::new());
        loop {
            let (seqs, more) = page(&mut log, Span::After(after), limit);
            after = seqs.last().map_or(after, |&seq| Seq::new(seq));
            up.extend(seqs);
            if !more { break }
        }
        prop_assert_eq!(&up, &all);

        let (mut before, mut down) = (Seq::MAX, Vec::new());
        loop {
            let (seqs, more) = page(&mut log, Span::Before(before), limit);
            before = seqs.first().map_or(before, |&seq| Seq::new(seq));
            down.extend(seqs.into_iter().rev());
            if !more { break }
        }
        down.reverse();
        prop_assert_eq!(&down, &all);
    }
}
