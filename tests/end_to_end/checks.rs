//! What `recount verify` checks beside records: times, what a git anchor holds, the index.

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tests::authority::Authority;
use tests::need::{Need, trial};
use tests::outcome::Outcome;
use tests::program::Program::Recount;

use crate::outside::{Lab, ensure};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_time_stamp_before_and_one_after_frame_a_session_in_ledger_and_bundle",
            Some(Need::OpenSsl),
            framed,
        ),
        trial(
            "a_git_anchor_is_fetched_and_compared_and_holds_more_than_a_rolled_back_ledger",
            None,
            git_anchor,
        ),
        trial(
            "verify_with_view_names_a_changed_row_of_the_index_in_a_folder_and_through_a_door",
            None,
            view,
        ),
    ]
}

/// A run of `recount` with a home of its own.
fn recount(lab: &Lab, args: &[&str]) -> Result<Outcome, Failed> {
    let mut command = Recount.command()?;
    for name in [
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
    ] {
        command.env(name, lab.path(name));
    }
    Ok(Outcome::of(command.args(args))?)
}

/// Seals a line for each request, in a run of the collector.
fn record(lab: &Lab, requests: &[&str]) -> Result<(), Failed> {
    let collector = examples::collector::Running::start(&lab.path("store"))?;
    for request in requests {
        let mut line = Recount.command()?;
        line.env("HOME", lab.path("HOME"))
            .env("XDG_STATE_HOME", lab.path("HOME"));
        line.args(["log-line", "--request", request, "--endpoint"]);
        line.arg(format!("http://{}", collector.otlp_http()?));
        Outcome::fed(&mut line, "done\n")?.ended(0)?;
    }
    Ok(collector.stop()?)
}

fn path(path: &Path) -> Result<&str, Failed> {
    Ok(path.to_str().ok_or("a path in UTF-8")?)
}

fn line<'a>(report: &'a Value, property: &str) -> &'a Value {
    let lines = report["properties"].as_array().into_iter().flatten();
    let mut found = lines.filter(|line| line["property"] == property);
    found.next().unwrap_or(&Value::Null)
}

/// redteam: K14
fn framed() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let authority = Authority::start(&lab.path("tsa"), &curve)?;
    let table = format!(
        "[[anchor]]\nkind = \"rfc3161\"\nurl = \"http://{}\"\n",
        authority.address
    );
    lab.configure(&table)?;
    lab.anchor(0)?;
    record(&lab, &["nightly"])?;
    lab.anchor(0)?;
    let (store, ca) = (lab.path("store"), authority.dir.join("ca.pem"));
    let bundle = lab.path("nightly.tar");
    let (store, ca, file) = (path(&store)?, path(&ca)?, path(&bundle)?);
    recount(&lab, &["export", "nightly", "--store", store, "-o", file])?.ended(0)?;
    for place in [&["nightly", "--store", store][..], &[file]] {
        let verify = |more: &[&str]| -> Result<Value, Failed> {
            let said = recount(&lab, &[&["verify", "-o", "json"], place, more].concat())?;
            Ok(said.json()?)
        };
        let traced = verify(&["--tsa-ca", ca])?;
        let at = |edge: &str| traced[edge]["at"].as_str().map(str::to_owned);
        let (from, to) = (at("not_before"), at("not_after"));
        ensure(
            from.is_some() && from <= to && to.is_some(),
            traced.to_string(),
        )?;
        let by = traced["not_after"]["by"].to_string();
        let host = format!("time stamp of rfc3161:http://{}", authority.address);
        ensure(by.contains(&host), by)?;
        ensure(
            line(&traced, "anchors")["state"] == "shown",
            traced.to_string(),
        )?;

        // Without its CA, and with another's, the same stamps prove nothing, and are not hidden.
        let untraced = verify(&[])?;
        ensure(
            untraced["not_after"].is_null() && untraced["not_before"].is_null(),
            untraced.to_string(),
        )?;
        let times = untraced["times"].as_array().ok_or("times")?;
        let unchecked = times
            .iter()
            .filter(|it| it["checked"] == false && it["of_all"] == true);
        ensure(unchecked.count() == 2, untraced.to_string())?;
        let stranger = Authority::start(&lab.path("stranger"), &curve)?;
        let foreign = verify(&["--tsa-ca", path(&stranger.dir.join("ca.pem"))?])?;
        ensure(foreign["not_after"].is_null(), foreign.to_string())?;
        let anchors = line(&foreign, "anchors")["details"].to_string();
        ensure(
            anchors.contains("void: its signer is not certified"),
            anchors,
        )?;
    }
    let wrong = recount(&lab, &["verify", "--store", store, "--tsa-ca", store])?.ended(2)?;
    ensure(wrong.err.contains("hint: "), wrong.err)?;
    // A session that came after the newest stamp has no later bound.
    record(&lab, &["weekly"])?;
    let later = recount(
        &lab,
        &[
            "verify", "weekly", "-o", "json", "--store", store, "--tsa-ca", ca,
        ],
    )?;
    let later = later.json()?;
    ensure(
        later["not_after"].is_null() && later["not_before"].is_object(),
        later.to_string(),
    )
}

fn git(dir: &Path, args: &[&str]) -> Result<String, Failed> {
    let mut command = Command::new("git");
    command
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    Ok(Outcome::of(&mut command)?.ended(0)?.out.trim().to_owned())
}

/// redteam: S10
fn git_anchor() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let bare = lab.path("bare.git");
    std::fs::create_dir(&bare)?;
    git(&bare, &["init", "--quiet", "--bare"])?;
    let remote = format!("file://{}", bare.display());
    lab.configure(&format!(
        "[[anchor]]\nkind = \"git\"\nremote = \"{remote}\"\n"
    ))?;
    lab.anchor(0)?;
    record(&lab, &["nightly"])?;
    lab.copy("store", "snapshot")?;
    lab.anchor(0)?;
    let (store, snapshot) = (lab.path("store"), lab.path("snapshot"));
    let (store, snapshot) = (path(&store)?, path(&snapshot)?);
    let anchor = format!("git:{}", bare.display());
    let verify = |store: &str, anchor: &str| {
        recount(
            &lab,
            &["verify", "-o", "json", "--store", store, "--anchor", anchor],
        )
    };
    let stated = recount(&lab, &["verify", "-o", "json", "--store", store])?.json()?;
    ensure(
        line(&stated, "anchors")["state"] == "not_shown",
        stated.to_string(),
    )?;
    for anchor in [anchor.clone(), format!("git:{remote}#recount")] {
        let held = verify(store, &anchor)?.ended(0)?.json()?;
        ensure(line(&held, "anchors")["state"] == "shown", held.to_string())?;
        let details = line(&held, "anchors")["details"].to_string();
        // Every commit of the branch was looked at: no receipt is left that only the collector states.
        ensure(!details.contains("stated"), details)?;
    }
    // The machine is put back to before the anchor's last visit.
    let behind = verify(snapshot, &anchor)?.ended(3)?;
    ensure(behind.out.contains("leaves, the ledger's"), behind.out)?;
    // What is no checkpoint of this ledger is refused; what cannot be fetched is said.
    let tree = git(&bare, &["hash-object", "-w", "-t", "tree", "/dev/null"])?;
    let author = ["-c", "user.name=x", "-c", "user.email=x@localhost"];
    let commit = git(
        &bare,
        &[&author[..], &["commit-tree", &tree, "-m", "other"]].concat(),
    )?;
    git(&bare, &["update-ref", "refs/heads/other", &commit])?;
    let other = verify(store, &format!("{anchor}#other"))?.ended(2)?;
    ensure(other.err.contains("it holds no checkpoint of"), other.err)?;
    let missing = verify(store, &format!("{anchor}#missing"))?.ended(5)?;
    ensure(
        missing.err.contains("git fetch") && missing.err.contains("hint: "),
        missing.err,
    )?;
    let hostile = verify(store, "git:--upload-pack=evil")?.ended(2)?;
    ensure(hostile.err.contains("it is no repository"), hostile.err)
}

/// redteam: S16
fn view() -> Result<(), Failed> {
    let lab = Lab::new()?;
    record(&lab, &["nightly", "weekly"])?;
    let store = lab.path("store");
    let folder = path(&store)?;
    let verify = |place: &[&str], more: &[&str]| {
        recount(
            &lab,
            &[&["verify", "nightly", "-o", "json"], place, more].concat(),
        )
    };
    let whole = verify(&["--store", folder], &["--view"])?.json()?;
    let index = line(&whole, "index");
    ensure(
        index["state"] == "shown" && index["what"].to_string().contains("every row"),
        whole.to_string(),
    )?;
    through_a_door(&lab, &store, |door| {
        let seen = verify(door, &["--view"])?.json()?;
        let index = line(&seen, "index");
        let what = index["what"].to_string();
        ensure(
            index["state"] == "shown" && what.contains("all there are"),
            seen.to_string(),
        )?;
        let not_proven = seen["not_proven"].to_string();
        ensure(
            not_proven.contains("out of sight through a collector's door"),
            not_proven,
        )
    })?;

    let database = rusqlite::Connection::open(store.join("ledger.db"))?;
    let gone = database.execute("DELETE FROM request WHERE request = 'weekly'", [])?;
    ensure(gone == 1, "no such row")?;
    drop(database);
    // The row is about another request: only an index that is made again as a whole shows that it is gone.
    verify(&["--store", folder], &[])?.ended(0)?;
    let told = verify(&["--store", folder], &["--view"])?
        .ended(3)?
        .json()?;
    let index = line(&told, "index");
    ensure(
        index["state"] == "failed" && index.to_string().contains("weekly"),
        told.to_string(),
    )?;
    through_a_door(&lab, &store, |door| {
        let told = verify(door, &["--view"])?.ended(3)?.json()?;
        let index = line(&told, "index");
        ensure(
            index["state"] == "failed" && index.to_string().contains("weekly"),
            told.to_string(),
        )
    })
}

/// Runs a collector on the store meanwhile.
fn through_a_door(
    lab: &Lab,
    store: &Path,
    look: impl FnOnce(&[&str]) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let collector = examples::collector::Running::start(store)?;
    let socket = collector.reader().to_path_buf();
    // What its start sealed is signed before it is looked at.
    let ready = || -> Result<bool, Failed> {
        let said = recount(lab, &["verify", "nightly", "--collector", path(&socket)?])?;
        Ok(said.code == Some(0) || said.code == Some(3))
    };
    for _ in 0..400 {
        if ready()? {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    look(&["--collector", path(&socket)?])?;
    Ok(collector.stop()?)
}
