//! What receipts and beacons in the ledger say of those outside, for `verify`.

use ledger::leaf::{ControlBody, ControlLeaf, Private as _, Receipt};
use ledger::reader::Reader;
use ledger::verify::{Finding, FindingKind, Place};
use serde_json::{Value, json};
use vocabulary::time::Timestamp;

use crate::anchor;
use crate::error::Error;

/// Leaves in which receipts are looked for, and how many at a time.
const LOOKED_AT: u64 = 65_536;
const PAGE: u64 = 4096;

/// How far the collector's clock may be behind those outside: ten minutes, in nanoseconds.
const CLOCKS_APART_NS: u64 = 600_000_000_000;

/// What receipts say: the newest of each holder, the one for the largest checkpoint first, and what contradicts a
/// leaf's own time. Leaves are as good as the report says.
#[derive(Default)]
pub(super) struct Outside {
    pub(super) anchored: Vec<Value>,
    pub(super) findings: Vec<Finding>,
}

impl Outside {
    /// Looks at receipts and beacons from the end; those before so many leaves are not told.
    pub(super) fn read(reader: &dyn Reader) -> Result<Self, Error> {
        let mut outside = Self::default();
        let mut to = reader.state()?.size;
        for _ in 0..LOOKED_AT / PAGE {
            let from = to.saturating_sub(PAGE);
            for stored in reader.control(from, to)?.iter().rev() {
                if let Ok(leaf) = ControlLeaf::decode(&stored.leaf) {
                    let private = stored.private.as_ref();
                    outside.leaf(&leaf, private.and_then(|it| Receipt::decode(&it.body).ok()));
                }
            }
            to = from;
            if to == 0 {
                break;
            }
        }
        outside
            .anchored
            .sort_by_key(|anchor| std::cmp::Reverse(anchor.get("size").and_then(Value::as_u64)));
        Ok(outside)
    }

    fn leaf(&mut self, leaf: &ControlLeaf, receipt: Option<Receipt>) {
        let at = Timestamp::from_unix_ns(leaf.unix_ns);
        let stated = match (&leaf.body, &receipt) {
            (ControlBody::Beacon { kind: 1, value }, _) => anchor::stated(5, value),
            (ControlBody::AnchorReceipt { kind, head, .. }, Some(receipt)) => {
                let holder = receipt.holder.as_str();
                let same =
                    |anchor: &Value| anchor.get("holder").and_then(Value::as_str) == Some(holder);
                if !self.anchored.iter().any(same) {
                    let one = json!({ "holder": holder, "size": head.size, "at": at.to_string() });
                    self.anchored.push(one);
                }
                anchor::stated(*kind, &receipt.receipt)
            }
            _ => None,
        };
        let stated_ns = stated.unwrap_or(0).saturating_mul(1_000_000_000);
        if stated_ns > leaf.unix_ns.saturating_add(CLOCKS_APART_NS) {
            let stated = Timestamp::from_unix_ns(stated_ns);
            self.findings.push(Finding {
                kind: FindingKind::Control,
                place: Place::Control { from: leaf.index, to: leaf.index + 1 },
                what: format!(
                    "the leaf says that it is of {at} and holds what somebody outside stamped at {stated}: \
                     the collector's clock was wrong, or the ledger was made afterwards"
                ),
            });
        }
    }
}
