//! Nobody gets more than his share of a turn, in whatever way the loop hears of him.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::every::{over_every_loop, ping};
use crate::support::{Line, Loop, PATIENCE, Running, say, serve};

over_every_loop! {
    whoever_always_has_bytes_starves_nobody
    whoever_takes_whatever_he_is_given_starves_nobody
}

/// Somebody who writes and reads as fast as he can.
struct Hog {
    /// Bytes that went in either direction.
    moved: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    line: Line,
    threads: [JoinHandle<()>; 2],
}

impl Hog {
    /// Sends `lines` again and again.
    fn start(line: Line, lines: String) -> Self {
        let (moved, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (mut writer, mut reader) = (line.stream().try_clone().unwrap(), line.stream().try_clone().unwrap());
        let (written, stopped) = (moved.clone(), stop.clone());
        let writing = thread::spawn(move || {
            let mut left = &b""[..];
            while !stopped.load(Ordering::Relaxed) {
                if left.is_empty() {
                    left = lines.as_bytes();
                }
                let Ok(n) = writer.write(left) else { return };
                left = &left[n..];
                written.fetch_add(n, Ordering::Relaxed);
            }
        });
        let read = moved.clone();
        let reading = thread::spawn(move || {
            let mut buffer = vec![0; 1 << 20];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                read.fetch_add(n, Ordering::Relaxed);
            }
        });
        Self { moved, stop, line, threads: [writing, reading] }
    }

    /// How many bytes it moves while somebody else waits for one answer, as the median of many.
    fn moves_during_a_ping(&self, other: &mut Line) -> usize {
        let start = Instant::now();
        while self.moved.load(Ordering::Relaxed) < 8 << 20 {
            assert!(start.elapsed() < PATIENCE, "the hog moves no more");
            thread::sleep(Duration::from_millis(1));
        }
        let mut moves: Vec<_> = (0..15)
            .map(|n| {
                let before = self.moved.load(Ordering::Relaxed);
                other.send(&ping(n, 0));
                other.until(&format!(r#""n":{n}}}"#));
                self.moved.load(Ordering::Relaxed) - before
            })
            .collect();
        moves.sort_unstable();
        moves[moves.len() / 2]
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.line.stream().shutdown(std::net::Shutdown::Both).unwrap();
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

fn whoever_always_has_bytes_starves_nobody(kind: Loop) {
    let server = serve(kind);
    let mut ann = server.member("ann");
    let hog = Hog::start(server.member("hog"), (0..64).map(|n| ping(n, 16_000)).collect());
    let moves = hog.moves_during_a_ping(&mut ann);
    println!("{moves} bytes of the hog's during one ping");
    hog.stop();
    assert!(moves < 1 << 20, "{moves} bytes of the hog's during one ping");
}

fn whoever_takes_whatever_he_is_given_starves_nobody(kind: Loop) {
    let server = serve(kind);
    let mut ann = server.member("ann");
    fill(&server);
    let page = "{\"t\":\"history\",\"id\":\"h\",\"room\":\"ops\",\"before\":1000,\"limit\":40}\n";
    let hog = Hog::start(server.member("hog"), page.repeat(1_000));
    let moves = hog.moves_during_a_ping(&mut ann);
    println!("{moves} bytes of the hog's during one ping");
    hog.stop();
    assert!(moves < 1 << 20, "{moves} bytes of the hog's during one ping");
}

/// Something to page through.
fn fill(server: &Running) {
    let mut bob = server.member("bob");
    let text = "x".repeat(3_000);
    for number in 0..40 {
        bob.send(&say(&format!("b{number}"), &text));
    }
    bob.until(r#""id":"b39""#);
}
