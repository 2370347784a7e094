//! Bundles on the command line: a file in the place of a query, and `recount verify BUNDLE`.

use std::path::{Path, PathBuf};

use account::model::Account;
use ledger::bundle::{self, Bundle, BundleReport, Verdict};
use ledger::note::NoteError;
use ledger::policy::Policy;
use ledger::verify::Trusted;
use ledger::verify::report::{PropertyState, Report};
use serde_json::json;
use vocabulary::record::IntegrityStatus;

use super::{Context, out};
use crate::app::line::shown;
use crate::args::{Common, FactForm, Verify};
use crate::failure::{self, Exit, Failure};
use crate::source::read_bundle;
use crate::source::{Source, place::Place};

/// The ending by which a file is told from a query.
const ENDING: &str = ".tar";

/// Whether a query names a bundle's file.
fn is_file(query: &str) -> bool {
    query.ends_with(ENDING) && Path::new(query).is_file()
}

/// Where a query names a bundle's file: the file becomes the store, and what it was exported for the query.
pub(super) fn stand_in(common: &mut Common, query: &mut String) -> Result<(), Failure> {
    if common.store.is_some() || common.collector.is_some() || !is_file(query) {
        return Ok(());
    }
    let file = PathBuf::from(&*query);
    *query = read_bundle(&file)?.query().to_owned();
    common.store = Some(file);
    Ok(())
}

/// The bundle that `verify` is asked about.
pub(super) fn file_of(context: &Context, query: Option<&str>) -> Option<PathBuf> {
    let named = query.filter(|query| is_file(query)).map(PathBuf::from);
    let store = context.common.store.clone();
    named.or_else(|| store.filter(|store| store.is_file()))
}

/// The account that a bundle's records give, for nobody in particular: no key is known beforehand.
pub(super) fn account(bundle: &Bundle) -> Result<Account, Failure> {
    let place = ledger::reader::Reader::place(bundle);
    account::build(
        bundle,
        &Trusted::FirstSeen,
        bundle.query(),
        &account::Options::default(),
    )
    .map_err(|error| failure::of_account(&place, bundle.query(), error))
}

/// That account as it lies in a bundle.
pub(super) fn written(account: &Account) -> Result<String, Failure> {
    let json = account::render::json(account, true);
    let json = json.map_err(|error| Failure::Output(error.into()))?;
    Ok(format!("{json}\n"))
}

/// One line of the answer.
struct Line(&'static str, String, String);

const PASS: &str = "PASS";
const FAIL: &str = "FAIL";
const NOTE: &str = "NOTE";

/// `recount verify BUNDLE`.
pub(super) fn verify(context: &Context, file: &Path, args: &Verify) -> Result<Exit, Failure> {
    let known = args.known_checkpoint.as_deref().map(read_known);
    let known = known.transpose()?;
    let mut common = context.common.clone();
    common.store = Some(file.to_owned());
    common.collector = None;
    let source = Source::open(&common, &context.environment)?;
    let (Place::Bundle(_), Some(opened)) = (&source.chosen.place, source.bundle()) else {
        return Err(Failure::Usage {
            what: format!("{} is not a file", file.display()),
            hint: "recount verify --all checks a store".to_owned(),
        });
    };
    let checked = bundle::check(opened, &source.trusted, known.as_deref());
    let checked = checked.map_err(|error| failure::of_read(&error))?;
    let mut lines = vec![Line(NOTE, "bundle".to_owned(), said(opened))];
    let policy = args
        .policy
        .as_deref()
        .map(super::verify::read_policy)
        .transpose()?;
    let mut exit = of_check(opened, &checked, policy.as_ref(), &mut lines);
    exit = worse(exit, of_account(opened, &checked, &mut lines));
    print(file, args.output, exit, &lines)?;
    Ok(exit)
}

fn read_known(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::Usage {
        what: format!("--known-checkpoint {}: {error}", file.display()),
        hint: "give the file with the lines that recount-collector checkpoint printed".to_owned(),
    })
}

fn said(bundle: &Bundle) -> String {
    let (query, release) = (bundle.query(), bundle.release());
    format!("exported for {query} by release {release}, as it says itself")
}

/// What the evidence shows, property by property.
fn of_check(
    bundle: &Bundle,
    checked: &BundleReport,
    policy: Option<&Policy>,
    lines: &mut Vec<Line>,
) -> Exit {
    let wrong = bundle.wrong_digests();
    let digests = if wrong.is_empty() {
        Line(
            PASS,
            "digests".to_owned(),
            "every file is what SHA256SUMS says".to_owned(),
        )
    } else {
        let what = format!("not what SHA256SUMS says: {}", wrong.join(", "));
        Line(FAIL, "digests".to_owned(), what)
    };
    lines.push(digests);
    let key = checked.ledger.key.as_ref();
    lines.extend(key.map(|key| Line(NOTE, "key".to_owned(), key.to_string())));
    let report = Report::judge(&checked.evidence(), policy);
    for line in &report.lines {
        let word = match line.state {
            PropertyState::Shown => PASS,
            PropertyState::Failed => FAIL,
            PropertyState::NotShown | PropertyState::NotChecked => NOTE,
        };
        let name = line.property.to_string();
        lines.push(Line(word, name.clone(), line.what.clone()));
        let more = line.details.iter().filter(|what| **what != line.what);
        lines.extend(more.map(|what| Line(word, name.clone(), what.clone())));
    }
    for gap in &checked.gaps {
        let gap = &gap.value;
        let what = format!(
            "records {} to {} of {} never arrived",
            gap.first, gap.last, gap.producer
        );
        lines.push(Line(FAIL, "gap".to_owned(), what));
    }
    for receipt in &checked.receipts {
        lines.push(Line(NOTE, "receipt".to_owned(), receipt.to_string()));
    }
    let all = checked.carried == checked.ledger.size;
    let what = if all {
        "every leaf of the ledger log is here: no newer head and no other stream is hidden"
    } else {
        "other streams and newer heads may be left out: not every leaf of the ledger log is here"
    };
    lines.push(Line(NOTE, "left-out".to_owned(), what.to_owned()));
    if checked.known == Some(false) {
        let what = "the leaves that are here do not reach the known checkpoint; export with --known-checkpoint";
        lines.push(Line(FAIL, "extends".to_owned(), what.to_owned()));
    } else if checked.known == Some(true) {
        let what = "the known checkpoint is extended".to_owned();
        lines.push(Line(PASS, "extends".to_owned(), what));
    }
    lines.extend(
        report
            .residual
            .iter()
            .map(|what| Line(NOTE, "not-proven".to_owned(), what.clone())),
    );
    let failed = |line: &ledger::verify::report::Line| line.state == PropertyState::Failed;
    let exit = match checked.verdict() {
        // A policy knows keys that a bundle does not: what fails under it fails.
        _ if report.lines.iter().any(failed) => Exit::NotIntact,
        Verdict::Intact => Exit::Answered,
        Verdict::Incomplete => Exit::Incomplete,
        Verdict::Broken => Exit::NotIntact,
    };
    let unmet = report.policy.map(|policy| policy.unmet).unwrap_or_default();
    let demanded = unmet
        .iter()
        .map(|what| Line(FAIL, "policy".to_owned(), what.clone()));
    lines.extend(demanded);
    if unmet.is_empty() {
        return exit;
    }
    worse(exit, Exit::PolicyNotMet)
}

/// Computes the account again, compares it with the one that came along, and says how it stands.
fn of_account(bundle: &Bundle, checked: &BundleReport, lines: &mut Vec<Line>) -> Exit {
    let mut line = |word, what: String| lines.push(Line(word, "account".to_owned(), what));
    let computed = match account(bundle).and_then(|account| Ok((written(&account)?, account))) {
        Ok(computed) => computed,
        Err(error) => {
            line(FAIL, format!("cannot be computed: {error}"));
            return Exit::Incomplete;
        }
    };
    let (text, account) = computed;
    let mut exit = compared(bundle, &text, &mut line);
    let status = account.integrity.status;
    if checked.verdict() != Verdict::Broken {
        exit = worse(exit, of_status(status, &mut line));
    }
    for gap in &account.integrity.gaps {
        line(FAIL, format!("gap from {}: {}", gap.from, gap.why));
    }
    for loss in &account.integrity.losses {
        line(FAIL, format!("a declared loss: {}", loss.why));
    }
    exit
}

fn of_status(status: IntegrityStatus, line: &mut impl FnMut(&'static str, String)) -> Exit {
    match status {
        IntegrityStatus::Intact => Exit::Answered,
        IntegrityStatus::Open => {
            let what = "a session neither ended nor was abandoned; what is there is intact";
            line(FAIL, what.to_owned());
            Exit::Incomplete
        }
        IntegrityStatus::Broken => Exit::NotIntact,
        IntegrityStatus::Incomplete | IntegrityStatus::Unchecked => Exit::Incomplete,
    }
}

/// Compares the account that came along with the one that its records give.
fn compared(bundle: &Bundle, text: &str, line: &mut impl FnMut(&'static str, String)) -> Exit {
    let Some(came) = bundle.account() else {
        line(NOTE, "none came along".to_owned());
        return Exit::Answered;
    };
    if came == text.as_bytes() {
        line(
            PASS,
            "the one that came along is what the records give".to_owned(),
        );
        return Exit::Answered;
    }
    let own = env!("CARGO_PKG_VERSION");
    if bundle.release() == own {
        let what = "the one that came along is not what the records give: do not rely on it";
        line(FAIL, what.to_owned());
        return Exit::NotIntact;
    }
    let values = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let (came, here) = (values(came), values(text.as_bytes()));
    if let (Some(came), Some(here)) = (came, here)
        && says_no_more(&came, &here)
    {
        let what = "what the one that came along says, the records give";
        line(PASS, what.to_owned());
        return Exit::Answered;
    }
    let what = format!(
        "release {} made the one that came along, this is {own}, and they differ: rely on recount show",
        bundle.release()
    );
    line(NOTE, what);
    Exit::Incomplete
}

/// Whether everything in `came` is in `here`; a later release may add keys.
fn says_no_more(came: &serde_json::Value, here: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object};
    match (came, here) {
        (Object(came), Object(here)) => came.iter().all(|(key, value)| {
            here.get(key)
                .is_some_and(|other| says_no_more(value, other))
        }),
        (Array(came), Array(here)) => {
            came.len() == here.len() && came.iter().zip(here).all(|(a, b)| says_no_more(a, b))
        }
        (came, here) => came == here,
    }
}

/// The exit code that says more: not intact, then policy, then incomplete.
fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit: Exit| match exit {
        Exit::Answered => 0,
        Exit::Incomplete => 1,
        Exit::PolicyNotMet => 2,
        _ => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}

fn print(file: &Path, form: FactForm, exit: Exit, lines: &[Line]) -> Result<(), Failure> {
    let verdict = match exit {
        Exit::Answered => "intact",
        Exit::NotIntact => "not intact",
        Exit::PolicyNotMet => "policy not met",
        _ => "incomplete",
    };
    if form == FactForm::Json {
        let properties = lines.iter().map(
            |Line(result, property, what)| json!({"property": property, "result": result, "what": what}),
        );
        return out::json(&json!({
            "schema": "recount.verify/1", "store": file.display().to_string(), "verdict": verdict,
            "exit": exit as u8, "properties": properties.collect::<Vec<_>>(),
        }));
    }
    let mut text = String::new();
    for Line(result, property, what) in lines {
        text.push_str(&format!("{result} {property:<19} {}\n", shown(what)));
    }
    let word = if exit == Exit::Answered { PASS } else { FAIL };
    text.push_str(&format!("{word} {verdict:<19} exit {}\n", exit as u8));
    out::text(&text)
}

/// A checkpoint's size, without looking at who signed it: it only says which leaf has to go along.
pub(super) fn size_of(file: &Path) -> Result<u64, Failure> {
    let note = read_known(file)?;
    let parsed = ledger::note::Note::parse(&note)
        .and_then(|note| ledger::checkpoint::Checkpoint::parse(note.text));
    parsed
        .map(|checkpoint| checkpoint.head.size)
        .map_err(|error: NoteError| Failure::Usage {
            what: format!("--known-checkpoint {}: {error}", file.display()),
            hint: "give the file with the lines that recount-collector checkpoint printed"
                .to_owned(),
        })
}
