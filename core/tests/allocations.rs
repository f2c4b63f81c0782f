//! What is allocated for a message does not depend on how many hear it, and for a delivery nothing is.

#[path = "../benches/cost/world.rs"]
mod world;

use allocation_counter::measure;
use qun_core::ConnId;
use world::{World, say};

/// Members of a room, each of whom has heard something already.
fn room(members: usize, get_in: impl Fn(&mut World) -> ConnId, line: &[u8]) -> (World, ConnId) {
    let mut world = World::new();
    let conns: Vec<_> = (0..members).map(|_| get_in(&mut world)).collect();
    // Lists that are kept for their memory have it by then, and the room's deques have grown past what follows.
    for _ in 0..40 {
        world.receive(conns[0], line);
        world.settle();
    }
    (world, conns[0])
}

#[test]
fn a_delivery_allocates_nothing() {
    for (get_in, line) in [(World::json as fn(&mut World) -> _, say(100)), (World::plain, b"hi there\r\n".to_vec())] {
        let (mut world, sender) = room(1_000, get_in, &line);
        world.receive(sender, &line);
        world.obey();
        let sent = world.sent;
        let allocated = measure(|| world.flush());
        assert!(world.sent - sent >= 999 * line.len(), "everybody was sent it");
        assert_eq!(allocated.count_total, 0, "{allocated:?}");
    }
}

#[test]
fn a_message_allocates_the_same_whoever_hears_it() {
    let of = |members| {
        let line = say(100);
        let (mut world, sender) = room(members, World::json, &line);
        measure(|| {
            world.receive(sender, &line);
            world.settle();
        })
        .count_total
    };
    let (few, many) = (of(2), of(2_000));
    println!("{few} allocations a message");
    assert_eq!(few, many);
    assert!(few <= MOST, "{few} allocations a message, up to now at most {MOST}");
}

/// The log of these tests included, which copies every record once.
const MOST: u64 = 13;
