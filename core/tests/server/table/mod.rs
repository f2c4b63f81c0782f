//! Every act on somebody in every state: a cell says what the act is answered, what becomes of the one whom it is about, and
//! what they may when they come back. What must always hold is checked in each cell.

mod act;
mod state;

use qun_core::log::Kind;
use serde_json::json;

use crate::keep::{KEEPER, OWNER};
use crate::world::{BOB, MEI, Watch, texts};
use act::Act;
use state::State;

/// A row is a state, a column an act, in the order of [`Act::ALL`]. A cell has three letters.
///
/// What the one who asked is told: `+` done, `n` not found, `b` a bad field, `.` nothing (another configuration).
///
/// Where the one whom it is about is then: `i` in the room, `o` not.
///
/// What comes of it when they come back, by their code, and speak: `S` they are heard; `K` they are told that they were put out
/// and come in by another join; `B` banned; `M` in, and muted; `R` in, to read; `C` in, and the room is closed to what they say;
/// `c` it is closed to them; `X` the code is over; `P` there is no such account. Whoever has lost a connection comes by another, from
/// another address.
#[rustfmt::skip]
const TABLE: [(State, &str); State::ALL.len()] = [
    //                   kick ban key name source unban mute unmute topic remove close open role add rotate retire shut gone
    (State::Greeting,   "noS  noS noS +oB  noS    noS   noS  noS    +oS   noS    +oc   +oS  noS  +oS +oX    +oX    +oX  .oS"),
    (State::Roomless,   "noS  noS noS +oB  noS    noS   noS  noS    +oS   noS    +oc   +oS  noS  +oS +oX    +oX    +oX  .oS"),
    (State::Asked,      "+oS  +oB biS +oB  +oB    niS   +iM  niS    +iS   +iS    +iC   +iS  biS  +iS +iS    +iS    +oX  .iS"),
    (State::Verdict,    "noS  noS noS +oB  noS    noS   noS  noS    +oS   noS    +oc   +oS  noS  +oS +oX    +oX    +oX  .oP"),
    (State::Joined,     "+oS  +oB +oB +oB  +oB    niS   +iM  niS    +iS   +iS    +iC   +iS  +iS  +iS +iS    +iS    +oX  .iS"),
    (State::Saying,     "+oS  +oB +oB +oB  +oB    niS   +iM  niS    +iS   +iS    +iC   +iS  +iS  +iS +iS    +iS    +oX  .iS"),
    (State::ReadOnly,   "+oR  +oB +oB +oB  +oB    niR   +iR  niR    +iR   niR    +iR   +iR  +iS  +iR +iR    +iR    +iR  .iR"),
    (State::Muted,      "+oM  +oB +oB +oB  +oB    niM   +iM  +iS    +iM   +iM    +iC   +iM  +iS  +iM +iM    +iM    +oX  .iM"),
    (State::Banned,     "noB  noB noB +oB  noB    +oS   noB  noB    +oB   +oB    +oB   +oB  noB  +oB +oB    +oB    +oB  .oB"),
    (State::Kicked,     "noS  noS noS +oB  noS    noS   noS  noS    +oS   +oS    +oc   +oS  noS  +oS +oX    +oX    +oX  .oS"),
    (State::Blocked,    "+oS  +oB +oB +oB  +oB    niS   +iM  niS    +iS   +iS    +iC   +iS  +iS  +iS +iS    +iS    +oX  .iS"),
    (State::Detached,   "+oK  +oB +oB +oB  biS    niS   +iM  niS    +iS   +iS    +iC   +iS  +iS  +iS +iS    +iS    +oX  .iS"),
    (State::Resumed,    "+oK  +oB +oB +oB  +oB    niS   +iM  niS    +iS   +iS    +iC   +iS  +iS  +iS +iS    +iS    +oX  .iS"),
    (State::Parting,    "+oS  +oB +oB +oB  +oS    noS   +oM  noS    +oS   +oS    +oc   +oS  +oS  +oS +oX    +oX    +oX  .oS"),
    (State::Leaving,    "+oS  +oB +oB +oB  +oB    noS   +oM  noS    +oS   +oS    +oc   +oS  +oS  +oS +oX    +oX    +oX  .oS"),
    (State::Coming,     "niS  niS niS +oB  niS    niS   niS  niS    +iS   niS    +oc   +iS  niS  +iS +oX    +oX    +oX  .iS"),
    (State::Account,    "+oS  +oB +oB +oB  +oB    niS   +iM  niS    +iS   +iS    +iC   +iS  +iS  +iS +iS    +iS    +oX  .oP"),
    (State::Twin,       "+oS  +oB +oB +oB  +oB    niS   +iM  niS    +iS   +iS    +iC   +iS  +iS  +iS +iS    +iS    +oX  .oP"),
    (State::Away,       "+oK  +oB +oB +oB  biS    niS   +iM  niS    +iS   +iS    +iC   +iS  +iS  +iS +iS    +iS    +oX  .oP"),
    (State::Remembered, "+oS  +oB +oB +oB  boS    noS   noS  noS    +oS   +oS    +oc   +oS  noS  +oS +oS    +oS    +oX  .oP"),
];

/// What happens in one cell.
fn cell(state: State, act: Act) -> String {
    let mut world = state::world();
    let own = world.keyed("own", MEI, OWNER);
    let watcher = world.keyed("watcher", BOB, KEEPER);
    let subject = state.enter(&mut world);
    let name = subject.name;
    let before = world.log.records("ops").len();
    // The act, and all that waits.
    let asked = act.ask(&mut world, own, name);
    state.hold_back(&mut world);
    world.release_all();
    let answer = match asked {
        None => '.',
        Some(id) => {
            let lines = world.lines(own);
            let answer = lines.iter().find(|line| line["re"] == id).expect("an answer");
            match (answer["t"].as_str(), answer["code"].as_str()) {
                (Some("ok" | "code"), _) => '+',
                (_, Some("not_found")) => 'n',
                (_, Some("bad_field")) => 'b',
                other => panic!("{other:?}"),
            }
        }
    };
    // Where they are, as one sees it who comes now.
    let probe = world.client("probe");
    let roster = crate::world::names(&world.join(probe, KEEPER)).contains(&name);
    let put_out = answer == '+' && matches!(act, Act::Kick | Act::Ban | Act::BanKey | Act::BanName | Act::BanSource);
    let records = world.log.records("ops")[before..].to_vec();
    if put_out {
        let act = records.iter().position(|record| matches!(&record.kind, Kind::Act(_))).expect("the act's record");
        let behind = records[act..].iter().find(|record| record.name.as_str() == name);
        assert!(behind.is_none(), "{behind:?} lies behind the act");
    }
    let back = state.come_back(&mut world, subject);
    // Nobody else notices but by what is told to all.
    world.take(watcher);
    world.ask(watcher, json!({"t": "say", "id": "w1", "room": "ops", "text": "still here"}));
    assert!(texts(&world.lines(watcher)).contains(&"still here"));
    let mut watch = Watch::default();
    for conn in world.connections() {
        let text = String::from_utf8(world.received(conn).to_vec()).expect("UTF-8");
        if text.starts_with('{') {
            let lines: Vec<_> = text.lines().map(|line| serde_json::from_str(line).expect("json")).collect();
            // It panics where there is a hole, a frame of a room that one is not in, or a roster that is not its fold.
            let mut one = Watch::default();
            one.feed(&lines);
            if conn == watcher {
                watch = one;
            }
        }
    }
    let seen: Vec<_> = watch.rooms["ops"].roster.as_ref().expect("a roster").values().cloned().collect();
    world.take(own);
    world.ask(own, json!({"t": "join", "id": "last", "code": OWNER, "tail": 0}));
    let lines = world.lines(own);
    let joined = lines.iter().find(|line| line["t"] == "joined").expect("joined");
    let mut seen: Vec<_> = seen.iter().map(String::as_str).collect();
    seen.sort_unstable();
    assert_eq!(crate::world::names(joined), seen, "what one has followed is what one who comes is told");
    [answer, if roster { 'i' } else { 'o' }, back].into_iter().collect()
}

#[test]
fn every_act_does_what_it_says_to_somebody_in_every_state() {
    let mut wrong = Vec::new();
    for (state, row) in TABLE {
        let row: Vec<_> = row.split_whitespace().collect();
        assert_eq!(row.len(), Act::ALL.len());
        for (act, expected) in Act::ALL.into_iter().zip(row) {
            let found = std::panic::catch_unwind(|| cell(state, act)).unwrap_or_else(|_| "it panicked".into());
            if found != expected {
                wrong.push(format!("{state:?} × {act:?}: {found}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
