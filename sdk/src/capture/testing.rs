//! What the tests of all captures share.

use serde_json::Value;
use vocabulary::{Event, attribute};

use crate::{
    Recorder, Session,
    testing::{ActionRecords, Record, Recorded},
};

/// A credential as prompts carry them by accident; must be in no record.
pub(super) const SECRET: &str = "sk-abcdefghijklmnopqrstuvwxyzABCDEF";

pub(super) fn session() -> (Recorder, Session) {
    let recorder = Recorder::testing();
    let session = recorder.session("47892").start_blocking();
    (recorder, session)
}

/// The diffs of an action.
pub(super) fn diffs(action: &ActionRecords) -> Vec<&Record> {
    action
        .between
        .iter()
        .filter(|record| record.event == Event::Diff.name())
        .collect()
}

/// Resource, state and inline text of both sides, and how they were read.
pub(super) fn sides(diff: &Record) -> (&str, Value, Value, &str, &str) {
    let side = |key: &str| {
        let content = &diff.attributes[key];
        content
            .get("inline")
            .cloned()
            .unwrap_or_else(|| content["state"].clone())
    };
    (
        diff.str(attribute::RESOURCE).unwrap(),
        side(attribute::BEFORE),
        side(attribute::AFTER),
        diff.str(attribute::READ_BEFORE).unwrap(),
        diff.str(attribute::READ_AFTER).unwrap(),
    )
}

/// Whether `text` is anywhere in what was recorded.
pub(super) fn is_recorded(recorder: &Recorder, text: &str) -> bool {
    Recorded::of(recorder)
        .records()
        .iter()
        .any(|record| format!("{:?}", record.attributes).contains(text))
}
