//! Every test over every loop, and what many tests need.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::support::{Loop, Running, serve_after};

/// Makes a test of each of these functions for every loop, named after both.
macro_rules! over_every_loop {
    ($($test:ident)*) => {
        mod over_select {
            $(#[test] fn $test() { super::$test(crate::support::Loop::Select) })*
        }
        mod over_epoll {
            $(#[test] fn $test() { super::$test(crate::support::Loop::Epoll) })*
        }
        mod over_epoll_et {
            $(#[test] fn $test() { super::$test(crate::support::Loop::EpollEt) })*
        }
        #[cfg(feature = "smol")]
        mod over_smol {
            $(#[test] fn $test() { super::$test(crate::support::Loop::Smol) })*
        }
    };
}
pub(crate) use over_every_loop;

/// A server that listens, but runs only after `before` has done something at its address.
pub(crate) fn serve_late<T>(kind: Loop, before: impl FnOnce(SocketAddr) -> T) -> (Running, T) {
    serve_after(kind, "127.0.0.1:0", |_| {}, before)
}

/// To be held by a test that opens hundreds of sockets: two such at once are more than `select` can watch in one process.
pub(crate) fn crowd() -> MutexGuard<'static, ()> {
    static CROWD: Mutex<()> = Mutex::new(());
    CROWD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A ping of this number and of as many bytes, line break included.
pub(crate) fn ping(n: usize, bytes: usize) -> String {
    let line = format!("{{\"t\":\"ping\",\"n\":{n},\"pad\":\"\"}}\n");
    let pad = "x".repeat(bytes.saturating_sub(line.len()));
    format!("{{\"t\":\"ping\",\"n\":{n},\"pad\":\"{pad}\"}}\n")
}
