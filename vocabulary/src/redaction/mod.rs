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
//! A rolling hash of three bytes skips nearly everything; only where a keyword
//! may begin are rules tried.

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

/// Tables of rules, in the order in which they are tried.
const TABLES: &[&[Rule]] = &[shapes::RULES, url::RULES, keyed::RULES];

/// All credentials in one value, in order, not overlapping.
pub fn find(bytes: &[u8]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    if bytes.len() < 3 {
        return found;
    }
    let mut position = 0;
    while position + 3 <= bytes.len() {
        let window = [bytes[position], bytes[position + 1], bytes[position + 2]];
        if !STARTS[start_hash(window)] {
            position += 1;
            continue;
        }
        match at(bytes, position) {
            Some(finding) if finding.start >= found.last().map_or(0, |last| last.end) => {
                position = finding.end.max(position + 1);
                found.push(finding);
            }
            _ => position += 1,
        }
    }
    found
}

/// The credential whose keyword begins at a position.
fn at(bytes: &[u8], position: usize) -> Option<Finding> {
    let rest = &bytes[position..];
    TABLES.iter().copied().flatten().find_map(|rule| {
        let head = rest.get(..rule.keyword.len())?;
        let same = if rule.either_case {
            head.eq_ignore_ascii_case(rule.keyword)
        } else {
            head == rule.keyword
        };
        if same {
            (rule.check)(bytes, position)
        } else {
            None
        }
    })
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

/// Hash of three bytes, letters folded to lower case.
const fn start_hash(window: [u8; 3]) -> usize {
    let [a, b, c] = window;
    let (a, b, c) = (
        (a | 0x20) as usize,
        (b | 0x20) as usize,
        (c | 0x20) as usize,
    );
    (a ^ (b << 3) ^ (c << 6)) & 0xfff
}

/// Where a keyword may begin.
static STARTS: [bool; 4096] = starts();

const fn starts() -> [bool; 4096] {
    let mut table = [false; 4096];
    let mut list = 0;
    while list < TABLES.len() {
        let mut rule = 0;
        while rule < TABLES[list].len() {
            let keyword = TABLES[list][rule].keyword;
            table[start_hash([keyword[0], keyword[1], keyword[2]])] = true;
            rule += 1;
        }
        list += 1;
    }
    table
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
