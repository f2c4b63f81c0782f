//! A server without descriptors. Alone in its process, because the limit is the process's.
#![cfg(target_os = "linux")]

#[cfg(test)]
mod support;

use std::fs::File;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use qun_transports::readiness::Event;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use support::{Line, Loop, serve};

const LOOPS: &[Loop] = &[
    Loop::Select,
    Loop::Epoll,
    Loop::EpollEt,
    #[cfg(feature = "smol")]
    Loop::Smol,
];

#[test]
fn without_descriptors_those_who_are_in_talk_on_and_the_others_wait() {
    let _alone = alone();
    for &kind in LOOPS {
        let server = serve(kind);
        let mut ann = server.member("ann");
        // Both ends are this process's: ours are made before descriptors grow scarce, and the server has 20 for 60.
        let sockets: Vec<_> = (0..60).map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()).collect();
        let limit = getrlimit(Resource::Nofile);
        let used = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        setrlimit(Resource::Nofile, Rlimit { current: Some(used + 20), ..limit }).unwrap();
        let mut crowd: Vec<TcpStream> = Vec::new();
        for socket in sockets {
            socket.connect(&server.addr.into()).unwrap();
            crowd.push(socket.into());
        }
        server.event(|event| matches!(event, Event::Full { .. }).then_some(()));
        ann.say("a1", "can you hear me?");
        thread::sleep(Duration::from_millis(700));
        ann.say("a2", "still?");
        assert!(
            !server.events.try_iter().any(|event| matches!(event, Event::Full { .. })),
            "the operator is told once, not at every try"
        );

        let waiting = crowd.pop().unwrap();
        crowd.into_iter().for_each(|stream| Line::new(stream).reset());
        server.event(|event| matches!(event, Event::Accepting).then_some(()));
        Line::new(waiting).get_in("bob");

        setrlimit(Resource::Nofile, limit).unwrap();
        server.handle.stop();
        let spent = server.join();
        assert!(spent < Duration::from_millis(500), "the loop spun: {spent:?}");
    }
}

#[test]
fn beyond_what_select_can_watch_newcomers_are_turned_away_and_nobody_else_notices() {
    let _alone = alone();
    let server = serve(Loop::Select);
    let mut ann = server.member("ann");
    // With all lower numbers taken the server's next descriptor is beyond its sets.
    let taken: Vec<_> = std::iter::repeat_with(|| File::open("/dev/null").unwrap())
        .take_while(|file| file.as_raw_fd() < 1_023)
        .collect();
    let mut refused: Vec<_> = (0..3).map(|_| server.connect()).collect();
    let limit = server.event(|event| match event {
        Event::Refused { error, .. } => Some(error.to_string()),
        _ => None,
    });
    assert!(limit.contains("1023"), "{limit}");
    for line in &mut refused {
        assert_eq!(line.next(), None, "who can't be watched is closed");
    }
    ann.say("a1", "still here");
    assert!(
        !server.events.try_iter().any(|event| matches!(event, Event::Refused { .. })),
        "the operator is told once, not of every newcomer"
    );
    drop(taken);
    server.member("bob").say("b1", "there is room again");
    server.handle.stop();
    let spent = server.join();
    assert!(spent < Duration::from_millis(500), "the loop spun: {spent:?}");
}

#[test]
fn every_other_loop_watches_descriptors_of_any_number() {
    let _alone = alone();
    for &kind in LOOPS.iter().filter(|kind| !matches!(kind, Loop::Select)) {
        let server = serve(kind);
        let taken: Vec<_> = std::iter::repeat_with(|| File::open("/dev/null").unwrap())
            .take_while(|file| file.as_raw_fd() < 1_100)
            .collect();
        server.member("ann").say("a1", "from far up");
        drop(taken);
        server.handle.drain();
        server.join();
    }
}

/// Descriptors are the whole process's, so these tests run one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
