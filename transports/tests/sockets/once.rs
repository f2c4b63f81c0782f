//! What an edge-triggered poller tells only once, and every loop has to remember: nothing ever stalls.
//!
//! Where it can be, all is in place before the server runs: then one event is all that is ever told of it.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::every::{crowd, over_every_loop, ping, serve_late};
use crate::support::{Line, Loop, hello, serve};
use socket2::{Domain, SockRef, Socket, Type};

over_every_loop! {
    whoever_waits_before_the_server_runs_is_taken_in
    what_is_more_than_one_read_is_read_to_its_end
    an_end_behind_few_bytes_is_found
    an_end_behind_many_bytes_is_found
    an_end_that_comes_during_a_read_is_found
    what_stands_behind_an_urgent_byte_is_read
    what_came_during_a_pause_is_read_after_it
    an_end_that_came_during_a_pause_is_found_after_it
    what_takes_many_writes_is_written_to_its_end
    who_is_done_with_lingers_no_longer_than_he_must
}

/// More than are accepted at once, and more than twice as many.
const STORM: usize = 150;

fn whoever_waits_before_the_server_runs_is_taken_in(kind: Loop) {
    let _crowd = crowd();
    let (_server, lines) = serve_late(kind, |addr| {
        let connect = |number| {
            let mut line = Line::new(TcpStream::connect(addr).unwrap());
            line.send(&hello(&format!("m{number}")));
            line
        };
        (0..STORM).map(connect).collect::<Vec<_>>()
    });
    for mut line in lines {
        line.until(r#""t":"joined""#);
    }
}

fn what_is_more_than_one_read_is_read_to_its_end(kind: Loop) {
    let (_server, mut line) = serve_late(kind, |addr| greeted(addr, &long_pings(4)));
    line.until(r#""n":3"#);
}

fn an_end_behind_few_bytes_is_found(kind: Loop) {
    let (_server, mut line) = serve_late(kind, |addr| {
        let line = greeted(addr, &ping(1, 0));
        line.stream().shutdown(Shutdown::Write).unwrap();
        line
    });
    line.until(r#""n":1"#);
    while line.next().is_some() {}
}

fn an_end_behind_many_bytes_is_found(kind: Loop) {
    let (_server, mut line) = serve_late(kind, |addr| {
        let line = greeted(addr, &long_pings(4));
        line.stream().shutdown(Shutdown::Write).unwrap();
        line
    });
    line.until(r#""n":3"#);
    while line.next().is_some() {}
}

fn an_end_that_comes_during_a_read_is_found(kind: Loop) {
    // It comes while the server handles the first of two buffers, in one of these at least.
    let server = serve(kind);
    let pings: String = (0..700).map(|n| ping(n, 60)).collect();
    for delay in (0..4_000).step_by(400) {
        let mut line = greeted(server.addr, "");
        line.until(r#""t":"welcome""#);
        line.send(&pings);
        thread::sleep(Duration::from_micros(delay));
        line.stream().shutdown(Shutdown::Write).unwrap();
        line.until(r#""n":699"#);
        while line.next().is_some() {}
    }
}

fn what_stands_behind_an_urgent_byte_is_read(kind: Loop) {
    // A read stops before an urgent byte, whatever stands behind it. No client of ours sends one.
    let (_server, mut line) = serve_late(kind, |addr| {
        let mut line = greeted(addr, &ping(1, 0));
        SockRef::from(line.stream()).send_out_of_band(b"!").unwrap();
        line.send(&ping(2, 0));
        line
    });
    line.until(r#""n":2"#);
}

fn what_came_during_a_pause_is_read_after_it(kind: Loop) {
    let server = serve(kind);
    let mut line = server.member("ann");
    // More answers than the server keeps for one who takes none: it reads no further.
    let pings = 40_000;
    let mut writer = line.stream().try_clone().unwrap();
    let writing = thread::spawn(move || {
        let lines: String = (0..pings).map(|n| ping(n, 0)).collect();
        writer.write_all(lines.as_bytes()).unwrap();
    });
    thread::sleep(Duration::from_millis(500));
    // From here on nothing comes any more but what was sent during the pause.
    line.until(&format!(r#""n":{}}}"#, pings - 1));
    writing.join().unwrap();
}

fn an_end_that_came_during_a_pause_is_found_after_it(kind: Loop) {
    // Lines behind a join wait until the room is open, and the server reads no further meanwhile. What it has not read then is
    // less than a read takes, with the end behind it.
    let (_server, mut line) = serve_late(kind, |addr| {
        let mut line = Line::new(TcpStream::connect(addr).unwrap());
        line.send(&(hello("ann") + &long_pings(4)));
        line.stream().shutdown(Shutdown::Write).unwrap();
        line
    });
    line.until(r#""n":3"#);
    while line.next().is_some() {}
}

fn what_takes_many_writes_is_written_to_its_end(kind: Loop) {
    let server = serve(kind);
    let mut ann = server.member("ann");
    let text = "x".repeat(3_000);
    for number in 0..100 {
        ann.say(&format!("a{number}"), &text);
    }
    // 200 kB and more in one answer, to somebody whose kernel takes them at once and to somebody whose does not.
    for bytes in [1 << 20, 4 << 10] {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(bytes).unwrap();
        socket.connect(&server.addr.into()).unwrap();
        let mut bob = Line::new(socket.into());
        bob.get_in("bob");
        bob.send("{\"t\":\"history\",\"id\":\"h\",\"room\":\"ops\",\"before\":1000,\"limit\":100}\n");
        thread::sleep(Duration::from_millis(200));
        bob.send(&ping(7, 0));
        bob.until(r#""n":7"#);
    }
}

fn who_is_done_with_lingers_no_longer_than_he_must(kind: Loop) {
    let server = serve(kind);
    let mut line = greeted(server.addr, "{\"t\":\"bye\"}\n");
    line.until(r#""t":"bye""#);
    assert_eq!(line.next(), None);
    // The socket lingers, so that this is no reason to reset it. It is more than one read, and the end comes with it.
    line.send(&long_pings(4));
    drop(line);
    let start = Instant::now();
    server.handle.drain();
    server.join();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// Somebody who has said hello, and this.
fn greeted(addr: SocketAddr, lines: &str) -> Line {
    let mut line = Line::new(TcpStream::connect(addr).unwrap());
    line.send(&format!("{{\"t\":\"hello\",\"v\":[1]}}\n{lines}"));
    line
}

/// More bytes than one read takes, and no more than wait at a server that does not run yet.
fn long_pings(count: usize) -> String {
    (0..count).map(|n| ping(n, 12_000)).collect()
}
