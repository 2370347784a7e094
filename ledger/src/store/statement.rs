//! What the collector itself has to say in the ledger log, beside what exports bring.

use rusqlite::Connection;

use super::control::{ControlLog, WriteError};
use super::error::AppendError;
use crate::leaf::{ConfigChange, ConflictNote, ControlBody, Private, Receipt, StreamId, TreeHead};
use crate::tree::Hash;

/// One statement; it becomes one leaf of the ledger log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Statement {
    /// Someone outside holds a checkpoint: `anchor_receipt`.
    Anchored {
        /// The checkpoint's tree.
        head: TreeHead,
        /// 1 file, 2 git, 3 object store, 4 witness, 5 RFC 3161.
        kind: u8,
        /// Who, and what it returned.
        receipt: Receipt,
    },
    /// Something that could not be known earlier: `beacon`.
    Beacon {
        /// 1 RFC 3161 token, 2 Roughtime, 3 public beacon.
        kind: u8,
        /// The value, at most 65,535 bytes.
        value: Vec<u8>,
    },
    /// A setting is another than before: `config_change`.
    ConfigChanged {
        /// SHA-256 of the effective settings from now on.
        config: Hash,
        /// Which setting.
        change: ConfigChange,
    },
    /// Two things that cannot both be true were seen: `conflict`.
    Conflict {
        /// The `kind` byte of the leaf.
        kind: u8,
        /// The stream, or zeros.
        stream: StreamId,
        /// What contradicts what.
        note: ConflictNote,
    },
}

impl Statement {
    /// Refuses what is too long for its format.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        let fits = match self {
            Self::Anchored { receipt, .. } => receipt.encode().is_ok(),
            Self::Beacon { value, .. } => u16::try_from(value.len()).is_ok(),
            Self::ConfigChanged { change, .. } => change.encode().is_ok(),
            Self::Conflict { note, .. } => note.encode().is_ok(),
        };
        if fits {
            return Ok(());
        }
        Err(AppendError::Malformed {
            why: "a statement of the collector is too long for its leaf".to_owned(),
        })
    }

    /// Appends its leaf.
    pub(crate) fn append(
        self,
        connection: &Connection,
        log: &mut ControlLog,
    ) -> Result<u64, WriteError> {
        match self {
            Self::Anchored {
                head,
                kind,
                receipt,
            } => log.append_private(connection, &receipt, |commitment| {
                ControlBody::AnchorReceipt {
                    head,
                    kind,
                    commitment,
                }
            }),
            Self::Beacon { kind, value } => {
                log.append(connection, ControlBody::Beacon { kind, value })
            }
            Self::ConfigChanged { config, change } => {
                log.append_private(connection, &change, |commitment| {
                    ControlBody::ConfigChange { config, commitment }
                })
            }
            Self::Conflict { kind, stream, note } => {
                log.append_private(connection, &note, |commitment| ControlBody::Conflict {
                    kind,
                    stream,
                    commitment,
                })
            }
        }
    }
}
