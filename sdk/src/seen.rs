//! What this agent has seen of a collector's ledger, so that it notices one that was rolled back or rewritten.
//!
//! Each receipt tells size and root of the ledger log. The last ones are kept
//! in a file beside the spool, one per collector's address, across runs. On
//! the first export of a run, after each failure and now and then between, the
//! collector is asked to prove that its log goes on from there. One that does
//! not is given nothing more: its acknowledgements are worth nothing.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ledger::tree::{Hash, verify_consistency};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// A proof is asked for at least after so many exports, and after so long.
const EXPORTS: u32 = 64;
const PERIOD: Duration = Duration::from_secs(10);

/// Size and root of a ledger log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    size: u64,
    root: Hash,
}

#[derive(Debug)]
pub(crate) struct Seen {
    file: PathBuf,
    last: Option<Head>,
    /// Exports since the last proof; `None` when there was none since the last failure.
    since: Option<(u32, Instant)>,
}

impl Seen {
    pub(crate) fn new(folder: &Path, endpoint: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(endpoint.trim_end_matches('/')).into();
        let file = folder.join(format!("seen-{}", &hex(&digest)[..16]));
        let last = std::fs::read_to_string(&file)
            .ok()
            .and_then(|text| parse(&text));
        Self {
            file,
            last,
            since: None,
        }
    }

    /// The size from which the next receipt has to prove that the log goes on, if it has to.
    pub(crate) fn asks(&self) -> Option<u64> {
        let due = self
            .since
            .is_none_or(|(exports, at)| exports >= EXPORTS || at.elapsed() >= PERIOD);
        self.last.filter(|_| due).map(|head| head.size)
    }

    /// An export failed: whoever answers next may be another.
    pub(crate) fn interrupted(&mut self) {
        self.since = None;
    }

    /// Takes a receipt. The error says why its sender must not be believed.
    pub(crate) fn take(&mut self, asked: Option<u64>, receipt: Option<&str>) -> Result<(), String> {
        let receipt: Json = receipt
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        if let (Some(_), Some(last)) = (asked, self.last) {
            let head = proven(last, &receipt["seen"]).map_err(|why| self.refusal(last, &why))?;
            self.last = Some(head);
            self.since = Some((0, Instant::now()));
        }
        let told = head(&receipt, "ledger_size", "ledger_root");
        if let Some(told) = told.filter(|told| self.last.is_none_or(|last| told.size > last.size)) {
            self.since.get_or_insert_with(|| (0, Instant::now()));
            self.last = Some(told);
        }
        if let Some((exports, _)) = &mut self.since {
            *exports += 1;
        }
        self.keep();
        Ok(())
    }

    /// Not kept is no error: the next run then begins from an older head, or from none.
    fn keep(&self) {
        if let Some(Head { size, root }) = &self.last {
            let _ = std::fs::write(&self.file, format!("{size} {}\n", hex(root)));
        }
    }

    fn refusal(&self, last: Head, why: &str) -> String {
        format!(
            "the collector does not prove that its ledger goes on from the {} leaves that it gave receipts for ({why}): \
             it gets no records; if it was replaced on purpose, delete {}",
            last.size,
            self.file.display()
        )
    }
}

/// The later head, if the receipt proves that it goes on from `last`.
fn proven(last: Head, seen: &Json) -> Result<Head, String> {
    if seen.is_null() {
        return Err("no proof".to_owned());
    }
    let later = head(seen, "size", "root").ok_or("a malformed proof")?;
    let proof = seen["proof"].as_array().ok_or("a malformed proof")?;
    let proof: Option<Vec<Hash>> = proof.iter().map(|one| unhex(one.as_str()?)).collect();
    let proof = proof.ok_or("a malformed proof")?;
    verify_consistency(last.size, &last.root, later.size, &later.root, &proof)
        .map_err(|error| error.to_string())?;
    Ok(later)
}

fn head(json: &Json, size: &str, root: &str) -> Option<Head> {
    Some(Head {
        size: json[size].as_u64().filter(|size| *size > 0)?,
        root: unhex(json[root].as_str()?)?,
    })
}

fn parse(text: &str) -> Option<Head> {
    let (size, root) = text.trim_end().split_once(' ')?;
    Some(Head {
        size: size.parse().ok().filter(|size| *size > 0)?,
        root: unhex(root)?,
    })
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use ledger::tree::{consistency, hash_leaf, root_of};
    use serde_json::json;

    use super::*;

    /// The log of so many leaves; `other` makes it another one from the fifth on.
    fn log(size: u64, other: bool) -> Vec<Hash> {
        let leaf = |n: u64| hash_leaf(&[n as u8, u8::from(other && n > 4)]);
        (0..size).map(leaf).collect()
    }

    fn receipt(log: &[Hash], asked: Option<u64>) -> String {
        let mut nodes = log;
        let size = log.len() as u64;
        let root = hex(&root_of(&mut nodes, size).unwrap());
        let mut receipt = json!({"ledger_size": size, "ledger_root": root});
        if let Some(old) = asked {
            let proof: Vec<String> = consistency(&mut nodes, old, size)
                .unwrap()
                .iter()
                .map(hex)
                .collect();
            receipt["seen"] = json!({"size": size, "root": root, "proof": proof});
        }
        receipt.to_string()
    }

    #[test]
    fn a_log_that_goes_on_is_believed_across_runs() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Seen::new(folder.path(), "http://127.0.0.1:4318/");
        let mut seen = open();
        assert_eq!(seen.asks(), None);
        seen.take(None, Some(&receipt(&log(7, false), None)))
            .unwrap();
        assert_eq!(seen.asks(), None, "it is the same collector");
        seen.interrupted();
        assert_eq!(seen.asks(), Some(7));
        let mut seen = open();
        assert_eq!(seen.asks(), Some(7));
        seen.take(Some(7), Some(&receipt(&log(12, false), Some(7))))
            .unwrap();
        assert_eq!(seen.asks(), None);
        assert_eq!(open().asks(), Some(12));
        let elsewhere = Seen::new(folder.path(), "http://127.0.0.1:4319");
        assert_eq!(elsewhere.asks(), None);
    }

    #[test]
    fn a_log_that_was_cut_rewritten_or_is_not_shown_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::new(folder.path(), "http://127.0.0.1:4318");
        seen.take(None, Some(&receipt(&log(7, false), None)))
            .unwrap();
        seen.interrupted();
        let shorter = receipt(&log(6, false), Some(7));
        let rewritten = receipt(&log(12, true), Some(7));
        let other_root = receipt(&log(7, true), Some(7));
        let unproven = receipt(&log(12, false), None);
        for wrong in [
            Some(shorter.as_str()),
            Some(&rewritten),
            Some(&other_root),
            Some(&unproven),
            Some("{\"seen\":{\"size\":12}}"),
            Some("nonsense"),
            None,
        ] {
            let error = seen.take(Some(7), wrong).unwrap_err();
            assert!(
                error.contains("7 leaves") && error.contains("delete "),
                "{error}"
            );
            assert_eq!(seen.asks(), Some(7), "{wrong:?}");
        }
    }

    #[test]
    fn a_proof_is_asked_for_now_and_then_without_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let mut seen = Seen::new(folder.path(), "http://127.0.0.1:4318");
        for size in 1..=u64::from(EXPORTS) {
            assert_eq!(seen.asks(), None);
            seen.take(None, Some(&receipt(&log(size, false), None)))
                .unwrap();
        }
        assert_eq!(seen.asks(), Some(u64::from(EXPORTS)));
    }
}
