//! Changes as text: rows and resources as tables, texts as patches or with both sides beside each other.

use std::fmt::Write as _;

use account::change::{Behind, Field, Index, Line, MARKS, Seen, Shape, Sign, Step, hunks, marked};
use account::model::{Account, Content, Diff};
use unicode_width::UnicodeWidthStr as _;

use super::Looked;
use crate::app::changes::patch_between;
use crate::app::line::shown;
use crate::app::words;

/// Unchanged lines around a change.
const CONTEXT: usize = 3;

/// How changes are written.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// Both sides beside each other, in so many columns.
    pub(super) side_by_side: Option<usize>,
    /// What did not change as well.
    pub(super) all: bool,
}

pub(super) fn of(account: &Account, looked: &[Looked<'_>], how: How) -> String {
    let index = Index::of(account);
    let mut text = String::new();
    for looked in looked {
        one(account, &index, looked, how, &mut text);
    }
    if looked.is_empty() {
        text.push_str("nothing changed\n");
    }
    text
}

fn one(account: &Account, index: &Index<'_>, looked: &Looked<'_>, how: How, text: &mut String) {
    let diffs: Vec<&Diff> = looked.edits.iter().map(|n| &account.diffs[*n]).collect();
    let refs: Vec<String> = diffs
        .iter()
        .flat_map(|diff| {
            let refs = diff.evidence.refs.iter();
            refs.map(|it| format!("{}{it}", diff.evidence.mark()))
        })
        .collect();
    let name = &looked.resource.name;
    let word = if looked.net { "net " } else { "diff" };
    let _ = writeln!(text, "{word} {} {}", refs.join(" "), shown(name));
    let Some(first) = diffs.first() else {
        text.push_str("nothing of this stands: each change was taken back\n\n");
        return;
    };
    for diff in &diffs {
        behind(account, index, diff, text);
        if !diff.evidence.doubt.is_empty() {
            let parts = diff.evidence.doubt.join(", ");
            let _ = writeln!(
                text,
                "?    depends on {}, which does not hold",
                shown(&parts)
            );
        }
    }
    let steps: Vec<Step<'_>> = diffs.iter().map(|diff| Step::from(*diff)).collect();
    if let Some(seen) = Seen::of(&first.kind, &steps) {
        if seen.unrecorded {
            text.push_str("between these changes something that was not recorded changed it\n");
        }
        let records: Vec<String> = diffs
            .iter()
            .map(|diff| record(&index.behind(diff)))
            .collect();
        compared(&seen, name, &records, how, text);
    }
    text.push('\n');
}

/// The record of an edit, short enough for a table.
fn record(behind: &Behind) -> String {
    let mark = if behind.doubt.is_empty() { "" } else { "?" };
    let record = behind.record.as_ref();
    record.map_or_else(|| "unknown".to_owned(), |it| format!("{mark}{it}"))
}

/// What is behind an edit.
fn behind(account: &Account, index: &Index<'_>, diff: &Diff, text: &mut String) {
    let behind = index.behind(diff);
    let unknown = || "unknown".to_owned();
    let said = |word: Option<&str>| word.unwrap_or("unknown").replace('_', " ");
    let scope = match diff.in_scope {
        Some(true) => "in scope",
        Some(false) => "OUT-OF-SCOPE",
        None => "no scope in force",
    };
    let action = diff.action.as_ref();
    let action = action.and_then(|id| {
        let mut all = account.actions.iter();
        all.find(|it| it.id == *id && it.session == diff.session)
    });
    match (action, &behind.action) {
        (Some(action), Some(by)) => {
            let _ = writeln!(text, "by   {by} {}", shown(&words::action(action)));
        }
        _ => text.push_str("by   an action that is not recorded\n"),
    }
    let agent = behind.agent.clone().unwrap_or_else(unknown);
    let asked = behind.asked_by.clone().unwrap_or_else(unknown);
    let _ = writeln!(text, "agent {}; asked by {}", shown(&agent), shown(&asked));
    let (ruled, approved) = (behind.ruled(), behind.approved());
    let _ = writeln!(text, "{}; {}", shown(&ruled), shown(&approved));
    let _ = writeln!(
        text,
        "read before {}, after {}; effect {}; {scope}",
        said(diff.read_before.map(|it| it.as_str())),
        said(diff.read_after.map(|it| it.as_str())),
        diff.effect.as_str().replace('_', " ")
    );
}

fn compared(seen: &Seen<'_>, name: &str, records: &[String], how: How, text: &mut String) {
    match (&seen.shape, how.side_by_side) {
        (Shape::Fields(fields), _) => table(fields, records, how.all, text),
        (Shape::Lines(lines), Some(columns)) => beside(lines, columns, how.all, text),
        (Shape::Lines(_), None) => {
            let patch = patch_between(name, (seen.before, seen.after)).unwrap_or_default();
            for line in patch.lines() {
                let _ = writeln!(text, "{}", shown(line));
            }
        }
        (Shape::Opaque, _) => {
            let said = |content: &Content| match account::change::text(content) {
                Some(text) => format!("{} lines", text.lines().count()),
                None => words::content_state(content),
            };
            let _ = writeln!(text, "before  {}", shown(&said(seen.before)));
            let _ = writeln!(text, "after   {}", shown(&said(seen.after)));
        }
    }
}

/// Field, before, after, and by which record: what changed first; what did not is counted.
fn table(fields: &[Field], records: &[String], all: bool, text: &mut String) {
    let (changed, same): (Vec<&Field>, Vec<&Field>) =
        fields.iter().partition(|field| field.changed());
    let rows = changed.iter().chain(same.iter().filter(|_| all));
    let side = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), shown);
    let by = |field: &Field| match field.by.edit() {
        Some(edit) => records.get(edit).cloned().unwrap_or_default(),
        None if field.changed() => "unrecorded".to_owned(),
        None => String::new(),
    };
    let cells: Vec<[String; 4]> = rows
        .map(|field| {
            let name = shown(&field.field);
            [name, side(&field.before), side(&field.after), by(field)]
        })
        .collect();
    let head = ["field", "before", "after", "by"].map(str::to_owned);
    let lines = std::iter::once(&head).chain(&cells);
    let wide = |n: usize| {
        let widths = lines.clone().map(|cells| cells[n].width());
        widths.max().unwrap_or(0).min(60)
    };
    let widths = [wide(0), wide(1), wide(2)];
    for cells in lines.clone() {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let gap = width.saturating_sub(cell.width()) + 2;
            line.push_str(cell);
            line.push_str(&" ".repeat(gap));
        }
        line.push_str(&cells[3]);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if !all && !same.is_empty() {
        let names: Vec<String> = same.iter().map(|field| shown(&field.field)).collect();
        let _ = writeln!(text, "unchanged {}: {}", names.len(), names.join(" "));
    }
}

/// Both sides beside each other; the words that differ stand between marks.
fn beside(lines: &[Line], columns: usize, all: bool, text: &mut String) {
    let half = columns.saturating_sub(3) / 2;
    let cell = |line: Option<&Line>| {
        let Some(line) = line else {
            return String::new();
        };
        let marks = match line.sign {
            Sign::Removed => MARKS[0],
            Sign::Same | Sign::Added => MARKS[1],
        };
        let number = match line.sign {
            Sign::Removed => line.before,
            Sign::Same | Sign::Added => line.after,
        };
        let said = shown(&marked(&line.text, &line.words, marks));
        format!("{:>4} {} {said}", number.unwrap_or(0), line.sign.as_str())
    };
    let mut put = |left: Option<&Line>, right: Option<&Line>| {
        let fit = |text: String| {
            let line = crate::app::line::Line::of(crate::app::look::Token::Plain, text);
            let look = crate::app::look::Look {
                theme: crate::app::look::Theme::Mono,
                ascii: true,
            };
            line.cut(half, look).text()
        };
        let (left, right) = (fit(cell(left)), fit(cell(right)));
        let gap = " ".repeat(half.saturating_sub(left.width()));
        let _ = writeln!(text, "{}", format!("{left}{gap} | {right}").trim_end());
    };
    let context = if all { usize::MAX } else { CONTEXT };
    for hunk in hunks(lines, context) {
        let part = &lines[hunk];
        let mut at = 0;
        while at < part.len() {
            let run = |from: usize, sign: Sign| {
                let rest = part[from..].iter();
                rest.take_while(|line| line.sign == sign).count()
            };
            let (removed, added) = match part[at].sign {
                Sign::Same => {
                    let same = Line {
                        after: part[at].before,
                        ..part[at].clone()
                    };
                    put(Some(&same), Some(&part[at]));
                    at += 1;
                    continue;
                }
                _ => {
                    let removed = run(at, Sign::Removed);
                    (removed, run(at + removed, Sign::Added))
                }
            };
            for n in 0..removed.max(added) {
                let left = (n < removed).then(|| &part[at + n]);
                let right = (n < added).then(|| &part[at + removed + n]);
                put(left, right);
            }
            at += removed + added;
        }
    }
}
