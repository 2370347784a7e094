//! Where a line or a field of a state comes from.

use serde::{Serialize, Serializer};

/// Where a line or a field comes from, as far as it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// It was there before the first edit that is known.
    Earlier,
    /// The edit with this place among those that were looked at.
    Edit(usize),
    /// Something that nobody recorded: it was other in the state that the edit before left.
    Unrecorded,
}

impl Origin {
    /// The edit, when it is one.
    #[must_use]
    pub fn edit(self) -> Option<usize> {
        match self {
            Self::Edit(step) => Some(step),
            Self::Earlier | Self::Unrecorded => None,
        }
    }

    /// Why no edit can be named.
    #[must_use]
    pub fn unknown(self) -> Option<&'static str> {
        match self {
            Self::Earlier => Some("older than the first change that was recorded"),
            Self::Unrecorded => Some("changed by something that was not recorded"),
            Self::Edit(_) => None,
        }
    }
}

impl Serialize for Origin {
    /// The edit's place; `earlier` or `unrecorded` where there is none.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Edit(step) => to.serialize_u64(*step as u64),
            Self::Earlier => to.serialize_str("earlier"),
            Self::Unrecorded => to.serialize_str("unrecorded"),
        }
    }
}
