//! A real PostgreSQL server for tests: its own folder, its own user, gone when it is dropped.
//!
//! It also serves the SDK's own tests, which include this file; it needs nothing but the standard library and `tempfile`.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The user that the server runs as where the tests run as root, which its tools refuse.
const NOBODY: u32 = 65534;

/// How long the server may take to answer, on a machine that does much else.
const START: Duration = Duration::from_secs(60);

/// Where the server's programs are, newest version first; `None` where none is installed.
#[must_use]
pub fn programs() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("postgres").is_file())
        .collect();
    found.sort();
    let in_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
    };
    found.pop().map(|(_, folder)| folder).or_else(in_path)
}

/// A running server that listens on a Unix socket only.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    running: Option<JoinHandle<()>>,
}

impl Server {
    /// Makes a new cluster and starts it: no password, no `fsync`, every statement in the log with the name of its
    /// application.
    ///
    /// # Errors
    /// When a program fails, or the server does not answer in time; with the end of its log.
    pub fn start() -> io::Result<Self> {
        let programs =
            programs().ok_or_else(|| io::Error::other("no PostgreSQL server is installed"))?;
        let folder = tempfile::Builder::new().prefix("recount-pg-").tempdir()?;
        if is_root()? {
            chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
        }
        let mut server = Self {
            folder,
            programs,
            running: None,
        };
        let mut initdb = server.program("initdb")?;
        initdb.args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
            "-D",
        ]);
        let output = initdb.arg(server.data()).output()?;
        if !output.status.success() {
            return Err(io::Error::other(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            ));
        }
        server.run()?;
        Ok(server)
    }

    /// Starts it, or starts it again after [`Server::kill`].
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn run(&mut self) -> io::Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))?;
        let mut command = self.program("postgres")?;
        command
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path());
        for setting in [
            "listen_addresses=",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=100",
            "shared_buffers=32MB",
            "log_line_prefix=%m [%p] app=%a ",
            "log_statement=all",
            "lock_timeout=20s",
            "max_prepared_transactions=4",
        ] {
            command.args(["-c", setting]);
        }
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let (told, spawned) = mpsc::channel();
        // The signal that ends it with us goes by the thread that spawned it, so one waits for as long as it runs.
        self.running = Some(thread::spawn(move || {
            let child = command.spawn();
            let _ = told.send(child.as_ref().map(drop).map_err(|error| error.to_string()));
            if let Ok(mut child) = child {
                let _ = child.wait();
            }
        }));
        spawned
            .recv()
            .unwrap_or_else(|_| Err("it was not spawned".to_owned()))
            .map_err(io::Error::other)?;
        let begun = Instant::now();
        while !self.answers()? {
            if begun.elapsed() > START {
                return Err(io::Error::other(format!(
                    "the server does not answer: {}",
                    self.log()
                )));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn answers(&self) -> io::Result<bool> {
        let mut ready = Command::new(self.programs.join("pg_isready"));
        ready.arg("-q").arg("-h").arg(self.socket());
        Ok(ready.status()?.success())
    }

    /// Stops it as a crash would: connections break, nothing is written any more.
    ///
    /// # Errors
    /// When it cannot be told to.
    pub fn kill(&mut self) -> io::Result<()> {
        self.stop("immediate")
    }

    fn stop(&mut self, mode: &str) -> io::Result<()> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        let mut stop = self.program("pg_ctl")?;
        stop.args(["stop", "-w", "-s", "-m", mode, "-D"])
            .arg(self.data());
        let stopped = stop.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if stopped.success() {
            let _ = running.join();
        }
        Ok(())
    }

    /// The folder with its socket: `host` for clients.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// What a client connects with.
    #[must_use]
    pub fn config(&self, user: &str, database: &str) -> String {
        format!(
            "host={} user={user} dbname={database}",
            self.socket().display()
        )
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its version, as it says itself.
    #[must_use]
    pub fn version(&self) -> String {
        let output = Command::new(self.programs.join("postgres"))
            .arg("--version")
            .output();
        output
            .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
            .unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of its programs, as a user who is not root.
    fn program(&self, name: &str) -> io::Result<Command> {
        let program = self.programs.join(name);
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if is_root()? {
            command
                .arg(format!("--reuid={NOBODY}"))
                .arg(format!("--regid={NOBODY}"))
                .arg("--clear-groups");
        }
        command
            .arg("--")
            .arg(program)
            .current_dir(self.folder.path())
            .env("LC_ALL", "C")
            .env_remove("PGHOST");
        Ok(command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop("immediate");
    }
}

/// Whether this process is root, whose files its own folder under `/proc` are.
fn is_root() -> io::Result<bool> {
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}
