//! What a policy removes from whole records, what it leaves alone, and what can be shown of what it removed.

#[cfg(feature = "detectors")]
mod detectors;
mod labels;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use vocabulary::attribute;
use vocabulary::content::Content;
use vocabulary::digest::Digest;
use vocabulary::row::{Cell, Row};

use super::*;
use crate::testing::{Record, Recorded};
use crate::{Access, Diff, EndReason, Kind, Recorder};

const KEY: [u8; 32] = [7; 32];
const CARD: &str = "4111 1111 1111 1111";
const IBAN: &str = "DE89 3704 0044 0532 0130 00";

/// Everything on.
fn strict() -> Policy {
    let policy = Policy::new()
        .key(KEY)
        .personal(Personal::Email, Operator::Hmac)
        .personal(Personal::Card, Operator::Mask(4))
        .personal(Personal::Iban, Operator::Commit)
        .personal(Personal::Phone, Operator::Remove)
        .personal(Personal::SocialSecurity, Operator::Hmac);
    #[cfg(feature = "detectors")]
    let policy = policy.all_credentials();
    policy
}

fn clean(policy: &Policy, text: &str) -> String {
    String::from_utf8(policy.clean(text.as_bytes()).0.into_owned()).unwrap()
}

/// Puts `text` into every place of a session that takes a text or content.
fn everywhere(recorder: &Recorder, text: &str) {
    let session = recorder
        .session("1")
        .intent(text)
        .alias(text)
        .start_blocking();
    session
        .decide(text)
        .chose([text])
        .discarded([("other", text)])
        .rationale(text)
        .record();
    session.reasoning(text);
    session.checkpoint(text);
    let trust = vocabulary::decision::Trust::Data;
    session.context(
        vocabulary::decision::ContextKind::Document,
        text,
        trust,
        text.as_bytes(),
        "text/plain",
    );
    let action = session
        .action(Kind::Http, text, Access::Write)
        .operation(text)
        .target(&format!("http:h/{text}"))
        .input(json!({"a": [text]}).to_string())
        .attribute("their.own", crate::Value::Str(text))
        .attribute(
            "their.list",
            crate::Value::List(&[crate::Value::Str("first"), crate::Value::Str(text)]),
        )
        .begin_blocking()
        .unwrap();
    action
        .output(text)
        .result(text)
        .error(text, Some(text), text);
    action.diff(
        Diff::of(format!("http:h/{text}"))
            .before(Content::text(text))
            .after(Content::from_bytes(
                text.as_bytes(),
                "application/octet-stream",
            )),
    );
    action.end_success();
    session.end_blocking(EndReason::Completed);
}

fn holds(recorder: &Recorder, text: &str) -> Vec<String> {
    let recorded = Recorded::of(recorder);
    let escaped = json!(text).to_string();
    let inner = escaped.trim_matches('"');
    let in_record = |record: &&Record| {
        let shown = Json::Object(record.attributes.clone()).to_string();
        shown.contains(text) || shown.contains(inner)
    };
    let all = recorded.records().iter().filter(in_record);
    all.map(|record| format!("{record:?}")).collect()
}

#[test]
fn personal_data_is_told_by_shape_and_check_digits() {
    for (text, expected) in [
        ("ask ann.b+c@mail.example.test, please", Some("email")),
        (r#"{"to":"x\nann@example.test"}"#, Some("email")),
        ("pay with 4111 1111 1111 1111 now", Some("card")),
        ("pay with 5500005555555559.", Some("card")),
        ("3782-822463-10005", Some("card")),
        ("to DE89370400440532013000", Some("iban")),
        ("to GB82 WEST 1234 5698 7654 32 AND SO ON", Some("iban")),
        ("call +49 30 901820", Some("phone")),
        ("ssn 123-45-6789", Some("social_security")),
        ("4111 1111 1111 1112 has a wrong digit", None),
        ("DE89370400440532013001", None),
        ("order 4111111111111111222233334444", None),
        ("019b0000-0000-7000-8000-000000000000", None),
        ("ssh git@host and @name and a@b", None),
        ("1 + 2 = 3, +1, 2026-11-21T20:15:00+01:00", None),
        ("666-45-6789 or 123-45-67890", None),
        (
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            None,
        ),
    ] {
        let found = personal::find(text.as_bytes());
        let rules: Vec<_> = found.iter().map(|(_, sort)| sort.rule()).collect();
        assert_eq!(rules, expected.into_iter().collect::<Vec<_>>(), "{text}");
    }
}

#[test]
fn each_operator_leaves_what_it_says() {
    let policy = strict();
    let text = format!("ann@example.test {CARD} +49 30 901820 {IBAN}.");
    let shown = clean(&policy, &text);
    let hmac = policy.digest_of("ann@example.test").unwrap();
    assert!(
        shown.starts_with(&format!(
            "[hmac:email:{hmac}] [masked:card:1111] [removed:phone] [commit:iban:"
        )),
        "{shown}"
    );
    // A commitment can be opened by whoever has the key, and checked by anyone who is shown salt and value.
    let commitment = shown.split("[commit:iban:").nth(1).unwrap();
    let (nonce, digest) = commitment.trim_end_matches("].").split_once(':').unwrap();
    let salt = policy.salt_of(nonce).unwrap();
    let opened = [&salt[..], IBAN.as_bytes()].concat();
    assert_eq!(
        format!("sha256:{digest}"),
        Digest::sha256(&opened).to_string()
    );
    assert_ne!(
        clean(&policy, IBAN),
        clean(&policy, IBAN),
        "a guess could be checked"
    );
    // Without a key nothing that could be guessed is published.
    let keyless = Policy::new().personal(Personal::Email, Operator::Hmac);
    assert_eq!(clean(&keyless, "ann@example.test"), "[removed:email]");
    let allowing = strict().allow("ann@example.test");
    assert_eq!(clean(&allowing, "ann@example.test"), "ann@example.test");
    // What every recorder removes cannot be allowed.
    assert_eq!(
        clean(&Policy::new().allow("hunter2"), "password=hunter2"),
        "password=[removed:named_secret]"
    );
}

#[test]
fn no_personal_data_is_in_any_record_whatever_wrote_it() {
    for text in [
        "ann@example.test",
        CARD,
        IBAN,
        "+49 30 901820",
        "123-45-6789",
    ] {
        let recorder = Recorder::testing_with(strict());
        everywhere(&recorder, text);
        assert_eq!(holds(&recorder, text), [] as [String; 0], "{text}");
        let plain = Recorder::testing();
        everywhere(&plain, text);
        assert!(holds(&plain, text).len() > 6, "{text} is not looked for");
    }
}

#[test]
fn every_removal_says_where_by_which_rule_and_how_long() {
    let recorder = Recorder::testing_with(strict());
    everywhere(&recorder, "ann@example.test");
    let recorded = Recorded::of(&recorder);
    let [action] = &recorded.actions()[..] else {
        panic!("one action");
    };
    let removed = |record: &Record| record.attributes[attribute::REDACTIONS].clone();
    let of_begin = removed(&action.begin);
    let paths: Vec<&str> = of_begin
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["path"].as_str().unwrap())
        .collect();
    assert!(
        paths.contains(&attribute::TARGET) && paths.contains(&"their.list/1"),
        "{paths:?}"
    );
    let of_input = &action.begin.attributes[attribute::INPUT];
    assert_eq!(
        of_input["redactions"],
        json!([{"path": "@7", "rule": "email", "len": 16}])
    );
    let text = of_input["inline"].as_str().unwrap();
    assert_eq!(
        of_input["digest"],
        json!(Digest::sha256(text.as_bytes()).to_string())
    );
    assert_eq!(of_input["size"], json!(text.len()));
    let told = recorded.of_event(crate::Event::ConfigChange)[0];
    assert!(!format!("{told:?}").contains("ann@"));
    assert_eq!(told.str(attribute::CONFIG_NAME), Some("redaction"));
}

#[test]
fn a_session_can_keep_digests_of_contents_only() {
    let recorder = Recorder::testing();
    let session = recorder
        .session("1")
        .content_policy(ContentPolicy::Digest)
        .intent("draft it")
        .start_blocking();
    let action = session.tool("t").input("in").begin_blocking().unwrap();
    action.end_success();
    let key = *session.key();
    session.end_blocking(EndReason::Completed);
    let other = recorder.session("2").intent("keep it").start_blocking();
    let recorded = Recorded::of(&recorder);
    let intents = recorded.of_event(crate::Event::Intent);
    let intent = &intents[0].attributes[attribute::INTENT];
    assert_eq!(intent["state"], "redacted");
    assert_eq!(intent.get("inline"), None);
    assert_eq!(
        intent["digest"],
        json!(Digest::keyed(b"draft it", &key).to_string())
    );
    assert_eq!(
        intents[1].attributes[attribute::INTENT]["inline"],
        "keep it"
    );
    other.end_blocking(EndReason::Completed);
}

#[test]
fn a_policy_file_is_read_and_each_mistake_in_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("redaction.json");
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    let write = |json: Json| {
        std::fs::write(&file, json.to_string()).unwrap();
        Policy::from_file(&file)
    };
    let policy = write(json!({
        "content": "redacted", "key_file": "key",
        "personal": {"email": "hmac", "card": "mask:4"},
        "labels": [{"of": "http:h/**", "at": "/a", "label": "secret"}],
        "closed": ["tool:*"], "allow": ["x@example.test"],
    }));
    let policy = policy.unwrap();
    assert_eq!(policy.digest_of("a"), strict().digest_of("a"));
    assert_eq!(clean(&policy, "x@example.test"), "x@example.test");
    let told = policy.told().to_string();
    assert!(
        !told.contains("x@example.test") && told.contains("mask:4"),
        "{told}"
    );
    let wrong = |json: Json| write(json).unwrap_err().to_string();
    assert!(wrong(json!({"content": "all"})).contains("\"all\" is no content policy"));
    assert!(wrong(json!({"personal": {"mail": "hmac"}})).contains("email, card"));
    assert!(wrong(json!({"personal": {"email": "mask:40"}})).contains("mask:1 to mask:8"));
    assert!(wrong(json!({"labls": []})).contains("labls"));
    assert!(wrong(json!({"key_file": "none"})).contains("none"));
    std::fs::write(folder.path().join("short"), "secret").unwrap();
    assert!(wrong(json!({"key_file": "short"})).contains("has 6 bytes"));
    #[cfg(not(feature = "detectors"))]
    assert!(wrong(json!({"credentials": "all"})).contains("feature `detectors`"));
}

#[test]
fn the_policy_that_the_documents_show_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("redaction.key"), KEY).unwrap();
    let file = folder.path().join("redaction.json");
    std::fs::write(&file, include_str!("../../../examples/redaction.json")).unwrap();
    let policy = Policy::from_file(&file);
    #[cfg(feature = "detectors")]
    assert_eq!(
        clean(&policy.unwrap(), "support@example.test"),
        "support@example.test"
    );
    #[cfg(not(feature = "detectors"))]
    assert!(matches!(policy, Err(PolicyError::NoDetectors)));
}

#[test]
fn a_name_is_told_by_its_label_only() {
    let text = "Ann Example, 12 Long Lane";
    assert_eq!(clean(&strict(), text), text);
}

#[test]
fn the_pages_of_this_repository_hold_nothing_to_remove() {
    let policy = strict();
    for page in [
        include_str!("../../../ARCHITECTURE.md"),
        include_str!("../../../docs/operations.md"),
        include_str!("../../../docs/ledger-format.md"),
        include_str!("../../../docs/account.md"),
        include_str!("../../../docs/benchmarks.md"),
    ] {
        let (_, removed) = policy.clean(page.as_bytes());
        // Names of settings are looked at by every recorder, and this is about what the policy adds.
        let added = |one: &Redaction| !vocabulary::redaction::RULES.contains(&one.rule.as_str());
        assert_eq!(removed.into_iter().filter(added).collect::<Vec<_>>(), []);
    }
}

#[test]
fn half_a_credential_at_the_end_of_what_was_kept_is_not_kept() {
    let recorder = Recorder::testing_with(strict());
    let session = recorder.session("1").start_blocking();
    let limit = vocabulary::content::INLINE_BYTES;
    let text = format!("{} ann@example.test and more", "x".repeat(limit - 8));
    session.reasoning(Content::text(&text));
    assert_eq!(holds(&recorder, "ann@exa"), [] as [String; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn cleaning_never_panics_and_twice_is_once(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        text in "(ann@example\\.test|4111 1111 1111 1111|DE89370400440532013000|\\+49 30 901820|AKIA[A-Z2-7]{16}|password|ghp_[a-zA-Z0-9]{36}|\\[removed:email\\]|\\[hmac:email:|[=:\"\\\\' @\\[\\]]|\\PC){0,20}",
    ) {
        let policy = strict();
        for bytes in [&bytes[..], text.as_bytes()] {
            let (once, _) = policy.clean(bytes);
            let (twice, removed) = policy.clean(&once);
            prop_assert_eq!(&once, &twice);
            prop_assert!(removed.is_empty());
        }
    }

    #[test]
    fn labels_never_panic_and_leave_json_json(text in "[\\[\\]{}\",:0-9a-c\\\\ ]{0,60}", value in json_value()) {
        let policy = strict().closed("x:**").unwrap().label("x:**", "/**/a", Label::Secret).unwrap();
        let session = SessionKey::new([1; 32]);
        let of = |text: &str| policy.applied(Content::text(text), Some("x:y"), &session);
        of(&text);
        let text = value.to_string();
        let once = of(&text);
        let inline = once.as_text().unwrap().to_owned();
        if !text.contains("password") {
            prop_assert!(serde_json::from_str::<Json>(&inline).is_ok(), "{} -> {}", text, inline);
        }
        let twice = of(&inline);
        prop_assert_eq!(twice.as_text(), Some(inline.as_str()));
        prop_assert_eq!(once.digest, Some(Digest::sha256(inline.as_bytes())));
    }
}

fn json_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "\\PC{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[a-c/~ ]{0,3}", inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}
