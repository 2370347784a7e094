//! One export over OTLP/HTTP, and what its answer means for the records in it.

#[cfg(feature = "tls")]
mod tls;
#[cfg(unix)]
pub(crate) mod unix;

use std::io::Read;
use std::time::Duration;

use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
use vocabulary::record::Delivery;
use vocabulary::wire;

use crate::error::SetupError;
use crate::settings::Settings;

/// Longest body of an answer that is read.
const ANSWER_BYTES: u64 = 64 * 1024;

/// What became of one export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// All of it is kept; the receipt if the collector gives one.
    Kept { receipt: Option<String> },
    /// All but some records, which must not be sent again.
    KeptExcept {
        rejected: u64,
        why: String,
        receipt: Option<String>,
    },
    /// Not now; after how long at the earliest.
    Later {
        after: Option<Duration>,
        why: String,
    },
    /// Never in this form.
    Never { why: String },
}

/// Sends exports to one endpoint, over one kept connection.
pub(crate) struct Exporter {
    line: Line,
    url: String,
    gzip: bool,
    /// The value of `authorization`.
    authorization: Option<String>,
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exporter({})", self.url)
    }
}

impl Exporter {
    /// The endpoint is an OTLP/HTTP base address, to which `/v1/logs` is appended, or `unix:` and a socket's path.
    pub(crate) fn new(settings: &Settings) -> Result<Self, SetupError> {
        let (line, base) = Line::open(settings)?;
        Ok(Self {
            line,
            url: format!("{}/v1/logs", base.trim_end_matches('/')),
            gzip: settings.gzip,
            authorization: settings
                .token
                .as_ref()
                .map(|token| format!("Bearer {}", token.0)),
        })
    }

    /// Sends one `ExportLogsServiceRequest` and reads the answer. `seen` asks for
    /// a receipt that proves that the ledger log goes on from that size.
    pub(crate) fn send(&self, body: &[u8], delivery: Delivery, seen: Option<u64>) -> Answer {
        let mut request = self
            .line
            .agent()
            .post(&self.url)
            .header("content-type", "application/x-protobuf")
            .header(wire::DELIVERY_HEADER, delivery.as_str());
        if let Some(size) = seen {
            request = request.header(wire::SEEN_HEADER, size.to_string());
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let packed = self.packed(body);
        if packed.is_some() {
            request = request.header("content-encoding", "gzip");
        }
        match request.send(packed.as_deref().unwrap_or(body)) {
            Ok(answer) => read_answer(answer),
            Err(error) => Answer::Later {
                after: None,
                why: error.to_string(),
            },
        }
    }

    #[cfg(feature = "gzip")]
    fn packed(&self, body: &[u8]) -> Option<Vec<u8>> {
        use std::io::Write;
        if !self.gzip || body.len() < 1024 {
            return None;
        }
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(body).ok()?;
        packer.finish().ok()
    }

    #[cfg(not(feature = "gzip"))]
    fn packed(&self, _body: &[u8]) -> Option<Vec<u8>> {
        let _ = self.gzip;
        None
    }
}

/// What connects to an endpoint.
struct Line {
    agent: ureq::Agent,
    /// The files that it was made from, where there are any; made anew when they change.
    #[cfg(feature = "tls")]
    files: Option<tls::Files>,
}

impl Line {
    /// What connects to the endpoint of these settings, and the base address to ask it for.
    fn open(settings: &Settings) -> Result<(Self, &str), SetupError> {
        #[cfg(feature = "tls")]
        let (files, config) = {
            let files = tls::Files::of(settings);
            let tls = match &files {
                Some(files) => files.read()?,
                None => tls::usual(),
            };
            (files, config(settings.export_timeout).tls_config(tls))
        };
        #[cfg(not(feature = "tls"))]
        let config = config(settings.export_timeout);
        let (agent, base) = connecting(config.build(), &settings.endpoint);
        let line = Self {
            agent,
            #[cfg(feature = "tls")]
            files,
        };
        Ok((line, base))
    }

    #[cfg(feature = "tls")]
    fn agent(&self) -> ureq::Agent {
        let renewed = self.files.as_ref();
        let renewed = renewed.and_then(tls::Files::renewed);
        renewed.unwrap_or_else(|| self.agent.clone())
    }

    #[cfg(not(feature = "tls"))]
    fn agent(&self) -> &ureq::Agent {
        &self.agent
    }
}

/// How every export is sent.
fn config(timeout: Duration) -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .max_redirects(0)
        .timeout_connect(Some(timeout.min(Duration::from_secs(2))))
        .timeout_global(Some(timeout))
        .user_agent(concat!("recount/", env!("CARGO_PKG_VERSION")))
}

/// What connects to an endpoint, and the base address to ask it for.
fn connecting(config: ureq::config::Config, endpoint: &str) -> (ureq::Agent, &str) {
    #[cfg(unix)]
    if let Some(path) = unix::socket(endpoint) {
        let resolver = ureq::unversioned::resolver::DefaultResolver::default();
        let socket = unix::Socket(path.to_owned());
        return (
            ureq::Agent::with_parts(config, socket, resolver),
            unix::ADDRESS,
        );
    }
    (ureq::Agent::new_with_config(config), endpoint)
}

fn read_answer(answer: ureq::http::Response<ureq::Body>) -> Answer {
    let status = answer.status().as_u16();
    let header = |name: &str| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
    let receipt = header(wire::RECEIPT_HEADER);
    let after = header("retry-after").and_then(|text| retry_after(&text));
    let mut body = Vec::new();
    let read = answer
        .into_body()
        .into_reader()
        .take(ANSWER_BYTES)
        .read_to_end(&mut body);
    match status {
        200..=299 => match read.map(|_| partial_success(&body)) {
            Ok(Some((rejected, why))) if rejected > 0 => Answer::KeptExcept {
                rejected,
                why,
                receipt,
            },
            Ok(_) => Answer::Kept { receipt },
            Err(error) => Answer::Later {
                after: None,
                why: format!("answer cut off: {error}"),
            },
        },
        400 | 413 | 415 | 422 => Answer::Never {
            why: said(status, &body),
        },
        _ => Answer::Later {
            after,
            why: said(status, &body),
        },
    }
}

/// `Retry-After` in seconds. The other form, a date, is ignored: it would
/// need the peer's clock to agree with ours.
fn retry_after(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

/// The status with the message of a `google.rpc.Status` (field 2), if any.
fn said(status: u16, body: &[u8]) -> String {
    let message =
        fields(body)
            .find(|(number, _)| *number == 2)
            .and_then(|(_, field)| match field {
                Field::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
                Field::Number(_) => None,
            });
    let text = message
        .or_else(|| std::str::from_utf8(body).ok())
        .unwrap_or_default();
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    if text.is_empty() {
        format!("status {status}")
    } else {
        format!("status {status}: {text}")
    }
}

/// Rejected records and the message of an `ExportLogsServiceResponse`.
fn partial_success(body: &[u8]) -> Option<(u64, String)> {
    let partial = fields(body).find_map(|field| match field {
        (1, Field::Bytes(bytes)) => Some(bytes),
        _ => None,
    })?;
    let (mut rejected, mut why) = (0, String::new());
    for field in fields(partial) {
        match field {
            (1, Field::Number(number)) => rejected = number,
            (2, Field::Bytes(bytes)) => why = String::from_utf8_lossy(bytes).into_owned(),
            _ => {}
        }
    }
    Some((rejected, why))
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The varint and length-delimited fields of a protobuf message; stops where
/// it is malformed.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    std::iter::from_fn(move || {
        let tag = varint(&mut bytes)?;
        match tag & 7 {
            0 => Some((tag >> 3, Field::Number(varint(&mut bytes)?))),
            2 => {
                let len = usize::try_from(varint(&mut bytes)?).ok()?;
                let (field, rest) = bytes.split_at_checked(len)?;
                bytes = rest;
                Some((tag >> 3, Field::Bytes(field)))
            }
            _ => None,
        }
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_success_is_read() {
        let body = [0x0a, 0x07, 0x08, 0x03, 0x12, 0x03, b'b', b'a', b'd'];
        assert_eq!(partial_success(&body), Some((3, "bad".to_owned())));
        assert_eq!(partial_success(&[]), None);
    }

    #[test]
    fn a_wait_given_as_a_date_is_ignored() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }
}
