//! The agent door: where records come in, as OTLP. It can append and hand back receipts, and nothing else.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod door;
pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod receipt;
pub(crate) mod refusal;
mod refused;
pub(crate) mod room;
