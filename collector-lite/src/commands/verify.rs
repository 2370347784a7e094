//! `verify`: recompute everything, and say what is wrong.

use std::path::{Path, PathBuf};

use ledger::note::VerifierKey;
use ledger::store::{Continued, continued, previous};
use ledger::verify::{Recomputed, Trusted, Verifier, verify_all};
use serde_json::{Value, json};

use super::recover::missing;
use super::source::Source;
use crate::cli::{Form, Verify};
use crate::error::{Error, exit};
use crate::settings::Settings;

/// Verifies the whole ledger. 0: whole; 3: something is wrong; 6: right as far as it is signed.
pub(super) fn verify(settings: &Settings, options: &Verify) -> Result<u8, Error> {
    let source = Source::open(settings)?;
    let trusted = trusted(options.key.as_deref())?;
    let mut report = verify_all(source.reader(), &trusted, &mut |_| {})?;
    if let Some(file) = &options.known_checkpoint {
        let mut verifier = Verifier::open(source.reader(), &trusted)?;
        report
            .findings
            .extend(verifier.known_checkpoint(&known(file)?));
    }
    let code = match (report.findings.is_empty(), report.open) {
        (false, _) => exit::NOT_INTACT,
        (true, 0) => exit::DONE,
        (true, _) => exit::INCOMPLETE,
    };
    let continues = continued(source.reader())?;
    let older = previous(&settings.store);
    match options.output.output {
        Form::Text => {
            print(settings, &report, options.key.is_some());
            print_older(continues.as_ref(), &older);
        }
        Form::Json => {
            let mut json = as_json(&report, code);
            json["continues"] = continues.as_ref().map_or(Value::Null, older_json);
            json["previous"] = json!(older);
            say!("{json:#}");
        }
    }
    Ok(code)
}

fn trusted(key: Option<&str>) -> Result<Trusted, Error> {
    let Some(key) = key else {
        return Ok(Trusted::FirstSeen);
    };
    VerifierKey::parse(key)
        .map(Trusted::Pinned)
        .map_err(|error| Error::Setting {
            name: "key",
            flag: "--key",
            value: key.to_owned(),
            origin: "flag --key".to_owned(),
            why: error.to_string(),
        })
}

fn known(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|source| Error::File {
        path: file.to_path_buf(),
        source,
    })
}

fn print(settings: &Settings, report: &Recomputed, pinned: bool) {
    say!("store     {}", settings.store.display());
    say!("streams   {}", report.streams);
    say!(
        "records   {} recomputed, {} bytes hashed",
        report.records,
        report.bytes
    );
    say!("heads     {} recomputed", report.heads);
    if report.erased > 0 {
        say!(
            "erased    {} payloads, each with a leaf that says so",
            report.erased
        );
    }
    for finding in &report.findings {
        say!("BROKEN    {}: {}", finding.place, finding.what);
    }
    if report.open > 0 {
        say!(
            "open      {} records are not covered by a signed head yet",
            report.open
        );
    }
    match (report.findings.is_empty(), report.open) {
        (true, 0) => say!("intact    everything is there and unchanged"),
        (true, _) => say!("intact    as far as it is signed"),
        (false, _) => say!("NOT INTACT"),
    }
    if !pinned {
        say!("not proven: that the key is the right one; name it with --key");
    }
}

/// The ledger that this one continues after a restore, and where it lies.
fn print_older(continues: Option<&Continued>, older: &[PathBuf]) {
    if let Some(continues) = continues {
        say!(
            "continues {}: {}",
            continues.ledger,
            missing(continues.claimed, continues.found)
        );
        if let Some(note) = &continues.note {
            say!("          by {:?}, because {:?}", note.actor, note.reason);
        }
    }
    for folder in older {
        say!(
            "older     {}; check it with: recount-collector verify --store {}",
            folder.display(),
            folder.display()
        );
    }
}

fn older_json(continues: &Continued) -> Value {
    json!({
        "ledger": continues.ledger.to_string(),
        "claimed": continues.claimed.size,
        "found": continues.found.size,
        "actor": continues.note.as_ref().map(|note| &note.actor),
        "reason": continues.note.as_ref().map(|note| &note.reason),
        "origin": continues.note.as_ref().map(|note| &note.origin),
    })
}

fn as_json(report: &Recomputed, code: u8) -> serde_json::Value {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|f| json!({ "kind": format!("{:?}", f.kind), "what": format!("{}: {}", f.place, f.what) }))
        .collect();
    json!({
        "exit": code,
        "streams": report.streams,
        "records": report.records,
        "heads": report.heads,
        "erased": report.erased,
        "open": report.open,
        "bytes": report.bytes,
        "findings": findings,
    })
}
