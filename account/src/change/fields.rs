//! A database row or a JSON object as named values, so that two of them can be shown side by side.

use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;
use vocabulary::digest::Digest;
use vocabulary::record::ContentState;
use vocabulary::row::{self, Cell, Row};

use super::origin::Origin;
use crate::model::Content;

/// Blobs up to this many bytes are shown whole.
const SHOWN: usize = 16;

/// What a value that is no object is called.
const VALUE: &str = "(value)";

/// One named value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// The column's name, or the value's JSON Pointer without its first slash.
    pub field: String,
    /// The value before, as JSON or SQL would write it; `null` where there was none, the text `null` where it was null.
    pub before: Option<String>,
    /// The value after.
    pub after: Option<String>,
    /// What gave it its value after, or took it away.
    pub by: Origin,
}

impl Field {
    /// Whether it differs.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.before != self.after
    }
}

/// The named values of a state, in its own order; none for a state that does not exist, `None` for one that is not
/// made of named values or that cannot be told exactly.
pub(super) fn of(content: &Content) -> Option<Vec<(String, String)>> {
    if content.state == ContentState::Absent {
        return Some(Vec::new());
    }
    if content.state != ContentState::Present || !content.is_whole() {
        return None;
    }
    let text = content.as_text()?;
    let media_type = content.media_type.as_deref().unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if media_type == row::MEDIA_TYPE {
        let row = Row::parse(text).ok()?;
        let cells = row.cells.iter();
        return Some(
            cells
                .map(|(name, cell)| (name.clone(), shown(cell)))
                .collect(),
        );
    }
    if media_type != "application/json" && !media_type.ends_with("+json") {
        return None;
    }
    if !crate::patch::exact(text) {
        return None;
    }
    let mut list = Vec::new();
    flatten(String::new(), &serde_json::from_str(text).ok()?, &mut list);
    Some(list)
}

/// The values of an object, nested ones by their path; a list is one value.
fn flatten(path: String, value: &Value, list: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                let name = name.replace('~', "~0").replace('/', "~1");
                let path = match path.is_empty() {
                    true => name,
                    false => format!("{path}/{name}"),
                };
                flatten(path, value, list);
            }
        }
        value => {
            let path = if path.is_empty() {
                VALUE.to_owned()
            } else {
                path
            };
            list.push((path, value.to_string()));
        }
    }
}

/// A cell so that two that differ look different: texts in quotes, bytes in hexadecimal or by their digest.
fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => Value::from(text.as_str()).to_string(),
        Cell::Blob(bytes) => of_bytes("blob", bytes),
        Cell::TextBytes(bytes) => of_bytes("text", bytes),
        Cell::Large { of, size, digest } => format!("{of}, {size} bytes, {digest}"),
        Cell::Other { native, text } => format!("{text} ({native})"),
        plain => plain.to_string(),
    }
}

fn of_bytes(word: &str, bytes: &[u8]) -> String {
    if bytes.len() > SHOWN {
        return format!("{word}, {} bytes, {}", bytes.len(), Digest::sha256(bytes));
    }
    bytes.iter().fold(format!("{word} x"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Both states beside each other: in the order of the state before, then what came new.
pub(super) fn beside(
    before: &[(String, String)],
    after: &[(String, String)],
    by: impl Fn(&str) -> Origin,
) -> Vec<Field> {
    let value = |side: &[(String, String)], name: &str| {
        let found = side.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let old = before.iter().map(|(name, _)| name);
    let new = after.iter().map(|(name, _)| name);
    let new = new.filter(|name| !before.iter().any(|(known, _)| known == *name));
    let field = |name: &String| Field {
        field: name.clone(),
        before: value(before, name),
        after: value(after, name),
        by: by(name),
    };
    old.chain(new).map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::model::{Content, Inline};
    use vocabulary::record::ContentState;

    fn content(text: &str, media_type: &str) -> Content {
        Content {
            state: ContentState::Present,
            media_type: Some(media_type.to_owned()),
            inline: Some(Inline::Text(text.to_owned())),
            ..Content::absent()
        }
    }

    #[test]
    fn cells_of_a_row_that_differ_look_different() {
        let row = r#"{"row":"recount.row/1","table":"t","key":["id"],"cells":{"id":{"int":"17"},"a":null,"b":{"text":"null"},"c":{"decimal":"12.50"},"d":{"blob":"AP8="}}}"#;
        let cells = of(&content(row, vocabulary::row::MEDIA_TYPE)).unwrap();
        let values: Vec<&str> = cells.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["17", "null", "\"null\"", "12.50", "blob x00ff"]);
    }

    #[test]
    fn an_object_is_told_by_the_path_of_each_value() {
        let text = r#"{"stage":"open","address":{"a/b":1,"c":[1,2]},"none":{}}"#;
        let values = of(&content(text, "application/json; charset=utf-8")).unwrap();
        let told: Vec<String> = values.iter().map(|(a, b)| format!("{a}={b}")).collect();
        assert_eq!(
            told,
            [
                "stage=\"open\"",
                "address/a~1b=1",
                "address/c=[1,2]",
                "none={}"
            ]
        );
        assert_eq!(
            of(&content("0", "application/json")).unwrap()[0].0,
            "(value)"
        );
    }

    #[test]
    fn what_cannot_be_told_exactly_is_no_table() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"a":123456789012345678901}"#, "{"] {
            assert_eq!(of(&content(text, "application/json")), None, "{text}");
        }
        assert_eq!(of(&content("{}", "text/plain")), None);
    }
}
