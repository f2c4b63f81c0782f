//! Reading in a room of very many messages.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use qun_core::log::{Answer, Kind, Record, Request, Span, Ticket};
use qun_core::{Entropy, MemberId, Now, RoomId, Seq};
use qun_transports::Log;
use qun_transports::sqlite::{Import, Options, SqliteLog};

/// How often each thing is done.
const TIMES: u64 = 1_000;

pub(crate) fn measure(dir: &Path, count: u64) -> Result<(), Box<dyn Error>> {
    let path = dir.join("pages.db");
    let (full, empty): (RoomId, RoomId) = ("full".parse()?, "empty".parse()?);
    let mut entropy = Entropy::new([5; 32]);
    let began = Instant::now();
    let mut import = Import::open(&path, [7; 32], full.clone(), |event| println!("{event}"))?;
    let (name, id) = ("somebody".parse()?, "01J9ZK6E3Q8V".parse()?);
    let text = format!("{:<100}|", "what a person says in a chat").parse()?;
    let record =
        Record { seq: Seq::ZERO, ts: 1, member: MemberId::from_bits(0), name, kind: Kind::Say, text, id: Some(id) };
    let mut batch = Vec::new();
    for seq in 1..=count {
        batch.push(Record { seq: Seq::new(seq), ..record.clone() });
        if batch.len() == 10_000 || seq == count {
            import.take(&batch, &mut entropy)?;
            batch.clear();
        }
    }
    import.finish()?;
    let size = std::fs::metadata(&path)?.len() >> 20;
    println!("{count} messages are in the room, {size} MiB, after {:.0} s", began.elapsed().as_secs_f64());

    let mut log = SqliteLog::open(&path, [6; 32], Options::default(), |event| println!("{event}"))?;
    log.start(Arc::new(Unpark(thread::current())).into());
    // The empty room is made by its first opening, and measured after that.
    let mut open = |room: &RoomId, bytes| time(&mut log, Request::Open { room: room.clone(), bytes });
    open(&empty, 0);
    let all = 512 << 10;
    report("opening the empty room", (0..TIMES / 10).map(|_| open(&empty, all)));
    report("opening the full room, with 512 KiB of it", (0..TIMES / 10).map(|_| open(&full, all)));
    report("opening the full room, with nothing of it", (0..TIMES / 10).map(|_| open(&full, 0)));
    let mut load = |span| {
        let request = Request::Load { ticket: Ticket(1), room: full.clone(), span, limit: 100 };
        time(&mut log, request)
    };
    report("the newest 100", (0..TIMES).map(|_| load(Span::Before(Seq::MAX))));
    report("the oldest 100", (0..TIMES).map(|_| load(Span::After(Seq::ZERO))));
    report("any 100", (0..TIMES).map(|_| load(Span::Before(Seq::new(1 + entropy.below(count))))));
    Ok(())
}

pub(crate) fn report(what: &str, times: impl Iterator<Item = Duration>) {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6);
    println!("{what:<44} median {:>8.0} µs, 99 % {:>8.0} µs", at(50), at(99));
}

/// How long the answer to a request takes.
fn time(log: &mut SqliteLog, request: Request) -> Duration {
    let began = Instant::now();
    log.submit(Now::default(), request);
    loop {
        match log.poll() {
            Some(Answer::Ready { tail: Ok(_), .. } | Answer::Loaded { page: Ok(_), .. }) => return began.elapsed(),
            Some(_) => {}
            None => thread::park(),
        }
    }
}

pub(crate) struct Unpark(pub(crate) Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
