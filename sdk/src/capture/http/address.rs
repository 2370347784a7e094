//! What of a URL is recorded: never user info, never the value of a query parameter that may be a secret.

use url::Url;
use vocabulary::{content::Redaction, redaction};

/// A URL as recorded, and what was taken out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The whole URL without fragment, as in `url.full`.
    pub(crate) full: String,
    /// `http:host[:port]/path`: what scopes are matched against and diffs are about. The port is left out where it
    /// is the scheme's own.
    pub(crate) target: String,
    /// What was taken out.
    pub(crate) removed: Vec<Redaction>,
}

/// What to record of `url`.
pub(crate) fn address(url: &Url) -> Address {
    let mut clean = url.clone();
    clean.set_fragment(None);
    let (full, removed) = redaction::replace(clean.as_str());
    Address {
        full: full.into_owned(),
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
    redaction::replace(&format!("http:{host}{port}{}", url.path()))
        .0
        .into_owned()
}

/// Whether credentials for one URL may go to the other.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_info_and_secret_query_values_are_taken_out() {
        let url =
            Url::parse("https://ann:hunter2@crm.example.test/a/17?page=2&access_token=abc&x#frag")
                .unwrap();
        let address = address(&url);
        assert!(
            address.full.contains("page=2") && !address.full.contains("frag"),
            "{address:?}"
        );
        assert!(!format!("{address:?}").contains("hunter2") && !address.full.contains("abc"));
        assert_eq!(address.target, "http:crm.example.test/a/17");
        assert_eq!(address.removed.len(), 2);
    }

    #[test]
    fn only_a_port_of_its_own_is_part_of_the_target() {
        let of = |text: &str| target(&Url::parse(text).unwrap());
        assert_eq!(of("http://127.0.0.1:8080/x?y"), "http:127.0.0.1:8080/x");
        assert_eq!(of("https://h.test:443/"), "http:h.test/");
    }
}
