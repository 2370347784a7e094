//! The lines that show a resource's changes: net, edit by edit, or up to one edit.

use std::ops::Range;

use account::change::{Field, Origin, Seen, Shape, Sign, Step, hunks, stands};
use account::model::{Account, Content};
use vocabulary::action::Kind;
use vocabulary::record::ContentState;

use super::Resource;
use crate::app::words;

/// Which of a resource's edits are looked at, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// From the state that the first edit found to the one that the last left.
    #[default]
    Net,
    /// Each edit by itself.
    PerEdit,
    /// Net, up to the edit with this place among the resource's.
    At(usize),
    /// The patches that the account stores.
    Stored,
}

impl View {
    /// The view as another resource can have it: a place among one's edits says nothing about another's.
    #[must_use]
    pub fn without_place(self) -> View {
        match self {
            View::At(_) => View::Net,
            other => other,
        }
    }
}

/// Where a shown line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A change, as an index into the account's diffs.
    Diff(usize),
    /// It was there before the first change that is known.
    Earlier,
    /// Something that nobody recorded.
    Unrecorded,
}

impl By {
    fn of(origin: Origin, edits: &[usize]) -> By {
        match origin {
            Origin::Edit(step) => edits.get(step).map_or(By::Unrecorded, |n| By::Diff(*n)),
            Origin::Earlier => By::Earlier,
            Origin::Unrecorded => By::Unrecorded,
        }
    }
}

/// The text of a line, the words in it that its partner lacks, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Byte ranges of the words.
    pub words: Vec<Range<usize>>,
    /// Where it comes from.
    pub by: By,
}

impl Text {
    /// A text without emphasis.
    pub fn of(text: impl Into<String>, by: By) -> Text {
        Text {
            text: text.into(),
            words: Vec::new(),
            by,
        }
    }
}

/// One line of shown changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The beginning of a change, as an index into the account's diffs.
    Change(usize),
    /// The beginning of several changes taken together: the last of them, and how many there are.
    Net(usize, usize),
    /// Lines were left out here: first line before, first line after.
    Hunk(usize, usize),
    /// The same on both sides.
    Same(usize, usize, Text),
    /// Only before.
    Removed(usize, Text),
    /// Only after.
    Added(usize, Text),
    /// A line before beside the line after that took its place.
    Pair(usize, Text, usize, Text),
    /// The names of a table's columns.
    Head,
    /// A column of a database row, or a field of a resource.
    Field(Field, By),
    /// So many fields that are the same are not shown.
    Folded(usize),
    /// Something that is not a line of the resource.
    Note(String),
}

impl Line {
    /// The line's text, for search and copy.
    pub fn text(&self) -> String {
        match self {
            Line::Change(_) | Line::Net(..) | Line::Head => String::new(),
            Line::Hunk(old, new) => format!("@@ -{old} +{new} @@"),
            Line::Same(_, _, text) => format!(" {}", text.text),
            Line::Removed(_, text) => format!("-{}", text.text),
            Line::Added(_, text) => format!("+{}", text.text),
            Line::Pair(_, old, _, new) => format!("-{} +{}", old.text, new.text),
            Line::Field(field, _) => {
                let said = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
                let (before, after) = (said(&field.before), said(&field.after));
                match field.changed() {
                    true => format!("{}: {before} -> {after}", field.field),
                    false => format!("{}: {after}", field.field),
                }
            }
            Line::Folded(count) => format!("{count} unchanged fields"),
            Line::Note(text) => text.clone(),
        }
    }

    /// Where the line comes from; of two beside each other, the later one.
    pub fn by(&self) -> Option<By> {
        match self {
            Line::Change(diff) | Line::Net(diff, _) => Some(By::Diff(*diff)),
            Line::Same(_, _, text)
            | Line::Removed(_, text)
            | Line::Added(_, text)
            | Line::Pair(_, _, _, text) => Some(text.by),
            Line::Field(_, by) => Some(*by),
            Line::Hunk(..) | Line::Head | Line::Folded(_) | Line::Note(_) => None,
        }
    }

    /// Whether the line shows a difference.
    pub fn changed(&self) -> bool {
        match self {
            Line::Added(..) | Line::Removed(..) | Line::Pair(..) => true,
            Line::Field(field, _) => field.changed(),
            _ => false,
        }
    }
}

/// So many unchanged lines around a change are asked for before unchanged fields are shown as well.
const UNFOLD: usize = 4;

/// The lines of a resource's changes, each with `context` unchanged lines around what changed.
pub fn lines(account: &Account, resource: &Resource, view: View, context: usize) -> Vec<Line> {
    let standing = |edits: &[usize]| -> Vec<usize> {
        let edits = edits.iter().copied();
        edits.filter(|n| stands(&account.diffs[*n])).collect()
    };
    let all = resource.diffs.as_slice();
    match view {
        View::Stored => super::stored_patches(account, resource),
        View::Net => net(account, &standing(all), all, context),
        View::At(last) => {
            let upto = &all[..(last + 1).min(all.len())];
            net(account, &standing(upto), upto, context)
        }
        View::PerEdit => all
            .iter()
            .flat_map(|n| edits(account, &[*n], context))
            .collect(),
    }
}

fn net(account: &Account, standing: &[usize], all: &[usize], context: usize) -> Vec<Line> {
    if standing.is_empty() {
        let mut lines = vec![Line::Note(
            "nothing of this stands: each change was taken back".to_owned(),
        )];
        lines.extend(all.iter().flat_map(|n| edits(account, &[*n], context)));
        return lines;
    }
    edits(account, standing, context)
}

/// Edits taken together, under one heading.
fn edits(account: &Account, edits: &[usize], context: usize) -> Vec<Line> {
    let Some((last, kind)) = edits.last().map(|n| (*n, &account.diffs[*n].kind)) else {
        return Vec::new();
    };
    let mut lines = vec![match edits {
        [one] => Line::Change(*one),
        more => Line::Net(last, more.len()),
    }];
    let steps: Vec<Step<'_>> = edits
        .iter()
        .map(|n| Step::from(&account.diffs[*n]))
        .collect();
    show(kind, &steps, edits, context, &mut lines);
    lines
}

/// The lines of two states of one resource, with `context` unchanged lines around what changed.
pub(crate) fn between(
    (kind, by): (&Kind, By),
    before: &Content,
    after: &Content,
    context: usize,
    lines: &mut Vec<Line>,
) {
    let edits = match by {
        By::Diff(diff) => vec![diff],
        By::Earlier | By::Unrecorded => Vec::new(),
    };
    show(kind, &[Step { before, after }], &edits, context, lines);
}

fn show(kind: &Kind, steps: &[Step<'_>], edits: &[usize], context: usize, lines: &mut Vec<Line>) {
    let Some(seen) = Seen::of(kind, steps) else {
        return;
    };
    if seen.unrecorded {
        lines.push(Line::Note(
            "between these changes it was changed by something that was not recorded".to_owned(),
        ));
    }
    for content in [seen.before, seen.after] {
        if content.state == ContentState::Truncated {
            lines.push(Line::Note(format!(
                "only the beginning was kept {}",
                words::content_state(content)
            )));
        }
    }
    match seen.shape {
        Shape::Fields(fields) => table(fields, edits, context, lines),
        Shape::Lines(all) => text(all, edits, context, lines),
        Shape::Opaque => {
            lines.push(Line::Note(format!("before  {}", said(seen.before))));
            lines.push(Line::Note(format!("after   {}", said(seen.after))));
        }
    }
}

/// What changed first; what did not is counted, and shown when more is asked for.
fn table(fields: Vec<Field>, edits: &[usize], context: usize, lines: &mut Vec<Line>) {
    let (changed, same): (Vec<Field>, Vec<Field>) = fields.into_iter().partition(Field::changed);
    let row = |field: Field| {
        let by = By::of(field.by, edits);
        Line::Field(field, by)
    };
    lines.push(Line::Head);
    if changed.is_empty() {
        lines.push(Line::Note("both sides are the same".to_owned()));
    }
    lines.extend(changed.into_iter().map(row));
    match same.len() {
        0 => {}
        _ if context >= UNFOLD => lines.extend(same.into_iter().map(row)),
        count => lines.push(Line::Folded(count)),
    }
}

fn text(all: Vec<account::change::Line>, edits: &[usize], context: usize, lines: &mut Vec<Line>) {
    let found = hunks(&all, context);
    if found.is_empty() {
        lines.push(Line::Note("both sides are the same".to_owned()));
    }
    let mut all: Vec<Option<account::change::Line>> = all.into_iter().map(Some).collect();
    let mut end = 0;
    for hunk in found {
        let left_out = hunk.start > end;
        end = hunk.end;
        for (n, line) in all[hunk].iter_mut().filter_map(Option::take).enumerate() {
            let (old, new) = (line.before.unwrap_or(0), line.after.unwrap_or(0));
            if n == 0 && left_out {
                lines.push(Line::Hunk(old.max(1), new.max(1)));
            }
            let text = Text {
                text: line.text,
                words: line.words,
                by: By::of(line.by, edits),
            };
            lines.push(match line.sign {
                Sign::Same => Line::Same(old, new, text),
                Sign::Removed => Line::Removed(old, text),
                Sign::Added => Line::Added(new, text),
            });
        }
    }
}

fn said(content: &Content) -> String {
    match account::change::text(content) {
        Some(text) => format!("{} lines", text.lines().count()),
        None => words::content_state(content),
    }
}

/// The same lines with a run of removed lines beside the run of added lines that follows it.
pub fn beside(lines: Vec<Line>) -> Vec<Line> {
    let mut paired: Vec<Line> = Vec::with_capacity(lines.len());
    // Where the lines that may still get a partner begin: after the last line that was neither.
    let mut open = 0;
    for line in lines {
        match line {
            Line::Added(new, after) => {
                let partner = paired[open..]
                    .iter_mut()
                    .find(|line| matches!(line, Line::Removed(..)));
                match partner {
                    Some(place) => {
                        let Line::Removed(old, before) = place.clone() else {
                            continue;
                        };
                        *place = Line::Pair(old, before, new, after);
                    }
                    None => paired.push(Line::Added(new, after)),
                }
            }
            Line::Removed(..) => paired.push(line),
            other => {
                paired.push(other);
                open = paired.len();
            }
        }
    }
    paired
}
