//! What `select`, level-triggered epoll and edge-triggered epoll tell of the same sockets, seen by doing it.
//!
//! Each line of the table is one thing that was done to three sockets alike, each watched in one of the three ways, and what
//! the next wait then told. The lines are values ([`observe::observe`]), which a test holds and `docs/readiness.md` shows.
//!
//! ```sh
//! cargo run -p qun-transports --example level_vs_edge
//! ```

#[cfg(target_os = "linux")]
mod observe;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::io::Write;

    let table = observe::table(&observe::observe()?);
    std::io::stdout().write_all(table.as_bytes())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("epoll is Linux's: there is nothing to observe here");
    std::process::exit(2);
}
