//! A producer that numbers, chains and signs what it writes, and one that does all of it wrongly.

use ledger::envelope::{Encoding, Mask, Part};
use ledger::producer::{AgentKey, Signed, link};
use sha2::{Digest, Sha256};

use super::memory::Memory;
use super::random::Random;

/// One run of a producer.
#[derive(Debug)]
pub(crate) struct Author {
    key: AgentKey,
    producer: [u8; 16],
    run: [u8; 16],
    next: u64,
    last: [u8; 32],
    /// The last record of each stream: number and link.
    written: Vec<(usize, u64, [u8; 32])>,
}

/// What goes wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// Its link follows from nothing.
    Link,
    /// Its signature is another one's.
    Signature,
    /// Its signature has another length.
    Short,
    /// It has no key beside its signature.
    Keyless,
    /// A byte of it is another one, chain and signature left as they were.
    Byte,
}

impl Author {
    pub(crate) fn random(random: &mut Random) -> Self {
        let seed = [random.below(3) as u8; 32];
        Self {
            key: AgentKey::new(&seed),
            producer: [7; 16],
            run: [random.below(250) as u8; 16],
            next: 0,
            last: [0; 32],
            written: Vec::new(),
        }
    }

    /// Writes some records to a stream and signs them, sometimes.
    pub(crate) fn write(&mut self, memory: &mut Memory, random: &mut Random, at: usize) {
        for _ in 0..1 + random.below(6) {
            let wrong = match random.below(150) {
                0 => Wrong::Link,
                1 => Wrong::Byte,
                _ => Wrong::Nothing,
            };
            // What was sent and never came leaves a hole.
            let lost = random.once_in(40);
            self.record(memory, random, at, wrong, None, lost);
        }
        if random.once_in(3) {
            return;
        }
        let wrong = match random.below(60) {
            0 => Wrong::Signature,
            1 => Wrong::Short,
            2 => Wrong::Keyless,
            3 => Wrong::Byte,
            _ => Wrong::Nothing,
        };
        let of = self.written.iter().rev().find(|(stream, ..)| *stream == at);
        let Some((_, number, link)) = of.copied() else {
            return;
        };
        self.record(memory, random, at, wrong, Some((number, link)), false);
    }

    fn record(
        &mut self,
        memory: &mut Memory,
        random: &mut Random,
        at: usize,
        wrong: Wrong,
        signed: Option<(u64, [u8; 32])>,
        lost: bool,
    ) {
        let session = memory.streams[at].hint.label.clone();
        let mut item = vec![0x62, 4, b'n', b'a', b'm', b'e'];
        attribute(&mut item, 6, "session.id", &text(&session));
        let mut seq = vec![3 << 3];
        varint(&mut seq, self.next);
        attribute(&mut item, 6, "recount.seq", &seq);
        if let Some((number, link)) = signed {
            self.sign(&mut item, wrong, &session, number, link);
        }
        attribute(&mut item, 6, "recount.chain", &bytes(&[0; 32]));
        let front = item.len() - 32;
        let number = self.next;
        let value = link(&self.last, number, &Sha256::digest(&item).into());
        item[front..].copy_from_slice(&value);
        (self.next, self.last) = (number + 1, value);
        match wrong {
            Wrong::Link => item[front] ^= 1,
            Wrong::Byte => {
                let at = random.at(front);
                item[at] ^= 1 << random.below(8);
            }
            _ => {}
        }
        if lost {
            return;
        }
        let masks = match random.once_in(30) {
            true => vec![Mask {
                part: [Part::Item, Part::Resource, Part::Scope][random.at(3)],
                offset: 0,
                length: 1,
                rule: "test".to_owned(),
            }],
            false => Vec::new(),
        };
        let encoding = if random.once_in(50) {
            Encoding::Json
        } else {
            Encoding::Protobuf
        };
        let mut resource = Vec::new();
        attribute(
            &mut resource,
            1,
            "recount.producer",
            &text(&dashed(&self.producer)),
        );
        attribute(&mut resource, 1, "recount.run", &text(&dashed(&self.run)));
        let enrolled = match random.below(3) {
            0 => Some(self.key.public()),
            1 => Some([1; 32]),
            _ => None,
        };
        memory.record_of(at, encoding, &resource, &item, masks, enrolled);
        if encoding == Encoding::Protobuf && wrong != Wrong::Link {
            self.written.push((at, number, value));
        }
    }

    fn sign(&self, item: &mut Vec<u8>, wrong: Wrong, session: &str, number: u64, link: [u8; 32]) {
        let what = Signed {
            producer: self.producer,
            run: self.run,
            number: if wrong == Wrong::Signature {
                number + 1
            } else {
                number
            },
            link,
            session,
        };
        let signature = self.key.sign(&what);
        let signature = match wrong {
            Wrong::Short => &signature[..63],
            _ => &signature[..],
        };
        attribute(item, 6, "recount.signature", &bytes(signature));
        if wrong != Wrong::Keyless {
            attribute(item, 6, "recount.signature.key", &bytes(&self.key.public()));
        }
        let mut of = vec![3 << 3];
        varint(&mut of, number);
        attribute(item, 6, "recount.signature.seq", &of);
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 127 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    field(&mut out, 1, text.as_bytes());
    out
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    field(&mut out, 7, bytes);
    out
}

fn attribute(out: &mut Vec<u8>, number: u8, name: &str, value: &[u8]) {
    let mut pair = Vec::new();
    field(&mut pair, 1, name.as_bytes());
    field(&mut pair, 2, value);
    field(out, number, &pair);
}

fn dashed(id: &[u8; 16]) -> String {
    let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    )
}
