//! What a program said and how it ended.

use std::io::Write;
use std::process::{Command, Stdio};

/// A program's end: exit code, standard output and standard error.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it wrote as data.
    pub out: String,
    /// What it wrote beside the data.
    pub err: String,
}

impl Outcome {
    /// Runs a command to its end, with nothing on standard input.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn of(command: &mut Command) -> std::io::Result<Self> {
        Self::fed(command, "")
    }

    /// Runs a command to its end, with `input` on standard input.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn fed(command: &mut Command, input: &str) -> std::io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input is not at fault.
            let _closed_early = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output()?;
        Ok(Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// The outcome, if it ended with this code.
    ///
    /// # Errors
    /// The whole story, if it ended with another.
    pub fn ended(self, code: i32) -> Result<Self, String> {
        if self.code == Some(code) {
            return Ok(self);
        }
        Err(format!(
            "exit {:?}, not {code}\n--- out\n{}\n--- err\n{}",
            self.code, self.out, self.err
        ))
    }

    /// Standard output as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<serde_json::Value, String> {
        serde_json::from_str(&self.out).map_err(|error| format!("{error} in:\n{}", self.out))
    }
}
