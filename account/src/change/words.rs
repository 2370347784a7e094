//! Which words of two lines differ.

use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::ops::Range;

/// Lines of more words than this are not compared word by word.
const WORDS: usize = 2_000;

/// Two lines that share less than this part of their bytes are two different lines: nothing in them is emphasised.
const ALIKE: (usize, usize) = (1, 4);

/// What stands around words that were removed, and around words that were added.
pub const MARKS: [(&str, &str); 2] = [("[-", "-]"), ("{+", "+}")];

/// The byte ranges of the words that only one of two lines has; both empty where the lines have too little in common.
#[must_use]
pub fn words(before: &str, after: &str) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let (old, new) = (split(before), split(after));
    if old.len().max(new.len()) > WORDS {
        return (Vec::new(), Vec::new());
    }
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    let mut same = 0;
    let end = |parts: &[&str]| parts.iter().map(|part| part.len()).sum::<usize>();
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let (from, to) = (op.old_range(), op.new_range());
        let place = |parts: &[&str], range: Range<usize>| {
            let start = end(&parts[..range.start]);
            start..start + end(&parts[range])
        };
        if let DiffOp::Equal { .. } = op {
            let text: usize = old[from].iter().map(|part| solid(part)).sum();
            same += text;
            continue;
        }
        push(&mut removed, place(&old, from));
        push(&mut added, place(&new, to));
    }
    let most = solid(before).max(solid(after));
    if same * ALIKE.1 < most * ALIKE.0 {
        return (Vec::new(), Vec::new());
    }
    (removed, added)
}

/// Bytes that are not white space: what two lines share by being indented says nothing.
fn solid(text: &str) -> usize {
    text.bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .count()
}

/// Adds a range, to the last one where they touch.
fn push(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    if range.is_empty() {
        return;
    }
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ => ranges.push(range),
    }
}

/// Runs of letters and digits, runs of spaces, and everything else one by one.
fn split(text: &str) -> Vec<&str> {
    let class = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 1,
        c if c.is_whitespace() => 2,
        _ => 0,
    };
    let mut parts = Vec::new();
    let mut from = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let now = class(c);
        if last.is_some_and(|last| last != now || now == 0) {
            parts.push(&text[from..at]);
            from = at;
        }
        last = Some(now);
    }
    if from < text.len() {
        parts.push(&text[from..]);
    }
    parts
}

/// A line with marks around its emphasised words, so that they can be told without colour.
#[must_use]
pub fn marked(text: &str, words: &[Range<usize>], (open, close): (&str, &str)) -> String {
    let mut out = String::with_capacity(text.len() + words.len() * 4);
    let mut from = 0;
    for range in words {
        let (Some(before), Some(word)) = (text.get(from..range.start), text.get(range.clone()))
        else {
            break;
        };
        out.push_str(before);
        out.push_str(open);
        out.push_str(word);
        out.push_str(close);
        from = range.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::{MARKS, marked, words};

    fn both(before: &str, after: &str) -> (String, String) {
        let (removed, added) = words(before, after);
        (
            marked(before, &removed, MARKS[0]),
            marked(after, &added, MARKS[1]),
        )
    }

    #[test]
    fn only_the_words_that_differ_are_marked() {
        let (old, new) = both("    \"percent\": 0,", "    \"percent\": 10,");
        assert_eq!(old, "    \"percent\": [-0-],");
        assert_eq!(new, "    \"percent\": {+10+},");
        let (old, new) = both("let naïve = süß(1);", "let naïve = süß(1, größe);");
        assert_eq!(old, "let naïve = süß(1);");
        assert_eq!(new, "let naïve = süß(1{+, größe+});");
    }

    #[test]
    fn lines_with_nothing_in_common_are_not_marked() {
        let (old, new) = both("        let r = charge(c);", "        // nothing is left");
        assert_eq!(old, "        let r = charge(c);");
        assert_eq!(new, "        // nothing is left");
    }
}
