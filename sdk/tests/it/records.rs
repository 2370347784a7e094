//! Every record that the SDK makes fits the catalogue: nothing required is left out, nothing unknown is in.

use std::collections::BTreeSet;
use std::time::Duration;

use recount::testing::{Record, Recorded};
use recount::vocabulary::catalogue::{self, Need};
use recount::vocabulary::decision::{ContextKind, Trust};
use recount::vocabulary::verdict::{Approval, Verdict};
use recount::{
    Access, Attributes, Authorization, Content, Diff, EndReason, Event, Kind, Principal, Recorder,
    TriggerKind,
};

use crate::collector::Collector;

/// A session that uses every part of the API.
fn record_everything(recorder: &Recorder) {
    let user = Principal::user("https://idp.example.test", "u-104").display("Ada");
    let session = recorder
        .session("47892")
        .alias("T-1")
        .trigger(TriggerKind::Chat, "chat 12")
        .asked_by(user.clone())
        .on_behalf_of(&Principal::system("crm"))
        .intent("draft a renewal email")
        .scope(["read http:crm.example.test/**"])
        .authorization(
            Authorization::new("grant-1", "crm-agents")
                .version("4")
                .permissions(["crm.read"]),
        )
        .start_blocking();
    session.context(
        ContextKind::Prompt,
        "system",
        Trust::Instruction,
        b"be brief",
        "text/plain",
    );
    session.config_change("model", "gpt", None, &Content::text("gpt-2"));
    session.reasoning("first this, then that");
    session.checkpoint("half-way");
    let pick = session
        .decide("which ten?")
        .criteria("expires < 60 days")
        .candidates(1..=14)
        .considered([7, 8, 9])
        .chose([7, 9])
        .discarded([(8, "open sev-1")])
        .by_code("rank_v3")
        .record();
    let action = session
        .action(Kind::Http, "stage", Access::Write)
        .operation("PATCH")
        .target("http:crm.example.test/accounts/17")
        .input("{}")
        .because(pick)
        .attempt(1)
        .begin_blocking()
        .unwrap();
    let action_id = action.id();
    action.verdict(Verdict::Allow, "R-1", "3", "in scope");
    session.approval(action.id(), Approval::Approved, &user, Some("R-9"), "fine");
    action.security(Event::SecurityRateLimited, "429", &Attributes::new());
    action.diff(Diff::of("http:crm.example.test/accounts/17").after(Content::text("b")));
    action.result("200 OK").output("{}").usage(10, 20);
    action.end_success();
    session.transaction(
        session.new_transaction(),
        recount::vocabulary::action::TransactionOutcome::Committed,
    );
    session
        .delegate("speller")
        .start_blocking()
        .end_blocking(EndReason::Completed);
    session.tool("send").denied("R-7", "3", "drafts only");
    recorder
        .unattributed()
        .tool("lost")
        .begin_blocking()
        .unwrap()
        .end_failure("io", Some("5"), "broken");
    let unknown = recount::Outcome::Unknown;
    session.reconcile(
        action_id,
        unknown,
        recount::Effect::None,
        "the CRM shows the former value",
    );
    let (id, request) = (session.id().clone(), "47892");
    session.end_blocking(EndReason::Partial);
    let again = recorder.session(request).resume(&id, "after a restart");
    again.end_blocking(EndReason::Completed);
    drop(recorder.session("48000").start_blocking());
}

fn check(record: &Record) {
    let event = Event::from_name(&record.event).unwrap();
    let entry = catalogue::of(event);
    let fields = || entry.fields.iter().chain(catalogue::EVERY_RECORD);
    for field in fields().filter(|field| field.need == Need::Required) {
        assert!(
            record.attributes.contains_key(field.key),
            "{} lacks {}",
            record.event,
            field.key
        );
    }
    let known: BTreeSet<&str> = fields().map(|field| field.key).collect();
    let allowed_on_start = [
        "gen_ai.agent.name",
        "gen_ai.agent.version",
        "recount.agent.owner",
    ];
    for key in record.attributes.keys() {
        let extra = event == Event::SessionStart && allowed_on_start.contains(&key.as_str());
        assert!(
            extra || known.contains(key.as_str()),
            "{} has {key}",
            record.event
        );
    }
    assert_eq!(
        record.attributes.keys().next_back().unwrap(),
        "recount.chain"
    );
}

#[test]
fn every_record_has_what_the_catalogue_requires_and_nothing_else() {
    let recorder = Recorder::testing();
    record_everything(&recorder);
    let recorded = Recorded::of(&recorder);
    recorded.records().iter().for_each(check);
    let events: BTreeSet<&str> = recorded.names().collect();
    assert!(events.len() >= 18, "{events:?}");
}

#[test]
fn begin_and_end_say_who_what_where_when_outcome_and_authority() {
    let recorder = Recorder::testing();
    record_everything(&recorder);
    let recorded = Recorded::of(&recorder);
    let stage = recorded.action("stage");
    let (begin, end) = (stage.begin, stage.end.unwrap());
    assert_eq!(begin.str("recount.authorization.id"), Some("grant-1"));
    assert_eq!(
        begin.str("recount.target"),
        Some("http:crm.example.test/accounts/17")
    );
    assert_eq!(begin.str("recount.durability"), Some("strict"));
    assert_eq!(
        recorded
            .action("lost")
            .begin
            .str("recount.authorization.id"),
        Some("none")
    );
    assert!(
        begin.time_unix_ns > 1_600_000_000_000_000_000 && end.time_unix_ns >= begin.time_unix_ns
    );
    assert!(end.int("recount.mono_ns") >= begin.int("recount.mono_ns"));
    assert_eq!(
        (end.str("recount.outcome"), end.str("recount.effect")),
        (Some("success"), Some("committed"))
    );
    assert_eq!(begin.trace_id, end.trace_id);
    let id = begin.str("recount.action.id").unwrap().replace('-', "");
    let span: String = begin
        .span_id
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(id[16..], span);
}

#[test]
fn the_resource_has_what_the_catalogue_requires() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    let recorder = Recorder::builder("tester")
        .agent("a-1", "0.3")
        .owner("team-renewals")
        .collector(collector.url())
        .spool(folder.path())
        .build()
        .unwrap();
    record_everything(&recorder);
    assert!(recorder.close_blocking(Duration::from_secs(8)).is_none());
    let exports = collector.exports();
    let resource =
        ledger::otlp::Resource::decode(ledger::otlp::Encoding::Protobuf, &exports[0].resource);
    let attributes = resource.unwrap().attributes;
    for field in catalogue::RESOURCE
        .iter()
        .filter(|field| field.need == Need::Required)
    {
        assert!(
            attributes.get(field.key).is_some(),
            "resource lacks {}",
            field.key
        );
    }
    assert_eq!(attributes.str("recount.agent.owner"), Some("team-renewals"));
    assert_eq!(
        attributes.str("recount.run"),
        Some(recorder.run().to_string().as_str())
    );
    assert_eq!(collector.runs().len(), 1);
}

#[test]
fn a_message_is_told_once_per_session() {
    let recorder = Recorder::testing();
    let session = recorder.session("1").start_blocking();
    let tell = || {
        session.context(
            ContextKind::Message,
            "user",
            Trust::Data,
            b"hello",
            "text/plain",
        )
    };
    assert_eq!(tell(), tell());
    session.end_blocking(EndReason::Completed);
    let recorded = Recorded::of(&recorder);
    let told = recorded.of_event(Event::Context);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].attributes["recount.content"]["digest"]
            .as_str()
            .unwrap()
            .starts_with("hmac-sha256:")
    );
}

#[test]
fn a_recorder_that_is_turned_off_records_and_refuses_nothing() {
    let recorder = Recorder::disabled();
    record_everything(&recorder);
    assert!(recorder.unsent().is_none() && !recorder.is_enabled());
}

#[test]
fn a_test_can_have_begins_refused() {
    let recorder = Recorder::testing();
    let session = recorder.session("1").start_blocking();
    recount::testing::refuse_begins(&recorder, true);
    assert!(session.tool("x").begin_blocking().is_err());
    assert!(session.tool("look").reads().begin_blocking().is_ok());
    assert_eq!(
        Recorded::of(&recorder).action("x").outcome(),
        Some("not_executed")
    );
    session.end_blocking(EndReason::Failed);
}
