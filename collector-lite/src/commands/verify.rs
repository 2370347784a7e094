//! `verify`: recompute everything, and say of each property how it stands.

use std::path::{Path, PathBuf};

use ledger::checkpoint::appended;
use ledger::policy::Policy;
use ledger::stamp::{self, Authorities};
use ledger::store::{Continued, continued, previous};
use ledger::verify::report::{Evidence, IndexCheck, Report};
use ledger::verify::{Finding, Trusted, Verifier, verify_all_telling};
use serde_json::{Value, json};

use super::outside;
use super::recover::missing;
use super::source::Source;
use crate::anchor::spec::Place;
use crate::cli::{Form, Verify};
use crate::error::Error;
use crate::settings::Settings;

/// Verifies the whole ledger; the exit code of the report.
pub(super) fn verify(settings: &Settings, options: &Verify) -> Result<u8, Error> {
    let policy = options.policy.as_deref().map(read_policy).transpose()?;
    let source = Source::open(settings)?;
    let trusted = trusted(options.key.as_deref())?;
    // Before the long work: a file that cannot be read is told at once.
    let known = options.known_checkpoint.as_deref().map(read).transpose()?;
    let authorities = authorities(settings, &options.tsa_ca)?;
    let mut watch = account::Watch::default();
    let whole = verify_all_telling(
        source.reader(),
        &trusted,
        &mut |_| {},
        &mut |stream, index, envelope| watch.record(stream, index, envelope),
    )?;
    let mut evidence = Evidence::of_whole(&whole);
    evidence.producers = Some(watch.finish_whole());
    match &source {
        // Pages were read, and an index made again was compared with every row.
        Source::Folder(_) => evidence.index = IndexCheck::Rebuilt,
        Source::Running { .. } => evidence.residual.push(
            "pages and rows of the index: out of sight while the collector runs; stop it and verify again"
                .to_owned(),
        ),
    }
    if let (Some(file), Some(note)) = (&options.known_checkpoint, known) {
        let mut verifier = Verifier::open(source.reader(), &trusted)?;
        let place = file.display().to_string();
        for note in appended(&note) {
            let findings = verifier.known_checkpoint(note);
            if findings.is_empty() {
                evidence.add_known(note, &place);
            }
            evidence.findings.extend(findings);
        }
    }
    let anchored = match evidence.findings.as_slice() {
        [] => outside::anchored(source.reader())?,
        _ => Vec::new(),
    };
    let mut verifier = Verifier::open(source.reader(), &trusted)?;
    stamp::add_times(&mut verifier, &mut evidence, &authorities);
    let report = Report::judge(&evidence, policy.as_ref());
    let continues = continued(source.reader())?;
    let older = previous(&settings.store);
    let place = settings.store.display().to_string();
    match options.output.output {
        Form::Text => {
            say!("{:<20} {place}", "place");
            for line in report.text(&|text| account::shown::line(text).into_string()) {
                say!("{line}");
            }
            print_older(continues.as_ref(), &older);
        }
        Form::Json => {
            let mut json = report.json(&place);
            json["continues"] = continues.as_ref().map_or(Value::Null, older_json);
            json["previous"] = json!(older);
            json["anchored"] = json!(anchored);
            json["findings"] = evidence.findings.iter().map(as_json).collect();
            say!("{json:#}");
        }
    }
    Ok(report.verdict() as u8)
}

fn as_json(finding: &Finding) -> Value {
    let what = format!("{}: {}", finding.place, finding.what);
    json!({ "kind": format!("{:?}", finding.kind), "what": what })
}

fn trusted(key: Option<&str>) -> Result<Trusted, Error> {
    let Some(key) = key else {
        return Ok(Trusted::FirstSeen);
    };
    Trusted::named(key).map_err(|error| Error::Setting {
        name: "key",
        flag: "--key",
        value: key.to_owned(),
        origin: "flag --key".to_owned(),
        why: error.to_string(),
    })
}

/// A policy that cannot be read is wrong usage, never a policy that demands nothing.
fn read_policy(file: &Path) -> Result<Policy, Error> {
    Policy::parse(&read(file)?).map_err(|error| Error::Setting {
        name: "policy",
        flag: "--policy",
        value: file.display().to_string(),
        origin: "flag --policy".to_owned(),
        why: error.to_string(),
    })
}

/// The CAs that time stamps are traced to: those named, and those of the anchors that are configured.
fn authorities(settings: &Settings, named: &[PathBuf]) -> Result<Authorities, Error> {
    let mut authorities = Authorities::none();
    for file in named {
        let found = Authorities::pem(&read(file)?).map_err(|error| Error::Setting {
            name: "tsa_ca",
            flag: "--tsa-ca",
            value: file.display().to_string(),
            origin: "flag --tsa-ca".to_owned(),
            why: error.to_string(),
        })?;
        authorities.extend(found);
    }
    for spec in &settings.anchors {
        if let Place::Rfc3161 { ca: Some(file), .. } = &spec.place {
            // One that cannot be read leaves its stamps untraced, and the report says so.
            let found = read(file).map(|pem| Authorities::pem(&pem));
            authorities.extend(found.ok().and_then(Result::ok).unwrap_or_default());
        }
    }
    Ok(authorities)
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|source| Error::File {
        path: file.to_path_buf(),
        source,
    })
}

/// The ledger that this one continues after a restore, and where it lies.
fn print_older(continues: Option<&Continued>, older: &[PathBuf]) {
    if let Some(continues) = continues {
        say!(
            "{:<20} {}: {}",
            "continues",
            continues.ledger,
            missing(continues.claimed, continues.found)
        );
        if let Some(note) = &continues.note {
            say!("  - by {:?}, because {:?}", note.actor, note.reason);
        }
    }
    for folder in older {
        say!(
            "{:<20} {}; check it with: recount-collector verify --store {}",
            "older",
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
