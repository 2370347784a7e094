//! Following redirects one request at a time, so that each is recorded and none carries headers to another host.

use http::{
    HeaderMap, Method, StatusCode,
    header::{
        AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION,
        PROXY_AUTHORIZATION, TRANSFER_ENCODING, WWW_AUTHENTICATE,
    },
};
use reqwest::Request;

use super::address::same_origin;

/// A request as it can be sent again.
#[derive(Debug)]
pub(super) struct Again {
    request: Request,
    /// Whether it had a body that cannot be sent twice; `request` is without it then.
    body_lost: bool,
}

impl Again {
    /// A copy of `request`, which must not carry the recorder's own headers yet: those are decided for each host.
    pub(super) fn of(request: &Request) -> Self {
        if let Some(request) = request.try_clone() {
            return Self {
                request,
                body_lost: false,
            };
        }
        let mut bare = Request::new(request.method().clone(), request.url().clone());
        *bare.headers_mut() = request.headers().clone();
        *bare.version_mut() = request.version();
        *bare.timeout_mut() = request.timeout().copied();
        Self {
            request: bare,
            body_lost: true,
        }
    }
}

/// The request that a redirect asks for, or `None` if the answer is none that can be followed: another status, no
/// usable `location`, or a body that cannot be sent twice. `sent` is a copy of the request that was answered.
pub(super) fn following(status: StatusCode, headers: &HeaderMap, sent: Again) -> Option<Request> {
    let Again {
        request: sent,
        body_lost,
    } = sent;
    let drops_body = match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => *sent.method() == Method::POST,
        StatusCode::SEE_OTHER => *sent.method() != Method::HEAD,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
        _ => return None,
    };
    if body_lost && !drops_body {
        return None;
    }
    let location = std::str::from_utf8(headers.get(LOCATION)?.as_bytes()).ok()?;
    let from = sent.url().clone();
    let mut to = from.join(location).ok()?;
    if !matches!(to.scheme(), "http" | "https") {
        return None;
    }
    if to.fragment().is_none() {
        to.set_fragment(from.fragment());
    }
    let mut next = sent;
    if drops_body {
        *next.method_mut() = Method::GET;
        *next.body_mut() = None;
        for name in [
            CONTENT_TYPE,
            CONTENT_LENGTH,
            CONTENT_ENCODING,
            TRANSFER_ENCODING,
        ] {
            next.headers_mut().remove(name);
        }
    }
    if !same_origin(&from, &to) {
        for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, WWW_AUTHENTICATE] {
            next.headers_mut().remove(name);
        }
        next.headers_mut().remove("cookie2");
    }
    *next.url_mut() = to;
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::Url;

    fn request(method: Method) -> Request {
        let mut request = Request::new(method, Url::parse("https://a.test/x").unwrap());
        for name in ["authorization", "cookie", "content-type", "x-kept"] {
            request.headers_mut().insert(name, "v".parse().unwrap());
        }
        *request.body_mut() = Some("body".into());
        request
    }

    fn to(status: u16, location: &str, method: Method) -> Option<Request> {
        let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        following(
            StatusCode::from_u16(status).unwrap(),
            &headers,
            Again::of(&request(method)),
        )
    }

    #[test]
    fn another_host_gets_no_credentials() {
        let next = to(307, "https://b.test/y", Method::POST).unwrap();
        let mut names: Vec<&str> = next.headers().keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-kept"]);
        assert!(next.body().is_some());
        let next = to(308, "/y", Method::PUT).unwrap();
        assert!(
            next.headers().contains_key("authorization") && next.headers().contains_key("cookie")
        );
    }

    #[test]
    fn a_post_becomes_a_get_where_browsers_make_it_one() {
        for status in [301, 302, 303] {
            let next = to(status, "y", Method::POST).unwrap();
            assert_eq!(
                (next.method(), next.body().is_some()),
                (&Method::GET, false)
            );
            assert_eq!(next.url().as_str(), "https://a.test/y");
        }
        assert_eq!(to(302, "/y", Method::PUT).unwrap().method(), Method::PUT);
        assert!(to(200, "/y", Method::GET).is_none());
        assert!(to(302, "ftp://b.test/", Method::GET).is_none());
    }
}
