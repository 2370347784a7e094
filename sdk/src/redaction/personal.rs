//! Personal data, told by shape and check digits: no guess from words.

use std::ops::Range;

/// A sort of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Personal {
    /// E-mail addresses.
    Email,
    /// Payment cards: 13 to 19 digits whose check digit is right.
    Card,
    /// Bank accounts: IBANs whose check digits are right.
    Iban,
    /// Telephone numbers in international form: `+` and 8 to 15 digits.
    Phone,
    /// Social security numbers as the United States write them: `123-45-6789`.
    SocialSecurity,
}

impl Personal {
    /// All sorts.
    pub const ALL: [Self; 5] = [
        Self::Email,
        Self::Card,
        Self::Iban,
        Self::Phone,
        Self::SocialSecurity,
    ];

    /// The rule's name in `redactions[]` and in policy files.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Phone => "phone",
            Self::SocialSecurity => "social_security",
        }
    }
}

/// What may begin at a byte, or be found around it.
const LOOK: [u8; 256] = {
    let mut look = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        look[byte] = match byte as u8 {
            b'@' => 1,
            b'0'..=b'9' => 2,
            b'+' => 3,
            b'A'..=b'Z' => 4,
            _ => 0,
        };
        byte += 1;
    }
    look
};

/// All personal data in some bytes, in order, not overlapping.
pub(super) fn find(bytes: &[u8]) -> Vec<(Range<usize>, Personal)> {
    let mut found: Vec<(Range<usize>, Personal)> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let look = LOOK[usize::from(*byte)];
        if look == 0 {
            at += 1;
            continue;
        }
        let one = match look {
            1 => email(bytes, at).map(|range| (range, Personal::Email)),
            2 if begins(bytes, at) => social_security(bytes, at)
                .map(|range| (range, Personal::SocialSecurity))
                .or_else(|| card(bytes, at).map(|range| (range, Personal::Card))),
            3 => phone(bytes, at).map(|range| (range, Personal::Phone)),
            4 if begins(bytes, at) => iban(bytes, at).map(|range| (range, Personal::Iban)),
            _ => None,
        };
        let free = found.last().map_or(0, |(range, _)| range.end);
        at = match one {
            Some((range, sort)) if range.start >= free => {
                let end = range.end;
                found.push((range, sort));
                end
            }
            // A run of digits or letters is looked at once, from its first.
            _ if look == 2 || look == 4 => run(bytes, at, u8::is_ascii_alphanumeric),
            _ => at + 1,
        };
    }
    found
}

fn run(bytes: &[u8], from: usize, is: impl Fn(&u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|byte| !is(byte)).unwrap_or(rest.len())
}

/// Whether a word may begin here: after a JSON escape such as `\n`, too.
fn begins(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| bytes.get(at));
    match before(1) {
        Some(byte) if byte.is_ascii_alphanumeric() => {
            before(2) == Some(&b'\\') && b"nrt".contains(byte)
        }
        Some(b'_' | b'.') => false,
        _ => true,
    }
}

fn ends(bytes: &[u8], at: usize) -> bool {
    !bytes
        .get(at)
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn email(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let local = |byte: &u8| byte.is_ascii_alphanumeric() || b".!#$&'*+/=?^_`{|}~-".contains(byte);
    // Quotes, slashes and what separates parameters belong to what is around it.
    let inner = |byte: &u8| local(byte) && !b"'/=&`{|}?".contains(byte);
    let before = bytes.get(..at)?;
    let start = before
        .iter()
        .rev()
        .take(64)
        .position(|byte| !inner(byte))
        .map_or(at.saturating_sub(64), |back| at - back);
    // The letter of a JSON escape is no part of it.
    let start = match start.checked_sub(1).and_then(|before| bytes.get(before)) {
        Some(b'\\') => start + 1,
        _ => start,
    };
    let start = start
        + bytes
            .get(start..at)?
            .iter()
            .take_while(|b| **b == b'.')
            .count();
    let domain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'.' || *byte == b'-';
    let mut end = run(bytes, at + 1, domain);
    while end > at && matches!(bytes.get(end - 1), Some(b'.' | b'-')) {
        end -= 1;
    }
    let domain = bytes.get(at + 1..end)?;
    let last = domain.rsplit(|byte| *byte == b'.').next()?;
    let named = domain.contains(&b'.')
        && last.len() >= 2
        && last.iter().all(u8::is_ascii_alphabetic)
        && !domain.windows(2).any(|pair| pair == b"..");
    (start < at && named).then_some(start..end)
}

/// Digits in groups of four, or as they are printed, or in one piece.
fn card(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let mut digits: Vec<u8> = Vec::with_capacity(19);
    let mut end = at;
    let mut separator = None;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'0'..=b'9' => digits.push(byte - b'0'),
            b' ' | b'-'
                if bytes.get(end + 1).is_some_and(u8::is_ascii_digit)
                    && *separator.get_or_insert(*byte) == *byte
                    && matches!(digits.len(), 4 | 8 | 10 | 12 | 16) => {}
            _ => break,
        }
        if digits.len() > 19 {
            return None;
        }
        end += 1;
    }
    let issuer = matches!(digits.first(), Some(2..=6));
    (issuer && (13..=19).contains(&digits.len()) && ends(bytes, end) && luhn(&digits))
        .then_some(at..end)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let doubled = u32::from(*digit) * (1 + (place as u32 % 2));
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

fn iban(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let head = bytes.get(at..at + 4)?;
    if !(head[..2].iter().all(u8::is_ascii_uppercase) && head[2..].iter().all(u8::is_ascii_digit)) {
        return None;
    }
    let mut compact: Vec<u8> = Vec::with_capacity(34);
    let mut end = at;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' => compact.push(*byte),
            b' ' if compact.len().is_multiple_of(4)
                && bytes
                    .get(end + 1)
                    .is_some_and(|next| next.is_ascii_digit() || next.is_ascii_uppercase()) => {}
            _ => break,
        }
        if compact.len() > 34 {
            break;
        }
        end += 1;
    }
    // What follows in capitals may be another word: the longest that checks counts.
    while compact.len() >= 15 {
        if compact.len() <= 34 && ends(bytes, end) && remainder_is_one(&compact) {
            return Some(at..end);
        }
        end -= 1;
        match bytes.get(end) {
            Some(b' ') => {}
            _ => {
                compact.pop();
            }
        }
    }
    None
}

/// ISO 7064 modulo 97-10.
fn remainder_is_one(iban: &[u8]) -> bool {
    let (head, rest) = iban.split_at(4);
    let mut remainder = 0_u32;
    for byte in rest.iter().chain(head) {
        remainder = match byte {
            b'0'..=b'9' => remainder * 10 + u32::from(byte - b'0'),
            _ => remainder * 100 + u32::from(byte - b'A') + 10,
        } % 97;
    }
    remainder == 1
}

fn phone(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    if before.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'+') {
        return None;
    }
    let mut end = at + 1;
    let mut count = 0;
    while let Some(byte) = bytes.get(end) {
        let next_is_digit = || {
            bytes
                .get(end + 1)
                .is_some_and(|b| b.is_ascii_digit() || *b == b'(')
        };
        match byte {
            b'0'..=b'9' => count += 1,
            b' ' | b'-' | b'.' | b')' | b'(' if count > 0 && next_is_digit() => {}
            _ => break,
        }
        end += 1;
    }
    ((8..=15).contains(&count) && ends(bytes, end)).then_some(at..end)
}

fn social_security(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let text = bytes.get(at..at + 11)?;
    let shaped = text.iter().enumerate().all(|(place, byte)| match place {
        3 | 6 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let (area, group, serial) = (&text[..3], &text[4..6], &text[7..]);
    let given =
        area != b"000" && area != b"666" && area[0] != b'9' && group != b"00" && serial != b"0000";
    let alone = ends(bytes, at + 11) && bytes.get(at + 11) != Some(&b'-');
    let alone = alone && at.checked_sub(1).and_then(|at| bytes.get(at)) != Some(&b'-');
    (shaped && given && alone).then_some(at..at + 11)
}
