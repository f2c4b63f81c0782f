//! Anything, in any order, from one seed; then the weather clears, and everyone has what the log has.

use std::time::Duration;

use qun_core::server::{Config, Input, Peer, Presence};
use qun_core::{ConnId, Id, Key, Role, RoomId};

use crate::fold::Fold;
use crate::world::{Dice, World, config};

/// Steps of one storm, and how many storms the test sees; `STORMS` in the environment sees more.
const STEPS: u64 = 1_500;
const STORMS: u64 = 40;

#[test]
fn the_contracts_hold_in_any_storm() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let first = number("STORM").unwrap_or(1);
    for seed in first..first + number("STORMS").unwrap_or(STORMS) {
        // Shown where the test fails, to run that one again with `STORM=seed STORMS=1`.
        eprintln!("storm {seed}");
        storm(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_server() {
    assert_eq!(format!("{:?}", storm(7)), format!("{:?}", storm(7)));
}

/// One storm; what is left of its world, as it was before everyone went.
fn storm(seed: u64) -> World {
    let mut config = config();
    let slow_log = seed.is_multiple_of(3);
    if seed.is_multiple_of(5) {
        (config.limits.burst, config.limits.acts_burst) = (0, 0);
    }
    let most = most_memory(&config);
    let mut world = World::new(config, seed);
    world.log.faults = [0, 30][(seed / 2 % 2) as usize];
    for _ in 0..STEPS {
        step(&mut world, !slow_log);
        assert!(world.server.memory() <= most, "{} bytes, and {most} are allowed", world.server.memory());
    }
    clear(&mut world);
    let left = world.server.clone();
    if seed.is_multiple_of(2) {
        desert(&mut world);
        return World { server: left, ..world };
    }
    world.input(Input::Drain);
    world.pass(Duration::from_secs(11));
    assert_eq!(world.server.connections(), 0, "a drain ends");
    World { server: left, ..world }
}

/// What rooms may hold: each its budget for its records and for two dialects, and a batch of one message.
fn most_memory(config: &Config) -> usize {
    config.rooms.len() * (3 * config.limits.room_bytes + 2_000)
}

/// What is left of a server that everyone has gone from.
fn desert(world: &mut World) {
    for conn in world.ends.keys().copied().collect::<Vec<_>>() {
        world.cut(conn);
    }
    world.pass(Duration::from_secs(70));
    let server = format!("{:?}", world.server);
    for (part, empty) in [
        ("sources: {", "}"),
        ("by_key: {", "}"),
        ("by_name: {", "}"),
        ("by_member: {", "}"),
        ("by_ticket: {", "}"),
        ("timers: Timers({", "}"),
        ("max_members: None, members: ", "0"),
        ("members: {", "}"),
        ("encodings: [", "None, None]"),
        ("idle: [", "]"),
        ("unseen: [", "]"),
        ("appending: [", "]"),
        ("waiting: [", "]"),
    ] {
        for (at, _) in server.match_indices(part) {
            let rest = &server[at + part.len()..];
            assert!(rest.starts_with(empty), "left behind: {part}{}", &rest[..rest.len().min(200)]);
        }
    }
}

/// The weather clears: what is held back comes, everyone reads, nothing fails.
fn clear(world: &mut World) {
    world.log.faults = 0;
    for _ in 0..20 {
        world.quiesce();
        world.pass(Duration::from_millis(900));
    }
    world.quiesce();
    let mut seen: Vec<(RoomId, &crate::fold::Room)> = Vec::new();
    for (conn, end) in &world.ends {
        assert!(!end.owed);
        assert!(!end.ended || !end.unread.is_empty(), "{conn:?} ended, and stays: {}", world.text(*conn));
        let Some(fold) = &end.fold else { continue };
        assert!(fold.is_whole());
        if end.unread.is_empty() {
            for (id, room) in &fold.asked {
                let landed = room.as_ref().is_some_and(|room| {
                    let log = world.log.rooms.get(room);
                    log.is_some_and(|log| log.records.iter().any(|record| record.id == Some(*id)))
                });
                assert!(landed, "{conn:?} has no answer to {id}: {}", world.text(*conn));
            }
        }
        for (id, room) in &fold.rooms {
            assert_eq!(room.next, world.head(id).next(), "{conn:?} has not caught up in {id}");
            if let Some((_, other)) = seen.iter().find(|(other, _)| other == id) {
                assert_eq!(
                    (&room.roster, room.here),
                    (&other.roster, if room.roster.is_some() { room.here } else { other.here })
                );
            } else {
                seen.push((id.clone(), room));
            }
        }
    }
    for conn in world.ends.keys().copied().collect::<Vec<_>>() {
        assert!(world.server.transmit(conn).is_none(), "an edge was lost");
    }
}

fn step(world: &mut World, prompt_log: bool) {
    let conns: Vec<ConnId> = world.ends.keys().copied().collect();
    let conn = conns.get(world.dice.below(conns.len().max(1) as u64) as usize).copied();
    match (world.dice.below(100), conn) {
        (0..=3, _) if conns.len() < 12 => open(world, prompt_log),
        (4..=34, Some(conn)) => {
            say_something(world, conn);
            if world.dice.one_in(2) {
                world.arrive(conn, 10_000, false);
            }
        }
        (35..=49, Some(conn)) => {
            let (most, ahead) = (1 + world.dice.below(300) as usize, world.dice.one_in(20));
            world.arrive(conn, most, ahead);
        }
        (50..=69, Some(conn)) => {
            let most = [1, 7, 60, 500, usize::MAX][world.dice.below(5) as usize];
            if !world.ends[&conn].stalled {
                world.flush(conn, most);
            }
        }
        (70, Some(conn)) => world.ends.get_mut(&conn).unwrap().stalled ^= true,
        (71, Some(conn)) if world.dice.one_in(2) => world.cut(conn),
        (72, Some(conn)) if world.dice.one_in(2) => world.ends.get_mut(&conn).unwrap().ended = true,
        (73..=88, _) => {
            world.answer(None);
        }
        (89, _) => {
            let room = ["ops", "hall", "den"][world.dice.below(3) as usize].parse().unwrap();
            let text = format!("far away {}", world.dice.below(1 << 40));
            let now = world.now;
            world.log.elsewhere(now, &room, &text);
            if world.dice.one_in(9) {
                world.log.trim(&room);
            }
        }
        (90..=98, _) => {
            let millis = [1, 10, 100, 1_000][world.dice.below(4) as usize] * (1 + world.dice.below(4));
            pass(world, Duration::from_millis(millis), prompt_log);
        }
        (71..=72, _) => reload(world),
        (99, _) if world.dice.one_in(8) => {
            let seconds = 1 + world.dice.below(70);
            pass(world, Duration::from_secs(seconds), prompt_log);
        }
        _ => {}
    }
}

/// Another configuration: rooms are gone or back, and what they are changes, and what is allowed.
fn reload(world: &mut World) {
    let mut config = config();
    let World { dice, .. } = world;
    config.rooms.retain(|_| !dice.one_in(4));
    for room in &mut config.rooms {
        if dice.one_in(3) {
            room.title = format!("{} {}", room.id, dice.below(9));
        }
        if dice.one_in(4) {
            room.presence = if room.presence == Presence::Full { Presence::Count } else { Presence::Full };
        }
        for access in &mut room.codes {
            if dice.one_in(4) {
                access.code = format!("{}x", access.code.canonical()).parse().unwrap();
            }
            if dice.one_in(4) {
                access.role = if access.role == Role::Talk { Role::Read } else { Role::Talk };
            }
            access.max_members = dice.one_in(6).then_some(2);
        }
    }
    let limits = &mut config.limits;
    limits.room_bytes = [4_000, 6_000][dice.below(2) as usize];
    limits.in_flight = 1 + dice.below(4) as usize;
    limits.private = [300, 700][dice.below(2) as usize];
    limits.burst = [0, 5, 20][dice.below(3) as usize];
    world.input(Input::Reload(Box::new(config)));
}

/// Time passes; a prompt log lets nobody wait for long.
fn pass(world: &mut World, wait: Duration, prompt_log: bool) {
    let until = world.now + wait;
    while prompt_log && world.now < until {
        let now = world.now;
        while world.answer(Some(now)) {}
        world.pass(Duration::from_millis(500).min(until.since(world.now)));
    }
    world.pass(until.since(world.now));
}

fn open(world: &mut World, strict: bool) {
    let peer = match world.dice.below(3) {
        0 => Peer::Local,
        host => Peer::Net(([10, 0, 0, host as u8], 9).into()),
    };
    let json = !world.dice.one_in(4);
    let conn = world.open(peer, json);
    if !json {
        let line = [
            "opscode1 plain\r\n",
            "hallcode\r\npia\r\n",
            "dencode1 p\r\n",
            "wrong\r\n",
            "\u{feff}\r\n",
            "\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "NICK x\r\n",
        ][world.dice.below(8) as usize];
        if world.dice.one_in(3) {
            world.send(conn, b"\xff\xfd\x01\xff\xfb\x1f");
        }
        return world.send(conn, line);
    }
    let key = world.dice.below(5);
    let name = ["ann", "bob", "mei", "Ann"][world.dice.below(4) as usize];
    let key = if key < 4 {
        let mut entropy = qun_core::Entropy::new([key as u8; 32]);
        format!(r#","key":"{}""#, Key::generate(&mut entropy).expose())
    } else {
        String::new()
    };
    let id = ask(world, conn, None);
    if let Some(fold) = world.ends.get_mut(&conn).and_then(|end| end.fold.as_mut()) {
        fold.strict = strict;
    }
    world.send(conn, format!("{{\"t\":\"hello\",\"id\":\"{id}\",\"v\":[1],\"name\":\"{name}\"{key}}}\n"));
}

/// A new id, which is to be answered.
fn ask(world: &mut World, conn: ConnId, say: Option<&str>) -> Id {
    let id: Id = format!("i{}", world.dice.below(1 << 50)).parse().unwrap();
    let end = world.ends.get_mut(&conn).filter(|end| !end.ended);
    if let Some(Fold { asked, .. }) = end.and_then(|end| end.fold.as_mut()) {
        asked.insert(id, say.map(|room| room.parse().unwrap()));
    }
    id
}

fn say_something(world: &mut World, conn: ConnId) {
    let n = world.dice.below(1 << 40);
    let room = ["ops", "ops", "hall", "den"][world.dice.below(4) as usize];
    let codes = ["opscode1", "opsread1", "hallcode", "dencode1", "opscode1x", "hallcodex"];
    let code = codes[world.dice.below(6) as usize];
    let Some(end) = world.ends.get(&conn) else { return };
    if end.fold.is_none() {
        let line = match world.dice.below(16) {
            0..=6 => format!("word {n}"),
            7 => "/me waves".into(),
            8 => "/who".into(),
            9 => "/history 3".into(),
            10 => format!("/join {code}"),
            11 => "/leave".into(),
            12 => "/echo on".into(),
            13 => format!("/name n{}", n % 7),
            14 => ["/quit", "/help", "", "/nonsense", "x".repeat(700).as_str(), "\u{1b}[2J"][n as usize % 6].into(),
            _ => "y\u{00ff}".repeat(3),
        };
        return world.send(conn, line + "\r\n");
    }
    let resume = |dice: &mut Dice, world: &World| -> String {
        let Some(epoch) = world.log.rooms.get(&room.parse::<RoomId>().unwrap()).map(|room| room.epoch()) else {
            return String::new();
        };
        let head = world.head(&room.parse().unwrap()).get();
        format!(r#","resume":{{"epoch":"{epoch}","seq":{}}}"#, dice.below(head + 3))
    };
    let line = match world.dice.below(40) {
        0..=15 => {
            let id = ask(world, conn, Some(room));
            let pad = "z".repeat(world.dice.below(150) as usize);
            format!(r#"{{"t":"say","id":"{id}","room":"{room}","text":"{n} {pad}"}}"#)
        }
        16..=23 => {
            let id = ask(world, conn, None);
            let mut dice = world.dice.clone();
            let resume = if n.is_multiple_of(2) { resume(&mut dice, world) } else { format!(r#","tail":{}"#, n % 30) };
            let door = if n.is_multiple_of(5) { format!(r#""room":"{room}""#) } else { format!(r#""code":"{code}""#) };
            format!(r#"{{"t":"join","id":"{id}",{door}{resume}}}"#)
        }
        24..=27 => {
            let id = ask(world, conn, None);
            format!(r#"{{"t":"leave","id":"{id}","room":"{room}"}}"#)
        }
        28..=29 => {
            let id = ask(world, conn, None);
            let way = ["before", "after"][n as usize % 2];
            format!(r#"{{"t":"history","id":"{id}","room":"{room}","{way}":{}}}"#, n % 50)
        }
        30..=31 => {
            let id = ask(world, conn, None);
            format!(r#"{{"t":"name","id":"{id}","name":"ann{}"}}"#, n % 5)
        }
        32..=34 => r#"{"t":"ping","n":7}"#.into(),
        35 if n.is_multiple_of(3) => r#"{"t":"bye"}"#.into(),
        36 => {
            let id = ask(world, conn, None);
            format!(r#"{{"t":"dance","id":"{id}"}}"#)
        }
        37 => ["{", "", "[]", "{\"t\":1}", "{\"a\":{\"b\":1,\"b\":2}}", "nc"][n as usize % 6].into(),
        38 if n.is_multiple_of(9) => "x".repeat(700),
        38 => {
            let noise: Vec<u8> = (0..1 + n % 40).map(|_| world.dice.below(256) as u8).collect();
            return world.send(conn, [&noise[..], b"\n"].concat());
        }
        _ => r#"{"t":"pong","n":7}"#.into(),
    };
    world.send(conn, line + "\n");
}
