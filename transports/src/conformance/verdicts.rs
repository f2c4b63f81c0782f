//! Passwords: verified beside the loop, a few at a time, and each verdict given to whom it is about.

use std::time::{Duration, Instant};

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use qun_core::PasswordHash;
use qun_core::server::Account;

use super::line::{Line, PATIENCE, demand};
use super::room::{connect, member, serve_with};
use super::{CheckedLog, Subject, Violation};

const PASSWORD: &str = "correct horse";

/// How often a check begins anew with passwords that take longer, where a machine was too busy to tell.
const ATTEMPTS: u32 = 3;

/// Somebody talks while others wait for their verdicts.
pub(super) fn nobody_waits<S: Subject>() -> Result<(), Violation> {
    const LOGINS: usize = 6;
    let check = |time| {
        let server: S = serve_accounts(time)?;
        let mut ann = member(&server, "ann")?;
        let mut logins = log_in(&server, LOGINS)?;
        for number in 0..10 {
            ann.say(&format!("a{number}"), "meanwhile")?;
        }
        let mut waits = false;
        for line in &mut logins {
            waits |= line.is_silent()?;
        }
        demand(waits, || "whoever talked was heard only when all passwords were verified".into())?;
        logins.iter_mut().try_for_each(is_let_in)
    };
    until_told(check)
}

/// Many log in at once. Whoever verifies few at a time has a verdict now and then; whoever verifies all has all at the end.
pub(super) fn few_at_a_time<S: Subject>() -> Result<(), Violation> {
    const LOGINS: usize = 24;
    let check = |time: Duration| {
        let server: S = serve_accounts(time / 3)?;
        let start = Instant::now();
        let logins = log_in(&server, LOGINS)?;
        let wait = |mut line: Line<S::Wire>| is_let_in(&mut line).map(|()| start.elapsed());
        let mut verdicts = std::thread::scope(|scope| {
            let waits: Vec<_> = logins.into_iter().map(|line| scope.spawn(move || wait(line))).collect();
            let verdicts = waits.into_iter().map(|verdict| verdict.join().unwrap_or(Ok(Duration::ZERO)));
            verdicts.collect::<Result<Vec<_>, Violation>>()
        })?;
        verdicts.sort_unstable();
        let (quarter, last) = (verdicts[LOGINS / 4], verdicts[LOGINS - 1]);
        demand(quarter < last / 2, || {
            format!("of {LOGINS} passwords a quarter was verified only after {quarter:?}, and all after {last:?}")
        })
    };
    until_told(check)
}

/// Right passwords and wrong ones beside each other.
pub(super) fn each_its_own<S: Subject>() -> Result<(), Violation> {
    let server: S = serve_accounts(Duration::from_millis(20))?;
    let mut lines = Vec::new();
    for number in 0..12 {
        let is_right = number % 3 != 0;
        let mut line = connect(&server)?;
        line.send(&hello(if is_right { PASSWORD } else { "battery staple" }))?;
        lines.push((line, is_right));
    }
    for (line, is_right) in &mut lines {
        if *is_right {
            is_let_in(line)?;
        } else {
            is_not_let_in(line)?;
        }
    }
    Ok(())
}

/// Whoever asked is gone when the verdict comes, and in their place is somebody who waits for another one.
pub(super) fn of_the_gone<S: Subject>() -> Result<(), Violation> {
    let server: S = serve_accounts(Duration::from_millis(40))?;
    let mut ann = member(&server, "ann")?;
    for number in 0..10 {
        let mut gone = connect(&server)?;
        gone.send(&hello(PASSWORD))?;
        // So that it is read before it is reset.
        gone.send("{\"t\":\"ping\",\"n\":1}\n")?;
        ann.say(&format!("a{number}"), "so that the loop comes round")?;
        super::Wire::reset(gone.into_wire())?;
        let mut stranger = connect(&server)?;
        stranger.send(&hello("battery staple"))?;
        is_not_let_in(&mut stranger)?;
    }
    // Those verdicts are given by now, or about to be: nobody is the worse for it.
    let mut line = connect(&server)?;
    line.send(&hello(PASSWORD))?;
    is_let_in(&mut line)
}

/// The server goes down while a password is verified that takes long: twice as long as what is done here beside it.
pub(super) fn drain<S: Subject>() -> Result<(), Violation> {
    let check = |time: Duration| {
        let passes = passes(time * 8)?;
        let server: S = serve_hash(hash(passes)?)?;
        let mut ann = member(&server, "ann")?;
        let mut line = connect(&server)?;
        line.send(&hello(PASSWORD))?;
        ann.say("a", "so that the loop comes round")?;
        let beside = std::thread::spawn(move || hash(passes / 2));
        let start = Instant::now();
        server.drain();
        line.until(r#""code":"shutdown""#)?;
        ann.until(r#""code":"shutdown""#)?;
        drop((line, ann));
        while !server.has_ended() {
            demand(start.elapsed() < PATIENCE, || format!("the loop goes on {PATIENCE:?} after everybody left"))?;
            std::thread::sleep(Duration::from_millis(5));
        }
        let waited = beside.is_finished();
        // So that it takes nothing from who is checked next.
        drop(beside.join());
        demand(!waited, || "the loop ended only when a password was verified that nobody waited for".into())
    };
    until_told(check)
}

/// Tries with passwords that take longer and longer: a loop that does not keep the contract fails with each.
fn until_told(check: impl Fn(Duration) -> Result<(), Violation>) -> Result<(), Violation> {
    let mut result = Ok(());
    for attempt in 0..ATTEMPTS {
        result = check(Duration::from_millis(150) * 3_u32.pow(attempt));
        if result.is_ok() {
            break;
        }
    }
    result
}

/// A server with an account, `mei`, whose password takes about so long to be verified.
fn serve_accounts<S: Subject>(time: Duration) -> Result<S, Violation> {
    serve_hash(hash(passes(time)?)?)
}

fn serve_hash<S: Subject>(hash: PasswordHash) -> Result<S, Violation> {
    let wrong = |error: &dyn std::fmt::Display| Violation(format!("the check itself is wrong: {error}"));
    let name = "mei".parse().map_err(|error| wrong(&error))?;
    let account = Account { name, hash };
    serve_with(CheckedLog::prompt(), |config| {
        config.accounts = vec![account];
        (config.limits.guess_burst, config.limits.guess_per_s) = (100, 0);
        config.limits.verify = 6 * PATIENCE;
    })
}

/// How many passes of Argon2id take so long on this machine as it is now.
fn passes(time: Duration) -> Result<u32, Violation> {
    const FEW: u32 = 200;
    let start = Instant::now();
    hash(FEW)?;
    let passes = time.as_secs_f64() / start.elapsed().as_secs_f64().max(1e-6) * f64::from(FEW);
    Ok((passes as u32).max(2))
}

/// A hash of so many passes, and little memory.
fn hash(passes: u32) -> Result<PasswordHash, Violation> {
    let wrong = |error: &dyn std::fmt::Display| Violation(format!("the check itself is wrong: {error}"));
    let params = Params::new(64, passes, 1, None).map_err(|error| wrong(&error))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password_with_salt(PASSWORD.as_bytes(), b"some salt for it");
    hash.map(|hash| PasswordHash::new(&hash.to_string())).map_err(|error| wrong(&error))
}

fn hello(password: &str) -> String {
    format!("{{\"t\":\"hello\",\"id\":\"h\",\"v\":[1],\"name\":\"mei\",\"password\":\"{password}\"}}\n")
}

fn log_in<S: Subject>(server: &S, count: usize) -> Result<Vec<Line<S::Wire>>, Violation> {
    let log_in = |_| {
        let mut line = connect(server)?;
        line.send(&hello(PASSWORD))?;
        Ok(line)
    };
    (0..count).map(log_in).collect()
}

fn is_let_in<W: super::Wire>(line: &mut Line<W>) -> Result<(), Violation> {
    let answer = line.next()?.unwrap_or_default();
    demand(answer.contains(r#""account":"mei""#), || format!("a right password is answered {answer}"))
}

fn is_not_let_in<W: super::Wire>(line: &mut Line<W>) -> Result<(), Violation> {
    let answer = line.next()?.unwrap_or_default();
    demand(answer.contains(r#""code":"bad_password""#), || format!("a wrong password is answered {answer}"))
}
