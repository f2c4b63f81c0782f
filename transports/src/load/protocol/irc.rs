//! IRC (RFC 2812), as far as one talks in one channel.

use std::io::Write as _;

use super::{Frame, Me, name};

pub(super) fn enter(me: Me<'_>, out: &mut Vec<u8>) {
    let name = name(me.number);
    let _ = write!(out, "NICK {name}\r\nUSER {name} 0 * :{name}\r\n");
}

pub(super) fn say(me: Me<'_>, text: &[u8], out: &mut Vec<u8>) {
    let _ = write!(out, "PRIVMSG #{} :", me.door);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

pub(super) fn leave(me: Me<'_>, out: &mut Vec<u8>) {
    let _ = write!(out, "PART #{}\r\nQUIT :done\r\n", me.door);
}

pub(super) fn read<'a>(me: Me<'_>, line: &'a [u8]) -> Frame<'a> {
    let mut words = line.split(|&byte| byte == b' ');
    let mut command = words.next().unwrap_or_default();
    if command.starts_with(b":") {
        command = words.next().unwrap_or_default();
    }
    match command {
        b"PRIVMSG" => Frame::Message,
        b"PING" => {
            let mut pong = b"PONG ".to_vec();
            pong.extend(words.next().unwrap_or_default());
            pong.extend(b"\r\n");
            Frame::Answer(pong)
        }
        // RPL_WELCOME, RPL_ENDOFNAMES
        b"001" => Frame::Answer(format!("JOIN #{}\r\n", me.door).into_bytes()),
        b"366" => Frame::Entered(None),
        // ERR_NOMOTD comes on the way in; of the others none does.
        b"422" => Frame::Other,
        [b'4' | b'5', b'0'..=b'9', b'0'..=b'9'] => Frame::Refused,
        b"ERROR" => Frame::Refused,
        _ => Frame::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_understands_a_server() {
        let me = Me { number: 1, door: "r0", room: "r0", said: 0 };
        assert_eq!(read(me, b":irc.test 001 b1 :Welcome"), Frame::Answer(b"JOIN #r0\r\n".into()));
        assert_eq!(read(me, b":irc.test 366 b1 #r0 :End of NAMES list"), Frame::Entered(None));
        assert_eq!(read(me, b"PING :x1"), Frame::Answer(b"PONG :x1\r\n".into()));
        assert_eq!(read(me, b":irc.test 433 * b1 :taken"), Frame::Refused);
        assert_eq!(read(me, b":b1!b1@h PRIVMSG #r0 :hi"), Frame::Message);
    }
}
