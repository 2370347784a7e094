//! The one-byte codes of an envelope, and the words that accounts and screens use for them.
#![forbid(unsafe_code)]

use super::Malformed;

/// A closed list of one-byte codes and their words.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident, $field:literal, $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $word:literal;)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant = $code),* }

        impl $name {
            /// Every value, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that accounts use.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Reads a code.
            ///
            /// # Errors
            /// A code that this version does not define.
            pub fn from_code(code: u8) -> Result<Self, Malformed> {
                match code {
                    $($code => Ok(Self::$variant),)*
                    _ => Err(Malformed::Value { field: $field, value: u64::from(code) }),
                }
            }
        }
    };
}

codes! {
    /// Which rule found the session label; first match wins.
    SessionRule, "session rule",
    /// No rule: the label is `trace:<id>` or the producer's own.
    Trace = 1, "trace";
    /// `recount.session.id` or `session.id` on the record.
    SessionAttribute = 2, "session.id";
    /// `session.id` on the Resource.
    SessionResource = 3, "resource session.id";
    /// `gen_ai.conversation.id`.
    Conversation = 4, "gen_ai.conversation.id";
    /// A session attribute of another dialect.
    Dialect = 5, "dialect";
    /// Taken over from another record of the same trace.
    Inherited = 6, "inherited";
    /// Baggage.
    Baggage = 7, "baggage";
    /// Nothing named a session and there is no trace id.
    Unattributed = 8, "unattributed";
}

codes! {
    /// How well the producer is known.
    ProducerProof, "producer proof",
    /// Nothing shows it.
    None = 0, "none";
    /// The sender's own word, on the Resource.
    Asserted = 1, "asserted";
    /// Credentials of the peer's process on a Unix socket.
    PeerCredentials = 2, "peer_credentials";
    /// A token that the collector enrolled.
    Token = 3, "token";
    /// A client certificate.
    Certificate = 4, "certificate";
}

codes! {
    /// Who recorded: an enrolled recorder beside the agent, the agent itself, or an import.
    RecordingMode, "recording mode",
    /// The agent records itself.
    SelfRecorded = 1, "self";
    /// An enrolled recorder that the agent does not control.
    Independent = 2, "independent";
    /// Brought in from elsewhere after the fact.
    Imported = 3, "imported";
}

codes! {
    /// How the record came.
    Delivery, "delivery",
    /// Plain OTLP: nothing is promised about when.
    Plain = 1, "plain";
    /// The sender waits for the receipt before it acts.
    Strict = 2, "strict";
    /// Out of a spool.
    Spooled = 3, "spooled";
    /// Brought in by `adopt`.
    Adopted = 4, "adopted";
}

codes! {
    /// How well the principal is proven.
    PrincipalProof, "principal proof",
    /// No principal is named.
    None = 0, "none";
    /// Somebody says so.
    Asserted = 1, "asserted";
    /// A token was presented, unchecked.
    TokenPresented = 2, "token_presented";
    /// The agent says that it checked.
    VerifiedByAgent = 3, "verified_by_agent";
    /// The collector checked.
    VerifiedByCollector = 4, "verified_by_collector";
}

codes! {
    /// Which part of the envelope a mask lies in.
    Part, "masked part",
    /// The Resource.
    Resource = 1, "resource";
    /// Its schema URL.
    ResourceSchemaUrl = 2, "resource_schema_url";
    /// The InstrumentationScope.
    Scope = 3, "scope";
    /// Its schema URL.
    ScopeSchemaUrl = 4, "scope_schema_url";
    /// The Span or LogRecord.
    Item = 5, "item";
}

codes! {
    /// How the parts of an envelope are encoded.
    Encoding, "encoding",
    /// OTLP protobuf: message bodies without tag and length.
    Protobuf = 1, "protobuf";
    /// OTLP JSON: the text of the objects as received.
    Json = 2, "json";
}

codes! {
    /// Which OTLP signal the item is of.
    Signal, "signal",
    /// A LogRecord.
    Logs = 1, "logs";
    /// A Span.
    Traces = 2, "traces";
}
