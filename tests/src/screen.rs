//! A terminal with the binary in it.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::PATIENCE;
use crate::binary::binary;

/// What a person would see.
pub struct Screen {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    _pty: Box<dyn MasterPty + Send>,
}

impl Screen {
    /// `qun` with these arguments on a terminal of this many columns, 24 rows high.
    pub fn start(home: &Path, columns: u16, arguments: &[&str]) -> Self {
        let size = PtySize { rows: 24, cols: columns, ..PtySize::default() };
        let pty = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(binary().path());
        command.args(arguments);
        command.env_clear();
        for (name, value) in [("HOME", home.to_str().expect("UTF-8")), ("TZ", "UTC"), ("TERM", "xterm")] {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).expect("the binary");
        let mut reader = pty.master.try_clone_reader().expect("its output");
        let (tell, output) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer)
                && tell.send(buffer[..n].to_vec()).is_ok()
            {}
        });
        let [rows, columns] = [24, columns].map(|n| NonZeroU16::new(n).expect("a terminal has room"));
        let screen = vt100::Parser::new(rows, columns, 0);
        let keyboard = pty.master.take_writer().expect("its input");
        Self { child, keyboard, output, screen, _pty: pty.master }
    }

    /// Types this.
    pub fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a keyboard");
    }

    /// Types a line.
    pub fn line(&mut self, line: &str) {
        self.keys(&format!("{line}\r"));
    }

    /// Waits until the screen shows this, and says what else it shows.
    pub fn expect(&mut self, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let shown = self.screen.screen().contents();
            if shown.contains(words) {
                return shown;
            }
            let left = until.saturating_duration_since(Instant::now());
            let output = self.output.recv_timeout(left).unwrap_or_else(|_| panic!("{words:?} never shows:\n{shown}"));
            self.screen.process(&output);
        }
    }

    /// The program's exit code.
    pub fn wait(mut self) -> u32 {
        self.child.wait().expect("it was started").exit_code()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
