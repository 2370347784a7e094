//! How a record is named in a query, by people and in paths: `47892#s1a#14`, or `47892#14` in the first stream.

use crate::id::RecordRef;

/// Reads `s1a#14` and `14`, with or without a `#` before it; zeros before the number are no other number.
#[must_use]
pub fn record(text: &str) -> Option<RecordRef> {
    let text = text.trim();
    let bare = text.strip_prefix('#').unwrap_or(text);
    let (stream, digits) = bare.rsplit_once('#').unwrap_or(("s1a", bare));
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    // Screens show short references as `#014`.
    let index: u64 = digits.parse().ok()?;
    format!("{stream}#{index}").parse().ok()
}

/// Splits `47892#s1a#14` and `47892#14` into the query and the record; a query may contain `#` itself.
#[must_use]
pub fn split(query: &str) -> (&str, Option<RecordRef>) {
    for (at, _) in query.match_indices('#') {
        let (before, after) = (query.get(..at), query.get(at + 1..));
        if let Some(wanted) = after.and_then(record)
            && let Some(before) = before.filter(|before| !before.is_empty())
        {
            return (before, Some(wanted));
        }
    }
    (query, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_ends_where_a_record_begins() {
        let said = |query| {
            let (query, wanted) = split(query);
            (query, wanted.map(|wanted| wanted.to_string()))
        };
        let of = |query, wanted: &str| (query, Some(wanted.to_owned()));
        assert_eq!(said("47892#14"), of("47892", "s1a#14"));
        assert_eq!(said("47892#014"), of("47892", "s1a#14"));
        assert_eq!(said("47892#s2b#0"), of("47892", "s2b#0"));
        assert_eq!(said("a#b#s1a#3"), of("a#b", "s1a#3"));
        assert_eq!(said("a#b"), ("a#b", None));
        assert_eq!(said("#14"), ("#14", None));
        assert_eq!(said("47892#"), ("47892#", None));
    }
}
