//! Recorded statements against real SQLite files.

mod shapes;
mod transactions;

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tempfile::TempDir;
use vocabulary::attribute;

use super::*;
use crate::{
    capture::testing::{SECRET, diffs, is_recorded, session, sides},
    testing::{ActionRecords, Recorded, refuse_begins},
};

fn contracts() -> (TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let conn = Connection::open(folder.path().join("contracts.db")).unwrap();
    conn.execute_batch(
        "CREATE TABLE contracts (id INTEGER PRIMARY KEY, status TEXT, price REAL, token TEXT);
         INSERT INTO contracts VALUES (17, 'open', 0.1, NULL), (18, 'open', 2.5, NULL);
         CREATE TABLE log (line TEXT);",
    )
    .unwrap();
    (folder, conn)
}

fn cells(side: &Value) -> Value {
    serde_json::from_str::<Value>(side.as_str().unwrap()).unwrap()["cells"].clone()
}

fn only(recorder: &crate::Recorder) -> ActionRecords {
    let mut actions = Recorded::of(recorder).actions();
    assert_eq!(actions.len(), 1);
    actions.remove(0)
}

/// Transaction id and outcome of every settlement.
fn settled(recorder: &crate::Recorder) -> Vec<(String, String)> {
    Recorded::of(recorder)
        .of_event(vocabulary::Event::Transaction)
        .iter()
        .map(|record| {
            let text = |key| record.str(key).unwrap().to_owned();
            (
                text(attribute::TRANSACTION_ID),
                text(attribute::TRANSACTION_OUTCOME),
            )
        })
        .collect()
}

#[test]
fn a_write_is_one_action_with_a_diff_per_row() {
    let (recorder, session) = session();
    let (_folder, conn) = contracts();
    let db = session.sqlite(conn);
    let changed = db
        .execute(
            "UPDATE contracts SET status = ?1 WHERE price < ?2",
            params!["sent", 100],
        )
        .unwrap();
    assert_eq!(changed, 2);
    let action = only(&recorder);
    let begin = |key| action.begin.str(key);
    assert_eq!(
        begin(attribute::TARGET),
        Some("db:contracts/main.contracts")
    );
    assert_eq!(
        (
            begin(attribute::ACTION_ACCESS),
            begin(attribute::DB_OPERATION)
        ),
        (Some("write"), Some("UPDATE"))
    );
    let input: Value = serde_json::from_str(action.begin.text(attribute::INPUT).unwrap()).unwrap();
    assert_eq!(
        input["parameters"],
        json!({"?1": {"text": "sent"}, "?2": {"int": "100"}})
    );
    assert_eq!(
        (action.outcome(), action.effect()),
        (Some("success"), Some("committed"))
    );
    assert_eq!(
        action.end.as_ref().unwrap().str(attribute::RESULT),
        Some("2 rows")
    );
    let diffs = diffs(&action);
    assert_eq!(diffs.len(), 2);
    let (resource, before, after, read_before, read_after) = sides(diffs[0]);
    assert_eq!(resource, "db:contracts/main.contracts/17");
    assert_eq!(
        cells(&before),
        json!({"id": {"int": "17"}, "status": {"text": "open"}, "price": {"real": "0.1"}, "token": null})
    );
    assert_eq!(cells(&after)["status"], json!({"text": "sent"}));
    assert_eq!(
        (read_before, read_after),
        ("in_transaction", "in_transaction")
    );
}

#[test]
fn what_another_connection_changed_is_not_charged_to_the_next_statement() {
    let (recorder, session) = session();
    let (folder, conn) = contracts();
    let other = Connection::open(folder.path().join("contracts.db")).unwrap();
    let db = session.sqlite(conn);
    other
        .execute("UPDATE contracts SET status = 'theirs', price = 99", [])
        .unwrap();
    db.connection()
        .execute("INSERT INTO contracts VALUES (19, 'unseen', 1, NULL)", [])
        .unwrap();
    db.execute("UPDATE contracts SET status = 'ours' WHERE id = 17", [])
        .unwrap();
    let action = only(&recorder);
    assert_eq!(diffs(&action).len(), 1);
    let (resource, before, after, ..) = sides(diffs(&action)[0]);
    assert_eq!(resource, "db:contracts/main.contracts/17");
    assert_eq!(
        (&cells(&before)["status"], &cells(&after)["status"]),
        (&json!({"text": "theirs"}), &json!({"text": "ours"}))
    );
    assert_eq!(cells(&before)["price"], cells(&after)["price"]);
}

#[test]
fn a_failed_statement_leaves_no_diff_but_what_fail_lets_stand() {
    let (recorder, session) = session();
    let (_folder, conn) = contracts();
    let db = session.sqlite(conn);
    let error = db
        .execute("INSERT INTO contracts (id) VALUES (30), (17)", [])
        .unwrap_err();
    assert!(matches!(
        error.own(),
        Some(rusqlite::Error::SqliteFailure(..))
    ));
    db.execute("INSERT OR FAIL INTO contracts (id) VALUES (40), (17)", [])
        .unwrap_err();
    db.execute("INSERT INTO nowhere VALUES (1)", [])
        .unwrap_err();
    let actions = Recorded::of(&recorder).actions();
    let seen: Vec<_> = actions
        .iter()
        .map(|action| {
            (
                action.outcome().unwrap(),
                action.effect().unwrap(),
                diffs(action).len(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("failure", "none", 0),
            ("failure", "committed", 1),
            ("failure", "none", 0)
        ]
    );
    assert_eq!(
        actions[0]
            .end
            .as_ref()
            .unwrap()
            .str(attribute::ERROR_NATIVE),
        Some("sqlite:1555")
    );
    assert_eq!(
        sides(diffs(&actions[1])[0]).0,
        "db:contracts/main.contracts/40"
    );
}

#[test]
fn a_refused_write_does_not_run() {
    let (recorder, session) = session();
    let (_folder, conn) = contracts();
    let db = session.sqlite(conn);
    refuse_begins(&recorder, true);
    assert!(matches!(
        db.execute("DELETE FROM contracts", []),
        Err(Error::Refused(_))
    ));
    assert_eq!(
        db.query_row("SELECT count(*) FROM contracts", [], |row| row
            .get::<_, i64>(0))
            .unwrap(),
        2
    );
    assert_eq!(
        Recorded::of(&recorder).actions()[0].outcome(),
        Some("not_executed")
    );
}

#[test]
fn reads_record_their_rows_and_change_nothing() {
    let (recorder, session) = session();
    let (_folder, conn) = contracts();
    let db = session.sqlite(conn).named("vault");
    let ids = db
        .query_map("SELECT id, price FROM contracts ORDER BY id", [], |row| {
            row.get::<_, i64>(0)
        })
        .unwrap();
    assert_eq!(ids, [17, 18]);
    let action = only(&recorder);
    assert_eq!(
        action.begin.str(attribute::TARGET),
        Some("db:vault/main.contracts")
    );
    assert_eq!((action.effect(), diffs(&action).len()), (Some("none"), 0));
    let lines: Vec<Value> = action
        .end
        .as_ref()
        .unwrap()
        .text(attribute::OUTPUT)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines[1]["cells"],
        json!({"id": {"int": "18"}, "price": {"real": "2.5"}})
    );
}

#[test]
fn more_rows_than_the_budget_are_said_to_be_missing() {
    let (recorder, session) = session();
    let (_folder, conn) = contracts();
    let db = session.sqlite(conn);
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1005) INSERT INTO log SELECT i FROM n";
    assert_eq!(db.execute(many, []).unwrap(), 1005);
    let action = only(&recorder);
    let diffs = diffs(&action);
    assert_eq!(diffs.len(), 1001);
    let (resource, before, ..) = sides(diffs[1000]);
    assert_eq!(
        (resource, before),
        ("db:contracts/main.log", json!("not_captured"))
    );
    assert!(
        diffs[1000].attributes[attribute::BEFORE]["why"]
            .as_str()
            .unwrap()
            .starts_with("5 more rows")
    );
    assert_eq!(sides(diffs[0]).0, "db:contracts/main.log/rowid:1");
}

#[test]
fn rows_that_cannot_be_watched_are_said_to_be_missing() {
    let (recorder, session) = session();
    let (_folder, conn) = contracts();
    conn.execute_batch("CREATE VIRTUAL TABLE words USING fts5(word)")
        .unwrap();
    let db = session.sqlite(conn);
    db.execute("INSERT INTO words VALUES ('hello')", [])
        .unwrap();
    let action = only(&recorder);
    let missing = diffs(&action)
        .iter()
        .filter(|diff| sides(diff).3 == "not_read")
        .count();
    assert_eq!(missing, 1, "{:?}", diffs(&action));
}

#[test]
fn a_secret_is_in_no_record() {
    let (recorder, session) = session();
    let (_folder, conn) = contracts();
    let db = session.sqlite(conn);
    db.execute(
        "UPDATE contracts SET token = ?1, status = 'x' WHERE id = 17",
        ["hunter2-hunter2"],
    )
    .unwrap_or_default();
    db.execute(
        "UPDATE contracts SET status = :password WHERE id = 18",
        rusqlite::named_params! {":password": "hunter3"},
    )
    .unwrap();
    db.execute(&format!("INSERT INTO log VALUES ('{SECRET}')"), [])
        .unwrap();
    assert!(!is_recorded(&recorder, SECRET));
    let rows = Recorded::of(&recorder).actions();
    assert_eq!(
        cells(&sides(diffs(&rows[0])[0]).2)["token"]["text"],
        "[removed:named_secret]"
    );
    assert!(
        !rows[1]
            .begin
            .text(attribute::INPUT)
            .unwrap()
            .contains("hunter3")
    );
}

#[test]
fn a_changed_definition_is_a_diff_of_the_schema() {
    let (recorder, session) = session();
    let (_folder, conn) = contracts();
    let db = session.sqlite(conn);
    db.execute("ALTER TABLE log ADD COLUMN at TEXT", [])
        .unwrap();
    db.execute_batch("BEGIN; DROP TABLE log; ROLLBACK").unwrap();
    db.query_map("PRAGMA user_version", [], |_| Ok(())).unwrap();
    let actions = Recorded::of(&recorder).actions();
    let (resource, before, after, read_before, _) = sides(diffs(&actions[0])[0]);
    assert_eq!(
        (resource, read_before),
        ("db:contracts/main.sqlite_schema/table,log", "unlocked")
    );
    assert_eq!(
        cells(&before)["sql"],
        json!({"text": "CREATE TABLE log (line TEXT)"})
    );
    assert_eq!(
        cells(&after)["sql"],
        json!({"text": "CREATE TABLE log (line TEXT, at TEXT)"})
    );
    let (_, _, after, read_before, _) = sides(diffs(&actions[1])[0]);
    assert_eq!(
        (after, read_before, actions[1].effect()),
        (json!("absent"), "in_transaction", Some("pending"))
    );
    assert_eq!(
        actions[1].begin.str(attribute::ACTION_ACCESS),
        Some("delete")
    );
    assert_eq!(settled(&recorder).len(), 1);
    assert_eq!(
        (
            actions[2].begin.str(attribute::ACTION_ACCESS),
            actions[2].effect()
        ),
        (Some("read"), Some("none"))
    );
}

#[test]
fn an_index_through_which_rows_vanish_unseen_is_said() {
    let (recorder, session) = session();
    let (_folder, conn) = contracts();
    conn.execute_batch("CREATE UNIQUE INDEX odd ON contracts (lower(status)) WHERE price > 1")
        .unwrap();
    let db = session.sqlite(conn);
    db.execute(
        "INSERT OR REPLACE INTO contracts VALUES (-1, 'OPEN', 7, NULL)",
        [],
    )
    .unwrap();
    db.execute(
        "INSERT OR REPLACE INTO contracts VALUES (-1, 'again', 0, NULL)",
        [],
    )
    .unwrap();
    db.execute(
        "INSERT OR REPLACE INTO contracts VALUES (NULL, 'free', 0, NULL)",
        [],
    )
    .unwrap();
    let actions = Recorded::of(&recorder).actions();
    assert!(
        diffs(&actions[0])
            .iter()
            .any(|diff| sides(diff).3 == "not_read")
    );
    let replaced = sides(diffs(&actions[1])[0]);
    assert_eq!(
        (replaced.0, &cells(&replaced.1)["status"]),
        ("db:contracts/main.contracts/-1", &json!({"text": "OPEN"}))
    );
    let fresh: Vec<_> = diffs(&actions[2])
        .iter()
        .map(|diff| sides(diff))
        .filter(|sides| sides.3 != "not_read")
        .collect();
    assert_eq!((fresh.len(), &fresh[0].1), (1, &json!("absent")));
}
