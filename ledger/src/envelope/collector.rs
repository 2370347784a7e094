//! The collector part of an envelope: what the collector, not the sender, says about a record.
#![forbid(unsafe_code)]

use super::{
    Delivery, Malformed, Part, PrincipalProof, ProducerProof, RecordingMode, SessionRule, VERSION,
};
use crate::bytes::{Cursor, Field, put_opaque};

/// Bytes that the collector overwrote before sealing, same length, same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// The part.
    pub part: Part,
    /// First masked byte in the part.
    pub offset: u32,
    /// How many bytes.
    pub length: u32,
    /// Which rule, at most 255 bytes.
    pub rule: String,
}

/// What the collector decided about a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorPart {
    /// Which rule found the session label.
    pub session_rule: SessionRule,
    /// How well the producer is known.
    pub producer_proof: ProducerProof,
    /// Who recorded.
    pub recording_mode: RecordingMode,
    /// How the record came.
    pub delivery: Delivery,
    /// How well the principal is proven.
    pub principal_proof: PrincipalProof,
    /// The stream's session label.
    pub session_label: String,
    /// The producer as the collector knows it.
    pub producer: String,
    /// The producer as the sender calls itself; empty if it does not.
    pub claimed_producer: String,
    /// What was overwritten.
    pub masks: Vec<Mask>,
    /// The Ed25519 key that the producer's records were to be signed with, by its enrolment when this one came.
    pub enrolled_key: Option<[u8; 32]>,
}

/// In `ext`: the enrolled key.
const ENROLLED_KEY: u8 = 1;

impl CollectorPart {
    /// The part's bytes.
    ///
    /// # Errors
    /// Text that is too long for its length prefix; more than 65,535 masks.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = vec![
            VERSION,
            self.session_rule as u8,
            self.producer_proof as u8,
            self.recording_mode as u8,
            self.delivery as u8,
            self.principal_proof as u8,
        ];
        self.session_label.put(&mut out, "session_label")?;
        self.producer.put(&mut out, "producer")?;
        self.claimed_producer.put(&mut out, "claimed_producer")?;
        let count = u16::try_from(self.masks.len());
        let count = count.map_err(|_| Malformed::TooLong {
            field: "masks",
            len: self.masks.len(),
        })?;
        count.put(&mut out, "masks")?;
        for mask in &self.masks {
            out.push(mask.part as u8);
            mask.offset.put(&mut out, "mask offset")?;
            mask.length.put(&mut out, "mask length")?;
            put_opaque::<u8>(&mut out, mask.rule.as_bytes(), "mask rule")?;
        }
        let mut ext = Vec::new();
        if let Some(key) = &self.enrolled_key {
            ext.push(ENROLLED_KEY);
            put_opaque::<u16>(&mut ext, key, "enrolled key")?;
        }
        put_opaque::<u16>(&mut out, &ext, "ext")?;
        Ok(out)
    }

    /// Reads the part. What a later release puts into `ext` is passed over.
    ///
    /// # Errors
    /// Another version, an unknown code, text that is not UTF-8, missing or extra bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut c = Cursor::new(bytes);
        c.version("collector part version", VERSION)?;
        let mut part = Self {
            session_rule: SessionRule::from_code(c.u8("session rule")?)?,
            producer_proof: ProducerProof::from_code(c.u8("producer proof")?)?,
            recording_mode: RecordingMode::from_code(c.u8("recording mode")?)?,
            delivery: Delivery::from_code(c.u8("delivery")?)?,
            principal_proof: PrincipalProof::from_code(c.u8("principal proof")?)?,
            session_label: c.text16("session_label")?.to_owned(),
            producer: c.text16("producer")?.to_owned(),
            claimed_producer: c.text16("claimed_producer")?.to_owned(),
            masks: (0..c.u16("mask count")?)
                .map(|_| Mask::take(&mut c))
                .collect::<Result<_, _>>()?,
            enrolled_key: None,
        };
        part.enrolled_key = enrolled_key(c.opaque16("ext")?);
        c.end("collector part")?;
        Ok(part)
    }
}

/// `ext` is `u8 kind ‖ opaque value<u16>`, repeated. It never makes a part unreadable: readers before it was used
/// pass over it whatever it holds.
fn enrolled_key(ext: &[u8]) -> Option<[u8; 32]> {
    let mut c = Cursor::new(ext);
    while let Ok(kind) = c.u8("ext kind") {
        let value = c.opaque16("ext value").ok()?;
        if kind == ENROLLED_KEY {
            return value.try_into().ok();
        }
    }
    None
}

impl Mask {
    fn take(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            part: Part::from_code(c.u8("masked part")?)?,
            offset: c.u32("mask offset")?,
            length: c.u32("mask length")?,
            rule: c.text8("mask rule")?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(enrolled_key: Option<[u8; 32]>) -> CollectorPart {
        CollectorPart {
            session_rule: SessionRule::SessionAttribute,
            producer_proof: ProducerProof::Token,
            recording_mode: RecordingMode::SelfRecorded,
            delivery: Delivery::Strict,
            principal_proof: PrincipalProof::None,
            session_label: "s".to_owned(),
            producer: "billing".to_owned(),
            claimed_producer: String::new(),
            masks: Vec::new(),
            enrolled_key,
        }
    }

    #[test]
    fn the_enrolled_key_is_read_back_and_what_is_unknown_is_passed_over() {
        let with = part(Some([7; 32]));
        let bytes = with.encode().unwrap();
        assert_eq!(CollectorPart::decode(&bytes), Ok(with.clone()));
        let without = part(None).encode().unwrap();
        assert_eq!(without[without.len() - 2..], [0, 0], "ext stays empty");
        // A later release's field in front of the key, then a field that is cut off.
        let start = without.len() - 2;
        let with_ext = |ext: &[u8]| {
            let mut bytes = without[..start].to_vec();
            put_opaque::<u16>(&mut bytes, ext, "ext").unwrap();
            CollectorPart::decode(&bytes)
        };
        let mut later = vec![9, 0, 2, 1, 1];
        later.extend_from_slice(&bytes[start + 2..]);
        assert_eq!(with_ext(&later), Ok(with));
        assert_eq!(with_ext(&[1, 0, 32, 7]), Ok(part(None)));
    }
}
