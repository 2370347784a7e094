//! Values in PostgreSQL's binary format as cells, whichever driver they came through.

use vocabulary::row;

use super::cells::{
    BOOL, BPCHAR, BYTEA, DATE, FLOAT4, FLOAT8, INT2, INT4, INT8, JSON, JSONB, NAME, NUMERIC, OID,
    TEXT, TIME, TIMESTAMP, TIMESTAMPTZ, VARCHAR,
};

/// A literal whose type nobody said.
const UNKNOWN: u32 = 705;
pub(super) const UUID: u32 = 2950;

/// What `bytes` mean in the type `oid`, called `native`; those of a type that is not known here are shown as hex.
pub(super) fn cell(oid: u32, native: &str, bytes: &[u8]) -> row::Cell {
    known(oid, bytes).unwrap_or_else(|| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if hex.len() > row::CELL_BYTES {
            return row::Cell::blob(bytes);
        }
        row::Cell::Other {
            native: native.to_owned(),
            text: format!("binary \\x{hex}"),
        }
    })
}

/// A value of an enumerated type, which travels as its label; `None` if it is not text.
pub(super) fn label(native: &str, bytes: &[u8]) -> Option<row::Cell> {
    Some(row::Cell::Other {
        native: native.to_owned(),
        text: std::str::from_utf8(bytes).ok()?.to_owned(),
    })
}

/// A cell as the text by which a key is found again; `None` for NULL and types that are not keys.
pub(super) fn key_text(cell: row::Cell) -> Option<String> {
    match cell {
        row::Cell::Int(text)
        | row::Cell::Decimal(text)
        | row::Cell::Text(text)
        | row::Cell::Timestamp(text) => Some(text),
        row::Cell::Other { native, text } if native == "uuid" => Some(text),
        _ => None,
    }
}

fn known(oid: u32, bytes: &[u8]) -> Option<row::Cell> {
    Some(match oid {
        BOOL => row::Cell::Bool(*bytes.first()? != 0),
        INT2 => row::Cell::int(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        INT4 => row::Cell::int(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        INT8 => row::Cell::int(i64::from_be_bytes(bytes.try_into().ok()?)),
        OID => row::Cell::int(u32::from_be_bytes(bytes.try_into().ok()?).into()),
        FLOAT4 => row::Cell::Real(f32::from_be_bytes(bytes.try_into().ok()?).into()),
        FLOAT8 => row::Cell::Real(f64::from_be_bytes(bytes.try_into().ok()?)),
        TEXT | VARCHAR | BPCHAR | NAME | UNKNOWN => row::Cell::text(bytes),
        BYTEA => row::Cell::blob(bytes),
        JSON => json(bytes)?,
        JSONB => json(bytes.strip_prefix(&[1])?)?,
        UUID => row::Cell::Other {
            native: "uuid".to_owned(),
            text: uuid::Uuid::from_slice(bytes).ok()?.to_string(),
        },
        NUMERIC => numeric(bytes)?,
        DATE => row::Cell::Timestamp(days(i32::from_be_bytes(bytes.try_into().ok()?))?),
        TIME => row::Cell::Timestamp(clock(i64::from_be_bytes(bytes.try_into().ok()?))),
        TIMESTAMP => row::Cell::Timestamp(moment(bytes, "")?),
        TIMESTAMPTZ => row::Cell::Timestamp(moment(bytes, "+00")?),
        _ => return None,
    })
}

fn json(bytes: &[u8]) -> Option<row::Cell> {
    if bytes.len() > row::CELL_BYTES {
        return Some(row::Cell::text(bytes));
    }
    Some(row::Cell::Json(std::str::from_utf8(bytes).ok()?.to_owned()))
}

/// Digits to the base of 10,000, as `numeric_send` writes them.
fn numeric(bytes: &[u8]) -> Option<row::Cell> {
    let mut words = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (count, weight) = (words.next()?, words.next()?.cast_signed());
    let (sign, scale) = (words.next()?, usize::from(words.next()?));
    let named = |text: &str| row::Cell::Other {
        native: "numeric".to_owned(),
        text: text.to_owned(),
    };
    match sign {
        0xC000 => return Some(named("NaN")),
        0xD000 => return Some(named("Infinity")),
        0xF000 => return Some(named("-Infinity")),
        _ => {}
    }
    let digits: Vec<u16> = words.take(usize::from(count)).collect();
    let group = |at: i32| {
        usize::try_from(at)
            .ok()
            .and_then(|at| digits.get(at))
            .copied()
            .unwrap_or(0)
    };
    let weight = i32::from(weight);
    let whole: String = (0..=weight.max(0))
        .map(|at| group(if weight < 0 { -1 } else { at }))
        .map(|digit| format!("{digit:04}"))
        .collect();
    let whole = whole.trim_start_matches('0');
    let groups = i32::try_from(scale.div_ceil(4)).ok()?;
    let fraction: String = (1..=groups)
        .map(|at| format!("{:04}", group(weight + at)))
        .collect();
    let fraction = fraction.get(..scale).unwrap_or(&fraction);
    Some(row::Cell::Decimal(format!(
        "{}{}{}{fraction}",
        if sign == 0x4000 { "-" } else { "" },
        if whole.is_empty() { "0" } else { whole },
        if scale > 0 { "." } else { "" },
    )))
}

const DAY: i64 = 86_400_000_000;

/// Microseconds since 2000-01-01.
fn moment(bytes: &[u8], offset: &str) -> Option<String> {
    match i64::from_be_bytes(bytes.try_into().ok()?) {
        i64::MAX => Some("infinity".to_owned()),
        i64::MIN => Some("-infinity".to_owned()),
        at => {
            let day = days(i32::try_from(at.div_euclid(DAY)).ok()?)?;
            let (date, era) = day.split_at(day.find(' ').unwrap_or(day.len()));
            Some(format!("{date} {}{offset}{era}", clock(at.rem_euclid(DAY))))
        }
    }
}

/// Microseconds since midnight; trailing zeros of the fraction are left out, as the server does.
fn clock(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let text = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    match fraction {
        0 => text,
        _ => format!("{text}.{}", format!("{fraction:06}").trim_end_matches('0')),
    }
}

/// Days since 2000-01-01 in the proleptic Gregorian calendar.
fn days(days: i32) -> Option<String> {
    match days {
        i32::MAX => return Some("infinity".to_owned()),
        i32::MIN => return Some("-infinity".to_owned()),
        _ => {}
    }
    // Years begin in March here, so that the leap day is the last of them.
    let day = i64::from(days) + 730_425;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(match year {
        1.. => format!("{year:04}-{month:02}-{date:02}"),
        _ => format!("{:04}-{month:02}-{date:02} BC", 1 - year),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_has_them() {
        for (at, text) in [
            (0, "2000-01-01"),
            (59, "2000-02-29"),
            (-1, "1999-12-31"),
            (9_000, "2024-08-22"),
            (-730_119, "0001-01-01"),
            (-730_120, "0001-12-31 BC"),
            (i32::MAX, "infinity"),
        ] {
            assert_eq!(days(at).unwrap(), text);
        }
    }

    #[test]
    fn decimals_keep_their_scale() {
        let numeric = |words: &[u16]| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            known(NUMERIC, &bytes).unwrap()
        };
        let decimal = |text: &str| row::Cell::Decimal(text.into());
        assert_eq!(numeric(&[2, 0, 0, 2, 12, 5000]), decimal("12.50"));
        assert_eq!(numeric(&[1, 0xFFFF, 0x4000, 4, 25]), decimal("-0.0025"));
        assert_eq!(numeric(&[1, 1, 0, 0, 3]), decimal("30000"));
        assert_eq!(numeric(&[0, 0, 0, 3]), decimal("0.000"));
        assert_eq!(numeric(&[1, 0xFFFE, 0, 8, 7]), decimal("0.00000007"));
    }
}
