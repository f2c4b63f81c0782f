//! A server without descriptors. Alone in its process, because the limit is the process's.
#![cfg(target_os = "linux")]

#[cfg(test)]
mod support;

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use qun_transports::readiness::Event;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use support::{Line, serve};

#[test]
fn without_descriptors_those_who_are_in_talk_on_and_the_others_wait() {
    let server = serve();
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

    server.handle.stop();
    let spent = server.join();
    assert!(spent < Duration::from_millis(500), "the loop spun: {spent:?}");
}
