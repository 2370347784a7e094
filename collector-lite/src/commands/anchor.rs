//! `anchor`: how anchors and witnesses stand, ask them all now, let the ledger sign again after a conflict.

use std::path::Path;
use std::time::{Duration, Instant};

use ledger::checkpoint::Checkpoint;
use ledger::note::Note;
use ledger::reader::Reader;
use ledger::store::{release_signing, signing_held};
use serde_json::Value;

use super::source::Source;
use crate::anchor::board;
use crate::anchor::lane::{self, NOW};
use crate::anchor::told::{Told, ago};
use crate::cli::{AnchorCommand, Form};
use crate::clock;
use crate::error::{Error, exit};
use crate::serve::open_ledger;
use crate::settings::Settings;

/// How long `anchor now` waits for a running collector.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn anchor(settings: &Settings, command: &AnchorCommand) -> Result<u8, Error> {
    match command {
        AnchorCommand::Status(output) => {
            let told = told(settings)?;
            match output.output {
                Form::Json => say!("{told:#}"),
                Form::Text => print(&told),
            }
            Ok(code(&told))
        }
        AnchorCommand::Now => now(settings),
        AnchorCommand::Release => release(&settings.store),
    }
}

/// How the anchors stand: from the collector that runs on the store, or from what it left there.
pub(super) fn told(settings: &Settings) -> Result<Value, Error> {
    let source = Source::open(settings)?;
    if let Source::Running { door, .. } = &source {
        let body = door.get("/v1/anchors")?;
        return serde_json::from_slice(&body).map_err(|error| Error::NotIntact {
            what: format!("/v1/anchors answers nonsense: {error}"),
        });
    }
    let reader = source.reader();
    let standings = board::read(&settings.store).map_err(|why| Error::Anchors { why })?;
    let standings: Vec<_> = standings.into_iter().collect();
    let witnesses = standings
        .iter()
        .any(|(_, standing)| standing.spec.kind() == 4);
    Ok(Told {
        standings: &standings,
        size: reader.state()?.size,
        quorum: if witnesses { settings.quorum() } else { 0 },
        witnessed: witnessed(reader)?,
        held: signing_held(&settings.store),
        now_ns: clock::now_ns(),
    }
    .json())
}

/// Size of the newest cosigned checkpoint; unverified.
fn witnessed(reader: &dyn Reader) -> Result<Option<u64>, Error> {
    let note = reader.witnessed()?;
    let note = note.as_deref().and_then(|note| Note::parse(note).ok());
    Ok(note
        .and_then(|note| Checkpoint::parse(note.text).ok())
        .map(|checkpoint| checkpoint.head.size))
}

fn code(told: &Value) -> u8 {
    if told.get("signing_held").is_some_and(Value::is_string) {
        exit::NOT_INTACT
    } else {
        exit::DONE
    }
}

/// The lines of `status` about anchors.
pub(super) fn summary(told: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(why) = told.get("signing_held").and_then(Value::as_str) {
        lines.push(format!("ALARM       nothing is signed: {why}"));
        lines.push("            find out which history is the true one, then: recount-collector anchor release".to_owned());
    }
    match told.get("last_anchored") {
        Some(last @ Value::Object(_)) => {
            let age = last.get("age_s").and_then(Value::as_u64).unwrap_or(0);
            let holder = last
                .get("holder")
                .and_then(Value::as_str)
                .unwrap_or_default();
            lines.push(format!(
                "anchors     last anchored {} ago at {holder}",
                ago(age)
            ));
        }
        _ if told
            .get("anchors")
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty) =>
        {
            lines.push(
                "anchors     none: whoever controls this machine can rewrite this ledger unseen"
                    .to_owned(),
            );
        }
        _ => lines.push("anchors     none of them has taken a checkpoint yet".to_owned()),
    }
    if let Some(quorum) = told
        .get("quorum")
        .and_then(Value::as_u64)
        .filter(|quorum| *quorum > 0)
    {
        let size = told.get("witnessed").and_then(Value::as_u64);
        let size = size.map_or("nothing yet".to_owned(), |size| format!("{size} leaves"));
        lines.push(format!(
            "witnesses   {quorum} must cosign; they cosigned {size}"
        ));
    }
    for anchor in told
        .get("anchors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if let Some(error) = anchor.get("error").and_then(Value::as_str) {
            let holder = anchor
                .get("holder")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let failing = anchor.get("failing_s").and_then(Value::as_u64).unwrap_or(0);
            let first: String = error
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .filter(|c| !c.is_control())
                .collect();
            lines.push(format!(
                "            {holder} fails since {}: {first}",
                ago(failing)
            ));
        }
    }
    lines
}

fn print(told: &Value) {
    for line in summary(told) {
        say!("{line}");
    }
    for anchor in told
        .get("anchors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |key: &str| anchor.get(key).and_then(Value::as_str).unwrap_or_default();
        let number = |key: &str| anchor.get(key).and_then(Value::as_u64);
        say!("{:<8} {}", text("kind"), text("holder"));
        match (number("size"), number("age_s")) {
            (Some(size), Some(age)) => say!(
                "         {size} leaves, {} ago, {} behind; {}",
                ago(age),
                number("behind").unwrap_or(0),
                text("handle")
            ),
            _ => say!("         nothing yet"),
        }
        if let Some(remark) = anchor.get("remark").and_then(Value::as_str) {
            say!("         REMARK {remark}");
        }
        if anchor.get("leaving") == Some(&Value::Bool(true)) {
            say!("         no longer configured; gets a last checkpoint");
        }
    }
}

/// Has every anchor asked at once, by the collector that runs or by this process.
fn now(settings: &Settings) -> Result<u8, Error> {
    let running = matches!(Source::open(settings)?, Source::Running { .. });
    let told = if running {
        ask_running(settings)?
    } else {
        let ledger = open_ledger(settings, Box::new(|_| {}))?;
        let done = lane::once(&ledger, &settings.anchors, settings.quorum());
        let closed = ledger.close();
        done.map_err(|why| Error::Anchors { why })?;
        closed.map_err(|fatal| Error::Halted {
            why: fatal.to_string(),
        })?;
        told(settings)?
    };
    print(&told);
    let failing = told
        .get("anchors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let failing = failing
        .filter(|anchor| anchor.get("error").is_some_and(Value::is_string))
        .count();
    Ok(match (code(&told), failing) {
        (exit::DONE, 0) => exit::DONE,
        (exit::DONE, _) => exit::UNAVAILABLE,
        (code, _) => code,
    })
}

fn ask_running(settings: &Settings) -> Result<Value, Error> {
    let asked_ns = clock::now_ns();
    let file = settings.store.join(NOW);
    std::fs::write(&file, b"").map_err(|source| Error::System {
        doing: "ask the collector (who may write its store may ask)",
        source,
    })?;
    let until = Instant::now() + PATIENCE;
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let told = told(settings)?;
        let done = |anchor: &Value| {
            let tried = anchor.get("tried_ns").and_then(Value::as_str);
            tried
                .and_then(|tried| tried.parse::<u64>().ok())
                .is_some_and(|tried| tried >= asked_ns)
        };
        let held = told.get("signing_held").is_some_and(Value::is_string);
        let all = told
            .get("anchors")
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().all(done));
        if !file.exists() && (all || held) {
            return Ok(told);
        }
        if Instant::now() >= until {
            let _ = std::fs::remove_file(&file);
            return Ok(told);
        }
    }
}

fn release(store: &Path) -> Result<u8, Error> {
    match release_signing(store)? {
        Some(why) => {
            say!("signing was held: {why}");
            say!(
                "the next start signs again; an anchor that still holds another history will hold it again"
            );
        }
        None => say!("signing was not held"),
    }
    Ok(exit::DONE)
}
