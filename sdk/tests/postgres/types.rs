//! Each type as the cell that holds it exactly.

use recount::vocabulary::attribute;
use serde_json::{Value, json};

use crate::world::{Test, World, block_on};

pub(crate) const TESTS: &[Test] = &[
    ("every_type_is_exact", every_type_is_exact),
    (
        "settings_of_the_connection_change_no_cell",
        settings_of_the_connection_change_no_cell,
    ),
    (
        "what_a_query_returns_is_recorded_exactly",
        what_a_query_returns_is_recorded_exactly,
    ),
    (
        "a_column_named_for_a_credential_is_removed",
        a_column_named_for_a_credential_is_removed,
    ),
];

/// Type, literal, cell.
fn values() -> Vec<(&'static str, &'static str, Value)> {
    let other = |native: &str, text: &str| json!({"other": {"native": native, "text": text}});
    let all = vec![
        ("bool", "true", json!({"bool": true})),
        ("int2", "-32768", json!({"int": "-32768"})),
        (
            "int8",
            "9223372036854775807",
            json!({"int": "9223372036854775807"}),
        ),
        (
            "numeric",
            "123456789012345678901234567890.000100",
            json!({"decimal": "123456789012345678901234567890.000100"}),
        ),
        ("numeric(8,3)", "-0.5", json!({"decimal": "-0.500"})),
        ("numeric", "'NaN'", other("numeric", "NaN")),
        ("numeric", "'Infinity'", other("numeric", "Infinity")),
        (
            "float8",
            "0.1::float8 + 0.2::float8",
            json!({"real": "0.30000000000000004"}),
        ),
        ("float8", "'-Infinity'", json!({"real": "-inf"})),
        ("float8", "'-0'", json!({"real": "-0.0"})),
        ("float4", "1.5", json!({"real": "1.5"})),
        ("text", "E'a''\\n\u{e9}'", json!({"text": "a'\n\u{e9}"})),
        ("varchar(5)", "'x '", json!({"text": "x "})),
        ("char(4)", "'x'", json!({"text": "x   "})),
        ("bytea", "'\\x00ff'", json!({"blob": "AP8="})),
        (
            "timestamptz",
            "'2026-03-14 09:12:04.123456+01'",
            json!({"timestamp": "2026-03-14 08:12:04.123456+00"}),
        ),
        (
            "timestamptz",
            "'infinity'",
            json!({"timestamp": "infinity"}),
        ),
        (
            "timestamp",
            "'0044-03-15 12:00:00 BC'",
            json!({"timestamp": "0044-03-15 12:00:00 BC"}),
        ),
        ("date", "'2026-11-21'", json!({"timestamp": "2026-11-21"})),
        ("time", "'09:12:04.5'", json!({"timestamp": "09:12:04.5"})),
        (
            "json",
            "'{\"a\": 1.0,  \"a\":2}'",
            json!({"json": "{\"a\": 1.0,  \"a\":2}"}),
        ),
        (
            "jsonb",
            "'{\"b\": 9007199254740993, \"a\": 1.10}'",
            json!({"json": "{\"a\": 1.10, \"b\": 9007199254740993}"}),
        ),
        (
            "uuid",
            "'01a1fdf2-e424-75e2-b666-e33b22ca4543'",
            other("uuid", "01a1fdf2-e424-75e2-b666-e33b22ca4543"),
        ),
        ("int4[]", "'{1,NULL,3}'", other("integer[]", "{1,NULL,3}")),
        (
            "text[]",
            "ARRAY['a,b', NULL, '\"']",
            other("text[]", "{\"a,b\",NULL,\"\\\"\"}"),
        ),
        (
            "interval",
            "'1 day 02:00'",
            other("interval", "1 day 02:00:00"),
        ),
        ("inet", "'10.0.0.1/8'", other("inet", "10.0.0.1/8")),
        ("mood", "'fine'", other("mood", "fine")),
        ("pair", "ROW(1, 'x y')", other("pair", "(1,\"x y\")")),
        ("posint", "7", json!({"int": "7"})),
        ("money", "12.5", other("money", "$12.50")),
        ("int4range", "'[1,5)'", other("int4range", "[1,5)")),
        ("text", "NULL", Value::Null),
    ];
    all
}

const TYPES: &str = "CREATE TYPE mood AS ENUM ('fine', 'bad'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN posint AS int CHECK (VALUE > 0);
    ALTER DATABASE %db% SET timezone = 'UTC';";

async fn table() -> World {
    let columns: Vec<String> = values()
        .iter()
        .enumerate()
        .map(|(at, (ty, ..))| format!("v{at} {ty}"))
        .collect();
    let literals: Vec<&str> = values().iter().map(|(_, literal, _)| *literal).collect();
    let nulls = vec!["NULL"; literals.len()];
    let world = World::new("SELECT 1").await;
    let sql = format!(
        "{} CREATE TABLE t (id int PRIMARY KEY, {}); INSERT INTO t VALUES (1, {}), (2, {});",
        TYPES.replace("%db%", &world.database),
        columns.join(", "),
        literals.join(", "),
        nulls.join(", "),
    );
    world.client().await.batch_execute(&sql).await.unwrap();
    world
}

fn assert_exact(row: &Value) {
    for (at, (ty, literal, cell)) in values().iter().enumerate() {
        assert_eq!(&row[format!("v{at}")], cell, "{ty} {literal}");
    }
}

fn every_type_is_exact() {
    block_on(async {
        let world = table().await;
        let db = world.session.postgres(world.client().await).await;
        let columns: Vec<String> = (0..values().len())
            .map(|at| format!("v{at} = NULL"))
            .collect();
        db.execute(
            &format!("UPDATE t SET {} WHERE id = 1", columns.join(", ")),
            &[],
        )
        .await
        .unwrap();
        let diff = &world.diffs()[0];
        assert_exact(&diff.before);
        assert!((0..values().len()).all(|at| diff.after[format!("v{at}")].is_null()));
    });
}

fn settings_of_the_connection_change_no_cell() {
    block_on(async {
        let world = table().await;
        let client = world.client().await;
        client
            .batch_execute("SET extra_float_digits = 0; SET bytea_output = 'escape'")
            .await
            .unwrap();
        let db = world.session.postgres(client).await;
        db.execute("DELETE FROM t WHERE id = 1", &[]).await.unwrap();
        assert_exact(&world.diffs()[0].before);
    });
}

fn what_a_query_returns_is_recorded_exactly() {
    block_on(async {
        let world = table().await;
        let db = world.session.postgres(world.client().await).await;
        db.query("SELECT * FROM t WHERE id = 1", &[]).await.unwrap();
        let end = world.last().end.unwrap();
        let line: Value =
            serde_json::from_str(end.text("recount.output").unwrap().lines().next().unwrap())
                .unwrap();
        // Types without a decoder of their own are given as they travel.
        let decoded = [
            "bool",
            "int2",
            "int8",
            "numeric",
            "numeric(8,3)",
            "float8",
            "float4",
            "text",
            "varchar(5)",
            "char(4)",
            "bytea",
            "timestamptz",
            "timestamp",
            "date",
            "time",
            "json",
            "jsonb",
            "uuid",
            "mood",
            "posint",
        ];
        for (at, (ty, literal, cell)) in values()
            .iter()
            .enumerate()
            .filter(|(_, (ty, ..))| decoded.contains(ty))
        {
            assert_eq!(&line["cells"][format!("v{at}")], cell, "{ty} {literal}");
        }
    });
}

fn a_column_named_for_a_credential_is_removed() {
    block_on(async {
        let world = World::new("CREATE TABLE users (id int PRIMARY KEY, password text)").await;
        let db = world.session.postgres(world.client().await).await;
        db.execute("INSERT INTO users VALUES (1, 'hunter2hunter2')", &[])
            .await
            .unwrap();
        let removed = json!({"text": "[removed:named_secret]"});
        assert_eq!(world.diffs()[0].after["password"], removed);
        for (sql, columns) in [
            (
                "UPDATE users SET password = $1 WHERE id = $2",
                json!({"$1": "password", "$2": "id"}),
            ),
            (
                "INSERT INTO users (password, id) VALUES ($1, $2 + 1)",
                json!({"$1": "password", "$2": "id"}),
            ),
            (
                "DELETE FROM users WHERE $1 = users.password AND id > $2",
                json!({"$1": "password", "$2": "id"}),
            ),
        ] {
            db.execute(sql, &[&"hunter3hunter3", &1]).await.unwrap();
            let action = world.last();
            let input: Value =
                serde_json::from_str(action.begin.text(attribute::INPUT).unwrap()).unwrap();
            assert_eq!(input["columns"], columns, "{sql}");
            assert_eq!(
                input["parameters"],
                json!({"$1": removed, "$2": {"int": "1"}}),
                "{sql}"
            );
        }
        for record in world.recorded().records() {
            let text = format!("{:?}", record.attributes);
            assert!(
                !text.contains("hunter2") && !text.contains("hunter3"),
                "{text}"
            );
        }
    });
}
