//! Telling peers which session asks: `traceparent` and `baggage`, to hosts on a list and to no other.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context, KeyValue,
    baggage::BaggageExt as _,
    propagation::{TextMapCompositePropagator, TextMapPropagator as _},
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use url::Url;
use vocabulary::wire::{BAGGAGE_REQUEST, BAGGAGE_SESSION};

use crate::capture::identity::Identity;

/// Hosts that are told.
#[derive(Debug, Clone, Default)]
pub(super) struct Peers(Vec<String>);

impl Peers {
    /// Adds `host` or `host:port`; a host without a port means every port of it.
    pub(super) fn add(&mut self, host: &str) {
        self.0.push(host.to_ascii_lowercase());
    }

    fn has(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let with_port = url
            .port_or_known_default()
            .map(|port| format!("{host}:{port}"));
        self.0
            .iter()
            .any(|known| known == host || Some(known) == with_port.as_ref())
    }

    /// Adds the headers if `url` is on the list. What the user set is left as it is; baggage is added to.
    pub(super) fn tell(&self, url: &Url, identity: &Identity, headers: &mut HeaderMap) {
        if !self.has(url) {
            return;
        }
        for (name, value) in carried(identity) {
            let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(&value),
            ) else {
                continue;
            };
            if value.is_empty() {
                continue; // strict servers refuse an empty tracestate
            }
            if name == "baggage" {
                headers.append(name, value);
            } else if !headers.contains_key(&name) {
                headers.insert(name, value);
            }
        }
    }
}

/// The headers that carry an identity.
fn carried(identity: &Identity) -> HashMap<String, String> {
    let propagator = TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]);
    let span = SpanContext::new(
        TraceId::from_bytes(identity.trace_id),
        SpanId::from_bytes(identity.span_id),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    );
    let mut baggage = vec![KeyValue::new(BAGGAGE_SESSION, identity.session.clone())];
    baggage.extend(
        identity
            .request
            .clone()
            .map(|request| KeyValue::new(BAGGAGE_REQUEST, request)),
    );
    let context = Context::new()
        .with_remote_span_context(span)
        .with_baggage(baggage);
    let mut headers = HashMap::new();
    propagator.inject_context(&context, &mut headers);
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            trace_id: [1; 16],
            span_id: [2; 8],
            session: "sé".to_owned(),
            request: Some("47892".to_owned()),
        }
    }

    #[test]
    fn only_hosts_on_the_list_are_told() {
        let mut peers = Peers::default();
        peers.add("crm.example.test");
        peers.add("127.0.0.1:81");
        let told = |url: &str| {
            let mut headers = HeaderMap::new();
            peers.tell(&Url::parse(url).unwrap(), &identity(), &mut headers);
            headers
        };
        for url in [
            "http://crm.example.test:8080/x",
            "https://CRM.example.test/x",
            "http://127.0.0.1:81/",
        ] {
            let headers = told(url);
            assert_eq!(
                headers["traceparent"],
                format!("00-{}-{}-01", "01".repeat(16), "02".repeat(8))
            );
            assert!(
                headers["baggage"]
                    .to_str()
                    .unwrap()
                    .contains("recount.request.id=47892")
            );
            assert!(!headers.contains_key("tracestate"));
        }
        for url in [
            "http://127.0.0.1:82/",
            "http://evil.crm.example.test/",
            "http://example.test/",
        ] {
            assert!(told(url).is_empty(), "{url}");
        }
    }

    #[test]
    fn a_trace_the_user_carries_on_is_left_alone() {
        let mut peers = Peers::default();
        peers.add("h.test");
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", "theirs".parse().unwrap());
        headers.insert("baggage", "a=b".parse().unwrap());
        peers.tell(
            &Url::parse("http://h.test/").unwrap(),
            &identity(),
            &mut headers,
        );
        assert_eq!(headers["traceparent"], "theirs");
        assert_eq!(headers.get_all("baggage").iter().count(), 2);
    }
}
