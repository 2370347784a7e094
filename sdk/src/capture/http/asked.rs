//! What a request says of itself, and the head of its answer: the same for every client.

use http::{HeaderMap, Method, StatusCode, header::LOCATION};
use url::Url;
use vocabulary::{
    action::{Access, Kind},
    attribute,
    content::Content,
    redaction,
};

use super::{address::Address, outcome};
use crate::{
    Action, Attributes,
    capture::step::{End, Plan},
};

/// The action that a request is.
pub(super) fn plan(
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
    access: Access,
    address: &Address,
    input: Content,
) -> Plan {
    let method = method.as_str();
    let mut attributes = Attributes::new();
    attributes
        .str(attribute::HTTP_METHOD, method)
        .str(attribute::URL_FULL, &address.full)
        .removed(attribute::URL_FULL, address.removed.iter().cloned())
        .str(
            attribute::SERVER_ADDRESS,
            url.host_str().unwrap_or_default(),
        );
    if let Some(port) = url.port_or_known_default() {
        attributes.int(attribute::SERVER_PORT, i64::from(port));
    }
    self::headers(&mut attributes, "http.request.header", headers);
    Plan {
        kind: Kind::Http,
        access,
        name: format!("{method} {}", redaction::replace(url.path()).0),
        operation: method.to_owned(),
        target: address.target.clone(),
        input,
        attributes,
    }
}

/// What is known of the end when the head of the answer is here; a security event is recorded at once.
pub(super) fn end(action: &Action, access: Access, status: StatusCode, headers: &HeaderMap) -> End {
    if let Some(event) = outcome::security(status) {
        let mut attributes = Attributes::new();
        attributes.int(attribute::HTTP_STATUS, i64::from(status.as_u16()));
        if let Some(seconds) = outcome::retry_after(headers) {
            attributes.int(attribute::RETRY_AFTER_S, seconds);
        }
        let reason = status.canonical_reason().unwrap_or_default();
        action.security(event, reason, &attributes);
    }
    let (outcome, effect) = outcome::answered(status, access);
    let mut attributes = Attributes::new();
    attributes.int(attribute::HTTP_STATUS, i64::from(status.as_u16()));
    self::headers(&mut attributes, "http.response.header", headers);
    End {
        outcome,
        effect,
        result: status.to_string(),
        output: None,
        fault: outcome::status_fault(status),
        attributes,
    }
}

/// What a method does, as RFC 9110 has it.
pub(super) fn access_of(method: &Method) -> Access {
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE => Access::Read,
        Method::DELETE => Access::Delete,
        _ => Access::Write,
    }
}

/// Adds the headers that may be recorded, as OpenTelemetry names them.
fn headers(attributes: &mut Attributes, prefix: &str, headers: &HeaderMap) {
    let mut key = String::with_capacity(prefix.len() + 24);
    for name in headers
        .keys()
        .filter(|name| redaction::header_is_kept(name.as_str()))
    {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        if *name == LOCATION || !values.is_empty() {
            key.clear();
            key.push_str(prefix);
            key.push('.');
            key.push_str(name.as_str());
            attributes.texts(&key, &values);
        }
    }
}
