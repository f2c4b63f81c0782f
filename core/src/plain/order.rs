//! Orders as a person types them: `/kick bob spam`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::act::Act;
use crate::id::Seq;
use crate::order::{By, CodeOrder, Order, Which, Whom, is_label};
use crate::role::Role;
use crate::text::{Text, TextLimits};
use crate::verb::Verb;

/// Reads a command without its slash, and what stands behind it; `None` where it is no order.
///
/// # Errors
/// Which command it is, where it is used otherwise: [`Verb::usage`] says how.
pub fn order(word: &str, rest: &str) -> Option<Result<Order, Verb>> {
    let rest = rest.trim();
    let verb = Verb::named(&word.to_ascii_lowercase())?;
    let order = match verb {
        Verb::Kick => kick(rest),
        Verb::Ban => ban(rest),
        Verb::Unban => whom(rest).map(|whom| Order::Unban { whom }),
        Verb::Mute => mute(rest),
        Verb::Unmute => whom(rest).map(|whom| Order::Unmute { whom }),
        Verb::Topic => short(rest).map(|topic| Order::Topic { topic }),
        Verb::Remove => remove(rest),
        Verb::Close => short(rest).map(|why| Order::Close { why }),
        Verb::Open => Some(Order::Open),
        Verb::Role => role(rest),
        Verb::Code => code(rest).map(Order::Code),
    };
    Some(order.ok_or(verb))
}

/// The first word, and what stands behind it.
fn first(rest: &str) -> (&str, &str) {
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    (word, rest.trim_start())
}

fn whom(name: &str) -> Option<Whom> {
    name.parse().ok().map(Whom::Name)
}

/// A reason or a topic; nothing is one, too.
fn short(text: &str) -> Option<Option<Text>> {
    if text.is_empty() {
        return Some(None);
    }
    let text: Text = text.parse().ok()?;
    text.check(&TextLimits { bytes: Act::WHY, lines: 1 }).ok()?;
    Some(Some(text))
}

/// `90s`, `10m`, `1h`, `7d`: a time of at least a second.
fn time(word: &str) -> Option<u64> {
    let (number, unit) = word.split_at_checked(word.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit).filter(|&seconds| (1..1 << 50).contains(&seconds))
}

/// A time, where the first word is one, and what stands behind it.
fn timed(rest: &str) -> (Option<u64>, &str) {
    let (word, behind) = first(rest);
    match time(word) {
        Some(seconds) => (Some(seconds), behind),
        None => (None, rest),
    }
}

fn kick(rest: &str) -> Option<Order> {
    let (name, why) = first(rest);
    Some(Order::Kick { whom: whom(name)?, why: short(why)? })
}

fn ban(rest: &str) -> Option<Order> {
    let (name, rest) = first(rest);
    let (by, rest) = match first(rest) {
        ("+source", rest) => ([By::Name, By::Source].into(), rest),
        _ => (Vec::new(), rest),
    };
    let (for_s, why) = timed(rest);
    Some(Order::Ban { whom: whom(name)?, by, for_s, why: short(why)? })
}

fn mute(rest: &str) -> Option<Order> {
    let (name, rest) = first(rest);
    let (for_s, why) = timed(rest);
    Some(Order::Mute { whom: whom(name)?, for_s, why: short(why)? })
}

fn remove(rest: &str) -> Option<Order> {
    let (word, why) = first(rest);
    let which = match word.parse::<u64>() {
        Ok(number) => Which::Message(Seq::new(number)),
        Err(_) => Which::Newest(whom(word)?),
    };
    Some(Order::Remove { which, why: short(why)? })
}

fn role(rest: &str) -> Option<Order> {
    let (name, role) = first(rest);
    let role = match role.trim_end() {
        "none" => None,
        role => Some(Role::named(role)?),
    };
    Some(Order::Role { whom: whom(name)?, role })
}

fn code(rest: &str) -> Option<CodeOrder> {
    let (deed, rest) = first(rest);
    let mut label: Option<Box<str>> = None;
    let (mut role, mut for_s, mut after_s, mut uses, mut kick) = (None, None, None, None, false);
    for word in rest.split_whitespace() {
        match word.split_once('=') {
            Some(("for", value)) => for_s = Some(time(value)?),
            Some(("after", value)) => after_s = Some(time(value)?),
            Some(("uses", value)) => uses = Some(value.parse().ok().filter(|&uses| uses > 0)?),
            Some(_) => return None,
            None if deed == "retire" && label.is_some() && word == "kick" => kick = true,
            None if deed == "add" && role.is_none() && Role::named(word).is_some() => role = Role::named(word),
            None if label.is_none() => label = Some(word.into()),
            None => return None,
        }
    }
    let only = |fits: bool| fits.then_some(());
    match deed {
        "add" => {
            only(after_s.is_none() && label.as_ref().is_none_or(|label| is_label(label)))?;
            Some(CodeOrder::Add { label, role: role.unwrap_or_default(), for_s, uses })
        }
        "rotate" => {
            only(for_s.is_none() && uses.is_none())?;
            Some(CodeOrder::Rotate { label, after_s })
        }
        "retire" => {
            only(for_s.is_none() && uses.is_none() && !(kick && after_s.is_some()))?;
            Some(CodeOrder::Retire { label: label?, after_s, kick })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn bob() -> Whom {
        whom("bob").unwrap()
    }

    fn why(text: &str) -> Option<Text> {
        short(text).unwrap()
    }

    fn read(line: &str) -> Option<Result<Order, Verb>> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        order(word, rest)
    }

    #[test]
    fn what_is_typed_is_an_order() {
        for (line, order) in vec![
            ("kick bob", Order::Kick { whom: bob(), why: None }),
            ("KICK bob  do not shout", Order::Kick { whom: bob(), why: why("do not shout") }),
            ("ban bob", Order::Ban { whom: bob(), by: vec![], for_s: None, why: None }),
            ("ban bob 1h spam", Order::Ban { whom: bob(), by: vec![], for_s: Some(3_600), why: why("spam") }),
            ("ban bob 1x spam", Order::Ban { whom: bob(), by: vec![], for_s: None, why: why("1x spam") }),
            (
                "ban bob +source 2d",
                Order::Ban { whom: bob(), by: vec![By::Name, By::Source], for_s: Some(172_800), why: None },
            ),
            ("unban bob", Order::Unban { whom: bob() }),
            ("mute bob 90s", Order::Mute { whom: bob(), for_s: Some(90), why: None }),
            ("unmute bob", Order::Unmute { whom: bob() }),
            ("topic the deploy", Order::Topic { topic: why("the deploy") }),
            ("topic", Order::Topic { topic: None }),
            ("remove 612 spam", Order::Remove { which: Which::Message(Seq::new(612)), why: why("spam") }),
            ("remove bob", Order::Remove { which: Which::Newest(bob()), why: None }),
            ("close for the night", Order::Close { why: why("for the night") }),
            ("open", Order::Open),
            ("role bob moderator", Order::Role { whom: bob(), role: Some(Role::Moderator) }),
            ("role bob none", Order::Role { whom: bob(), role: None }),
            ("code add", Order::Code(CodeOrder::Add { label: None, role: Role::Talk, for_s: None, uses: None })),
            (
                "code add guests read for=1d uses=5",
                Order::Code(CodeOrder::Add {
                    label: Some("guests".into()),
                    role: Role::Read,
                    for_s: Some(86_400),
                    uses: Some(5),
                }),
            ),
            ("code rotate", Order::Code(CodeOrder::Rotate { label: None, after_s: None })),
            (
                "code rotate team after=10m",
                Order::Code(CodeOrder::Rotate { label: Some("team".into()), after_s: Some(600) }),
            ),
            // Such names are no good ones, and yet names.
            ("code rotate read", Order::Code(CodeOrder::Rotate { label: Some("read".into()), after_s: None })),
            ("code retire kick", Order::Code(CodeOrder::Retire { label: "kick".into(), after_s: None, kick: false })),
            (
                "code add read talk",
                Order::Code(CodeOrder::Add { label: Some("talk".into()), role: Role::Read, for_s: None, uses: None }),
            ),
            (
                "code retire team kick",
                Order::Code(CodeOrder::Retire { label: "team".into(), after_s: None, kick: true }),
            ),
        ] {
            assert_eq!(read(line), Some(Ok(order)), "{line}");
        }
    }

    #[test]
    fn what_is_typed_otherwise_is_explained_and_never_guessed() {
        let long = alloc::format!("topic {}", "x".repeat(Act::WHY + 1));
        for (line, usage) in [
            ("kick", Verb::Kick),
            ("kick b@b", Verb::Kick),
            ("ban", Verb::Ban),
            ("unban bob and mei", Verb::Unban),
            ("mute", Verb::Mute),
            ("unmute", Verb::Unmute),
            ("remove", Verb::Remove),
            ("role bob", Verb::Role),
            ("role bob king", Verb::Role),
            ("code", Verb::Code),
            ("code add a b", Verb::Code),
            ("code add for=0d", Verb::Code),
            ("code add uses=0", Verb::Code),
            ("code add color=red", Verb::Code),
            ("code rotate uses=1", Verb::Code),
            ("code retire", Verb::Code),
            ("code retire a b", Verb::Code),
            ("code retire a for=1d", Verb::Code),
            ("code retire a uses=1", Verb::Code),
            ("code rotate for=1d", Verb::Code),
            ("code add a:b", Verb::Code),
            ("code add after=1m", Verb::Code),
            ("code retire team kick after=1m", Verb::Code),
            (&long, Verb::Topic),
        ] {
            assert_eq!(read(line), Some(Err(usage)), "{line}");
        }
        assert_eq!(read("who"), None);
    }
}
