//! Credentials that a name gives away: `password=…`, `"api_key": "…"`, `Cookie: …`, `?sig=…`.

use super::{Finding, NAMED_RULE, Rule, run_end, url};

type Check = fn(&[u8], usize) -> Option<Finding>;

const fn word(keyword: &'static [u8], check: Check) -> Rule {
    Rule {
        keyword,
        either_case: true,
        check,
    }
}

pub(super) const RULES: &[Rule] = &[
    word(b"password", |bytes, at| named(bytes, at, 8, 1)),
    word(b"passwd", |bytes, at| named(bytes, at, 6, 1)),
    word(b"passphrase", |bytes, at| named(bytes, at, 10, 1)),
    word(b"pwd", |bytes, at| named(bytes, at, 3, 4)),
    word(b"secret_key", |bytes, at| named(bytes, at, 10, 4)),
    word(b"secret", |bytes, at| named(bytes, at, 6, 4)),
    word(b"api_key", |bytes, at| named(bytes, at, 7, 4)),
    word(b"api-key", |bytes, at| named(bytes, at, 7, 4)),
    word(b"apikey", |bytes, at| named(bytes, at, 6, 4)),
    word(b"access_key", |bytes, at| named(bytes, at, 10, 4)),
    word(b"access-key", |bytes, at| named(bytes, at, 10, 4)),
    word(b"accesskey", |bytes, at| named(bytes, at, 9, 4)),
    word(b"private_key", |bytes, at| named(bytes, at, 11, 4)),
    word(b"signing_key", |bytes, at| named(bytes, at, 11, 4)),
    word(b"token", |bytes, at| named(bytes, at, 5, 8)),
    word(b"authorization", |bytes, at| {
        line(bytes, at, 13, NAMED_RULE)
    }),
    word(b"cookie", |bytes, at| line(bytes, at, 6, "cookie")),
    // Sensitive in a URL only.
    word(b"key=", |bytes, at| query_only(bytes, at, 3)),
    word(b"sig=", |bytes, at| query_only(bytes, at, 3)),
    word(b"signature=", |bytes, at| query_only(bytes, at, 9)),
    word(b"code=", |bytes, at| query_only(bytes, at, 4)),
    word(b"auth=", |bytes, at| query_only(bytes, at, 4)),
    word(b"jwt=", |bytes, at| query_only(bytes, at, 3)),
    word(b"assertion=", |bytes, at| query_only(bytes, at, 9)),
    word(b"sid=", |bytes, at| query_only(bytes, at, 3)),
    word(b"sessionid=", |bytes, at| query_only(bytes, at, 9)),
];

/// Values that are no credential: placeholders, types, truth values.
const HARMLESS: &[&[u8]] = &[
    b"null",
    b"none",
    b"nil",
    b"true",
    b"false",
    b"undefined",
    b"string",
    b"str",
    b"required",
    b"optional",
    b"empty",
    b"unset",
    b"yes",
    b"no",
];

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

/// The value after a name that ends with a keyword, at least `shortest` bytes.
fn named(bytes: &[u8], at: usize, keyword: usize, shortest: usize) -> Option<Finding> {
    let name_end = at + keyword;
    if bytes.get(name_end) == Some(&b'=') {
        let found = query(bytes, at, name_end);
        if found.is_some() {
            return found;
        }
    }
    let start = value_start(bytes, name_end)?;
    let (start, end) = match opening_quote(bytes, start) {
        Some((.., inside)) if is_template(bytes, inside) => return None,
        Some((slashes, quote, inside)) => (inside, quoted_end(bytes, inside, slashes, quote)),
        None if is_template(bytes, start) => return None,
        None => (start, bare_end(bytes, start)),
    };
    let value = bytes.get(start..end)?;
    let numeric = value.iter().all(u8::is_ascii_digit);
    let tellable = value.len() >= shortest && !(numeric && shortest >= 8) && !is_harmless(value);
    tellable.then_some(Finding {
        start,
        end,
        rule: NAMED_RULE,
    })
}

/// The rest of the line, or of the quoted value, after a header's name.
fn line(bytes: &[u8], at: usize, keyword: usize, rule: &'static str) -> Option<Finding> {
    let start = value_start(bytes, at + keyword)?;
    let (start, end) = match opening_quote(bytes, start) {
        Some((slashes, quote, inside)) => (inside, quoted_end(bytes, inside, slashes, quote)),
        None => (
            start,
            run_end(bytes, start, |byte| {
                byte >= b' ' && !is_quote(byte) && byte != b'\\'
            }),
        ),
    };
    let value = bytes.get(start..end)?;
    (value.len() >= 4 && !is_harmless(value)).then_some(Finding { start, end, rule })
}

/// A query parameter whose name is sensitive in a URL only.
fn query_only(bytes: &[u8], at: usize, keyword: usize) -> Option<Finding> {
    query(bytes, at, at + keyword)
}

/// The query value after `equals`, when the name before it begins after `?` or `&`.
fn query(bytes: &[u8], at: usize, equals: usize) -> Option<Finding> {
    let before = bytes[..at]
        .iter()
        .rev()
        .take(64)
        .take_while(|&&byte| is_name_byte(byte))
        .count();
    let name_start = at - before;
    let mark = bytes.get(name_start.checked_sub(1)?)?;
    // `&amp;` and the JSON escape of `&` end in `;` and `6`.
    let opened = matches!(mark, b'?' | b'&' | b';') || bytes[..at].ends_with(b"\\u0026");
    if opened {
        url::query_value(bytes, name_start, equals)
    } else {
        None
    }
}

/// Where the value begins after a name: past its closing quote, spaces and
/// one `:` or `=`. `==` compares and gives nothing.
fn value_start(bytes: &[u8], name_end: usize) -> Option<usize> {
    let is_space = |byte| byte == b' ' || byte == b'\t';
    let quote = run_end(bytes, name_end, |byte| byte == b'\\');
    let name_end = match bytes.get(quote) {
        Some(&byte) if is_quote(byte) => quote + 1,
        _ if quote == name_end => name_end,
        _ => return None,
    };
    let separator = run_end(bytes, name_end, is_space);
    let after = match bytes.get(separator..)? {
        [b'=', b'=', ..] => return None,
        [b':', b'=', ..] | [b'=', b'>', ..] => separator + 2,
        [b':' | b'=', ..] => separator + 1,
        _ => return None,
    };
    Some(run_end(bytes, after, is_space))
}

/// An opening quote: how many backslashes stand before it, which quote, and
/// where the value begins.
fn opening_quote(bytes: &[u8], start: usize) -> Option<(usize, u8, usize)> {
    let quote = run_end(bytes, start, |byte| byte == b'\\');
    let byte = *bytes.get(quote)?;
    is_quote(byte).then_some((quote - start, byte, quote + 1))
}

/// Where a quoted value ends: before the same quote, escaped no deeper than
/// the opening one was. Without one it ends with its line.
fn quoted_end(bytes: &[u8], start: usize, slashes: usize, quote: u8) -> usize {
    let mut run = 0;
    for (offset, &byte) in bytes[start..].iter().enumerate() {
        if byte == b'\\' {
            run += 1;
            continue;
        }
        if byte == b'\n' {
            return start + offset;
        }
        let closes = if slashes == 0 {
            run % 2 == 0
        } else {
            run <= slashes
        };
        if byte == quote && closes {
            return if slashes == 0 {
                start + offset
            } else {
                start + offset - run
            };
        }
        run = 0;
    }
    bytes.len()
}

/// Where a value without quotes ends. An escape counts as part of it, unless
/// what is escaped is a quote.
fn bare_end(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    while let Some(&byte) = bytes.get(end) {
        if byte == b'\\' {
            match bytes.get(end + 1) {
                None => return end,
                Some(&next) if is_quote(next) => return end,
                // A character of several bytes after the backslash stays whole.
                Some(&next) if !next.is_ascii() => end += 1,
                Some(_) => end += 2,
            }
            continue;
        }
        if byte <= b' ' || is_quote(byte) || b",;&)}]<>|`".contains(&byte) {
            return end;
        }
        end += 1;
    }
    end
}

/// Whether the value begins like an object, a list, a placeholder or a
/// replacement.
fn is_template(bytes: &[u8], start: usize) -> bool {
    let rest = bytes.get(start..).unwrap_or_default();
    let opens = |byte: &u8| b" \t\r\n\"'\\{}[]%".contains(byte);
    match rest {
        [b'<', ..] | [b'$', b'{' | b'(', ..] => true,
        [b'{' | b'[', next, ..] if opens(next) => true,
        _ => rest.starts_with(b"[removed:"),
    }
}

fn is_harmless(value: &[u8]) -> bool {
    HARMLESS
        .iter()
        .any(|known| value.eq_ignore_ascii_case(known))
        || value.iter().all(|&byte| byte == super::MASK)
}
