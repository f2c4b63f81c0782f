//! A server with accounts, and somebody who logs in.

#[path = "../built.rs"]
mod built;

use std::fmt::{Display, Write as _};
use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use qun_core::{Entropy, Password};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Login;

const PASSWORD: &str = "correct horse";

/// A running `qun serve`, ended with this.
pub(crate) struct Server {
    child: Child,
    addr: SocketAddr,
    accounts: u32,
    _dir: TempDir,
}

impl Server {
    /// Starts one with so many accounts, `name0` and so on, who all have the same password.
    ///
    /// # Errors
    /// Where it can't be built or started.
    pub(crate) fn start(accounts: u32, cheap: bool) -> Result<Self, String> {
        // Built as this is: in a test, without optimisation.
        let qun = built::cargo(&["--package", "qun", "--bin", "qun"], !cfg!(debug_assertions))?;
        let dir = TempDir::new().map_err(told("make a directory"))?;
        let config = "[limits]\nguess_burst = 1000000\nguess_per_s = 0\n\n\
                      [[room]]\nid = \"ops\"\ncodes = [{ code = \"K7QM-2XD4\" }]\n";
        write(&dir.path().join("qun.toml"), config)?;
        write(&dir.path().join("accounts.toml"), &file(accounts, cheap)?)?;
        let mut command = Command::new(qun);
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(dir.path().join("qun.toml"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(told("start qun"))?;
        let mut log = BufReader::new(child.stderr.take().ok_or("qun has no stderr")?);
        let mut first = String::new();
        log.read_line(&mut first).map_err(told("read qun's log"))?;
        // It would wait for a reader of its log.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let entry: Value = serde_json::from_str(&first).map_err(|_| format!("qun says: {first}"))?;
        let addr = entry["addr"].as_str().and_then(|addr| addr.parse().ok());
        let addr = addr.ok_or_else(|| format!("qun says: {first}"))?;
        Ok(Self { child, addr, accounts, _dir: dir })
    }

    /// Logs in, and says how long the answer took.
    ///
    /// # Errors
    /// Where it is not the answer that it should be.
    pub(crate) fn log_in(&self, login: Login, entropy: &mut Entropy) -> Result<Duration, String> {
        let mut stream = TcpStream::connect(self.addr).map_err(told("connect"))?;
        stream.set_nodelay(true).map_err(told("set an option"))?;
        let number = entropy.below(u64::from(self.accounts));
        let name = match login {
            Login::Right | Login::WrongPassword => format!("name{number}"),
            // As long as the others, and somebody else each time.
            Login::WrongName => format!("nobo{number}"),
        };
        let password = match login {
            Login::Right => PASSWORD,
            Login::WrongPassword | Login::WrongName => "battery staple",
        };
        let hello = json!({"t": "hello", "v": [1], "name": name, "password": password}).to_string() + "\n";
        let mut answer = String::new();
        let start = Instant::now();
        stream.write_all(hello.as_bytes()).map_err(told("send a hello"))?;
        BufReader::new(&stream).read_line(&mut answer).map_err(told("read the answer"))?;
        let time = start.elapsed();
        let expected = if login == Login::Right { r#""t":"welcome""# } else { r#""code":"bad_password""# };
        if answer.contains(expected) { Ok(time) } else { Err(format!("{login:?} is answered {answer}")) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended by itself, or is ours to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn file(accounts: u32, cheap: bool) -> Result<String, String> {
    let password: Password = PASSWORD.parse().map_err(|error| format!("{error}"))?;
    let mut entropy = Entropy::new([3; 32]);
    let mut hash = || -> Result<String, String> {
        let block = entropy.block();
        let salt: [u8; 16] = std::array::from_fn(|at| block[at]);
        if !cheap {
            let hash = qun_transports::hash_password(&password, salt).map_err(told("hash a password"))?;
            return Ok(hash.expose().to_string());
        }
        let params = Params::new(8, 1, 1, None).map_err(told("hash a password"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon2.hash_password_with_salt(PASSWORD.as_bytes(), &salt).map_err(told("hash a password"))?;
        Ok(hash.to_string())
    };
    // A hash is a hash: a few do for thousands of accounts, which it would take minutes to make.
    let hashes = (0..accounts.min(8)).map(|_| hash()).collect::<Result<Vec<_>, _>>()?;
    let mut file = String::new();
    for (number, hash) in (0..accounts).zip(hashes.iter().cycle()) {
        let _ = write!(file, "[[account]]\nname = \"name{number}\"\nhash = \"{hash}\"\n");
    }
    Ok(file)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(told("write a file"))?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(told("keep a file to oneself"))
}

fn told<E: Display>(what: &'static str) -> impl Fn(E) -> String {
    move |error| format!("can't {what}: {error}")
}
