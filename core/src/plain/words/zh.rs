//! Simplified Chinese.

use core::fmt;
use core::time::Duration;

use super::{HEADER_NAMES, Here, List, Phrase, Quote, Refusal, Span, Voice, WHO_NAMES, seconds};
use crate::account::PasswordError;
use crate::act::{Act, Deed};
use crate::json::{ByeCode, Person};
use crate::name::NameError;
use crate::order::{Forbidden, Missing, Unfit};
use crate::plain::command::Usage;
use crate::plain::render::Day;
use crate::role::Role;
use crate::search::{Words, WordsError};
use crate::text::TextError;

const COMMANDS: &str = "/who /name /me /history /search /join /leave /help /quit";

const HELP: [&str; 13] = [
    "直接输入的内容会发给群里所有人。",
    "/who            谁在线",
    "/name 名字      改名",
    "/me 动作        描述自己的动作",
    "/history [N]    最近的消息",
    "/search 词语    含有这些词语的最近消息",
    "/join 口令      换到另一个群",
    "/login 名字     登录你的账号",
    "/leave          离开本群",
    "/echo on|off    是否回显自己发的消息",
    "/help           显示本说明",
    "/quit           退出",
    "//内容          发送以 / 开头的内容",
];

const KEEPING: [&str; 7] = [
    "/kick 名字 [原因]          移出某人，可以再进来",
    "/ban 名字 [1h] [原因]      移出某人，并且不让再进来；名字后加 +source：连同其地址",
    "/unban 名字                允许再进来",
    "/mute 名字 [10m] [原因]    禁言；/unmute 名字",
    "/topic [内容]              设置本群话题",
    "/remove 名字 [原因]        删除某人最近的一条消息",
    "/remove 编号 [原因]        删除这条消息；/history 显示编号",
];

const OWNING: [&str; 6] = [
    "/role 名字 角色            授予角色：read、talk、moderator 或 none",
    "/close [原因]              除管理人员外关闭本群；/open",
    "/code add [标签] [角色] [for=1d] [uses=5]",
    "/code rotate [标签] [after=10m]",
    "                           换一个口令",
    "/code retire 标签 [after=10m|kick]",
];

pub(super) fn say(phrase: &Phrase<'_>, voice: &mut Voice<'_>) {
    match *phrase {
        Phrase::CodePrompt => voice.ask(format_args!("请输入群口令：")),
        Phrase::NamePrompt(name) => voice.ask(format_args!("你的名字 [{name}]：")),
        Phrase::PasswordPrompt { hidden: true } => voice.ask(format_args!("密码：")),
        Phrase::PasswordPrompt { hidden: false } => voice.ask(format_args!("密码（输入时会显示出来）：")),
        Phrase::LoggedIn { name, rooms: [], is_in: true } => voice.line(format_args!("你已登录账号 {name}。")),
        Phrase::LoggedIn { name, rooms: [], is_in: false } => {
            voice.line(format_args!("你已登录账号 {name}。进群：/join 口令"));
        }
        Phrase::LoggedIn { name, rooms, .. } => {
            voice.line(format_args!("你已登录账号 {name}。你的群：{}。进群：/join 群名", List(rooms)));
        }
        Phrase::LoggedInAlready(name) => voice.line(format_args!("你已经登录账号 {name} 了。")),
        Phrase::NameIsFixed(name) => voice.line(format_args!("你的名字就是账号名：{name}。")),
        Phrase::TryAgain(why) | Phrase::Refused(why) => refuse(why, voice),
        Phrase::NameGiven { wanted, given } => {
            voice.line(format_args!("名字 {wanted} 已被使用，你现在叫 {given}。"));
        }
        Phrase::YouAre(name) => voice.line(format_args!("你现在叫 {name}。")),
        Phrase::Room { title, here, backlog: 0, .. } => {
            voice.line(format_args!("{title}。{}。", Roster(here, HEADER_NAMES, false)));
        }
        Phrase::Room { title, here, backlog, head } => {
            let here = Roster(here, HEADER_NAMES, false);
            voice.line(format_args!("{title}。{here}。共 {head} 条消息，最近 {backlog} 条："));
        }
        Phrase::Topic(topic) => voice.line(format_args!("话题：{}", topic.as_str())),
        Phrase::In(Role::Talk) => voice.line(format_args!("你已进群。{COMMANDS}")),
        Phrase::In(Role::Read) => voice.line(format_args!("你已进群（只读）。{COMMANDS}")),
        Phrase::In(Role::Moderator) => voice.line(format_args!("你已进群（管理员）。{COMMANDS}")),
        Phrase::In(Role::Owner) => voice.line(format_args!("你已进群（群主）。{COMMANDS}")),
        Phrase::AlreadyIn { title } => voice.line(format_args!("你已经在 {title} 里了。")),
        Phrase::YouLeft { title } => voice.line(format_args!("你已离开 {title}。")),
        Phrase::RoomCloses { title } => voice.line(format_args!("现在不行：{title} 即将关闭。")),
        Phrase::RoomClosed { title } => voice.line(format_args!("{title} 已关闭。去别的群：/join 口令")),
        Phrase::Titled { title } => voice.line(format_args!("本群现在叫 {title}。")),
        Phrase::NewRole(Role::Talk) => voice.line(format_args!("你现在可以在这里发言了。")),
        Phrase::NewRole(Role::Read) => voice.line(format_args!("从现在起你在这里只能看，不能发言。")),
        Phrase::NewRole(Role::Moderator) => voice.line(format_args!("你现在是这里的管理员。")),
        Phrase::NewRole(Role::Owner) => voice.line(format_args!("你现在是这里的群主。")),
        Phrase::NoRoom => voice.line(format_args!("你不在任何群里。/join 口令")),
        Phrase::Who(here) => voice.line(format_args!("{}。", Roster(here, WHO_NAMES, true))),
        Phrase::Help(role) => {
            let keeping = KEEPING.iter().filter(|_| role >= Role::Moderator);
            let owning = OWNING.iter().filter(|_| role >= Role::Owner);
            HELP.iter().chain(keeping).chain(owning).for_each(|line| voice.line(format_args!("{line}")));
        }
        Phrase::PutOut { title, why: ByeCode::Banned } => voice.line(format_args!("你已被禁止进入 {title}。")),
        Phrase::PutOut { title, why: ByeCode::CodeChanged } => {
            voice.line(format_args!("你进入 {title} 所用的口令已停用。/join 口令"));
        }
        Phrase::PutOut { title, .. } => voice.line(format_args!("你被移出了 {title}。/join 口令")),
        Phrase::NewCode { label, code } => voice.line(format_args!("口令 {label} 现在是 {code}。只有你能看到。")),
        Phrase::Acted { time: (hours, minutes), ts, name, act } => {
            let act = Acted { act, ts };
            voice.line(format_args!("{hours:02}:{minutes:02} {name} {act}"));
        }
        Phrase::History { from, to } if from == to => voice.line(format_args!("第 {from} 条消息：")),
        Phrase::History { from, to } => voice.line(format_args!("第 {from} 至 {to} 条消息：")),
        Phrase::HistoryEnd => voice.line(format_args!("历史消息到此为止。")),
        Phrase::NoHistory => voice.line(format_args!("没有历史消息。")),
        Phrase::Found { count, more: false } => voice.line(format_args!("找到 {count} 条消息：")),
        Phrase::Found { count, more: true } => {
            voice.line(format_args!("找到消息，以下是最近的 {count} 条，多写几个词可缩小范围："));
        }
        Phrase::Day(Day { year, month, day }) => voice.line(format_args!("{year}年{month}月{day}日")),
        Phrase::FoundEnd => voice.line(format_args!("搜索结果到此为止。")),
        Phrase::NothingFound { from: None } => voice.line(format_args!("没有找到。")),
        Phrase::NothingFound { from: Some(from) } => {
            voice.line(format_args!("从第 {from} 条起没有找到，更早的消息暂时查不了，请稍后再试。"));
        }
        Phrase::BadWords(WordsError::Empty) => voice.line(format_args!("里面没有可以查找的文字或数字。")),
        Phrase::BadWords(WordsError::TooLong) => {
            voice.line(format_args!("要查找的内容太长：最多 {} 字节。", Words::MAX_BYTES));
        }
        Phrase::Came(name) => voice.line(format_args!("{name} 进群了。")),
        Phrase::Went(name) => voice.line(format_args!("{name} 离开了。")),
        Phrase::Renamed { was, name } => voice.line(format_args!("{was} 改名为 {name}。")),
        Phrase::Gap { from, to } if to < from => {
            voice.line(format_args!("你错过了一些人的进出。/who 查看谁在线。"));
        }
        Phrase::Gap { from, to } if to == from => {
            voice.line(format_args!("你错过了 1 条消息（第 {from} 条）。/history 查看最近的消息。"));
        }
        Phrase::Gap { from, to } => {
            let missed = to.get() - from.get() + 1;
            voice.line(format_args!("你错过了 {missed} 条消息（第 {from} 至 {to} 条）。/history 查看最近的消息。"));
        }
        Phrase::SlowDown { per_s } => voice.line(format_args!("慢一点：你发的内容按每秒 {per_s} 行读取。")),
        Phrase::ReadOnly => voice.line(format_args!("你在这里只能看，不能发言。")),
        Phrase::BadText(why) => bad_text(why, voice),
        Phrase::NotUtf8 => voice.line(format_args!("未发送：不是 UTF-8 编码。")),
        Phrase::NotSent(text) => voice.line(format_args!("未发送，请稍后再试：{}", Quote(text.as_str()))),
        Phrase::Unknown(word) => {
            let word = Quote(word);
            voice.line(format_args!("没有 /{word} 这个命令。/help 查看命令，//{word} 发送 /{word}。"));
        }
        Phrase::Usage(Usage::Me) => voice.line(format_args!("/me 后面写动作，例如：/me 挥手")),
        Phrase::Usage(Usage::Name) => voice.line(format_args!("/name 后面写名字，例如：/name 小明")),
        Phrase::Usage(Usage::History) => voice.line(format_args!("/history，或加上条数：/history 50")),
        Phrase::Usage(Usage::Search) => voice.line(format_args!("/search 后面写词语，例如：/search 部署")),
        Phrase::Usage(Usage::Join) => voice.line(format_args!("/join 后面写群口令，例如：/join K7QM-2XD4")),
        Phrase::Usage(Usage::Login) => voice.line(format_args!("/login 后面写账号名，例如：/login 小明")),
        Phrase::Usage(Usage::Order(verb)) => voice.line(format_args!("用法：{}", verb.usage())),
        Phrase::Usage(Usage::Echo) => voice.line(format_args!("/echo on 或 /echo off")),
        Phrase::Echo(true) => voice.line(format_args!("回显已开：你会看到自己发的消息。")),
        Phrase::Echo(false) => voice.line(format_args!("回显已关：你不会看到自己发的消息。")),
        Phrase::Bye { code, wait } => bye(code, wait, voice),
    }
}

fn refuse(why: Refusal<'_>, voice: &mut Voice<'_>) {
    match why {
        Refusal::WrongCode { left: 0 } => voice.line(format_args!("口令不对，没有机会了。")),
        Refusal::WrongCode { left } => voice.line(format_args!("口令不对，还可以试 {left} 次。")),
        Refusal::WrongPassword { left: 0 } => voice.line(format_args!("账号或密码不对，没有机会了。")),
        Refusal::WrongPassword { left: u64::MAX } => voice.line(format_args!("账号或密码不对。")),
        Refusal::WrongPassword { left } => voice.line(format_args!("账号或密码不对，还可以试 {left} 次。")),
        Refusal::PasswordsLocked { wait } => {
            voice.line(format_args!("密码错误次数太多，请 {} 秒后再试。", seconds(wait)));
        }
        Refusal::BadPassword(PasswordError::Empty) => voice.line(format_args!("密码至少要有一个字符。")),
        Refusal::BadPassword(PasswordError::TooLong) => voice.line(format_args!("密码最多 256 字节。")),
        Refusal::BadPassword(PasswordError::Control) => voice.line(format_args!("密码不能含有控制字符。")),
        Refusal::NoVerdict => voice.line(format_args!("现在无法验证密码，请稍后再试。")),
        Refusal::NoGuests => voice.line(format_args!("这里只有登录账号的人才能进：/login 名字")),
        Refusal::CodeExpired => voice.line(format_args!("口令已过期，请索取新的口令。")),
        Refusal::TooFast { wait } => voice.line(format_args!("太快了，请 {} 秒后再试。", seconds(wait))),
        Refusal::Locked { wait } => voice.line(format_args!("口令错误次数太多，请 {} 秒后再试。", seconds(wait))),
        Refusal::RoomFull => voice.line(format_args!("群已满，请稍后再试。")),
        Refusal::Unavailable => voice.line(format_args!("服务器暂时读不到消息，请稍后再试。")),
        Refusal::BadName(NameError::Empty) => voice.line(format_args!("名字至少要有一个字符。")),
        Refusal::BadName(NameError::TooLong) => voice.line(format_args!("名字最多 32 个字符、64 字节。")),
        Refusal::BadName(NameError::Character(c)) => {
            voice.line(format_args!("名字只能有文字、数字、“_”、“-”和“.”，不能有 {c:?}。"));
        }
        Refusal::NameTaken(name) => voice.line(format_args!("名字 {name} 已被使用。")),
        Refusal::Forbidden(why) => match why {
            Forbidden::Needs(role) => voice.line(format_args!("需要 {} 角色。", called(role))),
            Forbidden::NotBelow => voice.line(format_args!("对方的角色不低于你。")),
            Forbidden::Gift => voice.line(format_args!("只能授予低于自己的角色或口令。")),
            Forbidden::Higher => voice.line(format_args!("这是角色高于你的人做的。")),
            Forbidden::Act => voice.line(format_args!("管理操作不能删除。")),
        },
        Refusal::NotFound(what) => voice.line(format_args!(
            "{}",
            match what {
                Missing::Member => "本群没有叫这个名字的人。",
                Missing::Message => "没有这条消息。",
                Missing::Ban => "没有叫这个名字的人被禁止进入。",
                Missing::Mute => "没有叫这个名字的人被禁言。",
                Missing::Gift => "对方没有被授予角色。",
                Missing::Code => "本群没有叫这个标签的口令。",
            }
        )),
        Refusal::Unfit(why) => voice.line(format_args!(
            "{}",
            match why {
                Unfit::Mark => "没有可以据此再认出对方的信息。",
                Unfit::Key => "对方没有密钥，无法再认出：请给对方一个该角色的口令。",
                Unfit::Label => "本群已有这个标签的口令。",
                Unfit::TooMany => "本群的禁令、角色和口令已满，请先撤销一些。",
            }
        )),
        Refusal::Muted { wait: None } => voice.line(format_args!("你暂时不能在这里发言。")),
        Refusal::Muted { wait: Some(wait) } => {
            voice.line(format_args!("你在 {}内不能在这里发言。", Lasts(Span::left(wait))));
        }
        Refusal::Banned { wait: None } => voice.line(format_args!("你被禁止进入该群。")),
        Refusal::Banned { wait: Some(wait) } => {
            voice.line(format_args!("你在 {}内被禁止进入该群。", Lasts(Span::left(wait))));
        }
        Refusal::Kicked => voice.line(format_args!("你不在的时候被移出了该群。")),
        Refusal::Closed => voice.line(format_args!("该群已关闭，只有管理人员可以进入和发言。")),
    }
}

fn bad_text(why: TextError, voice: &mut Voice<'_>) {
    match why {
        TextError::Blank => voice.line(format_args!("未发送：内容为空。")),
        TextError::TooLong(limit) => voice.line(format_args!("未发送：超过 {limit} 字节。")),
        TextError::TooManyLines(limit) => voice.line(format_args!("未发送：超过 {limit} 行。")),
        TextError::Control(c) => voice.line(format_args!("未发送：含有控制字符 U+{:04X}。", u32::from(c))),
    }
}

fn bye(code: &ByeCode, wait: Option<Duration>, voice: &mut Voice<'_>) {
    let why = match code {
        ByeCode::Done => "再见。",
        ByeCode::Version | ByeCode::Protocol => "服务器看不懂你发的内容。",
        ByeCode::TooBig => "你发的一行太长了。",
        ByeCode::Replaced => "你已在另一个连接上。",
        ByeCode::Kicked => "你被移出了。",
        ByeCode::Banned => "你被禁止进入了。",
        ByeCode::RoomClosed => "群已关闭。",
        ByeCode::AccountChanged => "账号已不存在，或密码已更改。",
        ByeCode::CodeChanged => "群口令已更换，请索取新的口令。",
        ByeCode::Slow => "你接收得太慢了。",
        ByeCode::Dead => "太久没有收到你的消息。",
        ByeCode::Handshake => "等待时间太长了。",
        ByeCode::Flood => "来自你的地址的请求太多了。",
        ByeCode::Shutdown => "服务器即将关闭。",
        ByeCode::Internal => "服务器出错了。",
        ByeCode::Other(_) => "服务器断开了连接。",
    };
    match wait {
        Some(wait) => voice.line(format_args!("{why}请 {} 秒后再来。", seconds(wait))),
        None => voice.line(format_args!("{why}")),
    }
}

fn called(role: Role) -> &'static str {
    match role {
        Role::Read => "只读",
        Role::Talk => "成员",
        Role::Moderator => "管理员",
        Role::Owner => "群主",
    }
}

/// What somebody did, and for how long from `ts` on.
struct Acted<'a> {
    act: &'a Act,
    ts: u64,
}

impl fmt::Display for Acted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lasts = |until: &Option<u64>| Lasting(until.map(|until| Span::between(self.ts, until)));
        let why = match self.act {
            Act::Kick { on, why } => write!(f, "移出了 {on}").map(|()| why)?,
            Act::Ban { on, until, why } => write!(f, "禁止 {on} 进入{}", lasts(until)).map(|()| why)?,
            Act::Mute { on, until, why } => write!(f, "禁止 {on} 发言{}", lasts(until)).map(|()| why)?,
            Act::Remove { of, on, why } => write!(f, "删除了 {on} 的第 {of} 条消息").map(|()| why)?,
            Act::Close { why } => f.write_str("关闭了本群").map(|()| why)?,
            Act::Unban { on } => return write!(f, "允许 {on} 再进来"),
            Act::Unmute { on } => return write!(f, "允许 {on} 再发言"),
            Act::Topic { topic: Some(topic) } => return write!(f, "设置了话题：{topic}"),
            Act::Topic { topic: None } => return f.write_str("取消了话题"),
            Act::Open => return f.write_str("开放了本群"),
            Act::Role { on, role: Some(role) } => return write!(f, "授予 {on} {}角色", called(*role)),
            Act::Role { on, role: None } => return write!(f, "收回了 {on} 的角色"),
            Act::Code { label, deed: Deed::Added } => return write!(f, "增加了口令 {label}"),
            Act::Code { label, deed: Deed::Rotated } => return write!(f, "更换了口令 {label}"),
            Act::Code { label, deed: Deed::Retired } => return write!(f, "停用了口令 {label}"),
        };
        why.iter().try_for_each(|why| write!(f, "：{why}"))
    }
}

/// For how long, where that is known.
struct Lasting(Option<Span>);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|span| write!(f, " {}", Lasts(*span)))
    }
}

struct Lasts(Span);

impl fmt::Display for Lasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Span::Days(n) => write!(f, "{n} 天"),
            Span::Hours(n) => write!(f, "{n} 小时"),
            Span::Minutes(n) => write!(f, "{n} 分钟"),
            Span::Seconds(n) => write!(f, "{n} 秒"),
        }
    }
}

/// Somebody, and whether that is you; with whether they have an account and their role, or without.
struct Tagged<'a>(&'a Person, Option<&'static str>, bool);

impl fmt::Display for Tagged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(person, you, more) = self;
        let account = (*more && person.has_account()).then_some("账号");
        let role = (*more && person.role != Role::default()).then(|| called(person.role));
        write!(f, "{}", person.name)?;
        let mut tags = [*you, account, role].into_iter().flatten();
        let Some(first) = tags.next() else { return Ok(()) };
        write!(f, "（{first}")?;
        tags.try_for_each(|tag| write!(f, "，{tag}"))?;
        f.write_str("）")
    }
}

/// Who is here, with so many names at most, and with who has an account and who may what most may not, or without.
struct Roster<'a>(Here<'a>, usize, bool);

impl fmt::Display for Roster<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Here::Counted(count) => write!(f, "{count} 人在线"),
            Here::Named { count, others, you } => {
                let shown = &others[..others.len().min(self.1 - 1)];
                write!(f, "{count} 人在线：")?;
                shown.iter().try_for_each(|person| write!(f, "{}、", Tagged(person, None, self.2)))?;
                write!(f, "{}", Tagged(you, Some("你"), self.2))?;
                match count.saturating_sub(shown.len() as u64 + 1) {
                    0 => Ok(()),
                    more => write!(f, " … 还有 {more} 人"),
                }
            }
        }
    }
}
