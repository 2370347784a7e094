//! Blame for programs: one object or line of cells per part of a resource.

use account::change::{Blame as Found, Blamed};
use serde::Serialize;
use vocabulary::Timestamp;

use super::{Edit, place, said};
use crate::app::line::shown;
use crate::args::ListForm;
use crate::command::{csv, out};
use crate::failure::Failure;

/// The columns of `-o csv` and the keys of `-o json`.
pub(super) const COLUMNS: [&str; 16] = [
    "resource",
    "part",
    "now",
    "before",
    "ref",
    "at",
    "agent",
    "asked_by",
    "rule",
    "verdict",
    "approved_by",
    "allowed_by",
    "session",
    "did",
    "unknown",
    "doubt",
];

/// One part with what is behind it.
#[derive(Default, Serialize)]
pub(super) struct Row {
    resource: String,
    part: Option<String>,
    now: Option<String>,
    before: Option<String>,
    #[serde(rename = "ref")]
    place: Option<String>,
    at: Option<Timestamp>,
    agent: Option<String>,
    asked_by: Option<String>,
    rule: Option<String>,
    verdict: Option<String>,
    approved_by: Option<String>,
    allowed_by: Option<String>,
    session: Option<String>,
    did: Option<String>,
    unknown: Option<String>,
    doubt: Option<String>,
}

impl Row {
    fn of(resource: &str, edit: Option<&Edit<'_>>) -> Row {
        let row = Row {
            resource: resource.to_owned(),
            ..Row::default()
        };
        let Some(Edit { behind, .. }) = edit else {
            return row;
        };
        let behind = behind.clone();
        Row {
            place: Some(place(&behind).trim_start_matches('?').to_owned()),
            doubt: Some(behind.doubt.join("; ")).filter(|it| !it.is_empty()),
            at: behind.at,
            agent: behind.agent,
            asked_by: behind.asked_by,
            rule: behind.rule,
            verdict: behind.verdict.map(|verdict| verdict.as_str().to_owned()),
            approved_by: behind.approved_by,
            allowed_by: behind.allowed_by,
            session: Some(behind.session),
            did: behind.did,
            ..row
        }
    }

    fn cells(&self) -> [String; 16] {
        let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
        [
            self.resource.clone(),
            text(&self.part),
            text(&self.now),
            text(&self.before),
            text(&self.place),
            self.at.map(|at| at.to_string()).unwrap_or_default(),
            text(&self.agent),
            text(&self.asked_by),
            text(&self.rule),
            text(&self.verdict),
            text(&self.approved_by),
            text(&self.allowed_by),
            text(&self.session),
            text(&self.did),
            text(&self.unknown),
            text(&self.doubt),
        ]
    }
}

pub(super) fn rows(name: &str, found: &Found, parts: &[Blamed], edits: &[Edit<'_>]) -> Vec<Row> {
    if let Found::Gone | Found::Opaque = found {
        let why = match found {
            Found::Gone => "removed by this edit",
            _ => "what the last edit left is no text, or not kept",
        };
        return vec![Row {
            unknown: Some(why.to_owned()),
            ..Row::of(name, edits.last())
        }];
    }
    let row = |part: &Blamed| Row {
        part: Some(said(&part.part)),
        now: Some(part.now.clone()),
        before: part.before.clone(),
        unknown: part.by.unknown().map(str::to_owned),
        ..Row::of(name, part.by.edit().and_then(|edit| edits.get(edit)))
    };
    parts.iter().map(row).collect()
}

pub(super) fn print(row: &Row, form: ListForm) -> Result<(), Failure> {
    match form {
        ListForm::Json => out::json_line(row),
        _ => {
            let cells = row.cells().map(|cell| shown(&cell));
            out::text(&csv::row(cells.iter().map(String::as_str)))
        }
    }
}
