//! Reading changes nothing, and a folder and a door give the same account.

use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;
use tests::need::{Need, trial};
use tests::outcome::Outcome;
use tests::program::Program::{Collector, Recount};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("folder_and_door_give_the_same_account", None, same_account),
        trial("one_user_for_agent_and_collector_is_told", None, one_user),
        trial(
            "reading_after_a_kill_changes_nothing",
            None,
            changes_nothing,
        ),
        trial(
            "reading_works_on_a_read_only_mount",
            Some(Need::Namespaces),
            read_only_mount,
        ),
        trial(
            "reading_as_another_user_is_not_allowed",
            Some(Need::Namespaces),
            another_user,
        ),
    ]
}

fn same_account() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let collector = sealed(&store)?;
    let mut door = show(folder.path())?;
    door.arg("--collector").arg(collector.reader());
    let from_door = Outcome::of(&mut door)?.ended(0)?;
    collector.stop()?;
    let mut direct = show(folder.path())?;
    direct.arg("--store").arg(&store);
    let from_folder = Outcome::of(&mut direct)?.ended(0)?;
    // The stop adds a head, a shutdown leaf and a checkpoint; what was done is the same.
    let facts = |outcome: &Outcome| -> Result<_, Failed> {
        let mut account = outcome.json()?;
        for key in ["integrity", "query"] {
            account.as_object_mut().ok_or("an object")?.remove(key);
        }
        Ok(account)
    };
    if facts(&from_door)? != facts(&from_folder)? {
        return Err(format!("{}\n---\n{}", from_door.out, from_folder.out).into());
    }
    Ok(())
}

/// The tests' user owns the store and ran the agent.
fn one_user() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    sealed(&store)?.stop()?;
    let mut status = Collector.command()?;
    status.arg("status").arg("--store").arg(&store);
    let status = Outcome::of(&mut status)?.ended(0)?.out;
    if !status.contains("an agent that runs as you could change it") {
        return Err(status.into());
    }
    let mut read = show(folder.path())?;
    read.arg("--store").arg(&store);
    let account = Outcome::of(&mut read)?.ended(0)?.json()?;
    let not_proven = account["integrity"]["not_proven"].to_string();
    if !not_proven.contains("that the recorder was out of the agent's reach") {
        return Err(not_proven.into());
    }
    Ok(())
}

fn changes_nothing() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let mut collector = sealed(&store)?;
    collector.kill()?;
    let before = listing(&store)?;
    let mut read = show(folder.path())?;
    read.arg("--store").arg(&store);
    Outcome::of(&mut read)?.ended(0)?;
    if listing(&store)? != before {
        return Err("reading changed the store".into());
    }
    Ok(())
}

fn read_only_mount() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    sealed(&store)?.stop()?;
    let read = show(folder.path())?;
    let script =
        "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\"";
    let mut inside = Command::new("unshare");
    inside
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(&store)
        .arg(read.get_program())
        .args(read.get_args());
    inside.arg("--store").arg(&store);
    for (key, value) in read.get_envs() {
        if let Some(value) = value {
            inside.env(key, value);
        }
    }
    Outcome::of(&mut inside)?.ended(0)?;
    Ok(())
}

fn another_user() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    sealed(&store)?.stop()?;
    let read = show(folder.path())?;
    // The test binary lies where only root may look: the other user gets a copy.
    let public = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()?;
    let copy = public.path().join("recount");
    std::fs::copy(read.get_program(), &copy)?;
    std::fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )?;
    let mut other = Command::new("setpriv");
    other
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy)
        .args(read.get_args());
    other
        .arg("--store")
        .arg(&store)
        .env("HOME", "/nonexistent")
        .env_remove("XDG_STATE_HOME");
    let ended = Outcome::of(&mut other)?.ended(4)?;
    if !ended.err.contains("hint:") {
        return Err(format!("no hint in:\n{}", ended.err).into());
    }
    Ok(())
}

/// A running collector whose store holds one finished session for request `r-1`.
fn sealed(store: &Path) -> Result<examples::collector::Running, Failed> {
    let collector = examples::collector::Running::start(store)?;
    let mut log = Recount.command()?;
    log.env("XDG_STATE_HOME", store.with_file_name("sender"))
        .args(["log-line", "--request", "r-1", "--endpoint"])
        .arg(format!("http://{}", collector.otlp_http()?));
    Outcome::fed(&mut log, "first\nsecond\n")?.ended(0)?;
    Ok(collector)
}

fn show(home: &Path) -> Result<Command, Failed> {
    let mut command = Recount.command()?;
    command.args(["show", "r-1", "-o", "json"]);
    command
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_STATE_HOME", home.join("state"));
    Ok(command)
}

fn listing(folder: &Path) -> Result<BTreeMap<String, (Vec<u8>, SystemTime)>, Failed> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.insert(
                name,
                (std::fs::read(entry.path())?, entry.metadata()?.modified()?),
            );
        }
    }
    Ok(found)
}
