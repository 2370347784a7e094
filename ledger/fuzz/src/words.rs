//! Target for the words that people and agents write: scopes, resources, rows, times, ids, digests.

use std::fmt::Display;
use std::str::FromStr;

use vocabulary::digest::Digest;
use vocabulary::id::{ActionId, RecordRef, SessionId, SessionRef, StreamRef};
use vocabulary::redaction;
use vocabulary::row::Row;
use vocabulary::scope::ScopeEntry;
use vocabulary::time::Timestamp;

/// What is understood is written so that it is understood alike; what matches, matches again.
pub(crate) fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    again::<ScopeEntry>(text);
    again::<Timestamp>(text);
    again::<Digest>(text);
    again::<SessionRef>(text);
    again::<StreamRef>(text);
    again::<RecordRef>(text);
    again::<SessionId>(text);
    again::<ActionId>(text);
    if let Ok(row) = Row::parse(text) {
        assert_eq!(Row::parse(&row.to_json()).unwrap().to_json(), row.to_json());
        let _ = row.to_content();
    }
    scope(text);
}

/// Three lines: an entry, one that it may include, a resource.
fn scope(text: &str) {
    let mut lines = text.lines();
    let mut entry = || lines.next()?.parse::<ScopeEntry>().ok();
    let (Some(wide), Some(narrow)) = (entry(), entry()) else {
        return;
    };
    assert!(wide.includes(&wide));
    let resource = lines.next().unwrap_or_default();
    if wide.includes(&narrow) && narrow.covers(narrow.access(), resource) {
        assert!(
            wide.covers(narrow.access(), resource),
            "{wide} {narrow} {resource}"
        );
    }
}

fn again<T: FromStr + Display>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        let written = read.to_string();
        let reread = written.parse::<T>().ok().map(|reread| reread.to_string());
        assert_eq!(reread, Some(written));
    }
}

/// What is masked keeps its length and everything around it; what is replaced holds no credential any more.
pub(crate) fn redaction(bytes: &[u8]) {
    let mut masked = bytes.to_vec();
    let found = redaction::mask(&mut masked);
    assert_eq!(masked.len(), bytes.len());
    let mut at = 0;
    for finding in &found {
        assert!(
            at <= finding.start && finding.start < finding.end,
            "{found:?}"
        );
        assert_eq!(masked.get(at..finding.start), bytes.get(at..finding.start));
        at = finding.end;
    }
    assert_eq!(masked.get(at..), bytes.get(at..));
    let (replaced, redactions) = redaction::replace_bytes(bytes);
    assert_eq!(redactions.is_empty(), replaced == bytes);
}
