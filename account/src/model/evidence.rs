//! Where a fact comes from: the records that show it, and how strong they are.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vocabulary::Source;
use vocabulary::id::RecordRef;

/// What every row carries: the records that show it and who says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The records behind the row; empty for a fact about something absent.
    pub refs: Vec<RecordRef>,
    /// The weakest source among the row's fields.
    pub source: Source,
    /// The fields whose source is another one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub source_of: BTreeMap<String, Source>,
    /// Names of the parts of the record that it depends on and that do not hold; not written where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubt: Vec<String>,
}

impl Evidence {
    /// Evidence of one source.
    #[must_use]
    pub fn new(source: Source, refs: Vec<RecordRef>) -> Self {
        Self {
            refs,
            source,
            source_of: BTreeMap::new(),
            doubt: Vec::new(),
        }
    }

    /// What stands before a fact in every rendering: `?` where it depends on a part that does not hold.
    #[must_use]
    pub fn mark(&self) -> &'static str {
        if self.doubt.is_empty() { "" } else { "?" }
    }

    /// Who says one field of the row.
    #[must_use]
    pub fn of(&self, field: &str) -> Source {
        self.source_of.get(field).copied().unwrap_or(self.source)
    }

    /// The same evidence, with fields that have another source.
    #[must_use]
    pub fn with(mut self, fields: &[(&str, Source)]) -> Self {
        self.source_of.extend(
            fields
                .iter()
                .map(|(field, source)| ((*field).to_owned(), *source)),
        );
        self
    }
}
