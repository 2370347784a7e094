//! Names on the wire between a producer and the collector that are no attributes.

/// Request header: what the producer asks for, `strict` or `spooled`
/// (the words of [`crate::record::Delivery`]).
pub const DELIVERY_HEADER: &str = "recount-delivery";

/// Request header: `imported` says that others wrote what is sent, and when.
pub const RECORDING_HEADER: &str = "recount-recording";

/// The value of [`RECORDING_HEADER`], and the only one.
pub const IMPORTED: &str = "imported";

/// Response header: the receipt as JSON.
pub const RECEIPT_HEADER: &str = "recount-receipt";

/// Request header: the size of the ledger log that the producer last had a
/// receipt for. The receipt then shows in `seen` that the log goes on from it.
pub const SEEN_HEADER: &str = "recount-seen";

/// Response header: the verdict of a policy, where one is on.
pub const VERDICT_HEADER: &str = "recount-verdict";

/// Value of `telemetry.sdk.name` that our SDK sends.
pub const SDK_NAME: &str = "recount";

/// Name of the instrumentation scope of SDK records.
pub const SCOPE_NAME: &str = "recount";

/// Tag of the producer chain, padded with zeros to 32 bytes where it is hashed.
pub const PRODUCER_CHAIN_TAG: &str = "recount/producer/v1";

/// Baggage key that carries the session to peers.
pub const BAGGAGE_SESSION: &str = "recount.session.id";

/// Baggage key that carries the request to peers.
pub const BAGGAGE_REQUEST: &str = "recount.request.id";
