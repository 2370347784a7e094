//! Statements that run again: as many round trips as without us, nothing remembered that is not true any more, and
//! nothing prepared where a pooler stands in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio_postgres::Client;

use crate::world::{self, Test, World, block_on, connect_to};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_statement_that_runs_again_takes_no_more_round_trips_than_without_us",
        a_statement_that_runs_again_takes_no_more_round_trips_than_without_us,
    ),
    (
        "what_changed_between_two_runs_of_a_statement_is_noticed",
        what_changed_between_two_runs_of_a_statement_is_noticed,
    ),
    (
        "a_change_in_the_midst_of_a_transaction_does_not_abort_it",
        a_change_in_the_midst_of_a_transaction_does_not_abort_it,
    ),
    (
        "what_was_prepared_and_is_gone_is_prepared_again",
        what_was_prepared_and_is_gone_is_prepared_again,
    ),
    (
        "a_literal_means_what_it_means_at_each_run",
        a_literal_means_what_it_means_at_each_run,
    ),
    (
        "behind_a_pooler_nothing_stays_prepared",
        behind_a_pooler_nothing_stays_prepared,
    ),
];

const SCHEMA: &str = "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0), (2, 0);
    CREATE SCHEMA other; CREATE TABLE other.t (id int PRIMARY KEY, v int, place text); INSERT INTO other.t VALUES (1, 70, 'other');";

const SQL: &str = "UPDATE t SET v = v + $1 WHERE id = $2";

/// How many statements of ours the connection keeps prepared.
const KEPT: &str =
    "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'WITH recount_before%'";

/// Stands between client and server, and counts how often the client waits for an answer.
struct Line {
    folder: tempfile::TempDir,
    waits: Arc<AtomicUsize>,
}

impl Line {
    /// `pooled` tells the client of another server process than the one that answers, as a pooler does.
    fn start(pooled: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = world::server(|server| server.socket().join(".s.PGSQL.5432"));
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let waits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&waits);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (answers, questions) = UnixStream::connect(&server).await.unwrap().into_split();
                let (asked, told) = client.into_split();
                tokio::spawn(ask(asked, questions, Arc::clone(&counted)));
                tokio::spawn(tell(answers, told, pooled));
            }
        });
        Self { folder, waits }
    }

    async fn client(&self, world: &World) -> Client {
        let folder = self.folder.path().display();
        connect_to(&format!(
            "host={folder} user=postgres dbname={}",
            world.database
        ))
        .await
    }

    /// How often the client waited since the last time that this was asked.
    fn waits(&self) -> usize {
        self.waits.swap(0, Ordering::SeqCst)
    }
}

/// Counts what the client wants an answer to: each `Sync` (`S`) after more than closed statements (`C`), each simple
/// query (`Q`).
async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, waits: Arc<AtomicUsize>) {
    let (mut buffer, mut unread, mut started, mut more) = ([0; 64 << 10], Vec::new(), false, false);
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        unread.extend_from_slice(&buffer[..read]);
        loop {
            // The first message has no type before its length.
            let kind = usize::from(started);
            let Some(length) = unread.get(kind..kind + 4) else {
                break;
            };
            let length = kind + u32::from_be_bytes(length.try_into().unwrap()) as usize;
            if unread.len() < length {
                break;
            }
            match unread[0] {
                _ if !started => started = true,
                b'Q' => drop(waits.fetch_add(1, Ordering::SeqCst)),
                b'S' if std::mem::take(&mut more) => drop(waits.fetch_add(1, Ordering::SeqCst)),
                b'S' | b'C' => {}
                _ => more = true,
            }
            unread.drain(..length);
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn tell(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, pooled: bool) {
    let mut buffer = [0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let key = buffer[..read]
            .windows(5)
            .position(|five| five == b"K\0\0\0\x0c");
        if let (true, Some(key)) = (pooled, key) {
            buffer[key + 5..key + 9].copy_from_slice(&[0, 0, 0, 1]);
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

fn a_statement_that_runs_again_takes_no_more_round_trips_than_without_us() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let (line, other) = (Line::start(false), Line::start(false));
        let bare = other.client(&world).await;
        let mut db = world.session.postgres(line.client(&world).await).await;
        for _ in 0..2 {
            db.execute(SQL, &[&1, &1]).await.unwrap();
        }
        line.waits();
        other.waits();
        db.execute(SQL, &[&1, &1]).await.unwrap();
        bare.execute(SQL, &[&1, &1]).await.unwrap();
        assert_eq!((line.waits(), other.waits()), (2, 2));
        let [diff] = world.diffs().try_into().unwrap();
        assert_eq!(
            (&diff.before["v"], &diff.after["v"]),
            (&json!({"int": "2"}), &json!({"int": "3"}))
        );
        let transaction = db.transaction().await.unwrap();
        transaction.execute(SQL, &[&1, &1]).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(line.waits(), 4, "BEGIN, two for the statement, COMMIT");
    });
}

fn what_changed_between_two_runs_of_a_statement_is_noticed() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let admin = world.client().await;
        let db = world.session.postgres(world.client().await).await;
        for (change, cell, value) in [
            ("SELECT 1", "v", json!({"int": "1"})),
            ("SELECT 2", "v", json!({"int": "2"})),
            ("SELECT 3", "v", json!({"int": "3"})),
            (
                "ALTER TABLE t ADD COLUMN more text DEFAULT 'x'",
                "more",
                json!({"text": "x"}),
            ),
            ("SELECT 4", "more", json!({"text": "x"})),
            (
                "ALTER TABLE t RENAME COLUMN more TO less",
                "less",
                json!({"text": "x"}),
            ),
            ("SELECT 5", "less", json!({"text": "x"})),
            ("ALTER TABLE t DROP COLUMN less", "less", json!(null)),
            ("SELECT 6", "v", json!({"int": "9"})),
            (
                "ALTER TABLE t ALTER COLUMN v TYPE numeric",
                "v",
                json!({"decimal": "10"}),
            ),
            ("SELECT 7", "v", json!({"decimal": "11"})),
        ] {
            admin.batch_execute(change).await.unwrap();
            // A number of a type that both columns take.
            let one = change.starts_with("SELECT 7") || change.contains("numeric");
            if one {
                db.execute("UPDATE t SET v = v + 1 WHERE id = $1", &[&1])
                    .await
                    .unwrap();
            } else {
                db.execute(SQL, &[&1, &1]).await.unwrap();
            }
            let [diff] = world.diffs().try_into().unwrap();
            assert_eq!(diff.after[cell], value, "{change}");
        }
        // The same text means another table.
        for _ in 0..3 {
            db.execute("UPDATE t SET v = v + 1 WHERE id = $1", &[&1])
                .await
                .unwrap();
        }
        db.execute("SET search_path = other, public", &[])
            .await
            .unwrap();
        db.execute("UPDATE t SET v = v + 1 WHERE id = $1", &[&1])
            .await
            .unwrap();
        let [diff] = world.diffs().try_into().unwrap();
        assert_eq!(
            (diff.resource.contains("/other.t/"), &diff.after["place"]),
            (true, &json!({"text": "other"}))
        );
    });
}

fn a_change_in_the_midst_of_a_transaction_does_not_abort_it() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        world
            .client()
            .await
            .batch_execute(
                "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'again') THEN CREATE ROLE again LOGIN; END IF; END $$;
                 GRANT UPDATE (v), SELECT ON t TO again",
            )
            .await
            .unwrap();
        let admin = world.client().await;
        let mut db = world.session.postgres(world.client_of("again").await).await;
        for _ in 0..3 {
            db.execute(SQL, &[&1, &1]).await.unwrap();
        }
        let transaction = db.transaction().await.unwrap();
        transaction.execute(SQL, &[&1, &1]).await.unwrap();
        admin
            .batch_execute("REVOKE SELECT ON t FROM again; GRANT SELECT (id, v) ON t TO again")
            .await
            .unwrap();
        transaction.execute(SQL, &[&1, &1]).await.unwrap();
        assert!(world.diffs()[0].is_row());
        transaction.commit().await.unwrap();
        assert_eq!(world.settled().last().unwrap().1, "committed");
    });
}

fn what_was_prepared_and_is_gone_is_prepared_again() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.postgres(world.client().await).await;
        for gone in [
            "DEALLOCATE ALL",
            "DISCARD ALL",
            "DO 'BEGIN EXECUTE ''DEALLOCATE ALL''; END'",
        ] {
            for _ in 0..3 {
                db.execute(SQL, &[&1, &1]).await.unwrap();
            }
            let kept: i64 = db.query_one(KEPT, &[]).await.unwrap().get(0);
            assert_eq!(kept, 1, "{gone}");
            db.execute(gone, &[]).await.unwrap();
            let transaction = db.transaction().await.unwrap();
            transaction.execute(SQL, &[&1, &1]).await.unwrap();
            transaction.commit().await.unwrap();
            assert_eq!(world.settled().last().unwrap().1, "committed", "{gone}");
        }
        // Behind our back, where nothing can be aborted: it is done all the same, once.
        for _ in 0..3 {
            db.execute(SQL, &[&1, &1]).await.unwrap();
        }
        world
            .client()
            .await
            .batch_execute(
                "CREATE TABLE u (id int); CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS
                     'BEGIN EXECUTE ''DEALLOCATE ALL''; RETURN NEW; END';
                 CREATE TRIGGER forgets AFTER INSERT ON u EXECUTE FUNCTION forget();",
            )
            .await
            .unwrap();
        db.execute("INSERT INTO u VALUES ($1)", &[&1])
            .await
            .unwrap();
        let before: i32 = db
            .query_one("SELECT v FROM t WHERE id = 1", &[])
            .await
            .unwrap()
            .get(0);
        db.execute(SQL, &[&1, &1]).await.unwrap();
        let [diff] = world.diffs().try_into().unwrap();
        assert_eq!(diff.after["v"], json!({"int": (before + 1).to_string()}));
        // Lent out, the connection is not ours alone any more.
        let _ = db.client();
        for _ in 0..3 {
            db.execute(SQL, &[&1, &1]).await.unwrap();
        }
        let kept: i64 = db.query_one(KEPT, &[]).await.unwrap().get(0);
        assert_eq!(kept, 0);
    });
}

fn a_literal_means_what_it_means_at_each_run() {
    block_on(async {
        let world = World::new(
            "CREATE TABLE t (id int PRIMARY KEY, at timestamptz); INSERT INTO t VALUES (1);",
        )
        .await;
        let db = world.session.postgres(world.client().await).await;
        for _ in 0..4 {
            db.execute("UPDATE t SET at = 'now' WHERE id = 1", &[])
                .await
                .unwrap();
            let [diff] = world.diffs().try_into().unwrap();
            assert_ne!(diff.before["at"], diff.after["at"]);
        }
    });
}

fn behind_a_pooler_nothing_stays_prepared() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        for (pooled, prepared) in [(false, 1_i64), (true, 0)] {
            let line = Line::start(pooled);
            let db = world.session.postgres(line.client(&world).await).await;
            for _ in 0..3 {
                db.execute(SQL, &[&1, &1]).await.unwrap();
                assert!(world.diffs()[0].is_row());
            }
            let kept: i64 = db.query_one(KEPT, &[]).await.unwrap().get(0);
            assert_eq!(kept, prepared, "pooled: {pooled}");
        }
    });
}
