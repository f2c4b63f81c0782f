//! What arbitrary bytes must never do.
//!
//! Each target is a function of bytes that panics where a rule is broken: that nothing panics, that what comes out is
//! whole and valid lines, that it does not matter how the bytes were split. The fuzzer runs them (`cargo fuzz run client`);
//! so does `cargo test` on the committed corpus, and a target's own binary on the files that are its arguments.

mod client;
mod driven;
mod json;
mod lines;
mod pieces;
mod scenario;
mod server;
mod values;
mod words;
mod world;

use std::io::Write as _;
use std::path::Path;

pub use client::{client, client_any};
pub use lines::{frames, json};
pub use scenario::scenario;
pub use server::{server_any, server_json, server_plain, server_sniff};
pub use words::words;

/// Runs a target on each of these files, and says which one it is where it fails.
///
/// # Errors
/// The first file that can't be read.
pub fn replay(target: fn(&[u8]), files: impl IntoIterator<Item = impl AsRef<Path>>) -> std::io::Result<()> {
    struct Named<'a>(&'a Path);
    impl Drop for Named<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let _ = writeln!(std::io::stderr(), "the input was {}", self.0.display());
            }
        }
    }
    files.into_iter().try_for_each(|file| {
        let bytes = std::fs::read(&file)?;
        let _named = Named(file.as_ref());
        target(&bytes);
        Ok(())
    })
}

/// The `main` of a target: the fuzzer's entry point where the fuzzer builds it, else one that replays files.
#[macro_export]
macro_rules! target {
    ($target:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $crate::$target(bytes));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            $crate::replay($crate::$target, std::env::args_os().skip(1))
        }
    };
}
