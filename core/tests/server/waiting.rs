//! Lines that wait inside, and what is due by the time they go on.

use serde_json::json;

use crate::world::{World, seconds};

/// A hello may have waited for longer than the silence behind which a ping is due: what it makes due, it makes due at once,
/// and a machine that has been drained owes nothing.
#[test]
fn a_hello_that_has_waited_for_long_is_pinged_at_once() {
    let mut world = World::unpaced();
    let bob = world.connect();
    world.stall(bob, 0);
    // More answers than may be unsent; behind them the hello waits.
    let refused = "{\"t\":\"leave\",\"room\":\"ops\"}\n".repeat(600);
    world.send(bob, format!("{refused}{}\n", json!({"t": "hello", "v": [1], "name": "bob"})));
    assert!(!world.reading(bob));
    for _ in 0..4 {
        world.wait(seconds(9));
        world.trickle(bob, 1);
    }
    // Not by the world, which would tell the machine the time once more.
    let mut sent = Vec::new();
    loop {
        while world.server.poll().is_some() {}
        let Some(mut transmit) = world.server.transmit(bob) else { break };
        let mut slices: [&[u8]; 8] = [&[]; 8];
        let filled = transmit.gather(&mut slices, |slice| slice);
        let bytes = slices[..filled].concat();
        transmit.advance(bytes.len()).expect("no more than there was");
        sent.extend(bytes);
    }
    let sent = String::from_utf8(sent).expect("lines");
    assert!(
        sent.contains(r#"{"t":"welcome""#)
            && sent.lines().last().is_some_and(|line| line.starts_with(r#"{"t":"ping""#))
    );
    assert!(world.server.deadline().is_none_or(|due| due > world.now()), "drained, and yet due");
}
