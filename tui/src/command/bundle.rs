//! Bundles on the command line: a file in the place of a query, and `recount verify BUNDLE`.

use std::path::{Path, PathBuf};

use account::model::Account;
use ledger::bundle::{self, Bundle, BundleReport};
use ledger::checkpoint::appended;
use ledger::note::NoteError;
use ledger::verify::report::Evidence;
use ledger::verify::{Finding, FindingKind, Place, Trusted};

use super::verify::follow_account;
use crate::args::{Common, Verify};
use crate::failure::{self, Failure};
use crate::source::{Source, read_bundle};

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

/// The bundle's file in the place of the query that `verify` is asked about, made the store.
pub(super) fn chosen(common: &Common, query: Option<&str>) -> Option<Common> {
    let named = query.filter(|query| is_file(query)).map(PathBuf::from);
    let store = common.store.clone();
    let file = named.or_else(|| store.filter(|store| store.is_file()))?;
    let mut common = common.clone();
    (common.store, common.collector) = (Some(file), None);
    Some(common)
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

/// What a bundle shows, for a report.
pub(super) fn evidence(
    opened: &Bundle,
    source: &Source,
    args: &Verify,
) -> Result<Evidence, Failure> {
    let known = args.known_checkpoint.as_deref().map(read_known);
    let known = known.transpose()?.unwrap_or_default();
    let check = |note| {
        bundle::check(opened, &source.trusted, note).map_err(|error| failure::of_read(&error))
    };
    let checked = check(None)?;
    let mut evidence = checked.evidence();
    let name = args
        .known_checkpoint
        .as_ref()
        .map(|it| it.display().to_string());
    for (note, name) in appended(&known).into_iter().zip(name.iter().cycle()) {
        let compared = check(Some(note))?;
        match compared.known {
            Some(true) => evidence.add_known(note, name),
            Some(false) => evidence.unreached = Some(name.clone()),
            None => evidence.findings = compared.findings,
        }
    }
    for gap in &checked.gaps {
        let gap = &gap.value;
        evidence.residual.push(format!(
            "what became of records {} to {} of {}, which never arrived",
            gap.first, gap.last, gap.producer
        ));
    }
    let (query, release) = (opened.query(), opened.release());
    evidence.residual.push(format!(
        "that release {release} exported it for {query}, as it says itself"
    ));
    if !evidence.all_leaves {
        let what = "that nothing else belongs here: other streams and newer heads may be left out";
        evidence.residual.push(what.to_owned());
    }
    add_account(opened, &checked, &mut evidence);
    Ok(evidence)
}

fn read_known(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::Usage {
        what: format!("--known-checkpoint {}: {error}", file.display()),
        hint: "give the file with the lines that recount-collector checkpoint printed".to_owned(),
    })
}

/// Computes the account again, compares it with the one that came along, and says how it stands.
fn add_account(opened: &Bundle, checked: &BundleReport, evidence: &mut Evidence) {
    match account(opened).and_then(|account| Ok((written(&account)?, account))) {
        Ok((text, account)) => {
            compare(opened, &text, evidence);
            evidence.producers = Some(account::producers(&account, &checked.streams));
            follow_account(&account, evidence);
        }
        Err(error) => {
            evidence.doubt = Some(format!("the account cannot be computed: {error}"));
            let mut watch = account::Watch::default();
            watch.streams(&checked.streams);
            evidence.producers = Some(watch.finish());
        }
    }
}

/// Compares the account that came along with the one that its records give.
fn compare(opened: &Bundle, text: &str, evidence: &mut Evidence) {
    let Some(came) = opened.account() else { return };
    if came == text.as_bytes() {
        return;
    }
    let own = env!("CARGO_PKG_VERSION");
    if opened.release() == own {
        evidence.findings.push(Finding {
            kind: FindingKind::Damaged,
            place: Place::Ledger,
            what: "account.json is not what the records give: do not rely on it".to_owned(),
        });
        return;
    }
    let values = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let (came, here) = (values(came), values(text.as_bytes()));
    if let (Some(came), Some(here)) = (came, here)
        && says_no_more(&came, &here)
    {
        return;
    }
    evidence.doubt = Some(format!(
        "release {} made account.json, this is {own}, and they differ: rely on recount show",
        opened.release()
    ));
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
