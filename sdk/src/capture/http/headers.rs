//! Which headers are recorded: those on this list, and no other.

use http::HeaderMap;

/// Headers whose values say what was asked and answered, and are no secrets.
const RECORDED: &[&str] = &[
    "accept",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "last-modified",
    "location",
    "prefer",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "server",
    "user-agent",
    "x-correlation-id",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-request-id",
];

/// Longest header value that is recorded, in bytes; a longer one is cut.
const VALUE: usize = 1_024;

/// Each recorded header with its values in order. Names are lower case; bytes that are not UTF-8 are shown as `�`.
/// A `location` may carry secrets like any URL and is cleaned by `clean_url`.
pub(crate) fn recorded(
    headers: &HeaderMap,
    clean_url: impl Fn(&str) -> String,
) -> Vec<(&'static str, Vec<String>)> {
    RECORDED
        .iter()
        .filter_map(|name| {
            let values: Vec<String> = headers
                .get_all(*name)
                .iter()
                .map(|value| {
                    String::from_utf8_lossy(value.as_bytes())
                        .chars()
                        .take(VALUE)
                        .collect()
                })
                .map(|value: String| {
                    if *name == "location" {
                        clean_url(&value)
                    } else {
                        value
                    }
                })
                .collect();
            (!values.is_empty()).then_some((*name, values))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_on_the_list() {
        let mut headers = HeaderMap::new();
        for name in [
            "authorization",
            "cookie",
            "set-cookie",
            "x-api-key",
            "proxy-authorization",
            "content-type",
        ] {
            headers.insert(name, "secret".parse().unwrap());
        }
        let kept = recorded(&headers, str::to_owned);
        assert_eq!(kept, [("content-type", vec!["secret".to_owned()])]);
    }
}
