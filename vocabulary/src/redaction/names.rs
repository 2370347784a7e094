//! Names that say that their value is a credential, and headers that never hold one.

/// Headers whose values are kept; every other header is recorded by name only.
const KEPT_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expires",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "last-modified",
    "link",
    "location",
    "openai-model",
    "openai-processing-ms",
    "openai-version",
    "prefer",
    "range",
    "ratelimit",
    "ratelimit-limit",
    "ratelimit-policy",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "server",
    "traceparent",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "x-request-id",
];

/// Endings of names, without separators and in lower case.
const SECRET_ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "apikey",
    "accesskey",
    "privatekey",
    "secretkey",
    "signingkey",
    "token",
    "authorization",
    "cookie",
    "credential",
    "credentials",
];

/// The last two letters of each of [`SECRET_ENDINGS`].
const LAST_TWO: &[[u8; 2]] = &[
    *b"rd", *b"wd", *b"se", *b"et", *b"ey", *b"en", *b"on", *b"ie", *b"al", *b"ls",
];

/// Names of query parameters that are sensitive only in a URL.
const QUERY_NAMES: &[&str] = &[
    "key",
    "sig",
    "signature",
    "code",
    "auth",
    "jwt",
    "assertion",
    "sid",
    "sessionid",
];

/// Whether the value of a header may be recorded. Names in any case.
pub fn header_is_kept(name: &str) -> bool {
    KEPT_HEADERS
        .iter()
        .any(|kept| kept.eq_ignore_ascii_case(name))
}

/// Whether a field, column, variable or attribute of this name holds a
/// credential: `db_password`, `X-Api-Key`, `accessToken`.
pub fn is_sensitive_name(name: &str) -> bool {
    // Nearly all names end otherwise: one look instead of one per ending.
    let mut letters = name
        .bytes()
        .rev()
        .filter(u8::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase());
    let (Some(last), Some(before)) = (letters.next(), letters.next()) else {
        return false;
    };
    LAST_TWO.contains(&[before, last])
        && SECRET_ENDINGS.iter().any(|ending| ends_with(name, ending))
}

/// Whether a name ends so, separators left out and letters in any case.
fn ends_with(name: &str, ending: &str) -> bool {
    let mut letters = name.bytes().rev().filter(u8::is_ascii_alphanumeric);
    ending.bytes().rev().all(|wanted| {
        letters
            .next()
            .is_some_and(|letter| letter.eq_ignore_ascii_case(&wanted))
    })
}

/// Whether the argument after this one is a credential: `--password`, `--api-key`.
pub fn sensitive_flag(arg: &str) -> bool {
    arg.starts_with("--") && !arg.contains('=') && is_sensitive_name(arg)
}

/// Whether a query parameter of this name holds a credential.
pub(super) fn is_sensitive_query(name: &str) -> bool {
    let plain = plain(name);
    is_sensitive_name(&plain)
        || QUERY_NAMES.contains(&plain.as_str())
        || (plain.starts_with("xamz") && (plain.ends_with("signature") || plain.ends_with("token")))
        || (plain.starts_with("xgoog") && plain.ends_with("signature"))
}

/// Lower case, without separators.
fn plain(name: &str) -> String {
    let word = |byte: &char| byte.is_ascii_alphanumeric();
    name.chars()
        .filter(word)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_is_found_by_its_last_two_letters() {
        for ending in SECRET_ENDINGS {
            let two = ending.as_bytes().last_chunk::<2>();
            assert!(two.is_some_and(|two| LAST_TWO.contains(two)), "{ending}");
            assert!(is_sensitive_name(ending), "{ending}");
        }
    }
}
