//! `recount` in a terminal of its own, as a person sees it: what is shown, and keys.

use libtest_mimic::Failed;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a text may take to appear.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal of 80 columns and 24 rows with a program in it.
pub(crate) struct Screen {
    parser: vt100::Parser,
    output: Receiver<Vec<u8>>,
    input: Box<dyn std::io::Write + Send>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
}

impl Screen {
    /// Runs a command in it, with its arguments and variables.
    pub(crate) fn open(command: &Command) -> Result<Self, Failed> {
        let size = PtySize {
            rows: 24,
            cols: 80,
            pixel_width: 0,
            pixel_height: 0,
        };
        let told = |error: &dyn std::fmt::Display| Failed::from(error.to_string());
        let pair = native_pty_system()
            .openpty(size)
            .map_err(|error| told(&error))?;
        let mut shown = CommandBuilder::new(command.get_program());
        shown.args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            shown.cwd(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shown.env(name, value),
                None => shown.env_remove(name),
            }
        }
        shown.env("TERM", "xterm-256color");
        shown.env("LC_ALL", "C.UTF-8");
        shown.env_remove("NO_COLOR");
        let child = pair
            .slave
            .spawn_command(shown)
            .map_err(|error| told(&error))?;
        drop(pair.slave);
        let reader = pair.master.try_clone_reader();
        let mut reader = reader.map_err(|error| told(&error))?;
        let input = pair.master.take_writer().map_err(|error| told(&error))?;
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut chunk) {
                if send.send(chunk[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        let cells = |cells: u16| NonZero::new(cells).ok_or("a terminal without cells");
        Ok(Self {
            parser: vt100::Parser::new(cells(24)?, cells(80)?, 0),
            output,
            input,
            _master: pair.master,
            child,
        })
    }

    pub(crate) fn shown(&self) -> String {
        self.parser.screen().contents()
    }

    fn take(&mut self, wait: Duration) -> bool {
        let bytes = self.output.recv_timeout(wait);
        if let Ok(bytes) = &bytes {
            self.parser.process(bytes);
        }
        bytes.is_ok()
    }

    /// Waits until the screen is as wanted.
    pub(crate) fn wait_until(
        &mut self,
        wanted: &str,
        is: impl Fn(&str) -> bool,
    ) -> Result<(), Failed> {
        let began = Instant::now();
        while !is(&self.shown()) {
            if began.elapsed() > PATIENCE {
                return Err(format!("{wanted:?} never came:\n{}", self.shown()).into());
            }
            self.take(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Waits until the screen contains a text.
    pub(crate) fn wait_for(&mut self, wanted: &str) -> Result<(), Failed> {
        self.wait_until(wanted, |shown| shown.contains(wanted))
    }

    pub(crate) fn press(&mut self, keys: &str) -> Result<(), Failed> {
        self.input.write_all(keys.as_bytes())?;
        Ok(self.input.flush()?)
    }

    /// Waits until the program has left; its exit code.
    pub(crate) fn left(&mut self) -> Result<u32, Failed> {
        let began = Instant::now();
        loop {
            while self.take(Duration::from_millis(20)) {}
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.exit_code());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("it does not leave:\n{}", self.shown()).into());
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
    }
}
