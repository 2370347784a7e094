//! The renewal agent, request 47892: what the README's first command gives.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::path::Path;
use tests::need::trial;
use tests::outcome::Outcome;
use tests::program::Program::{Demo, Recount};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "demo_answers_every_part_of_the_question",
            None,
            answers_every_part,
        ),
        trial(
            "demo_opens_the_first_run_when_run_again",
            None,
            opens_the_first_run,
        ),
        trial(
            "demo_survives_a_killed_collector_at_any_step",
            None,
            survives_kills,
        ),
    ]
}

const STEPS: u32 = 10;

pub(crate) fn demo(folder: &Path, more: &[&str]) -> Result<Outcome, Failed> {
    let store = folder.join("recount-demo");
    let mut command = Demo.command()?;
    command
        .arg("--store")
        .arg(&store)
        .args(more)
        .current_dir(folder);
    Ok(Outcome::of(&mut command)?.ended(0)?)
}

pub(crate) fn recount(folder: &Path, arguments: &[&str]) -> Result<Outcome, Failed> {
    let mut command = Recount.command()?;
    command
        .args(arguments)
        .arg("--store")
        .arg(folder.join("recount-demo"));
    command
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("XDG_STATE_HOME", folder.join("state"));
    Ok(Outcome::of(&mut command)?)
}

fn answers_every_part() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let shown = demo(folder.path(), &[])?;
    for word in [
        "request", "asked", "result", "changed", "scope", "problem", "why", "who", "record",
    ] {
        if !shown.out.lines().any(|line| line.starts_with(word)) {
            return Err(
                format!("no line of the account starts with {word}:\n{}", shown.out).into(),
            );
        }
    }
    let account = recount(folder.path(), &["show", "47892", "-o", "json"])?
        .ended(0)?
        .json()?;
    expect(&account, "/outcome/status", "partial")?;
    expect(&account, "/integrity/status", "intact")?;
    for kind in [
        "effect_outside_scope",
        "denied",
        "permission_refused",
        "dangling_action",
        "rate_limited",
        "error_recovered",
        "write_conflict",
        "read_unlocked",
        "secret_removed",
    ] {
        let problems = rows(&account, "problems");
        if !problems.iter().any(|problem| problem["kind"] == kind) {
            return Err(format!("no problem of kind {kind} in {problems:#?}").into());
        }
    }
    if rows(&account, "sessions").len() != 2 {
        return Err("the request has a session and its sub-agent's".into());
    }
    nothing_holds_the_credential(&folder.path().join("recount-demo"))?;
    recount(folder.path(), &["verify", "--all"])?.ended(0)?;
    Ok(())
}

fn opens_the_first_run() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let first = demo(folder.path(), &[])?;
    let second = demo(folder.path(), &[])?;
    // The key was seen for the first time by the first run, and is pinned for the second: the record's lines say so.
    let facts = |outcome: &Outcome| -> Vec<String> {
        let lines = outcome
            .out
            .lines()
            .filter(|line| !line.starts_with("record"));
        lines.map(str::to_owned).collect()
    };
    if facts(&first) != facts(&second) {
        return Err(format!("another account:\n{}\n---\n{}", first.out, second.out).into());
    }
    Ok(())
}

fn survives_kills() -> Result<(), Failed> {
    for step in 1..=STEPS {
        let folder = tempfile::tempdir()?;
        demo(folder.path(), &["--kill-collector-at", &step.to_string()])?;
        let account = recount(folder.path(), &["show", "47892", "-o", "json"])?
            .ended(0)?
            .json()?;
        expect(&account, "/integrity/status", "intact")
            .map_err(|why| format!("step {step}: {}", why.message().unwrap_or("")))?;
        recount(folder.path(), &["verify", "--all"])?.ended(0)?;
    }
    Ok(())
}

/// The prompt's credential is `sk-` and 32 letters: no file of the store holds one.
fn nothing_holds_the_credential(store: &Path) -> Result<(), Failed> {
    for entry in std::fs::read_dir(store)? {
        let path = entry?.path();
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        let held = bytes.windows(35).any(|window| {
            window.starts_with(b"sk-") && window[3..].iter().all(u8::is_ascii_alphanumeric)
        });
        if held {
            return Err(format!("a credential was sealed in {}", path.display()).into());
        }
    }
    Ok(())
}

fn rows(account: &Value, key: &str) -> Vec<Value> {
    account[key].as_array().cloned().unwrap_or_default()
}

fn expect(account: &Value, pointer: &str, wanted: &str) -> Result<(), Failed> {
    let found = account.pointer(pointer);
    if found.and_then(Value::as_str) == Some(wanted) {
        return Ok(());
    }
    Err(format!("{pointer} is {found:?}, not {wanted}").into())
}
