//! Rows before and after single statements.

use recount::vocabulary::attribute;
use serde_json::{Value, json};

use crate::world::{Test, World, block_on};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_write_is_one_action_with_a_diff_per_row",
        a_write_is_one_action_with_a_diff_per_row,
    ),
    (
        "what_a_returning_of_the_users_own_gives_is_the_users",
        what_a_returning_of_the_users_own_gives_is_the_users,
    ),
    (
        "inserts_deletes_and_upserts_tell_what_was_there",
        inserts_deletes_and_upserts_tell_what_was_there,
    ),
    (
        "rows_without_a_key_are_joined_only_where_there_is_no_doubt",
        rows_without_a_key_are_joined_only_where_there_is_no_doubt,
    ),
    (
        "a_key_that_is_assigned_makes_two_rows_of_one",
        a_key_that_is_assigned_makes_two_rows_of_one,
    ),
    (
        "joined_tables_and_subqueries_are_part_of_the_condition",
        joined_tables_and_subqueries_are_part_of_the_condition,
    ),
    (
        "rows_beyond_the_budget_are_counted",
        rows_beyond_the_budget_are_counted,
    ),
    (
        "errors_are_those_of_the_statement_itself",
        errors_are_those_of_the_statement_itself,
    ),
];

const SCHEMA: &str = "CREATE TABLE contracts (id int PRIMARY KEY, status text NOT NULL, price numeric, note varchar UNIQUE);
    INSERT INTO contracts VALUES (17, 'open', 12.50, 'a'), (18, 'open', 2.5, NULL), (19, 'closed', 'NaN', NULL);
    CREATE TABLE customers (id int PRIMARY KEY, name text); INSERT INTO customers VALUES (17, 'Acme');
    CREATE TABLE loose (a int, b text); INSERT INTO loose VALUES (1, 'x'), (2, 'x'), (2, 'x');";

fn a_write_is_one_action_with_a_diff_per_row() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let db = world.session.postgres(world.client().await).await;
        let sql = "UPDATE contracts SET status = $1 WHERE status = 'open' AND id < $2 -- both";
        assert_eq!(db.execute(sql, &[&"sent", &100_i32]).await.unwrap(), 2);
        let action = world.last();
        let begin = |key| action.begin.str(key).unwrap().to_owned();
        assert_eq!(
            begin(attribute::TARGET),
            format!("db:{}/public.contracts", world.database)
        );
        assert_eq!(
            (
                begin(attribute::ACTION_ACCESS),
                begin(attribute::DB_OPERATION)
            ),
            ("write".into(), "UPDATE".into())
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
        assert_eq!(
            action.end.as_ref().unwrap().str(attribute::RESULT),
            Some("2 rows")
        );
        let diffs = world.diffs();
        assert_eq!(diffs.len(), 2, "{diffs:#?}");
        assert_eq!(
            diffs[0].resource,
            format!("db:{}/public.contracts/17", world.database)
        );
        assert_eq!(
            diffs[0].before,
            json!({"id": {"int": "17"}, "status": {"text": "open"}, "price": {"decimal": "12.50"}, "note": {"text": "a"}})
        );
        assert_eq!(
            (&diffs[0].after["status"], &diffs[1].after["note"]),
            (&json!({"text": "sent"}), &Value::Null)
        );
        assert_eq!(
            diffs[0].read,
            ("in_transaction".into(), "in_transaction".into())
        );
        assert_eq!(diffs[0].effect, "committed");
        // What changes nothing is no diff.
        db.execute("UPDATE contracts SET status = status", &[])
            .await
            .unwrap();
        assert_eq!(world.diffs(), []);
    });
}

fn what_a_returning_of_the_users_own_gives_is_the_users() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.postgres(world.client().await).await;
        let sql = "UPDATE contracts SET status = 'sent' WHERE id IN (17, 18) RETURNING upper(status), id AS \"Key\"";
        let rows = db.query(sql, &[]).await.unwrap();
        let columns: Vec<&str> = rows[0]
            .columns()
            .iter()
            .map(|column| column.name())
            .collect();
        assert_eq!((rows.len(), columns), (2, vec!["upper", "Key"]));
        let diffs = world.diffs();
        assert_eq!(
            (diffs.len(), &diffs[0].read),
            (2, &("unlocked".into(), "later_read".into()))
        );
        assert_eq!(diffs[0].after["status"], json!({"text": "sent"}));
        let row = db
            .query_one(
                "INSERT INTO contracts VALUES (30, 'new', 1, NULL) RETURNING id",
                &[],
            )
            .await
            .unwrap();
        assert_eq!((row.len(), row.get::<_, i32>(0)), (1, 30));
        let diff = &world.diffs()[0];
        assert_eq!(
            (&diff.before, &diff.after["status"]),
            (&json!("absent"), &json!({"text": "new"}))
        );
        assert!(
            db.query_one(
                "UPDATE contracts SET price = 3 WHERE id > 17 RETURNING id",
                &[]
            )
            .await
            .is_err()
        );
        assert_eq!(
            world.last().outcome(),
            Some("success"),
            "it ran, and changed three rows"
        );
        assert_eq!(world.diffs().len(), 3);
        // In a transaction, and wrapped in one, both sides are read under the locks.
        let transaction = db.transaction().await.unwrap();
        transaction
            .query_opt("DELETE FROM contracts WHERE id = 30 RETURNING 1", &[])
            .await
            .unwrap()
            .unwrap();
        let diff = &world.diffs()[0];
        assert_eq!(
            (&diff.read.0, &diff.after, diff.effect.as_str()),
            (&"in_transaction".into(), &json!("absent"), "pending")
        );
        transaction.commit().await.unwrap();
        let db = db.wrapped();
        db.query(
            "UPDATE contracts SET status = 'again' WHERE id = 17 RETURNING 'x'",
            &[],
        )
        .await
        .unwrap();
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

fn inserts_deletes_and_upserts_tell_what_was_there() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let db = world.session.postgres(world.client().await).await;
        db.execute(
            "INSERT INTO contracts (id, status) VALUES (20, 'new'), (21, 'new')",
            &[],
        )
        .await
        .unwrap();
        let diffs = world.diffs();
        assert_eq!(
            (diffs.len(), &diffs[0].before, &diffs[1].after["id"]),
            (2, &json!("absent"), &json!({"int": "21"}))
        );
        db.execute(
            "DELETE FROM contracts c USING customers u WHERE u.id = c.id",
            &[],
        )
        .await
        .unwrap();
        let diffs = world.diffs();
        assert_eq!(
            (diffs.len(), &diffs[0].before["price"], &diffs[0].after),
            (1, &json!({"decimal": "12.50"}), &json!("absent"))
        );
        let sql = "INSERT INTO contracts (id, status) VALUES ($1, $2), (40, 'x') ON CONFLICT (id) DO UPDATE SET status = excluded.status";
        assert_eq!(db.execute(sql, &[&18_i32, &"up"]).await.unwrap(), 2);
        let diffs = world.diffs();
        assert_eq!(
            (&diffs[0].before["status"], &diffs[0].after["status"]),
            (&json!({"text": "open"}), &json!({"text": "up"}))
        );
        assert_eq!(
            (&diffs[1].before, &diffs[1].after["id"]),
            (&json!("absent"), &json!({"int": "40"}))
        );
        // Where the values are not written out, what was there is unknown; that something was, is not.
        let sql = "INSERT INTO contracts (id, status) SELECT n, 'z' FROM generate_series(40, 41) n \
                   ON CONFLICT (id) DO UPDATE SET status = excluded.status";
        db.execute(sql, &[]).await.unwrap();
        let befores: Vec<Value> = world
            .diffs()
            .iter()
            .filter(|diff| diff.is_row())
            .map(|diff| diff.before.clone())
            .collect();
        assert_eq!(befores, [json!("unknown"), json!("absent")]);
        let sql =
            "INSERT INTO contracts (id, status) VALUES (40, 'q'), (50, 'q') ON CONFLICT DO NOTHING";
        assert_eq!(db.execute(sql, &[]).await.unwrap(), 1);
        assert_eq!(world.diffs().len(), 1);
    });
}

fn rows_without_a_key_are_joined_only_where_there_is_no_doubt() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let db = world.session.postgres(world.client().await).await;
        db.execute("UPDATE loose SET b = 'y' WHERE a = 1", &[])
            .await
            .unwrap();
        let diffs = world.diffs();
        assert_eq!(
            (&diffs[0].before["b"], &diffs[0].after["b"]),
            (&json!({"text": "x"}), &json!({"text": "y"}))
        );
        db.execute("UPDATE loose SET b = 'z'", &[]).await.unwrap();
        let diffs = world.diffs();
        assert!(
            diffs.len() == 1
                && diffs[0]
                    .why
                    .as_ref()
                    .unwrap()
                    .starts_with("3 rows: no primary key"),
            "{diffs:?}"
        );
        db.execute("DELETE FROM loose WHERE a = 2", &[])
            .await
            .unwrap();
        assert_eq!(world.diffs().len(), 2);
    });
}

fn a_key_that_is_assigned_makes_two_rows_of_one() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let db = world.session.postgres(world.client().await).await;
        db.execute("UPDATE contracts SET id = 170 WHERE id = 17", &[])
            .await
            .unwrap();
        let diffs = world.diffs();
        let gone = diffs
            .iter()
            .find(|diff| diff.resource.ends_with("/17"))
            .unwrap();
        let came = diffs
            .iter()
            .find(|diff| diff.resource.ends_with("/170"))
            .unwrap();
        assert_eq!(
            (&gone.after, &came.before),
            (&json!("absent"), &json!("absent"))
        );
        db.execute("UPDATE contracts SET id = id + 1", &[])
            .await
            .unwrap_err();
        db.execute("UPDATE contracts SET id = id + 1000", &[])
            .await
            .unwrap();
        assert_eq!(
            world.diffs().len(),
            6,
            "which row became which is not known"
        );
        assert!(
            world
                .diffs()
                .iter()
                .all(|diff| diff.before == "unknown" || diff.after == "unknown")
        );
    });
}

fn joined_tables_and_subqueries_are_part_of_the_condition() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let db = world.session.postgres(world.client().await).await;
        let sql = "UPDATE public.contracts AS c SET note = u.name FROM customers AS u WHERE u.id = c.id AND c.note IS DISTINCT FROM u.name";
        db.execute(sql, &[]).await.unwrap();
        assert_eq!(
            (world.diffs().len(), &world.diffs()[0].before["note"]),
            (1, &json!({"text": "a"}))
        );
        let sql = "UPDATE contracts SET note = 'b' WHERE id IN (SELECT id FROM customers WHERE lower(name) = $1)";
        db.execute(sql, &[&"acme"]).await.unwrap();
        assert_eq!(world.diffs()[0].before["note"], json!({"text": "Acme"}));
        db.execute("UPDATE contracts SET price = 1 WHERE random() < 2", &[])
            .await
            .unwrap();
        let diffs = world.diffs();
        assert_eq!(
            diffs
                .iter()
                .filter(|diff| diff.before == "unknown" && diff.after.is_object())
                .count(),
            3
        );
        assert!(
            diffs
                .iter()
                .any(|diff| diff.why.as_ref().is_some_and(|why| why.contains("random")))
        );
    });
}

fn rows_beyond_the_budget_are_counted() {
    block_on(async {
        let world = World::new("CREATE TABLE big (id int PRIMARY KEY, v int); INSERT INTO big SELECT n, 0 FROM generate_series(1, 2500) n").await;
        let db = world.session.postgres(world.client().await).await;
        assert_eq!(db.execute("UPDATE big SET v = 1", &[]).await.unwrap(), 2500);
        let diffs = world.diffs();
        assert_eq!(
            diffs
                .iter()
                .filter(|diff| diff.before.is_object() && diff.after.is_object())
                .count(),
            1000
        );
        assert!(
            diffs[1000]
                .why
                .as_ref()
                .unwrap()
                .starts_with("1500 more rows"),
            "{:?}",
            diffs[1000]
        );
        assert_eq!(
            db.query("DELETE FROM big RETURNING id", &[])
                .await
                .unwrap()
                .len(),
            2500
        );
        assert!(
            world.diffs()[1000]
                .why
                .as_ref()
                .unwrap()
                .starts_with("1500 more rows"),
            "{:?}",
            world.diffs()[1000..].to_vec()
        );
    });
}

fn errors_are_those_of_the_statement_itself() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let (bare, client) = (world.client().await, world.client().await);
        let db = world.session.postgres(client).await;
        for sql in [
            "UPDATE contracts SET nowhere = 1",
            "UPDATE contracts SET status = NULL WHERE id = 17",
            "INSERT INTO contracts VALUES (17, 'x', 1, NULL)",
            "UPDATE contracts SET price = 1 / 0",
            "UPDATE contracts SET price = $1",
            "UPDATE nowhere SET a = 1",
            "UPDATE contracts SET SET",
        ] {
            let native = bare.execute(sql, &[]).await.unwrap_err();
            let error = db.execute(sql, &[]).await.unwrap_err();
            let error = error.own().unwrap();
            assert_eq!(
                (error.code(), error.to_string()),
                (native.code(), native.to_string()),
                "{sql}"
            );
            let message = |error: &tokio_postgres::Error| {
                error
                    .as_db_error()
                    .map(|error| (error.message().to_owned(), error.position().cloned()))
            };
            assert_eq!(message(error), message(&native), "{sql}");
            let action = world.last();
            assert_eq!(
                (action.outcome(), action.effect()),
                (Some("failure"), Some("none")),
                "{sql}"
            );
            assert_eq!(world.diffs(), [], "{sql}");
        }
    });
}
