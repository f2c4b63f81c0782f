//! The programs of this workspace, as it stands.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Builds `qun` as it is released, and the relay; says where they are.
///
/// # Errors
/// Where cargo can't.
pub(crate) fn build() -> Result<[PathBuf; 2], String> {
    let qun = cargo(&["--package", "qun", "--bin", "qun"])?;
    let relay = cargo(&["--package", "qun-transports", "--example", "relay"])?;
    Ok([qun, relay])
}

fn cargo(what: &[&str]) -> Result<PathBuf, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--message-format", "json-render-diagnostics"]).args(what);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    let output = cargo.output().map_err(|error| format!("can't run cargo: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = |line| Some(serde_json::from_str::<Value>(line).ok()?["executable"].as_str()?.into());
    let built = messages.lines().filter_map(executable).next_back();
    built.filter(|_| output.status.success()).ok_or_else(|| format!("cargo build {} failed", what.join(" ")))
}

/// A program of this machine, administrators' programs included.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    dirs.map(|dir| dir.join(name)).find(|path| path.is_file())
}
