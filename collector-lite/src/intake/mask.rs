//! Credentials in what arrived: where they are, so that they are overwritten in place before anything is sealed.
//!
//! The length never changes and no other byte does. Every value is looked at by itself; in JSON the raw text
//! between the quotes is, and base64 is decoded first.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ledger::envelope::{Encoding, Mask, Part};
use ledger::otlp::{Attributes, Item, Malformed, Value};
use vocabulary::redaction;

/// Rule of an attribute whose name says that its value is a secret.
const NAMED_RULE: &str = redaction::NAMED_RULE;

/// Places that one record may have: beyond it, what was overwritten is no record any more.
const MOST: usize = 10_000;

/// One place to overwrite, and with what; `None` is the mask character throughout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Overwrite {
    offset: usize,
    length: usize,
    rule: &'static str,
    with: Option<Vec<u8>>,
}

/// Places to overwrite in the bytes of one record.
pub(crate) fn in_item(encoding: Encoding, bytes: &[u8], item: &Item<'_>) -> Vec<Overwrite> {
    let mut search = Search {
        bytes,
        found: Vec::new(),
    };
    match encoding {
        Encoding::Json => search.json(),
        Encoding::Protobuf => {
            search.borrowed(item.name.as_bytes());
            search.borrowed(item.trace_state.as_bytes());
            search.borrowed(item.severity_text.as_bytes());
            search.borrowed(item.status_message.as_bytes());
            search.value(&item.body);
            search.attributes(&item.attributes);
            for event in &item.events {
                search.borrowed(event.name.as_bytes());
                search.attributes(&event.attributes);
            }
            for link in &item.links {
                search.borrowed(link.trace_state.as_bytes());
                search.attributes(&link.attributes);
            }
        }
    }
    search.found
}

/// Places to overwrite in the bytes of a resource or a scope.
pub(crate) fn in_attributes(
    encoding: Encoding,
    bytes: &[u8],
    attributes: &Attributes<'_>,
) -> Vec<Overwrite> {
    let mut search = Search {
        bytes,
        found: Vec::new(),
    };
    match encoding {
        Encoding::Json => search.json(),
        Encoding::Protobuf => search.attributes(attributes),
    }
    search.found
}

/// Refuses a record with more places than an envelope should list.
pub(crate) fn not_too_many(places: usize) -> Result<(), Malformed> {
    if places <= MOST {
        return Ok(());
    }
    Err(Malformed {
        offset: 0,
        what: format!("{places} places look like credentials, more than {MOST},").into(),
    })
}

/// The bytes with every place overwritten.
pub(crate) fn overwrite(bytes: &[u8], places: &[Overwrite]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for place in places {
        let Some(target) = out.get_mut(place.offset..place.offset + place.length) else {
            continue;
        };
        match &place.with {
            Some(with) if with.len() == target.len() => target.copy_from_slice(with),
            _ => target.fill(redaction::MASK),
        }
    }
    out
}

/// What the envelope says about the places.
pub(crate) fn masks(part: Part, places: &[Overwrite]) -> impl Iterator<Item = Mask> {
    places.iter().map(move |place| Mask {
        part,
        offset: u32::try_from(place.offset).unwrap_or(u32::MAX),
        length: u32::try_from(place.length).unwrap_or(u32::MAX),
        rule: place.rule.to_owned(),
    })
}

struct Search<'b> {
    bytes: &'b [u8],
    found: Vec<Overwrite>,
}

impl Search<'_> {
    fn push(&mut self, offset: usize, length: usize, rule: &'static str, with: Option<Vec<u8>>) {
        // Nothing is masked twice, so that masks never overlap.
        let overlaps = self
            .found
            .last()
            .is_some_and(|last| offset < last.offset + last.length);
        if length > 0 && !overlaps {
            self.found.push(Overwrite {
                offset,
                length,
                rule,
                with,
            });
        }
    }

    /// Where a value lies that was borrowed from the bytes.
    fn place(&self, value: &[u8]) -> Option<usize> {
        let offset = (value.as_ptr() as usize).checked_sub(self.bytes.as_ptr() as usize)?;
        (offset + value.len() <= self.bytes.len()).then_some(offset)
    }

    fn borrowed(&mut self, value: &[u8]) {
        for finding in redaction::find(value) {
            if let Some(base) = self.place(value) {
                self.push(
                    base + finding.start,
                    finding.end - finding.start,
                    finding.rule,
                    None,
                );
            }
        }
    }

    fn attributes(&mut self, attributes: &Attributes<'_>) {
        for (key, value) in attributes.iter() {
            match value {
                Value::Str(text) if redaction::is_sensitive_name(key) => {
                    if let Some(base) = self.place(text.as_bytes()) {
                        self.push(base, text.len(), NAMED_RULE, None);
                    }
                }
                _ => self.value(value),
            }
        }
    }

    fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Str(text) => self.borrowed(text.as_bytes()),
            Value::Bytes(bytes) => self.borrowed(bytes),
            Value::Array(members) => members.iter().for_each(|member| self.value(member)),
            Value::Map(map) => self.attributes(map),
            Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) => {}
        }
    }

    /// Walks the string tokens of JSON text that is already known to be well formed.
    fn json(&mut self) {
        let bytes = self.bytes;
        let mut property: &[u8] = b"";
        let mut sensitive = false;
        let mut at = 0;
        while let Some(open) = bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(|byte| *byte == b'"'))
        {
            let start = at + open + 1;
            let end = string_end(bytes, start);
            let text = bytes.get(start..end).unwrap_or_default();
            at = end + 1;
            let after = bytes.get(at..).unwrap_or_default();
            if after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':') {
                property = text;
                continue;
            }
            match property {
                b"key" => {
                    sensitive = std::str::from_utf8(text).is_ok_and(redaction::is_sensitive_name)
                }
                b"stringValue" if sensitive => {
                    self.push(start, text.len(), NAMED_RULE, None);
                    sensitive = false;
                }
                b"bytesValue" => self.base64(start, text),
                _ => {
                    for finding in redaction::find(text) {
                        self.push(
                            start + finding.start,
                            finding.end - finding.start,
                            finding.rule,
                            None,
                        );
                    }
                }
            }
        }
    }

    /// Masks inside base64 by encoding the masked bytes again; groups of four characters are replaced whole.
    fn base64(&mut self, start: usize, text: &[u8]) {
        let engine = if text.contains(&b'-') || text.contains(&b'_') {
            URL_SAFE
        } else {
            STANDARD
        };
        let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
        let mut padded = text[..text.len() - padding].to_vec();
        padded.resize(padded.len().next_multiple_of(4), b'=');
        let Ok(mut plain) = engine.decode(&padded) else {
            return;
        };
        let findings = redaction::mask(&mut plain);
        let encoded = engine.encode(&plain);
        for finding in findings {
            let from = finding.start / 3 * 4;
            let to = (finding.end.div_ceil(3) * 4).min(text.len());
            if let Some(with) = encoded.as_bytes().get(from..to) {
                self.push(start + from, to - from, finding.rule, Some(with.to_vec()));
            }
        }
    }
}

/// Where the closing quote of a JSON string lies whose text starts at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::otlp::Signal;

    const SECRET: &str = "sk-abcdefghijklmnopqrstuvwxyzABCDEF";

    fn masked(encoding: Encoding, bytes: &[u8]) -> (Vec<u8>, Vec<Overwrite>) {
        let item = Item::decode(encoding, Signal::Logs, bytes).unwrap();
        let places = in_item(encoding, bytes, &item);
        let out = overwrite(bytes, &places);
        assert_eq!(out.len(), bytes.len());
        Item::decode(encoding, Signal::Logs, &out).expect("still a record");
        (out, places)
    }

    fn contains(bytes: &[u8], what: &str) -> bool {
        bytes
            .windows(what.len())
            .any(|window| window == what.as_bytes())
    }

    #[test]
    fn a_key_in_a_protobuf_string_is_overwritten_in_place() {
        let text = format!("use {SECRET} please");
        let value = [&[0x0a, text.len() as u8], text.as_bytes()].concat();
        let record = [&[0x2a, value.len() as u8], value.as_slice(), &[0x10, 9]].concat();
        let (out, places) = masked(Encoding::Protobuf, &record);
        assert!(!contains(&out, SECRET) && contains(&out, "use ") && contains(&out, " please"));
        assert_eq!(places.len(), 1);
        assert_eq!((places[0].offset, places[0].length), (8, SECRET.len()));
    }

    #[test]
    fn a_key_behind_an_escape_in_json_is_overwritten_in_place() {
        let record = format!(r#"{{"body":{{"stringValue":"line\n{SECRET}\""}}}}"#);
        let (out, places) = masked(Encoding::Json, record.as_bytes());
        assert!(!contains(&out, SECRET), "{}", String::from_utf8_lossy(&out));
        assert_eq!(places.len(), 1);
    }

    #[test]
    fn a_key_in_base64_is_overwritten_and_still_decodes() {
        let encoded = STANDARD.encode(format!("x {SECRET} y"));
        let record = format!(r#"{{"body":{{"bytesValue":"{encoded}"}}}}"#);
        let (out, _) = masked(Encoding::Json, record.as_bytes());
        let item = Item::decode(Encoding::Json, Signal::Logs, &out).unwrap();
        let plain = item.body.as_bytes().unwrap();
        assert!(!contains(plain, SECRET) && plain.starts_with(b"x ") && plain.ends_with(b" y"));
    }

    #[test]
    fn the_value_of_a_header_that_names_a_secret_is_overwritten() {
        let record = r#"{"attributes":[{"key":"http.request.header.authorization","value":{"stringValue":"hunter2"}}]}"#;
        let (out, _) = masked(Encoding::Json, record.as_bytes());
        assert!(!contains(&out, "hunter2"));
    }

    #[test]
    fn what_holds_no_credential_is_left_alone() {
        let record = r#"{"body":{"stringValue":"nothing to see"},"attributes":[]}"#;
        assert_eq!(masked(Encoding::Json, record.as_bytes()).1, vec![]);
    }
}
