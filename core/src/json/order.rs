//! What those who keep order ask for, as lines.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::failure::ErrorCode;
use super::request::parse;
use super::strict::Fields;
use crate::act::Act;
use crate::id::Seq;
use crate::order::{By, CodeOrder, LABEL, Order, Which, Whom, is_label};
use crate::role::Role;
use crate::text::{Text, TextLimits};
use crate::verb::Verb;

/// Why a line is no order: the error, and what is wrong for a person.
type Wrong = (ErrorCode, String);

/// The order of this type; `None` where there is no such type.
pub(super) fn read(t: &str, fields: &Fields<'_>) -> Option<Result<Order, Wrong>> {
    let order = match Verb::named(t)? {
        Verb::Kick => whom(fields).and_then(|whom| Ok(Order::Kick { whom, why: why(fields)? })),
        Verb::Ban => ban(fields),
        Verb::Unban => whom(fields).map(|whom| Order::Unban { whom }),
        Verb::Mute => mute(fields),
        Verb::Unmute => whom(fields).map(|whom| Order::Unmute { whom }),
        Verb::Topic => short(fields, "text").map(|topic| Order::Topic { topic }),
        Verb::Remove => remove(fields),
        Verb::Close => why(fields).map(|why| Order::Close { why }),
        Verb::Open => Ok(Order::Open),
        Verb::Role => whom(fields).and_then(|whom| Ok(Order::Role { whom, role: role(fields)? })),
        Verb::Code => code(fields).map(Order::Code),
    };
    Some(order)
}

fn field(error: String) -> Wrong {
    (ErrorCode::BadField, error)
}

fn whom(fields: &Fields<'_>) -> Result<Whom, Wrong> {
    match (fields.text("m").map_err(field)?, fields.text("name").map_err(field)?) {
        (Some(m), None) => parse(m, "m", ErrorCode::BadField).map(Whom::Member),
        (None, Some(name)) => parse(name, "name", ErrorCode::BadName).map(Whom::Name),
        _ => Err(field("it is about somebody: say m or name".into())),
    }
}

/// A text that a person says of something: short, and one line.
fn short(fields: &Fields<'_>, name: &str) -> Result<Option<Text>, Wrong> {
    let Some(text) = fields.text(name).map_err(field)? else { return Ok(None) };
    let text: Text = parse(text, name, ErrorCode::BadText)?;
    let limits = TextLimits { bytes: Act::WHY, lines: 1 };
    text.check(&limits).map_err(|error| (ErrorCode::BadText, format!("{name}: {error}")))?;
    Ok(Some(text))
}

fn why(fields: &Fields<'_>) -> Result<Option<Text>, Wrong> {
    short(fields, "why")
}

fn seconds(fields: &Fields<'_>, name: &str) -> Result<Option<u64>, Wrong> {
    match fields.integer(name).map_err(field)? {
        Some(0) => Err(field(format!("{name} is at least 1"))),
        number => Ok(number),
    }
}

fn ban(fields: &Fields<'_>) -> Result<Order, Wrong> {
    let mut by = Vec::new();
    for name in fields.texts("by").map_err(field)? {
        let mark = By::named(name).ok_or_else(|| field("by has \"key\", \"name\" and \"source\"".into()))?;
        if !by.contains(&mark) {
            by.push(mark);
        }
    }
    Ok(Order::Ban { whom: whom(fields)?, by, for_s: seconds(fields, "for_s")?, why: why(fields)? })
}

fn mute(fields: &Fields<'_>) -> Result<Order, Wrong> {
    Ok(Order::Mute { whom: whom(fields)?, for_s: seconds(fields, "for_s")?, why: why(fields)? })
}

fn remove(fields: &Fields<'_>) -> Result<Order, Wrong> {
    let which = match fields.integer("seq").map_err(field)? {
        Some(seq) => Which::Message(Seq::new(seq)),
        None => Which::Newest(whom(fields).map_err(|_| field("say seq, or whose newest message: m or name".into()))?),
    };
    Ok(Order::Remove { which, why: why(fields)? })
}

fn role(fields: &Fields<'_>) -> Result<Option<Role>, Wrong> {
    let Some(name) = fields.text("role").map_err(field)? else { return Ok(None) };
    let wrong = || field("role is one of \"read\", \"talk\", \"moderator\" and \"owner\"".into());
    Role::named(name).map(Some).ok_or_else(wrong)
}

fn label(fields: &Fields<'_>) -> Result<Option<alloc::boxed::Box<str>>, Wrong> {
    let Some(label) = fields.text("label").map_err(field)? else { return Ok(None) };
    if label.is_empty() || label.len() > 4 * LABEL {
        return Err(field("no code is called so".into()));
    }
    Ok(Some(label.into()))
}

fn code(fields: &Fields<'_>) -> Result<CodeOrder, Wrong> {
    let label = label(fields)?;
    Ok(match fields.need("do").map_err(field)? {
        "rotate" => CodeOrder::Rotate { label, after_s: fields.integer("after_s").map_err(field)? },
        "add" => {
            if label.as_ref().is_some_and(|label| !is_label(label)) {
                return Err(field(format!("label is 1 to {LABEL} bytes of letters, digits, '-', '_' and '.'")));
            }
            let role = role(fields)?.unwrap_or_default();
            CodeOrder::Add { label, role, for_s: seconds(fields, "for_s")?, uses: seconds(fields, "uses")? }
        }
        "retire" => {
            let label = label.ok_or_else(|| field("label is missing".into()))?;
            let after_s = fields.integer("after_s").map_err(field)?.filter(|&after| after > 0);
            let kick = fields.flag("kick").map_err(field)?.unwrap_or_default();
            if kick && after_s.is_some() {
                return Err(field("kick is at once: leave after_s out".into()));
            }
            CodeOrder::Retire { label, after_s, kick }
        }
        _ => return Err(field("do is one of \"rotate\", \"add\" and \"retire\"".into())),
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::id::{MemberId, RoomId};
    use crate::json::Request;

    fn read(line: &str) -> Result<Order, String> {
        match Request::decode(line.as_bytes()) {
            Ok(Request::Act { order, .. }) => Ok(order),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(format!("{} {}", error.code.as_str(), error.text)),
        }
    }

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let bob = || Whom::Name("bob".parse().unwrap());
        let why = || Some("spam".parse().unwrap());
        for order in vec![
            Order::Kick { whom: bob(), why: why() },
            Order::Kick { whom: Whom::Member(MemberId::from_bits(1 << 40)), why: None },
            Order::Ban { whom: bob(), by: By::ALL.into(), for_s: Some(60), why: why() },
            Order::Ban { whom: bob(), by: vec![], for_s: None, why: None },
            Order::Unban { whom: bob() },
            Order::Mute { whom: bob(), for_s: Some(60), why: why() },
            Order::Unmute { whom: bob() },
            Order::Topic { topic: why() },
            Order::Topic { topic: None },
            Order::Remove { which: Which::Message(Seq::new(612)), why: why() },
            Order::Remove { which: Which::Newest(bob()), why: None },
            Order::Close { why: why() },
            Order::Open,
            Order::Role { whom: bob(), role: Some(Role::Moderator) },
            Order::Role { whom: bob(), role: None },
            Order::Code(CodeOrder::Rotate { label: None, after_s: Some(600) }),
            Order::Code(CodeOrder::Add {
                label: Some("guests".into()),
                role: Role::Read,
                for_s: Some(1),
                uses: Some(2),
            }),
            Order::Code(CodeOrder::Retire { label: "team".into(), after_s: None, kick: true }),
            Order::Code(CodeOrder::Retire { label: "team".into(), after_s: Some(9), kick: false }),
        ] {
            let room: RoomId = "ops".parse().unwrap();
            let request = Request::Act { id: Some("a1".parse().unwrap()), room, order };
            let mut line = Vec::new();
            request.encode(&mut line);
            assert_eq!(Request::decode(line.trim_ascii_end()), Ok(request), "{}", String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn what_is_wrong_with_an_order_is_said() {
        let long = "x".repeat(Act::WHY + 1);
        for (fields, wrong) in [
            (r#""t":"kick""#, "bad_field it is about somebody: say m or name"),
            (r#""t":"kick","m":"x","name":"bob""#, "bad_field it is about somebody: say m or name"),
            (r#""t":"kick","m":"x""#, "bad_field m: a member is 10 of A-Z a-z 0-9 _ -"),
            (r#""t":"kick","name":" ""#, "bad_name name: a name has at least one character"),
            (r#""t":"kick","name":"bob","why":"a\nb""#, "bad_text why: the text has more than 1 lines"),
            (&format!(r#""t":"topic","text":"{long}""#), "bad_text text: the text has more than 300 bytes"),
            (r#""t":"ban","name":"bob","by":["hat"]"#, r#"bad_field by has "key", "name" and "source""#),
            (r#""t":"ban","name":"bob","by":"key""#, "bad_field by is not an array of strings"),
            (r#""t":"ban","name":"bob","for_s":0"#, "bad_field for_s is at least 1"),
            (r#""t":"mute","name":"bob","for_s":-1"#, "bad_field for_s is not an integer from 0 to 2^53-1"),
            (r#""t":"remove""#, "bad_field say seq, or whose newest message: m or name"),
            (
                r#""t":"role","name":"bob","role":"king""#,
                r#"bad_field role is one of "read", "talk", "moderator" and "owner""#,
            ),
            (r#""t":"code""#, "bad_field do is missing"),
            (r#""t":"code","do":"steal""#, r#"bad_field do is one of "rotate", "add" and "retire""#),
            (r#""t":"code","do":"retire""#, "bad_field label is missing"),
            (r#""t":"code","do":"retire","label":"a","kick":1"#, "bad_field kick is not true or false"),
            (
                r#""t":"code","do":"retire","label":"a","kick":true,"after_s":5"#,
                "bad_field kick is at once: leave after_s out",
            ),
            (
                r#""t":"code","do":"add","label":"a b""#,
                "bad_field label is 1 to 32 bytes of letters, digits, '-', '_' and '.'",
            ),
        ] {
            assert_eq!(read(&format!(r#"{{{fields},"room":"ops"}}"#)), Err(wrong.into()), "{fields}");
        }
        assert_eq!(read(r#"{"t":"open"}"#), Err("bad_field room is missing".into()));
    }
}
