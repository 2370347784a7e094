//! `recount verify`: one line per property, and an exit code that a script can act on.

mod anchors;

use std::path::{Path, PathBuf};

use account::model::Account;
use ledger::leaf::StreamId;
use ledger::policy::Policy;
use ledger::reader::Find;
use ledger::stamp::{self, Authorities};
use ledger::verify::report::{Evidence, IndexCheck, Report, Verdict};
use ledger::verify::{Finding, FindingKind, Place, VerifiedStream, verify_all, verify_all_telling};
use vocabulary::problem::ProblemKind;
use vocabulary::record::IntegrityStatus;

use super::{Context, bundle, out, proof, split_ref, table};
use crate::app::line::shown;
use crate::args::{FactForm, Verify};
use crate::failure::{self, Exit, Failure};
use crate::source::Source;

/// Why the pages and the index stay unchecked through a door.
const BEHIND_A_DOOR: &str = "pages and rows of the index are out of sight through a collector's door; recount-collector verify checks them on the folder";

pub(super) fn run(context: &Context, args: &Verify) -> Result<Exit, Failure> {
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    if let Some(bytes) = proof::in_file(args.query.as_deref()) {
        let report = proof::report(&bytes, context.common.key.as_deref())?;
        print(
            &report,
            args.query.as_deref().unwrap_or_default(),
            args.output,
        )?;
        return Ok(exit_of(&report));
    }
    let file = bundle::chosen(&context.common, args.query.as_deref());
    let mut source = match &file {
        Some(common) => Source::open(common, &context.environment)?,
        None => context.source()?,
    };
    let mut evidence = match source.bundle() {
        Some(opened) => bundle::evidence(opened, &source, args)?,
        None => of_live(&source, args)?,
    };
    anchors::compare(&source, &mut evidence, &args.anchor)?;
    let authorities = read_authorities(&args.tsa_ca)?;
    stamp::add_times(&mut source.verifier()?, &mut evidence, &authorities);
    let report = Report::judge(&evidence, policy.as_ref());
    print(&report, &source.place(), args.output)?;
    let exit = exit_of(&report);
    if exit == Exit::Answered && file.is_none() {
        context.pin(&mut source);
    }
    Ok(exit)
}

/// What a store or a door shows.
fn of_live(source: &Source, args: &Verify) -> Result<Evidence, Failure> {
    let mut evidence = match &args.query {
        Some(query) => of_query(source, split_ref(query).0)?,
        None if args.known_checkpoint.is_some() && !args.all => of_log(source)?,
        None => of_all(source)?,
    };
    if args.view && args.query.is_some() {
        compare_view(source, &mut evidence)?;
    }
    if let Some(file) = &args.known_checkpoint {
        extends(source, file, &mut evidence)?;
    }
    let note = source.reader().witnessed();
    let note = note.map_err(|error| failure::of_read(&error))?;
    if note.is_some() {
        evidence.add_witnessed(&mut source.verifier()?, note);
    }
    Ok(evidence)
}

/// The columns of CSV.
const COLUMNS: &[table::Column] = &[
    ("property", "/property"),
    ("state", "/state"),
    ("what", "/what"),
    ("details", "/details"),
];

/// Prints a report.
fn print(report: &Report, place: &str, form: FactForm) -> Result<(), Failure> {
    match form {
        FactForm::Json => out::json(&report.json(place)),
        FactForm::Jsonl | FactForm::Csv => {
            let report = report.json(place);
            let lines = report["properties"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            match form {
                FactForm::Csv => table::csv(COLUMNS, lines),
                _ => table::lines(lines),
            }
        }
        FactForm::Text => {
            let mut lines = vec![format!("{:<20} {}", "place", shown(place))];
            lines.extend(report.text(&|text| shown(text)));
            out::text(&lines.join("\n"))
        }
    }
}

/// The exit code of a report.
fn exit_of(report: &Report) -> Exit {
    match report.verdict() {
        Verdict::Holds => Exit::Answered,
        Verdict::Failed => Exit::NotIntact,
        Verdict::Incomplete => Exit::Incomplete,
        Verdict::PolicyUnmet => Exit::PolicyNotMet,
    }
}

/// Reads a policy; a file that is none is malformed input, never a policy that demands nothing.
fn read_policy(file: &Path) -> Result<Policy, Failure> {
    let wrong = |what: String| Failure::Usage {
        what: format!("--policy {}: {what}", file.display()),
        hint: "docs/ledger-format.md \u{a7}14 says what stands in a policy".to_owned(),
    };
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    Policy::parse(&bytes).map_err(|error| wrong(error.to_string()))
}

/// The CAs that time stamps are traced to.
fn read_authorities(files: &[PathBuf]) -> Result<Authorities, Failure> {
    let mut authorities = Authorities::none();
    for file in files {
        let wrong = |what: String| Failure::Usage {
            what: format!("--tsa-ca {}: {what}", file.display()),
            hint: "give the CA certificate that the time-stamping authority publishes, as PEM"
                .to_owned(),
        };
        let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        authorities.extend(Authorities::pem(&pem).map_err(|error| wrong(error.to_string()))?);
    }
    Ok(authorities)
}

fn of_all(source: &Source) -> Result<Evidence, Failure> {
    // Of a folder this includes its pages, and an index made again and compared with every row.
    let mut watch = account::Watch::default();
    let whole = verify_all_telling(
        source.reader(),
        &source.trusted,
        &mut |_| {},
        &mut |stream, index, envelope| watch.record(stream, index, envelope),
    );
    let whole = whole.map_err(|error| failure::of_read(&error))?;
    let mut evidence = Evidence::of_whole(&whole);
    evidence.producers = Some(watch.finish_whole());
    if source.is_door() {
        evidence.residual.push(BEHIND_A_DOOR.to_owned());
    } else {
        evidence.index = IndexCheck::Rebuilt;
    }
    Ok(evidence)
}

/// The ledger log alone: key, checkpoint, epochs, receipts.
fn of_log(source: &Source) -> Result<Evidence, Failure> {
    let mut verifier = source.verifier()?;
    let mut evidence = Evidence::of_ledger(verifier.ledger());
    evidence.add_leaves(&mut verifier);
    Ok(evidence)
}

fn of_query(source: &Source, query: &str) -> Result<Evidence, Failure> {
    let account = source.account(query)?;
    let mut verifier = source.verifier()?;
    let mut evidence = Evidence::of_ledger(verifier.ledger());
    evidence.add_leaves(&mut verifier);
    let mut streams: Vec<VerifiedStream> = Vec::new();
    for log in account.sessions.iter().flat_map(|it| &it.streams) {
        let found = source.reader().find(&Find::Prefix(log.log.clone()));
        let found = found.map_err(|error| failure::of_read(&error))?;
        let named = found.iter().filter(|it| it.stream.to_string() == log.log);
        streams.extend(named.map(|hint| verifier.read_stream(hint)));
    }
    for stream in &streams {
        evidence.add_stream(stream);
    }
    let ids: Vec<StreamId> = streams.iter().map(|it| it.stream).collect();
    evidence.frame = verifier.frame(Some(&ids));
    evidence.producers = Some(account::producers(&account, &streams));
    follow_account(&account, &mut evidence);
    Ok(evidence)
}

/// What only the account knows: whether the sessions are over, and what it found broken while it was computed.
pub(super) fn follow_account(account: &Account, evidence: &mut Evidence) {
    let status = account.integrity.status;
    evidence.unfinished = Some(u64::from(status == IntegrityStatus::Open));
    if status == IntegrityStatus::Broken && evidence.findings.is_empty() {
        let broken = account.problems.iter();
        let broken = broken.filter(|it| it.kind == ProblemKind::RecordBroken);
        evidence.findings.extend(broken.map(|problem| Finding {
            kind: FindingKind::Control,
            place: Place::Ledger,
            what: format!("{}: {}", problem.what, problem.why),
        }));
    }
    evidence
        .residual
        .extend(account.integrity.not_proven.iter().cloned());
}

/// Makes the index again from the sealed bytes and compares it with the one that is stored.
fn compare_view(source: &Source, evidence: &mut Evidence) -> Result<(), Failure> {
    if source.is_door() {
        // The answers of its index are compared, of every stream; the rows and pages they come from are out of sight.
        let whole = verify_all(source.reader(), &source.trusted, &mut |_| {});
        let whole = whole.map_err(|error| failure::of_read(&error))?;
        let wrong = whole.findings.into_iter();
        let wrong =
            wrong.filter(|it| it.kind == FindingKind::Index && !evidence.findings.contains(it));
        let wrong: Vec<Finding> = wrong.collect();
        evidence.findings.extend(wrong);
        evidence.index = IndexCheck::Asked(whole.streams);
        evidence.residual.push(BEHIND_A_DOOR.to_owned());
        return Ok(());
    }
    let found = source.reader().self_check();
    evidence
        .findings
        .extend(found.map_err(|error| failure::of_read(&error))?);
    evidence.index = IndexCheck::Rebuilt;
    Ok(())
}

/// Whether the ledger still extends a checkpoint that was kept elsewhere.
fn extends(source: &Source, file: &Path, evidence: &mut Evidence) -> Result<(), Failure> {
    let note = std::fs::read(file).map_err(|error| Failure::Usage {
        what: format!("--known-checkpoint {}: {error}", file.display()),
        hint: "give the file with the lines that recount-collector checkpoint printed".to_owned(),
    })?;
    let mut verifier = source.verifier()?;
    let place = file.display().to_string();
    for note in ledger::checkpoint::appended(&note) {
        let findings = verifier.known_checkpoint(note);
        if findings.is_empty() {
            evidence.add_known(note, &place);
        }
        evidence.findings.extend(findings);
    }
    Ok(())
}
