//! Through `sqlx`: how transactions end, what is waited for, pools, and what breaks in the middle.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use recount::{capture::sqlx::refused, testing::refuse_begins, vocabulary::attribute};
use serde_json::json;
use sqlx::{Executor as _, postgres::PgPoolOptions};

use crate::{
    faults::Proxy,
    world::{Test, World, block_on, diffs, sqlx_options},
};

pub(crate) const TESTS: &[Test] = &[
    (
        "sqlx_a_transaction_settles_its_diffs_however_it_ends",
        a_transaction_settles_its_diffs_however_it_ends,
    ),
    (
        "sqlx_a_savepoint_taken_back_leaves_the_rest_committed",
        a_savepoint_taken_back_leaves_the_rest_committed,
    ),
    (
        "sqlx_an_end_that_was_not_seen_is_unknown",
        an_end_that_was_not_seen_is_unknown,
    ),
    (
        "sqlx_a_commit_whose_answer_is_lost_is_unknown",
        a_commit_whose_answer_is_lost_is_unknown,
    ),
    (
        "sqlx_only_the_first_locking_statement_waits_and_a_refused_one_does_not_run",
        only_the_first_locking_statement_waits,
    ),
    (
        "sqlx_a_pool_is_recorded_as_its_connections_are",
        a_pool_is_recorded_as_its_connections_are,
    ),
    (
        "sqlx_a_dropped_statement_leaves_no_transaction_open",
        a_dropped_statement_leaves_no_transaction_open,
    ),
    (
        "sqlx_is_adopted_by_changing_what_queries_are_handed",
        is_adopted_by_changing_what_queries_are_handed,
    ),
    (
        "sqlx_the_session_is_told_where_that_is_asked_for",
        the_session_is_told_where_that_is_asked_for,
    ),
];

const SCHEMA: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');";

fn outcomes(world: &World) -> Vec<String> {
    let settled = world.settled().into_iter();
    settled.map(|(_, outcome)| outcome).collect()
}

fn a_transaction_settles_its_diffs_however_it_ends() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.sqlx_postgres(world.sqlx().await).await;
        for end in ["commit", "rollback", "drop", "error"] {
            let mut open = db.begin().await.unwrap();
            sqlx::query("UPDATE t SET v = v || $1")
                .bind("!")
                .execute(&mut *open)
                .await
                .unwrap();
            assert_eq!(world.last().effect(), Some("pending"));
            assert_eq!(world.diffs()[0].effect, "pending");
            match end {
                "commit" => open.commit().await.unwrap(),
                "rollback" => open.rollback().await.unwrap(),
                "drop" => drop(open),
                _ => {
                    let failed = sqlx::query("INSERT INTO t VALUES (1, '')").execute(&mut open);
                    failed.await.unwrap_err();
                    assert_eq!(world.last().effect(), Some("none"));
                    open.commit().await.unwrap(); // which the server answers with ROLLBACK
                }
            }
        }
        let expected = ["committed", "rolled_back", "rolled_back", "rolled_back"];
        assert_eq!(outcomes(&world), expected);
        let kept: Vec<String> = sqlx::query_scalar("SELECT v FROM t ORDER BY id")
            .fetch_all(&mut db)
            .await
            .unwrap();
        assert_eq!(kept, ["a!", "b!", "c!"]);
    });
}

fn a_savepoint_taken_back_leaves_the_rest_committed() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.sqlx_postgres(world.sqlx().await).await;
        let mut open = db.begin().await.unwrap();
        open.execute("UPDATE t SET v = 'x' WHERE id = 1")
            .await
            .unwrap();
        let mut inner = open.begin().await.unwrap();
        inner
            .execute("UPDATE t SET v = 'x' WHERE id = 2")
            .await
            .unwrap();
        inner
            .execute("INSERT INTO t VALUES (1, 'x')")
            .await
            .unwrap_err();
        inner.rollback().await.unwrap();
        let mut inner = open.begin().await.unwrap();
        inner
            .execute("UPDATE t SET v = 'x' WHERE id = 3")
            .await
            .unwrap();
        inner.commit().await.unwrap();
        open.commit().await.unwrap();
        let all = world.recorded().actions();
        let settled = world.settled();
        let ends: Vec<&str> = all
            .iter()
            .flat_map(diffs)
            .map(|diff| {
                let id = diff.transaction.unwrap();
                let end = settled.iter().find(|(settled, _)| *settled == id);
                end.unwrap().1.as_str()
            })
            .collect();
        assert_eq!(ends, ["committed", "rolled_back", "committed"]);
    });
}

fn an_end_that_was_not_seen_is_unknown() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut connection = world.sqlx().await;
        // A transaction of the user's own, which was open before and is ended elsewhere.
        let mut open = sqlx::Connection::begin(&mut connection).await.unwrap();
        let mut db = world.session.sqlx_postgres(&mut *open).await;
        db.execute("UPDATE t SET v = 'x' WHERE id = 1")
            .await
            .unwrap();
        assert_eq!(world.last().effect(), Some("pending"));
        drop(db);
        assert_eq!(outcomes(&world), ["unknown"]);
        open.rollback().await.unwrap();
        let mut db = world.session.sqlx_postgres(&mut connection).await;
        let mut open = db.begin().await.unwrap();
        open.execute("UPDATE t SET v = 'x' WHERE id = 1")
            .await
            .unwrap();
        open.connection().execute("ROLLBACK; BEGIN").await.unwrap();
        open.commit().await.unwrap();
        assert_eq!(outcomes(&world), ["unknown", "unknown"]);
    });
}

fn a_commit_whose_answer_is_lost_is_unknown() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let proxy = Proxy::start();
        let options = sqlx_options(proxy.folder(), &world.database);
        let connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let mut db = world.session.sqlx_postgres(connection).await;
        let mut open = db.begin().await.unwrap();
        open.execute("UPDATE t SET v = 'z' WHERE id = 1")
            .await
            .unwrap();
        proxy.lose_answers();
        open.commit().await.unwrap_err();
        assert_eq!(outcomes(&world), ["unknown"]);
    });
}

fn only_the_first_locking_statement_waits() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.sqlx_postgres(world.sqlx().await).await;
        let mut open = db.begin().await.unwrap();
        sqlx::query("SELECT * FROM t")
            .fetch_all(&mut *open)
            .await
            .unwrap();
        open.execute("UPDATE t SET v = 'x' WHERE id = 1")
            .await
            .unwrap();
        refuse_begins(&world.recorder, true);
        open.execute("UPDATE t SET v = 'x' WHERE id = 2")
            .await
            .unwrap();
        open.commit().await.unwrap();
        let actions = world.recorded().actions();
        let durability = |at: usize| actions[at].begin.str(attribute::DURABILITY).unwrap();
        assert_eq!(
            [durability(0), durability(1), durability(2)],
            ["spool", "strict", "spool"]
        );
        // A transaction whose first write is refused has locked nothing, and goes on.
        let mut open = db.begin().await.unwrap();
        let error = sqlx::query("DELETE FROM t")
            .execute(&mut *open)
            .await
            .unwrap_err();
        assert!(refused(&error).is_some(), "{error:?}");
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
            .fetch_one(&mut *open)
            .await
            .unwrap();
        assert_eq!(left, 3);
        let other = world.client().await;
        let update = "SET lock_timeout = '1s'; UPDATE t SET v = 'free'";
        other.batch_execute(update).await.unwrap();
    });
}

fn a_pool_is_recorded_as_its_connections_are() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let socket = crate::world::server(|server| server.socket().to_owned());
        let options = sqlx_options(&socket, &world.database);
        let pool = PgPoolOptions::new()
            .max_connections(3)
            .connect_lazy_with(options);
        let db = world.session.sqlx_postgres_pool(pool.clone());
        let writers = (0..3).map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..5 {
                    let update = sqlx::query("UPDATE t SET v = v || 'x' WHERE id = 1");
                    assert_eq!(update.execute(&db).await.unwrap().rows_affected(), 1);
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let all = world.recorded().actions();
        let mut befores: Vec<usize> = all
            .iter()
            .flat_map(diffs)
            .map(|diff| {
                let length = |side: &serde_json::Value| side["v"]["text"].as_str().unwrap().len();
                assert_eq!(length(&diff.before) + 1, length(&diff.after));
                length(&diff.before)
            })
            .collect();
        befores.sort_unstable();
        assert_eq!(befores, (1..16).collect::<Vec<_>>(), "one chain");
        let mut open = db.begin().await.unwrap();
        open.execute("DELETE FROM t").await.unwrap();
        drop(open);
        assert_eq!(outcomes(&world), ["rolled_back"]);
        // Rows come one by one; who stops in the middle leaves the pool as it was.
        let mut rows = sqlx::query("SELECT * FROM generate_series(1, 1000)").fetch(&db);
        rows.try_next().await.unwrap().unwrap();
        drop(rows);
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM t")
            .fetch_one(&db)
            .await
            .unwrap();
        assert_eq!(left, 3);
        pool.close().await;
    });
}

fn a_dropped_statement_leaves_no_transaction_open() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let other = world.client().await;
        other
            .batch_execute("BEGIN; UPDATE t SET v = 'held' WHERE id = 1")
            .await
            .unwrap();
        let mut db = world
            .session
            .sqlx_postgres(world.sqlx().await)
            .await
            .wrapped();
        let waits =
            sqlx::query("UPDATE t SET v = 'mine' WHERE id = 1 RETURNING v").fetch_all(&mut db);
        assert!(
            tokio::time::timeout(Duration::from_millis(200), waits)
                .await
                .is_err()
        );
        let action = world.last();
        assert_eq!(action.outcome(), Some("cancelled"));
        other.batch_execute("COMMIT").await.unwrap();
        let v: String = sqlx::query_scalar("SELECT v FROM t WHERE id = 1")
            .fetch_one(&mut db)
            .await
            .unwrap();
        assert_eq!(v, "held");
        let done = sqlx::query("UPDATE t SET v = 'then' WHERE id = 1")
            .execute(&mut db)
            .await;
        assert_eq!(done.unwrap().rows_affected(), 1);
        assert_eq!(world.diffs()[0].before["v"], json!({"text": "held"}));
    });
}

fn the_session_is_told_where_that_is_asked_for() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let session = world.session.id().as_str().to_owned();
        let db = world.session.sqlx_postgres(world.sqlx().await).await;
        let mut db = db.announced().await.unwrap().commented();
        let name: String = sqlx::query_scalar("SHOW application_name")
            .fetch_one(&mut db)
            .await
            .unwrap();
        assert!(name.ends_with(&session), "{name}");
        let mut open = db.begin().await.unwrap();
        let told = "SELECT current_setting('recount.session')";
        let told: String = sqlx::query_scalar(told)
            .fetch_one(&mut *open)
            .await
            .unwrap();
        assert_eq!(told, session);
        open.rollback().await.unwrap();
        let text = "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let text: String = sqlx::query_scalar(text).fetch_one(&mut db).await.unwrap();
        assert!(
            text.contains(&format!("recount_session='{session}'")),
            "{text}"
        );
        let mut bare = db.finish().await.unwrap();
        let name: String = sqlx::query_scalar("SHOW application_name")
            .fetch_one(&mut bare)
            .await
            .unwrap();
        assert!(!name.contains("recount"), "{name}");
    });
}

fn is_adopted_by_changing_what_queries_are_handed() {
    block_on(async {
        let world = World::new("CREATE TABLE contracts (id bigint PRIMARY KEY, status text); INSERT INTO contracts VALUES (17, 'open')").await;
        let socket = crate::world::server(|server| server.socket().to_owned());
        let options = sqlx_options(&socket, &world.database);
        let pool = PgPoolOptions::new().connect_lazy_with(options);
        let diffs_before = world.recorded().actions().len();
        shown(&world.session, pool).await.unwrap();
        assert_eq!(outcomes(&world), ["rolled_back"]);
        assert_eq!(world.recorded().actions().len(), diffs_before + 3);
        assert_eq!(world.diffs()[0].after["status"], json!({"text": "kept"}));
    });
}

/// What the page on instrumenting shows.
async fn shown(session: &recount::Handle, pool: sqlx::PgPool) -> sqlx::Result<()> {
    // region: sqlx
    let db = session.sqlx_postgres_pool(pool);
    let update = "UPDATE contracts SET status = $1 WHERE id = $2";
    sqlx::query(update)
        .bind("sent")
        .bind(17_i64)
        .execute(&db)
        .await?;
    let mut undone = db.begin().await?;
    sqlx::query("DELETE FROM contracts")
        .execute(&mut *undone)
        .await?;
    undone.rollback().await?;
    let mut one = db.acquire().await?.wrapped();
    let (id, status): (i64, String) =
        sqlx::query_as("UPDATE contracts SET status = 'kept' RETURNING id, status")
            .fetch_one(&mut one)
            .await?;
    // end
    assert_eq!((id, status.as_str()), (17, "kept"));
    Ok(())
}
