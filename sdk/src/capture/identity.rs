//! Who acts, in the forms in which peers and child processes are told.

use vocabulary::wire::{BAGGAGE_REQUEST, BAGGAGE_SESSION};

/// The session and action that a peer is told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) session: String,
    pub(super) request: Option<String>,
}

impl Identity {
    /// The value of a W3C `traceparent`, sampled.
    pub(super) fn traceparent(&self) -> String {
        format!("00-{}-{}-01", hex(&self.trace_id), hex(&self.span_id))
    }

    /// The value of a W3C `baggage`.
    pub(super) fn baggage(&self) -> String {
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
}
