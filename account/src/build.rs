//! The account of a query: resolve, verify, read, fold, judge.

use ledger::reader::Reader;
use ledger::verify::{Trusted, Verifier};
use std::collections::BTreeSet;
use vocabulary::id::{RecordRef, SessionRef, StreamRef};
use vocabulary::record::CheckedBy;

use crate::error::AccountError;
use crate::gather::{self, Gatherer, Part};
use crate::judge::integrity;
use crate::model::{self, Account, Standing};
use crate::reading::Reading;
use crate::told::Telling;

/// How an account is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Read every leaf of the ledger log, so that no other session can name the request and no newer head
    /// exist unseen. Takes time in proportion to the ledger.
    pub all_bindings: bool,
    /// Whose check this is.
    pub checked_by: CheckedBy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            all_bindings: false,
            checked_by: CheckedBy::Reader,
        }
    }
}

/// How often sessions that work was handed to are looked for in turn.
const GENERATIONS: usize = 16;

/// Answers `query` from a ledger. Facts come only from bytes that verified; whatever did not verify is a
/// problem of the account, not an error.
///
/// # Errors
/// When the store cannot be read at all, or the query names nothing or several things.
pub fn build(
    reader: &dyn Reader,
    trusted: &Trusted,
    query: &str,
    options: &Options,
) -> Result<Account, AccountError> {
    let mut verifier = Verifier::open(reader, trusted)?;
    build_with(reader, &mut verifier, query, options)
}

/// As [`build`], with a verifier of the same reader: what it proved for an earlier answer is not read again.
///
/// # Errors
/// As [`build`].
pub fn build_with<'r>(
    reader: &'r dyn Reader,
    verifier: &mut Verifier<'r>,
    query: &str,
    options: &Options,
) -> Result<Account, AccountError> {
    if options.all_bindings {
        verifier.scan();
    }
    let mut gatherer = Gatherer::new(reader, verifier);
    let resolved = gatherer.resolve(query, options.checked_by)?;
    let mut parts: Vec<Part> = Vec::new();
    let mut wanted: BTreeSet<String> = resolved.labels.iter().cloned().collect();
    if options.all_bindings && resolved.query.kind == model::QueryKind::Request {
        wanted.extend(gatherer.sealed(&resolved.query.matched)?);
    }
    for _ in 0..GENERATIONS {
        let known: BTreeSet<&String> = parts.iter().map(|part| &part.label).collect();
        let missing: Vec<String> = wanted
            .iter()
            .filter(|label| !known.contains(label))
            .cloned()
            .collect();
        if missing.is_empty() {
            break;
        }
        for label in missing {
            let part = gatherer.gather(&label, resolved.only)?;
            wanted.extend(handed_to(&part));
            parts.push(part);
        }
    }
    parts.retain(|part| !part.streams.is_empty());
    let mut findings = std::mem::take(&mut gatherer.findings);
    parts.sort_by_key(|part| {
        part.streams
            .iter()
            .map(|(_, stream)| gather::first_ns(stream))
            .min()
    });
    let mut reading = Reading::default();
    reading.tell(&parts, &integrity::origin(verifier.ledger()));
    reading.holes = reading.look_for(reader, verifier, &parts)?;
    reading.look_meanwhile(verifier, &parts, &mut findings);
    reading.signed_ns = verifier.checkpoint_ns();
    Ok(reading.account(&parts, verifier.ledger(), &findings, resolved, options))
}

/// Sessions that a session handed work to.
fn handed_to(part: &Part) -> Vec<String> {
    let mut labels = Vec::new();
    for (_, stream) in part
        .streams
        .iter()
        .filter(|(standing, _)| *standing != Standing::Claims)
    {
        let mut telling = Telling::default();
        for record in &stream.records {
            let Some(envelope) = record.envelope() else {
                continue;
            };
            if !contains(envelope.item, b"agent.delegate") {
                continue;
            }
            let nowhere = RecordRef {
                stream: StreamRef {
                    session: SessionRef(0),
                    stream: 0,
                },
                index: 0,
            };
            let Ok(told) = telling.read(nowhere, Standing::Own, record.leaf, envelope) else {
                continue;
            };
            if told.event == Some(vocabulary::Event::Delegate) {
                labels.extend(told.text(vocabulary::attribute::DELEGATE_SESSION));
            }
        }
    }
    labels
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
