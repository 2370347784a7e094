//! The server behind a relay: requests to it and its answers, without what belongs to one connection only.

use http::header::{
    ACCEPT_ENCODING, CONNECTION, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode, request};
use reqwest::Url;

use super::body::{Body, Watch, innermost, watched};
use super::own_answer;
use crate::failure::Failure;

/// Where a relay sends.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    relay: &'static str,
    url: Url,
}

impl Upstream {
    /// The server at `text`: scheme, host, port, and what every path begins with.
    pub(super) fn new(relay: &'static str, text: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::Usage {
            what: format!("--upstream {text:?} {what}"),
            hint: "write where the calls went before, as https://api.openai.com".to_owned(),
        };
        let url = Url::parse(text).map_err(|error| wrong(&format!("is no url: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(wrong("is no http or https url"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("has a credential in it; the callers send theirs"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("may have scheme, host, port and path only"));
        }
        Ok(Self { relay, url })
    }

    /// A client to send with: it follows no redirect, changes no body and waits as long as the caller does.
    pub(crate) fn client() -> reqwest::ClientBuilder {
        // The second to come here finds it installed.
        drop(rustls::crypto::ring::default_provider().install_default());
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none())
    }

    /// The relay's name.
    pub(super) fn relay(&self) -> &'static str {
        self.relay
    }

    /// What every URL begins with, without a slash at its end.
    pub(crate) fn base(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }

    /// Host, and port where it is not the scheme's own.
    pub(crate) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Where a request for this path and query goes.
    pub(crate) fn url(&self, parts: &request::Parts) -> Url {
        let mut url = self.url.clone();
        let path = format!(
            "{}{}",
            self.url.path().trim_end_matches('/'),
            parts.uri.path()
        );
        url.set_path(&path);
        url.set_query(parts.uri.query());
        url
    }

    /// The request to send.
    pub(crate) fn request(&self, parts: &request::Parts, body: reqwest::Body) -> reqwest::Request {
        let mut request = reqwest::Request::new(parts.method.clone(), self.url(parts));
        *request.headers_mut() = carried(&parts.headers);
        request.headers_mut().remove(HOST);
        // What is recorded is to be what was said, not a coding of it.
        if request.headers_mut().remove(ACCEPT_ENCODING).is_some() {
            let plain = HeaderValue::from_static("identity");
            request.headers_mut().insert(ACCEPT_ENCODING, plain);
        }
        // Without a body there is none to send: `Transfer-Encoding: chunked` on a GET is another request.
        if has_body(parts) {
            *request.body_mut() = Some(body);
        }
        request
    }

    /// Hands on what the server answers, `watch` looking at the body as it passes.
    pub(crate) fn answer<W: Watch + Unpin>(
        &self,
        response: reqwest::Response,
        watch: W,
    ) -> Response<Body> {
        let (mut parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
        parts.headers = carried(&parts.headers);
        parts.version = http::Version::default();
        Response::from_parts(parts, watched(body, watch))
    }

    /// What the caller gets where no answer came; the system's words for it.
    pub(crate) fn unanswered(&self, error: &dyn std::error::Error) -> (Response<Body>, String) {
        let why = innermost(error);
        let said = format!("no answer from {}: {why}", self.host());
        (own_answer(StatusCode::BAD_GATEWAY, self.relay, &said), why)
    }

    /// What the caller gets where its call could not be recorded, and so was not made.
    pub(crate) fn refused(&self, why: &dyn std::error::Error) -> Response<Body> {
        let said = format!("not sent, because it could not be recorded: {why}");
        own_answer(StatusCode::SERVICE_UNAVAILABLE, self.relay, &said)
    }
}

/// Whether the message has a body: RFC 9112, 6.3.
fn has_body(parts: &request::Parts) -> bool {
    let length = parts.headers.get(http::header::CONTENT_LENGTH);
    match (length, parts.version) {
        (Some(length), _) => {
            length != "0" || !matches!(parts.method, http::Method::GET | http::Method::HEAD)
        }
        (None, http::Version::HTTP_2) => {
            !matches!(parts.method, http::Method::GET | http::Method::HEAD)
        }
        (None, _) => parts.headers.contains_key(TRANSFER_ENCODING),
    }
}

/// Headers that belong to one connection and are not handed on: RFC 9110, 7.6.1.
fn is_one_connections(name: &HeaderName) -> bool {
    [
        CONNECTION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
    ]
    .contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// The headers that are handed on.
fn carried(headers: &HeaderMap) -> HeaderMap {
    let listed: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    headers
        .iter()
        .filter(|(name, _)| !is_one_connections(name) && !listed.contains(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_one_connection_is_not_handed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("authorization", "Bearer k"),
        ] {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers.append("set-cookie", "a=1".parse().unwrap());
        headers.append("set-cookie", "b=2".parse().unwrap());
        let kept = carried(&headers);
        let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["authorization", "set-cookie", "set-cookie"]);
    }

    #[test]
    fn paths_go_behind_the_upstreams_own() {
        let upstream = Upstream::new("llm", "https://h.test/v1/").unwrap();
        let parts = |text: &str| http::Request::get(text).body(()).unwrap().into_parts().0;
        assert_eq!(
            upstream.url(&parts("/chat?a=b%20c")).as_str(),
            "https://h.test/v1/chat?a=b%20c"
        );
        for wrong in [
            "h.test",
            "ftp://h.test",
            "https://u:p@h.test",
            "https://h.test/?a=b",
        ] {
            assert!(Upstream::new("llm", wrong).is_err(), "{wrong}");
        }
    }
}
