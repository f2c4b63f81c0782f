//! What every poller must do, as tests.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::poller::{Interest, Poller, Ready, Trigger};

/// What is ready now.
pub(super) fn wait(poller: &mut dyn Poller) -> Vec<Ready> {
    let mut ready = Vec::new();
    poller.wait(Some(Duration::ZERO), &mut ready).unwrap();
    ready
}

/// Both ends of a TCP connection; ours first.
pub(super) fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, theirs)
}

/// Resets a connection.
pub(super) fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Waits until the other side's reset has arrived, without taking anything of it.
pub(super) fn until_it_hangs_up(stream: &TcpStream) {
    while stream.peer_addr().is_ok() {
        std::thread::yield_now();
    }
}

/// Asserts what is demanded of any poller.
pub(super) fn hold(mut poller: impl Poller) {
    let poller = &mut poller;
    let level = poller.trigger() == Trigger::Level;
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();

    // Ready before it is watched.
    theirs.write_all(b"x").unwrap();
    poller.add(ours.as_fd(), 7, Interest::READ).unwrap();
    let readable = Ready { key: 7, read: true, ..Ready::default() };
    assert_eq!(wait(poller), [readable]);
    assert_eq!(wait(poller), if level { vec![readable] } else { vec![] }, "told again while it is so, or once");

    // More arrives.
    theirs.write_all(b"y").unwrap();
    assert_eq!(wait(poller), [readable]);

    // What is watched anew is told anew, by its new key.
    poller.modify(ours.as_fd(), 8, Interest::READ).unwrap();
    assert_eq!(wait(poller), [Ready { key: 8, ..readable }]);
    poller.modify(ours.as_fd(), 9, Interest::WRITE).unwrap();
    assert_eq!(wait(poller), [Ready { key: 9, write: true, ..Ready::default() }]);
    poller.modify(ours.as_fd(), 9, Interest::NONE).unwrap();
    assert_eq!(wait(poller), []);
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 2);
    poller.modify(ours.as_fd(), 9, Interest::READ).unwrap();
    assert_eq!(wait(poller), []);

    // A wait lasts as long as it shall, and ends when something happens.
    let start = Instant::now();
    poller.wait(Some(Duration::from_millis(30)), &mut Vec::new()).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(30));
    let writing = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        theirs.write_all(b"z").unwrap();
        theirs
    });
    let mut ready = Vec::new();
    poller.wait(None, &mut ready).unwrap();
    assert_eq!(ready, [Ready { key: 9, ..readable }]);

    drop(writing.join().unwrap());
    assert!(wait(poller)[0].read, "an end is something to read");
    poller.modify(ours.as_fd(), 9, Interest::NONE).unwrap();
    let hangups = wait(poller).iter().filter(|ready| ready.hangup).count();
    assert!(hangups == 1 || !poller.hears_hangups());
    poller.delete(ours.as_fd()).unwrap();
    assert_eq!(wait(poller), []);

    let (ours, mut theirs) = UnixStream::pair().unwrap();
    poller.add(ours.as_fd(), 10, Interest::READ).unwrap();
    theirs.write_all(b"x").unwrap();
    poller.closes(ours.as_fd()).unwrap();
    drop(ours);
    assert_eq!(wait(poller), []);
}
