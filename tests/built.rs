//! What the cargo that runs this has built of this workspace. Cargo tells only a package's own tests where its binaries
//! are, so it is asked; where everything is built already that takes a fraction of a second.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Builds a program, as it stands, and says where it is.
///
/// # Errors
/// Where cargo can't.
pub(crate) fn cargo(what: &[&str], is_release: bool) -> Result<PathBuf, String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--message-format", "json-render-diagnostics"]).args(what);
    if is_release {
        cargo.arg("--release");
    }
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    let output = cargo.output().map_err(|error| format!("can't run cargo: {error}"))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = |line| Some(serde_json::from_str::<Value>(line).ok()?["executable"].as_str()?.into());
    let built = messages.lines().filter_map(executable).next_back();
    built.filter(|_| output.status.success()).ok_or_else(|| format!("cargo build {} failed", what.join(" ")))
}
