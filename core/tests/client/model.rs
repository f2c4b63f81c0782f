//! A server that is obviously right, a network that is not, and a client between them: whatever happens, each message
//! is shown once and in order, and each say has exactly one end.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use qun_core::client::{Action, Client, Event, Input};
use qun_core::json::Request;
use qun_core::log::Span;
use qun_core::{Id, Instant, Now};

use crate::rig::{code, config, error, joined, ops, welcome_with};

/// Something that happens.
#[derive(Clone, Debug)]
enum Op {
    /// We say something.
    Say,
    /// Somebody else does.
    Other(u8),
    /// Bytes reach the server, which does what they ask.
    Up(usize),
    /// The log takes says that the server has.
    Settle(usize),
    /// The server writes messages that the client has not had.
    Write(u8),
    /// The server finds the client too slow, and leaves them out.
    Gap,
    /// Bytes reach the client.
    Down(usize),
    Pass(u64),
    /// An attempt to connect ends well.
    Accept,
    /// The connection or the attempt breaks; what is on its way is gone.
    Kill,
    /// The log forgets its oldest messages.
    Truncate(u8),
    /// The server starts anew with an empty log.
    Restart,
    /// The server begins or stops to refuse says and pages.
    Refuse(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Refusal {
    Nothing,
    TooFast,
    LogIsDown,
}

/// The history of one epoch: the id and the text of each message, and the first one that is still there.
#[derive(Default)]
struct Log {
    records: Vec<(Option<Id>, String)>,
    first: usize,
}

impl Log {
    fn head(&self) -> u64 {
        self.records.len() as u64
    }

    fn first(&self) -> u64 {
        self.first as u64 + 1
    }

    /// Where it has this id, as far as it still can tell.
    fn known(&self, id: Id) -> Option<u64> {
        let at = self.records[self.first..].iter().position(|(other, _)| *other == Some(id))?;
        Some((self.first + at) as u64 + 1)
    }

    fn body(&self, seq: u64) -> String {
        let (id, text) = &self.records[seq as usize - 1];
        let (m, id) = match id {
            Some(id) => (config().key.member().to_string(), format!(r#","id":"{id}""#)),
            None => ("bbbbbbbbbb".into(), String::new()),
        };
        format!(r#""seq":{seq},"ts":1,"m":"{m}","name":"x","text":"{text}"{id}"#)
    }
}

#[derive(PartialEq)]
enum Conn {
    None,
    Dialling,
    /// `cursor`: what was written of the room, once it is joined.
    Up {
        cursor: Option<u64>,
    },
}

/// How a say ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Delivered,
    Refused,
    Unconfirmed,
}

struct World {
    client: Client,
    now: Now,
    conn: Conn,
    up: Vec<u8>,
    down: VecDeque<u8>,
    logs: Vec<Log>,
    landing: VecDeque<(Id, String)>,
    refusal: Refusal,
    says: BTreeMap<Id, (usize, Option<End>)>,
    /// What was pending when the last connection broke: it may be sent again.
    old: Vec<Id>,
    /// Where the last `joined` began.
    from: u64,
    /// The seq that the client has to show next; none before it is in the room.
    next: Option<u64>,
    epoch: usize,
}

impl World {
    fn new() -> Self {
        let now = Now { mono: Instant::from_micros(1), unix_ms: 1_771_329_600_000 };
        let mut world = Self {
            client: Client::new(config(), [3; 32]),
            now,
            conn: Conn::None,
            up: Vec::new(),
            down: VecDeque::new(),
            logs: vec![Log::default()],
            landing: VecDeque::new(),
            refusal: Refusal::Nothing,
            says: BTreeMap::new(),
            old: Vec::new(),
            from: 0,
            next: None,
            epoch: 0,
        };
        world.client.join(now, code());
        world.drain();
        world
    }

    fn log(&mut self) -> &mut Log {
        self.logs.last_mut().expect("there is always one")
    }

    fn write(&mut self, line: String) {
        self.down.extend(line.bytes().chain(*b"\n"));
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Say => self.say(),
            Op::Other(n) => (0..*n).for_each(|_| {
                let text = format!("bob{}", self.log().head());
                self.log().records.push((None, text));
            }),
            Op::Up(n) => self.serve(*n),
            Op::Settle(n) => self.settle(*n),
            Op::Write(n) => self.broadcast(u64::from(*n)),
            Op::Gap => self.gap(),
            Op::Down(n) => {
                let bytes: Vec<u8> = self.down.drain(..(*n).min(self.down.len())).collect();
                if matches!(self.conn, Conn::Up { .. }) {
                    self.client.handle(self.now, Input::Received(&bytes));
                }
            }
            Op::Pass(ms) => self.pass(Duration::from_millis(*ms)),
            Op::Accept => {
                if self.conn == Conn::Dialling {
                    self.conn = Conn::Up { cursor: None };
                    self.client.handle(self.now, Input::Connected);
                }
            }
            Op::Kill => self.kill(),
            Op::Truncate(n) => self.truncate(usize::from(*n)),
            Op::Restart => {
                self.kill();
                self.landing.clear();
                self.logs.push(Log::default());
            }
            Op::Refuse(refusal) => self.refusal = *refusal,
        }
        self.drain();
    }

    fn say(&mut self) {
        let number = self.says.len();
        let text = format!("ann{number}").parse().expect("a text");
        if let Ok(id) = self.client.say(self.now, &ops(), Default::default(), text) {
            self.says.insert(id, (number, None));
        }
    }

    fn kill(&mut self) {
        self.up.clear();
        self.down.clear();
        if self.conn != Conn::None {
            self.conn = Conn::None;
            self.old = self.client.pending().map(|say| say.id).collect();
            self.client.handle(self.now, Input::Disconnected);
        }
    }

    /// The log keeps what may be sent again for long enough to know it: as much as this connection may ask for, and until
    /// what was sent again has arrived.
    fn truncate(&mut self, n: usize) {
        let keeps = match self.conn {
            Conn::Up { cursor: Some(_) } => self.old.iter().any(|id| self.says[id].1.is_none()),
            _ => false,
        };
        if !keeps && self.up.is_empty() && self.landing.is_empty() {
            let log = self.log();
            log.first = (log.first + n).min(log.records.len());
        }
    }

    fn serve(&mut self, n: usize) {
        let n = n.min(self.up.len());
        let end = self.up[..n].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.up.drain(..end).collect();
        for line in lines.split_inclusive(|b| *b == b'\n') {
            let request = Request::decode(&line[..line.len() - 1]).expect("a request");
            self.request(request);
        }
    }

    fn request(&mut self, request: Request) {
        let is_in = matches!(self.conn, Conn::Up { cursor: Some(_) });
        match request {
            Request::Hello { .. } => self.write(welcome_with(true, 10, 2)),
            Request::Join { id: Some(id), resume, tail, .. } => {
                let epoch = format!("e{}", self.logs.len());
                let log = self.log();
                let (first, head) = (log.first(), log.head());
                let position = resume.filter(|at| at.epoch.as_str() == epoch && at.seq.get() <= head);
                let seen = position.map_or(0, |at| at.seq.get());
                // It holds few in memory, so that there are holes.
                let held = first.max((head + 1).saturating_sub(4));
                let from = held.max(seen + 1).max((head + 1).saturating_sub(tail.unwrap_or(200)));
                self.from = from;
                self.conn = Conn::Up { cursor: Some(from - 1) };
                self.write(joined(id, "ops", &epoch, first, from, head));
            }
            Request::Say { id: Some(id), text, .. } if is_in => match self.refusal {
                Refusal::Nothing => self.landing.push_back((id, text.to_string())),
                Refusal::TooFast => self.write(error(id, "slow_down", "later", 400)),
                Refusal::LogIsDown => self.write(error(id, "unavailable", "later", 300)),
            },
            Request::History { id: Some(id), span: Span::After(after), limit: Some(limit), .. } if is_in => {
                if self.refusal == Refusal::LogIsDown {
                    return self.write(error(id, "unavailable", "later", 300));
                }
                let epoch = self.logs.len();
                let log = self.log();
                let from = after.next().get().max(log.first());
                let to = log.head().min(from + limit.min(3) - 1);
                let msgs: Vec<_> = (from..=to).map(|seq| format!("{{{}}}", log.body(seq))).collect();
                let (first, more, msgs) = (log.first(), to < log.head(), msgs.join(","));
                self.write(format!(
                    r#"{{"t":"page","re":"{id}","room":"ops","epoch":"e{epoch}","first":{first},"more":{more},"msgs":[{msgs}]}}"#
                ));
            }
            Request::Ping { n } => self.write(format!(r#"{{"t":"pong","n":{n}}}"#)),
            other => panic!("the client asks for {other:?}"),
        }
    }

    fn settle(&mut self, n: usize) {
        for (id, text) in self.landing.drain(..n.min(self.landing.len())).collect::<Vec<_>>() {
            match self.log().known(id) {
                Some(seq) => {
                    if let Conn::Up { cursor: Some(_) } = self.conn {
                        self.write(format!(r#"{{"t":"ok","re":"{id}","seq":{seq}}}"#));
                    }
                }
                None => self.log().records.push((Some(id), text)),
            }
        }
    }

    fn broadcast(&mut self, n: u64) {
        let Conn::Up { cursor: Some(cursor) } = self.conn else { return };
        let head = self.log().head();
        if cursor + 1 < self.log().first() {
            return self.gap();
        }
        let to = head.min(cursor + n);
        for seq in cursor + 1..=to {
            let body = self.log().body(seq);
            self.write(format!(r#"{{"t":"msg","room":"ops",{body}}}"#));
        }
        self.conn = Conn::Up { cursor: Some(to.max(cursor)) };
    }

    fn gap(&mut self) {
        let Conn::Up { cursor: Some(cursor) } = self.conn else { return };
        let (from, to) = (cursor + 1, self.log().head());
        self.write(format!(r#"{{"t":"gap","room":"ops","from":{from},"to":{to},"here":1,"members":[]}}"#));
        self.conn = Conn::Up { cursor: Some(to) };
    }

    /// The driver wakes only when the machine wants it to.
    fn pass(&mut self, wait: Duration) {
        self.drain();
        let end = self.now.mono + wait;
        loop {
            let due = self.client.deadline().filter(|due| *due <= end);
            let to = due.unwrap_or(end);
            assert!(due.is_none_or(|due| due > self.now.mono), "after draining, the deadline lies ahead");
            self.now.mono = to;
            self.now.unix_ms = 1_771_329_600_000 + to.as_micros() / 1_000;
            self.client.handle(self.now, Input::Tick);
            self.drain();
            if due.is_none() {
                return;
            }
        }
    }

    fn drain(&mut self) {
        while let Some(action) = self.client.poll() {
            match action {
                Action::Connect => {
                    assert!(self.conn == Conn::None, "one connection at a time");
                    self.conn = Conn::Dialling;
                }
                Action::Close => {
                    self.conn = Conn::None;
                    self.up.clear();
                    self.down.clear();
                    self.old = self.client.pending().map(|say| say.id).collect();
                }
                Action::Transmit => {
                    while let Some(mut transmit) = self.client.transmit() {
                        let mut slices = [&b""[..]];
                        transmit.gather(&mut slices, |bytes| bytes);
                        let n = slices[0].len();
                        self.up.extend_from_slice(slices[0]);
                        transmit.advance(n).expect("no more than there was");
                    }
                }
                Action::Show(event) => self.shown(&event),
            }
        }
    }

    fn shown(&mut self, event: &Event) {
        match event {
            Event::Message { message, mine, .. } => {
                let seq = message.seq.get();
                assert_eq!(Some(seq), self.next, "the next one is shown");
                self.next = Some(seq + 1);
                let (id, text) = &self.logs[self.epoch].records[seq as usize - 1];
                assert_eq!((message.id, message.text.as_str()), (*id, text.as_str()));
                let open = id.is_some_and(|id| self.says[&id].1.is_none());
                assert_eq!(*mine, open, "an echo acknowledges once");
                if let (true, Some(id)) = (mine, *id) {
                    self.ended(id, End::Delivered);
                }
            }
            Event::Lost { from, to, .. } => {
                assert_eq!(Some(from.get()), self.next, "what is lost begins where the shown ends");
                assert!(to.get() < self.logs[self.epoch].first(), "what is lost is gone");
                self.next = Some(to.get() + 1);
            }
            Event::Restarted { .. } | Event::Joined { re: Some(_), .. } => {
                self.next = Some(self.from);
                self.epoch = self.room_epoch();
            }
            Event::Delivered { id, .. } => self.ended(*id, End::Delivered),
            Event::Unconfirmed { id, .. } => self.ended(*id, End::Unconfirmed),
            Event::Refused { re: Some(re), .. } => self.ended(*re, End::Refused),
            Event::Left { .. } | Event::Ended { .. } => panic!("{event:?}"),
            _ => {}
        }
    }

    fn room_epoch(&self) -> usize {
        let room = self.client.room(&ops()).expect("in it");
        room.epoch().as_str()[1..].parse::<usize>().expect("a number") - 1
    }

    fn ended(&mut self, id: Id, end: End) {
        let (_, ended) = self.says.get_mut(&id).expect("a say of ours");
        assert_eq!(*ended, None, "{id} ended twice, now {end:?}");
        *ended = Some(end);
    }

    /// Everything works again, for long enough.
    fn heal(&mut self) {
        self.refusal = Refusal::Nothing;
        for _ in 0..400 {
            for op in [Op::Accept, Op::Up(usize::MAX), Op::Settle(64), Op::Write(255), Op::Down(usize::MAX)] {
                self.apply(&op);
            }
            self.apply(&Op::Pass(500));
        }
    }

    fn check(&self, ordered: bool) {
        let room = self.client.room(&ops()).expect("in it");
        let log = self.logs.last().expect("there is always one");
        assert_eq!(self.epoch + 1, self.logs.len());
        assert_eq!(room.position().seq.get(), log.head(), "everything is shown");
        assert_eq!(self.client.pending().count(), 0);
        let mut found: BTreeMap<Id, usize> = BTreeMap::new();
        for log in &self.logs {
            let ids: Vec<Id> = log.records.iter().filter_map(|(id, _)| *id).collect();
            ids.iter().for_each(|id| *found.entry(*id).or_default() += 1);
            let numbers: Vec<usize> = ids.iter().map(|id| self.says[id].0).collect();
            assert!(!ordered || numbers.is_sorted(), "our order is kept: {numbers:?}");
        }
        for (id, (number, end)) in &self.says {
            let times = found.get(id).copied().unwrap_or_default();
            assert!(times <= 1, "ann{number} was said {times} times");
            match end.unwrap_or_else(|| panic!("ann{number} never ended")) {
                End::Delivered => assert_eq!(times, 1, "ann{number} was called delivered"),
                End::Refused => assert_eq!(times, 0, "ann{number} was called refused"),
                End::Unconfirmed => {}
            }
        }
    }
}

fn any_ops() -> impl Strategy<Value = Vec<Op>> {
    let refusal = prop::sample::select(vec![Refusal::Nothing, Refusal::TooFast, Refusal::LogIsDown]);
    let op = prop_oneof![
        8 => Just(Op::Say),
        6 => (1_u8..6).prop_map(Op::Other),
        10 => prop_oneof![Just(usize::MAX), 0..300_usize].prop_map(Op::Up),
        8 => (1_usize..5).prop_map(Op::Settle),
        8 => (1_u8..8).prop_map(Op::Write),
        2 => Just(Op::Gap),
        12 => prop_oneof![Just(usize::MAX), 0..400_usize].prop_map(Op::Down),
        6 => prop_oneof![0..300_u64, 0..3_000_u64, 0..60_000_u64].prop_map(Op::Pass),
        8 => Just(Op::Accept),
        3 => Just(Op::Kill),
        2 => (1_u8..12).prop_map(Op::Truncate),
        1 => Just(Op::Restart),
        2 => refusal.prop_map(Op::Refuse),
    ];
    prop::collection::vec(op, 0..200)
}

fn run(ops: impl IntoIterator<Item = Op>, ordered: bool) {
    let mut world = World::new();
    // Most of what can go wrong goes wrong in a room.
    for op in [Op::Accept, Op::Up(usize::MAX), Op::Down(usize::MAX), Op::Up(usize::MAX), Op::Down(usize::MAX)] {
        world.apply(&op);
    }
    ops.into_iter().for_each(|op| world.apply(&op));
    world.heal();
    world.check(ordered);
}

proptest! {
    #[test]
    fn each_message_is_shown_once_in_order_and_each_say_ends(ops in any_ops()) {
        run(ops, false);
    }

    #[test]
    fn without_refusals_our_order_is_kept(ops in any_ops()) {
        run(ops.into_iter().filter(|op| !matches!(op, Op::Refuse(_))), true);
    }
}
