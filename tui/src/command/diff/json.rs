//! Changes as JSON: the account's rows, or net ones, with their fields or lines and what is behind each.

use account::change::{Behind, Index, Line, Seen, Shape, Sign, Step};
use account::model::{Account, Content, Diff};
use serde::Serialize;

use super::Looked;

/// One change: the account's row as it is, and what the views show of it.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    #[serde(flatten)]
    what: What<'a>,
    /// Columns or values before and after; `null` where the states are not made of them.
    fields: Option<Vec<account::change::Field>>,
    /// Lines that differ; `null` where the states are compared otherwise or not at all.
    lines: Option<Vec<Line>>,
    /// What is behind each edit; `by` of fields and lines counts in it.
    behind: Vec<Behind>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    /// An edit.
    Edit(&'a Diff),
    /// All edits of a resource that stand.
    Net(Net<'a>),
}

#[derive(Serialize)]
struct Net<'a> {
    view: &'static str,
    resource: &'a str,
    kind: &'a vocabulary::action::Kind,
    sign: &'static str,
    /// The edits, by id.
    edits: Vec<&'a str>,
    before: Option<&'a Content>,
    after: Option<&'a Content>,
    /// Whether something that was not recorded changed it between the edits.
    unrecorded: bool,
    refs: Vec<vocabulary::id::RecordRef>,
}

pub(super) fn rows<'a>(account: &'a Account, looked: &'a [Looked<'a>]) -> Vec<Row<'a>> {
    let index = Index::of(account);
    looked
        .iter()
        .filter_map(|looked| row(account, &index, looked))
        .collect()
}

fn row<'a>(account: &'a Account, index: &Index<'a>, looked: &'a Looked<'a>) -> Option<Row<'a>> {
    let diffs: Vec<&Diff> = looked.edits.iter().map(|n| &account.diffs[*n]).collect();
    let steps: Vec<Step<'_>> = diffs.iter().map(|diff| Step::from(*diff)).collect();
    let first = &account.diffs[*looked.resource.diffs.first()?];
    let seen = Seen::of(&first.kind, &steps);
    let what = match (looked.net, diffs.first()) {
        (false, Some(diff)) => What::Edit(diff),
        _ => What::Net(Net {
            view: "net",
            resource: &looked.resource.name,
            kind: &first.kind,
            sign: seen.as_ref().map_or("-", Seen::sign),
            edits: diffs.iter().map(|diff| diff.id.as_str()).collect(),
            before: seen.as_ref().map(|seen| seen.before),
            after: seen.as_ref().map(|seen| seen.after),
            unrecorded: seen.as_ref().is_some_and(|seen| seen.unrecorded),
            refs: diffs
                .iter()
                .flat_map(|diff| diff.evidence.refs.clone())
                .collect(),
        }),
    };
    let (fields, lines) = match seen.map(|seen| seen.shape) {
        Some(Shape::Fields(fields)) => (Some(fields), None),
        Some(Shape::Lines(mut lines)) => {
            lines.retain(|line| line.sign != Sign::Same);
            (None, Some(lines))
        }
        Some(Shape::Opaque) | None => (None, None),
    };
    Some(Row {
        what,
        fields,
        lines,
        behind: diffs.iter().map(|diff| index.behind(diff)).collect(),
    })
}
