//! One record as an OTLP `LogRecord`, and the chain that runs through those of one run.
//!
//! The order of fields is fixed: what the builder knows first, then nonce,
//! monotonic time, sequence, and the chain last, so that its 32 bytes are the
//! last 32 of the item. They are zero in the spool and filled in when sent.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use vocabulary::{attribute, wire};

use crate::clock::Now;
use crate::encode::{Value, delimited, field_len, varint, write_pair};

/// Bytes of the chain value at the end of each item.
pub(crate) const CHAIN: usize = 32;

/// Which session and span a record belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Encoded `session.id` and `recount.request.id`.
    pub(crate) prefix: &'a [u8],
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: Option<[u8; 8]>,
    /// Counts what the session's own calls wrote; none for what is written about it afterwards.
    pub(crate) counted: Option<&'a AtomicU64>,
}

impl Place<'_> {
    /// Takes note that a record was written here.
    pub(crate) fn count(&self) {
        if let Some(counted) = self.counted {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes everything in front of the attributes.
pub(crate) fn write_head(out: &mut Vec<u8>, event: &str, place: &Place<'_>, now: Now) {
    out.push(0x09);
    out.extend_from_slice(&now.unix_ns.to_le_bytes());
    delimited(out, 0x4a, &place.trace_id);
    if let Some(span_id) = &place.span_id {
        delimited(out, 0x52, span_id);
    }
    out.push(0x59);
    out.extend_from_slice(&now.unix_ns.to_le_bytes());
    delimited(out, 0x62, event.as_bytes());
    out.extend_from_slice(place.prefix);
}

/// Writes nonce, monotonic time, sequence and an empty chain.
pub(crate) fn write_tail(out: &mut Vec<u8>, nonce: &[u8; 16], mono_ns: u64, seq: u64) {
    write_pair(out, attribute::NONCE, Value::Bytes(nonce));
    write_pair(
        out,
        attribute::MONO_NS,
        Value::Int(crate::encode::int(mono_ns)),
    );
    write_pair(out, attribute::SEQ, Value::Int(crate::encode::int(seq)));
    write_pair(out, attribute::CHAIN, Value::Bytes(&[0; CHAIN]));
}

/// The chain of one run: each link covers the one before, its number and its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The last link; zeros before the first.
    pub(crate) last: [u8; CHAIN],
    /// Number of the next item.
    pub(crate) next: u64,
}

impl Chain {
    pub(crate) const fn new() -> Self {
        Self {
            last: [0; CHAIN],
            next: 0,
        }
    }

    /// The link of an item whose chain bytes are still zero.
    pub(crate) fn extend(&mut self, item: &[u8]) -> [u8; CHAIN] {
        let item = Sha256::digest(item).into();
        self.last = ledger::producer::link(&self.last, self.next, &item);
        self.next += 1;
        self.last
    }
}

/// The parts of an export that all items of one run share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// Body of the OTLP `Resource`.
    pub(crate) resource: Vec<u8>,
    /// Body of the OTLP `InstrumentationScope`.
    pub(crate) scope: Vec<u8>,
}

impl Origin {
    /// A resource with these attributes, and the scope of this SDK.
    pub(crate) fn new(attributes: &crate::Attributes) -> Self {
        let mut scope = Vec::new();
        delimited(&mut scope, 0x0a, wire::SCOPE_NAME.as_bytes());
        delimited(&mut scope, 0x12, env!("CARGO_PKG_VERSION").as_bytes());
        Self {
            resource: as_resource(attributes.encoded()),
            scope,
        }
    }

    /// An `ExportLogsServiceRequest` with these items, each already chained.
    pub(crate) fn export<'a>(&self, items: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
        let records: usize = items.clone().map(|item| field_len(item.len())).sum();
        let scope_logs = field_len(self.scope.len()) + records;
        let resource_logs = field_len(self.resource.len()) + field_len(scope_logs);
        let mut out = Vec::with_capacity(field_len(resource_logs));
        out.push(0x0a);
        varint(&mut out, resource_logs as u64);
        delimited(&mut out, 0x0a, &self.resource);
        out.push(0x12);
        varint(&mut out, scope_logs as u64);
        delimited(&mut out, 0x0a, &self.scope);
        for item in items {
            delimited(&mut out, 0x12, item);
        }
        out
    }
}

/// `Resource.attributes` has field number 1 where `LogRecord.attributes` has 6.
fn as_resource(encoded: &[u8]) -> Vec<u8> {
    let mut out = encoded.to_vec();
    let mut at = 0;
    while at < out.len() {
        out[at] = 0x0a;
        at += 1;
        let (mut len, mut shift) = (0_usize, 0);
        while let Some(byte) = out.get(at) {
            at += 1;
            len |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        at += len;
    }
    out
}
