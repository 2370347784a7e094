//! The bytes of control leaves, kind by kind, as `docs/ledger-format.md` §6 lists them.
#![forbid(unsafe_code)]

use super::{ControlBody, ControlLeaf};
use crate::bytes::{Cursor, pad32, put_opaque8, put_opaque16};
use crate::leaf::{LedgerId, Malformed, TreeHead, VERSION, stream_id};

impl ControlBody {
    fn put(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match self {
            Self::Genesis {
                ledger,
                identity,
                origin,
                previous: (previous, head),
            } => {
                out.extend_from_slice(&ledger.0);
                out.extend_from_slice(identity);
                put_opaque16(out, origin.as_bytes(), "origin")?;
                out.extend_from_slice(&previous.0);
                put_head(out, head);
            }
            Self::Incarnation {
                previous,
                claimed,
                found,
                commitment,
            } => {
                out.extend_from_slice(&previous.0);
                put_head(out, claimed);
                put_head(out, found);
                out.extend_from_slice(commitment);
            }
            Self::StreamOpen {
                stream,
                nonce,
                commitment,
            } => {
                out.extend_from_slice(&stream.0);
                out.extend_from_slice(nonce);
                out.extend_from_slice(commitment);
            }
            Self::StreamHead {
                stream,
                head,
                prev_head_index,
            } => {
                out.extend_from_slice(&stream.0);
                put_head(out, head);
                out.extend_from_slice(&prev_head_index.to_be_bytes());
            }
            Self::StreamClose {
                stream,
                head,
                prev_head_index,
                reason,
                declared,
            } => {
                out.extend_from_slice(&stream.0);
                put_head(out, head);
                out.extend_from_slice(&prev_head_index.to_be_bytes());
                out.push(*reason);
                out.extend_from_slice(&declared.to_be_bytes());
            }
            Self::SessionLink { stream, commitment }
            | Self::RequestBinding { stream, commitment }
            | Self::Gap { stream, commitment } => {
                out.extend_from_slice(&stream.0);
                out.extend_from_slice(commitment);
            }
            Self::RefusedPayload { commitment } => out.extend_from_slice(commitment),
            Self::EpochSeal {
                epoch,
                head,
                next_key,
                view_root,
                signature,
            } => {
                out.extend_from_slice(&epoch.to_be_bytes());
                put_head(out, head);
                out.extend_from_slice(next_key);
                out.extend_from_slice(view_root);
                out.extend_from_slice(signature);
            }
            Self::Erasure {
                stream,
                first,
                count,
                reason,
                commitment,
            } => {
                out.extend_from_slice(&stream.0);
                out.extend_from_slice(&first.to_be_bytes());
                out.extend_from_slice(&count.to_be_bytes());
                out.push(*reason);
                out.extend_from_slice(commitment);
            }
            Self::Prune {
                stream,
                head,
                commitment,
            } => {
                out.extend_from_slice(&stream.0);
                put_head(out, head);
                out.extend_from_slice(commitment);
            }
            Self::AnchorReceipt {
                head,
                kind,
                commitment,
            } => {
                put_head(out, head);
                out.push(*kind);
                out.extend_from_slice(commitment);
            }
            Self::Beacon { kind, value } => {
                out.push(*kind);
                put_opaque16(out, value, "beacon value")?;
            }
            Self::Startup {
                clean,
                boot,
                instance,
                commit,
                boot_ns,
                config,
                version,
            } => {
                out.push(*clean);
                out.extend_from_slice(boot);
                out.extend_from_slice(instance);
                out.extend_from_slice(&commit.to_be_bytes());
                out.extend_from_slice(&boot_ns.to_be_bytes());
                out.extend_from_slice(config);
                put_opaque8(out, version.as_bytes(), "collector version")?;
            }
            Self::Shutdown {
                instance,
                commit,
                reason,
            } => {
                out.extend_from_slice(instance);
                out.extend_from_slice(&commit.to_be_bytes());
                out.push(*reason);
            }
            Self::ConfigChange { config, commitment } => {
                out.extend_from_slice(config);
                out.extend_from_slice(commitment);
            }
            Self::Heartbeat {
                instance,
                boot_ns,
                commit,
                records,
            } => {
                out.extend_from_slice(instance);
                out.extend_from_slice(&boot_ns.to_be_bytes());
                out.extend_from_slice(&commit.to_be_bytes());
                out.extend_from_slice(&records.to_be_bytes());
            }
            Self::ClockStep {
                expected_unix_ns,
                found_unix_ns,
                boot_ns,
            } => {
                out.extend_from_slice(&expected_unix_ns.to_be_bytes());
                out.extend_from_slice(&found_unix_ns.to_be_bytes());
                out.extend_from_slice(&boot_ns.to_be_bytes());
            }
            Self::Conflict {
                kind,
                stream,
                commitment,
            } => {
                out.push(*kind);
                out.extend_from_slice(&stream.0);
                out.extend_from_slice(commitment);
            }
        }
        Ok(())
    }

    fn take(kind: u8, c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Ok(match kind {
            1 => Self::Genesis {
                ledger: LedgerId(c.array("ledger_id")?),
                identity: c.array("identity key")?,
                origin: c.text16("origin")?.to_owned(),
                previous: (LedgerId(c.array("previous ledger_id")?), take_head(c)?),
            },
            2 => Self::Incarnation {
                previous: LedgerId(c.array("previous ledger_id")?),
                claimed: take_head(c)?,
                found: take_head(c)?,
                commitment: c.array("commitment")?,
            },
            3 => Self::StreamOpen {
                stream: stream_id(c)?,
                nonce: c.array("nonce")?,
                commitment: c.array("commitment")?,
            },
            4 => Self::StreamHead {
                stream: stream_id(c)?,
                head: take_head(c)?,
                prev_head_index: c.u64("prev_head_index")?,
            },
            5 => Self::StreamClose {
                stream: stream_id(c)?,
                head: take_head(c)?,
                prev_head_index: c.u64("prev_head_index")?,
                reason: c.u8("reason")?,
                declared: c.u64("declared")?,
            },
            6 => Self::SessionLink {
                stream: stream_id(c)?,
                commitment: c.array("commitment")?,
            },
            7 => Self::RequestBinding {
                stream: stream_id(c)?,
                commitment: c.array("commitment")?,
            },
            8 => Self::RefusedPayload {
                commitment: c.array("commitment")?,
            },
            9 => Self::EpochSeal {
                epoch: c.u64("epoch")?,
                head: take_head(c)?,
                next_key: c.array("next key")?,
                view_root: c.array("view_root")?,
                signature: c.array("signature")?,
            },
            10 => Self::Erasure {
                stream: stream_id(c)?,
                first: c.u64("first")?,
                count: c.u64("count")?,
                reason: c.u8("reason")?,
                commitment: c.array("commitment")?,
            },
            11 => Self::Prune {
                stream: stream_id(c)?,
                head: take_head(c)?,
                commitment: c.array("commitment")?,
            },
            12 => Self::AnchorReceipt {
                head: take_head(c)?,
                kind: c.u8("anchor kind")?,
                commitment: c.array("commitment")?,
            },
            13 => Self::Beacon {
                kind: c.u8("beacon kind")?,
                value: c.opaque16("beacon value")?.to_vec(),
            },
            14 => Self::Startup {
                clean: c.u8("clean")?,
                boot: c.array("boot id")?,
                instance: c.array("instance")?,
                commit: c.u64("commit")?,
                boot_ns: c.u64("boot_ns")?,
                config: c.array("config digest")?,
                version: c.text8("collector version")?.to_owned(),
            },
            15 => Self::Shutdown {
                instance: c.array("instance")?,
                commit: c.u64("commit")?,
                reason: c.u8("reason")?,
            },
            16 => Self::Gap {
                stream: stream_id(c)?,
                commitment: c.array("commitment")?,
            },
            17 => Self::ConfigChange {
                config: c.array("config digest")?,
                commitment: c.array("commitment")?,
            },
            18 => Self::Heartbeat {
                instance: c.array("instance")?,
                boot_ns: c.u64("boot_ns")?,
                commit: c.u64("commit")?,
                records: c.u64("records")?,
            },
            19 => Self::ClockStep {
                expected_unix_ns: c.u64("expected_unix_ns")?,
                found_unix_ns: c.u64("found_unix_ns")?,
                boot_ns: c.u64("boot_ns")?,
            },
            20 => Self::Conflict {
                kind: c.u8("conflict kind")?,
                stream: stream_id(c)?,
                commitment: c.array("commitment")?,
            },
            other => {
                return Err(Malformed::Value {
                    field: "control leaf kind",
                    value: u64::from(other),
                });
            }
        })
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

fn put_head(out: &mut Vec<u8>, head: &TreeHead) {
    out.extend_from_slice(&head.size.to_be_bytes());
    out.extend_from_slice(&head.root);
}

fn take_head(cursor: &mut Cursor<'_>) -> Result<TreeHead, Malformed> {
    Ok(TreeHead {
        size: cursor.u64("size")?,
        root: cursor.array("root")?,
    })
}
