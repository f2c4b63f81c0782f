//! Telnet's commands, taken out of what a person types (RFC 854, RFC 855).

use alloc::vec::Vec;

const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;
/// The option by which one side echoes what the other types (RFC 857).
const ECHO: u8 = 1;

/// Strips telnet's commands from a stream, wherever its reads are split, and declines every option.
///
/// Netcat sends none, and then its bytes pass as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Telnet {
    state: State,
    /// Whether the other side has sent a command: only then does it understand one.
    speaks: bool,
    /// Whether it was told that we echo, so that it does not: what is typed is a password.
    hides: bool,
}

/// What came last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum State {
    /// Text.
    #[default]
    Text,
    /// A CR, in text. CR NUL is the Enter of a telnet in character mode, and means CR LF (RFC 1123, 3.3.1).
    Return,
    /// IAC, in text.
    Command,
    /// IAC and WILL, WONT, DO or DONT: an option follows.
    Verb(u8),
    /// The inside of a subnegotiation, which is skipped.
    Inside,
    /// IAC, inside.
    InsideCommand,
}

impl Telnet {
    /// Whether the other side speaks telnet.
    pub(crate) fn speaks(&self) -> bool {
        self.speaks
    }

    /// What to send so that the other side shows what is typed no more (RFC 857: we say that we echo, and do not), or does
    /// so again; `None`: nothing, it is netcat or does so already.
    pub(crate) fn hide(&mut self, hides: bool) -> Option<[u8; 3]> {
        if !self.speaks || self.hides == hides {
            return None;
        }
        self.hides = hides;
        Some([IAC, if hides { WILL } else { WONT }, ECHO])
    }

    /// Appends the text among `bytes` to `keep`, and to `reply` what is to be sent back: 3 bytes for an option that is
    /// offered or asked for. A refusal is never answered, so no two ends can keep each other busy.
    pub(crate) fn strip(&mut self, bytes: &[u8], keep: &mut Vec<u8>, reply: &mut Vec<u8>) {
        if self.state == State::Text && !bytes.iter().any(|&b| b == IAC || b == 0) {
            keep.extend_from_slice(bytes);
            if bytes.ends_with(b"\r") {
                self.state = State::Return;
            }
            return;
        }
        for &byte in bytes {
            self.state = self.next(byte, keep, reply);
        }
    }

    fn next(&mut self, byte: u8, keep: &mut Vec<u8>, reply: &mut Vec<u8>) -> State {
        match (self.state, byte) {
            (State::Text | State::Return, IAC) => State::Command,
            (State::Text, 0) => State::Text,
            (State::Return, 0) => {
                keep.push(b'\n');
                State::Text
            }
            (State::Text | State::Return, _) => {
                keep.push(byte);
                if byte == b'\r' { State::Return } else { State::Text }
            }
            (State::Command, IAC) => {
                keep.push(IAC);
                State::Text
            }
            (State::Inside, IAC) => State::InsideCommand,
            (State::Inside, _) | (State::InsideCommand, IAC) => State::Inside,
            // Any other command ends a subnegotiation, so that one without an end swallows little.
            (State::Command | State::InsideCommand, WILL..=DONT) => State::Verb(byte),
            (State::Command | State::InsideCommand, SB) => State::Inside,
            (State::Command | State::InsideCommand, _) => State::Text,
            (State::Verb(verb), option) => {
                self.speaks = true;
                match verb {
                    // That is what we said that we do.
                    DO if option == ECHO && self.hides => {}
                    WILL => reply.extend_from_slice(&[IAC, DONT, option]),
                    DO => reply.extend_from_slice(&[IAC, WONT, option]),
                    _ => {}
                }
                State::Text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    const SE: u8 = 240;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn strip(parts: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let (mut telnet, mut keep, mut reply) = (Telnet::default(), Vec::new(), Vec::new());
        for part in parts {
            telnet.strip(part, &mut keep, &mut reply);
        }
        (keep, reply)
    }

    #[test]
    fn every_option_is_declined_once_and_no_refusal_is_answered() {
        let offers = [b'a', IAC, WILL, 31, IAC, DO, 1, IAC, WONT, 3, IAC, DONT, 3, b'b'];
        assert_eq!(strip(&[&offers]), (b"ab".to_vec(), [IAC, DONT, 31, IAC, WONT, 1].to_vec()));
        let (text, reply) = strip(&[&[IAC, WONT, 31, IAC, DONT, 1]]);
        assert!(text.is_empty() && reply.is_empty());
    }

    #[test]
    fn commands_and_subnegotiations_leave_no_text() {
        assert_eq!(strip(&[&[b'a', IAC, 241, b'b', IAC, SB, 24, 0, b'x', IAC, IAC, b'y', IAC, SE, b'c']]).0, b"abc");
    }

    #[test]
    fn a_subnegotiation_without_an_end_is_over_at_the_next_command() {
        let (text, reply) = strip(&[&[IAC, SB, 24, IAC, DO, 6, b'a', b'\n']]);
        assert_eq!((text.as_slice(), reply.as_slice()), (&b"a\n"[..], &[IAC, WONT, 6][..]));
    }

    #[test]
    fn an_escaped_iac_is_text_and_nul_is_nothing() {
        assert_eq!(strip(&[&[b'a', IAC, IAC, 0, b'b']]).0, [b'a', IAC, b'b']);
    }

    #[test]
    fn cr_nul_ends_a_line() {
        assert_eq!(strip(&[b"hi\r\0ho\r\n"]).0, b"hi\r\nho\r\n");
        assert_eq!(strip(&[b"hi\r", b"\0ho"]).0, b"hi\r\nho");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(
            parts in vec(vec(prop_oneof![Just(IAC), SE..=DONT, Just(b'\r'), Just(0), any::<u8>()], 0..6), 0..12),
        ) {
            let whole = parts.concat();
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let (text, reply) = strip(&[&whole]);
            prop_assert!(text.len() + reply.len() <= whole.len());
            prop_assert_eq!(strip(&parts), (text, reply));
        }

        #[test]
        fn what_netcat_sends_passes_as_it_is(text in "[^\0]*") {
            prop_assert_eq!(strip(&[text.as_bytes()]), (text.into_bytes(), Vec::new()));
        }
    }
}
