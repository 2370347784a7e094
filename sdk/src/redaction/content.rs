//! One content under a policy: labels first, then what is found, then a digest of what is left.

use std::collections::HashMap;
use std::ops::Range;

use vocabulary::content::{Content, Inline, Redaction};
use vocabulary::digest::{Digest, SessionKey};
use vocabulary::record::ContentState;
use vocabulary::row;

use super::{ContentPolicy, Label, Labelled, Operator, Policy, find, form, json, marker, pointer};

/// How much of the end of a truncated text goes with it: what was cut there may be half a credential.
const CUT: usize = 512;

impl Policy {
    /// The content as the policy lets it be recorded; `subject` is the resource that it belongs to, `session` the key
    /// of the session's digests.
    pub(crate) fn applied(
        &self,
        content: Content,
        subject: Option<&str>,
        session: &SessionKey,
    ) -> Content {
        let Some(bytes) = content.bytes().map(<[u8]>::to_vec) else {
            return content;
        };
        match self.content {
            ContentPolicy::Digest => only_digest(content, &bytes, session),
            ContentPolicy::Full | ContentPolicy::Redacted => {
                self.cleaned(content, bytes, subject, session)
            }
        }
    }

    fn cleaned(
        &self,
        mut content: Content,
        bytes: Vec<u8>,
        subject: Option<&str>,
        session: &SessionKey,
    ) -> Content {
        let mut removed = std::mem::take(&mut content.redactions);
        let mut clean = bytes;
        let before = removed.len();
        if self.content == ContentPolicy::Redacted
            && let Some(subject) = subject
            && let Ok(text) = std::str::from_utf8(&clean)
        {
            let is_row = content.media_type.as_deref() == Some(row::MEDIA_TYPE);
            let edits = self.labelled(text, subject, is_row, content.media_type.as_deref());
            if !edits.is_empty() {
                let paths: Vec<String> = edits.iter().map(|(.., path)| path.clone()).collect();
                let edits = edits
                    .into_iter()
                    .map(|(place, text, rule, _)| (place, text, rule));
                let (next, new) = find::replace(&clean, edits.collect(), &mut removed);
                let named = new.into_iter().zip(paths);
                removed.extend(named.map(|(one, path)| Redaction { path, ..one }));
                clean = next;
            }
        }
        let truncated = content.state == ContentState::Truncated;
        if truncated && !self.cleaner.is_plain() {
            clean.truncate(whole_words(&clean));
        }
        let personal = self.content == ContentPolicy::Redacted;
        let (found, mut new) = self.cleaner.clean(&clean, personal, self.key.as_ref());
        if !new.is_empty() {
            // Where removals by label are follows from their path.
            let found = found.into_owned();
            removed.append(&mut new);
            clean = found;
        }
        let changed = removed.len() > before;
        content.redactions = removed;
        if changed {
            match content.digest {
                _ if truncated => {
                    content.digest = None;
                    content.size = None;
                }
                Some(Digest::HmacSha256(_)) => {
                    content.digest = Some(Digest::keyed(&clean, session));
                    content.size = Some(clean.len() as u64);
                }
                _ => {
                    content.digest = Some(Digest::sha256(&clean));
                    content.size = Some(clean.len() as u64);
                }
            }
        }
        content.inline = Some(Inline::new(&clean));
        content
    }

    /// What is replaced in a JSON text because of its label: place, by what, rule, path.
    fn labelled(
        &self,
        text: &str,
        subject: &str,
        is_row: bool,
        media_type: Option<&str>,
    ) -> Vec<(Range<usize>, String, String, String)> {
        let labels: Vec<_> = self
            .labels
            .iter()
            .filter(|one| one.of.has(subject))
            .collect();
        let closed = self.closed.iter().any(|of| of.has(subject));
        let columns = self.columns(text, subject);
        if labels.is_empty() && columns.is_empty() && !closed {
            return Vec::new();
        }
        if form::is_form(media_type) {
            return self.labelled_fields(text, &labels, closed);
        }
        let mut edits = Vec::new();
        let mut see = |path: &[String], place: Range<usize>| {
            let value = text.get(place.clone()).unwrap_or_default();
            let container = value.starts_with(['{', '[']);
            let parameter = match path {
                [first, name] if first == "parameters" => columns.get(name.as_str()),
                _ => None,
            };
            let cell = parameter.is_some()
                || is_row && path.len() == 2 && path.first().is_some_and(|name| name == "cells");
            let structure =
                is_row && !(path.len() >= 2 && path.first().is_some_and(|n| n == "cells"));
            let label = labels.iter().find(|one| one.at.is_about(path));
            let label = match label.map(|one| one.label).or(parameter.copied()) {
                Some(label) => label,
                None if closed && !structure && (cell || !container) => Label::Sensitive,
                None => return true,
            };
            if structure {
                return true;
            }
            let (rule, operator) = match label {
                Label::Public => return false,
                Label::Internal => return closed && container,
                Label::Sensitive => ("sensitive", Operator::Hmac),
                Label::Secret => ("secret", Operator::Remove),
            };
            if value == "null" || self.is_marker(value) {
                return false;
            }
            let unquoted: Option<String> = serde_json::from_str(value).ok();
            let inner = unquoted.as_deref().unwrap_or(value);
            let instead = marker::instead(operator, rule, inner.as_bytes(), self.key.as_ref());
            let quoted = if cell {
                format!("{{\"text\":\"{instead}\"}}")
            } else {
                format!("\"{instead}\"")
            };
            edits.push((place, quoted, rule.to_owned(), pointer::written(path)));
            false
        };
        let is_json = json::walk(text, &mut see);
        // Half a JSON text hides what its fields are, and what is none says nothing of itself.
        let claims = media_type.is_some_and(|stated| stated.contains("json"));
        if !is_json && (closed || claims) && !text.is_empty() {
            if self.is_marker(text) {
                return Vec::new();
            }
            let key = self.key.as_ref();
            let instead = marker::instead(Operator::Hmac, "sensitive", text.as_bytes(), key);
            return vec![(
                0..text.len(),
                instead,
                "sensitive".to_owned(),
                String::new(),
            )];
        }
        edits
    }

    /// The same in a form: a field is what it is in a JSON text.
    fn labelled_fields(
        &self,
        text: &str,
        labels: &[&Labelled],
        closed: bool,
    ) -> Vec<(Range<usize>, String, String, String)> {
        let mut edits = Vec::new();
        for field in form::fields(text) {
            let label = labels.iter().find(|one| one.at.is_about(&field.path));
            let (rule, operator) = match label.map(|one| one.label) {
                Some(Label::Secret) => ("secret", Operator::Remove),
                Some(Label::Sensitive) => ("sensitive", Operator::Hmac),
                None if closed => ("sensitive", Operator::Hmac),
                Some(Label::Public | Label::Internal) | None => continue,
            };
            let raw = text.get(field.place.clone()).unwrap_or_default();
            if raw.is_empty() || self.is_marker(raw) {
                continue;
            }
            let instead = marker::instead(operator, rule, &field.value, self.key.as_ref());
            let path = pointer::written(&field.path);
            edits.push((field.place, instead, rule.to_owned(), path));
        }
        edits
    }

    /// The labels of a statement's parameters: those of the columns of its table's rows. A statement names its table,
    /// a label the rows in it.
    fn columns(&self, text: &str, subject: &str) -> HashMap<String, Label> {
        #[derive(serde::Deserialize)]
        struct Statement {
            columns: HashMap<String, String>,
        }
        if !subject.starts_with("db:") || self.labels.is_empty() {
            return HashMap::new();
        }
        let Ok(Statement { columns }) = serde_json::from_str(text) else {
            return HashMap::new();
        };
        let row = format!("{subject}/0");
        let label = |column: String| {
            let cell = ["cells".to_owned(), column];
            let about = |one: &&Labelled| {
                (one.of.has(&row) || one.of.has(subject)) && one.at.is_about(&cell)
            };
            self.labels.iter().find(about).map(|one| one.label)
        };
        let labelled = |(name, column)| Some((name, label(column)?));
        columns.into_iter().filter_map(labelled).collect()
    }

    /// Whether a value is one marker and nothing else.
    fn is_marker(&self, value: &str) -> bool {
        let value = value
            .strip_prefix("{\"text\":")
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or(value);
        let value = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(value);
        value.starts_with('[')
            && marker::end(value.as_bytes(), 0, |rule| self.cleaner.knows(rule))
                == Some(value.len())
    }
}

/// Digest, size and type, and nothing else.
fn only_digest(content: Content, bytes: &[u8], session: &SessionKey) -> Content {
    let digest = match content.digest {
        Some(keyed @ Digest::HmacSha256(_)) => Some(keyed),
        // Of the whole of something too long to be guessed.
        Some(plain) if content.state == ContentState::Truncated => Some(plain),
        _ => (content.state == ContentState::Present).then(|| Digest::keyed(bytes, session)),
    };
    let mut redactions = content.redactions;
    redactions.push(Redaction {
        path: String::new(),
        rule: "content_digest".to_owned(),
        len: bytes.len() as u64,
    });
    Content {
        state: ContentState::Redacted,
        digest,
        inline: None,
        redactions,
        why: Some("the session keeps digests of contents only".to_owned()),
        ..content
    }
}

/// How much of a cut text is whole words.
fn whole_words(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(CUT);
    let last = bytes.get(tail..).unwrap_or_default();
    let space = last
        .iter()
        .rposition(|byte| byte.is_ascii_whitespace() || b"\"',;".contains(byte));
    tail + space.map_or(0, |at| at + 1)
}
