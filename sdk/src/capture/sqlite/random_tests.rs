//! What is seen equals what changed: random statements, compared with every row of every table before and after.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{
    change::{changes, key_text},
    schema::{Table, touched},
    seen::{Cell, Row},
    stands::{Stands, stands},
    watch::Watcher,
};

const SCHEMA: &str = "
    PRAGMA foreign_keys = ON;
    CREATE TABLE a (id INTEGER PRIMARY KEY, u UNIQUE, v, w REAL CHECK (w IS NULL OR w < 90));
    CREATE TABLE b (x TEXT COLLATE NOCASE, y INTEGER, v, PRIMARY KEY (x, y)) WITHOUT ROWID;
    CREATE TABLE c (u UNIQUE ON CONFLICT REPLACE, v, UNIQUE (v, u));
    CREATE TABLE d (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id) ON DELETE CASCADE ON UPDATE CASCADE,
                    n INTEGER REFERENCES a (id) ON DELETE SET NULL);
    CREATE TABLE e (v);
    CREATE TRIGGER a_changed AFTER UPDATE ON a WHEN NEW.v IS NOT OLD.v BEGIN
        UPDATE a SET w = coalesce(w, 0) + 1 WHERE id = NEW.id;
        INSERT INTO e VALUES (OLD.v);
        DELETE FROM c WHERE v = NEW.v;
    END;
    CREATE TRIGGER b_new BEFORE INSERT ON b BEGIN INSERT OR REPLACE INTO c VALUES (NEW.y, NEW.v); END;
";

/// Each is a run of its own; more were tried when this was written.
const SEEDS: std::ops::Range<u64> = 0..4;

/// A small generator of numbers, the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn value(&mut self) -> String {
        match self.below(8) {
            0 => "NULL".to_owned(),
            1 => format!("'t{}'", self.below(6)),
            2 => format!("x'0{}'", self.below(6)),
            3 => format!("{}.5", self.below(6)),
            _ => self.below(8).to_string(),
        }
    }

    fn id(&mut self) -> u64 {
        self.below(9)
    }

    fn statement(&mut self) -> String {
        let or = ["", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ABORT"][self.below(5) as usize];
        let (id, other, p, q) = (self.id(), self.id(), self.value(), self.value());
        match self.below(16) {
            0 => format!("INSERT {or} INTO a (id, u, v) VALUES ({id}, {p}, {q})"),
            1 => {
                format!("INSERT {or} INTO a (u, v, w) VALUES ({p}, {q}, {id}), ({q}, {p}, {other})")
            }
            2 => format!("UPDATE {or} a SET u = {p}, v = {q} WHERE id > {id}"),
            3 => format!("UPDATE {or} a SET id = {other} WHERE id = {id}"),
            4 => format!("DELETE FROM a WHERE id = {id}"),
            5 => format!(
                "INSERT INTO a (id, u) VALUES ({id}, {p}) ON CONFLICT (id) DO UPDATE SET v = {q}"
            ),
            6 => format!(
                "INSERT {or} INTO b VALUES ('{}', {id}, {p})",
                ["k", "K", "l"][self.below(3) as usize]
            ),
            7 => format!("UPDATE {or} b SET y = y + {other}, v = {p} WHERE y < {id}"),
            8 => format!("REPLACE INTO c VALUES ({p}, {q})"),
            9 => format!("INSERT {or} INTO c VALUES ({p}, {q}), ({q}, {q})"),
            10 => format!("UPDATE {or} c SET u = {p} WHERE v IS {q}"),
            11 => format!("INSERT {or} INTO d (a, n) VALUES ({id}, {other})"),
            12 => format!(
                "WITH t AS (SELECT id FROM a LIMIT {id}) DELETE FROM d WHERE a IN (SELECT id FROM t)"
            ),
            13 => format!("INSERT {or} INTO a (u, v) SELECT v, u FROM c LIMIT {other}"),
            14 => [
                "DELETE FROM e",
                "DELETE FROM c",
                "DELETE FROM b WHERE v IS NULL",
            ][self.below(3) as usize]
                .to_owned(),
            _ => format!("UPDATE a SET w = w * 2 WHERE id BETWEEN {id} AND {other}"),
        }
    }
}

type Rows = BTreeMap<String, String>;

/// The tables of [`SCHEMA`].
fn tables(conn: &Connection) -> Vec<Table> {
    let table = |name: &str| {
        let written = touched(conn, &format!("DELETE FROM {name} WHERE 1"))
            .unwrap()
            .written;
        written
            .into_iter()
            .find(|table| table.name == name)
            .unwrap()
    };
    ["a", "b", "c", "d", "e"].map(table).into()
}

/// Every row of every table by the name that a diff would give it.
fn snapshot(conn: &Connection, tables: &[Table]) -> Rows {
    let mut all = Rows::new();
    for table in tables {
        let rowid = table.rowid.unwrap_or("NULL");
        let mut statement = conn
            .prepare(&format!("SELECT {rowid}, * FROM {}", table.name))
            .unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells = (1..=table.columns.len())
                .map(|at| row.get_ref(at).unwrap().into())
                .collect();
            let row = Row {
                rowid: row.get(0).unwrap(),
                cells,
            };
            all.insert(named(table, &row), format!("{row:?}"));
        }
    }
    all
}

fn named(table: &Table, row: &Row) -> String {
    let key: Vec<Cell> = match (table.key.is_empty(), row.rowid) {
        (true, Some(id)) => vec![Cell::Integer(id)],
        _ => table.key.iter().map(|at| row.cells[*at].clone()).collect(),
    };
    format!("{}/{}", table.name, key_text(table, &key))
}

/// What differs between two snapshots: name, before, after.
fn difference(before: &Rows, after: &Rows) -> Vec<(String, Option<String>, Option<String>)> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .map(|name| {
            (
                name.clone(),
                before.get(name).cloned(),
                after.get(name).cloned(),
            )
        })
        .filter(|(_, before, after)| before != after)
        .collect()
}

#[test]
fn what_is_seen_equals_what_changed() {
    let mut changed = 0;
    for seed in SEEDS {
        let folder = tempfile::tempdir().unwrap();
        let (seen, plain) = (
            folder.path().join("seen.db"),
            folder.path().join("plain.db"),
        );
        let open = |path| {
            let conn = Connection::open(path).unwrap();
            conn.execute_batch(SCHEMA).unwrap();
            conn.execute_batch("PRAGMA synchronous = OFF").unwrap();
            conn
        };
        let (seen, plain) = (open(seen), open(plain));
        let known = tables(&seen);
        let watcher = Watcher::new(&seen).unwrap();
        let mut numbers = Numbers(seed);
        for _ in 0..120 {
            let sql = numbers.statement();
            let before = snapshot(&seen, &known);
            let tables = touched(&seen, &sql).unwrap().written;
            let watch = watcher.start(&seen, &tables, &sql).unwrap();
            let result = seen.execute(&sql, []);
            let steps = watch.end().steps;
            let all = changes(&tables, steps);
            let stands = result.is_ok() || stands(&seen, &tables, &all) == Stands::Yes;
            let all = if stands { all } else { Vec::new() };
            let mut found: Vec<_> = all
                .iter()
                .map(|change| {
                    let table = &tables[change.table];
                    let side = |row: &Option<Row>| row.as_ref().map(|row| format!("{row:?}"));
                    let name = format!("{}/{}", table.name, key_text(table, &change.key));
                    (name, side(&change.before), side(&change.after))
                })
                .collect();
            found.sort();
            assert_eq!(
                found,
                difference(&before, &snapshot(&seen, &known)),
                "seed {seed}: {sql} gave {result:?}"
            );
            changed += found.len();
            assert_eq!(
                format!("{result:?}"),
                format!("{:?}", plain.execute(&sql, [])),
                "seed {seed}: {sql}"
            );
            assert_eq!(
                snapshot(&seen, &known),
                snapshot(&plain, &known),
                "seed {seed}: {sql}"
            );
            // The one difference, see the module: a row that a foreign key refuses was inserted for a moment.
            let refused = matches!(&result, Err(error) if error.sqlite_error().is_some_and(|error| error.extended_code == 787));
            let counters = |conn: &Connection| {
                let last = if refused { 0 } else { conn.last_insert_rowid() };
                (conn.changes(), conn.total_changes(), last)
            };
            assert_eq!(counters(&seen), counters(&plain), "seed {seed}: {sql}");
            if refused {
                for conn in [&seen, &plain] {
                    // So that both go on alike.
                    conn.execute("INSERT INTO e VALUES ('level')", []).unwrap();
                }
            }
        }
    }
    assert!(
        changed > 500,
        "{changed} changes are too few to show anything"
    );
}
