//! Lines of a text through several edits: what stands in the end, and which edit put it there or took it away.

use serde::{Serialize, Serializer};
use similar::{ChangeTag, TextDiff};
use std::ops::Range;
use vocabulary::record::ContentState;

use super::origin::Origin;
use super::seen::Step;
use super::words::words;
use crate::model::Content;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It is on both sides.
    Same,
    /// It is only before.
    Removed,
    /// It is only after.
    Added,
}

impl Sign {
    /// The sign in front of the line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => " ",
            Self::Removed => "-",
            Self::Added => "+",
        }
    }
}

impl Serialize for Sign {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What became of it.
    pub sign: Sign,
    /// Its number before, from 1.
    pub before: Option<usize>,
    /// Its number after, from 1.
    pub after: Option<usize>,
    /// Its text, without the line's end.
    pub text: String,
    /// The byte ranges of the words that the line beside it lacks.
    pub words: Vec<Range<usize>>,
    /// Which edit removed or added it; of a line that is the same, where it comes from.
    pub by: Origin,
}

/// A state as lines of text: one that does not exist has none, JSON is spread over lines; `None` for what is not text.
#[must_use]
pub fn text(content: &Content) -> Option<String> {
    if content.state == ContentState::Absent {
        return Some(String::new());
    }
    let text = content.as_text()?;
    let json = content
        .media_type
        .as_deref()
        .is_some_and(|kind| kind.ends_with("json"));
    if json
        && crate::patch::exact(text)
        && let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
        && let Ok(spread) = serde_json::to_string_pretty(&value)
    {
        return Some(spread);
    }
    Some(text.to_owned())
}

/// Where a line comes from.
#[derive(Debug, Clone, Copy)]
struct Traceable {
    origin: Origin,
    /// Its place in the first text, while it is the same line.
    first: Option<usize>,
    /// Its place in the text that its origin left.
    born: usize,
}

/// The lines of a text through its edits.
#[derive(Debug, Default)]
pub(super) struct Traced {
    /// The text that the first edit found; `None` where it is no text.
    first: Option<String>,
    /// What removed each of its lines.
    fate: Vec<Option<Origin>>,
    /// The text that the last edit left; `None` where it is no text.
    last: Option<String>,
    /// Its lines.
    lines: Vec<Traceable>,
}

impl Traced {
    /// Follows the lines through edits.
    pub(super) fn of(steps: &[Step<'_>]) -> Self {
        let Some(first) = steps.first().map(|step| text(step.before)) else {
            return Self::default();
        };
        let count = first.as_deref().map_or(0, |text| text.lines().count());
        let mut traced = Self {
            last: first.clone(),
            first,
            fate: vec![None; count],
            lines: (0..count)
                .map(|n| line(Origin::Earlier, Some(n), n))
                .collect(),
        };
        for (n, step) in steps.iter().enumerate() {
            // Where an edit found another text than the one before it left, something else was at work.
            traced.go_on(text(step.before), Origin::Unrecorded);
            traced.go_on(text(step.after), Origin::Edit(n));
        }
        traced
    }

    fn go_on(&mut self, next: Option<String>, by: Origin) {
        if self.last == next {
            return;
        }
        let (Some(old), Some(new)) = (&self.last, &next) else {
            // Through a state that is no text nothing can be followed.
            let count = next.as_deref().map_or(0, |text| text.lines().count());
            for fate in &mut self.fate {
                fate.get_or_insert(by);
            }
            self.lines = (0..count)
                .map(|n| line(Origin::Unrecorded, None, n))
                .collect();
            self.last = next;
            return;
        };
        let compared = TextDiff::from_lines(old.as_str(), new.as_str());
        let mut lines = Vec::new();
        for change in compared.iter_all_changes() {
            match change.tag() {
                ChangeTag::Equal => {
                    lines.extend(change.old_index().and_then(|n| self.lines.get(n)));
                }
                ChangeTag::Insert => {
                    lines.push(line(by, None, change.new_index().unwrap_or_default()));
                }
                ChangeTag::Delete => {
                    let was = change.old_index().and_then(|n| self.lines.get(n));
                    let first = was.and_then(|was| was.first);
                    if let Some(fate) = first.and_then(|first| self.fate.get_mut(first)) {
                        *fate = Some(by);
                    }
                }
            }
        }
        self.lines = lines;
        self.last = next;
    }

    /// The first text beside the last one; `None` where one of them is no text.
    pub(super) fn net(&self, last_edit: Origin) -> Option<Vec<Line>> {
        let (old, new) = (self.first.as_deref()?, self.last.as_deref()?);
        // A line that was taken away and put back elsewhere is both: its last edit is what is left to name.
        let removed = |n: Option<usize>| {
            let fate = n.and_then(|n| self.fate.get(n)).copied().flatten();
            fate.unwrap_or(last_edit)
        };
        let added = |n: Option<usize>| {
            let from = n.and_then(|n| self.lines.get(n)).map(|it| it.origin);
            from.filter(|from| *from != Origin::Earlier)
                .unwrap_or(last_edit)
        };
        let came = |n: Option<usize>| {
            let from = n.and_then(|n| self.lines.get(n));
            from.map_or(Origin::Earlier, |it| it.origin)
        };
        let compared = TextDiff::from_lines(old, new);
        let mut lines = Vec::new();
        for change in compared.iter_all_changes() {
            let (before, after) = (change.old_index(), change.new_index());
            let (sign, by) = match change.tag() {
                ChangeTag::Equal => (Sign::Same, came(after)),
                ChangeTag::Delete => (Sign::Removed, removed(before)),
                ChangeTag::Insert => (Sign::Added, added(after)),
            };
            lines.push(Line {
                sign,
                before: before.map(|n| n + 1),
                after: after.map(|n| n + 1),
                text: change.value().trim_end_matches(['\n', '\r']).to_owned(),
                words: Vec::new(),
                by,
            });
        }
        emphasise(&mut lines);
        Some(lines)
    }

    /// The lines that the last edit left, each with where it comes from and its place in the text that this left.
    pub(super) fn left(&self) -> Option<Vec<(String, Origin, usize)>> {
        let text = self.last.as_deref()?;
        let lines = text.lines().zip(&self.lines);
        let told = lines.map(|(text, it)| (text.to_owned(), it.origin, it.born));
        Some(told.collect())
    }
}

fn line(origin: Origin, first: Option<usize>, born: usize) -> Traceable {
    Traceable {
        origin,
        first,
        born,
    }
}

/// The line that was where another one was added; `None` where nothing was.
pub(super) fn replaced(lines: &[Line], after: usize) -> Option<&str> {
    let at = lines
        .iter()
        .position(|line| line.sign == Sign::Added && line.after == Some(after))?;
    let added = |line: &&Line| line.sign == Sign::Added;
    let removed = |line: &&Line| line.sign == Sign::Removed;
    let place = lines[..at].iter().rev().take_while(added).count();
    let before = &lines[..at - place];
    let run = before.iter().rev().take_while(removed).count();
    let was = before
        .get(before.len() - run + place)
        .filter(|_| place < run)?;
    Some(&was.text)
}

/// Sets a run of removed lines beside the run of added lines after it, and finds the words that differ.
fn emphasise(lines: &mut [Line]) {
    let mut at = 0;
    while at < lines.len() {
        let run = |from: usize, sign: Sign| {
            let rest = lines[from..].iter();
            rest.take_while(|line| line.sign == sign).count()
        };
        let removed = run(at, Sign::Removed);
        let added = run(at + removed, Sign::Added);
        for n in 0..removed.min(added) {
            let (one, other) = (at + n, at + removed + n);
            let (old, new) = words(&lines[one].text, &lines[other].text);
            lines[one].words = old;
            lines[other].words = new;
        }
        at += (removed + added).max(1);
    }
}

/// The parts of a comparison to show: each changed line with `context` unchanged ones around it.
#[must_use]
pub fn hunks(lines: &[Line], context: usize) -> Vec<Range<usize>> {
    let mut hunks: Vec<Range<usize>> = Vec::new();
    let changed = lines.iter().enumerate();
    for (n, _) in changed.filter(|(_, line)| line.sign != Sign::Same) {
        let from = n.saturating_sub(context);
        let to = (n + 1).saturating_add(context).min(lines.len());
        match hunks.last_mut() {
            Some(last) if last.end >= from => last.end = to,
            _ => hunks.push(from..to),
        }
    }
    hunks
}

#[cfg(test)]
mod tests {
    use super::{Sign, Traced, hunks};
    use crate::change::{Origin, Step};
    use crate::model::{Content, Inline};
    use vocabulary::record::ContentState;

    fn content(text: &str) -> Content {
        Content {
            state: ContentState::Present,
            inline: Some(Inline::Text(text.to_owned())),
            ..Content::absent()
        }
    }

    /// The net of several states, as `sign text by`.
    fn net(pairs: &[(&str, &str)]) -> Vec<String> {
        let sides: Vec<(Content, Content)> = pairs
            .iter()
            .map(|(before, after)| (content(before), content(after)))
            .collect();
        let steps: Vec<Step<'_>> = sides
            .iter()
            .map(|(before, after)| Step { before, after })
            .collect();
        let lines = Traced::of(&steps).net(Origin::Edit(steps.len() - 1));
        let told = lines.unwrap().into_iter();
        told.map(|line| format!("{}{} {:?}", line.sign.as_str(), line.text, line.by))
            .collect()
    }

    #[test]
    fn each_line_names_the_edit_that_put_it_there_or_took_it_away() {
        let told = net(&[("a\nb\nc\n", "a\nB\nc\n"), ("a\nB\nc\n", "a\nB\nc\nd\n")]);
        let first = ["-b Edit(0)", "+B Edit(0)", "+d Edit(1)"];
        assert_eq!(told[0], " a Earlier");
        assert_eq!([&told[1], &told[2], &told[4]], first.each_ref());
    }

    #[test]
    fn what_changed_between_two_edits_was_recorded_by_nobody() {
        let told = net(&[("a\n", "a\nb\n"), ("a\nb\nx\n", "a\nb\nx\nc\n")]);
        assert_eq!(told[2], "+x Unrecorded");
        assert_eq!(told[3], "+c Edit(1)");
    }

    #[test]
    fn what_was_done_and_undone_is_no_change() {
        let told = net(&[("0\n", "10\n"), ("10\n", "0\n")]);
        assert_eq!(told, [" 0 Edit(1)"]);
    }

    #[test]
    fn a_hunk_is_what_changed_with_a_little_around_it() {
        let before: String = (0..20).map(|n| format!("{n}\n")).collect();
        let after = before.replace("3\n", "x\n").replace("18\n", "y\n");
        let (before, after) = (content(&before), content(&after));
        let step = Step {
            before: &before,
            after: &after,
        };
        let lines = Traced::of(&[step]).net(Origin::Edit(0)).unwrap();
        let found = hunks(&lines, 1);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(lines[found[0].start].sign, Sign::Same);
    }
}
