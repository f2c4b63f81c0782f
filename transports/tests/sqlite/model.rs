//! The log in memory is the model: the same requests have the same answers.

use proptest::prelude::*;
use qun_core::log::{Answer, Draft, Fact, Request, Span, Tail, Ticket};
use qun_core::{Act, Seq, Subject};
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
    /// A moderator removes a message, and what is held beside them changes.
    Act {
        room: usize,
        of: u64,
        facts: Vec<(u8, Option<String>)>,
    },
    Keep {
        room: usize,
        facts: Vec<(u8, Option<String>)>,
    },
    Recall {
        room: usize,
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
        4 => (room.clone(), span, 1_u64..9).prop_map(|(room, span, limit)| Step::Load { room, span, limit }),
        2 => (room.clone(), 0_u64..30, facts()).prop_map(|(room, of, facts)| Step::Act { room, of, facts }),
        1 => (room.clone(), facts()).prop_map(|(room, facts)| Step::Keep { room, facts }),
        1 => room.prop_map(|room| Step::Recall { room }),
        1 => Just(Step::Restart),
    ]
}

fn facts() -> impl Strategy<Value = Vec<(u8, Option<String>)>> {
    proptest::collection::vec((0_u8..6, proptest::option::of("[a-z小]{0,9}")), 0..4)
}

fn fact((key, value): &(u8, Option<String>)) -> Fact {
    Fact { key: format!("key/{key}").into(), value: value.as_deref().map(Into::into) }
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

#[test]
fn what_adds_nothing_moves_no_time() {
    let (_dir, path) = place();
    let (mut model, mut rig) = (MemoryLog::with_budget([7; 32], usize::MAX), Rig::open(&path));
    let room = || id(ROOMS[0]);
    let say = |once| Request::Append { room: room(), drafts: vec![draft_of(0, Some(once), "hi")] };
    let open = Request::Open { room: room(), bytes: 0 };
    for (at, request) in [(0, open), (NOW, say(1)), (NOW + 5, say(1)), (NOW, say(2))] {
        model.submit(qun_core::Now { unix_ms: at, ..Default::default() }, request.clone());
        rig.submit(at, request);
        while let Some(expected) = model.poll() {
            assert_eq!(without_epoch(rig.next()), without_epoch(expected));
        }
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
                Step::Act { room, of, facts } => {
                    let on = Subject { m: None, name: "ann".parse().unwrap() };
                    let act = Act::Remove { of: Seq::new(of), on, why: None };
                    let facts = facts.iter().map(fact).collect();
                    let draft = Draft { text: act.text(), kind: act.into(), facts, ..draft_of(0, None, "act") };
                    (NOW, Request::Append { room: id(ROOMS[room]), drafts: vec![draft] })
                }
                Step::Keep { room, facts } => {
                    let request = Request::Keep { room: id(ROOMS[room]), facts: facts.iter().map(fact).collect() };
                    model.submit(qun_core::Now::default(), request.clone());
                    rig.submit(0, request);
                    // It has no answer, but who asks behind it is told of it, by whichever thread.
                    let room = id(ROOMS[room]);
                    (0, if facts.len() % 2 == 0 { Request::Recall { room } } else { Request::Open { room, bytes: 0 } })
                }
                Step::Recall { room } => (0, Request::Recall { room: id(ROOMS[room]) }),
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
