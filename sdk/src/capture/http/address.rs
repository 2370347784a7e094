//! What of a URL is recorded: never user info, never the value of a query parameter that may be a secret.

use reqwest::Url;

/// What stands where a secret was.
const REMOVED: &str = "REDACTED";

/// Parts of parameter names whose values are taken out; names are compared without case, `-` and `_`.
const SECRET_NAMES: &[&str] = &[
    "token",
    "key",
    "secret",
    "password",
    "passwd",
    "pwd",
    "sig",
    "auth",
    "credential",
    "session",
    "jwt",
    "code",
    "assertion",
    "otp",
    "pin",
];

/// A URL as recorded, and what was taken out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The whole URL without fragment, as in `url.full`.
    pub(crate) full: String,
    /// `http:host[:port]/path`: what scopes are matched against and diffs are about. The port is left out where it
    /// is the scheme's own.
    pub(crate) target: String,
    /// Rule and length in bytes of each thing taken out, with where it was.
    pub(crate) removed: Vec<(String, &'static str, usize)>,
}

/// What to record of `url`.
pub(crate) fn address(url: &Url) -> Address {
    let mut removed = Vec::new();
    let mut clean = url.clone();
    clean.set_fragment(None);
    let user_info = url.username().len() + url.password().map_or(0, str::len);
    if user_info > 0 {
        removed.push(("/url/user".to_owned(), "url-user-info", user_info));
        // A URL with user info has a host, the only case in which these could fail.
        drop(clean.set_username(""));
        drop(clean.set_password(None));
    }
    if let Some(query) = url.query() {
        let parts: Vec<String> = query
            .split('&')
            .map(|part| clean_part(part, &mut removed))
            .collect();
        clean.set_query(Some(&parts.join("&")));
    }
    Address {
        full: clean.to_string(),
        target: target(url),
        removed,
    }
}

/// The canonical resource of `url`.
pub(crate) fn target(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("http:{host}{port}{}", url.path())
}

/// `name=value` with the value taken out if the name says that it is a secret.
fn clean_part(part: &str, removed: &mut Vec<(String, &'static str, usize)>) -> String {
    let Some((name, value)) = part.split_once('=') else {
        return part.to_owned();
    };
    let plain: String = name
        .to_ascii_lowercase()
        .chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .collect();
    if value.is_empty() || !SECRET_NAMES.iter().any(|secret| plain.contains(secret)) {
        return part.to_owned();
    }
    removed.push((
        format!("/url/query/{name}"),
        "url-query-secret",
        value.len(),
    ));
    format!("{name}={REMOVED}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_info_and_secret_query_values_are_taken_out() {
        let url =
            Url::parse("https://ann:hunter2@crm.example.test/a/17?page=2&Access-Token=abc&x#frag")
                .unwrap();
        let address = address(&url);
        assert_eq!(
            address.full,
            "https://crm.example.test/a/17?page=2&Access-Token=REDACTED&x"
        );
        assert_eq!(address.target, "http:crm.example.test/a/17");
        assert_eq!(address.removed.len(), 2);
        assert!(!format!("{address:?}").contains("hunter2"));
    }

    #[test]
    fn only_a_port_of_its_own_is_part_of_the_target() {
        let of = |text: &str| target(&Url::parse(text).unwrap());
        assert_eq!(of("http://127.0.0.1:8080/x?y"), "http:127.0.0.1:8080/x");
        assert_eq!(of("https://h.test:443/"), "http:h.test/");
    }
}
