//! The leaves of the ledger log: every statement a collector can make, those of later releases included.
#![forbid(unsafe_code)]

use super::{LedgerId, Malformed, ShortText, StreamId, TreeHead, VERSION};
use crate::bytes::{Cursor, Field, pad32};
use crate::tree::Hash;

/// `prev_head_index` of a stream's first head.
pub const NO_HEAD: u64 = u64::MAX;

/// In place of a count that the producer did not declare.
pub const NOT_DECLARED: u64 = u64::MAX;

/// The previous ledger of one that continues nothing: all zeros.
pub const NO_INCARNATION: (LedgerId, TreeHead) = (
    LedgerId([0; 32]),
    TreeHead {
        size: 0,
        root: [0; 32],
    },
);

/// One leaf of the ledger log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlLeaf {
    /// Position in the ledger log, from 0.
    pub index: u64,
    /// When the collector wrote it: Unix time in nanoseconds.
    pub unix_ns: u64,
    /// What it states.
    pub body: ControlBody,
}

/// Makes the enum, its kind bytes and names, and both directions of its encoding out of one table: a leaf's body is its
/// fields in the order given.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:literal $word:literal $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    })*) => {
        /// What a control leaf states. A `commitment` hides a private part that lies beside the leaf
        /// ([`super::Private`]).
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum ControlBody { $($(#[$doc])* $name { $($(#[$field_doc])* $field: $type,)* },)* }

        impl ControlBody {
            /// The kind byte.
            #[must_use]
            pub fn kind(&self) -> u8 {
                match self { $(Self::$name { .. } => $kind,)* }
            }

            /// What the kind is called in `docs/ledger-format.md`.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name { .. } => $word,)* }
            }

            fn put(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
                match self {
                    $(Self::$name { $($field),* } => { $($field.put(out, stringify!($field))?;)* })*
                }
                Ok(())
            }

            fn take(kind: u8, cursor: &mut Cursor<'_>) -> Result<Self, Malformed> {
                Ok(match kind {
                    $($kind => Self::$name { $($field: Field::take(cursor, stringify!($field))?),* },)*
                    other => {
                        return Err(Malformed::Value {
                            field: "control leaf kind",
                            value: u64::from(other),
                        });
                    }
                })
            }
        }
    };
}

kinds! {
    /// Leaf 0 of every ledger.
    1 "genesis" Genesis {
        /// The ledger's name.
        ledger: LedgerId,
        /// Ed25519 public key that signs its checkpoints.
        identity: [u8; 32],
        /// First line of its checkpoints and name of its key.
        origin: String,
        /// The ledger that this one continues, or [`NO_INCARNATION`].
        previous: (LedgerId, TreeHead),
    }
    /// Leaf 1 of a ledger that continues another: what was claimed of the old one and what was found.
    2 "incarnation" Incarnation {
        /// The older ledger.
        previous: LedgerId,
        /// The last that it is known to have signed or acknowledged.
        claimed: TreeHead,
        /// What was left of it.
        found: TreeHead,
        /// Hides a [`super::RestoreNote`].
        commitment: Hash,
    }
    /// A stream begins.
    3 "stream_open" StreamOpen {
        /// The stream.
        stream: StreamId,
        /// What its name is derived from.
        nonce: [u8; 16],
        /// Hides a [`super::StreamOpening`].
        commitment: Hash,
    }
    /// A stream's size and root.
    4 "stream_head" StreamHead {
        /// The stream.
        stream: StreamId,
        /// Its records so far.
        head: TreeHead,
        /// Ledger index of the stream's previous head or close, or [`NO_HEAD`].
        prev_head_index: u64,
    }
    /// A stream's size and root when its session ended. Later records are accepted and flagged late.
    5 "stream_close" StreamClose {
        /// The stream.
        stream: StreamId,
        /// Its records so far.
        head: TreeHead,
        /// Ledger index of the stream's previous head or close, or [`NO_HEAD`].
        prev_head_index: u64,
        /// 1 the session's end was received, 2 the collector gave up waiting for it.
        reason: u8,
        /// How many records the producer said it sent, or [`NOT_DECLARED`].
        declared: u64,
    }
    /// A stream belongs to a session.
    6 "session_link" SessionLink {
        /// The stream.
        stream: StreamId,
        /// Hides a [`super::SessionLink`].
        commitment: Hash,
    }
    /// A stream belongs to a request.
    7 "request_binding" RequestBinding {
        /// The stream.
        stream: StreamId,
        /// Hides a [`super::RequestBinding`].
        commitment: Hash,
    }
    /// Something was sent that could not be kept.
    8 "refused_payload" RefusedPayload {
        /// Hides a [`super::RefusedPayload`].
        commitment: Hash,
    }
    /// The end of a signing epoch.
    9 "epoch_seal" EpochSeal {
        /// Number of the epoch that ends, from 0.
        epoch: u64,
        /// The ledger log before this leaf.
        head: TreeHead,
        /// Ed25519 public key of the next epoch.
        next_key: [u8; 32],
        /// Root of a verifiable index; zeros until there is one.
        view_root: Hash,
        /// The ending epoch's Ed25519 signature (`docs/ledger-format.md`).
        signature: [u8; 64],
    }
    /// Payloads were erased; their leaves stay.
    10 "erasure" Erasure {
        /// The stream.
        stream: StreamId,
        /// First erased record.
        first: u64,
        /// How many.
        count: u64,
        /// 1 asked for by a person concerned, 2 secret found, 3 other.
        reason: u8,
        /// Hides a [`super::Cause`].
        commitment: Hash,
    }
    /// A stream's leaves and payloads were removed by a retention policy.
    11 "prune" Prune {
        /// The stream.
        stream: StreamId,
        /// What the stream was.
        head: TreeHead,
        /// Hides a [`super::PruneNote`].
        commitment: Hash,
    }
    /// Someone outside holds a checkpoint.
    12 "anchor_receipt" AnchorReceipt {
        /// The checkpoint's tree.
        head: TreeHead,
        /// 1 file, 2 git, 3 object store, 4 witness, 5 RFC 3161.
        kind: u8,
        /// Hides a [`super::Receipt`].
        commitment: Hash,
    }
    /// Something that could not be known earlier: what follows is younger.
    13 "beacon" Beacon {
        /// 1 RFC 3161 token, 2 Roughtime, 3 public beacon.
        kind: u8,
        /// The value, at most 65,535 bytes.
        value: Vec<u8>,
    }
    /// The collector started.
    14 "startup" Startup {
        /// 0 no shutdown leaf was left, 1 it was, 2 first start.
        clean: u8,
        /// Names the host's boot.
        boot: [u8; 16],
        /// Names this run of the collector.
        instance: [u8; 16],
        /// Commit number found.
        commit: u64,
        /// Time since boot in nanoseconds.
        boot_ns: u64,
        /// SHA-256 of the effective settings.
        config: Hash,
        /// The collector's version.
        version: ShortText,
    }
    /// The collector stopped in order.
    15 "shutdown" Shutdown {
        /// The run that ends.
        instance: [u8; 16],
        /// Last commit number before this leaf.
        commit: u64,
        /// 1 signal, 2 asked by a command, 3 a failure it survived long enough to say.
        reason: u8,
    }
    /// Records that a producer numbered never arrived.
    16 "gap" Gap {
        /// The stream.
        stream: StreamId,
        /// Hides a [`super::GapNote`].
        commitment: Hash,
    }
    /// A setting changed while running or since the last start.
    17 "config_change" ConfigChange {
        /// SHA-256 of the effective settings from now on.
        config: Hash,
        /// Hides a [`super::ConfigChange`].
        commitment: Hash,
    }
    /// The collector is alive.
    18 "heartbeat" Heartbeat {
        /// Its run.
        instance: [u8; 16],
        /// Time since boot in nanoseconds.
        boot_ns: u64,
        /// Last commit number.
        commit: u64,
        /// Records in all streams, and how the disk stands ([`ControlBody::heartbeat_counts`]).
        records: u64,
    }
    /// Wall clock and time since boot went apart.
    19 "clock_step" ClockStep {
        /// Wall clock expected from the time since boot: Unix nanoseconds.
        expected_unix_ns: u64,
        /// Wall clock found.
        found_unix_ns: u64,
        /// Time since boot in nanoseconds.
        boot_ns: u64,
    }
    /// Two things that cannot both be true were seen.
    20 "conflict" Conflict {
        /// 1 same sequence number with other bytes, 2 same-size heads with other roots, 3 a foreign
        /// producer named a session, 4 other.
        kind: u8,
        /// The stream, or zeros.
        stream: StreamId,
        /// Hides a [`super::ConflictNote`].
        commitment: Hash,
    }
}

/// Bits of a heartbeat's `records` that count.
const COUNTED_BITS: u32 = 62;

impl ControlBody {
    /// `records` of a heartbeat: the count, and in the two highest bits how the disk stands: 0 there is room, 1 it is
    /// time to make room, 2 no new session is taken, 3 nothing is taken.
    #[must_use]
    pub fn heartbeat_records(count: u64, disk: u8) -> u64 {
        count & ((1 << COUNTED_BITS) - 1) | u64::from(disk & 3) << COUNTED_BITS
    }

    /// The count and the disk's stage of a heartbeat's `records`.
    #[must_use]
    pub fn heartbeat_counts(records: u64) -> (u64, u8) {
        (
            records & ((1 << COUNTED_BITS) - 1),
            (records >> COUNTED_BITS) as u8,
        )
    }

    /// What the private part beside the leaf must open, if the kind has one.
    #[must_use]
    pub fn commitment(&self) -> Option<&Hash> {
        match self {
            Self::Incarnation { commitment, .. }
            | Self::StreamOpen { commitment, .. }
            | Self::SessionLink { commitment, .. }
            | Self::RequestBinding { commitment, .. }
            | Self::RefusedPayload { commitment }
            | Self::Erasure { commitment, .. }
            | Self::Prune { commitment, .. }
            | Self::AnchorReceipt { commitment, .. }
            | Self::Gap { commitment, .. }
            | Self::ConfigChange { commitment, .. }
            | Self::Conflict { commitment, .. } => Some(commitment),
            _ => None,
        }
    }

    /// The stream that the leaf speaks of, if it speaks of one.
    #[must_use]
    pub fn stream(&self) -> Option<&StreamId> {
        match self {
            Self::StreamOpen { stream, .. }
            | Self::StreamHead { stream, .. }
            | Self::StreamClose { stream, .. }
            | Self::SessionLink { stream, .. }
            | Self::RequestBinding { stream, .. }
            | Self::Erasure { stream, .. }
            | Self::Prune { stream, .. }
            | Self::Gap { stream, .. } => Some(stream),
            Self::Conflict { stream, .. } if stream.0 != [0; 32] => Some(stream),
            _ => None,
        }
    }
}

impl ControlLeaf {
    /// The leaf's bytes.
    ///
    /// # Errors
    /// Text that is too long for its length prefix.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = Vec::with_capacity(192);
        out.extend_from_slice(&[VERSION, self.body.kind()]);
        out.extend_from_slice(&self.index.to_be_bytes());
        out.extend_from_slice(&self.unix_ns.to_be_bytes());
        self.body.put(&mut out)?;
        Ok(out)
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// Another version, an unknown kind, a body of another length.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        cursor.version("control leaf version", VERSION)?;
        let kind = cursor.u8("control leaf kind")?;
        let index = cursor.u64("index")?;
        let unix_ns = cursor.u64("unix_ns")?;
        let body = ControlBody::take(kind, &mut cursor)?;
        cursor.end("control leaf")?;
        Ok(Self {
            index,
            unix_ns,
            body,
        })
    }
}

/// What the signature of an epoch seal covers: a tag, the ledger's name, and the leaf up to the signature.
/// `None` for a leaf of another kind.
///
/// # Errors
/// None that an epoch seal can cause.
pub fn epoch_message(ledger: &LedgerId, leaf: &ControlLeaf) -> Result<Option<Vec<u8>>, Malformed> {
    if !matches!(leaf.body, ControlBody::EpochSeal { .. }) {
        return Ok(None);
    }
    let mut message = pad32("recount/epoch/v1").to_vec();
    message.extend_from_slice(&ledger.0);
    message.extend_from_slice(&leaf.encode()?);
    message.truncate(message.len() - 64);
    Ok(Some(message))
}
