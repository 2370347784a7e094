//! What a caller tells of itself in headers.

use http::{HeaderMap, HeaderValue};
use recount::Kind;
use vocabulary::id::{RequestId, SessionId};
use vocabulary::wire::{BAGGAGE_REQUEST, BAGGAGE_SESSION};

/// A session by a name of the caller's choice.
pub(super) const SESSION: &str = "x-recount-session";
/// The request that the session works on.
pub(super) const REQUEST: &str = "x-recount-request";
/// Headers by which agents name a session of their own.
const VENDORS: [&str; 3] = ["x-claude-code-session-id", "session_id", "x-session-id"];

/// What a caller told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// A session that the caller opened, in its baggage.
    pub(super) opened: Option<SessionId>,
    /// A name for a session that the relay is to open.
    pub(super) named: Option<SessionId>,
    /// What the agent itself calls its session.
    pub(super) vendor: Option<String>,
    pub(super) request: Option<RequestId>,
    /// Trace and span of the call.
    pub(super) span: Option<([u8; 16], [u8; 8])>,
}

/// Reads what is told, and takes out of the headers what is meant for the relay alone.
pub(super) fn read(headers: &mut HeaderMap) -> Told {
    let mut told = Told {
        span: text(headers, "traceparent").and_then(span),
        vendor: VENDORS
            .iter()
            .find_map(|name| text(headers, name))
            .filter(|value| !value.is_empty())
            .map(str::to_owned),
        ..Told::default()
    };
    let mut rest: Vec<String> = Vec::new();
    let mut ours = false;
    for value in headers.get_all("baggage") {
        for member in value.to_str().unwrap_or_default().split(',') {
            let pair = member.split(';').next().unwrap_or_default();
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key.trim() {
                BAGGAGE_SESSION => {
                    told.opened = decoded(value.trim()).and_then(|id| id.parse().ok());
                    ours = true;
                }
                BAGGAGE_REQUEST => {
                    told.request = decoded(value.trim()).and_then(|id| id.parse().ok());
                    ours = true;
                }
                _ => rest.push(member.trim().to_owned()),
            }
        }
    }
    if ours {
        // Whom the caller told is us: the server behind need not know which session this is.
        headers.remove("baggage");
        rest.retain(|member| !member.is_empty());
        if let (false, Ok(rest)) = (rest.is_empty(), HeaderValue::from_str(&rest.join(","))) {
            headers.insert("baggage", rest);
        }
    }
    told.named = text(headers, SESSION).and_then(|id| id.parse().ok());
    told.request = text(headers, REQUEST)
        .and_then(|id| id.parse().ok())
        .or(told.request);
    headers.remove(SESSION);
    headers.remove(REQUEST);
    told
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A W3C `traceparent`.
fn span(text: &str) -> Option<([u8; 16], [u8; 8])> {
    let mut parts = text.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    if version.len() != 2 || version == "ff" {
        return None;
    }
    let (trace, span) = (hex::<16>(trace)?, hex::<8>(span)?);
    (trace != [0; 16] && span != [0; 8]).then_some((trace, span))
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut out = [0; N];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(out)
}

/// Percent-encoded text; `None` if it is no UTF-8.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).ok()
}

/// The host that a target of this kind was addressed at.
pub(crate) fn addressed(kind: &Kind, host: &str, rest: &str) -> String {
    let host = host.strip_suffix(":80").unwrap_or(host);
    vocabulary::redaction::replace(&format!("{kind}:{host}{rest}"))
        .0
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_and_what_is_for_the_relay_goes_no_further() {
        let mut headers = HeaderMap::new();
        let trace = format!("00-{}-{}-01", "ab".repeat(16), "01".repeat(8));
        headers.insert("traceparent", trace.parse().unwrap());
        headers.append(
            "baggage",
            "a=b, recount.session.id=s%20%C3%A9;x=y".parse().unwrap(),
        );
        headers.append("baggage", "recount.request.id=47892,c=d".parse().unwrap());
        headers.insert(SESSION, "mine".parse().unwrap());
        let told = read(&mut headers);
        assert_eq!(told.opened, Some("s é".parse().unwrap()));
        assert_eq!(told.request, Some("47892".parse().unwrap()));
        assert_eq!(told.named, Some("mine".parse().unwrap()));
        assert_eq!(told.span, Some(([0xab; 16], [1; 8])));
        assert_eq!(headers["baggage"], "a=b,c=d");
        assert!(!headers.contains_key(SESSION) && headers.contains_key("traceparent"));
    }

    #[test]
    fn what_is_malformed_is_not_told() {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", "00-zz-01-01".parse().unwrap());
        headers.insert("baggage", "recount.session.id=%ff, =, ;".parse().unwrap());
        headers.insert(REQUEST, "".parse().unwrap());
        assert_eq!(read(&mut headers), Told::default());
    }
}
