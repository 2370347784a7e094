//! What a sender gets to keep: where its records are sealed, as one line of JSON.

use ledger::store::Receipt;
use ledger::verify::Extension;

/// Streams named in one receipt; an export with more says how many there were.
const NAMED_STREAMS: usize = 16;

/// `{"commit":7,"ledger_size":12,"ledger_root":"…","streams":[{"stream":"…","first":0,"count":3,"root":"…"}]}`,
/// with roots and ids in hexadecimal.
///
/// `seen`, for a sender that asked: that the ledger log goes on from what it had a receipt for.
pub(crate) fn json(receipt: &Receipt, seen: Option<&Extension>) -> String {
    let streams: Vec<_> = receipt
        .streams
        .iter()
        .take(NAMED_STREAMS)
        .map(|stream| {
            serde_json::json!({
                "stream": hex(&stream.stream.0),
                "first": stream.first,
                "count": stream.count,
                "root": hex(&stream.root),
            })
        })
        .collect();
    let mut json = serde_json::json!({
        "commit": receipt.commit,
        "ledger_size": receipt.ledger_size,
        "ledger_root": hex(&receipt.ledger_root),
        "streams": streams,
    });
    if let Some(object) = json.as_object_mut() {
        if let Some(seen) = seen {
            let proof: Vec<String> = seen.proof.iter().map(|hash| hex(hash)).collect();
            let seen =
                serde_json::json!({"size": seen.size, "root": hex(&seen.root), "proof": proof});
            object.insert("seen".into(), seen);
        }
        if receipt.streams.len() > NAMED_STREAMS {
            object.insert("streams_total".into(), receipt.streams.len().into());
        }
        if receipt.duplicates > 0 {
            object.insert("duplicates".into(), receipt.duplicates.into());
        }
        if receipt.conflicts > 0 {
            object.insert("conflicts".into(), receipt.conflicts.into());
        }
    }
    json.to_string()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}
