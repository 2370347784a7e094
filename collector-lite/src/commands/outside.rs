//! Who outside took which checkpoint last, as receipts in the ledger say, for `verify`.

use ledger::leaf::{ControlBody, ControlLeaf, Private as _, Receipt};
use ledger::reader::Reader;
use serde_json::{Value, json};
use vocabulary::time::Timestamp;

use crate::error::Error;

/// Leaves in which receipts are looked for, and how many at a time.
const LOOKED_AT: u64 = 65_536;
const PAGE: u64 = 4096;

/// The newest receipt of each holder, the one for the largest checkpoint first; those before so many leaves are not
/// told. Leaves are as good as the report says.
pub(super) fn anchored(reader: &dyn Reader) -> Result<Vec<Value>, Error> {
    let mut anchored: Vec<Value> = Vec::new();
    let mut to = reader.state()?.size;
    for _ in 0..LOOKED_AT / PAGE {
        let from = to.saturating_sub(PAGE);
        for stored in reader.control(from, to)?.iter().rev() {
            let private = stored.private.as_ref();
            let receipt = private.and_then(|it| Receipt::decode(&it.body).ok());
            if let (Ok(leaf), Some(receipt)) = (ControlLeaf::decode(&stored.leaf), receipt) {
                add(&mut anchored, &leaf, &receipt);
            }
        }
        to = from;
        if to == 0 {
            break;
        }
    }
    anchored.sort_by_key(|anchor| std::cmp::Reverse(anchor.get("size").and_then(Value::as_u64)));
    Ok(anchored)
}

fn add(anchored: &mut Vec<Value>, leaf: &ControlLeaf, receipt: &Receipt) {
    let ControlBody::AnchorReceipt { head, .. } = &leaf.body else {
        return;
    };
    let holder = receipt.holder.as_str();
    let same = |anchor: &Value| anchor.get("holder").and_then(Value::as_str) == Some(holder);
    if !anchored.iter().any(same) {
        let at = Timestamp::from_unix_ns(leaf.unix_ns);
        let one = json!({ "holder": holder, "size": head.size, "at": at.to_string() });
        anchored.push(one);
    }
}
