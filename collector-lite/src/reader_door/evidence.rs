//! Stored bytes as they are: one route for each question of [`ledger::reader::Reader`].

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::response::Response;
use ledger::door::wire::{ControlAnswer, HintAnswer, RecordAnswer, StateAnswer, read_find};
use ledger::leaf::StreamId;
use ledger::note::Note;
use ledger::reader::{Find, Log, ReadError, Reader, StoredRecord};
use ledger::store::Folder;
use serde::Deserialize;

use super::Door;
use super::answer::{Asked, bad_request, bytes, json, not_found, part, read};

/// Leaves in one answer.
const CONTROL_PART: u64 = 4096;

/// Records in one answer.
const RECORD_PART: u64 = 512;

/// Bytes after which an answer takes no more records.
const RECORD_BYTES: usize = 16 << 20;

/// `from..to`; without an end, to the end of what is stored.
#[derive(Debug, Deserialize)]
pub(super) struct Range {
    #[serde(default)]
    from: u64,
    to: Option<u64>,
}

impl Range {
    /// The beginning of the range that one answer holds, and where the rest begins if there is any.
    fn part(&self, size: u64, most: u64) -> (u64, u64, Option<u64>) {
        let end = self.to.unwrap_or(u64::MAX).min(size);
        let to = end.min(self.from.saturating_add(most));
        (self.from, to, (to < end).then_some(to))
    }
}

pub(super) async fn state(State(door): Door) -> Response {
    match read(&door, |folder| folder.state()).await {
        Ok(state) => json(&StateAnswer::from(&state)),
        Err(response) => response,
    }
}

pub(super) async fn checkpoint(State(door): Door) -> Response {
    match read(&door, published).await {
        Ok(Some(note)) => bytes(note, "text/plain; charset=utf-8"),
        Ok(None) => not_found("checkpoint yet"),
        Err(response) => response,
    }
}

/// The checkpoint signed last; with the cosignatures of witnesses where they are over this one.
fn published(folder: &Folder) -> Result<Option<Vec<u8>>, ReadError> {
    let note = folder.checkpoint()?;
    let witnessed = folder.witnessed()?;
    let text = |note: &Option<Vec<u8>>| {
        let note = note.as_deref()?;
        Some(Note::parse(note).ok()?.text.to_owned())
    };
    Ok(
        if text(&witnessed).is_some() && text(&witnessed) == text(&note) {
            witnessed
        } else {
            note
        },
    )
}

pub(super) async fn witnessed(State(door): Door) -> Response {
    match read(&door, |folder| folder.witnessed()).await {
        Ok(Some(note)) => bytes(note, "text/plain; charset=utf-8"),
        Ok(None) => not_found("cosigned checkpoint"),
        Err(response) => response,
    }
}

pub(super) async fn control(State(door): Door, Asked(range): Asked<Range>) -> Response {
    let found = read(&door, move |folder| {
        let (from, to, next) = range.part(folder.state()?.size, CONTROL_PART);
        Ok((folder.control(from, to)?, next))
    });
    match found.await {
        Ok((leaves, next)) => part(
            &leaves.iter().map(ControlAnswer::from).collect::<Vec<_>>(),
            next,
        ),
        Err(response) => response,
    }
}

/// Which tile: of the ledger's own log without a stream.
#[derive(Debug, Deserialize)]
pub(super) struct TilePlace {
    stream: Option<String>,
    level: u8,
    n: u64,
}

pub(super) async fn tile(State(door): Door, Asked(place): Asked<TilePlace>) -> Response {
    let log = match place.stream.as_deref().map(str::parse::<StreamId>) {
        None => Log::Ledger,
        Some(Ok(stream)) => Log::Stream(stream),
        Some(Err(error)) => return bad_request(&error.to_string()),
    };
    match read(&door, move |folder| folder.tile(log, place.level, place.n)).await {
        Ok(Some(hashes)) => bytes(hashes, "application/octet-stream"),
        Ok(None) => not_found("such tile"),
        Err(response) => response,
    }
}

pub(super) async fn streams(
    State(door): Door,
    Asked(query): Asked<HashMap<String, String>>,
) -> Response {
    let Some(wanted) = read_find(&|name| query.get(name).cloned()) else {
        return bad_request(
            "by= request, request_prefix, session, prefix, stream, trace, received, recent or all",
        );
    };
    match read(&door, move |folder| folder.find(&wanted)).await {
        Ok(hints) => json(&hints.iter().map(HintAnswer::from).collect::<Vec<_>>()),
        Err(response) => response,
    }
}

pub(super) async fn stream(State(door): Door, Path(id): Path<String>) -> Response {
    let stream: StreamId = match id.parse() {
        Ok(stream) => stream,
        Err(error) => return bad_request(&format!("{error}")),
    };
    match read(&door, move |folder| folder.find(&Find::Stream(stream))).await {
        Ok(hints) => match hints.first() {
            Some(hint) => json(&HintAnswer::from(hint)),
            None => not_found("such stream"),
        },
        Err(response) => response,
    }
}

pub(super) async fn records(
    State(door): Door,
    Path(id): Path<String>,
    Asked(range): Asked<Range>,
) -> Response {
    let stream: StreamId = match id.parse() {
        Ok(stream) => stream,
        Err(error) => return bad_request(&format!("{error}")),
    };
    let found = read(&door, move |folder| {
        // The index only says when to stop asking: as long as something comes, there may be more.
        let known = folder
            .find(&Find::Stream(stream))?
            .first()
            .map_or(0, |hint| hint.records);
        let (from, to, _) = range.part(u64::MAX, RECORD_PART);
        let (records, to) = some_records(folder, &stream, from, to)?;
        let more = to < range.to.unwrap_or(u64::MAX) && (!records.is_empty() || to < known);
        Ok((records, more.then_some(to)))
    });
    match found.await {
        Ok((records, next)) => part(
            &records.iter().map(RecordAnswer::from).collect::<Vec<_>>(),
            next,
        ),
        Err(response) => response,
    }
}

/// Records from `from` on, as many as one answer holds, and where the rest begins. One of them may be as large as the
/// largest export.
pub(super) fn some_records(
    reader: &dyn Reader,
    stream: &StreamId,
    from: u64,
    to: u64,
) -> Result<(Vec<StoredRecord>, u64), ReadError> {
    let (mut records, mut size) = (Vec::new(), 0);
    let mut full = None;
    reader.scan(stream, from, to, &mut |record| {
        if size >= RECORD_BYTES {
            full.get_or_insert(record.index);
            return;
        }
        let stored = record.to_stored();
        size += stored.body.as_ref().map_or(0, |body| body.envelope.len());
        records.push(stored);
    })?;
    Ok((records, full.unwrap_or(to)))
}
