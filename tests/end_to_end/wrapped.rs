//! `recount run`: a command that knows nothing of recording, as a session, in a pipe and in a terminal.

use crate::world::{World, is, of, same, signal};
use libtest_mimic::{Failed, Trial};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tests::need::{Need, python, trial};
use tests::outcome::Outcome;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("run_makes_a_command_a_session_with_diffs", None, whole),
        trial("run_leaves_streams_and_exit_codes_alone", None, streams),
        trial(
            "run_ends_by_the_signal_that_ended_the_command",
            None,
            signals,
        ),
        trial("run_keeps_ignored_signals_ignored", None, ignored),
        trial(
            "run_starts_nothing_that_would_not_be_recorded",
            None,
            no_collector,
        ),
        trial("run_killed_leaves_an_action_that_dangles", None, killed),
        trial("run_says_what_outlives_the_command", None, survivors),
        trial(
            "run_does_not_see_a_survivor_without_its_environment",
            None,
            a_survivor_without_its_environment_is_not_found,
        ),
        trial(
            "run_does_not_see_what_is_done_elsewhere_or_undone",
            None,
            what_is_done_elsewhere_or_undone_is_not_seen,
        ),
        trial(
            "run_in_a_terminal_is_like_no_run_at_all",
            None,
            what_a_command_shows_on_a_terminal_is_not_kept,
        ),
        trial(
            "run_gives_no_credential_of_its_own_to_the_command",
            None,
            credentials,
        ),
        trial("run_does_as_the_page_says", None, as_the_page_says),
        trial("run_joins_what_python_emits", Some(Need::Python), emitted),
    ]
}

fn whole() -> Result<(), Failed> {
    let world = World::new()?;
    world.write("out/edited", "one\n")?;
    world.write("out/sub/gone", "bye")?;
    world.write("src/touched", "not to be")?;
    let script = "printf 'two\\n' > out/edited; rm out/sub/gone; echo hi > 'out/new\u{1b}[2J'; echo x > src/touched; echo said; exit 3";
    let flags = [
        "--scope",
        "write file:out/**",
        "--scope",
        "delete file:out/**",
        "--watch",
        "src",
        "--intent",
        "tidy up",
        "--asked-by",
        "https://idp.example.test#u-104",
    ];
    let ended = Outcome::of(&mut world.run(&flags, script)?)?.ended(3)?;
    same(ended.out.as_str(), "said\n")?;
    let account = world.settled()?;
    let edited = of(&account["diffs"], "resource", "file:out/edited")?;
    is(&edited["before"]["inline"], "one\n")?;
    is(&edited["after"]["inline"], "two\n")?;
    is(&edited["read_before"], "unlocked")?;
    let gone = of(&account["diffs"], "resource", "file:out/sub/gone")?;
    is(&gone["after"]["state"], "absent")?;
    of(&account["diffs"], "resource", "file:out/new\u{1b}[2J")?;
    same(&account["scope"][0]["verdict"], &Value::from("exceeded"))?;
    is(
        &account["scope"][0]["outside"][0]["resource"],
        "file:src/touched",
    )?;
    let action = of(&account["actions"], "kind", "process")?;
    is(&action["output"]["inline"], "said\n")?;
    is(&action["result"], "exit status: 3; 4 changes")?;
    same(&action["outcome"], &Value::from("failure"))?;
    is(&account["asked"][0]["intent"]["inline"], "tidy up")?;
    is(&account["asked"][0]["principal"]["subject"], "u-104")?;
    same(&account["integrity"]["status"], &Value::from("intact"))
}

fn streams() -> Result<(), Failed> {
    let world = World::new()?;
    // More than any pipe holds, read and written at once, both streams in their order.
    let input = "0123456789abcdef".repeat(64 * 1024);
    let mut cat = world.run(&["-q"], "cat; echo end >&2; exit 7")?;
    let given = world.folder.path().join("input");
    std::fs::write(&given, &input)?;
    cat.stdin(std::fs::File::open(given)?);
    let output = cat.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let output = output.wait_with_output()?;
    let ended = Outcome {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
    .ended(7)?;
    let mut cat = world.run(&["-q"], "cat")?;
    same(
        Outcome::fed(&mut cat, "through a pipe")?
            .ended(0)?
            .out
            .as_str(),
        "through a pipe",
    )?;
    same(ended.out == input, true)?;
    same(ended.err.as_str(), "end\n")?;
    let file = std::fs::File::create(world.folder.path().join("log"))?;
    let mut both = world.run(&["-q"], "echo one; echo two >&2; echo three; exit 5")?;
    both.stdout(file.try_clone()?).stderr(file);
    same(both.status()?.code(), Some(5))?;
    let written = std::fs::read_to_string(world.folder.path().join("log"))?;
    same(written.as_str(), "one\ntwo\nthree\n")?;
    // What a log held before is not what the command wrote.
    let log = std::fs::File::options()
        .append(true)
        .open(world.folder.path().join("log"))?;
    let mut more = world.run(&["-q"], "echo four; exit 6")?;
    same(more.stdout(log).status()?.code(), Some(6))?;
    let account = world.account()?;
    let more = of(&account["actions"], "result", "exit status: 6")?;
    same(&more["output"]["inline"], &Value::from("four\n"))?;
    let cat = of(&account["actions"], "result", "exit status: 7")?;
    is(&cat["output"]["inline"], "0123456789abcdef")?;
    is(&cat["input"]["state"], "not_captured")?;
    let both = of(&account["actions"], "result", "exit status: 5")?;
    same(&both["output"]["inline"], &Value::from("one\ntwo\nthree\n"))?;
    // A reader that leaves is noticed as it is without us.
    let mut yes = world.run(&["-q"], "exec yes")?;
    let mut yes = yes.stdout(Stdio::piped()).spawn()?;
    let mut first = [0; 2];
    let mut out = yes.stdout.take().ok_or("no stdout")?;
    out.read_exact(&mut first)?;
    drop(out);
    same(yes.wait()?.signal(), Some(13))?;
    for (command, code) in [("no-such-program-here", 127), ("/", 126)] {
        let mut run = world.recount()?;
        run.args(["run", "-q", "--endpoint", &world.endpoint()?, "--", command]);
        Outcome::of(&mut run)?.ended(code)?;
    }
    Ok(())
}

fn signals() -> Result<(), Failed> {
    let world = World::new()?;
    let killed = world.run(&["-q"], "kill -KILL $$")?.status()?;
    same(killed.signal(), Some(9))?;
    let script = "trap 'echo told; exit 9' TERM; echo ready; while :; do sleep 0.1; done";
    let mut run = world.run(&["-q"], script)?;
    let mut run = run.stdout(Stdio::piped()).spawn()?;
    let mut out = run.stdout.take().ok_or("no stdout")?;
    let mut ready = [0; 6];
    out.read_exact(&mut ready)?;
    signal("-TERM", run.id())?;
    let mut rest = String::new();
    out.read_to_string(&mut rest)?;
    same((rest.as_str(), run.wait()?.code()), ("told\n", Some(9)))?;
    let account = world.account()?;
    of(&account["actions"], "result", "signal: 9 (SIGKILL)")?;
    of(&account["actions"], "result", "exit status: 9")?;
    Ok(())
}

fn ignored() -> Result<(), Failed> {
    let world = World::new()?;
    let run = world.run(&["-q"], "grep SigIgn /proc/self/status")?;
    let set = |ended: Outcome| {
        let digits = ended.out.trim().rsplit('\t').next().map(str::to_owned);
        digits.and_then(|digits| u64::from_str_radix(&digits, 16).ok())
    };
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP USR1; exec \"$@\"", "sh"]);
    nohup
        .arg(run.get_program())
        .args(run.get_args())
        .current_dir(world.work());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => nohup.env(name, value),
            None => nohup.env_remove(name),
        };
    }
    let ignored = set(Outcome::of(&mut nohup)?.ended(0)?).ok_or("no SigIgn")?;
    same(ignored & (1 | 1 << 9), 1 | 1 << 9)
}

fn no_collector() -> Result<(), Failed> {
    let world = World::new()?;
    let away = [
        "--endpoint",
        "http://127.0.0.1:1",
        "--",
        "sh",
        "-c",
        "touch started; exit 4",
    ];
    let mut run = world.recount()?;
    let ended = Outcome::of(run.arg("run").args(away))?.ended(5)?;
    same(
        ended.err.contains("was not started") && ended.err.contains("serve --init"),
        true,
    )?;
    same(world.work().join("started").exists(), false)?;
    let mut run = world.recount()?;
    run.args(["run", "--request", "47", "--on-collector-loss", "pass"])
        .args(away);
    let ended = Outcome::of(&mut run)?.ended(4)?;
    same(ended.err.contains("wait in the spool"), true)?;
    same(world.work().join("started").exists(), true)?;
    // What waits is brought in by whoever records next.
    Outcome::of(&mut world.run(&["-q"], "true")?)?.ended(0)?;
    let account = world.account()?;
    let late = of(&account["actions"], "result", "exit status: 4")?;
    is(&late["durability"], "spool")
}

fn killed() -> Result<(), Failed> {
    let world = World::new()?;
    let mut run = world.run(&["-q"], "echo $$; exec sleep 60")?;
    let mut run = run.stdout(Stdio::piped()).spawn()?;
    let mut number = [0; 3];
    run.stdout
        .as_mut()
        .ok_or("no stdout")?
        .read_exact(&mut number)?;
    run.kill()?;
    run.wait()?;
    // Found by its environment, as the survivor it now is.
    let account = world.account()?;
    let action = of(&account["actions"], "kind", "process")?;
    same(
        (&action["outcome"], &action["ended_at"]),
        (&Value::from("unknown"), &Value::Null),
    )?;
    of(&account["problems"], "kind", "dangling_action")?;
    let session = account["sessions"][0]["id"].as_str().ok_or("no session")?;
    end_all(session)
}

/// Ends what a session left behind.
fn end_all(session: &str) -> Result<(), Failed> {
    let wanted = format!("RECOUNT_SESSION={session}");
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let ours = environment
            .split(|byte| *byte == 0)
            .any(|one| one == wanted.as_bytes());
        if let (true, Some(Ok(pid))) = (ours, entry.file_name().to_str().map(str::parse)) {
            signal("-KILL", pid)?;
        }
    }
    Ok(())
}

fn survivors() -> Result<(), Failed> {
    let world = World::new()?;
    let script = "setsid sleep 60 </dev/null >/dev/null 2>&1 & until [ \"$(cat /proc/$!/comm)\" = sleep ]; do :; done";
    let ended = Outcome::of(&mut world.run(&[], script)?)?.ended(0)?;
    same(ended.err.contains("1 process outlives the command"), true)?;
    let account = world.account()?;
    let action = of(&account["actions"], "kind", "process")?;
    is(&action["result"], "1 process outlives it: sleep (")?;
    end_all(account["sessions"][0]["id"].as_str().ok_or("no session")?)
}

fn a_survivor_without_its_environment_is_not_found() -> Result<(), Failed> {
    let world = World::new()?;
    let script = "env -i sleep 2 </dev/null >/dev/null 2>&1 & until [ \"$(cat /proc/$!/comm)\" = sleep ]; do :; done";
    let ended = Outcome::of(&mut world.run(&[], script)?)?.ended(0)?;
    same(ended.err.contains("outlives"), false)
}

fn what_is_done_elsewhere_or_undone_is_not_seen() -> Result<(), Failed> {
    let world = World::new()?;
    world.write("out/kept", "same")?;
    let script = "echo x > elsewhere; echo y > out/kept; printf same > out/kept; exec echo done";
    Outcome::of(&mut world.run(&["-q", "--scope", "write file:out/**"], script)?)?.ended(0)?;
    let account = world.account()?;
    same(&account["diffs"], &Value::Array(Vec::new()))?;
    // Nothing outside was seen, and nobody says that nothing was done there.
    same(&account["scope"][0]["verdict"], &Value::from("unknown"))
}

fn credentials() -> Result<(), Failed> {
    let world = World::new()?;
    let mut run = world.run(&["-q"], "env; echo password=hunter2-in-the-clear")?;
    run.env("RECOUNT_TOKEN", "rct_not-for-the-command");
    let ended = Outcome::of(&mut run)?;
    // Nobody is enrolled with it: refused, and not started.
    same(ended.code, Some(5))?;
    let ended = Outcome::of(&mut world.run(&["-q"], "env; echo password=hunter2-in-the-clear")?)?;
    same(
        ended.out.contains("hunter2") && !ended.out.contains("RECOUNT_TOKEN"),
        true,
    )?;
    let account = world.account()?;
    same(account.to_string().contains("hunter2"), false)?;
    of(&account["problems"], "kind", "secret_removed")?;
    Ok(())
}

/// The script that the page on instrumenting shows.
fn as_the_page_says() -> Result<(), Failed> {
    let world = World::new()?;
    let script = tests::root().join("examples/sh/any_command.sh");
    let ended = Outcome::of(&mut world.script(&script)?)?.ended(0)?;
    same(ended.out.starts_with("done\n"), true)?;
    for wanted in [
        "count the orders",
        "A file:out/summary.txt",
        "scope    UNKNOWN",
    ] {
        is(&Value::from(ended.out.as_str()), wanted)?;
    }
    Ok(())
}

fn emitted() -> Result<(), Failed> {
    let world = World::new()?;
    let mut run = world.recount()?;
    run.args([
        "run",
        "-q",
        "--endpoint",
        &world.endpoint()?,
        "--request",
        "47",
        "--",
    ]);
    run.arg(python())
        .arg(tests::root().join("examples/python/stock_opentelemetry.py"))
        .arg("47");
    run.env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=a%20b");
    Outcome::of(&mut run)?.ended(0)?;
    let account = world.account()?;
    let sessions = account["sessions"].as_array().map(Vec::len);
    same(sessions, Some(1))?;
    of(&account["actions"], "name", "execute_tool close_ticket")?;
    of(&account["actions"], "kind", "process")?;
    Ok(())
}

/// A shell with job control in a terminal of its own.
struct Terminal {
    output: Receiver<Vec<u8>>,
    input: Box<dyn std::io::Write + Send>,
    master: Box<dyn portable_pty::MasterPty + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    seen: String,
}

impl Terminal {
    fn open(world: &World) -> Result<Self, Failed> {
        let size = PtySize {
            rows: 24,
            cols: 80,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system()
            .openpty(size)
            .map_err(|error| error.to_string())?;
        let mut shell = CommandBuilder::new("bash");
        shell.args(["--norc", "--noprofile", "-i"]);
        shell.cwd(world.work());
        let run = world.run(&[], "")?;
        shell.env("RECOUNT_PROGRAM", run.get_program());
        for (name, value) in run.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            }
        }
        shell.env("PS1", "$ ");
        let child = pair
            .slave
            .spawn_command(shell)
            .map_err(|error| error.to_string())?;
        drop(pair.slave);
        let mut reader = pair
            .master
            .try_clone_reader()
            .map_err(|error| error.to_string())?;
        let input = pair
            .master
            .take_writer()
            .map_err(|error| error.to_string())?;
        let (send, output) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut chunk) {
                if send.send(chunk[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            output,
            input,
            master: pair.master,
            child,
            seen: String::new(),
        })
    }

    fn press(&mut self, keys: &str) -> Result<(), Failed> {
        self.input.write_all(keys.as_bytes())?;
        Ok(self.input.flush()?)
    }

    /// Waits for a text behind what was waited for before.
    fn wait_for(&mut self, wanted: &str) -> Result<(), Failed> {
        let began = Instant::now();
        loop {
            if let Some(at) = self.seen.find(wanted) {
                self.seen.drain(..at + wanted.len());
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(60) {
                return Err(format!("{wanted:?} never came: {:?}", self.seen).into());
            }
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(100)) {
                self.seen.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
    }
}

/// Job control, interrupt, size and the terminal itself reach the command.
fn what_a_command_shows_on_a_terminal_is_not_kept() -> Result<(), Failed> {
    let world = World::new()?;
    let mut shell = Terminal::open(&world)?;
    let prefix = format!(
        "$RECOUNT_PROGRAM --as-program recount run -q --endpoint {} --request 47 -- ",
        world.endpoint()?
    );
    shell.press(&format!(
        "{prefix}sh -c 'test -t 0 && test -t 1 && test -t 2 && echo is-a-\"terminal\"'\n"
    ))?;
    shell.wait_for("is-a-terminal")?;
    // Ctrl-Z stops the whole job, fg goes on with it, Ctrl-C ends it, and the shell sees that it was interrupted.
    shell.press(&format!(
        "{prefix}sh -c 'echo be\"gun\"; while :; do sleep 0.1; done'\n"
    ))?;
    shell.wait_for("begun")?;
    shell.press("\u{1a}")?;
    shell.wait_for("Stopped")?;
    shell.press("fg >/dev/null\n")?;
    std::thread::sleep(Duration::from_millis(300));
    shell.press("\u{3}")?;
    shell.press("echo code-\"$?\"\n")?;
    shell.wait_for("code-130")?;
    // A new size is the command's to know.
    let script = "trap \"stty size; exit 0\" WINCH; echo wait\"ing\"; while :; do sleep 0.1; done";
    shell.press(&format!("{prefix}bash -c '{script}'\n"))?;
    shell.wait_for("waiting")?;
    let size = PtySize {
        rows: 31,
        cols: 99,
        pixel_width: 0,
        pixel_height: 0,
    };
    shell
        .master
        .resize(size)
        .map_err(|error| error.to_string())?;
    shell.wait_for("31 99")?;
    shell.press("exit\n")?;
    let account = world.account()?;
    let action = of(&account["actions"], "result", "signal: 2 (SIGINT)")?;
    is(&action["output"]["state"], "not_captured")?;
    is(&action["output"]["why"], "a terminal")
}
