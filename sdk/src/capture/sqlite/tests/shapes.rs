//! Statements and tables of every shape: upserts, replacements, many rows, no key, attached databases, triggers.

use super::*;

/// Resource, before and after of each diff of the last action; cells without their types.
fn changes(recorder: &crate::Recorder) -> Vec<(String, Value, Value)> {
    let action = Recorded::of(recorder).actions().pop().unwrap();
    let plain = |side: &Value| {
        let text = side.as_str().unwrap();
        match serde_json::from_str::<Value>(text) {
            Ok(row) => row["cells"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, cell)| {
                    let cell = cell.as_object().and_then(|cell| cell.values().next());
                    (name.clone(), cell.cloned().unwrap_or(Value::Null))
                })
                .collect(),
            Err(_) => json!(text),
        }
    };
    diffs(&action)
        .iter()
        .map(|diff| {
            let (resource, before, after, read_before, read_after) = sides(diff);
            assert_eq!(
                (read_before, read_after),
                ("in_transaction", "in_transaction"),
                "{resource}"
            );
            (resource.to_owned(), plain(&before), plain(&after))
        })
        .collect()
}

fn database(sql: &str) -> (TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let conn = Connection::open(folder.path().join("shop.db")).unwrap();
    conn.execute_batch(sql).unwrap();
    (folder, conn)
}

#[test]
fn an_upsert_tells_the_row_in_the_way_and_the_new_one() {
    let (recorder, session) = session();
    let (_folder, conn) = database(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 10);",
    );
    let db = session.sqlite(conn);
    let sql =
        "INSERT INTO t VALUES (?1, ?2), (?3, ?4) ON CONFLICT (id) DO UPDATE SET n = n + excluded.n";
    assert_eq!(db.execute(sql, params![1, 5, 2, 6]).unwrap(), 2);
    assert_eq!(
        changes(&recorder),
        [
            (
                "db:shop/main.t/1".to_owned(),
                json!({"id": "1", "n": "10"}),
                json!({"id": "1", "n": "15"})
            ),
            (
                "db:shop/main.t/2".to_owned(),
                json!("absent"),
                json!({"id": "2", "n": "6"})
            ),
        ]
    );
    let sql = "INSERT INTO t VALUES (1, 7) ON CONFLICT DO NOTHING";
    assert_eq!(db.execute(sql, []).unwrap(), 0);
    assert_eq!(changes(&recorder), []);
}

#[test]
fn a_replacement_tells_every_row_that_it_removed() {
    let (recorder, session) = session();
    let (_folder, conn) = database(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE, b TEXT UNIQUE);
         INSERT INTO t VALUES (1, 'x', 'p'), (2, 'y', 'q'), (3, 'z', 'r');",
    );
    let db = session.sqlite(conn);
    db.execute("INSERT OR REPLACE INTO t VALUES (1, 'y', 'r')", [])
        .unwrap();
    let mut seen = changes(&recorder);
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        seen,
        [
            (
                "db:shop/main.t/1".to_owned(),
                json!({"id": "1", "a": "x", "b": "p"}),
                json!({"id": "1", "a": "y", "b": "r"})
            ),
            (
                "db:shop/main.t/2".to_owned(),
                json!({"id": "2", "a": "y", "b": "q"}),
                json!("absent")
            ),
            (
                "db:shop/main.t/3".to_owned(),
                json!({"id": "3", "a": "z", "b": "r"}),
                json!("absent")
            ),
        ]
    );
}

#[test]
fn rows_without_a_primary_key_are_told_apart_by_their_row_id() {
    let (recorder, session) = session();
    let (_folder, conn) = database(
        "CREATE TABLE log (line TEXT); INSERT INTO log VALUES ('same'), ('same');
         CREATE TABLE pair (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
         INSERT INTO pair VALUES ('k/1', 1, 'one'), ('k/1', 2, 'two');",
    );
    let db = session.sqlite(conn);
    db.execute("UPDATE log SET line = 'other'", []).unwrap();
    let seen = changes(&recorder);
    let names: Vec<&str> = seen.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(
        names,
        ["db:shop/main.log/rowid:1", "db:shop/main.log/rowid:2"]
    );
    assert_eq!(
        (&seen[0].1["line"], &seen[0].2["line"]),
        (&json!("same"), &json!("other"))
    );
    db.execute("UPDATE pair SET v = 'new', b = b + 10 WHERE b = 2", [])
        .unwrap();
    let seen = changes(&recorder);
    assert_eq!(
        seen.iter()
            .map(|(name, ..)| name.as_str())
            .collect::<Vec<_>>(),
        ["db:shop/main.pair/k%2F1,2", "db:shop/main.pair/k%2F1,12"],
        "a key that changes makes two rows of one"
    );
    assert_eq!(
        (&seen[0].2, &seen[1].1),
        (&json!("absent"), &json!("absent"))
    );
}

#[test]
fn rows_of_an_attached_database_are_named_by_it() {
    let (recorder, session) = session();
    let (folder, conn) = database("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);");
    let archive = folder.path().join("archive.db");
    conn.execute("ATTACH ?1 AS archive", [archive.to_str().unwrap()])
        .unwrap();
    conn.execute_batch("CREATE TABLE archive.t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO archive.t VALUES (1, 'old'); INSERT INTO t VALUES (1, 'here');")
        .unwrap();
    let mut db = session.sqlite(conn);
    db.execute("UPDATE archive.t SET v = 'kept'", []).unwrap();
    let [(name, before, after)] = changes(&recorder).try_into().unwrap();
    assert_eq!(
        (name.as_str(), &before["v"], &after["v"]),
        ("db:shop/archive.t/1", &json!("old"), &json!("kept"))
    );
    let moved = db.transaction().unwrap();
    moved
        .execute("INSERT INTO archive.t SELECT id + 1, v FROM main.t", [])
        .unwrap();
    let [(name, ..)] = changes(&recorder).try_into().unwrap();
    assert_eq!(name, "db:shop/archive.t/2");
    moved.rollback().unwrap();
    assert_eq!(settled(&recorder).last().unwrap().1, "rolled_back");
}

#[test]
fn what_triggers_and_cascades_change_is_part_of_the_action() {
    let (recorder, session) = session();
    let (_folder, conn) = database(
        "PRAGMA foreign_keys = on;
         CREATE TABLE parent (id INTEGER PRIMARY KEY, v TEXT);
         CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent(id) ON DELETE CASCADE);
         CREATE TABLE journal (line TEXT);
         CREATE TRIGGER gone AFTER DELETE ON child BEGIN INSERT INTO journal VALUES ('child ' || OLD.id); END;
         INSERT INTO parent VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (5, 1), (6, 1), (7, 2);",
    );
    let db = session.sqlite(conn);
    assert_eq!(
        db.execute("DELETE FROM parent WHERE id = 1", []).unwrap(),
        1
    );
    let mut names: Vec<String> = changes(&recorder)
        .into_iter()
        .map(|(name, ..)| name)
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "db:shop/main.child/5",
            "db:shop/main.child/6",
            "db:shop/main.journal/rowid:1",
            "db:shop/main.journal/rowid:2",
            "db:shop/main.parent/1",
        ]
    );
}

#[test]
fn rows_of_a_virtual_table_are_said_to_be_missing() {
    let (recorder, session) = session();
    let (_folder, conn) = database("CREATE TABLE t (id INTEGER PRIMARY KEY);");
    if conn
        .execute_batch("CREATE VIRTUAL TABLE words USING fts5(line)")
        .is_err()
    {
        return; // an SQLite without full-text search
    }
    let db = session.sqlite(conn);
    db.execute("INSERT INTO words VALUES ('hello')", [])
        .unwrap();
    let action = only(&recorder);
    let whys: Vec<&str> = diffs(&action)
        .iter()
        .filter_map(|diff| diff.attributes[attribute::BEFORE]["why"].as_str())
        .collect();
    assert!(
        whys.contains(&"rows of virtual tables cannot be watched"),
        "{whys:?}"
    );
}

#[test]
fn a_value_for_a_column_that_holds_a_credential_is_in_no_record() {
    let (recorder, session) = session();
    let (_folder, conn) = database(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, password TEXT); INSERT INTO users VALUES (1, 'a', 'x');",
    );
    let db = session.sqlite(conn);
    db.execute(
        "UPDATE users SET password = ?1 WHERE id = ?2",
        params!["correct horse", 1],
    )
    .unwrap();
    db.execute(
        "INSERT INTO users VALUES (?, ?, lower(?))",
        params![2, "b", "battery staple"],
    )
    .unwrap();
    db.execute(
        "INSERT INTO users (password, name) VALUES ('tr0ub4dor', 'c')",
        [],
    )
    .unwrap();
    db.query_map(
        "SELECT id FROM users WHERE password = :p",
        &[(":p", "correct horse")],
        |_| Ok(()),
    )
    .unwrap();
    for secret in ["correct horse", "battery staple", "tr0ub4dor"] {
        assert!(!is_recorded(&recorder, secret), "{secret}");
    }
    let actions = Recorded::of(&recorder).actions();
    let input: Value =
        serde_json::from_str(actions[0].begin.text(attribute::INPUT).unwrap()).unwrap();
    assert_eq!(
        (&input["parameters"], &input["columns"]),
        (
            &json!({"?1": {"text": "[removed:named_secret]"}, "?2": {"int": "1"}}),
            &json!({"?1": "password", "?2": "id"})
        )
    );
    let redactions = &actions[0].begin.attributes[attribute::INPUT]["redactions"];
    assert!(
        format!("{redactions:?}").contains("/parameters/?1"),
        "{redactions:?}"
    );
}
