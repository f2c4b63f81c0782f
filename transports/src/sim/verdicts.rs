//! Accounts and their passwords, and whoever says whether one is right: late, in bursts, out of order, or never.

use std::time::Duration;

use qun_core::server::{Account, Verdict, Verification};
use qun_core::{Instant, PasswordHash};

use super::breaks::Break;
use super::dice::Dice;
use super::fault::{Counters, Fault};
use super::plan::Plan;
use super::rule::{chance, up_to};
use super::world::{Happening, Host, World};

/// What accounts are called. Guests like to be called so, too.
const ACCOUNTS: [&str; 3] = ["Ann", "zoe", "mei"];

/// What every password has in it that opens an account, so that it is known wherever it turns up.
pub(super) const HUSH: &str = "hush-";

/// What a hash is written as, before what it is of.
const SEAL: &str = "$sealed$";

/// A text in which each password stands for itself no more, for whoever reads what happened.
pub(super) fn hushed(text: &str) -> String {
    let mut parts = text.split(HUSH);
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |shown, rest| {
        let end = rest.find(|c: char| c == '"' || c == '\\' || c.is_whitespace()).unwrap_or(rest.len());
        shown + "(a password)" + &rest[end..]
    })
}

/// How verdicts come.
#[derive(Clone, Debug)]
pub(super) struct Bench {
    /// How long a verdict takes at most: so a later one may come earlier.
    slowness: Duration,
    /// They come together, this far apart.
    bursts: Option<Duration>,
    /// The chance in a thousand that none comes, or one that says nothing.
    none: u32,
}

impl Bench {
    /// One that does what it should, soon.
    pub(super) fn sound() -> Self {
        Self { slowness: Duration::from_millis(50), bursts: None, none: 0 }
    }

    /// When the verdict on what is asked now comes, if it does.
    fn time(&self, now: Instant, dice: &mut Dice, counters: &mut Counters) -> Option<Instant> {
        if chance(dice, self.none) {
            counters.count(Fault::NoVerdict);
            return None;
        }
        let slowness = up_to(dice, self.slowness);
        if slowness > Duration::from_millis(100) {
            counters.count(Fault::SlowVerdicts);
        }
        let at = now + slowness;
        let Some(apart) = self.bursts else { return Some(at) };
        counters.count(Fault::VerdictBursts);
        let apart = apart.as_micros() as u64;
        Some(Instant::from_micros(at.as_micros().div_ceil(apart) * apart))
    }
}

impl Plan {
    /// How verdicts come while things go wrong.
    pub(super) fn bench(&self, dice: &mut Dice) -> Bench {
        let sound = Bench::sound();
        // Some come when they are not waited for any more.
        let slow = Duration::from_millis(dice.u64(200..14_000));
        let bursts = Duration::from_millis(dice.u64(50..3_000));
        Bench {
            slowness: if self.has(Fault::SlowVerdicts) { slow } else { sound.slowness },
            bursts: self.has(Fault::VerdictBursts).then_some(bursts),
            none: if self.has(Fault::NoVerdict) { 60 * self.roughness } else { 0 },
        }
    }

    /// What accounts there are: an account's hash is its secret, sealed.
    pub(super) fn account_list(&self) -> Vec<Account> {
        accounts().take(self.accounts).collect()
    }
}

/// All the accounts that there may be, each with the password that it has at first.
pub(super) fn accounts() -> impl Iterator<Item = Account> {
    ACCOUNTS.into_iter().map(|name| {
        let name = name.parse().unwrap_or_else(|_| unreachable!("an account may be called this"));
        Account { hash: seal(&secret(&name)), name }
    })
}

/// The hash of a password that begins so.
pub(super) fn seal(secret: &str) -> PasswordHash {
    PasswordHash::new(&format!("{SEAL}{secret}"))
}

/// What the password of an account begins with, as the configuration has it.
pub(super) fn sealed(account: &Account) -> &str {
    account.hash.expose().trim_start_matches(SEAL)
}

/// What the password of an account begins with at first; whatever is behind a `/` is right, so that no two who log in say
/// the same.
pub(super) fn secret(name: &qun_core::Name) -> String {
    format!("{HUSH}{}", name.as_str().to_lowercase())
}

impl World {
    /// The server wants to know whether a password is right.
    pub(super) fn verify(&mut self, request: Verification, hash: &PasswordHash, password: &str) {
        let said = password.split('/').next().unwrap_or_default();
        let is_right = hash.expose().strip_prefix(SEAL) == Some(said);
        self.oracle.model.logins.asks(self.now.mono, password);
        let says_nothing = self.plan_has(Fault::NoVerdict) && self.chaos.bool();
        let at = self.bench.time(self.now.mono, &mut self.chaos, &mut self.counters);
        let verdict = match at {
            _ if is_right => Verdict::Right,
            _ if self.which == Some(Break::WrongIsRight) => Verdict::Right,
            _ => Verdict::Wrong,
        };
        let (at, verdict) = match at {
            Some(at) => (at, verdict),
            None if says_nothing => (self.now.mono, Verdict::Failed),
            None => return,
        };
        self.verdicts.insert(request, password.to_string());
        self.schedule.push(at, Happening::Verdict(self.boots, request, verdict));
    }

    /// A verdict reaches the server, unless it is another one by now.
    pub(super) fn verdict(&mut self, boot: u64, request: Verification, verdict: Verdict) {
        if self.is_frozen() {
            return self.schedule.push(self.frozen, Happening::Verdict(boot, request, verdict));
        }
        let Host::Up(driver) = &mut self.host else { return };
        if boot != self.boots {
            return;
        }
        if let Some(password) = self.verdicts.remove(&request)
            && verdict != Verdict::Failed
        {
            self.oracle.model.logins.hears(self.now.mono, &password);
        }
        if self.breaks.loses_a_verdict() {
            return;
        }
        driver.verified(self.server_now, request, verdict);
        self.settle_server();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown_of_what_happened() {
        let name = "mei".parse().unwrap_or_else(|_| unreachable!("that is a name"));
        let said = secret(&name);
        let lines = format!("{{\"password\":\"{said}/7\"}} ⏎ /login mei ⏎ {said}?/8 ⏎ {said}");
        assert_eq!(hushed(&lines), "{\"password\":\"(a password)\"} ⏎ /login mei ⏎ (a password) ⏎ (a password)");
        assert_eq!(hushed(&format!("{:?}", Some(&said))), "Some(\"(a password)\")");
        assert_eq!(hushed("nothing"), "nothing");
    }
}
