//! Every interleaving of a small world: two clients in one room, a few messages, connections that are cut at any point,
//! and a server that crashes at any point.
//!
//! The machines are `Clone + Eq + Hash` and pure, so a world is a value. From each one every possible next step is taken;
//! worlds that are equal are looked at once. Time stands still (a client that waits is told not to), so that states
//! merge: heartbeats, graces and rates are the simulator's. What is promised is held in every state, and in every state
//! where nothing is left to do, everything must have arrived.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says by a panic what is wrong")]

mod log;
mod world;

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use world::{Budget, Known, World};

/// How much was looked at.
#[derive(Debug, Default)]
struct Explored {
    states: usize,
    steps: usize,
    depth: usize,
    /// States with nothing left to do but what the budget does not allow.
    quiet: usize,
}

/// Looks at every world that can come of a budget, the nearest first.
fn explore(budget: Budget) -> Explored {
    // Two hashes of 64 bits for each state: that two of a million are taken for one is less likely than a broken machine.
    let hashers = [RandomState::new(), RandomState::new()];
    let key = |world: &World| hashers.each_ref().map(|hasher| hasher.hash_one(world));
    let first = World::new(budget);
    let mut seen = HashSet::from([key(&first)]);
    let mut frontier = vec![(first, Vec::new())];
    let mut explored = Explored { states: 1, ..Explored::default() };
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for (world, path) in frontier {
            if world.is_quiet() {
                explored.quiet += 1;
                if let Err(wrong) = world.check_quiet() {
                    panic!("{wrong}\nafter {path:?}");
                }
            }
            for step in world.steps() {
                explored.steps += 1;
                let mut after = world.clone();
                if let Err(wrong) = after.take(step) {
                    panic!("{wrong}\nafter {path:?} and {step:?}");
                }
                if seen.insert(key(&after)) {
                    let mut path = path.clone();
                    path.push(step);
                    next.push((after, path));
                }
            }
        }
        explored.states += next.len();
        explored.depth += usize::from(!next.is_empty());
        frontier = next;
    }
    explored
}

/// Looks at all of it, and says how much it was.
fn held(says: [u8; 2], cuts: u8, crashes: u8) {
    look(Budget { says, cuts, crashes, ban: None });
}

/// The same, with one who may ban the other at any moment.
fn banned(says: [u8; 2], cuts: u8, crashes: u8, known: Known) {
    look(Budget { says, cuts, crashes, ban: Some(known) });
}

fn look(budget: Budget) {
    let explored = explore(budget);
    eprintln!("{budget:?}: {explored:?}");
    assert!(explored.quiet > 0);
}

#[test]
fn what_two_say_reaches_both_in_one_order() {
    held([2, 2], 0, 0);
}

#[test]
fn cuts_anywhere_lose_nothing_and_double_nothing() {
    held([1, 1], 1, 0);
    held([1, 0], 2, 0);
}

#[test]
fn a_crash_anywhere_loses_nothing_that_was_echoed() {
    held([1, 1], 0, 1);
}

#[test]
fn a_ban_anywhere_has_nothing_of_the_banned_behind_it_and_nothing_for_them() {
    for known in [Known::Name, Known::Key, Known::Account] {
        banned([1, 1], 0, 0, known);
    }
    banned([0, 1], 1, 0, Known::Key);
}

/// Larger ones, for the optimised profile: see docs/testing.md.
#[test]
#[ignore = "needs an optimised build: cargo test --profile checked -p qun-core --test explore -- --include-ignored"]
fn everything_at_once() {
    held([2, 1], 1, 0);
    held([2, 0], 2, 0);
    held([1, 0], 1, 1);
    for known in [Known::Name, Known::Account] {
        banned([0, 1], 1, 0, known);
    }
    banned([0, 1], 0, 1, Known::Account);
}
