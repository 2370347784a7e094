//! What the SDK promises when its collector is down, slow or restarted, and when the agent's own code goes wrong.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use examples::collector::Running;
use libtest_mimic::{Failed, Trial};
use recount::{EndReason, InContext, Recorder, RecorderBuilder, RefusedWhy};
use serde_json::Value;
use tests::outcome::Outcome;
use tests::program::Program::Recount;

const LONG: Duration = Duration::from_secs(20);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("sdk_refuses_a_strict_begin_in_time", refuses_in_time),
        Trial::test("sdk_survives_a_restarting_collector", survives_restarts),
        Trial::test("sdk_survives_a_collector_that_hangs", survives_hanging),
        Trial::test("sdk_tells_panics_and_cancellations", tells_ends),
        Trial::test("sdk_keeps_context_or_says_so", keeps_context),
        Trial::test("sdk_tells_what_it_could_not_keep", tells_losses),
        Trial::test("sdk_tells_what_it_removed", tells_removals),
        Trial::test("sdk_signs_and_the_account_checks", signs),
        Trial::test(
            "sdk_notices_a_ledger_that_was_rolled_back",
            notices_rollback,
        ),
    ]
}

/// A collector, and where its agents spool.
struct World {
    collector: Running,
    store: PathBuf,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let store = folder.path().join("store");
        let collector = Running::start(&store)?;
        Ok(Self {
            collector,
            store,
            folder,
        })
    }

    fn recorder(&self) -> Result<RecorderBuilder, Failed> {
        Ok(Recorder::builder("agent")
            .collector(format!("http://{}", self.collector.otlp_http()?))
            .spool(self.folder.path().join("spool"))
            .export_timeout(Duration::from_millis(500)))
    }

    /// The account of a request, as the program gives it with this exit code.
    fn account(self, query: &str, code: i32) -> Result<Value, Failed> {
        let home = self.folder.path().to_owned();
        self.collector.stop()?;
        Ok(show(&home, &self.store, query)?.ended(code)?.json()?)
    }
}

fn show(home: &Path, store: &Path, query: &str) -> std::io::Result<Outcome> {
    let mut command = Recount.command()?;
    command
        .args(["show", query, "--all", "-o", "json", "--store"])
        .arg(store)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_STATE_HOME", home.join("state"));
    Outcome::of(&mut command)
}

fn rows<'a>(account: &'a Value, key: &str) -> Vec<&'a Value> {
    let list = &account[key];
    let items = list.as_array().or_else(|| list["items"].as_array());
    items.into_iter().flatten().collect()
}

fn problems(account: &Value) -> BTreeSet<&str> {
    let kinds = rows(account, "problems").into_iter();
    kinds
        .filter_map(|problem| problem["kind"].as_str())
        .collect()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<(), Failed> {
    if found == wanted {
        return Ok(());
    }
    Err(format!("{what}: {found:?} where {wanted:?} was expected").into())
}

fn wait<F: Future>(future: F) -> Result<F::Output, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}

fn refuses_in_time() -> Result<(), Failed> {
    let mut world = World::new()?;
    let recorder = world
        .recorder()?
        .strict_wait(Duration::from_millis(800))
        .build()?;
    let session = recorder.session("47892").start_blocking();
    session.tool("before").begin_blocking()?.end_success();
    world.collector.kill()?;
    let began = Instant::now();
    let refused = session.tool("during").begin_blocking();
    let waited = began.elapsed();
    let why = refused.err().ok_or("begun without a collector")?.why;
    same("refused", matches!(why, RefusedWhy::NoReceipt { .. }), true)?;
    let in_time = waited >= Duration::from_millis(700) && waited < Duration::from_secs(4);
    same(
        &format!("waited {waited:?}, which is in time"),
        in_time,
        true,
    )?;
    world.collector.kill_and_start_again(Duration::ZERO)?;
    session.tool("after").begin_blocking()?.end_success();
    session.end_blocking(EndReason::Completed);
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    let account = world.account("47892", 0)?;
    let told: Vec<_> = rows(&account, "actions")
        .into_iter()
        .map(|action| (action["name"].as_str(), action["outcome"].as_str()))
        .collect();
    let wanted = vec![
        (Some("before"), Some("success")),
        (Some("during"), Some("not_executed")),
        (Some("after"), Some("success")),
    ];
    same("actions", told, wanted)?;
    let dangling = problems(&account).contains("dangling_action");
    same("a refused action dangles", dangling, false)
}

/// Every action of several threads is in the account once, with its end, and nothing is missing around them.
fn all_once(account: &Value, wanted: usize) -> Result<(), Failed> {
    let actions = rows(account, "actions");
    let ids: BTreeSet<_> = actions
        .iter()
        .filter_map(|one| one["id"].as_str())
        .collect();
    same("actions", (actions.len(), ids.len()), (wanted, wanted))?;
    let ended = actions.iter().all(|one| one["outcome"] == "success");
    same("every action has its end", ended, true)?;
    same(
        "status",
        account["integrity"]["status"].as_str(),
        Some("intact"),
    )?;
    let of_loss = [
        "record_missing",
        "loss_declared",
        "dangling_action",
        "late_record",
    ];
    let lost: Vec<_> = problems(account)
        .into_iter()
        .filter(|kind| of_loss.contains(kind))
        .collect();
    same("problems", lost, vec![])
}

/// Three threads, 200 actions each, every tenth waiting for the collector; `meanwhile` troubles the collector.
fn under(world: &mut World, meanwhile: fn(&mut World) -> Result<(), Failed>) -> Result<(), Failed> {
    let recorder = world.recorder()?.strict_wait(LONG).build()?;
    let session = recorder.session("47892").start_blocking();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let session = session.handle();
            std::thread::spawn(move || {
                for number in 0..200 {
                    let tool = session.tool("work");
                    let tool = if number % 10 == 0 { tool } else { tool.reads() };
                    tool.begin_blocking()?.end_success();
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok::<(), recount::Refused>(())
            })
        })
        .collect();
    meanwhile(world)?;
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    session.end_blocking(EndReason::Completed);
    same("unsent", recorder.close_blocking(LONG).0, 0)
}

fn survives_restarts() -> Result<(), Failed> {
    let mut world = World::new()?;
    under(&mut world, |world| {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(150));
            world
                .collector
                .kill_and_start_again(Duration::from_millis(50))?;
        }
        Ok(())
    })?;
    all_once(&world.account("47892", 0)?, 600)
}

fn survives_hanging() -> Result<(), Failed> {
    let mut world = World::new()?;
    under(&mut world, |world| {
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(100));
            signal("-STOP", world.collector.id())?;
            // Longer than an export may take: the SDK gives up on the answer and sends the same records again.
            std::thread::sleep(Duration::from_millis(900));
            signal("-CONT", world.collector.id())?;
        }
        Ok(())
    })?;
    all_once(&world.account("47892", 0)?, 600)
}

fn signal(which: &str, process: u32) -> Result<(), Failed> {
    let status = Command::new("kill")
        .args([which, &process.to_string()])
        .status()?;
    same(which, status.success(), true)
}

fn tells_ends() -> Result<(), Failed> {
    let world = World::new()?;
    let recorder = world.recorder()?.build()?;
    let session = recorder.session("47892").start_blocking();
    wait(async {
        let panics = session.tool("panics").begin().await?;
        let recorder = recorder.clone();
        let caught = tokio::spawn(panics.run(async move {
            if recorder.is_enabled() {
                std::panic::resume_unwind(Box::new("ouch")); // a panic without the message on stderr
            }
            Ok::<(), String>(())
        }));
        let caught = caught.await;
        same(
            "the panic goes on",
            caught.is_err_and(|error| error.is_panic()),
            true,
        )?;
        let dropped = session.tool("dropped").begin().await?;
        let endless = dropped.run(std::future::pending::<Result<(), String>>());
        let timed = tokio::time::timeout(Duration::from_millis(20), endless).await;
        same("timed out", timed.is_err(), true)
    })??;
    session.end_blocking(EndReason::Failed);
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    let account = world.account("47892", 0)?;
    let of = |index: usize| {
        let action = &rows(&account, "actions")[index];
        let text = |key: &str| action[key].as_str().unwrap_or_default().to_owned();
        (text("name"), text("outcome"), text("effect"))
    };
    let wanted = |name: &str, outcome: &str, effect: &str| {
        (name.to_owned(), outcome.to_owned(), effect.to_owned())
    };
    same("panic", of(0), wanted("panics", "failure", "unknown"))?;
    same("drop", of(1), wanted("dropped", "cancelled", "unknown"))?;
    let error = rows(&account, "actions")[0]["error"]["message"].as_str();
    same("its words", error, Some("ouch"))
}

fn keeps_context() -> Result<(), Failed> {
    let world = World::new()?;
    let recorder = world.recorder()?.build()?;
    let session = recorder.session("47892").start_blocking();
    // As a capture does it: it knows the recorder and takes the context it finds.
    async fn captured(recorder: Recorder, name: &'static str) -> Result<(), recount::Refused> {
        tokio::task::yield_now().await;
        let here = recorder.here();
        let action = here
            .run(|| here.session().tool(name).reads())
            .begin()
            .await?;
        action.run_value(tokio::task::yield_now()).await;
        Ok(())
    }
    wait(async {
        let outer = session.tool("outer").begin().await?;
        let handle = session.handle();
        let inside = async {
            captured(recorder.clone(), "awaited").await?;
            let spawned = captured(recorder.clone(), "spawned").in_session(&handle);
            let spawned = tokio::spawn(spawned);
            let bare = tokio::spawn(captured(recorder.clone(), "bare"));
            let _ = (spawned.await, bare.await);
            Ok::<(), recount::Refused>(())
        };
        outer.run(inside).await
    })??;
    session.end_blocking(EndReason::Completed);
    let nobody = format!("unattributed:{}", recorder.run());
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    let (home, store) = (world.folder.path().to_owned(), world.store.clone());
    world.collector.stop()?;
    let account = show(&home, &store, "47892")?.ended(0)?.json()?;
    let actions = rows(&account, "actions");
    let names: Vec<_> = actions.iter().map(|one| one["name"].as_str()).collect();
    let wanted = vec![Some("outer"), Some("awaited"), Some("spawned")];
    same("in the session", names, wanted)?;
    same("part of", &actions[1]["parent"], &actions[0]["id"])?;
    let account = show(&home, &store, &nobody)?.ended(0)?.json()?;
    let names: Vec<_> = rows(&account, "actions")
        .iter()
        .map(|one| one["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    same("in nobody's", names, vec!["bare".to_owned()])?;
    same(
        "a problem",
        problems(&account).contains("unattributed"),
        true,
    )
}

fn tells_losses() -> Result<(), Failed> {
    let mut world = World::new()?;
    let recorder = world
        .recorder()?
        .spool_file_bytes(16 * 1024)
        .spool_limit(64 * 1024)
        .build()?;
    let session = recorder.session("47892").start_blocking();
    same("unsent", recorder.flush_blocking(LONG).0, 0)?;
    world.collector.kill()?;
    for _ in 0..200 {
        session.tool("work").reads().begin_blocking()?.end_success();
    }
    let lost = session.losses();
    same("some of it was lost", lost > 0 && lost < 400, true)?;
    world.collector.kill_and_start_again(Duration::ZERO)?;
    same("unsent", recorder.flush_blocking(LONG).0, 0)?;
    session.end_blocking(EndReason::Completed);
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    let account = world.account("47892", 6)?;
    same(
        "status",
        account["integrity"]["status"].as_str(),
        Some("incomplete"),
    )?;
    let told: u64 = rows(&account["integrity"], "losses")
        .iter()
        .filter_map(|loss| loss["records"].as_u64().or_else(|| loss["count"].as_u64()))
        .sum();
    same("records lost", told, lost)?;
    same(
        "a problem",
        problems(&account).contains("loss_declared"),
        true,
    )
}

fn tells_removals() -> Result<(), Failed> {
    let world = World::new()?;
    let recorder = world.recorder()?.build()?;
    let secret = format!("sk-{}", "aB3dE5gH".repeat(4));
    let session = recorder.session("47892").start_blocking();
    let action = session.tool("look").reads().begin_blocking()?;
    action.end_failure("auth", None, &format!("bad key {secret}"));
    session.end_blocking(EndReason::Completed);
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    let account = world.account("47892", 0)?;
    let removed: Vec<_> = rows(&account, "problems")
        .into_iter()
        .filter(|problem| problem["kind"] == "secret_removed")
        .map(|problem| problem["why"].as_str().unwrap_or_default().to_owned())
        .collect();
    let wanted = format!("{} bytes in 1 place: not in the record", secret.len());
    same("removed", removed, vec![wanted])?;
    same("the secret", account.to_string().contains(&secret), false)
}

fn signs() -> Result<(), Failed> {
    let world = World::new()?;
    let key = world.folder.path().join("key");
    let recorder = world.recorder()?.new_agent_key(key)?.build()?;
    let session = recorder.session("47892").start_blocking();
    session.tool("send").begin_blocking()?.end_success();
    session.end_blocking(EndReason::Completed);
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    // Another agent, without the key, writes its own request and pretends to have signed.
    let forger = world.recorder()?.build()?;
    let session = forger.session("50001").start_blocking();
    let mut forged = recount::Attributes::new();
    forged
        .bytes("recount.signature", &[7; 64])
        .bytes("recount.signature.key", &[3; 32])
        .int("recount.signature.seq", 0);
    session.record(recount::Event::SessionCheckpoint, &forged);
    session.end_blocking(EndReason::Completed);
    same("unsent", forger.close_blocking(LONG).0, 0)?;
    let (home, store) = (world.folder.path().to_owned(), world.store.clone());
    world.collector.stop()?;

    let account = show(&home, &store, "47892")?.ended(0)?.json()?;
    same("problems", problems(&account), BTreeSet::new())?;
    let open = account["integrity"]["not_proven"].to_string();
    let signed = open.contains("who holds the agent's key");
    same("signed, by a key of nobody known", signed, true)?;
    same("unsigned", open.contains("no record is signed"), false)?;
    let account = show(&home, &store, "50001")?.ended(0)?.json()?;
    same(
        "problems",
        problems(&account),
        BTreeSet::from(["identity_claimed"]),
    )?;
    let open = account["integrity"]["not_proven"].to_string();
    same("unsigned", open.contains("no record is signed"), true)
}

/// The whole folder of the store is put back to an earlier day, keys and all: nothing in it can show that.
fn notices_rollback() -> Result<(), Failed> {
    let mut world = World::new()?;
    let copy = world.folder.path().join("copy");
    let run = |world: &World, request: &str| -> Result<u64, Failed> {
        let recorder = world
            .recorder()?
            .strict_wait(Duration::from_secs(2))
            .build()?;
        let session = recorder.session(request).start_blocking();
        let begun = session.tool("send").begin_blocking();
        let said = begun.map(recount::Action::end_success);
        session.end_blocking(EndReason::Completed);
        let unsent = recorder.close_blocking(Duration::from_secs(2)).0;
        match said {
            Ok(()) => same("unsent", unsent, 0)?,
            Err(refused) => {
                let told = refused.to_string();
                let says = told.contains("does not prove") && told.contains("delete ");
                same(&told, says, true)?;
            }
        }
        Ok(unsent)
    };
    same("first run", run(&world, "1")?, 0)?;
    world.collector.kill()?;
    copy_folder(&world.store, &copy)?;
    world.collector.kill_and_start_again(Duration::ZERO)?;
    same("second run, after a crash", run(&world, "2")?, 0)?;

    world.collector.kill()?;
    std::fs::remove_dir_all(&world.store)?;
    copy_folder(&copy, &world.store)?;
    world.collector.kill_and_start_again(Duration::ZERO)?;
    same("kept in the spool", run(&world, "3")? > 0, true)?;

    // Its keeper says that it was meant: the next run ships what the one before kept.
    for entry in std::fs::read_dir(world.folder.path().join("spool"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("seen-") {
            std::fs::remove_file(path)?;
        }
    }
    same("fourth run", run(&world, "4")?, 0)?;
    let account = world.account("3", 0)?;
    let action = rows(&account, "actions")[0];
    same("refused", action["outcome"].as_str(), Some("not_executed"))
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Failed> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (path, target) = (entry?.path(), to);
        let target = target.join(path.file_name().ok_or("a name")?);
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
