//! Worlds from seeds.

use std::time::Duration;

use qun_core::Limits;
use qun_transports::sim::{Config, Shown, Weather, World};

const MINUTE: Duration = Duration::from_secs(60);

/// A world after some minutes of bad weather and as many of good.
fn healed(config: Config) -> World {
    let mut world = World::new(Config { weather: Weather::ROUGH, ..config });
    world.run_for(10 * MINUTE);
    world.set_weather(Weather::CLEAR);
    world.set_chatter(None);
    world.run_for(10 * MINUTE);
    world
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let (once, again) = (healed(Config::new(11)), healed(Config::new(11)));
    assert_eq!(once.trace_hash(), again.trace_hash());
    assert_ne!(once.trace_hash(), healed(Config::new(12)).trace_hash());
}

#[test]
fn in_clear_weather_everyone_is_shown_everything_at_once() {
    let mut world = World::new(Config::new(1));
    world.run_for(MINUTE);
    world.set_chatter(None);
    world.run_for(MINUTE);
    world.check().unwrap();
}

#[test]
fn after_the_storm_everyone_has_the_log_once_and_in_order() {
    for seed in 0..12 {
        if let Err(violation) = healed(Config::new(seed)).check() {
            panic!("seed {seed}: {violation}");
        }
    }
}

#[test]
fn what_nobody_has_any_more_is_said_to_be_lost() {
    let mut lost = 0;
    for seed in 0..6 {
        // So little is kept that a connection of some seconds' silence falls behind all of it.
        let limits = Limits { room_bytes: 8 << 10, ..Limits::default() };
        let world = healed(Config { log_bytes: 8 << 10, limits, ..Config::new(seed) });
        if let Err(violation) = world.check() {
            panic!("seed {seed}: {violation}");
        }
        let shown = world.people().iter().flat_map(|person| world.rooms().flat_map(|room| person.shown(room)));
        lost += shown.filter(|shown| matches!(shown, Shown::Lost { .. })).count();
    }
    assert!(lost > 0, "nothing was ever lost, so nothing was shown here");
}
