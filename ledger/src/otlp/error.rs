//! Why bytes are not an OTLP message, and where.

use std::borrow::Cow;

/// Bytes that are not what they should be. Two readers of the same bytes report the same place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct Malformed {
    /// Offset in the bytes that were given to the reader.
    pub offset: usize,
    /// What is wrong there, as a phrase that can stand in the middle of a sentence.
    pub what: Cow<'static, str>,
}

impl Malformed {
    pub(crate) fn new(offset: usize, what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            offset,
            what: what.into(),
        }
    }

    /// The same complaint seen from an enclosing buffer in which these bytes start at `base`.
    pub(crate) fn within(mut self, base: usize) -> Self {
        self.offset = self.offset.saturating_add(base);
        self
    }
}
