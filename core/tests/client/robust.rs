//! Bytes that nobody promised anything about.

use proptest::prelude::*;
use qun_core::client::{Action, Client, Input};
use qun_core::{Code, Id};

use crate::rig::{Rig, code, echo, error, joined, msg, page, welcome};

/// Everything that a client does about `bytes`, split at `cuts`: its actions, and the bytes that it wants to send.
fn run(rig: &Rig, bytes: &[u8], cuts: &[usize]) -> (Vec<Action>, Vec<u8>, Client) {
    let (mut client, mut actions, mut rest) = (rig.client.clone(), Vec::new(), bytes);
    for cut in cuts {
        let (chunk, behind) = rest.split_at(cut % (rest.len() + 1));
        client.handle(rig.now, Input::Received(chunk));
        rest = behind;
    }
    client.handle(rig.now, Input::Received(rest));
    while let Some(action) = client.poll() {
        actions.push(action);
    }
    let mut unsent = Vec::new();
    if let Some(transmit) = client.transmit() {
        let mut slices = [&b""[..]];
        transmit.gather(&mut slices, |bytes| bytes);
        unsent = slices.concat();
    }
    (actions, unsent, client)
}

/// A client with a hole, pending messages and a question, and the ids that an answer can name.
fn busy() -> (Rig, Vec<Id>) {
    let mut rig = Rig::in_room();
    let mut ids: Vec<Id> = (0..12).map(|n| rig.say(&n.to_string())).collect();
    rig.feed(r#"{"t":"gap","room":"ops","from":11,"to":12,"here":1,"members":[]}"#);
    ids.push(rig.fetched().0);
    ids.push(rig.client.join(rig.now, "R3AD0N1Y".parse::<Code>().expect("a code")));
    ids.push(rig.client.rename(rig.now, "eve".parse().expect("a name")));
    ids.push(rig.client.history(rig.now, &crate::rig::ops(), qun_core::Seq::new(9), 5).expect("in it"));
    rig.drain();
    rig.forget();
    (rig, ids)
}

/// A line that a server might say, sensible or not.
fn line() -> impl Strategy<Value = String> {
    let ids = busy().1;
    let id = move || prop::sample::select(ids.clone());
    let seq = || 0_u64..20;
    prop_oneof![
        6 => (seq(), "[a-c]").prop_map(|(seq, text)| msg(seq, &text)),
        6 => (seq(), id()).prop_map(|(seq, id)| echo(seq, "x", id)),
        4 => (id(), seq(), any::<bool>(), seq(), seq())
            .prop_map(|(id, first, more, from, to)| page(id, first, more, from..to)),
        3 => (id(), prop::sample::select(vec!["now", "later", "fix", "no"]), 0_u64..3_000)
            .prop_map(|(id, class, wait)| error(id, "unavailable", class, wait)),
        2 => (id(), 0_u64..9).prop_map(|(id, wait)| error(id, "slow_down", "later", wait)),
        3 => (id(), prop::sample::select(vec!["ops", "hall"]), prop::sample::select(vec!["e1", "e2"]), seq(), seq(), seq())
            .prop_map(|(id, room, epoch, first, from, head)| joined(id, room, epoch, first, from, head)),
        2 => (seq(), seq()).prop_map(|(from, to)| {
            format!(r#"{{"t":"gap","room":"ops","from":{from},"to":{to},"here":1,"members":[]}}"#)
        }),
        2 => (id(), prop::option::of(seq())).prop_map(|(id, seq)| match seq {
            Some(seq) => format!(r#"{{"t":"ok","re":"{id}","seq":{seq}}}"#),
            None => format!(r#"{{"t":"ok","re":"{id}"}}"#),
        }),
        1 => Just(r#"{"t":"ping","n":3}"#.to_string()),
        1 => Just(r#"{"t":"left","room":"ops"}"#.to_string()),
        1 => Just("-- a prompt".to_string()),
        1 => Just("{nonsense".to_string()),
        1 => Just(r#"{"t":"bye","code":"slow","retry":"now","text":""}"#.to_string()),
        1 => (0_u64..(1 << 53)).prop_map(|seq| msg(seq, "far")),
        1 => (0_u64..(1 << 53)).prop_map(|to| {
            format!(r#"{{"t":"gap","room":"ops","from":0,"to":{to},"here":{to}}}"#)
        }),
    ]
}

proptest! {
    #[test]
    fn any_split_of_the_input_gives_the_same(
        lines in prop::collection::vec(line(), 0..40),
        cuts in prop::collection::vec(0_usize..300, 0..60),
    ) {
        let (rig, _) = busy();
        let bytes = lines.join("\n").into_bytes();
        prop_assert_eq!(run(&rig, &bytes, &[]), run(&rig, &bytes, &cuts));
        prop_assert_eq!(run(&rig, &bytes, &[]), run(&rig, &bytes, &vec![1; bytes.len()]));
    }

    #[test]
    fn lines_in_any_order_never_panic(lines in prop::collection::vec(line(), 0..60)) {
        let (mut rig, _) = busy();
        for line in lines {
            rig.feed(&line);
            if let Some(due) = rig.client.deadline() {
                prop_assert!(due > rig.now.mono, "after draining, the deadline lies ahead");
            }
            if !matches!(rig.client.status(), qun_core::client::Status::Online) {
                break;
            }
        }
        rig.pass(std::time::Duration::from_secs(30));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000), json in any::<bool>()) {
        let (mut rig, _) = busy();
        if json {
            rig.input(Input::Received(b"{\"t\":\""));
        }
        rig.input(Input::Received(&bytes));
        rig.input(Input::Received(b"\n"));
        rig.pass(std::time::Duration::from_secs(60));
    }

    #[test]
    fn any_cut_of_the_output_gives_the_same_bytes(cuts in prop::collection::vec(0_usize..50, 0..40)) {
        let mut whole = Rig::new();
        whole.client.join(whole.now, code());
        whole.client.handle(whole.now, Input::Connected);
        whole.client.handle(whole.now, Input::Received(format!("{}\n", welcome()).as_bytes()));
        let mut client = whole.client.clone();
        whole.drain();
        let mut bytes = Vec::new();
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let Some(mut transmit) = client.transmit() else { break };
            let mut slices = [&b""[..]];
            transmit.gather(&mut slices, |bytes| bytes);
            let n = cut.min(slices[0].len());
            bytes.extend_from_slice(&slices[0][..n]);
            transmit.advance(n).expect("no more than there was");
        }
        prop_assert!(client.transmit().is_none());
        let mut expected = Vec::new();
        whole.sent().iter().for_each(|request| request.encode(&mut expected));
        prop_assert_eq!(bytes, expected);
    }
}

#[test]
fn more_than_there_is_can_not_be_sent() {
    let mut client = Client::new(crate::rig::config(), [2; 32]);
    client.poll();
    client.handle(Default::default(), Input::Connected);
    assert!(client.transmit().expect("a hello").advance(usize::MAX).is_err());
    assert!(client.transmit().is_none());
}
