//! What the kernel tells of a socket that is watched by `select`, level-triggered or edge-triggered: every line of the
//! table in `docs/readiness.md`.
#![cfg(target_os = "linux")]

#[cfg(test)]
#[path = "../examples/level_vs_edge/observe.rs"]
mod observe;

use std::sync::LazyLock;

use observe::Observation;

static SEEN: LazyLock<Vec<Observation>> = LazyLock::new(|| observe::observe().expect("sockets on the loopback"));

/// What was told in one scene: what was done, `select`, LT, ET.
fn scene(name: &str) -> Vec<(&'static str, [&'static str; 3])> {
    let of = SEEN.iter().filter(|seen| seen.scene.starts_with(name));
    of.map(|seen| (seen.done, seen.told.each_ref().map(String::as_str))).collect()
}

#[test]
fn what_is_left_unread_is_told_again_by_all_but_an_edge() {
    let expected = [
        ("4 bytes came before it was watched", ["read", "IN", "IN"]),
        ("nothing", ["read", "IN", ""]),
        ("2 of the 4 are read", ["read", "IN", ""]),
        ("4 new bytes come", ["read", "IN", "IN"]),
        ("2 of the 6 are read", ["read", "IN", ""]),
        ("EPOLL_CTL_MOD, the interest as it was", ["read", "IN", "IN"]),
        ("read until EAGAIN", ["", "", ""]),
    ];
    assert_eq!(scene("reading"), expected);
}

#[test]
fn an_end_behind_bytes_is_told_by_an_edge_only_together_with_them() {
    let expected = [
        ("4 bytes and the end come", ["read", "IN RDHUP", "IN RDHUP"]),
        ("the 4 bytes are read, the end is not", ["read", "IN RDHUP", ""]),
        ("the end is read", ["read", "IN RDHUP", ""]),
        ("interest in nothing", ["", "", ""]),
    ];
    assert_eq!(scene("half-close"), expected);
}

#[test]
fn room_to_write_is_told_always_or_only_after_there_was_none() {
    let expected = [
        ("nothing", ["write", "OUT", "OUT"]),
        ("nothing", ["write", "OUT", ""]),
        ("written until EAGAIN", ["", "", ""]),
        ("they read it all", ["write", "OUT", "OUT"]),
        ("4 bytes are written, room is left", ["write", "OUT", ""]),
        ("interest in both, 4 bytes are there", ["read write", "IN OUT", "IN OUT"]),
        ("4 new bytes come", ["read write", "IN OUT", "IN OUT"]),
    ];
    assert_eq!(scene("writing"), expected);
}

#[test]
fn those_who_connected_together_are_one_edge() {
    let expected = [
        ("3 connect", ["read", "IN", "IN"]),
        ("1 is accepted", ["read", "IN", ""]),
        ("all are accepted", ["", "", ""]),
    ];
    assert_eq!(scene("a listener"), expected);
}

#[test]
fn epoll_tells_of_a_reset_unasked_and_select_as_bytes_to_read() {
    let expected = [
        ("they reset it", ["read", "IN ERR HUP", "IN ERR HUP"]),
        ("a read fails with ECONNRESET", ["read", "IN HUP", ""]),
        ("interest in nothing", ["", "HUP", "HUP"]),
    ];
    assert_eq!(scene("a reset"), expected);
}

#[test]
fn the_pages_show_what_the_example_prints() {
    let table = observe::table(&SEEN);
    let scenes = ["reading", "half-close", "writing", "a listener", "a reset"];
    assert_eq!(SEEN.len(), scenes.into_iter().map(|name| scene(name).len()).sum::<usize>());
    for page in ["readiness.md", "readiness.zh-CN.md"] {
        let path = format!("{}/../docs/{page}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(&format!("```text\n{table}```\n")), "docs/{page} should hold this:\n{table}");
    }
}
