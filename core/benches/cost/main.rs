//! What the machines cost in instructions, which are the same on every run, whatever else a computer does.
//!
//! ```sh
//! .ci/cost           # counts, and compares with core/benches/cost/instructions.txt
//! .ci/cost --accept  # counts, and writes what it found there
//! ```
//!
//! valgrind counts what happens within [`measured`], so that getting ready is not part of it. Without valgrind
//! `cargo bench -p qun-core --bench cost` just runs each case.

mod world;

use std::hint::black_box;

use world::{HELLO, World, say, say_in};

/// Each case: its name, and how to run it.
const CASES: &[(&str, fn())] = &[
    ("one say read, up to the log", one_say_read),
    ("100 says read, appended and told to one", || many_says(1)),
    ("100 says of plain, the same", plain_says),
    ("one message to 1 member", || fan_out(1)),
    ("one message to 10 members", || fan_out(10)),
    ("one message to 1000 members", || fan_out(1_000)),
    ("one message to 100000 members", || fan_out(100_000)),
    ("one message to 1000 members of plain", fan_out_plain),
    ("16 messages at once to 1000 members", batch),
    ("16 messages in each of 100 rooms of 10", many_rooms),
    ("hello and join", join),
    ("hello, join and 200 messages of backlog", resume),
];

fn main() {
    let wanted = std::env::args().nth(1).filter(|argument| !argument.starts_with("--"));
    for (number, (name, run)) in CASES.iter().enumerate() {
        if wanted.as_ref().is_none_or(|wanted| *wanted == number.to_string()) {
            eprintln!("case: {name}");
            run();
        }
    }
}

/// What is counted.
#[inline(never)]
fn measured(case: impl FnOnce()) {
    black_box(case)();
}

fn one_say_read() {
    let mut world = World::new();
    let conn = world.json();
    let line = say(0);
    measured(|| world.receive(conn, &line));
}

fn many_says(members: usize) {
    let mut world = World::new();
    let conns: Vec<_> = (0..members).map(|_| world.json()).collect();
    let lines: Vec<u8> = (0..50).flat_map(say).collect();
    let more: Vec<u8> = (50..100).flat_map(say).collect();
    measured(|| {
        world.receive(conns[0], &lines);
        world.settle();
        world.receive(conns[0], &more);
        world.settle();
    });
    assert!(world.sent > 0);
}

fn plain_says() {
    let mut world = World::new();
    let conn = world.plain();
    world.plain();
    let lines = [&b"x".repeat(64)[..], b"\r\n"].concat().repeat(50);
    measured(|| {
        world.receive(conn, &lines);
        world.settle();
        world.receive(conn, &lines);
        world.settle();
    });
}

fn fan_out(members: usize) {
    let mut world = World::new();
    let conns: Vec<_> = (0..members).map(|_| world.json()).collect();
    world.receive(conns[0], &say(0));
    world.settle();
    world.receive(conns[0], &say(1));
    measured(|| world.settle());
}

fn fan_out_plain() {
    let mut world = World::new();
    let conns: Vec<_> = (0..1_000).map(|_| world.plain()).collect();
    let line = ["x".repeat(64).as_bytes(), b"\r\n"].concat();
    world.receive(conns[0], &line);
    world.settle();
    world.receive(conns[0], &line);
    measured(|| world.settle());
}

fn batch() {
    let mut world = World::new();
    let conns: Vec<_> = (0..1_000).map(|_| world.json()).collect();
    for turn in 0..2 {
        for (number, &conn) in conns.iter().enumerate().take(16) {
            world.receive(conn, &say(16 * turn + number));
        }
        if turn == 0 {
            world.settle();
        }
    }
    measured(|| world.settle());
}

/// What a busy turn of many small rooms is: read, appended, encoded, sent.
fn many_rooms() {
    let mut world = World::of(100);
    let senders: Vec<_> = (0..100)
        .map(|room| {
            let conns: Vec<_> = (0..10).map(|_| world.json_in(room)).collect();
            conns[0]
        })
        .collect();
    let turns = [0, 1].map(|turn| {
        (0..100)
            .map(|room| (0..16).flat_map(|number| say_in(room, 16 * turn + number)).collect())
            .collect::<Vec<Vec<u8>>>()
    });
    let turn = |world: &mut World, lines: &[Vec<u8>]| {
        senders.iter().zip(lines).for_each(|(&sender, lines)| world.receive(sender, lines));
        world.settle();
    };
    turn(&mut world, &turns[0]);
    measured(|| turn(&mut world, &turns[1]));
}

fn join() {
    let mut world = World::new();
    for _ in 0..100 {
        world.json();
    }
    let (conn, join) = (world.open(), world.join(0, "\"tail\":0"));
    measured(|| {
        world.receive(conn, HELLO);
        world.receive(conn, &join);
        world.settle();
    });
}

fn resume() {
    let mut world = World::new();
    let first = world.json();
    for turn in 0..20 {
        let lines: Vec<u8> = (0..50).flat_map(|number| say(50 * turn + number)).collect();
        world.receive(first, &lines);
        world.settle();
    }
    let conn = world.open();
    let join = world.join(0, "\"resume\":{\"epoch\":\"e9f2\",\"seq\":800},\"tail\":200");
    measured(|| {
        world.receive(conn, HELLO);
        world.receive(conn, &join);
        world.settle();
    });
    assert!(world.sent > 200 * 64);
}
