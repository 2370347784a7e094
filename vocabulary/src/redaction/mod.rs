//! Credentials: finding them in bytes, and removing them before anything is sealed.
//!
//! Two uses, one detector. The collector calls [`find`] on each string or
//! bytes value and masks the ranges in place, same length. The SDK calls
//! [`replace`] before it encodes. Neither keeps the value or a hash of it.
//!
//! Call them on one value at a time, never on a whole encoded message: the
//! bytes of its framing would be taken for part of a credential. Inside JSON
//! text no range splits an escape or crosses a closing quote.
//!
//! A hash of each three bytes skips nearly everything; only where a keyword may
//! begin are the rules tried that begin so.

mod keyed;
mod names;
mod shapes;
mod url;

use std::borrow::Cow;

use crate::content::Redaction;

pub use names::{header_is_kept, is_sensitive_name, sensitive_flag};

/// What the collector writes over a credential, byte for byte.
pub const MASK: u8 = b'*';

/// A credential in some bytes: where, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The rule, e.g. `openai_key`.
    pub rule: &'static str,
}

/// Names of all rules, as they appear in `redactions[].rule`.
pub const RULES: &[&str] = &[
    "openai_key",
    "stripe_key",
    "aws_access_key",
    "github_token",
    "gitlab_token",
    "slack_token",
    "google_api_key",
    "jwt",
    "private_key",
    "bearer_token",
    "basic_credentials",
    "url_user_info",
    "url_query_value",
    "named_secret",
    "cookie",
    "header",
];

/// Rule of a header that is not on the allow-list.
pub const HEADER_RULE: &str = "header";

/// Rule of a value whose name says that it is a secret.
pub const NAMED_RULE: &str = "named_secret";

/// One thing that the detector looks for: where it begins, and how to go on.
struct Rule {
    /// At least three bytes; where letters are matched in either case it is
    /// written in lower case.
    keyword: &'static [u8],
    either_case: bool,
    /// Given all bytes and where the keyword begins, the credential around it.
    check: fn(&[u8], usize) -> Option<Finding>,
}

/// All credentials in one value, in order, not overlapping.
pub fn find(bytes: &[u8]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut free = 0;
    let mut look = |position: usize, first: u8| {
        if position >= free
            && let Some(finding) = at(bytes, position, first)
            && finding.start >= free
        {
            free = finding.end;
            found.push(finding);
        }
    };
    // Four bytes are read at once where there are four: the hash takes three.
    for (position, window) in bytes.array_windows::<4>().enumerate() {
        let first = FIRST[hash(u32::from_le_bytes(*window))];
        if first != NONE {
            look(position, first);
        }
    }
    if let Some([.., a, b, c]) = bytes.last_chunk::<3>() {
        let first = FIRST[hash(u32::from_le_bytes([*a, *b, *c, 0]))];
        if first != NONE {
            look(bytes.len() - 3, first);
        }
    }
    found
}

/// The credential whose keyword begins at a position, by the rules that share
/// the hash of its first three bytes.
fn at(bytes: &[u8], position: usize, first: u8) -> Option<Finding> {
    let rest = &bytes[position..];
    let mut next = first;
    while next != NONE {
        let rule = &ALL[usize::from(next)];
        next = NEXT[usize::from(next)];
        let same = rest.get(..rule.keyword.len()).is_some_and(|head| {
            if rule.either_case {
                head.eq_ignore_ascii_case(rule.keyword)
            } else {
                head == rule.keyword
            }
        });
        if same && let Some(finding) = (rule.check)(bytes, position) {
            return Some(finding);
        }
    }
    None
}

/// Writes [`MASK`] over every credential, in place; says which.
pub fn mask(bytes: &mut [u8]) -> Vec<Finding> {
    let found = find(bytes);
    for finding in &found {
        bytes[finding.start..finding.end].fill(MASK);
    }
    found
}

/// Replaces every credential in a text by `[removed:<rule>]`.
pub fn replace(text: &str) -> (Cow<'_, str>, Vec<Redaction>) {
    match replace_bytes(text.as_bytes()) {
        (Cow::Borrowed(_), redactions) => (Cow::Borrowed(text), redactions),
        // Findings begin and end at character boundaries; were one not to, the
        // broken character becomes U+FFFD.
        (Cow::Owned(bytes), redactions) => (
            Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            redactions,
        ),
    }
}

/// Replaces every credential in some bytes by `[removed:<rule>]`. The path of
/// each redaction is `@` and the offset of its replacement.
pub fn replace_bytes(bytes: &[u8]) -> (Cow<'_, [u8]>, Vec<Redaction>) {
    let found = find(bytes);
    if found.is_empty() {
        return (Cow::Borrowed(bytes), Vec::new());
    }
    let mut clean = Vec::with_capacity(bytes.len());
    let mut redactions = Vec::with_capacity(found.len());
    let mut copied = 0;
    for finding in found {
        clean.extend_from_slice(&bytes[copied..finding.start]);
        redactions.push(Redaction {
            path: format!("@{}", clean.len()),
            rule: finding.rule.to_owned(),
            len: (finding.end - finding.start) as u64,
        });
        clean.extend_from_slice(replacement(finding.rule).as_bytes());
        copied = finding.end;
    }
    clean.extend_from_slice(&bytes[copied..]);
    (Cow::Owned(clean), redactions)
}

/// What stands where a credential was.
pub fn replacement(rule: &str) -> String {
    format!("[removed:{rule}]")
}

/// Replaces credentials in the arguments of a process: what looks like one,
/// `--password=x`, and the argument after `--password`.
pub fn replace_args(args: &[String]) -> (Vec<String>, Vec<Redaction>) {
    let mut redactions = Vec::new();
    let mut clean = Vec::with_capacity(args.len());
    for (index, arg) in args.iter().enumerate() {
        let named = index > 0 && sensitive_flag(&args[index - 1]) && !arg.starts_with('-');
        if named {
            let len = arg.len() as u64;
            redactions.push(Redaction {
                path: format!("/{index}"),
                rule: NAMED_RULE.into(),
                len,
            });
            clean.push(replacement(NAMED_RULE));
            continue;
        }
        let (text, found) = replace(arg);
        let found = found.into_iter().map(|one| Redaction {
            path: format!("/{index}"),
            ..one
        });
        redactions.extend(found);
        clean.push(text.into_owned());
    }
    (clean, redactions)
}

/// Hash of the three lowest bytes, letters folded to lower case.
const fn hash(window: u32) -> usize {
    let folded = (window & 0xff_ffff) | 0x20_2020;
    (folded.wrapping_mul(0x9e37_79b1) >> 20) as usize
}

/// How many rules there are.
const COUNT: usize = shapes::RULES.len() + url::RULES.len() + keyed::RULES.len();

/// Stands for no rule in [`FIRST`] and [`NEXT`].
const NONE: u8 = u8::MAX;

/// All rules, in the order in which they are tried.
static ALL: [&Rule; COUNT] = all();

/// By hash of three bytes, the first rule whose keyword begins so.
static FIRST: [u8; 4096] = chains().0;

/// By rule, the next one with the same hash.
static NEXT: [u8; COUNT] = chains().1;

const fn all() -> [&'static Rule; COUNT] {
    let mut rules = [&shapes::RULES[0]; COUNT];
    let tables: [&[Rule]; 3] = [shapes::RULES, url::RULES, keyed::RULES];
    let (mut table, mut filled) = (0, 0);
    while table < tables.len() {
        let mut rule = 0;
        while rule < tables[table].len() {
            rules[filled] = &tables[table][rule];
            filled += 1;
            rule += 1;
        }
        table += 1;
    }
    rules
}

const fn chains() -> ([u8; 4096], [u8; COUNT]) {
    let rules = all();
    let (mut first, mut next) = ([NONE; 4096], [NONE; COUNT]);
    let mut left = COUNT;
    while left > 0 {
        left -= 1;
        let keyword = rules[left].keyword;
        let start = hash(u32::from_le_bytes([keyword[0], keyword[1], keyword[2], 0]));
        next[left] = first[start];
        first[start] = left as u8;
    }
    (first, next)
}

/// Whether the byte before a position is none of a word, so that `task-` is
/// not taken for `sk-`.
fn begins_word(bytes: &[u8], position: usize) -> bool {
    let before = position.checked_sub(1).and_then(|index| bytes.get(index));
    before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
        || escape_before(bytes, position)
}

/// Whether a position follows a JSON escape such as `\n`, whose letter is no
/// letter of the word.
fn escape_before(bytes: &[u8], position: usize) -> bool {
    let Some(letter) = position.checked_sub(2) else {
        return false;
    };
    bytes[letter] == b'\\' && matches!(bytes[letter + 1], b'n' | b't' | b'r' | b'b' | b'f')
}

/// First position at or after `from` whose byte is not accepted.
fn run_end(bytes: &[u8], from: usize, accepted: fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest
        .iter()
        .position(|&byte| !accepted(byte))
        .unwrap_or(rest.len())
}

#[cfg(test)]
mod tests;
