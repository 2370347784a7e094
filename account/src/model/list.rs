//! A list that says how much of it is shown.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ops::Deref;

/// Rows, whole or the first part of them.
///
/// A whole list is written as a JSON array, a cut one as `{total, items, next}`.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T> {
    items: Vec<T>,
    total: usize,
}

impl<T> List<T> {
    /// How many rows there are, shown or not.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// The index of the first row that is not shown; `None` when all are.
    #[must_use]
    pub fn next(&self) -> Option<usize> {
        (self.items.len() < self.total).then_some(self.items.len())
    }

    /// The rows shown, to change them.
    pub fn items_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<T: Clone> List<T> {
    /// The first `limit` rows of this list.
    #[must_use]
    pub fn cut(&self, limit: usize) -> Self {
        Self {
            items: self.items.iter().take(limit).cloned().collect(),
            total: self.total,
        }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            total: 0,
        }
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self {
            total: items.len(),
            items,
        }
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Self::from(rows.into_iter().collect::<Vec<_>>())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

#[derive(Serialize)]
struct CutOut<'a, T> {
    total: usize,
    items: &'a [T],
    next: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Either<T> {
    Whole(Vec<T>),
    Cut { total: usize, items: Vec<T> },
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.next() {
            None => self.items.serialize(to),
            next => CutOut {
                total: self.total,
                items: &self.items,
                next,
            }
            .serialize(to),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Either::deserialize(from)? {
            Either::Whole(items) => items.into(),
            Either::Cut { total, items } => Self { items, total },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::List;

    #[test]
    fn a_whole_list_is_an_array_and_a_cut_one_says_its_total() {
        let whole: List<u8> = vec![1, 2, 3].into();
        assert_eq!(serde_json::to_string(&whole).unwrap(), "[1,2,3]");
        let cut = whole.cut(2);
        assert_eq!(
            serde_json::to_string(&cut).unwrap(),
            r#"{"total":3,"items":[1,2],"next":2}"#
        );
        assert_eq!(
            serde_json::from_str::<List<u8>>(r#"{"total":3,"items":[1,2],"next":2}"#).unwrap(),
            cut
        );
    }
}
