//! Events beside the work: security, loss, heartbeat, lines from outside.

use super::{Entry, Field, Kind, Senders, if_known, optional, required};
use crate::attribute as a;
use crate::event::Event;

/// What every `agent.security.*` record may say.
const SECURITY: &[Field] = &[
    required(a::REASON, Kind::Text, "What happened, in words."),
    if_known(a::ACTION_ID, Kind::Uuid, "The action it concerns."),
    if_known(
        a::RESOURCE,
        Kind::Resource,
        "The canonical resource it concerns.",
    ),
    optional(a::RULE, Kind::Text, "The rule that noticed it."),
    optional(a::ERROR_NATIVE, Kind::Text, "The counterpart's own code."),
    optional(
        a::RETRY_AFTER_S,
        Kind::Int,
        "Seconds after which the counterpart asks to be tried again.",
    ),
];

const fn security(event: Event, when: &'static str) -> Entry {
    Entry {
        event,
        when,
        senders: Senders::Any,
        fields: SECURITY,
    }
}

pub(super) const ENTRIES: &[Entry] = &[
    security(
        Event::SecurityAuthFailed,
        "A counterpart did not accept the credential.",
    ),
    security(
        Event::SecurityAccessUnauthorized,
        "A counterpart refused access.",
    ),
    security(
        Event::SecurityRateLimited,
        "A counterpart limited the rate.",
    ),
    security(
        Event::SecurityOutputFiltered,
        "A filter removed or refused output, or a model refused.",
    ),
    security(
        Event::SecurityScopeExceeded,
        "An access lay outside the declared scope.",
    ),
    security(
        Event::SecuritySensitiveData,
        "Sensitive data was met, and removed where it would be sealed.",
    ),
    security(
        Event::SecurityProbe,
        "Something looked like a probe or an injection.",
    ),
    security(Event::SecurityBypass, "A control was bypassed."),
    Entry {
        event: Event::Loss,
        when: "The recorder could not keep something; every loss is a record.",
        senders: Senders::Any,
        fields: &[
            required(
                a::LOSS_CAUSE,
                Kind::Text,
                "`spool_full`, `spool_unwritable`, `end_not_kept`, `crash` or another cause.",
            ),
            if_known(a::LOSS_COUNT, Kind::Int, "How many records."),
            if_known(
                a::LOSS_FROM_SEQ,
                Kind::Int,
                "Where the loss began, in the producer's numbering.",
            ),
            optional(
                a::ACTION_ID,
                Kind::Uuid,
                "The action whose record was lost.",
            ),
            optional(a::REASON, Kind::Text, "Details, in words."),
        ],
    },
    Entry {
        event: Event::Heartbeat,
        when: "The producer is alive.",
        senders: Senders::Any,
        fields: &[if_known(
            a::PENDING,
            Kind::Int,
            "Records still waiting to be sent.",
        )],
    },
    Entry {
        event: Event::LogLine,
        when: "One line of text or JSON came from outside.",
        senders: Senders::Line,
        fields: &[
            required(
                a::CONTENT,
                Kind::Content,
                "The line, byte for byte, credentials removed.",
            ),
            if_known(a::LINE_SOURCE, Kind::Text, "Where the line came from."),
            optional(
                a::LINE_NUMBER,
                Kind::Int,
                "Its number in the file that it was imported from, from 1.",
            ),
            optional(
                a::LINE_FILE,
                Kind::Text,
                "SHA-256 of that file: `sha256:` and 64 digits.",
            ),
        ],
    },
];
