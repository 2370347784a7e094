//! Transactions: what becomes of pending diffs, and that nobody waits for the collector while rows are locked.

use recount::testing::refuse_begins;
use recount::vocabulary::attribute;
use serde_json::json;
use tokio_postgres::IsolationLevel;

use crate::world::{Test, World, block_on, diffs};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_transaction_settles_its_diffs",
        a_transaction_settles_its_diffs,
    ),
    (
        "a_savepoint_taken_back_leaves_the_rest_committed",
        a_savepoint_taken_back_leaves_the_rest_committed,
    ),
    (
        "a_commit_of_a_failed_transaction_is_a_rollback",
        a_commit_of_a_failed_transaction_is_a_rollback,
    ),
    (
        "control_in_plain_text_is_followed",
        control_in_plain_text_is_followed,
    ),
    (
        "an_end_that_was_not_seen_is_unknown",
        an_end_that_was_not_seen_is_unknown,
    ),
    (
        "only_the_first_locking_statement_waits_for_its_receipt",
        only_the_first_locking_statement_waits_for_its_receipt,
    ),
    (
        "a_deferred_constraint_that_refuses_the_commit_rolls_back",
        a_deferred_constraint_that_refuses_the_commit_rolls_back,
    ),
];

const SCHEMA: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');";

fn a_transaction_settles_its_diffs() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.postgres(world.client().await).await;
        for (commits, outcome) in [(true, "committed"), (false, "rolled_back")] {
            let transaction = db.transaction().await.unwrap();
            transaction
                .execute("UPDATE t SET v = v || '!' WHERE id = 1", &[])
                .await
                .unwrap();
            transaction
                .execute("DELETE FROM t WHERE id = 2", &[])
                .await
                .unwrap();
            let ids: Vec<String> = world
                .diffs()
                .into_iter()
                .map(|diff| {
                    assert_eq!(diff.effect, "pending");
                    diff.transaction.unwrap()
                })
                .collect();
            assert_eq!(world.last().effect(), Some("pending"));
            match commits {
                true => transaction.commit().await.unwrap(),
                false => drop(transaction),
            }
            assert_eq!(
                world.settled().last(),
                Some(&(ids[0].clone(), outcome.to_owned()))
            );
            let _ = db.execute("INSERT INTO t VALUES (2, 'again')", &[]).await;
        }
        assert_eq!(
            db.query_one("SELECT count(*) FROM t WHERE v = 'a!'", &[])
                .await
                .unwrap()
                .get::<_, i64>(0),
            1
        );
    });
}

fn a_savepoint_taken_back_leaves_the_rest_committed() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.postgres(world.client().await).await;
        let mut transaction = db.transaction().await.unwrap();
        transaction
            .execute("UPDATE t SET v = 'x' WHERE id = 1", &[])
            .await
            .unwrap();
        let savepoint = transaction.savepoint("S").await.unwrap();
        savepoint
            .execute("UPDATE t SET v = 'x' WHERE id = 2", &[])
            .await
            .unwrap();
        // The statement that fails takes back only what follows the savepoint.
        savepoint
            .execute("INSERT INTO t VALUES (1, 'x')", &[])
            .await
            .unwrap_err();
        savepoint.rollback().await.unwrap();
        let savepoint = transaction.savepoint("s2").await.unwrap();
        savepoint
            .execute("UPDATE t SET v = 'x' WHERE id = 3", &[])
            .await
            .unwrap();
        savepoint.commit().await.unwrap();
        transaction.commit().await.unwrap();
        let outcomes: Vec<String> = world
            .recorded()
            .actions()
            .iter()
            .flat_map(diffs)
            .map(|diff| {
                let id = diff.transaction.unwrap();
                world
                    .settled()
                    .into_iter()
                    .find(|(settled, _)| *settled == id)
                    .unwrap()
                    .1
            })
            .collect();
        assert_eq!(outcomes, ["committed", "rolled_back", "committed"]);
        let row = db
            .query_one("SELECT string_agg(v, '' ORDER BY id) FROM t", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, String>(0), "xbx");
    });
}

fn a_commit_of_a_failed_transaction_is_a_rollback() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.postgres(world.client().await).await;
        let transaction = db.transaction().await.unwrap();
        transaction
            .execute("UPDATE t SET v = 'x'", &[])
            .await
            .unwrap();
        transaction
            .execute("INSERT INTO t VALUES (1, 'x')", &[])
            .await
            .unwrap_err();
        let aborted = transaction
            .execute("UPDATE t SET v = 'y'", &[])
            .await
            .unwrap_err();
        assert_eq!(aborted.own().unwrap().code().unwrap().code(), "25P02");
        transaction.commit().await.unwrap(); // which the server answers with ROLLBACK
        assert_eq!(world.settled().len(), 1);
        assert_eq!(world.settled()[0].1, "rolled_back");
        assert_eq!(world.last().effect(), Some("none"));
    });
}

fn control_in_plain_text_is_followed() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let db = world.session.postgres(world.client().await).await;
        db.batch_execute("BEGIN").await.unwrap();
        db.execute("UPDATE t SET v = 'x' WHERE id = 1", &[])
            .await
            .unwrap();
        db.execute("SAVEPOINT a", &[]).await.unwrap();
        db.execute("UPDATE t SET v = 'x' WHERE id = 2", &[])
            .await
            .unwrap();
        db.execute("ROLLBACK TO SAVEPOINT A", &[]).await.unwrap();
        db.batch_execute("COMMIT").await.unwrap();
        let outcomes: Vec<String> = world
            .settled()
            .into_iter()
            .map(|(_, outcome)| outcome)
            .collect();
        assert_eq!(outcomes, ["rolled_back", "committed"]);
        db.batch_execute("BEGIN; UPDATE t SET v = 'y'; COMMIT")
            .await
            .unwrap();
        let diff = &world.diffs()[0];
        assert_eq!(
            (diff.effect.as_str(), diff.why.as_deref()),
            ("unknown", Some("several statements in one text"))
        );
    });
}

fn an_end_that_was_not_seen_is_unknown() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut client = world.client().await;
        // A transaction that was open before is noticed.
        client.batch_execute("BEGIN").await.unwrap();
        let db = world.session.postgres(&mut client).await;
        db.execute("UPDATE t SET v = 'x' WHERE id = 1", &[])
            .await
            .unwrap();
        assert_eq!(world.last().effect(), Some("pending"));
        drop(db);
        assert_eq!(world.settled()[0].1, "unknown");
        client.batch_execute("ROLLBACK").await.unwrap();
        let mut db = world.session.postgres(&mut client).await;
        let transaction = db.transaction().await.unwrap();
        transaction
            .execute("UPDATE t SET v = 'x' WHERE id = 1", &[])
            .await
            .unwrap();
        transaction
            .client()
            .batch_execute("ROLLBACK; BEGIN")
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(world.settled()[1].1, "unknown");
        db.batch_execute("BEGIN").await.unwrap();
        db.execute("UPDATE t SET v = 'x' WHERE id = 1", &[])
            .await
            .unwrap();
        db.execute("COMMIT AND CHAIN", &[]).await.unwrap();
        db.batch_execute("COMMIT").await.unwrap();
        assert_eq!(world.settled()[2].1, "unknown");
    });
}

fn only_the_first_locking_statement_waits_for_its_receipt() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.postgres(world.client().await).await;
        let transaction = db
            .build_transaction()
            .isolation_level(IsolationLevel::Serializable)
            .start()
            .await
            .unwrap();
        transaction.query("SELECT * FROM t", &[]).await.unwrap();
        transaction
            .execute("UPDATE t SET v = 'x' WHERE id = 1", &[])
            .await
            .unwrap();
        refuse_begins(&world.recorder, true);
        transaction
            .execute("UPDATE t SET v = 'x' WHERE id = 2", &[])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        let durability: Vec<String> = world
            .recorded()
            .actions()
            .iter()
            .map(|action| action.begin.str(attribute::DURABILITY).unwrap().to_owned())
            .collect();
        assert_eq!(durability, ["spool", "strict", "spool"]);
        // A transaction whose first write is refused has locked nothing, and goes on.
        let transaction = db.transaction().await.unwrap();
        assert!(
            transaction
                .execute("DELETE FROM t", &[])
                .await
                .unwrap_err()
                .own()
                .is_none()
        );
        let rows = transaction
            .query("SELECT v FROM t ORDER BY id", &[])
            .await
            .unwrap();
        assert_eq!(rows.len(), 3);
        let other = world.client().await;
        other
            .batch_execute("SET lock_timeout = '1s'; UPDATE t SET v = 'free'")
            .await
            .unwrap();
        transaction.rollback().await.unwrap();
    });
}

fn a_deferred_constraint_that_refuses_the_commit_rolls_back() {
    block_on(async {
        let world = World::new("CREATE TABLE t (id int PRIMARY KEY, k int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO t VALUES (1, 1);").await;
        let mut db = world.session.postgres(world.client().await).await;
        let transaction = db.transaction().await.unwrap();
        transaction
            .execute("INSERT INTO t VALUES (2, 1)", &[])
            .await
            .unwrap();
        assert_eq!(world.diffs()[0].after["id"], json!({"int": "2"}));
        assert_eq!(
            transaction
                .commit()
                .await
                .unwrap_err()
                .code()
                .unwrap()
                .code(),
            "23505"
        );
        assert_eq!(world.settled()[0].1, "rolled_back");
    });
}
