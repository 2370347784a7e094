//! What a query names, and what it does when it names nothing or too much.

use account::model::QueryKind;
use account::{AccountError, Options, build};
use ledger::verify::Trusted;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Sender, World};

fn world() -> World {
    let world = World::new();
    for (label, request) in [
        ("s-aaaa1111", "47892"),
        ("s-aaaa2222", "47893"),
        ("s-bbbb1111", "47892"),
    ] {
        let mut sender = Sender::sdk(label, request);
        sender.tell(
            &world,
            "agent.session.start",
            json!({ "recount.principal.kind": "person" }),
        );
        sender.tell(
            &world,
            "agent.session.end",
            json!({ "recount.session.end_reason": "completed" }),
        );
        world.seal(&mut sender, true);
    }
    world
}

#[test]
fn a_request_gives_all_its_sessions_and_a_session_only_itself() {
    let mut world = world();
    let account = world.account("47892");
    let ids: Vec<&str> = account.sessions.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["s-aaaa1111", "s-bbbb1111"]);
    let account = world.account("s-bbbb");
    assert_eq!(account.query.kind, QueryKind::Session);
    assert_eq!(account.query.matched, ["s-bbbb1111"]);
    assert_eq!(account.request.id, "47892");
    let log = account.sessions[0].streams[0].log.clone();
    let account = world.account(&log[..12]);
    assert_eq!(account.query.kind, QueryKind::Stream);
    assert_eq!(account.sessions[0].id, "s-bbbb1111");
}

#[test]
fn several_meanings_are_listed_and_none_is_guessed() {
    let mut world = world();
    let folder = world.read();
    let error = build(&folder, &Trusted::FirstSeen, "s-aaaa", &Options::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`s-aaaa` could be session s-aaaa1111 or session s-aaaa2222"
    );
}

#[test]
fn an_unknown_request_is_refused_with_near_names() {
    let mut world = world();
    let folder = world.read();
    let error = build(&folder, &Trusted::FirstSeen, "47891", &Options::default()).unwrap_err();
    let AccountError::NotFound { near, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(near, ["47892", "47893"]);
}

#[test]
fn with_all_bindings_read_it_is_proven_that_no_other_session_names_the_request() {
    let mut world = world();
    let folder = world.read();
    let not_proven = |all_bindings| {
        let options = Options {
            all_bindings,
            ..Options::default()
        };
        build(&folder, &Trusted::FirstSeen, "47892", &options)
            .unwrap()
            .integrity
            .not_proven
    };
    let other = "that no other session names this request".to_owned();
    assert!(not_proven(false).contains(&other));
    assert!(!not_proven(true).contains(&other));
}

#[test]
fn the_trace_of_sessions_that_have_a_name_is_a_query() {
    let mut world = World::new();
    for (label, trace) in [
        ("s-aaaa1111", "0af7651916cd43dd8448eb211c80319c"),
        ("s-aaaa2222", "0af7651916cd43dd8448eb211c80319c"),
        ("s-bbbb1111", "1af7651916cd43dd8448eb211c80319c"),
    ] {
        let mut sender = Sender::sdk(label, label);
        sender.raw(json!({
            "timeUnixNano": world.tick().to_string(), "eventName": "agent.session.start", "traceId": trace,
        }));
        world.seal(&mut sender, true);
    }
    for query in [
        "0af7651916cd43dd8448eb211c80319c",
        "trace:0AF7651916CD43DD8448EB211C80319C",
    ] {
        let account = world.account(query);
        assert_eq!(account.query.kind, QueryKind::Trace);
        let ids: Vec<&str> = account.sessions.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["s-aaaa1111", "s-aaaa2222"]);
    }
    let unknown = "2af7651916cd43dd8448eb211c80319c";
    let error = build(
        &world.read(),
        &Trusted::FirstSeen,
        unknown,
        &Options::default(),
    )
    .unwrap_err();
    assert!(matches!(error, AccountError::NotFound { .. }), "{error}");
}

/// Names, parts of names and things like them, with and without the word that says what they name.
fn query() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "47892",
        "47893",
        "s-aaaa1111",
        "s-aaaa2222",
        "s-bbbb1111",
        "überweisung",
        "日本-1",
        "0af7651916cd43dd8448eb211c80319c",
    ]);
    let word = prop::sample::select(vec![
        "", "request:", "session:", "trace:", "stream:", "other:", ":",
    ]);
    let text = prop_oneof![
        (name, 0_usize..40, "\\PC{0,3}").prop_map(|(name, length, more)| {
            name.chars()
                .take(length)
                .chain(more.chars())
                .collect::<String>()
        }),
        "[0-9a-f]{0,64}",
        "\\PC{0,40}",
    ];
    (word, text).prop_map(|(word, text)| format!("{word}{text}"))
}

#[test]
fn any_text_as_a_query_names_what_is_there_or_is_refused() {
    let mut world = world();
    for (label, request) in [("überweisung", "日本-1"), ("日本-1", "überweisung")] {
        let mut sender = Sender::sdk(label, request);
        sender.tell(&world, "agent.session.start", json!({}));
        world.seal(&mut sender, true);
    }
    let folder = world.read();
    proptest!(ProptestConfig::with_cases(400), |(text in query())| {
        match build(&folder, &Trusted::FirstSeen, &text, &Options::default()) {
            Ok(account) => {
                let matched = &account.query.matched[0];
                let named = text.split_once(':').map_or(text.as_str(), |(word, name)| match word {
                    "request" | "session" | "trace" | "stream" => name,
                    _ => text.as_str(),
                });
                prop_assert!(!account.sessions.is_empty());
                let whole = account.query.kind == QueryKind::Request;
                prop_assert!(if whole { matched == named } else { matched.starts_with(named) }, "{text:?}: {matched:?}");
            }
            Err(error) => prop_assert!(
                matches!(error, AccountError::NotFound { .. } | AccountError::Ambiguous { .. } | AccountError::TooShort { .. }),
                "{text:?}: {error}"
            ),
        }
    });
}
