//! One sample record per event, in the JSON form of docs/records.md.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use vocabulary::catalogue::{self, Entry, Field, Kind, Need};
use vocabulary::digest::SessionKey;
use vocabulary::row::{Cell, Row};
use vocabulary::{Content, Event, Timestamp, attribute};

use crate::{committed, schemas};

const FOLDER: &str = "vocabulary/fixtures";
const ACTION: &str = "019cf3b0-7a40-7000-8000-0000000000a1";

#[test]
fn the_committed_samples_are_current() {
    let mut names = BTreeSet::new();
    for (number, entry) in catalogue::entries().enumerate() {
        let name = format!("{}.json", entry.event);
        let text = schemas::pretty(&sample(entry, number as u64));
        committed::is_current(&format!("{FOLDER}/{name}"), &text);
        names.insert(name);
    }
    committed::holds_only(FOLDER, "json", &names);
}

#[test]
fn every_sample_validates_against_the_schema_of_its_event() {
    for (number, entry) in catalogue::entries().enumerate() {
        let schema = jsonschema::validator_for(&schemas::of(entry)).unwrap();
        let sample = sample(entry, number as u64);
        let errors: Vec<String> = schema
            .iter_errors(&sample)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", entry.event);
    }
}

#[test]
fn a_sample_without_any_one_required_attribute_is_refused_by_its_schema() {
    for (number, entry) in catalogue::entries().enumerate() {
        let schema = jsonschema::validator_for(&schemas::of(entry)).unwrap();
        let whole = sample(entry, number as u64);
        for field in catalogue::EVERY_RECORD.iter().chain(entry.fields) {
            let mut lacking = whole.clone();
            lacking["attributes"]
                .as_object_mut()
                .unwrap()
                .shift_remove(field.key);
            let required = field.need == Need::Required;
            assert_eq!(
                schema.is_valid(&lacking),
                !required,
                "{} without {}",
                entry.event,
                field.key
            );
        }
    }
}

fn sample(entry: &Entry, number: u64) -> Value {
    let time = Timestamp::from_unix_ns(1_773_479_524_000_000_000 + number * 1_500_000);
    let mut attributes = object(
        entry.event,
        catalogue::EVERY_RECORD.iter().chain(entry.fields),
    );
    attributes[attribute::SEQ] = json!(number);
    attributes[attribute::MONO_NS] = json!(5_000_000_000 + number * 1_500_000);
    json!({
        "event": entry.event.name(),
        "time": time,
        "resource": object(entry.event, catalogue::RESOURCE.iter()),
        "attributes": attributes,
    })
}

/// Required attributes and those sent when known; optional ones only where
/// [`known`] has a value for this event.
fn object<'a>(event: Event, fields: impl Iterator<Item = &'a Field>) -> Value {
    let mut object = Map::new();
    for field in fields {
        let value = known(event, field.key);
        let value = match (value, field.need) {
            (None, Need::Optional) => continue,
            (Some(value), _) => value,
            (None, _) => by_kind(field),
        };
        object.insert(field.key.to_owned(), value);
    }
    object.into()
}

/// What any value of the type looks like.
fn by_kind(field: &Field) -> Value {
    match field.kind {
        Kind::Word(words) | Kind::OpenWord(words) => json!(words()[0]),
        Kind::Uuid => json!("019cf3b0-7a40-7000-8000-000000000001"),
        Kind::Resource => json!("http:crm.example.test/accounts/1031"),
        Kind::Int => json!(1),
        Kind::Bool => json!(true),
        Kind::Bytes(count) => bytes(count),
        Kind::Texts => json!(["one"]),
        Kind::Content => json!(Content::text("words")),
        Kind::Candidates => json!({ "count": 24 }),
        Kind::Redactions => {
            json!([{ "path": attribute::RESULT, "rule": "bearer_token", "len": 24 }])
        }
        Kind::Discarded => json!([{ "option": "Orbit", "reason": "open severity-1 ticket" }]),
        Kind::Text => panic!("the sample needs a value for {}", field.key),
    }
}

fn bytes(count: usize) -> Value {
    let value: Vec<u8> = (0..count as u8).collect();
    json!(vocabulary::content::Inline::Bytes(value))
}

/// Values that mean something, by key and, where it matters, by event.
fn known(event: Event, key: &str) -> Option<Value> {
    use attribute as a;
    Some(match (event, key) {
        (_, a::SERVICE_NAME) => json!("renewal-agent"),
        (_, a::AGENT_ID) => json!("agent-renewal"),
        (_, a::AGENT_NAME) => json!("renewal-agent"),
        (_, a::SERVICE_VERSION | a::AGENT_VERSION) => json!("1.4.0"),
        (_, a::SERVICE_INSTANCE_ID) => json!("renewal-agent-0"),
        (_, a::AGENT_OWNER) => json!("revenue-operations@example.test"),
        (_, a::HOST_NAME) => json!("host-a"),
        (_, a::CONTAINER_ID) => json!("8f2c1d"),
        (_, a::PROCESS_PID) => json!(4711),
        (_, a::TELEMETRY_SDK_NAME) => json!("recount"),
        (_, a::TELEMETRY_SDK_VERSION) => json!("0.1.0"),
        (_, a::TELEMETRY_SDK_LANGUAGE) => json!("rust"),
        (_, a::SESSION_ID) => json!("s-019cf3b0-7a40-7000-8000-000000000000"),
        (_, a::REQUEST_ID) => json!("47892"),
        (Event::SessionStart, a::REQUEST_ALIASES) => json!(["CASE-2210"]),
        (_, a::TRIGGER_ORIGIN) => json!("chat thread 5512"),
        (_, a::PRINCIPAL_ISSUER) => json!("https://idp.example.test"),
        (_, a::PRINCIPAL_SUBJECT) => json!("u-104"),
        (_, a::PRINCIPAL_DISPLAY) => json!("user@example.test"),
        (_, a::PRINCIPAL_PROOF) => json!("verified_by_agent"),
        (Event::SessionEnd, a::SESSION_END_REASON) => json!("partial"),
        (Event::SessionEnd, a::SESSION_SUMMARY) => json!("10 drafts, 10 rows, 9 of 10 stages"),
        (Event::SessionResume, a::SESSION_NOTE) => json!("process restarted"),
        (Event::SessionAbandoned, a::SESSION_NOTE) => json!("found without an end after 24 h"),
        (_, a::INTENT) => json!(Content::text(
            "draft a renewal email for our top 10 enterprise customers"
        )),
        (_, a::SCOPE_ENTRIES) => {
            json!([
                "read http:crm.example.test/accounts/**",
                "write file:pending-review/**"
            ])
        }
        (_, a::SCOPE_DECLARED_BY) => json!("renewal-agent 1.4.0"),
        (_, a::AUTHORIZATION_ID) => json!("crm-agents"),
        (_, a::AUTHORIZATION_POLICY) => json!("crm-agents"),
        (_, a::AUTHORIZATION_VERSION) => json!("v7"),
        (_, a::AUTHORIZATION_PERMISSIONS) => json!(["accounts:read", "accounts.stage:write"]),
        (_, a::AUTHORIZATION_GRANTED_BY) => json!("ops@example.test"),
        (_, a::CONTEXT_KIND) => json!("message"),
        (_, a::CONTEXT_NAME) => json!("user"),
        (Event::Context, a::CONTENT) => {
            json!(Content::keyed(
                b"Write a renewal email for Aurora.",
                "text/plain",
                &SessionKey::new([7; 32])
            ))
        }
        (_, a::CAPTURE) => json!(["http:diffs", "file:diffs", "db:diffs", "process:calls"]),
        (_, a::CONFIG_KIND) => json!("model"),
        (_, a::CONFIG_NAME) => json!("chat model"),
        (Event::ConfigChange, a::BEFORE) => json!(Content::text("local-1")),
        (Event::ConfigChange, a::AFTER) => json!(Content::text("local-2")),
        (_, a::DELEGATE_AGENT) => json!("follow-up-agent"),
        (_, a::DELEGATE_SESSION) => json!("s-019cf3b0-7a40-7000-8000-0000000000c0"),
        (_, a::ACTION_ID) => json!(ACTION),
        (_, a::ACTION_KIND) => json!("http"),
        (_, a::ACTION_ACCESS) => json!("write"),
        (_, a::ACTION_NAME) => json!("set stage"),
        (_, a::ACTION_OPERATION | a::HTTP_METHOD) => json!("PATCH"),
        (Event::ToolInvoke, a::INPUT) => json!(Content::json(&json!({ "stage": "renewal" }))),
        (Event::ToolInvoke, a::URL_FULL) => json!("http://crm.example.test/accounts/1031"),
        (Event::ToolInvoke, a::DURABILITY) => json!("strict"),
        (Event::ToolResult, a::HTTP_STATUS) => json!(200),
        (Event::ToolResult, a::RESULT) => json!("200 OK"),
        (Event::ToolResult, a::OUTPUT) => {
            json!(Content::json(&json!({ "id": 1031, "stage": "renewal" })))
        }
        (Event::ToolResult, a::ERROR_TYPE) => json!("http.403"),
        (Event::ToolResult, a::ERROR_NATIVE) => json!("403 Forbidden"),
        (Event::ToolResult, a::ERROR_MESSAGE) => json!("accounts.stage:write is not granted"),
        (Event::ToolReconcile, a::REASON) => {
            json!("the account was read again: its stage is renewal")
        }
        (Event::Diff, a::RESOURCE) => json!("db:contracts/main.renewal_status"),
        (Event::Diff, a::BEFORE) => json!(status_row("none").to_content()),
        (Event::Diff, a::AFTER) => json!(status_row("drafted").to_content()),
        (Event::Diff, a::EFFECT) => json!("pending"),
        (Event::Diff, a::TRANSACTION_ID) => json!("019cf3b0-7a40-7000-8000-0000000000f1"),
        (_, a::EFFECT) => json!("committed"),
        (Event::Verdict, a::VERDICT) => json!("deny"),
        (_, a::RULE) => json!("R-7 drafts-only"),
        (_, a::POLICY_VERSION) => json!("renewal-rules/3"),
        (_, a::APPROVED_BY) => json!("ops@example.test"),
        (_, a::DECISION_POINT) => json!("filter"),
        (_, a::DECISION_MADE_BY) => json!("code"),
        (_, a::DECISION_QUESTION) => json!("which ten customers get a renewal email"),
        (_, a::DECISION_CRITERIA) => {
            json!("enterprise, contract ends within 60 days, no open severity-1 ticket")
        }
        (_, a::DECISION_ORDERING) => json!("contract value, highest first"),
        (_, a::DECISION_CONSIDERED) => json!(["Aurora", "Orbit"]),
        (_, a::DECISION_CHOSEN) => json!(["Aurora"]),
        (_, a::DECISION_RATIONALE) => json!("Orbit has an open severity-1 ticket"),
        (Event::Reasoning, a::CONTENT) => json!(Content::text(
            "The contract ends soon, so I begin with thanks."
        )),
        (Event::LogLine, a::CONTENT) => json!(Content::text("backup finished: 3 files")),
        (Event::LogLine, a::LINE_SOURCE) => json!("stdin"),
        (Event::Loss, a::LOSS_CAUSE) => json!("spool_full"),
        (Event::SecurityRateLimited, a::RETRY_AFTER_S) => json!(1),
        (event, a::REASON) if event.is_security() => json!("seen while an action ran"),
        _ => return None,
    })
}

fn status_row(status: &str) -> Row {
    let cells = vec![
        ("account_id".to_owned(), Cell::int(1031)),
        ("status".to_owned(), Cell::Text(status.to_owned())),
    ];
    Row::new("main.renewal_status", &["account_id"], cells)
}
