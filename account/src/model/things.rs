//! A number of resources of one sort, and how many sorts are said in one line.

use serde::{Deserialize, Serialize};

/// A number of resources of one sort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Things {
    /// The kind that their names begin with.
    pub kind: String,
    /// What they are called, fitting the number: `account`, `accounts`, `files in pending-review`; derived.
    pub what: String,
    /// How many.
    #[serde(with = "super::wide")]
    pub number: u64,
}

impl Things {
    /// The word alone, without where they lie: `files`, `rows`.
    fn word(&self) -> &str {
        match self.kind.as_str() {
            "file" | "db" => self.what.split(' ').next().unwrap_or_default(),
            _ => &self.what,
        }
    }
}

/// `10 rows`, `12 files`, `9 accounts`: things without where they lie, for lines that others tell more of.
#[must_use]
pub fn plainly(things: &[Things]) -> Vec<String> {
    let mut plain: Vec<(&str, u64)> = Vec::new();
    for row in things {
        let word = row.word();
        let stem = |text: &str| text.trim_end_matches('s').to_owned();
        match plain
            .iter_mut()
            .find(|(known, _)| stem(known) == stem(word))
        {
            Some((known, number)) => {
                // The longer one is the plural.
                *known = if word.len() > known.len() {
                    word
                } else {
                    known
                };
                *number += row.number;
            }
            None => plain.push((word, row.number)),
        }
    }
    let said = |(word, number): (&str, u64)| {
        let many = if number > 1 && matches!(word, "row" | "file" | "table") {
            "s"
        } else {
            ""
        };
        format!("{number} {word}{many}")
    };
    plain.into_iter().map(said).collect()
}

/// `10 rows of contracts`, `12 files in pending-review`: things with where they lie.
#[must_use]
pub fn fully(things: &[Things]) -> Vec<String> {
    let said = |row: &Things| format!("{} {}", row.number, row.what);
    things.iter().map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::{Things, fully, plainly};

    #[test]
    fn the_same_word_is_counted_once() {
        let of = |kind: &str, what: &str, number| Things {
            kind: kind.to_owned(),
            what: what.to_owned(),
            number,
        };
        let things = [
            of("http", "accounts", 9),
            of("db", "rows of a", 2),
            of("db", "row of b", 1),
            of("file", "file in x", 1),
        ];
        assert_eq!(plainly(&things), ["9 accounts", "3 rows", "1 file"]);
        assert_eq!(fully(&things)[1], "2 rows of a");
    }
}
