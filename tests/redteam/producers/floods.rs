//! Too much: floods, bombs, full queues.

use ledger::leaf::ControlBody;
use libtest_mimic::Failed;
use std::time::Duration;

use crate::attack::When;
use crate::case::{Case, has_problem};
use crate::scene;

/// Leaves that tell of refused exports.
fn refusals(case: &Case) -> Result<usize, Failed> {
    let leaves = scene::leaves(&case.store())?;
    let refused = |body: &ControlBody| matches!(body, ControlBody::RefusedPayload { .. });
    Ok(leaves.iter().filter(|(body, _)| refused(body)).count())
}

pub(super) fn flood(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    let refused = case.attack(|_| {
        let mut refused = 0;
        for _ in 0..300 {
            refused += u64::from(scene::post(&collector, "nonsense")?.status == 400);
        }
        Ok(refused)
    })?;
    scene::sealed(&collector, &scene::export("meanwhile", 0..1))?;
    collector.stop()?;
    let leaves = refusals(case)?;
    if refused != 300 || !(20..80).contains(&leaves) {
        return Err(format!("{refused} refused, {leaves} leaves").into());
    }
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn oversize(case: &mut Case) -> Result<(), Failed> {
    let json = ("content-type", "application/json");
    let mut collector = scene::serve(&case.store(), &["--max-body-bytes", "8000000"])?;
    let attacks = case.forge(|| {
        let attribute = |value: &str| format!(",{{\"key\":\"k\",\"value\":{value}}}");
        let deep = r#"{"arrayValue":{"values":["#.repeat(200) + &"]}}".repeat(200);
        let many = attribute(r#"{"intValue":"1"}"#).repeat(110_000);
        let bomb = ledger::segment::pack(&vec![b' '; 50_000_000], 1)?;
        let export = |attributes: &str| scene::wrapped("", &[scene::record("big", 0, attributes)]);
        let huge = format!("{{\"stringValue\":\"{}\"}}", "x".repeat(8_000_000));
        Ok([
            // A frame of Zstandard lies behind five bytes of ours.
            (
                "a bomb",
                Some(("content-encoding", "zstd")),
                bomb[5..].to_vec(),
                413,
            ),
            (
                "a huge value",
                None,
                export(&attribute(&huge)).into_bytes(),
                413,
            ),
            (
                "deep nesting",
                None,
                export(&attribute(&deep)).into_bytes(),
                400,
            ),
            ("many attributes", None, export(&many).into_bytes(), 400),
        ])
    })?;
    for (what, header, body, wanted) in &attacks {
        let headers: Vec<_> = [Some(json), *header].into_iter().flatten().collect();
        let answer = scene::send(&collector, &headers, body)?;
        let partly = answer.status == 200 && answer.body.contains("rejectedLogRecords");
        if answer.retry_after || (answer.status != *wanted && !(*wanted == 400 && partly)) {
            return Err(format!("{what}: {} {}", answer.status, answer.body).into());
        }
    }
    collector.stop()?;
    if !scene::items(&case.store(), "big")?.is_empty() || refusals(case)? != attacks.len() {
        return Err(format!("sealed, or {} leaves", refusals(case)?).into());
    }
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn queue_overflow(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    let recorder = scene::recorder(&collector, &case.elsewhere("spool"))?
        .spool_file_bytes(64 * 1024)
        .spool_limit(128 * 1024)
        .build()?;
    let session = recorder.session("full").start_blocking();
    // A collector that does not answer, and more than the spool may hold.
    scene::signal(&collector, "STOP")?;
    case.attack(|_| {
        for n in 0..3000 {
            let action = session
                .tool(&format!("step {n}"))
                .reads()
                .begin_blocking()?;
            action.run_blocking(|| Ok::<_, String>(()))?;
        }
        Ok(())
    })?;
    scene::signal(&collector, "CONT")?;
    session.end_blocking(recount::EndReason::Completed);
    recorder.close_blocking(Duration::from_secs(60));
    collector.stop()?;
    let account = case.account("full")?;
    let losses = account["integrity"]["losses"]
        .as_array()
        .map_or(0, Vec::len);
    if losses == 0 || !has_problem(&account, "loss_declared") {
        return Err(format!("{:#}", account["integrity"]).into());
    }
    case.caught(When::Verify);
    Ok(())
}
