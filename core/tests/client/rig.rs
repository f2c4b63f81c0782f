//! A driver whose clock the test moves, and the lines of a server that the test writes.

use std::time::Duration;

use qun_core::client::{Action, Client, Config, Event, Input};
use qun_core::json::{Door, Request};
use qun_core::{Code, Entropy, Id, Instant, Key, Now, RoomId};

pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) now: Now,
    pub(crate) connects: usize,
    pub(crate) closes: usize,
    events: Vec<Event>,
    sent: Vec<Request>,
}

pub(crate) fn config() -> Config {
    Config {
        agent: "test/1".into(),
        name: "ann".parse().ok(),
        key: Key::generate(&mut Entropy::new([1; 32])),
        tail: 50,
        timeline: 100,
        password: None,
        backoff: Duration::from_secs(20),
    }
}

pub(crate) fn ops() -> RoomId {
    "ops".parse().expect("a room")
}

pub(crate) fn code() -> Code {
    "K7QM-2XD4".parse().expect("a code")
}

impl Rig {
    /// A client that was just made, an hour after its driver.
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let now = Now { mono: Instant::from_micros(3_600_000_000), unix_ms: 1_771_329_600_000 };
        let client = Client::new(config, [2; 32]);
        let mut rig = Self { client, now, connects: 0, closes: 0, events: Vec::new(), sent: Vec::new() };
        rig.drain();
        rig
    }

    /// A client that is online.
    pub(crate) fn online() -> Self {
        let mut rig = Self::new();
        rig.greet();
        rig
    }

    /// A client that is in `ops`, whose ten messages it joined behind.
    pub(crate) fn in_room() -> Self {
        let mut rig = Self::online();
        let re = rig.client.join(rig.now, code());
        rig.drain();
        rig.feed(&joined(re, "ops", "e1", 1, 11, 10));
        rig.forget();
        rig
    }

    pub(crate) fn greet(&mut self) {
        self.input(Input::Connected);
        self.feed(&welcome());
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        self.client.handle(self.now, input);
        self.drain();
    }

    pub(crate) fn feed(&mut self, line: &str) {
        self.input(Input::Received(format!("{line}\n").as_bytes()));
    }

    pub(crate) fn say(&mut self, text: &str) -> Id {
        let text = text.parse().expect("a text");
        let id = self.client.say(self.now, &ops(), Default::default(), text).expect("in the room");
        self.drain();
        id
    }

    /// Time passes, and the driver wakes only when the machine wants it to.
    pub(crate) fn pass(&mut self, wait: Duration) {
        self.drain();
        let end = self.now.mono + wait;
        while let Some(due) = self.client.deadline().filter(|due| *due <= end) {
            assert!(due > self.now.mono, "after draining, the deadline lies ahead");
            self.leap(due.since(self.now.mono));
        }
        self.leap(end.since(self.now.mono));
    }

    /// Time passes unseen.
    pub(crate) fn leap(&mut self, wait: Duration) {
        let micros = self.now.mono.as_micros() % 1_000 + wait.as_micros() as u64;
        self.now.unix_ms += micros / 1_000;
        self.now.mono = self.now.mono + wait;
        self.input(Input::Tick);
    }

    /// The connection ends, the next attempt comes and succeeds; no word is said yet.
    pub(crate) fn reconnect(&mut self) {
        self.input(Input::Disconnected);
        let connects = self.connects;
        self.pass(Duration::from_secs(21));
        assert_eq!(self.connects, connects + 1);
        self.input(Input::Connected);
    }

    /// Polls until there is nothing.
    pub(crate) fn drain(&mut self) {
        while let Some(action) = self.client.poll() {
            match action {
                Action::Connect => self.connects += 1,
                Action::Close => self.closes += 1,
                Action::Show(event) => self.events.push(event),
                Action::Transmit => self.flush(),
            }
        }
        assert!(self.client.transmit().is_none(), "bytes to send and no edge for them");
    }

    fn flush(&mut self) {
        while let Some(mut transmit) = self.client.transmit() {
            let mut slices = [&b""[..]; 2];
            let n = transmit.gather(&mut slices, |bytes| bytes);
            let bytes = slices[..n].concat();
            for line in bytes.split_inclusive(|b| *b == b'\n') {
                let line = line.strip_suffix(b"\n").expect("whole lines");
                self.sent.push(Request::decode(line).expect("a request"));
            }
            transmit.advance(bytes.len()).expect("no more than there was");
        }
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn sent(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.sent)
    }

    pub(crate) fn forget(&mut self) {
        self.events.clear();
        self.sent.clear();
    }

    /// What was shown of messages, in short: `5 hi`, `6 ho mine`, `lost 7-9`, `restarted`; other events are left out.
    pub(crate) fn shown(&mut self) -> Vec<String> {
        self.events().iter().filter_map(short).collect()
    }

    /// The ids and rooms' resume positions of the joins that were sent, and nothing else may have been.
    pub(crate) fn joins(&mut self) -> Vec<(Id, Option<u64>)> {
        let join = |request| match request {
            Request::Join { id: Some(id), door: Door::Code(_), resume, .. } => {
                Some((id, resume.map(|position| position.seq.get())))
            }
            _ => None,
        };
        self.sent().into_iter().filter_map(join).collect()
    }

    /// The texts of the says that were sent.
    pub(crate) fn said(&mut self) -> Vec<(Id, String)> {
        let say = |request| match request {
            Request::Say { id: Some(id), text, .. } => Some((id, text.to_string())),
            _ => None,
        };
        self.sent().into_iter().filter_map(say).collect()
    }

    /// The one history request that was sent: its id, behind which seq, how many.
    pub(crate) fn fetched(&mut self) -> (Id, u64, u64) {
        let fetch = |request| match request {
            Request::History { id: Some(id), span: qun_core::log::Span::After(after), limit: Some(limit), .. } => {
                Some((id, after.get(), limit))
            }
            _ => None,
        };
        let fetches: Vec<_> = self.sent().into_iter().filter_map(fetch).collect();
        assert_eq!(fetches.len(), 1, "one page at a time: {fetches:?}");
        fetches[0]
    }
}

pub(crate) fn short(event: &Event) -> Option<String> {
    Some(match event {
        Event::Message { message, mine, live, .. } => {
            let mine = if *mine { " mine" } else { "" };
            let live = if *live { "" } else { " backlog" };
            format!("{} {}{mine}{live}", message.seq, message.text)
        }
        Event::Lost { from, to, .. } => format!("lost {from}-{to}"),
        Event::Restarted { .. } => "restarted".into(),
        Event::Unconfirmed { text, .. } => format!("unconfirmed {text}"),
        Event::Delivered { .. } => "delivered".into(),
        Event::Refused { code, .. } => format!("refused {}", code.as_str()),
        Event::Left { .. } => "left".into(),
        _ => return None,
    })
}

pub(crate) fn welcome() -> String {
    welcome_with(false, 10, 2)
}

pub(crate) fn welcome_with(resumed: bool, burst: u64, per_s: u64) -> String {
    let m = config().key.member();
    format!(
        r#"{{"t":"welcome","v":1,"server":"s","m":"{m}","name":"ann","resumed":{resumed},"now":0,"ping_s":25,"grace_s":60,"limits":{{"line":16384,"text":4000,"lines":64,"name":32,"replay":200,"burst":{burst},"per_s":{per_s}}}}}"#
    )
}

pub(crate) fn joined(re: Id, room: &str, epoch: &str, first: u64, from: u64, head: u64) -> String {
    let m = config().key.member();
    format!(
        r#"{{"t":"joined","re":"{re}","room":{{"id":"{room}","title":"On-call","role":"talk"}},"here":2,"members":[{{"m":"bbbbbbbbbb","name":"bob"}},{{"m":"{m}","name":"ann"}}],"epoch":"{epoch}","first":{first},"from":{from},"head":{head}}}"#
    )
}

/// A message of bob's.
pub(crate) fn msg(seq: u64, text: &str) -> String {
    format!(r#"{{"t":"msg","room":"ops","seq":{seq},"ts":1,"m":"bbbbbbbbbb","name":"bob","text":"{text}"}}"#)
}

/// A message of ours.
pub(crate) fn echo(seq: u64, text: &str, id: Id) -> String {
    let m = config().key.member();
    format!(r#"{{"t":"msg","room":"ops","seq":{seq},"ts":1,"m":"{m}","name":"ann","text":"{text}","id":"{id}"}}"#)
}

/// A page of bob's messages.
pub(crate) fn page(re: Id, first: u64, more: bool, seqs: impl IntoIterator<Item = u64>) -> String {
    let msgs: Vec<String> = seqs
        .into_iter()
        .map(|seq| format!(r#"{{"seq":{seq},"ts":1,"m":"bbbbbbbbbb","name":"bob","text":"m{seq}"}}"#))
        .collect();
    let msgs = msgs.join(",");
    format!(r#"{{"t":"page","re":"{re}","room":"ops","epoch":"e1","first":{first},"more":{more},"msgs":[{msgs}]}}"#)
}

pub(crate) fn error(re: Id, code: &str, retry: &str, wait_ms: u64) -> String {
    format!(r#"{{"t":"error","re":"{re}","code":"{code}","retry":"{retry}","wait_ms":{wait_ms},"text":"No."}}"#)
}
