//! An account as Markdown, to be pasted into a ticket or a report.

use std::fmt::Write as _;

use super::facts::facts;
use crate::model::Account;
use crate::shown::line;

/// How many lines of one section are written unless everything is asked for.
pub(super) const LINES: usize = 200;

/// The account as Markdown: a section per field, a bullet per fact.
#[must_use]
pub fn markdown(account: &Account, all: bool) -> String {
    let mut out = format!("# Request {}\n", plain(line(&account.request.id).as_str()));
    let mut section = "";
    for fact in facts(account, if all { usize::MAX } else { LINES }) {
        if fact.field != section {
            section = fact.field;
            let _ = write!(out, "\n## {}\n\n", title(section));
        }
        let _ = write!(out, "- {}{}", fact.mark(), plain(&fact.text));
        if fact.stated {
            out.push_str(" *(stated)*");
        }
        if !fact.refs.is_empty() {
            let _ = write!(out, " `{}`", fact.references());
        }
        out.push('\n');
    }
    out
}

/// The heading of a field's section.
pub(super) fn title(field: &'static str) -> &'static str {
    match field {
        "request" => "Request",
        "session" => "Sessions",
        "asked" => "Asked",
        "result" => "Result",
        "read" => "Read",
        "changed" => "Changed",
        "scope" => "Scope",
        "problem" => "Problems, worst first",
        "why" => "Why (the agent's own words)",
        "who" => "Who is responsible",
        "record" => "Record",
        "unknown" => "Unknown",
        other => other,
    }
}

/// Text that Markdown does not act on: no emphasis, link, image, code, table, quote or HTML.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn markup_in_untrusted_text_is_inert() {
        assert_eq!(
            plain("<img src=x> ![a](b) `c`"),
            "\\<img src=x\\> \\!\\[a\\](b) \\`c\\`"
        );
    }
}
