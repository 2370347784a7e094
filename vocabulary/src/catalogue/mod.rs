//! The catalogue: for every event its attributes, their types, and who may send them.
//!
//! `docs/records.md`, the JSON Schemas in `docs/schema/` and the samples in
//! `vocabulary/fixtures/` are generated from these tables; tests prove that
//! they are current and that the tables name exactly the keys of
//! [`crate::attribute`].

mod actions;
mod choices;
mod sessions;
mod shared;
mod signals;

use crate::event::Event;
use crate::word::Word;

pub use shared::{EVERY_RECORD, RESOURCE};

/// Version of the catalogue; adding events, attributes or words keeps it.
pub const VERSION: &str = "recount.records/1";

/// What the catalogue says about one event.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The event.
    pub event: Event,
    /// When it is sent, in one sentence.
    pub when: &'static str,
    /// Who may send it.
    pub senders: Senders,
    /// Its attributes, beyond [`RESOURCE`] and [`EVERY_RECORD`].
    pub fields: &'static [Field],
}

/// One attribute of an event, of every record or of the Resource.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key, from [`crate::attribute`].
    pub key: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// How much it is needed.
    pub need: Need,
    /// What it says, in one sentence.
    pub doc: &'static str,
}

/// How much an attribute is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A record of ours without it is wrong; for other senders its lack is in
    /// the account's `unknown[]`.
    Required,
    /// Sent whenever it is known.
    IfKnown,
    /// Sent where it applies.
    Optional,
}

/// Who may send an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Senders {
    /// Any producer.
    Any,
    /// The producer that owns the session.
    Owner,
    /// Any producer other than the session's owner, and the owner's next run.
    Successor,
    /// `recount log-line`, and senders like it.
    Line,
}

/// What the value of an attribute is, as OTLP `AnyValue`.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A string.
    Text,
    /// A string from a closed set.
    Word(fn() -> Vec<&'static str>),
    /// A string from an open set whose known words are listed.
    OpenWord(fn() -> Vec<&'static str>),
    /// A UUID as a string.
    Uuid,
    /// A canonical resource, `kind:place`.
    Resource,
    /// An integer.
    Int,
    /// A truth value.
    Bool,
    /// This many bytes.
    Bytes(usize),
    /// An array of strings.
    Texts,
    /// A content map.
    Content,
    /// A map of how many candidates there were, their digest and identifiers.
    Candidates,
    /// An array of maps of option and reason.
    Discarded,
    /// An array of maps of path, rule and length.
    Redactions,
}

impl Need {
    /// As the documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::IfKnown => "if known",
            Self::Optional => "optional",
        }
    }
}

impl Senders {
    /// As the documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any producer",
            Self::Owner => "the producer that owns the session",
            Self::Successor => {
                "the owner's next run, or another producer that found the session without an end"
            }
            Self::Line => "`recount log-line` and senders like it",
        }
    }
}

impl Kind {
    /// As the documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Word(_) => "word",
            Self::OpenWord(_) => "open word",
            Self::Uuid => "UUID",
            Self::Resource => "resource",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Bytes(_) => "bytes",
            Self::Texts => "strings",
            Self::Content => "content",
            Self::Candidates => "candidates",
            Self::Discarded => "discarded",
            Self::Redactions => "redactions",
        }
    }
}

/// What the catalogue says about an event.
pub fn of(event: Event) -> &'static Entry {
    // A test proves that every event has an entry; the first one stands in
    // only so that this cannot fail.
    entries()
        .find(|entry| entry.event == event)
        .unwrap_or(&sessions::ENTRIES[0])
}

/// All entries, in the order of the documents.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    [
        sessions::ENTRIES,
        actions::ENTRIES,
        choices::ENTRIES,
        signals::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// The required keys that a record of ours lacks: those of the event, of every
/// record and of the Resource for which `has` says no.
pub fn missing(event: Event, has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    RESOURCE
        .iter()
        .chain(EVERY_RECORD)
        .chain(of(event).fields)
        .filter(|field| field.need == Need::Required && !has(field.key))
        .map(|field| field.key)
        .collect()
}

const fn required(key: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field {
        key,
        kind,
        need: Need::Required,
        doc,
    }
}

const fn if_known(key: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field {
        key,
        kind,
        need: Need::IfKnown,
        doc,
    }
}

const fn optional(key: &'static str, kind: Kind, doc: &'static str) -> Field {
    Field {
        key,
        kind,
        need: Need::Optional,
        doc,
    }
}

/// The words of a closed set.
fn words<W: Word>() -> Vec<&'static str> {
    W::ALL.iter().map(|word| word.word()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::attribute;

    #[test]
    fn every_event_has_one_entry_in_the_order_of_the_design() {
        let listed: Vec<Event> = entries().map(|entry| entry.event).collect();
        let once: BTreeSet<Event> = listed.iter().copied().collect();
        assert_eq!(listed.len(), once.len());
        assert_eq!(once, Event::ALL.iter().copied().collect());
    }

    #[test]
    fn the_catalogue_and_the_constants_name_the_same_keys() {
        let fields = entries().flat_map(|entry| entry.fields);
        let used: BTreeSet<&str> = RESOURCE
            .iter()
            .chain(EVERY_RECORD)
            .chain(fields)
            .map(|field| field.key)
            .collect();
        let declared: BTreeSet<&str> = attribute::ALL.iter().copied().collect();
        let unused: Vec<_> = declared.difference(&used).collect();
        let undeclared: Vec<_> = used.difference(&declared).collect();
        assert!(unused.is_empty(), "in no event: {unused:?}");
        assert!(undeclared.is_empty(), "no constant: {undeclared:?}");
    }

    #[test]
    fn a_key_has_one_type_wherever_it_occurs_and_no_event_has_it_twice() {
        let mut types = std::collections::BTreeMap::new();
        for entry in entries() {
            let mut seen = BTreeSet::new();
            for field in EVERY_RECORD.iter().chain(entry.fields) {
                assert!(
                    seen.insert(field.key),
                    "{} twice in {}",
                    field.key,
                    entry.event
                );
                let known = types.entry(field.key).or_insert(field.kind.as_str());
                assert_eq!(*known, field.kind.as_str(), "{}", field.key);
            }
        }
    }

    #[test]
    fn every_sentence_is_one() {
        for entry in entries() {
            assert!(entry.when.ends_with('.'), "{}", entry.event);
            for field in entry.fields {
                assert!(field.doc.ends_with('.'), "{} in {}", field.key, entry.event);
            }
        }
    }

    #[test]
    fn a_begin_without_target_or_access_is_named_incomplete() {
        let has = |key: &str| !matches!(key, attribute::TARGET | attribute::ACTION_ACCESS);
        assert_eq!(
            missing(Event::ToolInvoke, has),
            [attribute::ACTION_ACCESS, attribute::TARGET]
        );
    }
}
