//! The same rows through `sqlx`: before and after of each kind of write, and that nothing else is different.

use recount::vocabulary::attribute;
use serde_json::{Value, json};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Connection as _, Error, Executor as _,
    PgConnection, Row as _,
    postgres::{PgArguments, PgDatabaseError, PgRow},
};

use crate::world::{Test, World, block_on};

pub(crate) const TESTS: &[Test] = &[
    (
        "sqlx_a_query_is_one_action_with_a_diff_per_row",
        a_query_is_one_action_with_a_diff_per_row,
    ),
    (
        "sqlx_inserts_deletes_and_upserts_tell_what_was_there",
        inserts_deletes_and_upserts_tell_what_was_there,
    ),
    (
        "sqlx_what_a_returning_of_the_users_own_gives_is_the_users",
        what_a_returning_of_the_users_own_gives_is_the_users,
    ),
    (
        "sqlx_values_of_all_common_types_are_exact_as_rows_and_as_arguments",
        values_of_all_common_types_are_exact,
    ),
    (
        "sqlx_counts_are_the_servers_and_rows_beyond_the_budget_are_counted",
        counts_are_the_servers,
    ),
    (
        "sqlx_what_tells_no_rows_is_not_captured_with_why",
        what_tells_no_rows_is_not_captured_with_why,
    ),
    (
        "sqlx_an_unrecorded_twin_does_the_same_to_the_world",
        an_unrecorded_twin_does_the_same_to_the_world,
    ),
];

const SCHEMA: &str = "CREATE TABLE contracts (id int PRIMARY KEY, status text NOT NULL, price numeric, note varchar UNIQUE);
    INSERT INTO contracts VALUES (17, 'open', 12.50, 'a'), (18, 'open', 2.5, NULL), (19, 'closed', 'NaN', NULL);
    CREATE TABLE loose (a int, b text); INSERT INTO loose VALUES (1, 'x'), (2, 'x'), (2, 'x');";

fn a_query_is_one_action_with_a_diff_per_row() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.sqlx_postgres(world.sqlx().await).await;
        let sql = "UPDATE contracts SET status = $1 WHERE status = 'open' AND id < $2 -- both";
        let done = sqlx::query(sql)
            .bind("sent")
            .bind(100)
            .execute(&mut db)
            .await;
        assert_eq!(done.unwrap().rows_affected(), 2);
        let action = world.last();
        let begin = |key| action.begin.str(key).unwrap().to_owned();
        assert_eq!(
            (begin(attribute::TARGET), begin(attribute::ACTION_ACCESS)),
            (
                format!("db:{}/public.contracts", world.database),
                "write".to_owned()
            )
        );
        let input: Value =
            serde_json::from_str(action.begin.text(attribute::INPUT).unwrap()).unwrap();
        assert_eq!(
            input["parameters"],
            json!({"$1": {"text": "sent"}, "$2": {"int": "100"}})
        );
        assert_eq!(
            (action.outcome(), action.effect()),
            (Some("success"), Some("committed"))
        );
        let diffs = world.diffs();
        assert_eq!(diffs.len(), 2, "{diffs:#?}");
        assert_eq!(
            diffs[0].before,
            json!({"id": {"int": "17"}, "status": {"text": "open"}, "price": {"decimal": "12.50"}, "note": {"text": "a"}})
        );
        assert_eq!(
            (&diffs[0].after["status"], &diffs[0].read),
            (
                &json!({"text": "sent"}),
                &("in_transaction".into(), "in_transaction".into())
            )
        );
        // A text without arguments goes by the simple protocol, and is seen as well.
        db.execute("UPDATE contracts SET price = 3 WHERE id = 17")
            .await
            .unwrap();
        assert_eq!(world.diffs()[0].after["price"], json!({"decimal": "3"}));
        let rows: Vec<(i32, String)> =
            sqlx::query_as("SELECT id, status FROM contracts ORDER BY id")
                .fetch_all(&mut db)
                .await
                .unwrap();
        assert_eq!(rows[1], (18, "sent".to_owned()));
        let action = world.last();
        let output = action
            .end
            .as_ref()
            .unwrap()
            .text(attribute::OUTPUT)
            .unwrap();
        assert_eq!(output.lines().count(), 3, "{output}");
        // One row without a key is joined, of several it is said that they cannot be.
        for (sql, rows) in [
            ("UPDATE loose SET b = 'y' WHERE a = 1", 1),
            ("UPDATE loose SET b = 'z'", 0),
        ] {
            sqlx::query(sql).execute(&mut db).await.unwrap();
            let diffs = world.diffs();
            assert_eq!(diffs.iter().filter(|diff| diff.is_row()).count(), rows);
        }
    });
}

fn inserts_deletes_and_upserts_tell_what_was_there() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.sqlx_postgres(world.sqlx().await).await;
        sqlx::query("INSERT INTO contracts (id, status) VALUES (20, 'new'), (21, 'new')")
            .execute(&mut db)
            .await
            .unwrap();
        let diffs = world.diffs();
        assert_eq!(
            (diffs.len(), &diffs[0].before, &diffs[1].after["id"]),
            (2, &json!("absent"), &json!({"int": "21"}))
        );
        let sql = "INSERT INTO contracts (id, status) VALUES ($1, $2), (40, 'x') ON CONFLICT (id) DO UPDATE SET status = excluded.status";
        let upsert = sqlx::query(sql).bind(18).bind("up");
        assert_eq!(upsert.execute(&mut db).await.unwrap().rows_affected(), 2);
        let diffs = world.diffs();
        assert_eq!(
            (&diffs[0].before["status"], &diffs[0].after["status"]),
            (&json!({"text": "open"}), &json!({"text": "up"}))
        );
        assert_eq!(
            (&diffs[1].before, &diffs[1].after["id"]),
            (&json!("absent"), &json!({"int": "40"}))
        );
        let delete = sqlx::query("DELETE FROM contracts WHERE id = ANY($1)").bind(vec![17, 40, 99]);
        assert_eq!(delete.execute(&mut db).await.unwrap().rows_affected(), 2);
        let diffs = world.diffs();
        assert_eq!(
            (diffs.len(), &diffs[0].before["price"], &diffs[0].after),
            (2, &json!({"decimal": "12.50"}), &json!("absent"))
        );
    });
}

fn what_a_returning_of_the_users_own_gives_is_the_users() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.sqlx_postgres(world.sqlx().await).await;
        let sql = "UPDATE contracts SET status = $1 WHERE id IN (17, 18) RETURNING upper(status), id AS \"Key\"";
        let rows = sqlx::query(sql)
            .bind("sent")
            .fetch_all(&mut db)
            .await
            .unwrap();
        let columns: Vec<&str> = rows[0].columns().iter().map(|one| one.name()).collect();
        assert_eq!((rows.len(), columns), (2, vec!["upper", "Key"]));
        let diffs = world.diffs();
        assert_eq!(
            (diffs.len(), &diffs[0].read),
            (2, &("unlocked".into(), "later_read".into()))
        );
        assert_eq!(diffs[0].after["status"], json!({"text": "sent"}));
        let id: i32 =
            sqlx::query_scalar("INSERT INTO contracts VALUES ($1, 'new', 1, NULL) RETURNING id")
                .bind(30)
                .fetch_one(&mut db)
                .await
                .unwrap();
        let diff = &world.diffs()[0];
        assert_eq!(
            (id, &diff.before, &diff.after["status"]),
            (30, &json!("absent"), &json!({"text": "new"}))
        );
        // In a transaction, and wrapped in one, both sides are read under the locks.
        let mut transaction = db.begin().await.unwrap();
        sqlx::query("DELETE FROM contracts WHERE id = 30 RETURNING 1")
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        let diff = &world.diffs()[0];
        assert_eq!(
            (&diff.read.0, &diff.after, diff.effect.as_str()),
            (&"in_transaction".into(), &json!("absent"), "pending")
        );
        transaction.commit().await.unwrap();
        let mut db = db.wrapped();
        let sql = "UPDATE contracts SET status = 'again' WHERE id = 17 RETURNING 'x'";
        sqlx::query(sql).fetch_optional(&mut db).await.unwrap();
        let diff = &world.diffs()[0];
        assert_eq!(
            diff.read,
            ("in_transaction".into(), "in_transaction".into())
        );
        assert_eq!(
            (&diff.before["status"], diff.effect.as_str()),
            (&json!({"text": "sent"}), "committed")
        );
    });
}

fn values_of_all_common_types_are_exact() {
    block_on(async {
        let world = World::new(
            "CREATE TABLE t (id bigint PRIMARY KEY, i2 int2, f4 float4, f8 float8, yes bool, words text, bytes bytea, big numeric, at timestamptz, day date, doc jsonb, many text[], who uuid);
             INSERT INTO t VALUES (9007199254740993)",
        )
        .await;
        let mut db = world.session.sqlx_postgres(world.sqlx().await).await;
        let sql = "UPDATE t SET i2 = $2, f4 = $3, f8 = $4, yes = $5, words = $6, bytes = $7, many = $8, big = '1.500',
                   at = '2026-03-14 09:12:04.123456+00', day = '2026-03-14', doc = '{\"a\": [1, 2.50]}',
                   who = '0191d2a4-0000-7000-8000-000000000001' WHERE id = $1";
        sqlx::query(sql)
            .bind(9_007_199_254_740_993_i64)
            .bind(-7_i16)
            .bind(0.5_f32)
            .bind(0.1_f64 + 0.2)
            .bind(true)
            .bind("né\n")
            .bind(vec![0_u8, 255])
            .bind(vec!["a", "b c"])
            .execute(&mut db)
            .await
            .unwrap();
        let bound = json!({
            "$1": {"int": "9007199254740993"}, "$2": {"int": "-7"}, "$3": {"real": "0.5"},
            "$4": {"real": "0.30000000000000004"}, "$5": {"bool": true}, "$6": {"text": "né\n"}, "$7": {"blob": "AP8="},
        });
        let input = world
            .last()
            .begin
            .text(attribute::INPUT)
            .unwrap()
            .to_owned();
        let input: Value = serde_json::from_str(&input).unwrap();
        for (name, cell) in bound.as_object().unwrap() {
            assert_eq!(&input["parameters"][name], cell, "{name}");
        }
        let after = json!({
            "id": {"int": "9007199254740993"}, "i2": {"int": "-7"}, "f4": {"real": "0.5"},
            "f8": {"real": "0.30000000000000004"}, "yes": {"bool": true}, "words": {"text": "né\n"}, "bytes": {"blob": "AP8="},
            "big": {"decimal": "1.500"}, "at": {"timestamp": "2026-03-14 09:12:04.123456+00"},
            "day": {"timestamp": "2026-03-14"}, "doc": {"json": "{\"a\": [1, 2.50]}"},
        });
        let diff = &world.diffs()[0];
        for (name, cell) in after.as_object().unwrap() {
            assert_eq!(&diff.after[name], cell, "{name}");
        }
        assert_eq!(diff.after["many"]["other"]["text"], json!("{a,\"b c\"}"));
        assert_eq!(diff.before["words"], Value::Null);
        // What a query returns to the user is recorded in the same cells, by either protocol.
        for simple in [false, true] {
            let sql = "SELECT id, f4, f8, yes, bytes, big, at FROM t";
            match simple {
                true => db.fetch_one(sql).await.unwrap(),
                false => sqlx::query(sql).fetch_one(&mut db).await.unwrap(),
            };
            let action = world.last();
            let row = action
                .end
                .as_ref()
                .unwrap()
                .text(attribute::OUTPUT)
                .unwrap();
            let row: Value = serde_json::from_str(row.lines().next().unwrap()).unwrap();
            for name in ["id", "f4", "f8", "yes", "bytes", "big", "at"] {
                assert_eq!(row["cells"][name], after[name], "{name}, simple: {simple}");
            }
        }
    });
}

fn counts_are_the_servers() {
    block_on(async {
        let world = World::new("CREATE TABLE big (id int PRIMARY KEY, v int); INSERT INTO big SELECT n, 0 FROM generate_series(1, 2500) n").await;
        let mut db = world.session.sqlx_postgres(world.sqlx().await).await;
        for rows in [0, 1, 1, 2, 17, 40, 3, 2500] {
            let update = sqlx::query("UPDATE big SET v = v + 1 WHERE id <= $1").bind(rows);
            let done = update.execute(&mut db).await.unwrap();
            assert_eq!(done.rows_affected(), u64::try_from(rows).unwrap());
        }
        let diffs = world.diffs();
        assert_eq!(diffs.iter().filter(|diff| diff.is_row()).count(), 1000);
        let why = diffs[1000].why.as_ref().unwrap();
        assert!(why.starts_with("1500 more rows"), "{why}");
    });
}

fn what_tells_no_rows_is_not_captured_with_why() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.sqlx_postgres(world.sqlx().await).await;
        let several = "UPDATE contracts SET price = 1; UPDATE contracts SET price = 2";
        for (sql, why) in [
            (
                "WITH gone AS (DELETE FROM loose RETURNING a) SELECT count(*) FROM gone",
                "a query that writes tells no rows",
            ),
            ("TRUNCATE loose", "TRUNCATE tells no rows"),
            (several, "several statements in one text"),
        ] {
            db.execute(sql).await.unwrap();
            let diffs = world.diffs();
            let found: Vec<&str> = diffs
                .iter()
                .filter_map(|diff| diff.why.as_deref())
                .collect();
            assert_eq!(found, [why], "{sql}");
        }
    });
}

/// One statement of a program: its text, what is bound, and whether it is bound at all.
fn script() -> Vec<(&'static str, Option<PgArguments>)> {
    let bound = |id: i32, text: Option<&str>| {
        let mut arguments = PgArguments::default();
        arguments.add(id).unwrap();
        arguments.add(text).unwrap();
        Some(arguments)
    };
    let nothing = || Some(PgArguments::default());
    vec![
        (
            "INSERT INTO contracts VALUES ($1, $2)",
            bound(50, Some("x")),
        ),
        (
            "INSERT INTO contracts VALUES ($1, $2)",
            bound(50, Some("x")),
        ),
        (
            "UPDATE contracts SET status = $2 WHERE id = $1",
            bound(17, None),
        ),
        (
            "UPDATE contracts SET status = $2 WHERE id >= $1",
            bound(18, Some("y")),
        ),
        (
            "UPDATE contracts SET nowhere = $2 WHERE id = $1",
            bound(18, Some("y")),
        ),
        (
            "UPDATE contracts SET price = price / ($1 - 17), note = $2",
            bound(17, None),
        ),
        ("UPDATE contracts SET SET", nothing()),
        ("UPDATE nowhere SET a = 1", nothing()),
        (
            "DELETE FROM contracts WHERE id = $1 RETURNING status, $2",
            bound(19, Some("z")),
        ),
        (
            "DELETE FROM contracts WHERE id = $1 AND status = $2",
            bound(18, Some("y")),
        ),
        (
            "SELECT id, status, note FROM contracts ORDER BY id",
            nothing(),
        ),
        ("UPDATE loose SET b = b || a", None),
        ("BEGIN; DELETE FROM loose; ROLLBACK", None),
        (
            "UPDATE contracts SET price = 1 WHERE id = 50; UPDATE nowhere SET a = 1",
            None,
        ),
        ("SELECT a, b FROM loose ORDER BY a, b", None),
        ("", None),
    ]
}

/// What a program sees of one statement.
fn seen(result: Result<Vec<sqlx::Either<u64, PgRow>>, Error>) -> String {
    match result {
        Ok(items) => {
            let items = items.iter().map(|item| match item {
                sqlx::Either::Left(count) => format!("{count} rows"),
                sqlx::Either::Right(row) => format!("{row:?}"),
            });
            items.collect::<Vec<_>>().join(", ")
        }
        Err(error) => {
            let database = error.as_database_error();
            let database = database.map(|error| error.downcast_ref::<PgDatabaseError>());
            format!(
                "{error}: {:?}",
                database.map(|error| (error.code(), error.position()))
            )
        }
    }
}

fn an_unrecorded_twin_does_the_same_to_the_world() {
    use futures_util::TryStreamExt as _;
    block_on(async {
        let (world, twin) = (World::new(SCHEMA).await, World::new(SCHEMA).await);
        let mut db = world.session.sqlx_postgres(world.sqlx().await).await;
        let mut bare: PgConnection = twin.sqlx().await;
        for (sql, arguments) in script() {
            let query = |arguments| (AssertSqlSafe(sql), arguments);
            let counted = |item: sqlx::Either<sqlx::postgres::PgQueryResult, PgRow>| {
                item.map_left(|result| result.rows_affected())
            };
            let recorded = db.fetch_many(query(arguments.clone()));
            let recorded = seen(recorded.map_ok(counted).try_collect().await);
            let native = bare.fetch_many(query(arguments));
            let native = seen(native.map_ok(counted).try_collect().await);
            assert_eq!(recorded, native, "{sql}");
        }
        let everything = "SELECT string_agg(t::text, ';' ORDER BY t::text) FROM contracts t UNION ALL SELECT string_agg(t::text, ';' ORDER BY t::text) FROM loose t";
        let mut ends = Vec::new();
        for world in [&world, &twin] {
            let mut after = world.sqlx().await;
            let all: Vec<Option<String>> = sqlx::query_scalar(everything)
                .fetch_all(&mut after)
                .await
                .unwrap();
            ends.push(all);
            after.close().await.unwrap();
        }
        assert_eq!(ends[0], ends[1]);
        assert!(world.recorded().actions().len() > 14);
    });
}
