//! What the producers' own numbers and chains show, for a verification report.

use ledger::envelope::Envelope;
use ledger::otlp::{Item, Resource};
use ledger::verify::report::Producers;
use ledger::verify::{VerifiedRecord, VerifiedStream};
use vocabulary::attribute::{RUN, SEQ};

use crate::chain::Link;
use crate::model::Account;

/// Counts what the records of these streams carry, and the gaps and losses that their account found.
#[must_use]
pub fn producers(account: &Account, streams: &[VerifiedStream]) -> Producers {
    let records = || streams.iter().flat_map(|stream| &stream.records);
    let numbered = records()
        .filter_map(VerifiedRecord::envelope)
        .filter(is_numbered)
        .count() as u64;
    let mut found = Producers {
        records: records().count() as u64,
        numbered,
        ..Producers::default()
    };
    for gap in &account.integrity.gaps {
        let to = gap.to.unwrap_or(gap.from);
        found.missing += to.saturating_sub(gap.from).saturating_add(1);
        found
            .gaps
            .push(format!("number {} to {to}: {}", gap.from, gap.why));
    }
    for loss in &account.integrity.losses {
        found.declared += loss.records.unwrap_or(1);
        found.gaps.push(format!("declared lost: {}", loss.why));
    }
    found
}

fn is_numbered(envelope: &Envelope<'_>) -> bool {
    let item = Item::decode(envelope.encoding, envelope.signal, envelope.item);
    let resource = Resource::decode(envelope.encoding, envelope.resource);
    let (Ok(item), Ok(resource)) = (item, resource) else {
        return false;
    };
    item.attributes.int(SEQ).is_some()
        && resource.attributes.str(RUN).is_some()
        && Link::of(envelope, &item).is_some()
}
