//! Who acts, in the forms in which peers and child processes are told.

use vocabulary::wire::{BAGGAGE_REQUEST, BAGGAGE_SESSION};

/// The session and action that a peer is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) session: String,
    pub(super) request: Option<String>,
}

impl Identity {
    /// The value of a W3C `traceparent`, sampled.
    pub(crate) fn traceparent(&self) -> String {
        format!("00-{}-{}-01", hex(&self.trace_id), hex(&self.span_id))
    }

    /// The value of a W3C `baggage`.
    pub(crate) fn baggage(&self) -> String {
        let mut baggage = format!("{BAGGAGE_SESSION}={}", percent(&self.session));
        if let Some(request) = &self.request {
            baggage.push_str(&format!(",{BAGGAGE_REQUEST}={}", percent(request)));
        }
        baggage
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything but unreserved characters percent-encoded.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::{
        Context, baggage::BaggageExt as _, propagation::TextMapPropagator as _,
        trace::TraceContextExt as _,
    };
    use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn an_identity_is_written_as_w3c_has_it() {
        let identity = Identity {
            trace_id: [0xab; 16],
            span_id: [1; 8],
            session: "a b,é".to_owned(),
            request: Some("47892".to_owned()),
        };
        assert_eq!(
            identity.traceparent(),
            format!("00-{}-{}-01", "ab".repeat(16), "01".repeat(8))
        );
        assert_eq!(
            identity.baggage(),
            "recount.session.id=a%20b%2C%C3%A9,recount.request.id=47892"
        );
    }

    proptest! {
        /// Read by OpenTelemetry's own propagators, as a peer would.
        #[test]
        fn every_identity_is_read_back_as_it_is(
            trace_id in any::<[u8; 16]>(), span_id in any::<[u8; 8]>(), session in ".{1,40}", request in prop::option::of(".{1,40}"),
        ) {
            prop_assume!(trace_id != [0; 16] && span_id != [0; 8]);
            let identity = Identity { trace_id, span_id, session, request };
            let headers = HashMap::from([
                ("traceparent".to_owned(), identity.traceparent()),
                ("baggage".to_owned(), identity.baggage()),
            ]);
            let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
            let span = parent.span().span_context().clone();
            prop_assert!(span.is_valid() && span.is_sampled());
            prop_assert_eq!((span.trace_id().to_bytes(), span.span_id().to_bytes()), (trace_id, span_id));
            let baggage = BaggagePropagator::new().extract_with_context(&Context::new(), &headers);
            let told = |key: &str| baggage.baggage().get(key).map(|value| value.as_str().to_owned());
            // White space at either end is no part of a value, as W3C has it; percent-encoded it is.
            let kept = |text: &String| text.trim() == text;
            if kept(&identity.session) {
                prop_assert_eq!(told(BAGGAGE_SESSION), Some(identity.session.clone()));
            }
            if identity.request.as_ref().is_none_or(kept) {
                prop_assert_eq!(told(BAGGAGE_REQUEST), identity.request);
            }
        }
    }
}
