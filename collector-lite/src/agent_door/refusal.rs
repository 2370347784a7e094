//! Why an export was not taken, and what OTLP says to a sender in that case.
//!
//! Codes: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>. A retryable condition never gets a code that
//! makes a conforming sender drop its records.

use ::http::StatusCode;

// gRPC status codes: <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.
const INVALID_ARGUMENT: i32 = 3;
const PERMISSION_DENIED: i32 = 7;
const UNAUTHENTICATED: i32 = 16;
const RESOURCE_EXHAUSTED: i32 = 8;
pub(super) const UNIMPLEMENTED: i32 = 12;
const UNAVAILABLE: i32 = 14;

/// Why an export was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Not what it says it is; will never be taken.
    #[error("malformed export: {0}")]
    Malformed(String),
    /// Larger than the limit, as sent or decompressed; will never be taken.
    #[error("the export is larger than {limit} bytes{}", if *decompressed { " after decompression" } else { "" })]
    TooBig { limit: usize, decompressed: bool },
    /// A content type the door does not speak.
    #[error("content type {0:?} is not that of an OTLP export")]
    Type(String),
    /// A content encoding the door does not speak.
    #[error("content encoding {0:?} is not gzip, zstd or identity")]
    Encoding(String),
    /// Nothing takes exports there.
    #[error("nothing takes exports at {path:?}: {instead}")]
    Path { path: String, instead: &'static str },
    /// Sent by a web page: a browser says so, and no agent's exporter does.
    #[error("web pages may not write here (the request carries an Origin)")]
    WebPage,
    /// Who sends is not known here, or no longer.
    #[error("{0}")]
    Credential(String),
    /// The session is another producer's.
    #[error("{0}")]
    Foreign(String),
    /// The queue in front of the ledger is full, or the body came too slowly.
    #[error("busy: {0}")]
    Busy(String),
    /// The ledger takes nothing now: disk full, closing, halted.
    #[error("not recording: {0}")]
    Unavailable(String),
}

impl Refusal {
    /// The HTTP status code.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooBig { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Type(_) | Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Path { .. } => StatusCode::NOT_FOUND,
            Self::WebPage => StatusCode::FORBIDDEN,
            Self::Credential(_) => StatusCode::UNAUTHORIZED,
            // Not 403, which a proxy in between may say for itself: the SDK must know that this record is not taken.
            Self::Foreign(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The gRPC status code.
    pub(crate) fn code(&self) -> i32 {
        match self {
            Self::Malformed(_) | Self::Type(_) => INVALID_ARGUMENT,
            Self::Encoding(_) | Self::Path { .. } => UNIMPLEMENTED,
            Self::WebPage | Self::Foreign(_) => PERMISSION_DENIED,
            Self::Credential(_) => UNAUTHENTICATED,
            Self::TooBig { .. } => RESOURCE_EXHAUSTED,
            Self::Busy(_) | Self::Unavailable(_) => UNAVAILABLE,
        }
    }

    /// After how many seconds the sender may try again; `None` when it must not.
    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::Busy(_) => Some(1),
            Self::Unavailable(_) => Some(5),
            _ => None,
        }
    }

    /// Whether the refusal is final, so that a control leaf has to say that something was turned away.
    pub(crate) fn is_final(&self) -> bool {
        self.retry_after_s().is_none()
    }
}
