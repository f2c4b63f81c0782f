//! `qun bench`: what it says of good servers, and that it sees what is wrong with bad ones.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use crate::world::{OPS, Process, Server, WRONG, qun};

/// A load of a moment.
const MOMENT: [&str; 6] = ["--rooms", "1", "--warmup", "0.1", "--seconds", "0.5"];

/// Without rates.
const FREE: &str = "burst = 0\nper_s = 0\nacts_burst = 0\nacts_per_s = 0";

fn start(args: &[&str]) -> Process {
    Process::start(qun().arg("bench").args(args))
}

/// Runs it; how it ended and what it said.
fn bench(args: &[&str]) -> (Option<i32>, String) {
    let mut process = start(args);
    let exit = process.exit();
    process.err.end();
    (exit, process.out.text() + &process.err.text())
}

#[test]
fn a_load_on_a_server_that_runs_finds_no_fault() {
    let server = Server::with(FREE);
    for protocol in ["json", "plain"] {
        let door = ["--server", &server.door(), "--code", OPS, "--protocol", protocol, "--members", "10", "--json"];
        let (exit, said) = bench(&[&door[..], &MOMENT].concat());
        assert_eq!(exit, Some(0), "{said}");
        let result = &serde_json::from_str::<Value>(&said).expect("an object")["result"];
        for fault in ["lost", "duplicated", "disordered", "leaked"] {
            assert_eq!(result["faults"][fault], 0, "{said}");
        }
        let section = &result["sections"][0];
        assert!(section["delivered"].as_u64() > Some(0) && section["latency_ms"]["p99"].as_f64() > Some(0.0), "{said}");
    }
}

#[test]
fn people_come_and_go_on_a_server_of_its_own() {
    let (exit, said) = bench(&[&["churn", "--members", "5"], &MOMENT[..]].concat());
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("µs a cycle"), "{said}");
}

#[test]
fn who_reads_nothing_is_no_loss() {
    let (exit, said) = bench(&[&["stalled", "--members", "5"], &MOMENT[..]].concat());
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("reads nothing:") && said.contains("lost 0"), "{said}");
}

#[test]
fn a_wrong_code_is_told() {
    let server = Server::start();
    for protocol in ["json", "plain"] {
        let door = ["--server", &server.door(), "--code", WRONG, "--protocol", protocol, "--members", "2"];
        let (exit, said) = bench(&[&door[..], &MOMENT].concat());
        assert_eq!(exit, Some(1), "{said}");
        assert!(said.contains("refused member") && said.contains("That code does not open a room."), "{said}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let (exit, said) = bench(&[&["--server", &nobody.to_string(), "--code", OPS], &MOMENT[..]].concat());
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("refused") && said.contains(&nobody.to_string()), "{said}");
}

#[test]
fn a_server_with_its_rates_is_told_what_to_do() {
    let server = Server::start();
    for protocol in ["json", "plain"] {
        let door = ["--server", &server.door(), "--code", OPS, "--protocol", protocol, "--members", "2"];
        let (exit, said) = bench(&[&door[..], &MOMENT].concat());
        assert_eq!(exit, Some(1), "{said}");
        assert!(said.contains("per_s"), "{said}");
    }
}

#[test]
fn a_server_that_dies_ends_the_load() {
    let mut server = Server::with(FREE);
    let door = ["--server", &server.door(), "--code", OPS, "--members", "2", "--rooms", "1", "--seconds", "600"];
    let mut process = start(&door);
    let mut bob = server.connect();
    bob.member("bob", OPS);
    bob.until(|line| line["t"] == "msg");
    server.crash_and_restart();
    assert_eq!(process.exit(), Some(1));
    process.err.until_says("lost its connection");
}

#[test]
fn an_interrupt_takes_its_server_along() {
    let mut process = start(&["--rooms", "1", "--members", "2", "--seconds", "600"]);
    let id = process.pid().as_raw_nonzero();
    let children = format!("/proc/{id}/task/{id}/children");
    let child = loop {
        let children = std::fs::read_to_string(&children).expect("it runs");
        if let Some(child) = children.split_whitespace().next() {
            break format!("/proc/{child}");
        }
        thread::yield_now();
    };
    process.signal(Signal::INT);
    assert_eq!(process.exit(), Some(130));
    assert!(!std::fs::exists(&child).expect("an answer"), "its server still runs");
}

/// What a relay does wrong, once.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Loses,
    Repeats,
    Swaps,
    Leaks,
}

#[test]
fn what_a_server_does_wrong_is_seen() {
    let cases = [
        (Wrong::Loses, "lost 1, duplicated 0, out of order 0, leaked to another room 0"),
        (Wrong::Repeats, "lost 0, duplicated 1, out of order 0, leaked to another room 0"),
        (Wrong::Swaps, "lost 0, duplicated 0, out of order 1, leaked to another room 0"),
        (Wrong::Leaks, "lost 0, duplicated 0, out of order 0, leaked to another room 1"),
    ];
    // At once, since it waits long for what is lost.
    let cases = cases.map(|(wrong, faults)| {
        thread::spawn(move || {
            let door = relay(wrong);
            let args = ["--server", &door, "--protocol", "relay", "--rooms", "2", "--members", "3", "--window", "4"];
            let (exit, said) = bench(&[&args[..], &MOMENT[2..]].concat());
            assert_eq!(exit, Some(1), "{said}");
            assert!(said.contains(faults), "{said}");
        })
    });
    cases.into_iter().for_each(|case| case.join().expect("it is seen"));
}

/// People, with their rooms, in the order in which they came.
type Members = Mutex<Vec<(String, TcpStream)>>;

/// A relay that does something wrong with the fifth message of the room `bench0`. Where it is.
fn relay(wrong: Wrong) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let door = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        let members = Arc::new(Members::default());
        for stream in listener.incoming() {
            let (stream, members) = (stream.expect("a connection"), members.clone());
            thread::spawn(move || serve(stream, &members, wrong));
        }
    });
    door
}

/// Serves one connection: its first line is its room and comes back, every further one goes to all who are there.
fn serve(stream: TcpStream, members: &Members, wrong: Wrong) {
    let mut lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines().map_while(Result::ok);
    let Some(room) = lines.next() else { return };
    let send = |mut stream: &TcpStream, line: &str| {
        // Who has gone hears nothing.
        let _ = stream.write_all(format!("{line}\n").as_bytes());
    };
    {
        // Whoever hears that they are in is in.
        let mut members = members.lock().expect("nobody panics");
        members.push((room.clone(), stream));
        members.last().into_iter().for_each(|(_, stream)| send(stream, &room));
    }
    let mut kept = None;
    for (number, line) in lines.enumerate() {
        let members = members.lock().expect("nobody panics");
        let fifth = number == 4 && room == "bench0";
        for (at, (_, member)) in members.iter().enumerate().filter(|(_, (of, _))| *of == room) {
            let last = !members[at + 1..].iter().any(|(of, _)| *of == room);
            match wrong {
                Wrong::Loses if fifth && last => {}
                Wrong::Swaps if fifth && last => kept = Some(line.clone()),
                _ => send(member, &line),
            }
            if last
                && !fifth
                && let Some(kept) = kept.take()
            {
                send(member, &kept);
            }
            if wrong == Wrong::Repeats && fifth && last {
                send(member, &line);
            }
        }
        if wrong == Wrong::Leaks && fifth {
            let (_, other) = members.iter().find(|(of, _)| *of != room).expect("there are two rooms");
            send(other, &line);
        }
    }
}
