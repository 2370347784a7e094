//! Times as users write them: a moment, a day, or how long ago.

use vocabulary::Timestamp;

/// Reads a time; `now` is what `2h` counts back from, and without it nothing is ago. `None` for what is no time.
pub(crate) fn read(text: &str, now: Option<Timestamp>) -> Option<Timestamp> {
    let moment = || text.parse::<Timestamp>().ok();
    let minutes = || {
        text.strip_suffix('Z')
            .and_then(|rest| format!("{rest}:00Z").parse().ok())
    };
    let bare = || format!("{text}Z").parse().ok();
    let bare_minutes = || format!("{text}:00Z").parse().ok();
    let day = || format!("{text}T00:00:00Z").parse().ok();
    moment()
        .or_else(minutes)
        .or_else(bare)
        .or_else(bare_minutes)
        .or_else(day)
        .or_else(|| ago(text, now?))
}

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let seconds: u64 = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86400,
        "w" => 7 * 86400,
        _ => return None,
    };
    let back = digits
        .parse::<u64>()
        .ok()?
        .checked_mul(seconds)?
        .checked_mul(1_000_000_000)?;
    Some(Timestamp::from_unix_ns(now.unix_ns().saturating_sub(back)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_a_moment_a_day_or_how_long_ago() {
        let now: Timestamp = "2026-03-14T09:12:04Z".parse().unwrap();
        for (text, wanted) in [
            ("2026-03-14T09:00:00Z", "2026-03-14T09:00:00.000000Z"),
            ("2026-03-14T09:00Z", "2026-03-14T09:00:00.000000Z"),
            ("2026-03-14T09:00", "2026-03-14T09:00:00.000000Z"),
            ("2026-03-14", "2026-03-14T00:00:00.000000Z"),
            ("2h", "2026-03-14T07:12:04.000000Z"),
            ("1d", "2026-03-13T09:12:04.000000Z"),
        ] {
            assert_eq!(read(text, Some(now)).unwrap().to_string(), wanted, "{text}");
        }
        for wrong in ["", "soon", "2x", "h", "2026-13-01"] {
            assert!(read(wrong, Some(now)).is_none(), "{wrong}");
        }
    }
}
