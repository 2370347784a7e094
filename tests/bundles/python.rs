//! The verifier in Python: one process that answers one bundle after the other.

use libtest_mimic::{Failed, Trial};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The script.
pub(crate) fn script() -> PathBuf {
    tests::root().join("tests/python/verify_bundle.py")
}

/// A test that needs `python3`, listed as ignored with the reason where there is none.
pub(crate) fn trial(name: &str, test: fn() -> Result<(), Failed>) -> Trial {
    let there = Command::new("python3")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if there {
        Trial::test(name, test)
    } else {
        Trial::test(format!("{name} (needs python3)"), test).with_ignored_flag(true)
    }
}

/// The process; it ends when its stdin is closed.
pub(crate) struct Python {
    child: Child,
    asked: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Python {
    pub(crate) fn start() -> Result<Self, Failed> {
        let mut child = Command::new("python3")
            .arg("-I")
            .arg(script())
            .arg("--stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let answers = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        Ok(Self {
            asked: child.stdin.take(),
            child,
            answers,
        })
    }

    /// Exit code and the first failure in words.
    pub(crate) fn verify(
        &mut self,
        bundle: &[u8],
        known: &[u8],
        key: &str,
    ) -> Result<(u8, String), Failed> {
        let asked = self.asked.as_mut().ok_or("already closed")?;
        for field in [bundle, known, key.as_bytes()] {
            asked.write_all(&u32::try_from(field.len())?.to_be_bytes())?;
            asked.write_all(field)?;
        }
        asked.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let (code, why) = line.trim_end().split_once(' ').ok_or("it died")?;
        Ok((code.parse()?, why.to_owned()))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.asked = None;
        let _ = self.child.wait();
    }
}
