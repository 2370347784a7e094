//! The bodies of OTLP answers, written by hand: two small messages in two encodings.
//!
//! `Export*ServiceResponse { partial_success = 1 { rejected = 1: int64, error_message = 2: string } }` and
//! `google.rpc.Status { code = 1: int32, message = 2: string, details = 3: Any }`.

use ledger::otlp::Encoding;

/// What an answer says about records that were not taken although the export was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Partial {
    /// How many records will never be accepted.
    pub(crate) rejected: u64,
    /// Why, or a warning when nothing was rejected. Empty: full success.
    pub(crate) message: String,
}

/// Which of the three services answers; it names the count in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Logs,
    Traces,
    Metrics,
}

impl Service {
    fn rejected_key(self) -> &'static str {
        match self {
            Self::Logs => "rejectedLogRecords",
            Self::Traces => "rejectedSpans",
            Self::Metrics => "rejectedDataPoints",
        }
    }
}

/// The body of a successful answer. Full success is an empty message.
pub(crate) fn success(encoding: Encoding, service: Service, partial: &Partial) -> Vec<u8> {
    let full = partial.rejected == 0 && partial.message.is_empty();
    match encoding {
        Encoding::Json if full => b"{}".to_vec(),
        Encoding::Json => {
            // A number, not a string: conforming readers take both, and some in the field take only this.
            let inner = serde_json::json!({ service.rejected_key(): partial.rejected, "errorMessage": partial.message });
            serde_json::json!({ "partialSuccess": inner })
                .to_string()
                .into_bytes()
        }
        Encoding::Protobuf if full => Vec::new(),
        Encoding::Protobuf => {
            let mut inner = Vec::new();
            put_varint_field(&mut inner, 1, partial.rejected);
            put_bytes_field(&mut inner, 2, partial.message.as_bytes());
            let mut out = Vec::new();
            put_bytes_field(&mut out, 1, &inner);
            out
        }
    }
}

/// A `google.rpc.Status` body; with `retry_after_s` in protobuf it carries a `google.rpc.RetryInfo`.
pub(crate) fn status(
    encoding: Encoding,
    code: i32,
    message: &str,
    retry_after_s: Option<u32>,
) -> Vec<u8> {
    match encoding {
        Encoding::Json => serde_json::json!({ "code": code, "message": message })
            .to_string()
            .into_bytes(),
        Encoding::Protobuf => {
            let mut out = Vec::new();
            put_varint_field(&mut out, 1, u64::from(code.unsigned_abs()));
            put_bytes_field(&mut out, 2, message.as_bytes());
            if let Some(seconds) = retry_after_s {
                put_bytes_field(&mut out, 3, &retry_info(seconds));
            }
            out
        }
    }
}

/// `Any { type_url = 1, value = 2: RetryInfo { retry_delay = 1: Duration { seconds = 1 } } }`.
fn retry_info(seconds: u32) -> Vec<u8> {
    let mut duration = Vec::new();
    put_varint_field(&mut duration, 1, u64::from(seconds));
    let mut info = Vec::new();
    put_bytes_field(&mut info, 1, &duration);
    let mut any = Vec::new();
    put_bytes_field(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
    put_bytes_field(&mut any, 2, &info);
    any
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_varint(out, u64::from(number << 3));
        put_varint(out, value);
    }
}

fn put_bytes_field(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number << 3 | 2));
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
    use prost::Message;

    #[test]
    fn a_partial_answer_reads_as_the_official_type() {
        let partial = Partial {
            rejected: 300,
            message: "malformed".into(),
        };
        let body = success(Encoding::Protobuf, Service::Logs, &partial);
        let read = ExportLogsServiceResponse::decode(body.as_slice())
            .unwrap()
            .partial_success
            .unwrap();
        assert_eq!(
            (read.rejected_log_records, read.error_message.as_str()),
            (300, "malformed")
        );
        let body = success(Encoding::Json, Service::Logs, &partial);
        let read: ExportLogsServiceResponse = serde_json::from_slice(&body).unwrap();
        assert_eq!(read.partial_success.unwrap().rejected_log_records, 300);
    }

    #[test]
    fn full_success_is_an_empty_message() {
        assert_eq!(
            success(Encoding::Protobuf, Service::Traces, &Partial::default()),
            b""
        );
        assert_eq!(
            success(Encoding::Json, Service::Traces, &Partial::default()),
            b"{}"
        );
    }
}
