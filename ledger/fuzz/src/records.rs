//! Targets for records: what arrives, how it is stored, how a door hands it out.

use ledger::door::wire::{ControlAnswer, HintAnswer, RecordAnswer, StateAnswer};
use ledger::envelope::{CollectorPart, Encoding, Envelope, Signal};
use ledger::leaf::{ControlLeaf, Private, RecordLeaf, StreamOpening};
use ledger::otlp::{Item, Resource, Scope, slice_export};
use ledger::reader::ReadError;
use ledger::segment::{Builder, Segment};

/// An accepted leaf comes back byte for byte.
pub(crate) fn leaf(bytes: &[u8]) {
    if let Ok(leaf) = RecordLeaf::decode(bytes) {
        assert_eq!(leaf.encode().as_slice(), bytes);
    }
    if let Ok(leaf) = ControlLeaf::decode(bytes) {
        assert_eq!(leaf.encode().as_deref(), Ok(bytes));
    }
    if let Ok(part) = StreamOpening::decode(bytes) {
        assert_eq!(part.encode().as_deref(), Ok(bytes));
    }
}

/// An accepted envelope comes back byte for byte.
pub(crate) fn envelope(bytes: &[u8]) {
    if let Ok(envelope) = Envelope::decode(bytes) {
        assert_eq!(envelope.encode(), bytes);
        assert_eq!(envelope.encoded_len(), bytes.len());
        let _ = CollectorPart::decode(envelope.collector);
    }
    let _ = CollectorPart::decode(bytes);
}

/// What is read from a segment and written again holds the same records.
pub(crate) fn segment(bytes: &[u8]) {
    let Ok(segment) = Segment::decode(bytes) else {
        return;
    };
    let mut builder = Builder::new();
    for envelope in segment.envelopes() {
        match envelope {
            Some(envelope) => builder.push(envelope),
            None => builder.push_erased(),
        }
    }
    let again = builder.encode().unwrap();
    let again = Segment::decode(&again).unwrap();
    assert_eq!(again.envelopes(), segment.envelopes());
}

/// A slice lies inside the body; what it is of decodes or says why not.
pub(crate) fn otlp(bytes: &[u8]) {
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        for signal in [Signal::Logs, Signal::Traces] {
            let Ok(slices) = slice_export(encoding, signal, bytes) else {
                continue;
            };
            for slice in slices {
                for part in [slice.item, slice.resource, slice.scope] {
                    assert!(part.is_empty() || bytes.as_ptr_range().contains(&part.as_ptr()));
                }
                let _ = Item::decode(encoding, signal, slice.item);
                let _ = Resource::decode(encoding, slice.resource);
                let _ = Scope::decode(encoding, slice.scope);
            }
        }
    }
}

/// What a door says and is understood, is said again alike.
pub(crate) fn door(bytes: &[u8]) {
    fn read<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
        serde_json::from_slice(bytes).ok()
    }
    if let Some(state) = read::<StateAnswer>(bytes).and_then(|answer| answer.read()) {
        assert_eq!(StateAnswer::from(&state).read(), Some(state));
    }
    if let Some(control) = read::<ControlAnswer>(bytes).and_then(|answer| answer.read()) {
        assert_eq!(ControlAnswer::from(&control).read(), Some(control));
    }
    if let Some(record) = read::<RecordAnswer>(bytes).and_then(|answer| answer.read()) {
        assert_eq!(RecordAnswer::from(&record).read(), Some(record));
    }
    if let Some(hint) = read::<HintAnswer>(bytes).and_then(HintAnswer::read) {
        assert_eq!(HintAnswer::from(&hint).read(), Some(hint));
    }
    if let Some(error) = read::<ReadError>(bytes) {
        let again = serde_json::to_vec(&error).unwrap();
        assert_eq!(read(&again), Some(error));
    }
}
