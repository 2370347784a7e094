//! What must hold for any text that a person or a script types: queries, references, times, filters.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a target fails by panicking"
)]

use account::filter::Filter;
use vocabulary::Timestamp;

use crate::app::parse_ref;
use crate::app::time;
use crate::command::split_ref;

/// 2026-03-14T09:12:04Z, from which times count back.
const NOW_NS: u64 = 1_773_479_524_000_000_000;

/// One target: it panics when what it promises does not hold for these bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in `tests/fuzz/seeds`, and how many mutations an ordinary test
/// tries.
pub const TARGETS: &[(&str, Target, u64)] = &[("filter", filter, 10_000), ("query", query, 10_000)];

/// A filter is read, or what is wrong is pointed at within it, with what would be right.
pub fn filter(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let now = Some(Timestamp::from_unix_ns(NOW_NS));
    if let Err(wrong) = Filter::parse(&text, &|text| time::read(text, now)) {
        assert!(
            wrong.at <= text.len() && text.is_char_boundary(wrong.at),
            "{wrong:?}"
        );
        assert!(
            !wrong.what.is_empty() && !wrong.hint.is_empty(),
            "{wrong:?}"
        );
        assert!(wrong.caret(&text).ends_with('^'), "{wrong:?}");
    }
}

/// A query is cut in front of a reference, which is written as it was understood; a time is one moment.
pub fn query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (name, reference) = split_ref(&text);
    assert!(text.starts_with(name));
    match reference {
        Some(reference) => {
            assert!(!name.is_empty() && text[name.len()..].starts_with('#'));
            assert_eq!(parse_ref(&reference.to_string()), Some(reference));
        }
        None => assert_eq!(name, text),
    }
    let now = Timestamp::from_unix_ns(NOW_NS);
    if let Some(at) = time::read(&text, Some(now)) {
        let again = time::read(&at.to_string(), None).unwrap();
        assert_eq!(again.to_string(), at.to_string());
    }
}

#[cfg(test)]
#[path = "../../tests/fuzz/src/mutations.rs"]
mod mutations;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::mutations;

    #[test]
    fn every_target_holds_for_its_seeds_and_their_mutations() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds");
        for (name, target, mutations) in super::TARGETS {
            mutations::hold(name, *target, &seeds.join(name), *mutations);
        }
    }
}
