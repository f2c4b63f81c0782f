//! The log in memory is the model: the same requests have the same answers.

use proptest::prelude::*;
use qun_core::Seq;
use qun_core::log::{Answer, Request, Span, Tail, Ticket};
use qun_transports::{Log, MemoryLog};

use crate::rig::{NOW, Rig, draft_of, id, place};

const ROOMS: [&str; 3] = ["ops", "dev", "hall"];

#[derive(Clone, Debug)]
enum Step {
    Open {
        room: usize,
        bytes: usize,
    },
    Append {
        room: usize,
        at: u64,
        drafts: Vec<(u8, Option<u64>, String)>,
    },
    Load {
        room: usize,
        span: Span,
        limit: u64,
    },
    Search {
        room: usize,
        words: String,
        before: u64,
        limit: u64,
    },
    /// Stop, and start on the same file.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let room = 0..ROOMS.len();
    let draft = (0_u8..3, proptest::option::of(0_u64..12), "[*]?[ab 小组é]{0,12}[ab小]");
    let seq = prop_oneof![9 => 0_u64..60, 1 => Just(u64::MAX)];
    let span = (any::<bool>(), seq).prop_map(|(before, seq)| match before {
        true => Span::Before(Seq::new(seq)),
        false => Span::After(Seq::new(seq)),
    });
    prop_oneof![
        2 => (room.clone(), 0_usize..200).prop_map(|(room, bytes)| Step::Open { room, bytes }),
        6 => (room.clone(), 0_u64..100, proptest::collection::vec(draft, 1..5))
            .prop_map(|(room, at, drafts)| Step::Append { room, at, drafts }),
        4 => (room.clone(), "[ab小é]{1,3}( [ab小é]{1,4})?", prop_oneof![0_u64..60, Just(u64::MAX)], 0_u64..9)
            .prop_map(|(room, words, before, limit)| Step::Search { room, words, before, limit }),
        4 => (room, span, 1_u64..9).prop_map(|(room, span, limit)| Step::Load { room, span, limit }),
        1 => Just(Step::Restart),
    ]
}

/// Epochs are random: each log has its own.
fn without_epoch(answer: Answer) -> Answer {
    match answer {
        Answer::Ready { room, tail } => {
            let epoch = "e".parse().unwrap();
            Answer::Ready { room, tail: tail.map(|tail| Tail { epoch, ..tail }) }
        }
        answer => answer,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_same_requests_have_the_same_answers(steps in proptest::collection::vec(step(), 1..40)) {
        let (_dir, path) = place();
        let mut model = MemoryLog::with_budget([7; 32], usize::MAX);
        let mut rig = Rig::open(&path);
        for step in steps {
            let (at, request) = match step {
                Step::Restart => {
                    drop(rig);
                    rig = Rig::open(&path);
                    prop_assert_eq!(rig.events(), []);
                    continue;
                }
                Step::Open { room, bytes } => (0, Request::Open { room: id(ROOMS[room]), bytes }),
                Step::Append { room, at, drafts } => {
                    let drafts = drafts.iter().map(|(person, once, text)| draft_of(*person, *once, text)).collect();
                    (NOW + at, Request::Append { room: id(ROOMS[room]), drafts })
                }
                Step::Search { room, words, before, limit } => {
                    let (room, words, before) = (id(ROOMS[room]), words.parse().unwrap(), Seq::new(before));
                    (0, Request::Search { ticket: Ticket(limit), room, words, before, limit })
                }
                Step::Load { room, span, limit } => {
                    (0, Request::Load { ticket: Ticket(limit), room: id(ROOMS[room]), span, limit })
                }
            };
            model.submit(qun_core::Now { unix_ms: at, ..Default::default() }, request.clone());
            rig.submit(at, request);
            while let Some(expected) = model.poll() {
                prop_assert_eq!(without_epoch(rig.next()), without_epoch(expected));
            }
        }
    }
}
