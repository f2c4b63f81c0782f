//! MQTT 3.1.1 with quality of service 0: a topic for each room.

use super::{Frame, Me, Nonsense, name};

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const UNSUBSCRIBE: u8 = 0xa2;
const DISCONNECT: u8 = 0xe0;

/// Only the protocol's name, its level, a clean session and no keep-alive; the subscription follows the acknowledgement.
pub(super) fn enter(me: Me<'_>, out: &mut Vec<u8>) {
    let mut body = b"\0\x04MQTT\x04\x02\0\0".to_vec();
    string(name(me.number).as_bytes(), &mut body);
    packet(CONNECT, &[&body], out);
}

pub(super) fn say(me: Me<'_>, text: &[u8], out: &mut Vec<u8>) {
    let mut topic = Vec::new();
    string(me.door.as_bytes(), &mut topic);
    packet(PUBLISH, &[&topic, text], out);
}

pub(super) fn leave(me: Me<'_>, out: &mut Vec<u8>) {
    let mut topic = Vec::new();
    string(me.door.as_bytes(), &mut topic);
    packet(UNSUBSCRIBE, &[b"\0\x02", &topic], out);
    packet(DISCONNECT, &[], out);
}

fn subscribe(me: Me<'_>) -> Vec<u8> {
    let mut topic = Vec::new();
    string(me.door.as_bytes(), &mut topic);
    let mut out = Vec::new();
    packet(SUBSCRIBE, &[b"\0\x01", &topic, b"\0"], &mut out);
    out
}

fn string(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text);
}

fn packet(kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    out.push(kind);
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    loop {
        let more = length >> 7;
        out.push((length & 0x7f) as u8 | if more > 0 { 0x80 } else { 0 });
        length = more;
        if length == 0 {
            break;
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

pub(super) fn frame<'a>(me: Me<'_>, bytes: &'a [u8]) -> Result<Option<(usize, Frame<'a>)>, Nonsense> {
    let Some((&kind, rest)) = bytes.split_first() else { return Ok(None) };
    let mut length = 0;
    for (index, &byte) in rest.iter().enumerate() {
        if index == 4 {
            return Err(Nonsense);
        }
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let whole = 2 + index + length;
            return Ok(bytes.get(..whole).map(|packet| (whole, read(me, kind, packet))));
        }
    }
    Ok(None)
}

fn read<'a>(me: Me<'_>, kind: u8, packet: &'a [u8]) -> Frame<'a> {
    match (kind, packet.last()) {
        (CONNACK, Some(0)) => Frame::Answer(subscribe(me)),
        (SUBACK, Some(0)) => Frame::Entered(None),
        (CONNACK | SUBACK, _) => Frame::Refused,
        (PUBLISH, _) => Frame::Message,
        _ => Frame::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Me<'_> = Me { number: 1, door: "r0", room: "r0", said: 0 };

    #[test]
    fn a_load_understands_the_server() {
        assert_eq!(frame(ME, &[CONNACK, 2, 0, 0]), Ok(Some((4, Frame::Answer(subscribe(ME))))));
        assert_eq!(frame(ME, &[CONNACK, 2, 0, 5]), Ok(Some((4, Frame::Refused))));
        assert_eq!(frame(ME, &[SUBACK, 3, 0, 1, 0]), Ok(Some((5, Frame::Entered(None)))));
    }

    #[test]
    fn a_long_text_has_a_long_length() {
        let mut packet = Vec::new();
        say(ME, &[b'x'; 400], &mut packet);
        assert_eq!(frame(ME, &packet), Ok(Some((packet.len(), Frame::Message))));
        for end in 0..packet.len() {
            assert_eq!(frame(ME, &packet[..end]), Ok(None));
        }
        assert_eq!(frame(ME, &[PUBLISH, 0xff, 0xff, 0xff, 0xff, 0xff]), Err(Nonsense));
    }
}
