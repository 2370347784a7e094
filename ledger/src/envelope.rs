//! The envelope: one record's exact bytes with everything that the collector decided about them.
#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};

use crate::bytes::{Cursor, pad32};
use crate::leaf::Salt;
use crate::tree::Hash;

mod codes;
mod collector;

pub use crate::bytes::Malformed;
pub use codes::{
    Delivery, Encoding, Part, PrincipalProof, ProducerProof, RecordingMode, SessionRule, Signal,
};
pub use collector::{CollectorPart, Mask};

/// Version byte of the envelope.
pub const VERSION: u8 = 1;

/// One record's bytes, borrowed from where they lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Encoding of resource, scope and item.
    pub encoding: Encoding,
    /// What the item is.
    pub signal: Signal,
    /// What the collector decided: an encoded [`CollectorPart`].
    pub collector: &'a [u8],
    /// The Resource, as received.
    pub resource: &'a [u8],
    /// Its schema URL; empty if none.
    pub resource_schema_url: &'a [u8],
    /// The InstrumentationScope, as received.
    pub scope: &'a [u8],
    /// Its schema URL; empty if none.
    pub scope_schema_url: &'a [u8],
    /// The Span or LogRecord, as received except for the masks that the collector part lists.
    pub item: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// The six parts in the order in which they are written.
    #[must_use]
    pub fn parts(&self) -> [&'a [u8]; 6] {
        [
            self.collector,
            self.resource,
            self.resource_schema_url,
            self.scope,
            self.scope_schema_url,
            self.item,
        ]
    }

    /// Length of [`Envelope::encode`] in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        3 + self
            .parts()
            .iter()
            .map(|part| 4 + part.len())
            .sum::<usize>()
    }

    /// The envelope's bytes: what is committed to.
    ///
    /// A part is at most `u32::MAX` bytes long; the collector's limits are far below.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.pieces(|piece| out.extend_from_slice(piece));
        out
    }

    /// Reads an envelope without copying its parts.
    ///
    /// # Errors
    /// Another version, encoding or signal; missing or extra bytes.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        cursor.version("envelope version", VERSION)?;
        let envelope = Self {
            encoding: Encoding::from_code(cursor.u8("encoding")?)?,
            signal: Signal::from_code(cursor.u8("signal")?)?,
            collector: cursor.opaque32("collector")?,
            resource: cursor.opaque32("resource")?,
            resource_schema_url: cursor.opaque32("resource_schema_url")?,
            scope: cursor.opaque32("scope")?,
            scope_schema_url: cursor.opaque32("scope_schema_url")?,
            item: cursor.opaque32("item")?,
        };
        cursor.end("envelope")?;
        Ok(envelope)
    }

    /// `SHA-256(pad32("recount/record/v1") ‖ salt ‖ envelope)`, without writing the envelope out.
    #[must_use]
    pub fn commitment(&self, salt: &Salt) -> Hash {
        const TAG: [u8; 32] = pad32("recount/record/v1");
        let mut hasher = Sha256::new();
        hasher.update(TAG);
        hasher.update(salt);
        self.pieces(|piece| hasher.update(piece));
        hasher.finalize().into()
    }

    /// The bytes of the envelope, piece by piece.
    fn pieces(&self, mut put: impl FnMut(&[u8])) {
        put(&[VERSION, self.encoding as u8, self.signal as u8]);
        for part in self.parts() {
            let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
            put(&len.to_be_bytes());
            put(part);
        }
    }
}
