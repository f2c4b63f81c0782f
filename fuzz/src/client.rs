//! A server's bytes into a client.

use std::time::Duration;

use arbitrary::Unstructured;
use qun_core::client::{Event, NotMember, Status};
use qun_core::json::{Frame, Request};
use qun_core::log::Kind;

use crate::driven::Driven;
use crate::pieces::{Pieces, same_however_cut};
use crate::values;

const WELCOME: &[u8] = br#"{"t":"welcome","v":1,"server":"s","m":"Xk3pQ9aLw2","name":"ann","resumed":false,"now":0,"ping_s":25,"grace_s":60,"limits":{"line":16384,"text":4000,"lines":64,"name":32,"replay":200,"burst":10,"per_s":2}}
"#;

/// A client wants into a room and to say something there; a server sends `bytes`, then the connection breaks and the next one
/// gets them again. What the client sends is whole requests, what it shows and sends is the same however the bytes were cut
/// on their ways in and out, and it always knows what to do next.
///
/// The first byte says whether a welcome comes before them, and whether the client has a password.
pub fn client(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    same_however_cut(bytes, |cut| {
        let password = (kind & 2 > 0).then(|| "correct horse".parse().expect("a password"));
        let mut driven = Driven::new(cut.clone(), password);
        driven.client.join(driven.now, "K7QM-2XD4".parse::<qun_core::Code>().expect("a code"));
        driven.settle();
        for _ in 0..2 {
            if !driven.connect() {
                break;
            }
            if kind & 1 == 0 {
                driven.receive(WELCOME, &mut Pieces::Whole);
            }
            driven.receive(bytes, cut);
            speak(&mut driven);
            driven.wait(Duration::from_secs(8));
            driven.disconnect();
        }
        (driven.shown, driven.sent)
    });
}

/// Says something in every room that the client is in by now.
fn speak(driven: &mut Driven) {
    let rooms: Vec<_> = driven.client.rooms().map(|room| room.id().clone()).collect();
    for room in rooms.iter().take(3) {
        driven.say(room, Kind::Say, "hello".parse().expect("a text"));
        driven.ask(|client, now| client.history(now, room, qun_core::Seq::new(9), 5));
        driven.ask(|client, now| client.search(now, room, "hello".parse().expect("words"), None, 5));
    }
    driven.settle();
}

/// Somebody does with a client what `bytes` say, while a server answers, or does something else, or goes. What is shown is
/// in order, what was said has one fate, both are the same however the bytes were cut on their ways in and out; and after
/// a goodbye it ends.
pub fn client_any(bytes: &[u8]) {
    same_however_cut(bytes, |cut| {
        let mut driven = Driven::new(cut.clone(), None);
        let mut given = Unstructured::new(bytes);
        for _ in 0..200 {
            if given.is_empty() || act(&mut driven, &mut given, cut).is_err() {
                break;
            }
        }
        driven.client.bye(driven.now);
        driven.settle();
        driven.wait(Duration::from_secs(120));
        let ends = driven.shown.iter().filter(|event| matches!(event, Event::Ended { .. })).count();
        assert_eq!((driven.client.status(), ends), (Status::Ended, 1));
        (driven.shown, driven.sent)
    });
}

/// One thing happens.
fn act(driven: &mut Driven, given: &mut Unstructured<'_>, cut: &mut Pieces) -> arbitrary::Result<()> {
    match given.int_in_range(0..=24)? {
        0 => {
            let length = usize::from(given.arbitrary::<u8>()?).min(given.len());
            driven.receive(given.bytes(length)?, cut);
        }
        1 | 2 => {
            let frame = values::frame(given)?;
            driven.receive(&line(&frame), cut);
        }
        3..=11 if driven.requests.is_empty() => {
            driven.connect();
        }
        3..=11 => {
            let request = driven.requests.remove(0);
            if let Some(frame) = answer(driven, given, request)? {
                driven.receive(&line(&frame), cut);
            }
        }
        12 => {
            driven.client.join(driven.now, values::code(given)?);
        }
        kind @ (13..=17 | 23) => {
            let rooms: Vec<_> = driven.client.rooms().map(|room| room.id().clone()).collect();
            let Some(room) = rooms.get(given.choose_index(rooms.len().max(1))?) else { return Ok(()) };
            match kind {
                13 | 14 => driven.say(room, Kind::Say, values::text(given)?),
                15 => driven.say(room, Kind::Me, values::text(given)?),
                16 => {
                    let (at, limit) = (values::seq(given)?, values::small(given)?);
                    if given.arbitrary()? {
                        let words = values::words(given)?;
                        driven.ask(|client, now| client.search(now, room, words, Some(at), limit));
                    } else {
                        driven.ask(|client, now| client.history(now, room, at, limit));
                    }
                }
                17 => drop(driven.client.leave(driven.now, room)),
                _ => {
                    let order = values::order(given)?;
                    driven.ask(|client, now| client.order(now, room, order));
                }
            }
        }
        18 => {
            let name = values::name(given)?;
            driven.ask(|client, now| Ok::<_, NotMember>(client.rename(now, name)));
        }
        19 => driven.client.reconnect(driven.now),
        20 => driven.disconnect(),
        21 => driven.now.unix_ms = given.arbitrary::<u32>()?.into(),
        22 => driven.wait(Duration::from_millis(100 * values::small(given)?)),
        _ if given.ratio(1, 8)? => driven.client.bye(driven.now),
        _ => driven.wait(Duration::from_secs(values::small(given)?)),
    }
    driven.settle();
    Ok(())
}

/// What a server may answer: of the right kind and to the right request, but for its numbers; or an error, or nothing.
fn answer(driven: &Driven, given: &mut Unstructured<'_>, request: Request) -> arbitrary::Result<Option<Frame>> {
    if given.ratio(1, 16)? {
        return Ok(None);
    }
    if given.ratio(1, 16)? {
        let re = values::id_of(&request);
        return Ok(Some(values::error(given, re)?));
    }
    values::answer(given, request, driven.client.member()).map(Some)
}

fn line(frame: &Frame) -> Vec<u8> {
    let mut line = Vec::new();
    frame.encode(&mut line);
    line
}
