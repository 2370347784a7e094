//! What a line of JSON says of itself: the value of a field, exactly as it is written, and a time in any usual form.

use serde_json::value::RawValue;
use vocabulary::Timestamp;

/// Where a field lies in an object: names, outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// `request.id`, or `/request/id` (a JSON pointer, for names with dots in them).
    ///
    /// # Errors
    /// An empty name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let names: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => pointer
                .split('/')
                .map(|name| name.replace("~1", "/").replace("~0", "~"))
                .collect(),
            None => text.split('.').map(str::to_owned).collect(),
        };
        if names.iter().any(String::is_empty) {
            return Err(format!(
                "{text:?} is no path of a field, such as request.id or /request/id"
            ));
        }
        Ok(Self(names))
    }

    /// The text or number there; `None` for anything else, and where there is nothing. Of a name that is given twice
    /// the last counts.
    pub(crate) fn value(&self, json: &str) -> Option<String> {
        let mut at: Box<RawValue> = serde_json::from_str(json).ok()?;
        for name in &self.0 {
            let mut object: std::collections::HashMap<String, Box<RawValue>> =
                serde_json::from_str(at.get()).ok()?;
            at = object.remove(name)?;
        }
        let raw = at.get();
        if raw.starts_with('"') {
            return serde_json::from_str(raw).ok();
        }
        let number = raw.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        number.then(|| raw.to_owned())
    }
}

/// A time as logs write it: RFC 3339, or seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by
/// their size. Unix nanoseconds.
pub(crate) fn time(text: &str) -> Option<u64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.unix_ns());
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let number: u64 = whole.parse().ok()?;
    let scale: u64 = match number {
        0..=99_999_999_999 => 1_000_000_000,
        100_000_000_000..=99_999_999_999_999 => 1_000_000,
        100_000_000_000_000..=99_999_999_999_999_999 => 1_000,
        _ => 1,
    };
    let mut below = 0;
    let mut step = scale;
    for digit in fraction.bytes() {
        step /= 10;
        below += u64::from(digit - b'0') * step;
    }
    number.checked_mul(scale)?.checked_add(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(path: &str, json: &str) -> Option<String> {
        Path::parse(path).unwrap().value(json)
    }

    #[test]
    fn a_field_is_found_by_dots_or_by_a_pointer_and_is_exact() {
        let json = r#"{"request":{"id":12345678901234567890123,"na.me":"a\"b"},"n":-1.50,"ok":true,"list":[1]}"#;
        assert_eq!(
            value("request.id", json).as_deref(),
            Some("12345678901234567890123")
        );
        assert_eq!(
            value("/request/id", json).as_deref(),
            Some("12345678901234567890123")
        );
        assert_eq!(value("/request/na.me", json).as_deref(), Some("a\"b"));
        assert_eq!(value("n", json).as_deref(), Some("-1.50"));
        for nothing in ["ok", "list", "request", "missing", "n.deeper", "list.0"] {
            assert_eq!(value(nothing, json), None, "{nothing}");
        }
        for broken in ["", "not json", "[1]", "{\"n\":"] {
            assert_eq!(value("n", broken), None, "{broken}");
        }
        for bad in ["", ".", "a..b", "/", "/a//b"] {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_read_in_every_usual_unit() {
        let at = 1_773_479_524_125_000_000;
        for text in [
            "2026-03-14T09:12:04.125Z",
            "2026-03-14T10:12:04.125+01:00",
            "1773479524.125",
            "1773479524125",
            "1773479524125000",
            "1773479524125000000",
        ] {
            assert_eq!(time(text), Some(at), "{text}");
        }
        for bad in [
            "",
            "yesterday",
            "-5",
            "1e9",
            "1.2.3",
            "99999999999999999999999",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
