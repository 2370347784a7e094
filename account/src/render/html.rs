//! An account as one HTML file: no scripts, nothing fetched, fit for paper, light and dark.
//!
//! Written from the same facts as text and Markdown. Everything untrusted is escaped twice: what hides or moves is named
//! ([`crate::shown`]), and what a browser acts on is spelled out. The page's own policy forbids everything but its style.

use std::fmt::Write as _;

use vocabulary::record::IntegrityStatus;
use vocabulary::session::OutcomeStatus;

use super::facts::{Fact, facts};
use super::markdown::{LINES, title};
use crate::model::Account;
use crate::shown::line;

/// The page's whole style: colours by meaning, each beside a word that says the same.
const STYLE: &str = include_str!("report.css");

/// SHA-256 of [`STYLE`], base64: the one thing that the page's policy lets in.
const STYLE_HASH: &str = "nXdAmXHoKzoIwuWhxNx58nyPeYLLVk9f+t2ISMsYoxo=";

/// The account as a page of its own. `more` is put before the end: HTML that is already escaped.
#[must_use]
pub fn html(account: &Account, all: bool, more: &str) -> String {
    let id = escaped(line(&account.request.id).as_str());
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Request {id}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    let _ = write!(out, "<h1>Request {id}</h1>\n<p class=\"state\">");
    let status = account.outcome.status;
    let (good, word) = (status == OutcomeStatus::Completed, status.as_str());
    badge(&mut out, if good { "good" } else { "ask" }, word);
    let integrity = account.integrity.status;
    let class = match integrity {
        IntegrityStatus::Intact => "good",
        IntegrityStatus::Open => "ask",
        _ => "bad",
    };
    badge(&mut out, class, &format!("record {integrity}"));
    out.push_str("</p>\n");
    let list = facts(account, if all { usize::MAX } else { LINES });
    for section in list.chunk_by(|one, next| one.field == next.field) {
        self::section(&mut out, section);
    }
    out.push_str(more);
    let _ = write!(
        out,
        "</main>\n<footer><p>{} by recount {}. <em>stated</em>: somebody's word, observed by nobody. \
         <code>s1a#14</code>: the record that shows it, <code>recount log {id}</code> lists them. \
         <code>recount verify {id}</code> checks them again.</p></footer>\n</body>\n</html>\n",
        escaped(&account.schema),
        env!("CARGO_PKG_VERSION"),
    );
    out
}

fn badge(out: &mut String, class: &str, word: &str) {
    let word = word.replace('_', " ").to_uppercase();
    let _ = write!(
        out,
        "<strong class=\"{class}\">{}</strong> ",
        escaped(&word)
    );
}

fn section(out: &mut String, facts: &[Fact]) {
    let Some(first) = facts.first() else { return };
    let (field, title) = (escaped(first.field), escaped(title(first.field)));
    let _ = write!(out, "<section id=\"{field}\">\n<h2>{title}</h2>\n<ul>\n");
    for fact in facts {
        let _ = write!(out, "<li>{}{}", fact.mark(), escaped(&fact.text));
        if fact.stated {
            out.push_str(" <em>stated</em>");
        }
        if !fact.refs.is_empty() {
            let _ = write!(out, " <code>{}</code>", escaped(&fact.references()));
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ul>\n</section>\n");
}

/// Text that a browser shows as it stands, between tags and in quoted attributes.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '`' => out.push_str("&#96;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{STYLE, STYLE_HASH, escaped};
    use base64::Engine as _;
    use sha2::Digest as _;

    #[test]
    fn markup_in_untrusted_text_is_inert() {
        assert_eq!(
            escaped("</style><script>x('\"`&')</script>"),
            "&lt;/style&gt;&lt;script&gt;x(&#39;&quot;&#96;&amp;&#39;)&lt;/script&gt;"
        );
    }

    #[test]
    fn the_policy_lets_in_the_style_of_the_page_and_no_other() {
        let digest = sha2::Sha256::digest(STYLE.as_bytes());
        assert_eq!(
            STYLE_HASH,
            base64::engine::general_purpose::STANDARD.encode(digest)
        );
    }

    #[test]
    fn the_style_fetches_nothing() {
        for word in ["url(", "@import", "</", "http"] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
