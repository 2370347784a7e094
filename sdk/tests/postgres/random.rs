//! Random statements: a recorded database and its unrecorded twin end the same, and the diffs lead from one state to
//! the next.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tokio_postgres::Client;

use crate::world::{Test, World, block_on, diffs};

pub(crate) const TESTS: &[Test] = &[(
    "a_recorded_program_and_its_twin_do_the_same",
    a_recorded_program_and_its_twin_do_the_same,
)];

const SCHEMA: &str = "CREATE TABLE t (id int PRIMARY KEY, k text UNIQUE, v numeric CHECK (v < 50), at timestamptz DEFAULT '2026-01-01');
    CREATE TABLE wide (a text, b int, v bytea, PRIMARY KEY (a, b));
    INSERT INTO t SELECT n, 'k' || n, n FROM generate_series(1, 8) n; INSERT INTO wide SELECT 'w', n, 'x' FROM generate_series(1, 4) n;";

fn statement() -> impl Strategy<Value = String> {
    let id = 1..12_i32;
    let k = "k[1-9]";
    prop_oneof![
        (id.clone(), k, 0..60_i32).prop_map(|(id, k, v)| format!("INSERT INTO t (id, k, v) VALUES ({id}, '{k}', {v})")),
        (id.clone(), k, 0..60_i32).prop_map(|(id, k, v)| format!(
            "INSERT INTO t (id, k, v) VALUES ({id}, '{k}', {v}), ({}, NULL, 1.50) ON CONFLICT (id) DO UPDATE SET v = excluded.v, k = excluded.k", id + 20
        )),
        (id.clone(), k).prop_map(|(id, k)| format!("INSERT INTO t VALUES ({id}, '{k}', 1) ON CONFLICT DO NOTHING")),
        (id.clone(), 0..60_i32).prop_map(|(id, v)| format!("UPDATE t SET v = v + {v} WHERE id <= {id}")),
        (id.clone(), 0..60_i32).prop_map(|(id, v)| format!("UPDATE t SET v = {v} WHERE id = {id} RETURNING k, id")),
        (id.clone(), id.clone()).prop_map(|(a, b)| format!("UPDATE t SET id = {b}, k = NULL WHERE id = {a}")),
        id.clone().prop_map(|id| format!("UPDATE t SET k = w.a || w.b FROM wide w WHERE w.b = t.id AND t.id < {id}")),
        id.clone().prop_map(|id| format!("UPDATE wide SET v = v || 'y'::bytea, b = b WHERE b IN (SELECT id FROM t WHERE id < {id})")),
        id.clone().prop_map(|id| format!("DELETE FROM t WHERE id = {id}")),
        id.clone().prop_map(|id| format!("DELETE FROM t USING wide WHERE wide.b = t.id AND t.id > {id} RETURNING t.*")),
        id.prop_map(|id| format!("DELETE FROM wide WHERE b >= {id}")),
        Just("SAVEPOINT s".to_owned()),
        Just("ROLLBACK TO s".to_owned()),
        Just("BEGIN".to_owned()),
        Just("COMMIT".to_owned()),
        Just("ROLLBACK".to_owned()),
    ]
}

/// All rows by table and key, as text.
async fn state(client: &Client) -> BTreeMap<String, Vec<String>> {
    let sql = "SELECT 't/' || id, ARRAY[id::text, coalesce(k, '-'), coalesce(v::text, '-')] FROM t
        UNION ALL SELECT 'wide/' || a || ',' || b, ARRAY[a, b::text, encode(v, 'base64')] FROM wide";
    client
        .query(sql, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect()
}

/// The same of one side of a diff.
fn side(resource: &str, side: &Value) -> Option<Vec<String>> {
    let cells = side.as_object()?;
    let names = if resource.contains("public.t/") {
        ["id", "k", "v"]
    } else {
        ["a", "b", "v"]
    };
    let text = |name: &str| match &cells[name] {
        Value::Null => "-".to_owned(),
        cell => cell
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned(),
    };
    Some(names.iter().map(|name| text(name)).collect())
}

fn result(answer: Result<Vec<tokio_postgres::Row>, Option<String>>) -> String {
    let cells = |row: tokio_postgres::Row| {
        row.columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect::<Vec<_>>()
    };
    format!(
        "{:?}",
        answer.map(|rows| rows.into_iter().map(cells).collect::<Vec<_>>())
    )
}

async fn twins(statements: &[String]) {
    let (world, twin) = (World::new(SCHEMA).await, World::new(SCHEMA).await);
    let (bare, look) = (twin.client().await, world.client().await);
    let first = state(&look).await;
    let db = world.session.postgres(world.client().await).await;
    for sql in statements {
        let code = |error: &tokio_postgres::Error| error.code().map(|code| code.code().to_owned());
        let native = bare.query(sql, &[]).await.map_err(|error| code(&error));
        let ours = db
            .query(sql, &[])
            .await
            .map_err(|error| error.own().and_then(code));
        assert_eq!(result(ours), result(native), "{sql}");
    }
    db.execute("COMMIT", &[]).await.unwrap();
    bare.execute("COMMIT", &[]).await.unwrap();
    let end = state(&look).await;
    assert_eq!(end, state(&twin.client().await).await);
    // Played again, what was committed leads from the first state to the last.
    let settled: BTreeMap<String, String> = world.settled().into_iter().collect();
    let mut played = first;
    for diff in world.recorded().actions().iter().flat_map(diffs) {
        let committed = diff
            .transaction
            .as_ref()
            .is_none_or(|id| settled[id] == "committed");
        let name = diff.resource.split_once(".").unwrap().1;
        if committed {
            assert_eq!(
                played.get(name).cloned(),
                side(&diff.resource, &diff.before),
                "{diff:?}"
            );
            match side(&diff.resource, &diff.after) {
                Some(row) => played.insert(name.to_owned(), row),
                None => played.remove(name),
            };
        }
    }
    assert_eq!(played, end);
}

fn a_recorded_program_and_its_twin_do_the_same() {
    let config = Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    runner
        .run(
            &prop::collection::vec((statement(), 1..4_usize), 1..15),
            |runs| {
                // Some run again, which goes another way.
                let again = |(sql, times): (String, usize)| std::iter::repeat_n(sql, times);
                let statements: Vec<String> = runs.into_iter().flat_map(again).collect();
                block_on(twins(&statements));
                Ok(())
            },
        )
        .unwrap();
}
