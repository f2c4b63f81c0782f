//! Programs: our own, built by the cargo that runs these tests, and those of the machine.

#[path = "../../built.rs"]
mod built;

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The `qun` of this workspace, as it stands.
pub(crate) fn qun() -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let build = || built::cargo(&["--package", "qun", "--bin", "qun"], !cfg!(debug_assertions)).expect("qun is built");
    Command::new(PATH.get_or_init(build))
}

/// A program of this machine; `None`, and said so, where there is none.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let found = env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: there is no {name} here");
    }
    found
}
