//! Passwords are verified, on threads of their own.

use std::fmt;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::thread;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{Error, PasswordHasher as _, PasswordVerifier as _};
use qun_core::server::{Verdict, Verification};
use qun_core::{Password, PasswordHash};

/// How many passwords are verified beside each other. Each takes the memory that its hash asks for.
const THREADS: usize = 2;
/// The most memory that verifying one password may take, in KiB.
const MOST_MEMORY: u32 = 1 << 20;

/// Verifies passwords without holding up the loop that asks for it.
///
/// A loop around a [`Driver`](crate::Driver) hands it every [`Event::Verify`](crate::Event::Verify), and what
/// [`poll`](Self::poll) gives to [`Driver::verified`](crate::Driver::verified), whenever it is woken. Its threads begin
/// with the first password, and end with it.
pub struct Verifier {
    jobs: Sender<Job>,
    verdicts: Receiver<(Verification, Verdict)>,
    /// What the threads need, until they have begun.
    idle: Option<Idle>,
}

struct Idle {
    jobs: Receiver<Job>,
    verdicts: Sender<(Verification, Verdict)>,
    waker: Waker,
}

struct Job {
    request: Verification,
    hash: PasswordHash,
    password: Password,
}

impl Verifier {
    /// One that wakes its loop by `waker` when there is a verdict.
    pub fn new(waker: Waker) -> Self {
        let ((jobs, taken), (given, verdicts)) = (mpsc::channel(), mpsc::channel());
        Self { jobs, verdicts, idle: Some(Idle { jobs: taken, verdicts: given, waker }) }
    }

    /// Takes a question. Each is answered, whatever the hash is; the password is overwritten then.
    pub fn submit(&mut self, request: Verification, hash: PasswordHash, password: Password) {
        if let Some(idle) = self.idle.take() {
            idle.begin();
        }
        // Where no thread could begin nobody takes it, and the machine gives the question up by itself.
        let _ = self.jobs.send(Job { request, hash, password });
    }

    /// The next verdict, where there is one now.
    pub fn poll(&mut self) -> Option<(Verification, Verdict)> {
        if self.idle.is_some() {
            return None;
        }
        self.verdicts.try_recv().ok()
    }
}

impl Idle {
    fn begin(self) {
        let jobs = Arc::new(Mutex::new(self.jobs));
        for number in 0..THREADS {
            let (jobs, verdicts, waker) = (Arc::clone(&jobs), self.verdicts.clone(), self.waker.clone());
            let work = move || {
                while let Some(job) = next(&jobs) {
                    let verdict = verify(&job.hash, &job.password);
                    let request = job.request;
                    drop(job);
                    if verdicts.send((request, verdict)).is_err() {
                        return;
                    }
                    waker.wake_by_ref();
                }
            };
            // A system that gives fewer threads verifies more slowly.
            drop(thread::Builder::new().name(format!("verify-{number}")).spawn(work));
        }
    }
}

fn next(jobs: &Mutex<Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Hashes a password as [`Verifier`] verifies it, by Argon2id with 19 MiB and two passes (OWASP's advice); `salt` is random.
///
/// # Errors
/// Where there is not enough memory.
pub fn hash_password(password: &Password, salt: [u8; 16]) -> io::Result<PasswordHash> {
    let hash = Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &salt);
    let hash = hash.map_err(|_| io::ErrorKind::OutOfMemory)?;
    Ok(PasswordHash::new(&hash.to_string()))
}

/// Reads a hash that somebody kept; `None`: it is none that [`Verifier`] could verify a password against, or one that costs
/// more memory than a login may.
pub fn parse_hash(text: &str) -> Option<PasswordHash> {
    let hash = Phc::new(text).ok()?;
    let params = argon2::Params::try_from(&hash).ok()?;
    let is_it = hash.algorithm.as_str() == "argon2id" && hash.hash.is_some() && params.m_cost() <= MOST_MEMORY;
    is_it.then(|| PasswordHash::new(text))
}

/// Verifies one password, by the function and with the cost that the hash names.
fn verify(hash: &PasswordHash, password: &Password) -> Verdict {
    let Ok(hash) = Phc::new(hash.expose()) else { return Verdict::Failed };
    match Argon2::default().verify_password(password.expose().as_bytes(), &hash) {
        Ok(()) => Verdict::Right,
        Err(Error::PasswordInvalid) => Verdict::Wrong,
        Err(_) => Verdict::Failed,
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("has_begun", &self.idle.is_none()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with so little memory that a test may take it.
    fn hash(password: &str) -> String {
        let cheap = argon2::Params::new(64, 1, 1, None).unwrap();
        let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cheap);
        argon2.hash_password_with_salt(password.as_bytes(), b"some salt").unwrap().to_string()
    }

    #[test]
    fn a_verdict_comes_for_every_question_whatever_the_hash_is() {
        let mut verifier = Verifier::new(Waker::noop().clone());
        let right = hash("correct horse");
        let asked = [(&*right, "correct horse"), (&right, "correct horse "), ("no hash", "correct horse")];
        for (number, (hash, password)) in asked.into_iter().enumerate() {
            let request = Verification(number as u64);
            verifier.submit(request, PasswordHash::new(hash), password.parse().unwrap());
        }
        let mut verdicts: Vec<_> = (0..3).map(|_| verifier.verdicts.recv().unwrap()).collect();
        verdicts.sort_by_key(|(request, _)| *request);
        let verdicts: Vec<_> = verdicts.into_iter().map(|(_, verdict)| verdict).collect();
        assert_eq!(verdicts, [Verdict::Right, Verdict::Wrong, Verdict::Failed]);
    }

    #[test]
    fn what_is_hashed_is_read_again_and_verified() {
        let password: Password = "correct horse".parse().unwrap();
        let hash = hash_password(&password, [7; 16]).unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(parse_hash(hash.expose()), Some(hash.clone()));
        assert_eq!(verify(&hash, &password), Verdict::Right);
        assert_ne!(hash_password(&password, [8; 16]).unwrap(), hash);
    }

    #[test]
    fn what_nobody_could_log_in_by_is_no_hash() {
        let right = hash("x");
        let greedy = right.replace("m=64", "m=4000000");
        let other = right.replace("argon2id", "argon2i");
        let empty = right.rsplit_once('$').unwrap().0;
        for text in ["", "x", "$argon2id$", &greedy, &other, empty] {
            assert_eq!(parse_hash(text), None, "{text}");
        }
        assert!(parse_hash(&right).is_some());
    }
}
