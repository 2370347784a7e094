//! Points in time: unix nanoseconds inside, RFC 3339 UTC with six digits outside.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds since 1970-01-01T00:00:00Z, up to the year 2554.
///
/// Written as RFC 3339 in UTC with exactly six digits
/// (`2026-03-14T09:12:04.000000Z`); what is finer than a microsecond is cut
/// off in writing and kept inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// A text that is no point in time which recount can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time like 2026-03-14T09:12:04.000000Z")]
pub struct MalformedTime {
    /// What was read.
    pub text: String,
}

impl Timestamp {
    /// From unix nanoseconds.
    pub const fn from_unix_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// Unix nanoseconds.
    pub const fn unix_ns(self) -> u64 {
        self.0
    }

    /// Unix milliseconds, rounded down.
    pub const fn unix_ms(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Nanoseconds from an earlier time to this one; 0 when it is not earlier.
    pub const fn since_ns(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = jiff::Timestamp::from_nanosecond(i128::from(self.0))
            .map(|time| format!("{time:.6}"))
            .map_err(|_| fmt::Error)?;
        f.pad(&text)
    }
}

impl FromStr for Timestamp {
    type Err = MalformedTime;

    fn from_str(text: &str) -> Result<Self, MalformedTime> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .and_then(|time| u64::try_from(time.as_nanosecond()).ok())
            .map(Self)
            .ok_or_else(|| MalformedTime {
                text: text.to_owned(),
            })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_six_digits_and_read_back() {
        let time = Timestamp::from_unix_ns(1_773_479_524_000_001_999);
        assert_eq!(time.to_string(), "2026-03-14T09:12:04.000001Z");
        let back: Timestamp = time.to_string().parse().unwrap();
        assert_eq!(back.unix_ns(), 1_773_479_524_000_001_000);
    }

    #[test]
    fn the_first_and_the_last_time_can_be_written() {
        assert_eq!(
            Timestamp::from_unix_ns(0).to_string(),
            "1970-01-01T00:00:00.000000Z"
        );
        assert_eq!(
            Timestamp::from_unix_ns(u64::MAX).to_string(),
            "2554-07-21T23:34:33.709551Z"
        );
    }

    #[test]
    fn a_time_before_1970_is_refused_with_its_text() {
        let error = "1969-12-31T23:59:59Z".parse::<Timestamp>().unwrap_err();
        assert!(error.to_string().contains("1969"));
    }
}
