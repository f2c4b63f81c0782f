//! The plug is pulled: the real server under load from real clients, killed at random moments, over and over, on the same
//! files. Then everything that anybody was shown is compared with what the log holds.
//!
//! `CRASH_ROUNDS` says how often, `CRASH_SEED` when: `CRASH_ROUNDS=300 cargo test -p qun-tests --test crash`.
#![cfg(test)]

#[path = "../end_to_end/world/binary.rs"]
#[expect(dead_code, reason = "programs of the machine are for the other tests")]
mod binary;
mod bot;
mod check;
mod person;
mod server;

use std::thread;
use std::time::Duration;

use qun_core::Entropy;

use bot::Bot;
use person::Person;
use server::Server;

/// Rooms, by their codes.
const ROOMS: [(&str, &str); 2] = [("ops", "K7QM-2XD4"), ("dev", "DEV0-C0DE")];

/// How many talk at once.
const PEOPLE: u8 = 5;

#[test]
fn nothing_is_lost_nothing_comes_twice_and_everyone_sees_one_order() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse().expect("a number"));
    let rounds = number("CRASH_ROUNDS").unwrap_or(25);
    let seed = number("CRASH_SEED").unwrap_or_else(fresh);
    println!("{rounds} crashes, CRASH_SEED={seed}");
    let mut chance = Entropy::new(std::array::from_fn(|at| seed.to_le_bytes()[at % 8]));

    let mut server = Server::start(&ROOMS, if seed % 4 == 3 { "normal" } else { "full" });
    let people: Vec<_> = (0..PEOPLE)
        .map(|number| Person::begin(number, server.addr(), ROOMS.map(|(_, code)| code), chance.block()))
        .collect();
    let bots: Vec<_> = (0..).zip(ROOMS).map(|(n, room)| Bot::begin(n, server.addr(), room, chance.block())).collect();
    for _ in 0..rounds {
        // At any moment of its life: while it opens the files, while people come back, while they talk.
        if chance.below(4) > 0 {
            server.until_it_listens();
        }
        thread::sleep(Duration::from_micros(chance.below(400_000)));
        if chance.below(16) == 0 {
            server.terminate();
        } else {
            server.kill();
        }
        server.start_again();
    }
    server.until_it_listens();

    people.iter().for_each(Person::fall_silent);
    people.iter().for_each(Person::settle);
    let bots: Vec<_> = bots.into_iter().map(Bot::end).collect();
    let logs = ROOMS.map(|(room, code)| server.log_of(room, code));
    let heads = logs.each_ref().map(|log| log.len() as u64);
    let witnesses: Vec<_> = people.into_iter().map(|person| person.end(heads)).chain(bots).collect();
    let said: usize = witnesses.iter().map(|witness| witness.said.len()).sum();
    println!("{said} messages were said, through {} starts of the server", rounds + 1);
    assert!(said > 0, "nobody could say anything");
    for ((room, _), log) in ROOMS.into_iter().zip(logs) {
        if let Err(wrong) = check::room(room, &log, &witnesses) {
            panic!("CRASH_SEED={seed}: {wrong}\nthe server: {}", server.journal());
        }
    }
}

/// A seed that nobody has tried.
fn fresh() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("it is after 1970");
    since.as_nanos() as u64 % 1_000_000
}
