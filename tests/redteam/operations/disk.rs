//! Disks that fail or are full, made so under a running collector.

use collector_lite::Hidden;
use libtest_mimic::Failed;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use crate::attack::When;
use crate::case::Case;
use crate::scene;

/// How long strace gets to let go.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes system calls of a running collector fail. Dropping it lets go of the collector.
struct Fault {
    strace: Child,
    /// Held open: strace dies of a message that nobody can read.
    _messages: BufReader<ChildStderr>,
}

impl Drop for Fault {
    fn drop(&mut self) {
        let pid = self.strace.id().to_string();
        // Asked to end, strace detaches; killed, it would take the collector with it.
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience {
            if !matches!(self.strace.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Of a collector that ends just now, strace may wait for the first thread, which ends only after the others
        // that strace has not looked at: then nobody is left to be taken along.
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

impl Fault {
    fn inject(collector: &Hidden, what: &str) -> Result<Self, Failed> {
        let pid = collector.ready().pid.to_string();
        let mut strace = Command::new("strace");
        strace.args([
            "-f",
            "-p",
            &pid,
            "-o",
            "/dev/null",
            "-e",
            &format!("inject={what}"),
        ]);
        let mut child = strace.stderr(Stdio::piped()).spawn()?;
        // It says so once it is attached.
        let mut line = String::new();
        let stderr = child.stderr.take().ok_or("its messages")?;
        let mut messages = BufReader::new(stderr);
        messages.read_line(&mut line)?;
        if line.contains("attached") {
            return Ok(Self {
                strace: child,
                _messages: messages,
            });
        }
        let _ = child.wait();
        Err(line.into())
    }
}

pub(super) fn failed_sync(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    let fault =
        case.attack(|_| Fault::inject(&collector, "fsync,fdatasync:error=EIO").map(Some))?;
    let answer = scene::post(&collector, &scene::export("s-a", 290..293))?;
    drop(fault);
    if answer.status == 200 {
        collector.kill()?;
        return Err("acknowledged although the sync had failed".into());
    }
    if collector.wait()?.success() {
        return Err("the collector ends as if nothing had happened".into());
    }
    // Whatever is there now: a retry gets its receipt, and each record is there once.
    let mut collector = case.start()?;
    scene::sealed(&collector, &scene::export("s-a", 290..293))?;
    collector.stop()?;
    if scene::items(&case.store(), "s-a")?.len() != 293 {
        return Err("a record is there twice or not at all".into());
    }
    case.verify()?.finds_nothing()?;
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn two_failures(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    let fault = case.attack(|_| Fault::inject(&collector, "pwrite64:error=ENOSPC").map(Some))?;
    for time in ["first", "second"] {
        let answer = scene::post(&collector, &scene::export("s-a", 290..293))?;
        if answer.status != 503 || !answer.retry_after {
            return Err(format!("{time}: {} {}", answer.status, answer.body).into());
        }
    }
    drop(fault);
    let deadline = Instant::now() + Duration::from_secs(10);
    while scene::post(&collector, &scene::export("s-a", 290..293))?.status != 200 {
        if Instant::now() > deadline {
            return Err("the collector does not come back".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    collector.stop()?;
    match scene::items(&case.store(), "s-a")?.len() {
        293 => case.verify()?.finds_nothing()?,
        stored => return Err(format!("{stored} records").into()),
    }
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn full_disk(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    scene::sealed(&collector, &scene::export("full", 0..3))?;
    let fault = case.attack(|_| {
        let writes = "pwrite64,ftruncate,fallocate:error=ENOSPC";
        Fault::inject(&collector, writes).map(Some)
    })?;
    let answer = scene::post(&collector, &scene::export("full", 3..6))?;
    drop(fault);
    if answer.status != 503 || !answer.retry_after {
        return Err(format!("{} {}", answer.status, answer.body).into());
    }
    collector.stop()?;
    let mut collector = case.start()?;
    scene::sealed(&collector, &scene::export("full", 3..6))?;
    collector.stop()?;
    if scene::items(&case.store(), "full")?.len() != 6 {
        return Err("a record is there twice or not at all".into());
    }
    case.verify()?.finds_nothing()?;
    case.caught(When::Ingest);
    Ok(())
}
