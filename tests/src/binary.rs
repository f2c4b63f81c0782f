//! The binary.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use escargot::{CargoBuild, CargoRun};

/// `qun` with these arguments, from a home of its own, with its three streams piped.
///
/// Built once for each test binary: `cargo test` builds it only for tests of its own package.
pub fn qun(home: &Path, arguments: &[&str]) -> Command {
    let mut command = binary().command();
    command.args(arguments).env_clear().env("HOME", home).env("TZ", "UTC").env("TERM", "xterm");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn binary() -> &'static CargoRun {
    static BUILT: OnceLock<CargoRun> = OnceLock::new();
    BUILT.get_or_init(|| {
        let build = CargoBuild::new().package("qun").bin("qun").current_release().current_target();
        build.run().expect("the binary builds")
    })
}
