//! What a producer wrote on one record: run, number, link and signature (`docs/ledger-format.md` §15).
//!
//! Read by its own small reader, so that what counts as a mark follows from the document alone: a program that
//! decodes OTLP otherwise would see the same marks.

use std::collections::BTreeMap;

use ledger::envelope::{CollectorPart, Encoding, Envelope, Part, Signal};
use sha2::{Digest, Sha256};
use vocabulary::attribute as key;

/// Whose numbers a record's number is one of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    /// The producer as the collector knows it.
    pub(super) known_as: String,
    /// The producer's UUID.
    pub(super) producer: [u8; 16],
    /// The UUID of its run.
    pub(super) run: [u8; 16],
}

/// The marks of one record.
#[derive(Debug)]
pub(super) struct Mark<'a> {
    pub(super) number: u64,
    pub(super) link: [u8; 32],
    /// Digest of the item with the link's bytes zeroed; `None` where the collector masked the item.
    pub(super) item: Option<[u8; 32]>,
    /// Whether it carries a signature.
    pub(super) carrier: bool,
    /// The signature that it carries, if that can be read.
    pub(super) signature: Option<Carried<'a>>,
}

/// A signature as it came.
#[derive(Debug)]
pub(super) struct Carried<'a> {
    pub(super) key: [u8; 32],
    pub(super) signature: [u8; 64],
    pub(super) number: u64,
    pub(super) session: &'a str,
}

/// A run that was seen, by the order in which it was seen first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RunAt(pub(super) usize);

/// Reads one record after the other; what neighbours share is read once.
#[derive(Debug, Default)]
pub(super) struct Marks {
    runs: BTreeMap<Run, usize>,
    /// The collector part and the resource of the record before, and what they say together.
    shared: (Vec<u8>, Vec<u8>),
    known: Option<Known>,
}

/// What neighbouring records share.
#[derive(Debug, Clone)]
struct Known {
    at: RunAt,
    run: Run,
    /// Whether a mask lies in the item.
    masked: bool,
    /// The key that the producer's enrolment named when the record came.
    enrolled: Option<[u8; 32]>,
}

impl Marks {
    /// The marks of a record and its run; `None` if it is not one that a producer numbered and chained.
    pub(super) fn of<'a>(&mut self, envelope: &Envelope<'a>) -> Option<(RunAt, Mark<'a>)> {
        if envelope.encoding != Encoding::Protobuf || envelope.signal != Signal::Logs {
            return None;
        }
        let [link, number, session, signature, by, of] = attributes(
            envelope.item,
            6,
            [
                key::CHAIN,
                key::SEQ,
                key::SESSION_ID,
                key::SIGNATURE,
                key::SIGNATURE_KEY,
                key::SIGNATURE_SEQ,
            ],
        )?;
        let link = <[u8; 32]>::try_from(link?.bytes()?).ok()?;
        let number = number?.count()?;
        let body = envelope.item.strip_suffix(&link)?;
        let (run, masked) = self.run(envelope)?;
        let signature = signature.and_then(Value::bytes);
        let mark = Mark {
            number,
            link,
            item: (!masked).then(|| zeroed(body)),
            carrier: signature.is_some(),
            signature: signature.and_then(|signature| {
                Some(Carried {
                    key: by?.bytes()?.try_into().ok()?,
                    signature: signature.try_into().ok()?,
                    number: of?.count()?,
                    session: std::str::from_utf8(session?.text()?).ok()?,
                })
            }),
        };
        Some((run, mark))
    }

    /// The run of a record, and whether a mask lies in its item.
    fn run(&mut self, envelope: &Envelope<'_>) -> Option<(RunAt, bool)> {
        if self.shared.0 != envelope.collector || self.shared.1 != envelope.resource {
            self.shared = (envelope.collector.to_vec(), envelope.resource.to_vec());
            self.known = self.read(envelope);
        }
        self.known.as_ref().map(|known| (known.at, known.masked))
    }

    fn read(&mut self, envelope: &Envelope<'_>) -> Option<Known> {
        let part = CollectorPart::decode(envelope.collector).ok()?;
        let [producer, run] = attributes(envelope.resource, 1, [key::PRODUCER, key::RUN])?;
        let run = Run {
            known_as: part.producer,
            producer: uuid(producer?)?,
            run: uuid(run?)?,
        };
        let next = self.runs.len();
        Some(Known {
            at: RunAt(*self.runs.entry(run.clone()).or_insert(next)),
            run,
            masked: part.masks.iter().any(|mask| mask.part == Part::Item),
            enrolled: part.enrolled_key,
        })
    }

    /// The run of the record that was read last, and the key that its producer is enrolled with.
    pub(super) fn last(&self) -> Option<(&Run, Option<&[u8; 32]>)> {
        let known = self.known.as_ref()?;
        Some((&known.run, known.enrolled.as_ref()))
    }

    /// Every run that was seen.
    pub(super) fn runs(&self) -> impl Iterator<Item = (&Run, RunAt)> {
        self.runs.iter().map(|(run, at)| (run, RunAt(*at)))
    }
}

fn zeroed(body: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(body)
        .chain_update([0; 32])
        .finalize()
        .into()
}

fn uuid(value: Value<'_>) -> Option<[u8; 16]> {
    let digits = value.text()?.iter().filter(|byte| **byte != b'-');
    let digits: Vec<u8> = digits
        .map(|byte| (*byte as char).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let mut out = [0; 16];
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |high, low| high << 4 | low);
    }
    Some(out)
}

/// A value of one of the three types that marks have.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Text(&'a [u8]),
    Int(u64),
    Bytes(&'a [u8]),
    Other,
}

impl<'a> Value<'a> {
    fn text(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A number that is not negative.
    fn count(self) -> Option<u64> {
        match self {
            Self::Int(number) => i64::try_from(number).ok().map(i64::unsigned_abs),
            _ => None,
        }
    }
}

/// The first value under each name, in the repeated field `field` of a message; `None` if the bytes are no message.
fn attributes<'a, const N: usize>(
    message: &'a [u8],
    field: u64,
    names: [&str; N],
) -> Option<[Option<Value<'a>>; N]> {
    let mut found = [None; N];
    for part in Fields(message) {
        let (number, part) = part?;
        if number != field {
            continue;
        }
        let (mut name, mut value) = (None, None);
        for part in Fields(part.bytes()?) {
            let slot = match part? {
                (1, part) => (&mut name, part),
                (2, part) => (&mut value, part),
                _ => continue,
            };
            if slot.0.replace(slot.1.bytes()?).is_some() {
                return None;
            }
        }
        let at = names
            .iter()
            .position(|it| it.as_bytes() == name.unwrap_or_default());
        if let Some(slot) = at.and_then(|at| found.get_mut(at))
            && slot.is_none()
        {
            *slot = Some(any_value(value.unwrap_or_default())?);
        }
    }
    Some(found)
}

/// An `AnyValue`: what its only field says.
fn any_value(message: &[u8]) -> Option<Value<'_>> {
    let mut fields = Fields(message);
    let Some(first) = fields.next() else {
        return Some(Value::Other);
    };
    let value = match first? {
        (1, Wire::Bytes(text)) => Value::Text(text),
        (3, Wire::Varint(number)) => Value::Int(number),
        (7, Wire::Bytes(bytes)) => Value::Bytes(bytes),
        _ => Value::Other,
    };
    fields.next().is_none().then_some(value)
}

/// One field's content on the protobuf wire; the fixed widths hold nothing that is looked for.
#[derive(Debug, Clone, Copy)]
enum Wire<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

impl<'a> Wire<'a> {
    fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Varint(_) | Self::Fixed => None,
        }
    }
}

/// The fields of a message, each with its number. An item that is `None` says that the bytes are no message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            if shift == 63 && *byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => self.take(8).map(|_| Wire::Fixed)?,
            2 => {
                let len = self.varint()?;
                Wire::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Wire::Fixed)?,
            _ => return None,
        };
        (tag >> 3 != 0).then_some((tag >> 3, wire))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Wire<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}
