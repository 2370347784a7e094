//! The collector part of an envelope: what the collector, not the sender, says about a record.
#![forbid(unsafe_code)]

use super::{Malformed, VERSION};
use crate::bytes::{Cursor, put_opaque8, put_opaque16};

/// A closed list of one-byte codes with the words that accounts and screens use for them.
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

/// Bytes that the collector overwrote before sealing, same length, same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// The part.
    pub part: Part,
    /// First masked byte in the part.
    pub offset: u32,
    /// How many bytes.
    pub length: u32,
    /// Which rule, at most 255 bytes.
    pub rule: String,
}

/// What the collector decided about a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorPart {
    /// Which rule found the session label.
    pub session_rule: SessionRule,
    /// How well the producer is known.
    pub producer_proof: ProducerProof,
    /// Who recorded.
    pub recording_mode: RecordingMode,
    /// How the record came.
    pub delivery: Delivery,
    /// How well the principal is proven.
    pub principal_proof: PrincipalProof,
    /// The stream's session label.
    pub session_label: String,
    /// The producer as the collector knows it.
    pub producer: String,
    /// The producer as the sender calls itself; empty if it does not.
    pub claimed_producer: String,
    /// What was overwritten.
    pub masks: Vec<Mask>,
}

impl CollectorPart {
    /// The part's bytes.
    ///
    /// # Errors
    /// Text that is too long for its length prefix; more than 65,535 masks.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = vec![
            VERSION,
            self.session_rule as u8,
            self.producer_proof as u8,
            self.recording_mode as u8,
            self.delivery as u8,
            self.principal_proof as u8,
        ];
        put_opaque16(&mut out, self.session_label.as_bytes(), "session_label")?;
        put_opaque16(&mut out, self.producer.as_bytes(), "producer")?;
        put_opaque16(
            &mut out,
            self.claimed_producer.as_bytes(),
            "claimed_producer",
        )?;
        let count = u16::try_from(self.masks.len());
        let count = count.map_err(|_| Malformed::TooLong {
            field: "masks",
            len: self.masks.len(),
        })?;
        out.extend_from_slice(&count.to_be_bytes());
        for mask in &self.masks {
            out.push(mask.part as u8);
            out.extend_from_slice(&mask.offset.to_be_bytes());
            out.extend_from_slice(&mask.length.to_be_bytes());
            put_opaque8(&mut out, mask.rule.as_bytes(), "mask rule")?;
        }
        put_opaque16(&mut out, &[], "ext")?;
        Ok(out)
    }

    /// Reads the part. Bytes in `ext` are for later releases and are passed over.
    ///
    /// # Errors
    /// Another version, an unknown code, text that is not UTF-8, missing or extra bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut c = Cursor::new(bytes);
        c.version("collector part version", VERSION)?;
        let part = Self {
            session_rule: SessionRule::from_code(c.u8("session rule")?)?,
            producer_proof: ProducerProof::from_code(c.u8("producer proof")?)?,
            recording_mode: RecordingMode::from_code(c.u8("recording mode")?)?,
            delivery: Delivery::from_code(c.u8("delivery")?)?,
            principal_proof: PrincipalProof::from_code(c.u8("principal proof")?)?,
            session_label: c.text16("session_label")?.to_owned(),
            producer: c.text16("producer")?.to_owned(),
            claimed_producer: c.text16("claimed_producer")?.to_owned(),
            masks: (0..c.u16("mask count")?)
                .map(|_| Mask::take(&mut c))
                .collect::<Result<_, _>>()?,
        };
        c.opaque16("ext")?;
        c.end("collector part")?;
        Ok(part)
    }
}

impl Mask {
    fn take(c: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            part: Part::from_code(c.u8("masked part")?)?,
            offset: c.u32("mask offset")?,
            length: c.u32("mask length")?,
            rule: c.text8("mask rule")?.to_owned(),
        })
    }
}
