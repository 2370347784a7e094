//! Two sessions at one row: what is recorded is what this statement found and left.

use std::time::Duration;

use recount::testing::Recorded;
use serde_json::{Value, json};

use crate::world::{Test, World, block_on, diffs};

pub(crate) const TESTS: &[Test] = &[
    (
        "before_is_what_the_other_left_not_what_was_there_when_we_began_to_wait",
        before_is_what_the_other_left,
    ),
    (
        "counters_of_many_writers_form_one_chain",
        counters_of_many_writers_form_one_chain,
    ),
    (
        "a_deadlock_is_the_users_error_and_leaves_nothing",
        a_deadlock_is_the_users_error_and_leaves_nothing,
    ),
    (
        "a_write_that_waits_for_nobody_without_us_waits_for_nobody_with_us",
        a_write_that_waits_for_nobody,
    ),
    (
        "a_dropped_statement_is_cancelled_with_unknown_effect",
        a_dropped_statement_is_cancelled_with_unknown_effect,
    ),
];

const SCHEMA: &str =
    "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL); INSERT INTO t VALUES (1, 0), (2, 0);
    CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t);";

fn before_is_what_the_other_left() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let other = world.client().await;
        let db = world.session.postgres(world.client().await).await;
        other
            .batch_execute("BEGIN; UPDATE t SET n = 7 WHERE id = 1")
            .await
            .unwrap();
        let waiting = tokio::spawn(async move {
            db.execute("UPDATE t SET n = n + 1 WHERE id = 1", &[])
                .await
                .unwrap()
        });
        while world.recorded().actions().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // It waits for the row by now, or will find it changed: both have to give the same.
        tokio::time::sleep(Duration::from_millis(100)).await;
        other.batch_execute("COMMIT").await.unwrap();
        assert_eq!(waiting.await.unwrap(), 1);
        let diff = &world.diffs()[0];
        assert_eq!(
            (&diff.before["n"], &diff.after["n"]),
            (&json!({"int": "7"}), &json!({"int": "8"}))
        );
    });
}

fn counters_of_many_writers_form_one_chain() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..6 {
            let db = world.session.postgres(world.client().await).await;
            tasks.spawn(async move {
                for _ in 0..10 {
                    let sql = match writer % 2 {
                        0 => "UPDATE t SET n = n + 1 WHERE id = 1",
                        _ => {
                            "INSERT INTO t (id, n) VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET n = t.n + 1"
                        }
                    };
                    db.execute(sql, &[]).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        let number = |side: &Value| side["n"]["int"].as_str().unwrap().parse::<i32>().unwrap();
        let mut steps: Vec<(i32, i32)> = Recorded::of(&world.recorder)
            .actions()
            .iter()
            .flat_map(diffs)
            .inspect(|diff| {
                assert!(
                    diff.before.is_object() && diff.after.is_object(),
                    "{diff:?}"
                )
            })
            .map(|diff| (number(&diff.before), number(&diff.after)))
            .collect();
        steps.sort_unstable();
        assert_eq!(steps, (0..60).map(|n| (n, n + 1)).collect::<Vec<_>>());
    });
}

fn a_deadlock_is_the_users_error_and_leaves_nothing() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let other = world.client().await;
        let mut db = world.session.postgres(world.client().await).await;
        let transaction = db.transaction().await.unwrap();
        transaction
            .batch_execute("SET LOCAL deadlock_timeout = '10ms'")
            .await
            .unwrap();
        transaction
            .execute("UPDATE t SET n = 1 WHERE id = 1", &[])
            .await
            .unwrap();
        other
            .batch_execute("SET deadlock_timeout = '60s'; BEGIN; UPDATE t SET n = 2 WHERE id = 2")
            .await
            .unwrap();
        let theirs = tokio::spawn(async move {
            other
                .batch_execute("UPDATE t SET n = 2 WHERE id = 1; COMMIT")
                .await
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let error = transaction
            .execute("UPDATE t SET n = 1 WHERE id = 2", &[])
            .await
            .unwrap_err();
        assert_eq!(error.own().unwrap().code().unwrap().code(), "40P01");
        assert_eq!(
            (world.last().outcome(), world.diffs()),
            (Some("failure"), vec![])
        );
        transaction.rollback().await.unwrap();
        theirs.await.unwrap().unwrap();
        assert_eq!(world.settled()[0].1, "rolled_back");
    });
}

/// A child's foreign key holds a share of the parent's key, which an update of other columns does not disturb.
fn a_write_that_waits_for_nobody() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let other = world.client().await;
        let client = world.client().await;
        client
            .batch_execute("SET lock_timeout = '300ms'")
            .await
            .unwrap();
        let db = world.session.postgres(client).await;
        other
            .batch_execute("BEGIN; INSERT INTO child VALUES (1, 1)")
            .await
            .unwrap();
        assert_eq!(
            db.execute("UPDATE t SET n = 5 WHERE id = 1", &[])
                .await
                .unwrap(),
            1
        );
        assert_eq!(
            db.query("UPDATE t SET n = 6 WHERE id = 1 RETURNING n", &[])
                .await
                .unwrap()
                .len(),
            1
        );
        // To change the key waits, with us as without us.
        let error = db
            .execute("UPDATE t SET id = 9 WHERE id = 1", &[])
            .await
            .unwrap_err();
        assert_eq!(error.own().unwrap().code().unwrap().code(), "55P03");
        other.batch_execute("ROLLBACK").await.unwrap();
    });
}

fn a_dropped_statement_is_cancelled_with_unknown_effect() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let other = world.client().await;
        let db = world.session.postgres(world.client().await).await.wrapped();
        other
            .batch_execute("BEGIN; UPDATE t SET n = 7 WHERE id = 1")
            .await
            .unwrap();
        let statement = db.query("UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n", &[]);
        assert!(
            tokio::time::timeout(Duration::from_millis(200), statement)
                .await
                .is_err()
        );
        assert_eq!(
            (world.last().outcome(), world.last().effect()),
            (Some("cancelled"), Some("unknown"))
        );
        other.batch_execute("COMMIT").await.unwrap();
        // The transaction that was ours is gone: what follows is on its own again.
        db.execute("UPDATE t SET n = 100 WHERE id = 2", &[])
            .await
            .unwrap();
        assert_eq!(world.last().effect(), Some("committed"));
        let n: i32 = world
            .client()
            .await
            .query_one("SELECT n FROM t WHERE id = 2", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(n, 100);
    });
}
