//! The programs of this workspace, as it stands.

#[path = "../built.rs"]
mod built;

use std::env;
use std::path::PathBuf;

/// Builds `qun` as it is released, and the relay; says where they are.
///
/// # Errors
/// Where cargo can't.
pub(crate) fn build() -> Result<[PathBuf; 2], String> {
    let qun = built::cargo(&["--package", "qun", "--bin", "qun"], true)?;
    let relay = built::cargo(&["--package", "qun-transports", "--example", "relay"], true)?;
    Ok([qun, relay])
}

/// A program of this machine, administrators' programs included.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    dirs.map(|dir| dir.join(name)).find(|path| path.is_file())
}
