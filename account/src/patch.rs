//! The difference between two states, in a form that others can apply.

use serde_json::Value;
use vocabulary::action::PatchFormat;
use vocabulary::record::ContentState;

use crate::model::Content;

/// What two states differ by: the patch, how it is written, or why there is none.
type Patch = (Option<Value>, Option<PatchFormat>, Option<&'static str>);

/// Texts beyond this many bytes are not compared line by line; the cost grows faster than the text.
const TEXT_BYTES: usize = 1 << 20;

/// The difference between two states: RFC 6902 for JSON and rows, unified lines for other text.
pub(crate) fn between(before: &Content, after: &Content) -> Patch {
    let (Some(old), Some(new)) = (side(before), side(after)) else {
        return (None, None, Some(why_not(before, after)));
    };
    let (Side::Text(old), Side::Text(new)) = (old, new) else {
        return (None, Some(PatchFormat::Binary), None);
    };
    if is_json(before, after)
        && let Some(patch) = json(old, new)
    {
        return (Some(patch), Some(PatchFormat::JsonPatch), None);
    }
    if old
        .unwrap_or_default()
        .len()
        .max(new.unwrap_or_default().len())
        > TEXT_BYTES
    {
        return (
            None,
            None,
            Some("the sides are too long to compare line by line"),
        );
    }
    (
        Some(Value::String(unified(old, new))),
        Some(PatchFormat::Unified),
        None,
    )
}

enum Side<'a> {
    /// Text; `None` for a state that does not exist.
    Text(Option<&'a str>),
    /// Bytes that are no text.
    Bytes,
}

fn side(content: &Content) -> Option<Side<'_>> {
    match content.state {
        ContentState::Absent => Some(Side::Text(None)),
        ContentState::Present if content.is_whole() => Some(
            content
                .as_text()
                .map_or(Side::Bytes, |text| Side::Text(Some(text))),
        ),
        _ => None,
    }
}

fn why_not(before: &Content, after: &Content) -> &'static str {
    match (before.state, after.state) {
        (ContentState::Truncated, _) | (_, ContentState::Truncated) => {
            "a side is kept only in part"
        }
        (ContentState::Redacted, _) | (_, ContentState::Redacted) => {
            "a side was removed before sealing"
        }
        (ContentState::Erased, _) | (_, ContentState::Erased) => "a side was erased",
        (ContentState::NotCaptured, _) | (_, ContentState::NotCaptured) => {
            "a side was not captured"
        }
        (ContentState::Unknown, _) => "the state before is not known",
        (_, ContentState::Unknown) => "the state after is not known",
        _ => "a side is not kept in the record",
    }
}

fn is_json(before: &Content, after: &Content) -> bool {
    let json = |content: &Content| {
        content.state == ContentState::Absent
            || content.media_type.as_deref().is_some_and(|kind| {
                let kind = kind.split(';').next().unwrap_or_default().trim();
                kind == "application/json" || kind.ends_with("+json")
            })
    };
    json(before)
        && json(after)
        && !(before.state == ContentState::Absent && after.state == ContentState::Absent)
}

/// RFC 6902; a state that did not exist is added, or removed, as a whole. `None` where a JSON value could not
/// carry the text exactly.
fn json(old: Option<&str>, new: Option<&str>) -> Option<Value> {
    let read = |text: &str| {
        exact(text)
            .then(|| serde_json::from_str::<Value>(text).ok())
            .flatten()
    };
    let (old, new) = (old.map(read), new.map(read));
    match (old, new) {
        (Some(old), Some(new)) => serde_json::to_value(json_patch::diff(&old?, &new?)).ok(),
        (None, Some(new)) => Some(serde_json::json!([{"op": "add", "path": "", "value": new?}])),
        (Some(old), None) => old.map(|_| serde_json::json!([{"op": "remove", "path": ""}])),
        (None, None) => None,
    }
}

/// Whether a JSON reader keeps every number and key of a text: no number of more digits than a double or a
/// 64-bit integer holds, no key twice.
pub(crate) fn exact(text: &str) -> bool {
    let mut digits = 0;
    let mut in_string = false;
    let mut escaped = false;
    let mut fraction = false;
    for byte in text.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'0'..=b'9' => digits += 1,
            b'.' | b'e' | b'E' if digits > 0 => fraction = true,
            b'+' | b'-' => {}
            _ => (digits, fraction) = (0, false),
        }
        if digits > 18 || (fraction && digits > 15) {
            return false;
        }
    }
    serde_json::from_str::<Once>(text).is_ok()
}

/// JSON in which no object has a key twice.
struct Once;

impl<'de> serde::Deserialize<'de> for Once {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Look)
    }
}

struct Look;

impl<'de> serde::de::Visitor<'de> for Look {
    type Value = Once;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON without doubled keys")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
        let mut seen = std::collections::HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value::<Once>()?;
            if !seen.insert(key) {
                return Err(serde::de::Error::custom("a key occurs twice"));
            }
        }
        Ok(Once)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Once, A::Error> {
        while list.next_element::<Once>()?.is_some() {}
        Ok(Once)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_str<E>(self, _: &str) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once)
    }
}

/// Unified lines with three lines of context.
fn unified(old: Option<&str>, new: Option<&str>) -> String {
    let name =
        |side: Option<&str>, name: &'static str| if side.is_some() { name } else { "/dev/null" };
    let (from, to) = (name(old, "before"), name(new, "after"));
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    similar::TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .header(from, to)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::{between, exact};
    use crate::model::{Content, Inline};
    use vocabulary::action::PatchFormat;
    use vocabulary::record::ContentState;

    fn text(text: &str, media_type: &str) -> Content {
        Content {
            state: ContentState::Present,
            media_type: Some(media_type.to_owned()),
            inline: Some(Inline::Text(text.to_owned())),
            ..Content::absent()
        }
    }

    #[test]
    fn a_json_patch_turns_the_state_before_into_the_state_after() {
        let (old, new) = (
            r#"{"stage":"open","tags":[1,2]}"#,
            r#"{"stage":"renewal","tags":[2]}"#,
        );
        let (patch, format, _) = between(
            &text(old, "application/json"),
            &text(new, "application/json"),
        );
        assert_eq!(format, Some(PatchFormat::JsonPatch));
        let mut state: serde_json::Value = serde_json::from_str(old).unwrap();
        let patch: json_patch::Patch = serde_json::from_value(patch.unwrap()).unwrap();
        json_patch::patch(&mut state, &patch).unwrap();
        assert_eq!(
            state,
            serde_json::from_str::<serde_json::Value>(new).unwrap()
        );
    }

    #[test]
    fn json_that_a_value_cannot_carry_exactly_is_compared_as_text() {
        for body in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":123456789012345678901234567890}"#,
            r#"{"a":0.12345678901234567}"#,
        ] {
            assert!(!exact(body), "{body}");
            let (_, format, _) = between(
                &text("{}", "application/json"),
                &text(body, "application/json"),
            );
            assert_eq!(format, Some(PatchFormat::Unified));
        }
        assert!(exact(
            r#"{"a":{"b":[1,-2.5e3,"1234567890123456789012345\""]},"c":{"b":null}}"#
        ));
    }

    #[test]
    fn text_gives_unified_lines_and_a_new_file_starts_from_nothing() {
        let (patch, format, _) = between(&Content::absent(), &text("a\nb\n", "text/markdown"));
        assert_eq!(format, Some(PatchFormat::Unified));
        assert_eq!(
            patch.unwrap(),
            "--- /dev/null\n+++ after\n@@ -0,0 +1,2 @@\n+a\n+b\n"
        );
    }

    #[test]
    fn sides_that_are_not_all_there_are_not_compared_and_it_says_why() {
        let cut = Content {
            state: ContentState::Truncated,
            ..text("a", "text/plain")
        };
        let (patch, format, why) = between(&cut, &text("b", "text/plain"));
        assert_eq!((patch, format), (None, None));
        assert_eq!(why, Some("a side is kept only in part"));
    }
}
