//! The producer chain: whether two streams were written by one and the same run of a producer.
//!
//! A producer's ids travel in the clear, so anybody may copy them. Each link of its chain covers the one before,
//! which only who wrote, or can read, the other stream knows.

use ledger::envelope::{Encoding, Envelope, Signal};
use ledger::otlp::{Item, Resource};
use ledger::producer;
use ledger::verify::{VerifiedRecord, VerifiedStream};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use vocabulary::attribute::{CHAIN, RUN, SEQ};

/// One record's place in its run's chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    value: [u8; 32],
    /// Digest of the item with the chain's bytes zeroed.
    item: [u8; 32],
}

impl Link {
    /// The link that a record carries; `None` if it has none, or was not sent as the SDK sends.
    pub(crate) fn of(envelope: &Envelope<'_>, item: &Item<'_>) -> Option<Self> {
        if envelope.encoding != Encoding::Protobuf || envelope.signal != Signal::Logs {
            return None;
        }
        let value = <[u8; 32]>::try_from(item.attributes.bytes(CHAIN)?).ok()?;
        // The chain is the last attribute and the last field: its value ends the item.
        let body = envelope.item.strip_suffix(&value)?;
        let item = Sha256::new()
            .chain_update(body)
            .chain_update([0; 32])
            .finalize()
            .into();
        Some(Self { value, item })
    }

    /// The link itself.
    pub(crate) fn value(&self) -> &[u8; 32] {
        &self.value
    }

    /// Whether this is the link number `number` after `before`.
    pub(crate) fn follows(&self, before: &Self, number: u64) -> bool {
        producer::link(&before.value, number, &self.item) == self.value
    }
}

/// The links of a stream, by run and number.
type Links = HashMap<(String, u64), Link>;

/// Whether a record of one stream is the next link after a record of the other, in either direction.
pub(crate) fn are_joined(one: &VerifiedStream, other: &VerifiedStream) -> bool {
    let (one, other) = (links(one), links(other));
    follows(&one, &other) || follows(&other, &one)
}

fn follows(later: &Links, earlier: &Links) -> bool {
    later.iter().any(|((run, number), link)| {
        let before = number
            .checked_sub(1)
            .and_then(|before| earlier.get(&(run.clone(), before)));
        before.is_some_and(|before| link.follows(before, *number))
    })
}

fn links(stream: &VerifiedStream) -> Links {
    let mut links = Links::new();
    for envelope in stream.records.iter().filter_map(VerifiedRecord::envelope) {
        let item = Item::decode(envelope.encoding, envelope.signal, envelope.item);
        let resource = Resource::decode(envelope.encoding, envelope.resource);
        let (Ok(item), Ok(resource)) = (item, resource) else {
            continue;
        };
        let number = item
            .attributes
            .int(SEQ)
            .and_then(|number| u64::try_from(number).ok());
        let link = Link::of(&envelope, &item);
        if let (Some(run), Some(number), Some(link)) = (resource.attributes.str(RUN), number, link)
        {
            links.insert((run.to_owned(), number), link);
        }
    }
    links
}
