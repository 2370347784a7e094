//! Changes as patches: as others apply them, and as the account stores them.

use account::change::text;
use account::model::{Account, Diff};
use similar::TextDiff;
use vocabulary::record::ContentState;

use super::Resource;
use super::lines::{By, Line, Text};
use crate::app::words;

/// A change as a unified patch; `None` where a side is not text.
pub fn patch(diff: &Diff) -> Option<String> {
    between(&diff.resource, (&diff.before, &diff.after))
}

/// Two states of a resource as a unified patch; `None` where a side is not text.
pub(crate) fn between(
    resource: &str,
    (old, new): (&account::model::Content, &account::model::Content),
) -> Option<String> {
    let (before, after) = (text(old)?, text(new)?);
    let name = words::resource(resource);
    let from = if old.state == ContentState::Absent {
        "/dev/null".to_owned()
    } else {
        format!("a/{name}")
    };
    let to = if new.state == ContentState::Absent {
        "/dev/null".to_owned()
    } else {
        format!("b/{name}")
    };
    let compared = TextDiff::from_lines(before.as_str(), after.as_str());
    Some(
        compared
            .unified_diff()
            .context_radius(3)
            .header(&from, &to)
            .to_string(),
    )
}

/// The patches as they are in the account, for what has no text sides.
pub fn stored_patches(account: &Account, resource: &Resource) -> Vec<Line> {
    let mut lines = Vec::new();
    for n in &resource.diffs {
        lines.push(Line::Change(*n));
        let diff = &account.diffs[*n];
        match &diff.patch {
            None => lines.push(Line::Note(
                "the account has no patch for this change".to_owned(),
            )),
            Some(serde_json::Value::String(text)) => {
                lines.extend(text.lines().map(|line| of_patch(line, *n)));
            }
            Some(value) => {
                let text = serde_json::to_string_pretty(value).unwrap_or_default();
                lines.extend(text.lines().map(|line| Line::Note(line.to_owned())));
            }
        }
    }
    lines
}

fn of_patch(line: &str, diff: usize) -> Line {
    let text = |line: &str| Text::of(line, By::Diff(diff));
    match line.as_bytes().first() {
        Some(b'+') if !line.starts_with("+++") => Line::Added(0, text(&line[1..])),
        Some(b'-') if !line.starts_with("---") => Line::Removed(0, text(&line[1..])),
        _ => Line::Note(line.to_owned()),
    }
}
