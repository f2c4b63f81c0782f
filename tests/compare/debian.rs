//! Other servers, from Debian packages. Their services neither start nor stay enabled: each is started when it is measured.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::programs::which;

/// What Debian asks before it starts a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs these packages, as far as that can be; says on stderr what can't.
pub(crate) fn install(packages: &[&str]) {
    if packages.is_empty() {
        return;
    }
    let names = packages.join(" ");
    if !rustix::process::geteuid().is_root() || which("apt-get").is_none() {
        eprintln!("not here, and only root can install them where there is apt-get: {names}");
        return;
    }
    eprintln!("installing {names}");
    let policy = Policy::forbid();
    let update = run("apt-get", &["update"]);
    for package in packages {
        let installed =
            update.is_ok() && run("apt-get", &["install", "--yes", "--no-install-recommends", package]).is_ok();
        if !installed {
            eprintln!("apt-get can't install {package}");
        }
        // Not where there is no systemd, or no such service.
        let _ = run("systemctl", &["disable", package]);
    }
    drop(policy);
}

fn run(program: &str, args: &[&str]) -> io::Result<()> {
    let mut command = Command::new(program);
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.stderr(Stdio::null()).status()?;
    if output.success() { Ok(()) } else { Err(io::Error::other(format!("{program} {} failed", args.join(" ")))) }
}

/// A policy of ours that forbids services to start, unless there is one already.
struct Policy(bool);

impl Policy {
    fn forbid() -> Self {
        let ours = !Path::new(POLICY).exists();
        if ours {
            let written = std::fs::write(POLICY, "#!/bin/sh\nexit 101\n");
            let _ = written.and_then(|()| std::fs::set_permissions(POLICY, PermissionsExt::from_mode(0o755)));
        }
        Self(ours)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.0 {
            let _ = std::fs::remove_file(POLICY);
        }
    }
}

/// The version of an installed package.
pub(crate) fn version(package: &str) -> Option<String> {
    let output = Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package]).output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !version.is_empty()).then_some(version)
}
