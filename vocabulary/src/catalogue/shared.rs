//! Attributes of the Resource and of every record.

use super::{Field, Kind, if_known, optional, required};
use crate::attribute as a;

/// What the Resource of an SDK export carries: the producer and its surroundings.
pub const RESOURCE: &[Field] = &[
    required(
        a::SERVICE_NAME,
        Kind::Text,
        "Name of the program that records.",
    ),
    if_known(a::SERVICE_VERSION, Kind::Text, "Its version."),
    if_known(a::SERVICE_INSTANCE_ID, Kind::Text, "Its instance."),
    if_known(a::AGENT_ID, Kind::Text, "Stable identifier of the agent."),
    required(a::AGENT_NAME, Kind::Text, "Name of the agent."),
    if_known(a::AGENT_VERSION, Kind::Text, "Version of the agent."),
    if_known(
        a::AGENT_OWNER,
        Kind::Text,
        "Who answers for the agent: a person or a team.",
    ),
    if_known(a::HOST_NAME, Kind::Text, "Host."),
    if_known(a::CONTAINER_ID, Kind::Text, "Container."),
    if_known(a::PROCESS_PID, Kind::Int, "Process number."),
    required(
        a::PRODUCER,
        Kind::Uuid,
        "One recorder instance; an export that has it is committed or refused whole.",
    ),
    required(
        a::RUN,
        Kind::Uuid,
        "One run of the producer's process, which numbers its records.",
    ),
    required(a::TELEMETRY_SDK_NAME, Kind::Text, "`recount`."),
    required(a::TELEMETRY_SDK_VERSION, Kind::Text, "Version of the SDK."),
    optional(a::TELEMETRY_SDK_LANGUAGE, Kind::Text, "`rust`."),
    optional(
        a::IMPORTED_BY,
        Kind::Text,
        "Who imported the records: they were written elsewhere, and sealed afterwards.",
    ),
];

/// What every SDK record carries.
pub const EVERY_RECORD: &[Field] = &[
    required(
        a::SESSION_ID,
        Kind::Text,
        "The session, as its producer calls it.",
    ),
    required(
        a::REQUEST_ID,
        Kind::Text,
        "The request, as the outside calls it; the session's name where there is none.",
    ),
    required(
        a::SEQ,
        Kind::Int,
        "Number of the record in its run, from 0, without gaps.",
    ),
    required(
        a::NONCE,
        Kind::Bytes(16),
        "16 random bytes, so that equal records differ.",
    ),
    required(
        a::MONO_NS,
        Kind::Int,
        "Nanoseconds of the producer's monotonic clock.",
    ),
    required(
        a::CHAIN,
        Kind::Bytes(32),
        "The producer chain up to this record; always the last attribute of the item.",
    ),
    optional(
        a::REDACTIONS,
        Kind::Redactions,
        "What was removed from attributes other than content before the record was encoded; a content lists its own.",
    ),
    optional(
        a::RECOUNT_SESSION_ID,
        Kind::Text,
        "Our own name for a session, for senders whose `session.id` means something else; it wins.",
    ),
    optional(
        a::USER_ID,
        Kind::Text,
        "The user as OpenTelemetry names one; asserted.",
    ),
];
