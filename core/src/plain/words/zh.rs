//! Simplified Chinese.

use core::fmt;
use core::time::Duration;

use super::{HEADER_NAMES, Here, List, Phrase, Quote, Refusal, Voice, WHO_NAMES, seconds};
use crate::account::PasswordError;
use crate::json::ByeCode;
use crate::name::NameError;
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
            voice.line(format_args!("{title}。{}。", Roster(here, HEADER_NAMES)));
        }
        Phrase::Room { title, here, backlog, head } => {
            let here = Roster(here, HEADER_NAMES);
            voice.line(format_args!("{title}。{here}。共 {head} 条消息，最近 {backlog} 条："));
        }
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
        Phrase::Who(here) => voice.line(format_args!("{}。", Roster(here, WHO_NAMES))),
        Phrase::Help => HELP.iter().for_each(|line| voice.line(format_args!("{line}"))),
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

/// Who is here, with so many names at most.
struct Roster<'a>(Here<'a>, usize);

impl fmt::Display for Roster<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Here::Counted(count) => write!(f, "{count} 人在线"),
            Here::Named { count, others, you } => {
                let shown = &others[..others.len().min(self.1 - 1)];
                write!(f, "{count} 人在线：")?;
                shown.iter().try_for_each(|name| write!(f, "{name}、"))?;
                write!(f, "{you}（你）")?;
                match count.saturating_sub(shown.len() as u64 + 1) {
                    0 => Ok(()),
                    more => write!(f, " … 还有 {more} 人"),
                }
            }
        }
    }
}
