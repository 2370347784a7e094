//! Changes by the command line and on the screen: tables, net views, what is behind each line, and blame.

use serde_json::{Value, json};
use tui::app::keys::Screen;

use crate::cli::{ask, code, err, out};
use crate::stage::{press, showing, text};
use crate::store::{Said, Store, store_of};

/// A row of the contracts as a database holds it.
fn row(status: &str, value: &str) -> Value {
    let text = json!({
        "row": "recount.row/1", "table": "main.contracts", "key": ["id"],
        "cells": { "id": { "int": "17" }, "status": { "text": status }, "value": { "decimal": value }, "note": null },
    });
    json!({ "state": "present", "media_type": "application/vnd.recount.row+json", "inline": text.to_string() })
}

fn account(stage: &str, owner: &str) -> Value {
    let text = json!({ "id": 1031, "stage": stage, "owner": { "name": owner } });
    json!({ "state": "present", "media_type": "application/json", "inline": text.to_string() })
}

fn lines(text: &str) -> Value {
    json!({ "state": "present", "media_type": "text/plain", "inline": text })
}

fn begin(id: &str, kind: &str, what: &str, on: &str) -> Said {
    (
        "agent.tool.invoke",
        json!({
            "recount.action.id": id, "recount.action.kind": kind, "recount.action.access": "write",
            "recount.action.operation": what, "recount.target": on, "recount.authorization.id": "az",
        }),
    )
}

fn diff(id: &str, action: &str, resource: &str, before: Value, after: Value) -> Said {
    (
        "agent.diff",
        json!({
            "recount.diff.id": id, "recount.action.id": action, "recount.resource": resource,
            "recount.before": before, "recount.after": after, "recount.effect": "committed",
            "recount.read_before": "in_transaction", "recount.read_after": "in_transaction",
        }),
    )
}

fn end(id: &str) -> Said {
    (
        "agent.tool.result",
        json!({ "recount.action.id": id, "recount.outcome": "success", "recount.effect": "committed" }),
    )
}

const ROW: &str = "db:contracts/main.contracts/17";
const CRM: &str = "http:crm.example.test/accounts/1031";
const FILE: &str = "file:pending-review/notes.md";

fn start() -> Vec<Said> {
    vec![
        (
            "agent.session.start",
            json!({ "recount.principal.kind": "person", "recount.principal.display": "user@example.test" }),
        ),
        (
            "agent.authorization",
            json!({
                "recount.authorization.id": "az", "recount.authorization.policy": "crm-agents",
                "recount.policy.version": "7", "recount.authorization.granted_by": "ops@example.test",
            }),
        ),
    ]
}

/// Request 900 changes a row twice, a CRM account by an approved action, and a file; request 901 the file again.
pub(crate) fn changed() -> Store {
    let mut first = start();
    first.extend([
        begin("a-1", "db", "UPDATE", ROW),
        diff("f-1", "a-1", ROW, row("none", "12.50"), row("sent", "12.50")),
        end("a-1"),
        begin("a-2", "db", "UPDATE", ROW),
        diff("f-2", "a-2", ROW, row("sent", "12.50"), row("sent", "13.00")),
        end("a-2"),
        begin("a-3", "http", "PATCH", CRM),
        (
            "agent.verdict",
            json!({ "recount.action.id": "a-3", "recount.verdict": "ask", "recount.rule": "R-9 owners" }),
        ),
        (
            "agent.approval",
            json!({ "recount.action.id": "a-3", "recount.approval": "approved", "recount.approved_by": "lead@example.test" }),
        ),
        diff("f-3", "a-3", CRM, account("open", "a"), account("renewal", "b")),
        end("a-3"),
        begin("a-4", "file", "create", FILE),
        diff("f-4", "a-4", FILE, json!({ "state": "absent" }), lines("one\ntwo\nthree\n")),
        end("a-4"),
        ("agent.session.end", json!({ "recount.session.end_reason": "completed" })),
    ]);
    let mut second = start();
    second.extend([
        begin("a-1", "file", "write", FILE),
        diff(
            "f-1",
            "a-1",
            FILE,
            lines("one\ntwo\nthree\nby hand\n"),
            lines("one\n2\nthree\nby hand\n"),
        ),
        end("a-1"),
        (
            "agent.session.end",
            json!({ "recount.session.end_reason": "completed" }),
        ),
    ]);
    store_of(&[
        ("s-first-001", "900", first),
        ("s-later-001", "901", second),
    ])
}

fn json_of(store: &Store, arguments: &[&str]) -> Vec<Value> {
    let text = out(&ask(store, arguments));
    serde_json::from_str(&text).expect("a list as JSON")
}

#[test]
fn rows_and_resources_are_tables_of_what_was_before_and_after() {
    let store = changed();
    let told = out(&ask(&store, &["diff", "900"]));
    for wanted in [
        "field   before  after   by\nstatus  \"none\"  \"sent\"  s1a#3\nunchanged 3: id value note\n",
        "field       before  after      by\nstage       \"open\"  \"renewal\"  s1a#11\nowner/name  \"a\"     \"b\"        s1a#11\n",
        "rule R-9 owners: ask; approved by lead@example.test\n",
        "no rule recorded; no approval recorded; allowed by ops@example.test (crm-agents)\n",
        "agent renewal-agent 1.4.0 on host-a; asked by user@example.test\n",
        "+three\n",
    ] {
        assert!(told.contains(wanted), "{wanted}\nis not in\n{told}");
    }
}

#[test]
fn net_is_from_the_first_state_to_the_last_and_each_field_names_its_edit() {
    let store = changed();
    let told = out(&ask(&store, &["diff", "900", "contracts", "--net"]));
    let table = "status  \"none\"  \"sent\"  s1a#3\nvalue   12.50   13.00   s1a#6\n";
    assert!(told.contains(table), "{told}");
    let rows = json_of(&store, &["diff", "900", "contracts", "--net", "-o", "json"]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["edits"], json!(["f-1", "f-2"]));
    assert_eq!(rows[0]["fields"][2]["field"], "value");
    assert_eq!(rows[0]["fields"][2]["by"], 1);
    assert_eq!(rows[0]["behind"][1]["record"], "s1a#6");
    let then = out(&ask(
        &store,
        &["diff", "900", "contracts", "--net", "--at", "3"],
    ));
    assert!(
        then.contains("\"sent\"") && !then.contains("13.00"),
        "{then}"
    );
}

#[test]
fn sides_beside_each_other_mark_the_words_that_differ() {
    let store = changed();
    let told = out(&ask(&store, &["diff", "901", "--side-by-side"]));
    assert!(told.contains("   2 - two"), "{told}");
    assert!(told.contains("|    2 + 2"), "{told}");
}

#[test]
fn the_screen_shows_the_same_facts_as_the_command() {
    let store = changed();
    let account = out(&ask(&store, &["show", "900", "-o", "json"]));
    let account = serde_json::from_str(&account).unwrap();
    let mut model = showing(account, 100, 30);
    press(&mut model, "4");
    assert_eq!(model.screen, Screen::Diffs);
    let shown = text(&model);
    for wanted in [
        "view: net",
        "status",
        "\"none\"",
        "\"sent\"",
        "12.50",
        "13.00",
        "2 fields are the same",
    ] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
    // The cursor on a field: the edit that changed this field, not the last one.
    press(&mut model, "jj");
    assert!(text(&model).contains("change #003"), "{}", text(&model));
    press(&mut model, "j");
    assert!(text(&model).contains("change #006"), "{}", text(&model));
    press(&mut model, "v");
    assert!(text(&model).contains("view: per edit"), "{}", text(&model));
    press(&mut model, "<");
    assert!(
        text(&model).contains("at #003, edit 1 of 2"),
        "{}",
        text(&model)
    );
    assert!(!text(&model).contains("13.00"), "{}", text(&model));
    press(&mut model, "]f");
    press(&mut model, "jj");
    let shown = text(&model);
    assert!(
        shown.contains("rule R-9 owners: ask  approved by lead@example.test"),
        "{shown}"
    );
}

#[test]
fn blame_names_the_request_of_a_line_a_column_and_a_field() {
    let store = changed();
    let line = out(&ask(&store, &["blame", "notes.md:2"]));
    assert!(
        line.contains("line     2    901#s1a#3        2  [before: two]"),
        "{line}"
    );
    assert!(
        line.contains("agent  renewal-agent 1.4.0 on host-a"),
        "{line}"
    );
    let first = out(&ask(&store, &["blame", "pending-review/notes.md:1"]));
    assert!(
        first.contains("900#s1a#14       one  [before: nothing]"),
        "{first}"
    );
    let unknown = out(&ask(&store, &["blame", "notes.md:4"]));
    assert!(
        unknown.contains("unknown          by hand  [origin unknown: changed by something"),
        "{unknown}"
    );
    let column = out(&ask(
        &store,
        &["blame", "db:contracts/main.contracts/17#value"],
    ));
    assert!(
        column.contains("900#s1a#6        13.00  [before: 12.50]"),
        "{column}"
    );
    let field = out(&ask(
        &store,
        &[
            "blame",
            "crm.example.test/accounts/1031#stage",
            "-o",
            "json",
        ],
    ));
    let field: Value = serde_json::from_str(&field).unwrap();
    assert_eq!(field["approved_by"], "lead@example.test");
    assert_eq!(field["before"], "\"open\"");
    assert_eq!(field["ref"], "900#s1a#11");
    let csv = out(&ask(&store, &["blame", "notes.md", "-o", "csv"]));
    assert_eq!(csv.lines().count(), 5, "{csv}");
    assert!(csv.starts_with("resource,part,now,before,ref,"), "{csv}");
}

#[test]
fn blame_says_what_is_not_there_and_never_guesses() {
    let store = changed();
    let none = ask(&store, &["blame", "nothing/like/it"]);
    assert_eq!(code(&none), 1);
    assert!(
        err(&none).contains("no change of any request touches"),
        "{}",
        err(&none)
    );
    let beyond = ask(&store, &["blame", "notes.md:99"]);
    assert_eq!(code(&beyond), 2);
    assert!(
        err(&beyond).contains("the last recorded edit left 4 lines"),
        "{}",
        err(&beyond)
    );
    let at = ask(&store, &["blame", "notes.md", "--at", "3"]);
    assert_eq!(code(&at), 2);
    let within = out(&ask(&store, &["blame", "notes.md:2", "--in", "900"]));
    assert!(within.contains("two  [before: nothing]"), "{within}");
}

#[test]
fn at_is_taken_by_every_look_at_a_request_and_refused_elsewhere() {
    let store = changed();
    for command in ["show", "log", "diff", "why"] {
        let asked = ask(&store, &[command, "900", "--at", "s1a#4"]);
        assert_eq!(code(&asked), 0, "{command}: {}", err(&asked));
        assert!(
            !out(&asked).contains("R-9 owners"),
            "{command}: {}",
            out(&asked)
        );
    }
    let bare = out(&ask(&store, &["900", "--at", "s1a#4"]));
    assert!(bare.contains("as of s1a#4"), "{bare}");
    let records = out(&ask(&store, &["log", "900", "--at", "s1a#4"]));
    assert_eq!(records.lines().count(), 5, "{records}");
    for refused in [
        &["log", "--at", "4"][..],
        &["--at", "4"],
        &["verify", "900", "--at", "4"],
        &["export", "900", "--at", "4"],
        &["doctor", "--at", "4"],
        &["log", "900", "-f", "--at", "4"],
    ] {
        let asked = ask(&store, refused);
        assert_eq!(code(&asked), 2, "{refused:?}");
        assert!(
            err(&asked).contains("--at means nothing to"),
            "{}",
            err(&asked)
        );
        assert!(err(&asked).contains("hint: "), "{}", err(&asked));
    }
    let none = ask(&store, &["why", "900", "--at", "999"]);
    assert_eq!(code(&none), 1, "{}", err(&none));
}
