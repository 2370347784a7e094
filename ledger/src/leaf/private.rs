//! Private parts of control leaves: kept beside the leaf, committed to by it, erasable without breaking a tree.
#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};

use super::{Malformed, Salt, VERSION};
use crate::bytes::{Cursor, Field, pad32};
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

/// Makes the struct and both directions of its encoding: the version byte, then the fields in the order given.
macro_rules! private {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type),* }

        impl Private for $name {
            fn encode(&self) -> Result<Vec<u8>, Malformed> {
                let mut out = vec![VERSION];
                $(self.$field.put(&mut out, stringify!($field))?;)*
                Ok(out)
            }

            fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
                let mut cursor = Cursor::new(bytes);
                cursor.version(concat!(stringify!($name), " version"), VERSION)?;
                let value = Self { $($field: Field::take(&mut cursor, stringify!($field))?),* };
                cursor.end(stringify!($name))?;
                Ok(value)
            }
        }
    };
}

private! {
    /// Beside `incarnation`: why the ledger goes on under a new name.
    RestoreNote {
        /// Who restored it.
        actor: String,
        /// Why.
        reason: String,
        /// The older ledger's origin.
        origin: String,
    }
}

private! {
    /// Beside `stream_open`: what the stream is of.
    StreamOpening {
        /// Session label, or `trace:` and the trace id in hexadecimal.
        label: String,
        /// How the label was found ([`crate::envelope::SessionRule`]).
        rule: u8,
        /// The producer as the collector knows it; `unauthenticated:<door>` without a credential.
        producer: String,
        /// How that is proven ([`crate::envelope::ProducerProof`]).
        proof: u8,
        /// The producer as the sender called itself in the stream's first record.
        claim: String,
    }
}

private! {
    /// Beside `session_link`: which session the stream belongs to, and what shows it.
    SessionLink {
        /// Session label.
        session: String,
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
        request: String,
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
        why: String,
        /// SHA-256 of the body as received.
        digest: Hash,
        /// Its length in bytes.
        size: u64,
        /// Who sent it, as far as known.
        peer: String,
    }
}

private! {
    /// Beside `erasure`: on whose word.
    Cause {
        /// Who asked.
        actor: String,
        /// Why.
        reason: String,
    }
}

private! {
    /// Beside `prune`: by which policy.
    PruneNote {
        /// Who ran it.
        actor: String,
        /// The policy, as text.
        policy: String,
    }
}

private! {
    /// Beside `anchor_receipt`: what the other side gave.
    Receipt {
        /// Who holds the checkpoint.
        holder: String,
        /// What it returned.
        receipt: Vec<u8>,
    }
}

private! {
    /// Beside `gap`: which numbers are missing.
    GapNote {
        /// The producer.
        producer: String,
        /// Its run.
        run: String,
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
        setting: String,
        /// Its value before; secrets never.
        from: String,
        /// Its value from now on.
        to: String,
        /// Where the new value comes from.
        origin: String,
    }
}

private! {
    /// Beside `conflict`: what contradicts what.
    ConflictNote {
        /// In words.
        what: String,
        /// SHA-256 of what was there first.
        first: Hash,
        /// SHA-256 of what came second.
        second: Hash,
    }
}
