//! A control leaf and its private part, each checked by itself.
#![forbid(unsafe_code)]

use super::{Finding, FindingKind, Place, Sealed};
use crate::leaf::{ControlLeaf, Private, control_commitment};
use crate::reader::{StoredControl, StoredPrivate};

/// Reads a private part that [`check_private`] accepted; `None` if it was erased.
pub(super) fn open_private<T: Private>(
    leaf: &ControlLeaf,
    private: Option<&StoredPrivate>,
    signed: bool,
) -> Result<Option<Sealed<T>>, Finding> {
    let Some(private) = private else {
        return Ok(None);
    };
    match T::decode(&private.body) {
        Ok(value) => Ok(Some(Sealed {
            index: leaf.index,
            unix_ns: leaf.unix_ns,
            signed,
            value,
        })),
        Err(error) => Err(Finding {
            kind: FindingKind::Private,
            place: Place::Control {
                from: leaf.index,
                to: leaf.index + 1,
            },
            what: format!("the private part of {}: {error}", leaf.body.name()),
        }),
    }
}

/// A stored leaf that decodes and lies where it says.
pub(super) fn check_leaf(stored: &StoredControl, index: u64) -> Result<ControlLeaf, String> {
    let leaf = ControlLeaf::decode(&stored.leaf).map_err(|error| error.to_string())?;
    if leaf.index != index || stored.index != index {
        return Err(format!(
            "the leaf at {index} says that it is leaf {}",
            leaf.index
        ));
    }
    Ok(leaf)
}

/// A private part that opens its leaf's commitment, or is not there.
pub(super) fn check_private(
    leaf: &ControlLeaf,
    private: Option<&StoredPrivate>,
) -> Result<(), String> {
    let name = leaf.body.name();
    match (leaf.body.commitment(), private) {
        (Some(commitment), Some(private))
            if &control_commitment(&private.salt, &private.body) != commitment =>
        {
            Err(format!(
                "the private part of {name} does not open its commitment"
            ))
        }
        (None, Some(_)) => Err(format!("{name} has no private part, but one is stored")),
        _ => Ok(()),
    }
}
