//! A password, as a person types it: shown nowhere, remembered nowhere, overwritten after use.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::thread;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal;
use qun_core::Password;
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use zeroize::{Zeroize as _, Zeroizing};

use crate::exit::{Exit, Failure};

/// Bytes that are taken: all that a password may have before it is spelt in one way, and room for a slip.
const MOST: usize = 4 * Password::MAX_BYTES;

/// What is being typed.
pub(crate) struct Secret(Zeroizing<String>);

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    /// It goes on.
    Edited,
    /// That was all.
    Entered,
    /// Ctrl-C, Ctrl-D or Escape: the person does not want to.
    Cancelled,
}

impl Secret {
    pub(crate) fn new() -> Self {
        // Room for all of it at once: a string that grows leaves copies behind.
        Self(Zeroizing::new(String::with_capacity(MOST)))
    }

    /// Takes a key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Stroke {
        if key.kind == KeyEventKind::Release {
            return Stroke::Edited;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => return Stroke::Entered,
            KeyCode::Char('j' | 'm') if control => return Stroke::Entered,
            KeyCode::Esc => return Stroke::Cancelled,
            KeyCode::Char('c' | 'd') if control => return Stroke::Cancelled,
            KeyCode::Char('u') if control => self.0.zeroize(),
            KeyCode::Backspace => drop(self.0.pop()),
            KeyCode::Char('h') if control => drop(self.0.pop()),
            // Both at once is how some layouts type a third character.
            KeyCode::Char(c) if control == key.modifiers.contains(KeyModifiers::ALT) => self.push(c),
            _ => {}
        }
        Stroke::Edited
    }

    /// Takes a paste up to the end of its first line; what follows was meant for nobody.
    pub(crate) fn paste(&mut self, pasted: &str) -> Stroke {
        let line = pasted.split(['\r', '\n']).next().unwrap_or_default();
        line.chars().for_each(|c| self.push(c));
        if line.len() < pasted.len() { Stroke::Entered } else { Stroke::Edited }
    }

    /// The password.
    ///
    /// # Errors
    /// Where it can be none.
    pub(crate) fn password(&self) -> Result<Password, qun_core::PasswordError> {
        self.0.parse()
    }

    fn push(&mut self, c: char) {
        // What is longer is no password, and needs no more to be one.
        if self.0.len() + c.len_utf8() <= MOST {
            self.0.push(c);
        }
    }
}

/// Asks for a password at the terminal, whatever stdin and stdout are.
///
/// # Errors
/// Where there is no terminal, the person does not want to, or what is answered can be none.
pub(crate) fn ask(words: &str) -> Result<Password, Failure> {
    let cant = |error: io::Error| Failure::usage(format!("can't ask for the password: {error}"));
    let mut terminal = question().map_err(cant)?;
    let mut secret = Secret::new();
    let stroke = {
        // Before the question: from the moment that it can be read on, nothing that is typed is shown.
        let _silence = Silence::begin().map_err(cant)?;
        terminal.write_all(words.as_bytes()).map_err(cant)?;
        let stroke = loop {
            let Event::Key(key) = event::read().map_err(cant)? else { continue };
            match secret.key(key) {
                Stroke::Edited => {}
                stroke => break stroke,
            }
        };
        terminal.write_all(b"\r\n").map_err(cant)?;
        stroke
    };
    if stroke == Stroke::Cancelled {
        return Err(Failure { exit: Exit::Interrupted, text: "no password".into() });
    }
    secret.password().map_err(|error| Failure::usage(format!("that is no password: {error}")))
}

/// Where the question goes: not to stdout, which may be for programs.
fn question() -> io::Result<Box<dyn Write>> {
    Ok(if io::stderr().is_terminal() {
        Box::new(io::stderr())
    } else {
        Box::new(File::options().write(true).open("/dev/tty")?)
    })
}

/// A terminal that echoes nothing; as it was again when this is dropped, or when the program is told to end meanwhile: a
/// shell that shows nothing of what is typed looks broken. Ctrl-C is a key here, and no signal.
struct Silence {
    signals: signal_hook::iterator::Handle,
}

impl Silence {
    fn begin() -> io::Result<Self> {
        let mut signals = Signals::new([SIGTERM])?;
        let silence = Self { signals: signals.handle() };
        terminal::enable_raw_mode()?;
        thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                let _ = terminal::disable_raw_mode();
                let _ = emulate_default_handler(signal);
            }
        })?;
        Ok(silence)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Whoever goes on has other ideas of what it means to be told to end.
        self.signals.close();
        // Nobody is left to tell that the terminal is gone.
        let _ = terminal::disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(secret: &mut Secret, code: KeyCode, modifiers: KeyModifiers) -> Stroke {
        secret.key(KeyEvent::new(code, modifiers))
    }

    fn typed(secret: &mut Secret, text: &str) {
        for c in text.chars() {
            assert_eq!(press(secret, KeyCode::Char(c), KeyModifiers::NONE), Stroke::Edited);
        }
    }

    #[test]
    fn a_password_is_what_was_typed_and_not_taken_back() {
        let mut secret = Secret::new();
        typed(&mut secret, "wrong");
        press(&mut secret, KeyCode::Char('u'), KeyModifiers::CONTROL);
        typed(&mut secret, " corrected horse");
        press(&mut secret, KeyCode::Left, KeyModifiers::NONE);
        for _ in 0.."ed horse".len() {
            press(&mut secret, KeyCode::Backspace, KeyModifiers::NONE);
        }
        typed(&mut secret, " 马");
        assert_eq!(press(&mut secret, KeyCode::Enter, KeyModifiers::NONE), Stroke::Entered);
        assert_eq!(secret.password(), " correct 马".parse());
    }

    #[test]
    fn a_paste_ends_with_its_first_line() {
        let mut secret = Secret::new();
        assert_eq!(secret.paste("one"), Stroke::Edited);
        assert_eq!(secret.paste("two\rsaid to nobody\r"), Stroke::Entered);
        assert_eq!(secret.password(), "onetwo".parse());
    }

    #[test]
    fn whoever_does_not_want_to_is_let_go() {
        for (code, modifiers) in [
            (KeyCode::Esc, KeyModifiers::NONE),
            (KeyCode::Char('c'), KeyModifiers::CONTROL),
            (KeyCode::Char('d'), KeyModifiers::CONTROL),
        ] {
            assert_eq!(press(&mut Secret::new(), code, modifiers), Stroke::Cancelled);
        }
    }

    #[test]
    fn what_is_too_long_is_refused_and_moves_no_bytes() {
        let mut secret = Secret::new();
        let at = secret.0.as_ptr();
        typed(&mut secret, &"长".repeat(MOST));
        assert_eq!((secret.0.as_ptr(), secret.0.len() <= MOST), (at, true));
        assert!(secret.password().is_err());
    }
}
