//! Agents that show a client certificate which is not theirs, or does not count.

use std::path::Path;

use collector_lite::Hidden;
use ledger::leaf::{ControlBody, Private as _, RefusedPayload};
use libtest_mimic::Failed;
use tests::certificates::{Certified, Certifier, For, client};
use tests::outcome::Outcome;

use crate::attack::When;
use crate::case::Case;
use crate::scene;

/// The status of an export of three records; 0 where no connection came about.
fn send(
    collector: &Hidden,
    authority: &Path,
    shown: &Certified,
    session: &str,
) -> Result<u16, Failed> {
    let address = collector.ready().otlp_http.clone().ok_or("a door")?;
    let sent = client(authority, Some(shown))?
        .post(format!("https://{address}/v1/logs"))
        .header("content-type", "application/json")
        .send(scene::export(session, 0..3));
    Ok(sent.map_or(0, |answer| answer.status().as_u16()))
}

pub(super) fn wrong_certificate(case: &mut Case) -> Result<(), Failed> {
    let ours = Certifier::new(&case.elsewhere("ours"))?;
    let other = Certifier::new(&case.elsewhere("other"))?;
    let door = ours.certify("door", For::Door)?;
    let victim = ours.certify("victim", For::Client)?;
    let gone = ours.certify("gone", For::Client)?;
    let expired = ours.certify("expired", For::ExpiredClient)?;
    let nobodys = ours.certify("nobodys", For::Client)?;
    let forged = other.certify("victim", For::Client)?;
    let run = |args: &[&str]| -> Result<(), Failed> {
        let mut command = scene::collector()?;
        Outcome::of(command.args(args).arg("--store").arg(case.store()))?.ended(0)?;
        Ok(())
    };
    let text = |path: &Path| path.display().to_string();
    for (name, shown) in [("victim", &victim), ("gone", &gone), ("expired", &expired)] {
        run(&["enroll", name, "--certificate", &text(&shown.certificate)])?;
    }
    run(&["revoke", "gone"])?;
    let mut collector = scene::serve(
        &case.store(),
        &[
            "--require-enrolment",
            "--tls-cert",
            &text(&door.certificate),
            "--tls-key",
            &text(&door.key),
            "--tls-client-ca",
            &text(&ours.authority),
        ],
    )?;
    for (shown, wanted) in [
        (&forged, 0),
        (&expired, 0),
        (&gone, 401),
        (&nobodys, 401),
        (&victim, 200),
    ] {
        let session = if wanted == 200 { "kept" } else { "forged" };
        let sent = || send(&collector, &ours.authority, shown, session);
        let status = match wanted {
            200 => sent()?,
            _ => case
                .attack(|_| Ok(Some(sent()?)))?
                .ok_or("nothing was tried")?,
        };
        if status != wanted {
            return Err(format!("{status} for {}", shown.certificate.display()).into());
        }
    }
    collector.stop()?;
    let refused = |(body, private): &(ControlBody, Vec<u8>)| match body {
        ControlBody::RefusedPayload { .. } => RefusedPayload::decode(private).ok(),
        _ => None,
    };
    let told: Vec<String> = scene::leaves(&case.store())?
        .iter()
        .filter_map(refused)
        .map(|refused| refused.why)
        .collect();
    for words in [
        "does not count: UnknownIssuer",
        "does not count: certificate expired",
        "of gone (key ",
        "is of no enrolled producer",
    ] {
        if !told.iter().any(|why| why.contains(words)) {
            return Err(format!("no {words:?} in {told:?}").into());
        }
    }
    if !scene::items(&case.store(), "forged")?.is_empty() {
        return Err("something of it was sealed".into());
    }
    case.caught(When::Ingest);
    case.verify()?.finds_nothing()
}
