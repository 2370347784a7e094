//! Random ledgers, and bundles of some of their streams.

use ledger::bundle::{Bundle, BundleError, Gathered, Verdict, check};
use ledger::checkpoint::Checkpoint;
use ledger::cosignature::Cosigner;
use ledger::leaf::{
    Cause, ConfigChange, ControlBody, GapNote, Receipt, RequestBinding, SessionLink, StreamId,
};
use ledger::note::VerifierKey;
use ledger::verify::Trusted;

use super::author::Author;
use super::memory::{Memory, item};
use super::random::Random;

/// A ledger, what was exported of it, and a checkpoint that was kept from before.
pub(crate) struct World {
    pub(crate) memory: Memory,
    pub(crate) bundle: Vec<u8>,
    pub(crate) known: Vec<u8>,
    /// Whether a producer of it may have chained or signed wrongly.
    pub(crate) honest: bool,
}

impl World {
    pub(crate) fn key(&self) -> VerifierKey {
        self.memory.key().verifier()
    }

    /// A ledger with everything that a collector writes, more of it with a larger number.
    pub(crate) fn random(random: &mut Random) -> Self {
        // Some have one name and two keys, some one key and two names.
        let number = random.below(4) as u8;
        let mut memory = Memory::named([7 + number / 2; 32], [42 + number % 3; 32]);
        let most = [1, 4, 20, 120, 600][random.at(5)];
        let count = 1 + random.below(4);
        for number in 0..count {
            memory.open(
                &format!("session-{}", number / 2),
                &format!("{}", 47_892 + number),
            );
        }
        let mut known = Vec::new();
        let early = random.below(12);
        let mut authors: Vec<Author> = (0..random.below(4))
            .map(|_| Author::random(random))
            .collect();
        let honest = authors.is_empty();
        for step in 0..(4 + random.below(20)) {
            let at = random.at(memory.streams.len());
            if !authors.is_empty() && random.once_in(2) {
                let author = random.at(authors.len());
                authors[author].write(&mut memory, random, at);
            } else {
                act(&mut memory, random, at, most);
            }
            if step == early {
                known = memory.sign();
            }
        }
        if !random.once_in(6) {
            for at in 0..memory.streams.len() {
                memory.head(at, random.once_in(2));
            }
        }
        memory.sign();
        if random.once_in(8) {
            // Beyond the checkpoint and beyond the newest head.
            let at = random.at(memory.streams.len());
            memory.record(at, &item(0));
            memory.head(at, false);
        }
        let mut wanted: Vec<StreamId> = memory.streams.iter().map(|it| it.hint.stream).collect();
        while wanted.len() > 1 && random.once_in(2) {
            wanted.remove(random.at(wanted.len()));
        }
        let reach = random.below(memory.control.len() as u64 + 2);
        let evidence =
            Gathered::gather(&memory, &wanted, &[reach], random.once_in(5)).expect("a bundle");
        let account = random.once_in(3).then_some(&b"{}"[..]);
        let bundle = evidence.pack("0.1.0", "47892", account).expect("a bundle");
        Self {
            memory,
            bundle,
            known,
            honest,
        }
    }
}

fn act(memory: &mut Memory, random: &mut Random, at: usize, most: u64) {
    let stream = memory.streams[at].hint.stream;
    match random.below(14) {
        0..=4 => {
            for i in 0..random.below(most + 1) {
                memory.record(at, &item(i));
            }
        }
        5 => {
            memory.head(at, false);
        }
        6 => {
            memory.head(at, true);
        }
        7 => {
            let session = format!("other-{}", random.below(3));
            let (rule, evidence) = (2, 0);
            let link = SessionLink {
                session,
                rule,
                evidence,
            };
            memory.seal(&link, |commitment| ControlBody::SessionLink {
                stream,
                commitment,
            });
        }
        8 => {
            let request = format!("PAY-{}", random.below(3));
            let (rule, evidence) = (1, 0);
            let binding = RequestBinding {
                request,
                rule,
                evidence,
            };
            memory.seal(&binding, |commitment| ControlBody::RequestBinding {
                stream,
                commitment,
            });
        }
        9 => erase(memory, random, at),
        10 if random.once_in(3) => {
            let (producer, run) = ("p".to_owned(), "r".to_owned());
            let note = GapNote {
                producer,
                run,
                first: 3,
                last: 4,
                why: 1,
            };
            memory.seal(&note, |commitment| ControlBody::Gap { stream, commitment });
        }
        10 => {
            let text = |it: &str| it.to_owned();
            let change = ConfigChange {
                setting: text("epoch"),
                from: text("15m"),
                to: text("1m"),
                origin: text("a flag"),
            };
            let config = [3; 32];
            memory.seal(&change, |commitment| ControlBody::ConfigChange {
                config,
                commitment,
            });
        }
        11 => {
            memory.seal_epoch();
        }
        12 => {
            let head = memory.root();
            let origin = memory.origin.clone();
            let witness = Cosigner::new("witness.test/w", &[5; 32]).expect("a key");
            let text = Checkpoint { origin, head }.text();
            let receipt = Receipt {
                holder: witness.key().to_string(),
                receipt: witness.cosign(&text, 1_780_000_000).into_bytes(),
            };
            memory.seal(&receipt, |commitment| ControlBody::AnchorReceipt {
                head,
                kind: 4,
                commitment,
            });
        }
        _ => {
            let head = memory.root();
            let kind = 1 + random.below(3) as u8;
            let (holder, receipt) = ("file:/anchor".to_owned(), b"offset 0\n".to_vec());
            let receipt = Receipt { holder, receipt };
            memory.seal(&receipt, |commitment| ControlBody::AnchorReceipt {
                head,
                kind,
                commitment,
            });
        }
    }
}

fn erase(memory: &mut Memory, random: &mut Random, at: usize) {
    let (stream, len) = (
        memory.streams[at].hint.stream,
        memory.streams[at].records.len() as u64,
    );
    if len == 0 {
        return;
    }
    let first = random.below(len);
    let count = 1 + random.below((len - first).min(9));
    let (actor, reason) = ("ops".to_owned(), "asked for".to_owned());
    let cause = Cause { actor, reason };
    memory.seal(&cause, |commitment| ControlBody::Erasure {
        stream,
        first,
        count,
        reason: 1,
        commitment,
    });
    for record in memory.streams[at].records.iter_mut().skip(first as usize) {
        if record.index < first + count {
            record.body = None;
        }
    }
    if random.once_in(3) {
        let index = memory.streams[at].hint.open_index.expect("it is open");
        memory.control[index as usize].private = None;
    }
}

/// The exit code of the Rust verifier, and why.
pub(crate) fn verdict(bundle: &[u8], known: &[u8], key: Option<&VerifierKey>) -> (u8, String) {
    let trusted = key.map_or(Trusted::FirstSeen, |key| Trusted::Pinned(key.clone()));
    let opened = match Bundle::open("it", bundle.to_vec()) {
        Ok(opened) => opened,
        Err(error @ BundleError::NotABundle { .. }) => return (2, error.to_string()),
        Err(error @ BundleError::Damaged { .. }) => return (3, error.to_string()),
    };
    let known = Some(known).filter(|known| !known.is_empty());
    match check(&opened, &trusted, known) {
        Ok(report) => {
            let why = report.findings.first();
            let why = why.map(|it| format!("{}: {}", it.place, it.what));
            let mut watch = account::Watch::default();
            watch.streams(&report.streams);
            let marks = watch.finish();
            let why = why.or_else(|| marks.broken.first().cloned());
            let code = match report.verdict() {
                _ if !marks.broken.is_empty() => 3,
                Verdict::Intact => 0,
                Verdict::Incomplete => 6,
                Verdict::Broken => 3,
            };
            (code, why.unwrap_or_default())
        }
        Err(error) => (255, error.to_string()),
    }
}
