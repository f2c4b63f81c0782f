//! The committed corpus, replayed without a fuzzer.
#![cfg(test)]

use std::path::{Path, PathBuf};

/// Runs a target on its corpus; says which file it was where it fails.
fn replay(name: &str, target: fn(&[u8])) {
    qun_fuzz::replay(target, corpus(name)).unwrap();
}

/// The same, and on the beginnings of every file.
fn replay_torn(name: &str, target: fn(&[u8])) {
    replay(name, target);
    for file in corpus(name) {
        let bytes = std::fs::read(&file).unwrap();
        for end in (0..bytes.len()).step_by(1 + bytes.len() / 10) {
            target(&bytes[..end]);
        }
    }
}

fn corpus(name: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = dir.read_dir().unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    // A fuzzer's finds stop at 100 files; what is written by hand may come on top.
    assert!((1..=150).contains(&files.len()), "{name}: {} files", files.len());
    assert!(bytes <= 100 << 10, "{name}: {bytes} bytes");
    files
}

#[test]
fn words() {
    replay_torn("words", qun_fuzz::words);
}

#[test]
fn json() {
    replay_torn("json", qun_fuzz::json);
}

#[test]
fn frames() {
    replay_torn("frames", qun_fuzz::frames);
}

#[test]
fn json_into_a_server() {
    replay_torn("server_json", qun_fuzz::server_json);
}

#[test]
fn plain_into_a_server() {
    replay_torn("server_plain", qun_fuzz::server_plain);
}

#[test]
fn first_bytes_into_a_server() {
    replay_torn("server_sniff", qun_fuzz::server_sniff);
}

#[test]
fn anything_into_a_server() {
    replay_torn("server_any", qun_fuzz::server_any);
}

#[test]
fn a_server_into_a_client() {
    replay_torn("client", qun_fuzz::client);
}

#[test]
fn anything_into_a_client() {
    replay_torn("client_any", qun_fuzz::client_any);
}

#[test]
fn worlds() {
    replay("scenario", qun_fuzz::scenario);
}
