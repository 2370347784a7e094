//! What changed, by resource, and the lines that show it.

use account::model::{Account, Content, Diff};
use similar::{ChangeTag, TextDiff};
use vocabulary::record::ContentState;

use super::words;

/// One resource and the changes to it, in order.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its canonical name, with its kind.
    pub name: String,
    /// Its changes, as indexes into the account's diffs.
    pub diffs: Vec<usize>,
    /// `A`, `M` or `D` over all changes.
    pub sign: &'static str,
    /// Lines added by changes that stand.
    pub added: usize,
    /// Lines removed by changes that stand.
    pub removed: usize,
    /// Whether one of its changes is outside the scope.
    pub outside: bool,
    /// Whether none of its changes stands.
    pub undone: bool,
}

/// One line of a shown change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The beginning of a change, as an index into the account's diffs.
    Change(usize),
    /// Lines were left out here: first line before, first line after.
    Hunk(usize, usize),
    /// The same on both sides.
    Same(usize, usize, String),
    /// Only before.
    Removed(usize, String),
    /// Only after.
    Added(usize, String),
    /// A line before beside the line after that took its place.
    Pair(usize, String, usize, String),
    /// Something that is not a line of the resource.
    Note(String),
}

impl Line {
    /// The line's text, for search and copy.
    pub fn text(&self) -> String {
        match self {
            Line::Change(_) => String::new(),
            Line::Hunk(old, new) => format!("@@ -{old} +{new} @@"),
            Line::Same(_, _, text) => format!(" {text}"),
            Line::Removed(_, text) => format!("-{text}"),
            Line::Added(_, text) => format!("+{text}"),
            Line::Pair(_, old, _, new) => format!("-{old} +{new}"),
            Line::Note(text) => text.clone(),
        }
    }
}

/// All changes of an account.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The resources, in the order of their first change.
    pub resources: Vec<Resource>,
    /// Lines added over all resources.
    pub added: usize,
    /// Lines removed over all resources.
    pub removed: usize,
}

impl Changes {
    /// Groups the account's diffs.
    pub fn of(account: &Account) -> Changes {
        let mut changes = Changes::default();
        let mut places = std::collections::HashMap::new();
        for (n, diff) in account.diffs.iter().enumerate() {
            let at = *places.entry(diff.resource.as_str()).or_insert_with(|| {
                changes.resources.push(Resource {
                    name: diff.resource.clone(),
                    diffs: Vec::new(),
                    sign: "M",
                    added: 0,
                    removed: 0,
                    outside: false,
                    undone: true,
                });
                changes.resources.len() - 1
            });
            let resource = &mut changes.resources[at];
            resource.diffs.push(n);
            resource.outside |= diff.in_scope == Some(false);
            if stands(diff) {
                resource.undone = false;
                let (added, removed) = tally(diff);
                resource.added += added;
                resource.removed += removed;
                changes.added += added;
                changes.removed += removed;
            }
        }
        for resource in &mut changes.resources {
            resource.sign = net_sign(account, &resource.diffs);
        }
        changes
    }

    /// The resource that a diff belongs to.
    pub fn of_diff(&self, diff: usize) -> Option<usize> {
        self.resources
            .iter()
            .position(|resource| resource.diffs.contains(&diff))
    }
}

/// Whether a change is in the world, as far as anyone knows.
pub fn stands(diff: &Diff) -> bool {
    use vocabulary::action::Effect;
    matches!(
        diff.effect,
        Effect::Committed | Effect::Pending | Effect::Unknown
    )
}

fn net_sign(account: &Account, diffs: &[usize]) -> &'static str {
    let standing: Vec<&Diff> = diffs
        .iter()
        .map(|n| &account.diffs[*n])
        .filter(|diff| stands(diff))
        .collect();
    let (Some(first), Some(last)) = (standing.first(), standing.last()) else {
        return "-";
    };
    match (first.before.state, last.after.state) {
        (ContentState::Absent, ContentState::Absent) => "-",
        (ContentState::Absent, _) => "A",
        (_, ContentState::Absent) => "D",
        _ => "M",
    }
}

fn tally(diff: &Diff) -> (usize, usize) {
    let (Some(before), Some(after)) = (side(&diff.before), side(&diff.after)) else {
        return (0, 0);
    };
    let compared = TextDiff::from_lines(before.as_str(), after.as_str());
    let mut tally = (0, 0);
    for change in compared.iter_all_changes() {
        match change.tag() {
            ChangeTag::Insert => tally.0 += 1,
            ChangeTag::Delete => tally.1 += 1,
            ChangeTag::Equal => {}
        }
    }
    tally
}

/// A side as lines of text: an absent side has none, JSON is spread over lines, what is not text is `None`.
pub(crate) fn side(content: &Content) -> Option<String> {
    if content.state == ContentState::Absent {
        return Some(String::new());
    }
    let text = words::inline(content)?;
    let json = content
        .media_type
        .as_deref()
        .is_some_and(|kind| kind.ends_with("json"));
    if json
        && let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
        && let Ok(spread) = serde_json::to_string_pretty(&value)
    {
        return Some(spread);
    }
    Some(text.to_owned())
}

/// The lines of a resource's changes, each with `context` unchanged lines around what changed.
pub fn lines(account: &Account, resource: &Resource, context: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for n in &resource.diffs {
        lines.push(Line::Change(*n));
        let diff = &account.diffs[*n];
        between(&diff.before, &diff.after, context, &mut lines);
    }
    lines
}

/// The lines of two states of one resource, with `context` unchanged lines around what changed.
pub(crate) fn between(
    content_before: &Content,
    content_after: &Content,
    context: usize,
    lines: &mut Vec<Line>,
) {
    let (Some(before), Some(after)) = (side(content_before), side(content_after)) else {
        lines.push(Line::Note(format!("before  {}", said(content_before))));
        lines.push(Line::Note(format!("after   {}", said(content_after))));
        return;
    };
    for content in [content_before, content_after] {
        if content.state == ContentState::Truncated {
            lines.push(Line::Note(format!(
                "only the beginning was kept {}",
                words::content_state(content)
            )));
        }
    }
    let compared = TextDiff::from_lines(before.as_str(), after.as_str());
    let groups = compared.grouped_ops(context);
    if groups.is_empty() {
        lines.push(Line::Note("both sides are the same".to_owned()));
    }
    let mut after_line = 0;
    for group in &groups {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        if first.old_range().start > after_line || first.new_range().start > after_line {
            lines.push(Line::Hunk(
                first.old_range().start + 1,
                first.new_range().start + 1,
            ));
        }
        after_line = last.old_range().end.min(last.new_range().end);
        for change in group.iter().flat_map(|op| compared.iter_changes(op)) {
            let text = change.value().trim_end_matches(['\n', '\r']).to_owned();
            let (old, new) = (
                change.old_index().unwrap_or(0) + 1,
                change.new_index().unwrap_or(0) + 1,
            );
            lines.push(match change.tag() {
                ChangeTag::Equal => Line::Same(old, new, text),
                ChangeTag::Delete => Line::Removed(old, text),
                ChangeTag::Insert => Line::Added(new, text),
            });
        }
    }
}

fn said(content: &Content) -> String {
    match side(content) {
        Some(text) => format!("{} lines", text.lines().count()),
        None => words::content_state(content),
    }
}

/// A change as a unified patch; `None` where a side is not text.
pub fn patch(diff: &Diff) -> Option<String> {
    let (before, after) = (side(&diff.before)?, side(&diff.after)?);
    let name = words::resource(&diff.resource);
    let from = if diff.before.state == ContentState::Absent {
        "/dev/null".to_owned()
    } else {
        format!("a/{name}")
    };
    let to = if diff.after.state == ContentState::Absent {
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
            Some(serde_json::Value::String(text)) => lines.extend(text.lines().map(patch_line)),
            Some(value) => {
                let text = serde_json::to_string_pretty(value).unwrap_or_default();
                lines.extend(text.lines().map(|line| Line::Note(line.to_owned())));
            }
        }
    }
    lines
}

fn patch_line(line: &str) -> Line {
    match line.as_bytes().first() {
        Some(b'+') if !line.starts_with("+++") => Line::Added(0, line[1..].to_owned()),
        Some(b'-') if !line.starts_with("---") => Line::Removed(0, line[1..].to_owned()),
        _ => Line::Note(line.to_owned()),
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
                        let Line::Removed(old, before) = place else {
                            continue;
                        };
                        *place = Line::Pair(*old, std::mem::take(before), new, after);
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
