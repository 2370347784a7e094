//! A collector with a home and a working folder of its own, and short ways to say what its account must hold.

use libtest_mimic::Failed;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::outcome::Outcome;
use tests::program::Program::Recount;

/// A collector, a home and a working folder of its own.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) collector: examples::collector::Running,
}

impl World {
    pub(crate) fn new() -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("work"))?;
        let collector = examples::collector::Running::start(&folder.path().join("store"))?;
        Ok(Self { folder, collector })
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Failed> {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        Ok(std::fs::write(path, text)?)
    }

    pub(crate) fn endpoint(&self) -> Result<String, Failed> {
        Ok(format!("http://{}", self.collector.otlp_http()?))
    }

    /// `recount run FLAGS -- sh -c SCRIPT` for request 47.
    pub(crate) fn run(&self, flags: &[&str], script: &str) -> Result<Command, Failed> {
        let mut command = self.recount()?;
        command.args(["run", "--endpoint", &self.endpoint()?, "--request", "47"]);
        command.args(flags).args(["--", "sh", "-c", script]);
        Ok(command)
    }

    pub(crate) fn recount(&self) -> Result<Command, Failed> {
        let mut command = Recount.command()?;
        command.current_dir(self.work()).env_remove("TRACEPARENT");
        for name in [
            "HOME",
            "XDG_CONFIG_HOME",
            "XDG_STATE_HOME",
            "XDG_RUNTIME_DIR",
        ] {
            command.env(name, self.folder.path().join(name));
        }
        Ok(command)
    }

    /// A script that calls `recount` by name, in the working folder.
    pub(crate) fn script(&self, script: &Path) -> Result<Command, Failed> {
        let programs = self.folder.path().join("programs");
        std::fs::create_dir_all(&programs)?;
        let own = std::env::current_exe()?.display().to_string();
        let as_recount = format!("#!/bin/sh\nexec '{own}' --as-program recount \"$@\"\n");
        self.program("recount", &as_recount)?;
        let recount = self.recount()?;
        let mut command = Command::new(script);
        command.current_dir(self.work());
        for (name, value) in recount.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("RECOUNT_COLLECTOR", self.endpoint()?)
            .env("XDG_RUNTIME_DIR", self.folder.path().join("runtime"));
        let door = self.folder.path().join("runtime/recount");
        std::fs::create_dir_all(&door)?;
        std::os::unix::fs::symlink(self.collector.reader(), door.join("reader.sock"))?;
        Ok(command)
    }

    /// A program of this name for scripts.
    pub(crate) fn program(&self, name: &str, text: &str) -> Result<(), Failed> {
        use std::os::unix::fs::PermissionsExt as _;
        let programs = self.folder.path().join("programs");
        std::fs::create_dir_all(&programs)?;
        let path = programs.join(name);
        std::fs::write(&path, text)?;
        Ok(std::fs::set_permissions(
            path,
            std::fs::Permissions::from_mode(0o755),
        )?)
    }

    /// The account of request 47 once a signature covers its end.
    pub(crate) fn settled(&self) -> Result<Value, Failed> {
        let began = std::time::Instant::now();
        loop {
            let account = self.account()?;
            let open = account["integrity"]["status"] == "open";
            if !open || began.elapsed() > std::time::Duration::from_secs(60) {
                return Ok(account);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }

    /// The account of request 47.
    pub(crate) fn account(&self) -> Result<Value, Failed> {
        let mut show = self.recount()?;
        show.args(["show", "47", "-o", "json", "--collector"])
            .arg(self.collector.reader());
        Ok(Outcome::of(&mut show)?.ended(0)?.json()?)
    }
}

pub(crate) fn of<'a>(rows: &'a Value, key: &str, wanted: &str) -> Result<&'a Value, Failed> {
    let row = rows
        .as_array()
        .into_iter()
        .flatten()
        .find(|row| row[key] == wanted);
    row.ok_or_else(|| format!("no {key} {wanted} in {rows:#}").into())
}

pub(crate) fn is(found: &Value, wanted: &str) -> Result<(), Failed> {
    match found.as_str().is_some_and(|text| text.contains(wanted)) {
        true => Ok(()),
        false => Err(format!("{wanted:?} is not in {found:#}").into()),
    }
}

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(found: T, wanted: T) -> Result<(), Failed> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("found {found:?}, not {wanted:?}").into()),
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(name: &str, process: u32) -> Result<(), Failed> {
    let sent = Command::new("kill")
        .args([name, &process.to_string()])
        .status()?;
    same(sent.success(), true)
}
