//! Watching rows against real SQLite files.

use rusqlite::Connection;

use super::{
    change::{Change, changes},
    schema::{Table, touched},
    seen::{Cell, Row},
    watch::Watcher,
};

/// Runs one statement watched, the way the wrapper does.
fn watched(
    conn: &Connection,
    watcher: &Watcher,
    sql: &str,
) -> (rusqlite::Result<usize>, Vec<Table>, Vec<Change>) {
    let touched = touched(conn, sql).unwrap();
    assert!(touched.unseen.is_empty(), "{:?}", touched.unseen);
    let written = touched.written;
    let watch = watcher.start(conn, &written, sql).unwrap();
    let result = conn.execute(sql, []);
    let seen = watch.end();
    let all = changes(&written, seen.steps);
    (result, written, all)
}

fn text(text: &str) -> Cell {
    Cell::Text(text.as_bytes().to_vec())
}

fn cells(row: &Option<Row>) -> Vec<Cell> {
    row.as_ref()
        .map(|row| row.cells.clone())
        .unwrap_or_default()
}

fn find<'a>(tables: &[Table], all: &'a [Change], table: &str, key: &[Cell]) -> &'a Change {
    all.iter()
        .find(|change| tables[change.table].name == table && change.key == key)
        .unwrap_or_else(|| panic!("no change of {table} {key:?} in {all:?}"))
}

/// Every row of every table, with types, plus the counters a program could look at.
fn state(conn: &Connection) -> Vec<String> {
    let mut all = vec![format!(
        "{} {} {}",
        conn.changes(),
        conn.total_changes(),
        conn.last_insert_rowid()
    )];
    for table in ["t", "child", "wr", "log", "multi"] {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let width = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<Cell> = (0..width)
                .map(|at| row.get_ref(at).unwrap().into())
                .collect();
            all.push(format!("{table} {cells:?}"));
        }
    }
    for sql in [
        "SELECT group_concat(name) FROM sqlite_temp_schema",
        "SELECT group_concat(name) FROM sqlite_schema",
    ] {
        all.push(format!(
            "{:?}",
            conn.query_row(sql, [], |row| row.get::<_, Option<String>>(0))
                .unwrap()
        ));
    }
    for pragma in [
        "recursive_triggers",
        "schema_version",
        "foreign_keys",
        "journal_mode",
    ] {
        all.push(format!(
            "{pragma} {:?}",
            conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row
                .get_ref(0)
                .map(Cell::from))
        ));
    }
    all
}

const SCHEMA: &str = "
    CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, r REAL, b BLOB, n, rev INTEGER NOT NULL DEFAULT 1,
                    twice INTEGER GENERATED ALWAYS AS (rev * 2));
    CREATE TRIGGER bump AFTER UPDATE OF name ON t BEGIN
        UPDATE t SET rev = rev + 1 WHERE id = NEW.id;
        INSERT INTO log VALUES ('renamed ' || OLD.name);
    END;
    CREATE TABLE child (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t(id) ON DELETE CASCADE ON UPDATE CASCADE);
    CREATE TABLE wr (a TEXT COLLATE NOCASE, b INTEGER, v, PRIMARY KEY (a, b)) WITHOUT ROWID;
    CREATE TABLE log (line);
    CREATE TABLE multi (a INTEGER PRIMARY KEY, b UNIQUE ON CONFLICT REPLACE, c UNIQUE);
    INSERT INTO t (id, name, r, b, n) VALUES (1, 'a', 10.5, x'00ff', 9007199254740993), (2, 'b', 5, NULL, 'x'), (3, 'c', 0.1, NULL, NULL);
    INSERT INTO child VALUES (1, 1), (2, 1), (3, 2);
    INSERT INTO wr VALUES ('k', 1, 'one'), ('k', 2, 'two');
    INSERT INTO log VALUES ('first');
    INSERT INTO multi VALUES (1, 'x', 'p'), (2, 'y', 'q'), (3, 'z', 'r');
";

fn open(folder: &tempfile::TempDir, name: &str) -> Connection {
    let conn = Connection::open(folder.path().join(name)).unwrap();
    conn.execute_batch(SCHEMA).unwrap();
    conn
}

#[test]
fn watching_changes_nothing_a_program_could_see() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, seen) = (open(&folder, "plain.db"), open(&folder, "seen.db"));
    let watcher = Watcher::new(&seen).unwrap();
    let statements = [
        "UPDATE t SET name = name || '!' WHERE id < 3",
        "INSERT INTO t (name, rev) VALUES ('d', 7)",
        "INSERT OR REPLACE INTO t (id, name) VALUES (2, 'c')",
        "REPLACE INTO t (name) VALUES ('d')",
        "INSERT INTO t (id, name) VALUES (1, 'zz') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        "INSERT INTO t (id, name) VALUES (1, 'zz')",
        "INSERT OR IGNORE INTO t (id, name) VALUES (1, 'zz')",
        "UPDATE t SET id = id + 100 WHERE id = 1",
        "UPDATE OR REPLACE t SET name = 'd' WHERE id = 101",
        "DELETE FROM t WHERE id = 101",
        "INSERT INTO multi VALUES (9, 'x', 'q')",
        "INSERT OR FAIL INTO multi VALUES (10, 'k', 'k'), (11, 'l', 'k')",
        "INSERT INTO multi (b, c) SELECT a || 'n', a || 'n' FROM multi",
        "UPDATE wr SET v = 'three', b = b + 1 WHERE a = 'K' AND b = 2",
        "REPLACE INTO wr VALUES ('K', 1, 'uno')",
        "WITH w AS (SELECT 1 AS one) DELETE FROM wr WHERE b IN (SELECT one FROM w)",
        "DELETE FROM log",
        "DELETE FROM t",
    ];
    for sql in statements {
        let bare = plain.execute(sql, []);
        let (with, ..) = watched(&seen, &watcher, sql);
        assert_eq!(format!("{bare:?}"), format!("{with:?}"), "{sql}");
        assert_eq!(state(&plain), state(&seen), "{sql}");
    }
    watcher.retire(&seen);
    assert_eq!(state(&plain), state(&seen));
}

#[test]
fn values_are_exact_and_before_is_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let conn = open(&folder, "a.db");
    let watcher = Watcher::new(&conn).unwrap();
    let (_, tables, all) = watched(
        &conn,
        &watcher,
        "UPDATE t SET r = r + 0.2, b = x'01' WHERE id IN (1, 3)",
    );
    let three = find(&tables, &all, "t", &[Cell::Integer(3)]);
    assert_eq!(cells(&three.before)[2], Cell::Real(0.1));
    assert_eq!(cells(&three.after)[2], Cell::Real(0.1 + 0.2));
    let one = find(&tables, &all, "t", &[Cell::Integer(1)]);
    assert_eq!(
        cells(&one.before)[3..5],
        [
            Cell::Blob(vec![0, 255]),
            Cell::Integer(9_007_199_254_740_993)
        ]
    );
    assert_eq!(cells(&one.after)[3], Cell::Blob(vec![1]));
    assert_eq!(all.len(), 2);
}

#[test]
fn what_triggers_and_foreign_keys_change_is_seen_too() {
    let folder = tempfile::tempdir().unwrap();
    let conn = open(&folder, "a.db");
    conn.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let watcher = Watcher::new(&conn).unwrap();
    let (_, tables, all) = watched(&conn, &watcher, "UPDATE t SET name = 'new' WHERE id = 1");
    let one = find(&tables, &all, "t", &[Cell::Integer(1)]);
    let stored: (String, i64, i64) = conn
        .query_row("SELECT name, rev, twice FROM t WHERE id = 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(
        cells(&one.before)[5..],
        [Cell::Integer(1), Cell::Integer(2)]
    );
    assert_eq!(
        cells(&one.after)[5..],
        [Cell::Integer(stored.1), Cell::Integer(stored.2)]
    );
    assert_eq!(cells(&one.after)[1], text(&stored.0));
    assert_eq!(find(&tables, &all, "log", &[Cell::Integer(2)]).before, None);
    let (_, tables, all) = watched(&conn, &watcher, "DELETE FROM t WHERE id = 1");
    for child in [1, 2] {
        let gone = find(&tables, &all, "child", &[Cell::Integer(child)]);
        assert_eq!(
            (cells(&gone.before), &gone.after),
            (vec![Cell::Integer(child), Cell::Integer(1)], &None)
        );
    }
    assert_eq!(all.len(), 3);
}

#[test]
fn rows_that_a_replacing_insert_removes_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let conn = open(&folder, "a.db");
    let watcher = Watcher::new(&conn).unwrap();
    let (_, tables, all) = watched(
        &conn,
        &watcher,
        "INSERT OR REPLACE INTO multi VALUES (1, 'y', 'r')",
    );
    assert_eq!(all.len(), 3, "{all:?}");
    let one = find(&tables, &all, "multi", &[Cell::Integer(1)]);
    assert_eq!(
        (cells(&one.before)[1].clone(), cells(&one.after)[1].clone()),
        (text("x"), text("y"))
    );
    for gone in [2, 3] {
        let gone = find(&tables, &all, "multi", &[Cell::Integer(gone)]);
        assert!(gone.before.is_some() && gone.after.is_none());
    }
    // The table's own conflict clause, on one column only; the other constraint still fails the statement.
    let (_, _, all) = watched(&conn, &watcher, "INSERT INTO multi VALUES (5, 'y', 'new')");
    assert_eq!(all.len(), 2, "{all:?}");
    let (failed, _, _) = watched(
        &conn,
        &watcher,
        "INSERT INTO multi VALUES (6, 'fresh', 'new')",
    );
    assert!(failed.is_err());
    // Without a row id, and with a collation.
    let (_, tables, all) = watched(&conn, &watcher, "REPLACE INTO wr VALUES ('K', 1, 'uno')");
    assert!(
        all.iter()
            .any(|change| cells(&change.before).get(2) == Some(&text("one"))),
        "{tables:?} {all:?}"
    );
}

#[test]
fn a_candidate_that_was_not_replaced_is_not_reported() {
    let folder = tempfile::tempdir().unwrap();
    let conn = open(&folder, "a.db");
    let watcher = Watcher::new(&conn).unwrap();
    let sql = "INSERT INTO t (id, name) VALUES (1, replace('q', 'q', 'w')), (50, 'w2') ON CONFLICT (id) DO NOTHING";
    let (_, tables, all) = watched(&conn, &watcher, sql);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(
        find(&tables, &all, "t", &[Cell::Integer(50)])
            .before
            .is_none()
    );
}

#[test]
fn user_statements_that_are_still_being_read_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let conn = open(&folder, "a.db");
    let watcher = Watcher::new(&conn).unwrap();
    let mut reading = conn.prepare("SELECT id FROM t ORDER BY id").unwrap();
    let mut rows = reading.query([]).unwrap();
    assert!(rows.next().unwrap().is_some());
    let (result, _, all) = watched(&conn, &watcher, "UPDATE wr SET v = 'x'");
    assert_eq!((result.unwrap(), all.len()), (2, 2));
    assert!(rows.next().unwrap().is_some());
    assert!(rows.next().unwrap().is_some());
    assert!(rows.next().unwrap().is_none());
}
