//! Anchors that are down, and one that knows another history.

use ledger::checkpoint::Checkpoint;
use ledger::leaf::{ConflictNote, ControlBody, ControlLeaf, Private as _, Receipt};
use ledger::note::VerifierKey;
use libtest_mimic::Failed;
use std::time::{SystemTime, UNIX_EPOCH};
use tests::authority::Authority;
use tests::outcome::Outcome;

use crate::attack::When;
use crate::case::Case;
use crate::key_holder::anchors::{ask, newest, point_to};
use crate::scene;

/// What `anchor status` says, whatever it ends with.
fn status(case: &Case) -> Result<Outcome, Failed> {
    let mut command = scene::collector()?;
    command.args(["anchor", "status", "--reader", "none", "--store"]);
    command
        .arg(case.store())
        .arg("--config")
        .arg(case.elsewhere("collector.toml"));
    Ok(Outcome::of(&mut command)?)
}

pub(super) fn anchors_down(case: &mut Case) -> Result<(), Failed> {
    let file = case.elsewhere("mounted/anchor");
    std::fs::create_dir(case.elsewhere("mounted"))?;
    point_to(case, &file)?;
    ask(case)?;
    case.attack(|_| Ok(std::fs::remove_dir_all(file.parent().ok_or("a folder")?)?))?;
    // Recording goes on at once, whatever the anchor does.
    let config = case.elsewhere("collector.toml");
    let config = config.to_str().ok_or("a path in UTF-8")?;
    let mut collector = scene::serve(&case.store(), &["--config", config])?;
    scene::sealed(&collector, &scene::export("s-a", 290..293))?;
    collector.stop()?;
    let mut now = scene::collector()?;
    now.args([
        "anchor", "now", "--log", "error", "--reader", "none", "--config", config,
    ]);
    let asked = Outcome::of(now.arg("--store").arg(case.store()))?;
    let said = status(case)?.out + &asked.out + &asked.err;
    if asked.code == Some(0) || !said.contains("mounted") || !said.contains("behind") {
        return Err(format!("{:?} {said}", asked.code).into());
    }
    case.verify()?.finds_nothing()?;
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn conflict(case: &mut Case) -> Result<(), Failed> {
    let early = case.base().early();
    point_to(case, &case.elsewhere("anchor"))?;
    ask(case)?;
    case.attack(|dir| {
        std::fs::remove_dir_all(dir)?;
        scene::copy(&early, dir)
    })?;
    // Nothing in the folder says that anything is missing; the anchor does.
    let config = case.elsewhere("collector.toml");
    let config = config.to_str().ok_or("a path in UTF-8")?;
    let mut now = scene::collector()?;
    now.args([
        "anchor", "now", "--log", "error", "--reader", "none", "--config", config,
    ]);
    Outcome::of(now.arg("--store").arg(case.store()))?;
    let said = status(case)?;
    if said.code != Some(3) {
        return Err(format!("{:?} {}{}", said.code, said.out, said.err).into());
    }
    let private = newest(case, 20)?.private.ok_or("a private part")?;
    let note = ConflictNote::decode(&private.body)?;
    if !note.what.contains("holds a checkpoint of") {
        return Err(note.what.into());
    }
    // Recording goes on; nothing is signed until a person has looked.
    let before = scene::read(&case.store().join("last_signed"))?;
    let mut collector = scene::serve(&case.store(), &["--config", config])?;
    scene::sealed(&collector, &scene::export("s-a", 290..293))?;
    collector.stop()?;
    if scene::read(&case.store().join("last_signed"))? != before {
        return Err("it signs although signing is held".into());
    }
    case.caught(When::Anchor);
    Ok(())
}

/// Two years later the signer's certificate has ended: OpenSSL refuses the stamp, and nothing here notices.
pub(super) fn expired_certificate(case: &mut Case) -> Result<(), Failed> {
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let authority = Authority::start(&case.elsewhere("tsa"), &curve)?;
    let table = format!(
        "[[anchor]]\nkind = \"rfc3161\"\nurl = \"http://{}\"\nca = {:?}\n",
        authority.address,
        authority.dir.join("ca.pem")
    );
    std::fs::write(case.elsewhere("collector.toml"), table)?;
    ask(case)?;
    let stored = newest(case, 12)?;
    let ControlBody::AnchorReceipt { head, .. } = ControlLeaf::decode(&stored.leaf)?.body else {
        return Err("no receipt".into());
    };
    let receipt = Receipt::decode(&stored.private.ok_or("no private part")?.body)?;
    let vkey = std::fs::read_to_string(case.store().join("ledger.pub"))?;
    let origin = VerifierKey::parse(vkey.trim())?.name().to_owned();
    let text = Checkpoint { origin, head }.text();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let openssl_at = |seconds| authority.verify(&text, &receipt.receipt, seconds);
    openssl_at(now)?.ended(0)?;
    let later = case.attack(|_| Ok(2 * 365 * 24 * 3600))?;
    let refused = openssl_at(now + later)?;
    if refused.code == Some(0) || !refused.err.contains("certificate has expired") {
        return Err(format!("the certificate still holds: {}", refused.err).into());
    }
    // `verify` knows no clock and no certificate. It says so, by not taking the stamp for anything.
    let verified = case.verify()?;
    verified.finds_nothing()?;
    let said: serde_json::Value = serde_json::from_str(verified.said.trim())?;
    let anchors = said["properties"].as_array().into_iter().flatten();
    let anchors: Vec<_> = anchors.filter(|it| it["property"] == "anchors").collect();
    match anchors.as_slice() {
        [line]
            if line["state"] == "not_shown" && line["details"].to_string().contains("stated") =>
        {
            Ok(())
        }
        _ => Err(format!("{anchors:?}").into()),
    }
}
