//! Private parts of control leaves: kept beside the leaf, committed to by it, erasable without breaking a tree.
#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};

use super::{Malformed, Salt, VERSION};
use crate::bytes::{Cursor, pad32, put_opaque16};
use crate::tree::Hash;

/// `SHA-256(pad32("recount/control/v1") ‖ salt ‖ private bytes)`.
#[must_use]
pub fn control_commitment(salt: &Salt, private: &[u8]) -> Hash {
    const TAG: [u8; 32] = pad32("recount/control/v1");
    Sha256::new()
        .chain_update(TAG)
        .chain_update(salt)
        .chain_update(private)
        .finalize()
        .into()
}

/// A private part: how it is written and read.
pub trait Private: Sized {
    /// The bytes that the leaf's commitment covers.
    ///
    /// # Errors
    /// Text that is too long for its length prefix.
    fn encode(&self) -> Result<Vec<u8>, Malformed>;

    /// Reads those bytes.
    ///
    /// # Errors
    /// Another version, missing or extra bytes, text that is not UTF-8.
    fn decode(bytes: &[u8]) -> Result<Self, Malformed>;
}

/// Writes the version byte, then the fields in the order given; `text` is `opaque<u16>` in UTF-8,
/// `bytes` is `opaque<u16>`, integers and arrays are as wide as their type.
macro_rules! private {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:tt),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: private!(@type $kind)),* }

        impl Private for $name {
            fn encode(&self) -> Result<Vec<u8>, Malformed> {
                let mut out = vec![VERSION];
                $(private!(@put $kind, out, self.$field, stringify!($field));)*
                Ok(out)
            }

            fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
                let mut cursor = Cursor::new(bytes);
                cursor.version(concat!(stringify!($name), " version"), VERSION)?;
                let value = Self { $($field: private!(@take $kind, cursor, stringify!($field))),* };
                cursor.end(stringify!($name))?;
                Ok(value)
            }
        }
    };
    (@type text) => { String };
    (@type bytes) => { Vec<u8> };
    (@type hash) => { Hash };
    (@type u8) => { u8 };
    (@type u64) => { u64 };
    (@put text, $out:ident, $value:expr, $name:expr) => { put_opaque16(&mut $out, $value.as_bytes(), $name)? };
    (@put bytes, $out:ident, $value:expr, $name:expr) => { put_opaque16(&mut $out, &$value, $name)? };
    (@put hash, $out:ident, $value:expr, $name:expr) => { $out.extend_from_slice(&$value) };
    (@put u8, $out:ident, $value:expr, $name:expr) => { $out.push($value) };
    (@put u64, $out:ident, $value:expr, $name:expr) => { $out.extend_from_slice(&$value.to_be_bytes()) };
    (@take text, $cursor:ident, $name:expr) => { $cursor.text16($name)?.to_owned() };
    (@take bytes, $cursor:ident, $name:expr) => { $cursor.opaque16($name)?.to_vec() };
    (@take hash, $cursor:ident, $name:expr) => { $cursor.array($name)? };
    (@take u8, $cursor:ident, $name:expr) => { $cursor.u8($name)? };
    (@take u64, $cursor:ident, $name:expr) => { $cursor.u64($name)? };
}

private! {
    /// Beside `incarnation`: why the ledger goes on under a new name.
    RestoreNote {
        /// Who restored it.
        actor: text,
        /// Why.
        reason: text,
        /// The older ledger's origin.
        origin: text,
    }
}

private! {
    /// Beside `stream_open`: what the stream is of.
    StreamOpening {
        /// Session label, or `trace:` and the trace id in hexadecimal.
        label: text,
        /// How the label was found ([`crate::envelope::SessionRule`]).
        rule: u8,
        /// The producer as the collector knows it; `unauthenticated:<door>` without a credential.
        producer: text,
        /// How that is proven ([`crate::envelope::ProducerProof`]).
        proof: u8,
        /// The producer as the sender called itself in the stream's first record.
        claim: text,
    }
}

private! {
    /// Beside `session_link`: which session the stream belongs to, and what shows it.
    SessionLink {
        /// Session label.
        session: text,
        /// How it was found ([`crate::envelope::SessionRule`]).
        rule: u8,
        /// The record of the stream that shows it.
        evidence: u64,
    }
}

private! {
    /// Beside `request_binding`: which request the stream belongs to, and what shows it.
    RequestBinding {
        /// The request's name as given.
        request: text,
        /// 1 attribute of the record, 2 attribute of the resource, 3 baggage, 4 alias, 5 the session's label.
        rule: u8,
        /// The record of the stream that shows it.
        evidence: u64,
    }
}

private! {
    /// Beside `refused_payload`: what was refused, by digest only.
    RefusedPayload {
        /// 1 OTLP/HTTP, 2 OTLP/gRPC, 3 other.
        door: u8,
        /// Why, in words.
        why: text,
        /// SHA-256 of the body as received.
        digest: hash,
        /// Its length in bytes.
        size: u64,
        /// Who sent it, as far as known.
        peer: text,
    }
}

private! {
    /// Beside `erasure`: on whose word.
    Cause {
        /// Who asked.
        actor: text,
        /// Why.
        reason: text,
    }
}

private! {
    /// Beside `prune`: by which policy.
    PruneNote {
        /// Who ran it.
        actor: text,
        /// The policy, as text.
        policy: text,
    }
}

private! {
    /// Beside `anchor_receipt`: what the other side gave.
    Receipt {
        /// Who holds the checkpoint.
        holder: text,
        /// What it returned.
        receipt: bytes,
    }
}

private! {
    /// Beside `gap`: which numbers are missing.
    GapNote {
        /// The producer.
        producer: text,
        /// Its run.
        run: text,
        /// First missing number.
        first: u64,
        /// Last missing number.
        last: u64,
        /// 1 not received when the stream closed, 2 the producer declared the loss.
        why: u8,
    }
}

private! {
    /// Beside `config_change`: which setting.
    ConfigChange {
        /// The setting's name.
        setting: text,
        /// Its value before; secrets never.
        from: text,
        /// Its value from now on.
        to: text,
        /// Where the new value comes from.
        origin: text,
    }
}

private! {
    /// Beside `conflict`: what contradicts what.
    ConflictNote {
        /// In words.
        what: text,
        /// SHA-256 of what was there first.
        first: hash,
        /// SHA-256 of what came second.
        second: hash,
    }
}
