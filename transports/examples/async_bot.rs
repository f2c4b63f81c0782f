//! A bot that answers: to `!echo something` it says something. Run it with a server and a code.
use std::error::Error;
use std::time::Duration;

use qun_core::client::{Config, Event};
use qun_core::{Code, Entropy, Key};
use qun_transports::smol::{connect, seed};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [server, code] = &args[..] else { return Err("usage: async_bot HOST:PORT CODE".into()) };
    smol::block_on(answer(server, code.parse()?))
}

async fn answer(server: &str, code: Code) -> Result<(), Box<dyn Error>> {
    let (name, key) = ("echo".parse().ok(), Key::generate(&mut Entropy::new(seed()?)));
    let config = Config {
        agent: "echo/1".into(),
        name,
        key,
        password: None,
        tail: 0,
        timeline: 10,
        backoff: Duration::from_secs(20),
    };
    let mut chat = connect(server, config)?;
    chat.join(code);
    while let Some(event) = chat.next().await {
        match event {
            Event::Message { room, message, live: true, mine: false } => {
                if let Some(words) = message.text.as_str().strip_prefix("!echo ") {
                    chat.say(&room, words.parse()?)?;
                }
            }
            Event::Refused { text, .. } => return Err(text.into()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "../tests/examples/bot.rs"]
mod tests;
