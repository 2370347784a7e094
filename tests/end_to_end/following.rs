//! Following a running session: on the screens and in the shell, through a collector that is killed and comes back.

use crate::screen::Screen;
use crate::world::{World, same, signal};
use libtest_mimic::{Failed, Trial};
use recount::{EndReason, Recorder, Session};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tests::need::trial;

const LONG: Duration = Duration::from_secs(30);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "screens_follow_a_session_pause_and_announce",
            None,
            screens_follow,
        ),
        trial(
            "screens_outlive_a_killed_collector",
            None,
            screens_outlive_a_killed_collector,
        ),
        trial(
            "screens_on_a_folder_see_a_collector_come",
            None,
            screens_on_a_folder,
        ),
        trial("home_takes_up_new_sessions", None, home_takes_up),
        trial(
            "log_follow_prints_each_record_once_through_a_restart",
            None,
            log_follows,
        ),
        trial(
            "log_follow_ends_when_nobody_reads",
            None,
            log_ends_with_its_reader,
        ),
    ]
}

fn recorder(world: &World) -> Result<Recorder, Failed> {
    Ok(Recorder::builder("agent")
        .collector(world.endpoint()?)
        .spool(world.folder.path().join("spool"))
        .export_timeout(Duration::from_millis(500))
        .strict_wait(LONG)
        .build()?)
}

fn session(recorder: &Recorder) -> Session {
    recorder.session("47").intent("tidy up").start_blocking()
}

fn act(session: &Session, name: &str) -> Result<(), Failed> {
    session.tool(name).begin_blocking()?.end_success();
    Ok(())
}

/// `recount ARGUMENTS --collector SOCKET`.
fn looking(world: &World, arguments: &[&str]) -> Result<Command, Failed> {
    let mut command = world.recount()?;
    command
        .args(arguments)
        .arg("--collector")
        .arg(world.collector.reader());
    Ok(command)
}

fn screens_follow() -> Result<(), Failed> {
    let world = World::new()?;
    let recorder = recorder(&world)?;
    let session = session(&recorder);
    act(&session, "first-step")?;
    let mut screen = Screen::open(&looking(&world, &["47"])?)?;
    screen.wait_for("LIVE OPEN")?;
    screen.press("2")?;
    screen.wait_for("[2 Timeline]")?;
    screen.wait_for("first-step")?;
    act(&session, "second-step")?;
    screen.wait_for("second-step")?;
    screen.press("F")?;
    screen.wait_for("PAUSED")?;
    act(&session, "third-step")?;
    screen.wait_for("PAUSED +")?;
    same(screen.shown().contains("third-step"), false)?;
    screen.press("F")?;
    screen.wait_for("third-step")?;
    session.tool("psql").denied("P-17", "41", "no prod");
    act(&session, "fourth-step")?;
    screen.wait_for("new problem")?;
    screen.wait_for("DENY")?;
    session.end_blocking(EndReason::Completed);
    same(recorder.close_blocking(LONG).0, 0)?;
    screen.wait_for("INTACT")?;
    screen.press("Q")?;
    same(screen.left()?, 0)
}

fn screens_outlive_a_killed_collector() -> Result<(), Failed> {
    let mut world = World::new()?;
    let recorder = recorder(&world)?;
    let session = session(&recorder);
    act(&session, "first-step")?;
    let mut screen = Screen::open(&looking(&world, &["47"])?)?;
    screen.wait_for("LIVE OPEN")?;
    screen.press("2")?;
    screen.wait_for("[2 Timeline]")?;
    screen.wait_for("first-step")?;
    world.collector.kill()?;
    screen.wait_for("OFFLINE")?;
    screen.wait_for("what was read stays")?;
    // What it has can be looked at as before.
    screen.press("1")?;
    screen.wait_for("[1 Answer]")?;
    screen.press("2")?;
    screen.wait_for("[2 Timeline]")?;
    screen.wait_for("first-step")?;
    world.collector.kill_and_start_again(Duration::ZERO)?;
    screen.wait_for("answers again")?;
    act(&session, "second-step")?;
    screen.wait_for("second-step")?;
    screen.wait_for("LIVE OPEN")?;
    screen.press("Q")?;
    screen.left()?;
    session.end_blocking(EndReason::Completed);
    same(recorder.close_blocking(LONG).0, 0)
}

fn screens_on_a_folder() -> Result<(), Failed> {
    let mut world = World::new()?;
    let recorder = recorder(&world)?;
    let session = session(&recorder);
    act(&session, "first-step")?;
    world.collector.kill()?;
    let mut command = world.recount()?;
    command
        .args(["47", "--store"])
        .arg(world.folder.path().join("store"));
    let mut screen = Screen::open(&command)?;
    screen.wait_for("[1 Answer]")?;
    screen.press("2")?;
    screen.wait_for("[2 Timeline]")?;
    screen.wait_for("first-step")?;
    world.collector.kill_and_start_again(Duration::ZERO)?;
    // Beside the store lies no socket, and the folder is locked: its collector's door is found where collectors listen.
    let runtime = world.folder.path().join("XDG_RUNTIME_DIR/recount");
    std::fs::create_dir_all(&runtime)?;
    std::os::unix::fs::symlink(world.collector.reader(), runtime.join("reader.sock"))?;
    act(&session, "second-step")?;
    screen.wait_for("second-step")?;
    screen.press("Q")?;
    screen.left()?;
    session.end_blocking(EndReason::Completed);
    same(recorder.close_blocking(LONG).0, 0)
}

fn home_takes_up() -> Result<(), Failed> {
    let world = World::new()?;
    let recorder = recorder(&world)?;
    let first = session(&recorder);
    act(&first, "first-step")?;
    let mut screen = Screen::open(&looking(&world, &[])?)?;
    screen.wait_for("sessions: 1")?;
    let second = recorder.session("48").intent("look").start_blocking();
    act(&second, "other-step")?;
    screen.wait_for("sessions: 2")?;
    screen.wait_for(" 48 ")?;
    screen.press("Q")?;
    screen.left()?;
    first.end_blocking(EndReason::Completed);
    second.end_blocking(EndReason::Completed);
    same(recorder.close_blocking(LONG).0, 0)
}

/// A command whose lines are read as they come.
struct Printed {
    child: Child,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Printed {
    fn of(command: &mut Command) -> Result<Self, Failed> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let lines = told(out.ok_or("no output")?);
        let errors = told(err.ok_or("no errors")?);
        Ok(Self {
            child,
            lines,
            errors,
        })
    }

    /// The lines up to one that contains a text.
    fn until(&self, wanted: &str) -> Result<Vec<String>, Failed> {
        let mut seen = Vec::new();
        loop {
            let line = self.lines.recv_timeout(LONG).map_err(|_| {
                let errors: Vec<String> = self.errors.try_iter().collect();
                format!("{wanted:?} never came: {seen:#?}\n{errors:#?}")
            })?;
            let found = line.contains(wanted);
            seen.push(line);
            if found {
                return Ok(seen);
            }
        }
    }

    /// The exit code, once it has ended.
    fn ended(&mut self) -> Result<Option<i32>, Failed> {
        let began = Instant::now();
        while began.elapsed() < LONG {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("it does not end".into())
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn told(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn log_follows() -> Result<(), Failed> {
    let mut world = World::new()?;
    let recorder = recorder(&world)?;
    let session = session(&recorder);
    act(&session, "first-step")?;
    let mut log = looking(&world, &["log", "47", "--follow", "-o", "json"])?;
    let mut log = Printed::of(&mut log)?;
    let mut lines = log.until("first-step")?;
    world.collector.kill()?;
    let said = log.errors.recv_timeout(LONG)?;
    let said = match said.contains("pinned") {
        true => log.errors.recv_timeout(LONG)?,
        false => said,
    };
    same(said.contains("trying again"), true).map_err(|_| said)?;
    world.collector.kill_and_start_again(Duration::ZERO)?;
    act(&session, "second-step")?;
    lines.extend(log.until("second-step")?);
    session
        .tool("last-step")
        .reads()
        .begin_blocking()?
        .end_success();
    session.end_blocking(EndReason::Completed);
    lines.extend(log.until("agent.session.end")?);
    let mut places = Vec::new();
    for line in &lines {
        let record: serde_json::Value = serde_json::from_str(line)?;
        let place = record["ref"].as_str().or(record["place"].as_str());
        places.push(place.ok_or(line.as_str())?.to_owned());
    }
    let mut once = places.clone();
    once.sort();
    once.dedup();
    same(places.len(), once.len())?;
    let all = looking(&world, &["log", "47", "-o", "json"])?.output()?;
    let all = String::from_utf8_lossy(&all.stdout).lines().count();
    same(lines.len(), all)?;
    signal("-INT", log.child.id())?;
    same(log.ended()?, Some(130))?;
    same(recorder.close_blocking(LONG).0, 0)
}

fn log_ends_with_its_reader() -> Result<(), Failed> {
    let world = World::new()?;
    let recorder = recorder(&world)?;
    let session = session(&recorder);
    act(&session, "first-step")?;
    let mut child = looking(&world, &["log", "47", "--follow"])?
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut out = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut line = String::new();
    out.read_line(&mut line)?;
    // Nothing more is recorded: the pipe alone says that nobody reads.
    drop(out);
    let began = Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if began.elapsed() > LONG => {
                child.kill()?;
                return Err("it does not end".into());
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    same(status.code(), Some(0))?;
    session.end_blocking(EndReason::Completed);
    same(recorder.close_blocking(LONG).0, 0)
}
