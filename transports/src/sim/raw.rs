//! Those without a client: people at netcat, and senders of corrupted bytes.

use qun_core::Limits;

use super::dice::Dice;

/// Somebody who sends bytes as they are.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) kind: RawKind,
    /// What they have typed and the network has not taken.
    pub(super) outgoing: Vec<u8>,
    /// Whether they have typed anything here.
    pub(super) has_typed: bool,
    pub(super) stage: Stage,
    /// Whether their input ends behind that.
    pub(super) ends: bool,
    /// The name of the room that they read last.
    room: Option<usize>,
    /// The room that they were let into last by a frame, and its epoch.
    pub(super) epoch: Option<(usize, String)>,
    /// What they read of the line that is not at its end.
    line: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RawKind {
    /// A person who types lines and reads the answers.
    Plain,
    /// Something that sends bytes, and may or may not read.
    Hostile,
}

/// Where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not connected.
    Away,
    /// Connected, and in no room yet.
    Knocking,
    /// In a room.
    In(usize),
    /// They have typed all that they ever will.
    Script,
    /// In no room any more.
    Lobby,
    /// Waiting for an answer, and where they were before.
    Waiting(Option<usize>),
}

impl Raw {
    pub(super) fn new(kind: RawKind) -> Self {
        Self {
            kind,
            outgoing: Vec::new(),
            has_typed: false,
            stage: Stage::Away,
            ends: false,
            room: None,
            epoch: None,
            line: String::new(),
        }
    }

    pub(super) fn types(&mut self, line: &str) {
        self.has_typed = true;
        self.outgoing.extend_from_slice(line.as_bytes());
        self.outgoing.push(b'\n');
    }

    pub(super) fn connected(&mut self) {
        self.stage = Stage::Knocking;
    }

    pub(super) fn disconnected(&mut self) {
        *self = Self { epoch: self.epoch.take(), ..Self::new(self.kind) };
    }

    /// Whether they are asked for their name.
    pub(super) fn is_asked_for_name(&self) -> bool {
        self.line.contains("Your name [")
    }

    /// Reads what arrives, as far as it says where they are.
    pub(super) fn reads(&mut self, bytes: &[u8]) {
        self.line.push_str(&String::from_utf8_lossy(bytes));
        while let Some((line, rest)) = self.line.split_once('\n') {
            if let Some(rest) = line.split_once("{\"t\":\"joined\"").map(|(_, rest)| rest)
                && let Some(room) = rest.split("room-").nth(1).and_then(|rest| rest.get(..1)?.parse().ok())
                && let Some(epoch) = rest.split("\"epoch\":\"").nth(1).and_then(|rest| rest.split('"').next())
            {
                self.epoch = Some((room, epoch.into()));
            }
            let words = line.find("-- ").map_or("", |at| &line[at + 3..]).trim_end().to_string();
            self.line = rest.into();
            self.reads_words(&words);
        }
    }

    fn reads_words(&mut self, words: &str) {
        let title = words.strip_prefix("Room ").and_then(|words| words.split_once(". "));
        // It may be called "Room 0, 12".
        let number = |title: &str| title.split(',').next().and_then(|number| number.parse().ok());
        if words.ends_with(" is closed. To another room: /join CODE") {
            // The answer to a /join may be still to come.
            match self.stage {
                Stage::Script => {}
                Stage::Waiting(_) => self.stage = Stage::Waiting(None),
                _ => self.stage = Stage::Lobby,
            }
        } else if let Some(room) = title.and_then(|(room, _)| number(room)) {
            self.room = Some(room);
        } else if words.starts_with("You are in. ") || words.starts_with("You are in, ") {
            if self.stage != Stage::Script {
                self.stage = self.room.map_or(Stage::Lobby, Stage::In);
            }
        } else if words.starts_with("You left ") {
            // The answer to a /join is still to come; to a /leave this is it.
            match self.stage {
                Stage::Waiting(_) => self.stage = Stage::Waiting(None),
                _ => self.stage = Stage::Lobby,
            }
        } else if let Stage::Waiting(before) = self.stage
            // What was said before that is answered so, too.
            && !words.starts_with("You are in no room")
            && ANSWERS.iter().any(|answer| words.contains(answer))
        {
            self.stage = before.map_or(Stage::Lobby, Stage::In);
        }
    }
}

/// How a person learns that they have an answer, and are not going anywhere.
const ANSWERS: [&str; 12] = [
    "You are ",
    "is taken.",
    "End of history",
    "There is no history",
    "That code does not open",
    "That code has expired",
    "Too fast",
    "Too many wrong codes",
    "The room is full",
    "Try again later",
    "already.",
    "Only people with an account",
];

/// What a hostile one sends: something that could be meant well, and then not quite that.
pub(super) fn corrupted(dice: &mut Dice, who: usize, codes: &[String]) -> Vec<u8> {
    let code = dice.choice(codes).cloned().unwrap_or_default();
    let n = dice.u64(0..40);
    let hello = || format!("{{\"t\":\"hello\",\"id\":\"h{n}\",\"v\":[1],\"name\":\"eve\",\"key\":\"{}\"}}\n", key(who));
    let mut bytes = match dice.u32(0..17) {
        0 | 1 => hello(),
        2 | 3 => format!("{{\"t\":\"join\",\"id\":\"j{n}\",\"code\":\"{code}\",\"tail\":{n}}}\n"),
        4 | 5 => format!("{{\"t\":\"say\",\"id\":\"s{n}\",\"room\":\"room-{}\",\"text\":\"evil {n}\"}}\n", n % 3),
        6 if n > 20 => format!("{{\"t\":\"search\",\"id\":\"x{n}\",\"room\":\"room-{}\",\"words\":\"word\"}}\n", n % 3),
        6 => format!("{{\"t\":\"history\",\"id\":\"x{n}\",\"room\":\"room-{}\",\"before\":{n},\"limit\":9}}\n", n % 3),
        7 => format!("{{\"t\":\"leave\",\"id\":\"l{n}\",\"room\":\"room-{}\"}}\n", n % 3),
        8 => format!("{{\"t\":\"name\",\"id\":\"n{n}\",\"name\":\"eve{n}\"}}\n"),
        9 => format!("{{\"t\":\"join\",\"id\":\"j{n}\",\"room\":\"room-{}\"}}\n", n % 3),
        10 => format!("{code} mallory\r\nhello\r\n/who\r\n/history 5\r\n"),
        11 => "\u{0}\u{1}\u{7f}ÿ\u{202e}\r\n\r\n\n".repeat(3),
        12 => "[".repeat(40) + "\n",
        13 => "x".repeat(dice.usize(1..20_000)),
        14 => "GET / HTTP/1.1\r\nHost: x\r\n\r\n".into(),
        15 => hello() + &"{\"t\":\"join\",\"id\":\"g\",\"code\":\"GUESS-GUESS\"}\n".repeat(dice.usize(5..25)),
        _ => "{\"t\":\"ping\",\"n\":1}\n".repeat(dice.usize(1..40)),
    }
    .into_bytes();
    if dice.bool() {
        for _ in 0..dice.usize(1..4) {
            let at = dice.usize(0..bytes.len());
            match dice.u32(0..4) {
                0 => bytes[at] = dice.u8(..),
                1 => bytes.insert(at, dice.u8(..)),
                2 => bytes[at] ^= 1 << dice.u32(0..8),
                _ => bytes.truncate(at + 1),
            }
        }
    }
    bytes
}

/// What a rude one sends: what can be read well, and is not theirs to ask for, or too much of it. `number` names what is
/// said, and nothing else.
pub(super) fn rude(
    dice: &mut Dice,
    who: usize,
    codes: &[String],
    account: &str,
    epoch: Option<(usize, String)>,
    number: u64,
    limits: &Limits,
) -> Vec<u8> {
    let hello = format!("{{\"t\":\"hello\",\"id\":\"h\",\"v\":[1],\"name\":\"eve\",\"key\":\"{}\"}}\n", key(who));
    let join = |code: &String| format!("{{\"t\":\"join\",\"id\":\"j\",\"code\":\"{code}\",\"tail\":3}}\n");
    let room = dice.usize(0..codes.len());
    let say = |count: usize, text: &str| -> String {
        let line =
            |n| format!("{{\"t\":\"say\",\"id\":\"r{number}-{n}\",\"room\":\"room-{room}\",\"text\":\"{text}\"}}\n");
        (0..count).map(line).collect()
    };
    let name = |n| format!("{{\"t\":\"name\",\"id\":\"n{n}\",\"name\":\"eve{number}-{n}\"}}\n");
    let logs_in = |n| {
        let key = key(who + n + 1);
        format!(
            "{{\"t\":\"hello\",\"id\":\"p{n}\",\"v\":[1],\"name\":\"{account}\",\"key\":\"{key}\",\"password\":\"guess {n}\"}}\n"
        )
    };
    let all = match (dice.u32(0..9), epoch) {
        // With a password that is not the one, and then without any.
        (7, _) => (0..dice.usize(1..15)).map(logs_in).collect::<String>() + &hello,
        (8, _) => hello.replace("\"eve\"", &format!("\"{account}\"")) + &join(&codes[room]) + &say(1, "worn"),
        // From where nobody is yet.
        (6, Some((room, epoch))) if room < codes.len() => {
            let resume = format!(",\"resume\":{{\"epoch\":\"{epoch}\",\"seq\":1000000}}}}");
            hello + &join(&codes[room]).replace('}', &resume)
        }
        // Where they are held, at most.
        (0 | 1, _) => hello + &say(1, "held"),
        (2, _) => hello + &join(&codes[room]) + &say(dice.usize(5..40), "fast"),
        (3, _) => hello + &join(&codes[room]) + &say(1, &"x".repeat(limits.text.bytes + 1)),
        (4, _) => hello + &codes.iter().map(join).collect::<String>(),
        _ => hello + &join(&codes[room]) + &(0..dice.usize(5..40)).map(name).collect::<String>(),
    };
    all.into_bytes()
}

/// A key of their own, that no corruption makes another's.
pub(super) fn key(who: usize) -> String {
    char::from(b'A' + (who % 26) as u8).to_string().repeat(22)
}
