//! Shown times: UTC or a named zone, never the machine's clock.

use jiff::tz::TimeZone;
use vocabulary::Timestamp;

/// In which zone times are shown.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
    name: String,
    utc: bool,
}

impl Clock {
    /// UTC.
    pub fn utc() -> Clock {
        Clock {
            zone: TimeZone::UTC,
            name: "UTC".to_owned(),
            utc: true,
        }
    }

    /// A zone by name: `utc`, `local`, or an IANA name. Reads the system's zone data, so it belongs to the edge.
    pub fn named(name: &str) -> Result<Clock, jiff::Error> {
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Clock::utc());
        }
        let zone = if name.eq_ignore_ascii_case("local") {
            TimeZone::system()
        } else {
            TimeZone::get(name)?
        };
        let name = zone.iana_name().unwrap_or("local").to_owned();
        Ok(Clock {
            zone,
            name,
            utc: false,
        })
    }

    /// Switches between UTC and the named zone; a clock made for UTC stays there.
    pub fn toggle(&mut self) {
        if self.zone != TimeZone::UTC || self.name != "UTC" {
            self.utc = !self.utc;
        }
    }

    /// What to call the zone in use.
    pub fn name(&self) -> &str {
        if self.utc { "UTC" } else { &self.name }
    }

    fn zone(&self) -> TimeZone {
        if self.utc {
            TimeZone::UTC
        } else {
            self.zone.clone()
        }
    }

    fn print(&self, at: Timestamp, format: &str) -> String {
        match jiff::Timestamp::from_nanosecond(i128::from(at.unix_ns())) {
            Ok(time) => time.to_zoned(self.zone()).strftime(format).to_string(),
            Err(_) => at.to_string(),
        }
    }

    /// `2026-03-14 09:12:04Z`.
    pub fn full(&self, at: Timestamp) -> String {
        self.print(
            at,
            if self.utc {
                "%Y-%m-%d %H:%M:%SZ"
            } else {
                "%Y-%m-%d %H:%M:%S%:z"
            },
        )
    }

    /// `09:12:04Z`.
    pub fn short(&self, at: Timestamp) -> String {
        self.print(at, if self.utc { "%H:%M:%SZ" } else { "%H:%M:%S" })
    }

    /// `09:12`.
    pub fn minute(&self, at: Timestamp) -> String {
        self.print(at, "%H:%M")
    }

    /// `09:12:04.114`.
    pub fn precise(&self, at: Timestamp) -> String {
        self.print(at, "%H:%M:%S%.3f")
    }
}

/// The time from one moment to a later one, as a person says it: `8.2 s`, `19m44s`, `2h05m`.
pub fn took(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<String> {
    let (from, to) = (from?, to?);
    (to >= from).then(|| duration(to.since_ns(from)))
}

/// A duration in nanoseconds as a person says it.
pub fn duration(nanos: u64) -> String {
    let tenths = nanos / 100_000_000;
    let seconds = nanos / 1_000_000_000;
    match seconds {
        0 if tenths == 0 => format!("{} ms", nanos / 1_000_000),
        0..=59 => format!("{}.{} s", seconds, tenths % 10),
        60..=3599 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_the_zone_asked_for() {
        let at = "2026-03-14T09:12:04.114000Z".parse().unwrap();
        assert_eq!(Clock::utc().full(at), "2026-03-14 09:12:04Z");
        assert_eq!(Clock::utc().precise(at), "09:12:04.114");
    }

    #[test]
    fn durations_are_short() {
        for (nanos, said) in [
            (0, "0 ms"),
            (99_000_000, "99 ms"),
            (8_250_000_000, "8.2 s"),
            (1_184_000_000_000, "19m44s"),
            (7_500_000_000_000, "2h05m"),
        ] {
            assert_eq!(duration(nanos), said);
        }
        let (early, late) = (Timestamp::from_unix_ns(1), Timestamp::from_unix_ns(2));
        assert_eq!(took(Some(late), Some(early)), None);
    }
}
