//! The committed corpus, replayed without a fuzzer.
#![cfg(test)]

use std::path::{Path, PathBuf};

/// Runs a target on its corpus, and on every beginning of it.
fn replay(name: &str, target: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = dir.read_dir().unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", dir.display());
    qun_fuzz::replay(target, &files).unwrap();
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for end in (0..bytes.len()).step_by(1 + bytes.len() / 20) {
            target(&bytes[..end]);
        }
    }
}

#[test]
fn json_into_a_server() {
    replay("server_json", qun_fuzz::server_json);
}

#[test]
fn plain_into_a_server() {
    replay("server_plain", qun_fuzz::server_plain);
}

#[test]
fn anything_into_a_server() {
    replay("server_any", qun_fuzz::server_any);
}

#[test]
fn a_server_into_a_client() {
    replay("client", qun_fuzz::client);
}

#[test]
fn words() {
    replay("code", qun_fuzz::code);
}
