//! A flipped record: every fact that depends on it carries `?`, in text, in JSON and on every screen, and no other.

use ledger::reader::{Find, Reader as _};
use ledger::store::Folder;
use serde_json::{Value, json};

use crate::cli::{ask, code, out};
use crate::stage::{press, showing, text};
use crate::store::{Said, Store, flip, store_of};

fn content(text: &str) -> Value {
    json!({ "state": "present", "media_type": "text/plain", "inline": text })
}

fn begin(id: &str, on: &str) -> Said {
    (
        "agent.tool.invoke",
        json!({
            "recount.action.id": id, "recount.action.kind": "file", "recount.action.access": "write",
            "recount.action.operation": "write", "recount.target": on, "recount.decision.id": "d-1",
        }),
    )
}

fn diff(id: &str, action: &str, resource: &str, after: &str) -> Said {
    (
        "agent.diff",
        json!({
            "recount.diff.id": id, "recount.action.id": action, "recount.resource": resource,
            "recount.before": { "state": "absent" }, "recount.after": content(after), "recount.effect": "committed",
        }),
    )
}

fn end(id: &str) -> Said {
    (
        "agent.tool.result",
        json!({ "recount.action.id": id, "recount.outcome": "success", "recount.effect": "committed" }),
    )
}

/// One action with three changes, of which the second (record 4) is broken; another action before, and one after it.
fn broken() -> Store {
    let records = vec![
        (
            "agent.session.start",
            json!({ "recount.principal.kind": "person", "recount.principal.display": "user@example.test" }),
        ),
        (
            "agent.decision.log",
            json!({ "recount.decision.id": "d-1", "recount.decision.question": "what to write?" }),
        ),
        begin("a-1", "file:out/one.md"),
        diff("f-1", "a-1", "file:out/one.md", "first"),
        diff(
            "f-2",
            "a-1",
            "file:out/two.md",
            "the words that are flipped",
        ),
        diff("f-3", "a-1", "file:out/three.md", "third"),
        end("a-1"),
        begin("a-2", "file:out/four.md"),
        diff("f-4", "a-2", "file:out/four.md", "fourth"),
        end("a-2"),
        (
            "agent.session.end",
            json!({ "recount.session.end_reason": "completed" }),
        ),
    ];
    let store = store_of(&[("s-flip-0001", "900", records)]);
    // Without its salt a record does not open its commitment: it alone does not verify.
    let salt = {
        let folder = Folder::open(&store.dir()).unwrap();
        let stream = folder.find(&Find::All).unwrap()[0].stream;
        let record = folder.records(&stream, 4, 5).unwrap().remove(0);
        record.body.unwrap().salt
    };
    flip(&store.dir().join("ledger.db"), &salt);
    store
}

#[test]
fn text_marks_what_depends_on_a_broken_record_and_nothing_else() {
    let store = broken();
    let shown = ask(&store, &["show", "900"]);
    assert_eq!(code(&shown), 3);
    let shown = out(&shown);
    let line = |wanted: &str| {
        let found = shown.lines().find(|line| line.contains(wanted));
        found
            .unwrap_or_else(|| panic!("{wanted} is not in\n{shown}"))
            .to_owned()
    };
    for doubtful in ["COMPLETED  ", "A file:out/three.md", "actions in all"] {
        assert!(line(doubtful).contains(" ? "), "{}", line(doubtful));
    }
    for sure in [
        "A file:out/one.md",
        "A file:out/four.md",
        "what to write?",
        "record_broken",
    ] {
        assert!(!line(sure).contains(" ? "), "{}", line(sure));
    }
    assert!(
        shown.contains("record   ? marks what depends on s1a#4: "),
        "{shown}"
    );
    let diff = out(&ask(&store, &["diff", "900"]));
    assert!(diff.contains("diff ?s1a#5 file:out/three.md"), "{diff}");
    assert!(
        diff.contains("?    depends on s1a#4, which does not hold"),
        "{diff}"
    );
    assert!(diff.contains("diff s1a#3 file:out/one.md"), "{diff}");
    let stat = out(&ask(&store, &["diff", "900", "--stat"]));
    assert!(
        stat.contains("?s1a#5") && !stat.contains("?s1a#8"),
        "{stat}"
    );
    let why = out(&ask(&store, &["why", "900"]));
    assert!(
        why.contains("led-to     ?s1a#2") && why.contains("led-to     s1a#7"),
        "{why}"
    );
    let steps = out(&ask(&store, &["replay", "900"]));
    assert!(
        steps.contains("\n?s1a#2 ") && steps.contains("\ns1a#7 "),
        "{steps}"
    );
    let blame = out(&ask(&store, &["blame", "three.md"]));
    assert!(blame.contains("?900#s1a#5"), "{blame}");
    let page = out(&ask(&store, &["show", "900", "-o", "md"]));
    assert!(page.contains("- ? A file:out/three.md"), "{page}");
}

#[test]
fn json_names_the_broken_part_on_each_row_that_depends_on_it() {
    let store = broken();
    let account: Value =
        serde_json::from_str(&out(&ask(&store, &["show", "900", "-o", "json"]))).unwrap();
    assert_eq!(account["integrity"]["broken"][0]["name"], "s1a#4");
    assert_eq!(account["integrity"]["broken"][0]["from"], 4);
    let doubt = |row: &Value| row["doubt"].clone();
    let all = json!(["s1a#4"]);
    assert_eq!(doubt(&account["actions"][0]), all);
    assert_eq!(doubt(&account["actions"][1]), Value::Null);
    let diffs = account["diffs"].as_array().unwrap();
    let told: Vec<Value> = diffs.iter().map(doubt).collect();
    assert_eq!(told, [Value::Null, all.clone(), Value::Null]);
    assert_eq!(doubt(&account["outcome"]), all);
    assert_eq!(doubt(&account["sessions"][0]), all);
    assert_eq!(doubt(&account["problems"][0]), Value::Null);
    let diffs: Value =
        serde_json::from_str(&out(&ask(&store, &["diff", "900", "-o", "json"]))).unwrap();
    assert_eq!(diffs[1]["behind"][0]["doubt"], all);
}

#[test]
fn screens_mark_the_same_facts_and_say_what_the_mark_means() {
    let store = broken();
    let account = out(&ask(&store, &["show", "900", "-o", "json"]));
    let mut model = showing(serde_json::from_str(&account).unwrap(), 100, 30);
    let answer = text(&model);
    for wanted in [
        " RESULT  ? ",
        " READ    ? ",
        " CHANGED ? ",
        "? depends on s1a#4 (6)",
    ] {
        assert!(answer.contains(wanted), "{wanted}\n{answer}");
    }
    press(&mut model, "2");
    let timeline = text(&model);
    assert!(timeline.contains("?#002"), "{timeline}");
    assert!(!timeline.contains("?#007"), "{timeline}");
    press(&mut model, "4]f");
    let diffs = text(&model);
    assert!(diffs.contains("@@ ?#005"), "{diffs}");
    press(&mut model, "5");
    assert!(text(&model).contains("?#002"), "{}", text(&model));
    press(&mut model, "6");
    let integrity = text(&model);
    assert!(
        integrity.contains("carries ? on every screen"),
        "{integrity}"
    );
    assert!(
        integrity.contains("1 action, 1 change, 0 decisions"),
        "{integrity}"
    );
}

#[test]
fn an_intact_account_has_no_mark_at_all() {
    let store = crate::diffs::changed();
    let account = out(&ask(&store, &["show", "900", "-o", "json"]));
    assert!(
        !account.contains("\"doubt\"") && !account.contains("\"broken\""),
        "{account}"
    );
    let shown = out(&ask(&store, &["show", "900"]));
    assert!(!shown.contains(" ? "), "{shown}");
}
