//! One machine, three commands: serve, log a line, look.

use libtest_mimic::{Failed, Trial};
use std::path::Path;
use tests::need::trial;
use tests::outcome::Outcome;
use tests::program::Program::{Collector, Recount};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("log_line_seals_each_line_of_a_pipe", None, seals_lines),
        trial(
            "log_line_without_a_collector_says_how_to_start_one",
            None,
            says_how_to_start,
        ),
        trial(
            "a_checkpoint_kept_elsewhere_is_still_extended",
            None,
            extends_checkpoint,
        ),
    ]
}

fn seals_lines() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let collector = examples::collector::Running::start(&store)?;
    let lines = "backup started\n{\"level\":\"info\",\"files\":12345678901234567890}\nhostile \u{1b}]52;c;eA==\u{7} line\n";
    let mut log = program(Recount.command()?, folder.path());
    log.args(["log-line", "--request", "nightly"])
        .arg("--endpoint")
        .arg(format!("http://{}", collector.otlp_http()?));
    Outcome::fed(&mut log, lines)?.ended(0)?;
    collector.stop()?;
    let mut show = program(Recount.command()?, folder.path());
    show.args(["log", "nightly", "-o", "json", "--store"])
        .arg(&store);
    let shown = Outcome::of(&mut show)?.ended(0)?;
    for wanted in ["backup started", "12345678901234567890", "\\u001b"] {
        if !shown.out.contains(wanted) {
            return Err(format!("no {wanted} in:\n{}", shown.out).into());
        }
    }
    Ok(())
}

fn says_how_to_start() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let mut log = program(Recount.command()?, folder.path());
    log.args([
        "log-line",
        "--request",
        "nightly",
        "--collector",
        "http://127.0.0.1:1",
    ]);
    let ended = Outcome::fed(&mut log, "one\n")?.ended(5)?;
    if !ended.err.contains("recount-collector serve --init") {
        return Err(format!("no start command in:\n{}", ended.err).into());
    }
    Ok(())
}

fn extends_checkpoint() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    examples::collector::Running::start(&store)?.stop()?;
    let mut checkpoint = program(Collector.command()?, folder.path());
    checkpoint.arg("checkpoint").arg("--store").arg(&store);
    let kept = folder.path().join("kept.txt");
    std::fs::write(&kept, Outcome::of(&mut checkpoint)?.ended(0)?.out)?;
    examples::collector::Running::start(&store)?.stop()?;
    let mut verify = program(Recount.command()?, folder.path());
    verify
        .args(["verify", "--all", "--store"])
        .arg(&store)
        .arg("--known-checkpoint")
        .arg(&kept);
    Outcome::of(&mut verify)?.ended(0)?;
    Ok(())
}

/// The program with a home of its own, so that a pinned key never outlives the test.
fn program(mut command: std::process::Command, home: &Path) -> std::process::Command {
    for name in [
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
    ] {
        command.env(name, home.join(name));
    }
    command
}
