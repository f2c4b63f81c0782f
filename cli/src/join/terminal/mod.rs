//! A room on a terminal.

mod prompt;

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};
use std::{io, thread};

use jiff::ZonedDateTime;
use qun_core::client::{Door, Event};
use qun_core::json::{ErrorCode, Person};
use qun_core::{Id, Name, Role, RoomId};

use crate::door::Knock;
use crate::exit::{Exit, Failure};
use crate::join::command::{self, Typed};
use crate::join::editor::{Editor, Stroke};
use crate::join::line::Line;
use crate::join::pipe::answered;
use crate::join::screen::Screen;
use crate::join::scribe::Scribe;
use crate::secret::{self, Secret};
use crate::session::{Clock, Doing, Msg, Session, State};
use crate::text::{self, LIMITS};

/// How long leaving may take: the machine gives what was said 5 s, and the goodbye 2.
const GOODBYE: Duration = Duration::from_secs(8);

/// Messages that are handled before the screen is drawn again.
const BATCH: usize = 256;

/// Runs until the person leaves or the server ends it.
///
/// # Errors
/// What ended it, where that is a failure.
pub(super) fn run(
    session: Session,
    inbox: &Receiver<Msg>,
    server: &str,
    name: Option<Name>,
    knock: Knock,
) -> Result<Exit, Failure> {
    let lost = |error: io::Error| Failure::usage(format!("the terminal fails: {error}"));
    let mut screen = Screen::take().map_err(lost)?;
    let to = session.inbox();
    thread::Builder::new().name("keys".into()).spawn(move || read_keys(&to)).map_err(lost)?;
    let mut terminal = Terminal {
        scribe: Scribe::new(server, session.member, name, &ZonedDateTime::now()),
        session,
        editor: Editor::default(),
        asking: None,
        lines: Vec::new(),
        clock: None,
        state: None,
        rooms: Vec::new(),
        given: HashMap::new(),
        stage: Stage::Outside,
        unsettled: 0,
        unsent: 0,
        clears: false,
    };
    match knock {
        Knock::At(door) => terminal.knock(door),
        Knock::Ask => {}
    }
    loop {
        if std::mem::take(&mut terminal.clears) {
            screen.clear().map_err(lost)?;
        }
        let label = terminal.label(screen.columns());
        let lines = std::mem::take(&mut terminal.lines);
        let (text, cursor) = terminal.typed_so_far();
        screen.show(&lines, &label, text, cursor).map_err(lost)?;
        let mut next = match terminal.wake() {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wait) => inbox.recv_timeout(wait),
        };
        for _ in 0..BATCH {
            let over = match next {
                Ok(Msg::Terminal(crossterm::event::Event::Resize(columns, rows))) => {
                    screen.resize(columns, rows);
                    None
                }
                Ok(msg) => terminal.take(msg),
                Err(RecvTimeoutError::Timeout) => terminal.late(),
                Err(RecvTimeoutError::Disconnected) => Some(Ok(Exit::Ok)),
            };
            if let Some(over) = over {
                let lines = std::mem::take(&mut terminal.lines);
                screen.show(&lines, "", "", 0).map_err(lost)?;
                return over;
            }
            match inbox.try_recv() {
                Ok(msg) => next = Ok(msg),
                Err(_) => break,
            }
        }
    }
}

/// Messages that `/search` shows: as many as a screen holds.
const FOUND: u64 = 20;

/// How it is over.
type Over = Option<Result<Exit, Failure>>;

/// One run of `qun join` on a terminal.
struct Terminal {
    session: Session,
    scribe: Scribe,
    editor: Editor,
    /// Who is logging in, where a password is asked for: it is typed in place of a line, and shown nowhere.
    asking: Option<(Name, Secret)>,
    /// What is to be shown above the prompt.
    lines: Vec<Line>,
    clock: Option<Clock>,
    state: Option<State>,
    /// The rooms that we are in, in the order of joining.
    rooms: Vec<RoomId>,
    /// What was asked for and not answered.
    given: HashMap<Id, Doing>,
    stage: Stage,
    /// Messages that nobody can tell whether they were said.
    unsettled: usize,
    /// Messages that were refused, or never sent, because we left.
    unsent: usize,
    /// Whether the screen is to be cleared.
    clears: bool,
}

/// How far the person has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// In no room: what is typed is a code.
    Outside,
    /// The first code is being tried.
    Knocking,
    /// In a room: what is typed is said there.
    Inside,
    /// Goodbye is said.
    Leaving {
        /// How to exit then.
        exit: Exit,
        /// When at the latest.
        until: Instant,
    },
}

impl Terminal {
    /// Handles what arrived.
    fn take(&mut self, msg: Msg) -> Over {
        match msg {
            Msg::Client { event, members, state } => {
                self.state = Some(state);
                return self.event(&event, members.as_deref());
            }
            Msg::Given { id, doing, state } => {
                self.state = Some(state);
                self.given.insert(id, doing);
            }
            Msg::NotMember(doing) => self.not_member(&doing),
            Msg::Who(room, here, members) => {
                let who = self.scribe.who(here, members.as_deref());
                self.lines.push(Line::room(format!("{}. {who}", self.scribe.title(&room))));
            }
            Msg::Clock(clock) => self.clock = Some(clock),
            Msg::Signal => return self.leave(Exit::Interrupted),
            Msg::EndOfInput => return self.leave(Exit::Ok),
            Msg::Terminal(crossterm::event::Event::Key(key)) if let Some((_, secret)) = &mut self.asking => {
                let stroke = secret.key(key);
                self.asked(stroke);
            }
            Msg::Terminal(crossterm::event::Event::Paste(pasted)) if let Some((_, secret)) = &mut self.asking => {
                let stroke = secret.paste(&pasted);
                self.asked(stroke);
            }
            Msg::Terminal(crossterm::event::Event::Key(key)) => match self.editor.key(key) {
                Stroke::Edited => {}
                Stroke::Entered(line) => return self.entered(&line),
                Stroke::EndOfInput => return self.leave(Exit::Ok),
                Stroke::Interrupt => return self.leave(Exit::Interrupted),
                Stroke::ClearScreen => self.clears = true,
            },
            Msg::Terminal(crossterm::event::Event::Paste(pasted)) => {
                for line in self.editor.paste(&pasted) {
                    if let Some(over) = self.entered(&line) {
                        return Some(over);
                    }
                }
            }
            Msg::Terminal(_) | Msg::Line(_) => {}
        }
        None
    }

    fn event(&mut self, event: &Event, members: Option<&[Person]>) -> Over {
        let doing = answered(event).and_then(|id| self.given.remove(&id));
        match event {
            Event::Joined { re, room, .. } => {
                if !self.rooms.contains(room) {
                    self.rooms.push(room.clone());
                }
                if re.is_some() {
                    self.scribe.current = Some(room.clone());
                }
                if matches!(self.stage, Stage::Outside | Stage::Knocking) {
                    self.stage = Stage::Inside;
                }
            }
            Event::Refused { code, text, left, .. } => {
                self.refused(code, text, *left, doing);
                return None;
            }
            Event::Unconfirmed { .. } => self.unsettled += 1,
            Event::Ended { bye } => {
                if let Stage::Leaving { exit, .. } = self.stage {
                    return Some(self.left(exit));
                }
                let text = bye.as_ref().map_or("the server is done", crate::errand::said).to_string();
                return Some(Err(Failure { exit: Exit::Refused, text }));
            }
            _ => {}
        }
        self.lines.extend(self.scribe.tell(event, members));
        if let Event::Left { room, bye, .. } = event {
            self.rooms.retain(|other| other != room);
            if self.scribe.current.as_ref() == Some(room) {
                // What was being typed was for that room: it is no code, and not for the next room.
                let typed = if bye.is_some() { self.editor.take() } else { String::new() };
                if !typed.trim().is_empty() {
                    self.lines.push(Line { head: "-- Not said: ".into(), ..Line::aside(typed) });
                }
                self.scribe.current = self.rooms.first().cloned();
                self.show_current();
            }
        }
        None
    }

    fn refused(&mut self, code: &ErrorCode, text: &str, left: Option<u64>, doing: Option<Doing>) {
        let why = crate::join::scribe::refusal(code, text, left);
        match doing {
            Some(Doing::Join(_)) if self.rooms.is_empty() && !matches!(self.stage, Stage::Leaving { .. }) => {
                self.stage = Stage::Outside;
                self.aside(why);
            }
            Some(Doing::Say { text, .. }) => {
                if matches!(self.stage, Stage::Leaving { .. }) {
                    self.unsent += 1;
                }
                self.lines.push(Line { head: "-- Not said: ".into(), ..Line::aside(text.as_str()) });
                self.aside(why);
            }
            _ => self.aside(why),
        }
    }

    /// A line was entered.
    fn entered(&mut self, line: &str) -> Over {
        match self.stage {
            Stage::Outside => return self.entered_outside(line),
            Stage::Leaving { .. } => {}
            Stage::Knocking | Stage::Inside => {
                let typed = Typed::parse(line);
                // Somebody may have typed the password behind the name.
                if !(matches!(typed, Typed::Wrong(_)) && line.starts_with("/login")) {
                    self.editor.remember(line);
                }
                return self.typed(typed, line);
            }
        }
        None
    }

    /// What is entered outside is a code, or one of the commands that need no room. It is not remembered.
    fn entered_outside(&mut self, line: &str) -> Over {
        match Typed::parse(line) {
            Typed::Say(..) => match line.parse() {
                Ok(door) => self.knock(door),
                Err(error) => self.aside(format!("That can't be a code: {error}.")),
            },
            Typed::Blank => self.session.reconnect(),
            typed @ (Typed::Join(_) | Typed::Login(_) | Typed::Help | Typed::Quit | Typed::Wrong(_)) => {
                return self.typed(typed, line);
            }
            Typed::Name(name) => self.session.give(Doing::Rename(name)),
            _ => self.aside("You are in no room: type a code, or /quit."),
        }
        None
    }

    fn typed(&mut self, typed: Typed, line: &str) -> Over {
        let current = self.scribe.current.clone();
        match (typed, current) {
            // Waiting for the next attempt is all that Enter can cut short.
            (Typed::Blank, _) => self.session.reconnect(),
            (Typed::Quit, _) => return self.leave(Exit::Ok),
            (Typed::Help, _) => {
                let role = self.scribe.role();
                let keeping = command::KEEPING.iter().filter(|_| role >= Role::Moderator);
                let owning = command::OWNING.iter().filter(|_| role >= Role::Owner);
                let help = command::HELP.iter().chain(keeping).chain(owning);
                self.lines.extend(help.map(|help| Line::room(*help)));
            }
            (Typed::Wrong(what), _) => self.aside(sentence(&what)),
            (Typed::Name(name), _) => self.session.give(Doing::Rename(name)),
            (Typed::Join(door), _) => self.knock(door),
            (Typed::Login(name), _) => self.ask_password(name),
            (Typed::Rooms, _) => {
                for room in &self.rooms {
                    let here = if self.scribe.current.as_ref() == Some(room) { ", where you talk" } else { "" };
                    self.lines.push(Line::room(format!("{room}: {}{here}", self.scribe.title(room))));
                }
                for open in self.scribe.open().iter().filter(|open| !self.rooms.contains(&open.id)) {
                    self.lines.push(Line::room(format!("{}: {}, open to you: /join {0}", open.id, open.title)));
                }
            }
            (Typed::Room(room), _) if self.rooms.contains(&room) => {
                self.scribe.current = Some(room);
                self.show_current();
            }
            (Typed::Room(room), _) => self.aside(format!("You are not in {room}: /rooms lists the rooms you are in.")),
            (_, None) => {
                self.editor.put_back(line);
                self.aside("You are in no room yet.");
            }
            (Typed::Say(kind, written), Some(room)) => {
                let limits = self.state.as_ref().map_or(LIMITS, |state| state.text);
                match text::pieces(&written, &limits) {
                    Ok(texts) => {
                        for text in texts {
                            self.session.give(Doing::Say { room: room.clone(), kind: kind.clone(), text });
                        }
                    }
                    Err(text::Unsayable::Nothing) => {}
                    Err(text::Unsayable::Line { error, .. }) => self.aside(format!("Not said: {error}.")),
                }
            }
            (Typed::Who, Some(room)) => self.session.ask_who(room),
            (Typed::History(limit), Some(room)) => match self.scribe.oldest(&room) {
                Some(before) => self.session.give(Doing::History { room, before, limit }),
                None => self.aside("There is nothing older."),
            },
            (Typed::Search(words), Some(room)) => {
                self.session.give(Doing::Search { room, words, before: None, limit: FOUND });
            }
            (Typed::Order(order), Some(room)) => self.session.give(Doing::Order(room, order)),
            (Typed::Leave, Some(room)) => self.session.give(Doing::Leave(room)),
        }
        None
    }

    /// Asks for the password of an account: of this one, or of the one that is called as we are.
    fn ask_password(&mut self, name: Option<Name>) {
        match name.or_else(|| self.scribe.name().cloned()) {
            Some(name) => self.asking = Some((name, Secret::new())),
            None => self.aside("As whom? /login NAME"),
        }
    }

    /// A key or a paste was taken for the password.
    fn asked(&mut self, stroke: secret::Stroke) {
        let asking = match stroke {
            secret::Stroke::Edited => return,
            secret::Stroke::Entered | secret::Stroke::Cancelled => self.asking.take(),
        };
        let Some((name, secret)) = asking.filter(|_| stroke == secret::Stroke::Entered) else {
            return self.aside("Not logged in.");
        };
        match secret.password() {
            Ok(password) => self.session.give(Doing::Login(name, password)),
            Err(error) => self.aside(format!("Not logged in: {error}.")),
        }
    }

    fn knock(&mut self, door: Door) {
        if self.rooms.is_empty() {
            self.stage = Stage::Knocking;
        }
        self.session.give(Doing::Join(door));
    }

    fn not_member(&mut self, doing: &Doing) {
        if let Doing::Say { text, .. } = doing {
            self.editor.put_back(text.as_str());
        }
        self.aside("You are no longer in that room.");
    }

    fn show_current(&mut self) {
        match &self.scribe.current {
            Some(room) => self.lines.push(Line::room(format!("You talk in {}.", self.scribe.title(room)))),
            None => {
                if !matches!(self.stage, Stage::Leaving { .. }) {
                    self.stage = Stage::Outside;
                }
            }
        }
    }

    fn aside(&mut self, text: impl Into<String>) {
        self.lines.push(Line::aside(text));
    }

    /// Leaves politely; at the second time, at once.
    fn leave(&mut self, exit: Exit) -> Over {
        if let Stage::Leaving { .. } = self.stage {
            self.unsettled += self.pending();
            return Some(self.left(Exit::Interrupted));
        }
        self.stage = Stage::Leaving { exit, until: Instant::now() + GOODBYE };
        self.session.bye();
        match self.pending() {
            0 => {}
            1 => self.aside("Leaving once your message is confirmed. Ctrl-C leaves at once."),
            n => self.aside(format!("Leaving once your {n} messages are confirmed. Ctrl-C leaves at once.")),
        }
        None
    }

    /// Time is up, if it is for leaving; else it was time to draw.
    fn late(&mut self) -> Over {
        match self.stage {
            Stage::Leaving { exit, until } if Instant::now() >= until => {
                self.unsettled += self.pending();
                Some(self.left(exit))
            }
            _ => None,
        }
    }

    fn left(&self, exit: Exit) -> Result<Exit, Failure> {
        let (exit, n, what) = match (self.unsettled, self.unsent) {
            (0, 0) => return Ok(exit),
            (0, n) => (Exit::Network, n, "not said"),
            (n, _) => (Exit::Unconfirmed, n, "not confirmed"),
        };
        let messages = if n == 1 { "a message was".into() } else { format!("{n} messages were") };
        Err(Failure { exit, text: format!("{messages} {what}") })
    }

    fn pending(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.pending)
    }
}

/// An error, which begins as the rest of a line, as a line of its own.
fn sentence(error: &str) -> String {
    let mut chars = error.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).chain(['.']).collect()).unwrap_or_default()
}

/// Reads keys until the terminal is gone.
fn read_keys(to: &SyncSender<Msg>) {
    loop {
        let msg = crossterm::event::read().map_or(Msg::EndOfInput, Msg::Terminal);
        let is_last = matches!(msg, Msg::EndOfInput);
        if to.send(msg).is_err() || is_last {
            return;
        }
    }
}
