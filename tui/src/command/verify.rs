//! `recount verify`: one line per property, and an exit code that a script can act on.

use std::fmt::Write as _;
use std::path::Path;

use account::model::Account;
use ledger::verify::{Finding, FindingKind, KeyState, Recomputed, verify_all};
use serde_json::json;
use vocabulary::record::{IntegrityStatus, KeyTrust};

use super::{Context, bundle, out, split_ref};
use crate::app::line::shown;
use crate::app::marks;
use crate::args::{FactForm, Verify};
use crate::failure::{self, Exit, Failure};
use crate::source::Source;

/// One property, its result and what shows it.
#[derive(Debug, serde::Serialize)]
struct Property {
    property: &'static str,
    result: &'static str,
    what: String,
}

const PASS: &str = "PASS";
const FAIL: &str = "FAIL";
const NOTE: &str = "NOTE";

fn property(property: &'static str, result: &'static str, what: impl Into<String>) -> Property {
    Property {
        property,
        result,
        what: what.into(),
    }
}

pub(super) fn run(context: &Context, args: &Verify) -> Result<Exit, Failure> {
    if let Some(file) = bundle::file_of(context, args.query.as_deref()) {
        return bundle::verify(context, &file, args);
    }
    let mut source = context.source()?;
    let mut properties = vec![property("store", NOTE, source.place())];
    let mut exit = Exit::Answered;
    if let Some(query) = &args.query {
        let (query, _) = split_ref(query);
        let account = source.account(query)?;
        exit = of_account(&account, &mut properties);
    }
    if args.all {
        // Of a folder this includes its pages and every row of its index.
        let report = verify_all(source.reader(), &source.trusted, &mut |_| {})
            .map_err(|error| failure::of_read(&error))?;
        exit = of_report(&report, &mut properties);
        if source.is_door() {
            let what = "pages and rows of the index are checked on the folder itself, by recount-collector verify";
            properties.push(property("folder", NOTE, what));
        }
    }
    if let Some(file) = &args.known_checkpoint
        && !known(&source, file, &mut properties)?
    {
        exit = Exit::NotIntact;
    }
    let verdict = match exit {
        Exit::Answered => "intact",
        Exit::NotIntact => "not intact",
        _ => "incomplete",
    };
    match args.output {
        FactForm::Json => out::json(&json!({
            "schema": "recount.verify/1", "store": source.place(), "verdict": verdict,
            "exit": exit as u8, "properties": properties,
        }))?,
        FactForm::Text => {
            let mut text = String::new();
            for it in &properties {
                let _ = writeln!(
                    text,
                    "{} {:<11} {}",
                    it.result,
                    it.property,
                    shown(&it.what)
                );
            }
            let _ = writeln!(
                text,
                "{} {:<11} exit {}",
                if exit == Exit::Answered { PASS } else { FAIL },
                verdict,
                exit as u8
            );
            out::text(&text)?;
        }
    }
    if exit == Exit::Answered {
        context.pin(&mut source);
    }
    Ok(exit)
}

fn of_account(account: &Account, properties: &mut Vec<Property>) -> Exit {
    let integrity = &account.integrity;
    let checked = &integrity.checked;
    for ledger in &integrity.ledgers {
        match &ledger.checkpoint {
            Some(it) => {
                let at = it.at.map(|at| format!(" at {at}")).unwrap_or_default();
                properties.push(property(
                    "checkpoint",
                    PASS,
                    format!(
                        "{} size {} signed{at} by {}",
                        ledger.id,
                        it.size,
                        it.signed_by.join(", ")
                    ),
                ));
            }
            None => properties.push(property(
                "checkpoint",
                FAIL,
                format!("{}: no checkpoint that its key signed", ledger.id),
            )),
        }
        properties.push(match ledger.key {
            KeyTrust::Pinned if ledger.checkpoint.is_none() => {
                property("key", FAIL, "the pinned key signed nothing here")
            }
            KeyTrust::Pinned => property("key", PASS, "equals the pinned key"),
            KeyTrust::FirstSeen => property(
                "key",
                NOTE,
                "seen for the first time; compare it with the collector's ledger.pub",
            ),
        });
    }
    let whole = checked.sessions == checked.of;
    properties.push(property(
        "sessions",
        if whole { PASS } else { FAIL },
        format!("{} of {} verify", checked.sessions, checked.of),
    ));
    properties.push(property(
        "records",
        if integrity.status == IntegrityStatus::Broken {
            FAIL
        } else {
            PASS
        },
        format!("{} verify", checked.records),
    ));
    for problem in account
        .problems
        .iter()
        .filter(|problem| marks::is_finding(problem.kind))
    {
        let broken = matches!(
            problem.kind,
            vocabulary::problem::ProblemKind::RecordBroken
                | vocabulary::problem::ProblemKind::RecordMissing
        );
        properties.push(property(
            if broken { "record" } else { "finding" },
            if broken { FAIL } else { NOTE },
            format!("{}: {}: {}", problem.kind, problem.what, problem.why),
        ));
    }
    for gap in &integrity.gaps {
        let stream = gap
            .stream
            .map(|stream| stream.to_string())
            .unwrap_or_default();
        let to = gap
            .to
            .map_or_else(|| "on".to_owned(), |to| format!("to {to}"));
        properties.push(property(
            "gap",
            FAIL,
            format!("{stream} from {} {to}: {}", gap.from, gap.why),
        ));
    }
    for loss in &integrity.losses {
        let count = loss.records.map_or_else(
            || "an unknown number of".to_owned(),
            |count| count.to_string(),
        );
        properties.push(property(
            "loss",
            FAIL,
            format!("{count} records, declared: {}", loss.why),
        ));
    }
    if integrity.status == IntegrityStatus::Open {
        properties.push(property(
            "open",
            FAIL,
            "a session neither ended nor was abandoned; what is there is intact",
        ));
    }
    for text in &integrity.not_proven {
        properties.push(property("not-proven", NOTE, text));
    }
    match integrity.status {
        IntegrityStatus::Intact => Exit::Answered,
        IntegrityStatus::Broken => Exit::NotIntact,
        IntegrityStatus::Open | IntegrityStatus::Incomplete | IntegrityStatus::Unchecked => {
            Exit::Incomplete
        }
    }
}

/// The properties that a whole ledger must have, and which findings speak against each.
const PROPERTIES: &[(&str, &[FindingKind], &str)] = &[
    (
        "key",
        &[FindingKind::KeyChanged],
        "signed by the key that was expected",
    ),
    (
        "checkpoint",
        &[FindingKind::Checkpoint, FindingKind::Fork],
        "the signature holds and leads to this tree",
    ),
    (
        "acked",
        &[FindingKind::Truncated],
        "nothing that was acknowledged or signed is missing",
    ),
    (
        "leaves",
        &[FindingKind::Control, FindingKind::Private],
        "every leaf of the ledger log opens and leads to the root",
    ),
    (
        "heads",
        &[FindingKind::Head],
        "every stream equals its signed heads",
    ),
    (
        "records",
        &[
            FindingKind::Leaf,
            FindingKind::Payload,
            FindingKind::Missing,
            FindingKind::ErasedUnexplained,
        ],
        "every record opens its commitment",
    ),
    (
        "epochs",
        &[FindingKind::Epoch],
        "every epoch seal follows from the one before",
    ),
    (
        "tiles",
        &[FindingKind::Tile],
        "every tile holds the hashes of its leaves",
    ),
    (
        "index",
        &[FindingKind::Index],
        "the search index agrees with the sealed bytes",
    ),
    (
        "pages",
        &[FindingKind::Damaged, FindingKind::Unreadable],
        "everything could be read",
    ),
];

fn of_report(report: &Recomputed, properties: &mut Vec<Property>) -> Exit {
    let first_seen = report.ledger.key_state == KeyState::FirstSeen;
    for (name, kinds, holds) in PROPERTIES {
        let against: Vec<&Finding> = report
            .findings
            .iter()
            .filter(|finding| kinds.contains(&finding.kind))
            .collect();
        if against.is_empty() {
            let (result, what) = match *name {
                "key" if first_seen => (
                    NOTE,
                    "seen for the first time; compare it with the collector's ledger.pub"
                        .to_owned(),
                ),
                "records" => (
                    PASS,
                    format!(
                        "{holds}: {} records in {} streams, {} bytes",
                        report.records, report.streams, report.bytes
                    ),
                ),
                "heads" => (PASS, format!("{holds}: {} heads", report.heads)),
                "leaves" => (PASS, format!("{holds}: {} leaves", report.ledger.size)),
                _ => (PASS, (*holds).to_owned()),
            };
            properties.push(property(name, result, what));
        }
        for finding in against {
            properties.push(property(
                name,
                FAIL,
                format!("{}: {}", finding.place, finding.what),
            ));
        }
    }
    let known: Vec<FindingKind> = PROPERTIES
        .iter()
        .flat_map(|(_, kinds, _)| kinds.iter().copied())
        .collect();
    for finding in report
        .findings
        .iter()
        .filter(|finding| !known.contains(&finding.kind))
    {
        properties.push(property(
            "other",
            FAIL,
            format!("{}: {}", finding.place, finding.what),
        ));
    }
    if report.erased > 0 {
        properties.push(property(
            "erased",
            NOTE,
            format!("{} payloads, each with a leaf that says so", report.erased),
        ));
    }
    if report.open > 0 {
        properties.push(property(
            "open",
            NOTE,
            format!(
                "{} records are not covered by a signed head yet",
                report.open
            ),
        ));
    }
    if report.findings.is_empty() {
        Exit::Answered
    } else {
        Exit::NotIntact
    }
}

/// Whether the ledger still extends a checkpoint that was kept elsewhere.
fn known(source: &Source, file: &Path, properties: &mut Vec<Property>) -> Result<bool, Failure> {
    let note = std::fs::read(file).map_err(|error| Failure::Usage {
        what: format!("--known-checkpoint {}: {error}", file.display()),
        hint: "give the file with the lines that recount-collector checkpoint printed".to_owned(),
    })?;
    let mut verifier = source.verifier()?;
    let findings: Vec<Finding> = ledger::checkpoint::appended(&note)
        .into_iter()
        .flat_map(|note| verifier.known_checkpoint(note))
        .collect();
    let now = verifier.ledger().checkpoint.map_or_else(
        || "nothing".to_owned(),
        |head| format!("size {}", head.size),
    );
    if findings.is_empty() {
        properties.push(property(
            "extends",
            PASS,
            format!("the ledger, now at {now}, extends {}", file.display()),
        ));
    }
    for finding in &findings {
        properties.push(property("extends", FAIL, finding.what.clone()));
    }
    Ok(findings.is_empty())
}
