//! `verify`: recompute everything, and say what is wrong.

use std::path::{Path, PathBuf};

use ledger::checkpoint::appended;
use ledger::leaf::{ControlBody, ControlLeaf, Private as _, Receipt};
use ledger::note::VerifierKey;
use ledger::reader::Reader;
use ledger::store::{Continued, continued, previous};
use ledger::verify::{Finding, FindingKind, Place, Recomputed, Trusted, Verifier, verify_all};
use serde_json::{Value, json};
use vocabulary::time::Timestamp;

use super::recover::missing;
use super::source::Source;
use crate::anchor;
use crate::cli::{Form, Verify};
use crate::error::{Error, exit};
use crate::settings::Settings;

/// Leaves in which receipts are looked for, and how many at a time.
const LOOKED_AT: u64 = 65_536;
const PAGE: u64 = 4096;

/// How far the collector's clock may be behind those outside: ten minutes, in nanoseconds.
const CLOCKS_APART_NS: u64 = 600_000_000_000;

/// Verifies the whole ledger. 0: whole; 3: something is wrong; 6: right as far as it is signed.
pub(super) fn verify(settings: &Settings, options: &Verify) -> Result<u8, Error> {
    let source = Source::open(settings)?;
    let trusted = trusted(options.key.as_deref())?;
    // Before the long work: a file that cannot be read is told at once.
    let known = options.known_checkpoint.as_deref().map(known).transpose()?;
    let mut report = verify_all(source.reader(), &trusted, &mut |_| {})?;
    if let Some(known) = known {
        let mut verifier = Verifier::open(source.reader(), &trusted)?;
        for note in appended(&known) {
            report.findings.extend(verifier.known_checkpoint(note));
        }
    }
    let outside = Outside::read(source.reader(), &report)?;
    report.findings.extend(outside.findings);
    let anchored = outside.anchored;
    let code = match (report.findings.is_empty(), report.open) {
        (false, _) => exit::NOT_INTACT,
        (true, 0) => exit::DONE,
        (true, _) => exit::INCOMPLETE,
    };
    let continues = continued(source.reader())?;
    let older = previous(&settings.store);
    match options.output.output {
        Form::Text => {
            print(settings, &report, &anchored, options.key.is_some());
            print_older(continues.as_ref(), &older);
        }
        Form::Json => {
            let mut json = as_json(&report, &anchored, code);
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

/// What receipts say: the newest of each holder, the one for the largest checkpoint first, and what contradicts a
/// leaf's own time. Leaves are as good as the report says.
#[derive(Default)]
struct Outside {
    anchored: Vec<Value>,
    findings: Vec<Finding>,
}

impl Outside {
    /// Looks at receipts and beacons from the end; those before so many leaves are not told.
    fn read(reader: &dyn Reader, report: &Recomputed) -> Result<Self, Error> {
        let mut outside = Self::default();
        if !report.findings.is_empty() {
            return Ok(outside);
        }
        let mut to = reader.state()?.size;
        for _ in 0..LOOKED_AT / PAGE {
            let from = to.saturating_sub(PAGE);
            for stored in reader.control(from, to)?.iter().rev() {
                if let Ok(leaf) = ControlLeaf::decode(&stored.leaf) {
                    let private = stored.private.as_ref();
                    outside.leaf(&leaf, private.and_then(|it| Receipt::decode(&it.body).ok()));
                }
            }
            to = from;
            if to == 0 {
                break;
            }
        }
        outside
            .anchored
            .sort_by_key(|anchor| std::cmp::Reverse(anchor.get("size").and_then(Value::as_u64)));
        Ok(outside)
    }

    fn leaf(&mut self, leaf: &ControlLeaf, receipt: Option<Receipt>) {
        let at = Timestamp::from_unix_ns(leaf.unix_ns);
        let stated = match (&leaf.body, &receipt) {
            (ControlBody::Beacon { kind: 1, value }, _) => anchor::stated(5, value),
            (ControlBody::AnchorReceipt { kind, head, .. }, Some(receipt)) => {
                let holder = receipt.holder.as_str();
                let same =
                    |anchor: &Value| anchor.get("holder").and_then(Value::as_str) == Some(holder);
                if !self.anchored.iter().any(same) {
                    let one = json!({ "holder": holder, "size": head.size, "at": at.to_string() });
                    self.anchored.push(one);
                }
                anchor::stated(*kind, &receipt.receipt)
            }
            _ => None,
        };
        let stated_ns = stated.unwrap_or(0).saturating_mul(1_000_000_000);
        if stated_ns > leaf.unix_ns.saturating_add(CLOCKS_APART_NS) {
            let stated = Timestamp::from_unix_ns(stated_ns);
            self.findings.push(Finding {
                kind: FindingKind::Control,
                place: Place::Control { from: leaf.index, to: leaf.index + 1 },
                what: format!(
                    "the leaf says that it is of {at} and holds what somebody outside stamped at {stated}: \
                     the collector's clock was wrong, or the ledger was made afterwards"
                ),
            });
        }
    }
}

fn print(settings: &Settings, report: &Recomputed, anchored: &[Value], pinned: bool) {
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
    for anchor in anchored {
        let text = |key: &str| anchor.get(key).and_then(Value::as_str).unwrap_or_default();
        let size = anchor.get("size").and_then(Value::as_u64).unwrap_or(0);
        say!(
            "anchored  {size} leaves at {}, receipt sealed {}",
            text("holder"),
            text("at")
        );
    }
    if anchored.is_empty() && report.findings.is_empty() {
        say!("anchored  nowhere: nothing outside holds a checkpoint of this ledger");
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

fn as_json(report: &Recomputed, anchored: &[Value], code: u8) -> serde_json::Value {
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
        "anchored": anchored,
        "findings": findings,
    })
}
