//! Recorded statements through `sqlx` against real SQLite files.

mod twin;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sqlx::{
    ConnectOptions as _, Connection as _, Executor as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use vocabulary::{Event, attribute};

use crate::{
    Recorder, Session,
    capture::sqlx::refused,
    testing::{ActionRecords, Recorded, refuse_begins},
};

const SCHEMA: &str = "CREATE TABLE contracts (id INTEGER PRIMARY KEY, status TEXT NOT NULL, price REAL, note TEXT UNIQUE);
    INSERT INTO contracts VALUES (17, 'open', 12.5, 'a'), (18, 'open', 2.5, NULL), (19, 'closed', NULL, NULL);
    CREATE TABLE loose (a, b); INSERT INTO loose VALUES (1, 'x'), (2, 'x'), (2, 'x');
    CREATE TABLE log (what TEXT); CREATE TRIGGER t AFTER DELETE ON contracts BEGIN INSERT INTO log VALUES (old.status); END;";

/// A file with the schema, and a recorder beside it.
struct World {
    folder: tempfile::TempDir,
    recorder: Recorder,
    session: Session,
}

async fn connect(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file);
    options.create_if_missing(true).connect().await.unwrap()
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::testing();
        let session = recorder.session("47892").start().await;
        let world = Self {
            folder,
            recorder,
            session,
        };
        let mut bare = world.bare().await;
        bare.execute(SCHEMA).await.unwrap();
        bare.close().await.unwrap();
        world
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("shop.db")
    }

    async fn bare(&self) -> SqliteConnection {
        connect(&self.file()).await
    }

    async fn recorded(&self) -> super::Sqlite<SqliteConnection> {
        self.session.sqlx_sqlite(self.bare().await).await.unwrap()
    }

    fn actions(&self) -> Vec<ActionRecords> {
        Recorded::of(&self.recorder).actions()
    }

    fn last(&self) -> ActionRecords {
        self.actions().pop().unwrap()
    }

    /// Resource, before, after and effect of each diff of the last action; of a row its cells, else the state.
    fn diffs(&self) -> Vec<(String, Value, Value, String)> {
        let action = self.last();
        let diffs = action.between.iter();
        let diffs = diffs.filter(|record| record.event == Event::Diff.name());
        diffs
            .map(|record| {
                let side = |key: &str| match record.text(key) {
                    Some(text) => serde_json::from_str::<Value>(text).unwrap()["cells"].clone(),
                    None => record.attributes[key]["state"].clone(),
                };
                let text = |key| record.str(key).unwrap().to_owned();
                (
                    text(attribute::RESOURCE),
                    side(attribute::BEFORE),
                    side(attribute::AFTER),
                    text(attribute::EFFECT),
                )
            })
            .collect()
    }

    fn settled(&self) -> Vec<String> {
        let recorded = Recorded::of(&self.recorder);
        let settled = recorded.of_event(Event::Transaction).into_iter();
        settled
            .map(|record| {
                record
                    .str(attribute::TRANSACTION_OUTCOME)
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }
}

#[tokio::test]
async fn a_query_of_sqlx_is_one_action_with_a_diff_per_row() {
    let world = World::new().await;
    let mut db = world.recorded().await;
    let sql = "UPDATE contracts SET status = ?1 WHERE status = 'open' AND id < ?2";
    let done = sqlx::query(sql)
        .bind("sent")
        .bind(100)
        .execute(&mut db)
        .await;
    assert_eq!(done.unwrap().rows_affected(), 2);
    let action = world.last();
    assert_eq!(
        action.begin.str(attribute::TARGET),
        Some("db:shop/main.contracts")
    );
    let input: Value = serde_json::from_str(action.begin.text(attribute::INPUT).unwrap()).unwrap();
    assert_eq!(
        input["parameters"],
        json!({"?1": {"text": "sent"}, "?2": {"int": "100"}})
    );
    let diffs = world.diffs();
    assert_eq!(diffs.len(), 2);
    assert_eq!(
        diffs[0].1,
        json!({"id": {"int": "17"}, "status": {"text": "open"}, "price": {"real": "12.5"}, "note": {"text": "a"}})
    );
    assert_eq!(
        (&diffs[0].2["status"], diffs[0].3.as_str()),
        (&json!({"text": "sent"}), "committed")
    );
    // What a trigger does is part of the statement.
    db.execute("DELETE FROM contracts WHERE id = 19")
        .await
        .unwrap();
    let resources: Vec<String> = world.diffs().into_iter().map(|diff| diff.0).collect();
    assert_eq!(
        resources,
        ["db:shop/main.contracts/19", "db:shop/main.log/rowid:1"]
    );
    let mut left = world.bare().await;
    let triggers = "SELECT count(*) FROM sqlite_temp_schema";
    let here: i64 = sqlx::query_scalar(triggers)
        .fetch_one(db.connection())
        .await
        .unwrap();
    let there: i64 = sqlx::query_scalar(triggers)
        .fetch_one(&mut left)
        .await
        .unwrap();
    assert_eq!((here, there), (0, 0), "nothing is left behind");
}

#[tokio::test]
async fn inserts_upserts_and_returning_tell_what_was_there() {
    let world = World::new().await;
    let mut db = world.recorded().await;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO contracts VALUES (?, 'new', 1, NULL), (31, 'new', 1, NULL) RETURNING id",
    )
    .bind(30)
    .fetch_one(&mut db)
    .await
    .unwrap();
    let diffs = world.diffs();
    assert_eq!(
        (id, diffs.len(), &diffs[1].1, &diffs[1].2["id"]),
        (30, 2, &json!("absent"), &json!({"int": "31"}))
    );
    let sql = "INSERT INTO contracts (id, status) VALUES (?, ?), (40, 'x') ON CONFLICT (id) DO UPDATE SET status = excluded.status";
    sqlx::query(sql)
        .bind(18)
        .bind("up")
        .execute(&mut db)
        .await
        .unwrap();
    let diffs = world.diffs();
    assert_eq!(
        (&diffs[0].1["status"], &diffs[0].2["status"], &diffs[1].1),
        (
            &json!({"text": "open"}),
            &json!({"text": "up"}),
            &json!("absent")
        )
    );
    sqlx::query("UPDATE loose SET b = b || 'y' WHERE a = 2")
        .execute(&mut db)
        .await
        .unwrap();
    assert_eq!(world.diffs().len(), 2, "rows without a key have a row id");
    db.execute("CREATE TABLE made (a); INSERT INTO made VALUES (1)")
        .await
        .unwrap();
    let diffs = world.diffs();
    assert_eq!(
        (diffs[0].1.as_str(), diffs[0].3.as_str()),
        (Some("not_captured"), "unknown")
    );
}

#[tokio::test]
async fn a_transaction_of_sqlx_settles_its_diffs_however_it_ends() {
    let world = World::new().await;
    let mut db = world.recorded().await;
    for end in ["commit", "rollback", "drop"] {
        let mut open = db.begin().await.unwrap();
        sqlx::query("UPDATE contracts SET price = 0 WHERE id = 17")
            .execute(&mut *open)
            .await
            .unwrap();
        sqlx::query("UPDATE contracts SET price = 7 WHERE id = 17")
            .execute(&mut open)
            .await
            .unwrap();
        assert_eq!(world.diffs()[0].3, "pending");
        let mut inner = open.begin().await.unwrap();
        inner
            .execute("DELETE FROM contracts WHERE id = 18")
            .await
            .unwrap();
        inner
            .execute("INSERT INTO contracts VALUES (17, '', 0, 0)")
            .await
            .unwrap_err();
        assert_eq!(world.last().effect(), Some("none"));
        inner.rollback().await.unwrap();
        match end {
            "commit" => open.commit().await.unwrap(),
            "rollback" => open.rollback().await.unwrap(),
            _ => drop(open),
        }
    }
    assert_eq!(
        world.settled(),
        [
            "rolled_back",
            "committed",
            "rolled_back",
            "rolled_back",
            "rolled_back",
            "rolled_back"
        ]
    );
    let durability: Vec<String> = world.actions()[..2]
        .iter()
        .map(|action| action.begin.str(attribute::DURABILITY).unwrap().to_owned())
        .collect();
    assert_eq!(
        durability,
        ["strict", "spool"],
        "nobody waits while the database is locked"
    );
    db.execute("BEGIN").await.unwrap();
    db.execute("UPDATE contracts SET price = 9 WHERE id = 17")
        .await
        .unwrap();
    db.execute("COMMIT").await.unwrap();
    assert_eq!(world.settled().last().unwrap(), "committed");
    // A transaction of the user's own, whose end is not seen.
    let mut bare = world.bare().await;
    let mut open = bare.begin().await.unwrap();
    let mut db = world.session.sqlx_sqlite(&mut *open).await.unwrap();
    db.execute("UPDATE contracts SET price = 8 WHERE id = 17")
        .await
        .unwrap();
    drop(db);
    assert_eq!(world.settled().last().unwrap(), "unknown");
}

#[tokio::test]
async fn a_refused_statement_does_not_run_and_a_dropped_one_leaves_nothing() {
    let world = World::new().await;
    let mut db = world.recorded().await;
    refuse_begins(&world.recorder, true);
    let error = db.execute("DELETE FROM contracts").await.unwrap_err();
    assert!(refused(&error).is_some(), "{error:?}");
    refuse_begins(&world.recorder, false);
    let count = "SELECT count(*) FROM contracts";
    let left: i64 = sqlx::query_scalar(count).fetch_one(&mut db).await.unwrap();
    assert_eq!(left, 3);
    // Polled a few times and let go, wherever it is by then; the next statement finds everything in order.
    for polls in 0..12 {
        let mut update = Box::pin(
            sqlx::query("UPDATE contracts SET price = price + 1 WHERE id = 18").execute(&mut db),
        );
        for _ in 0..polls {
            let waited = std::time::Duration::from_micros(300);
            if tokio::time::timeout(waited, &mut update).await.is_ok() {
                break;
            }
        }
        drop(update);
        let done = sqlx::query("UPDATE contracts SET price = -1 WHERE id = 17").execute(&mut db);
        done.await.unwrap();
        assert_eq!(
            world
                .diffs()
                .iter()
                .filter(|diff| diff.0.ends_with("/18"))
                .count(),
            0
        );
    }
}

#[tokio::test]
async fn two_connections_of_sqlx_are_charged_with_their_own_rows_only() {
    let world = World::new().await;
    let options = SqliteConnectOptions::new().filename(world.file());
    let pool = SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(options)
        .await
        .unwrap();
    let mut one = world
        .session
        .sqlx_sqlite(pool.acquire().await.unwrap())
        .await
        .unwrap();
    let mut other = world
        .session
        .sqlx_sqlite(pool.acquire().await.unwrap())
        .await
        .unwrap();
    let work = |id: i32| sqlx::query("UPDATE contracts SET note = 'n' || id WHERE id = ?").bind(id);
    let (first, second) = tokio::join!(work(17).execute(&mut one), work(18).execute(&mut other));
    first.unwrap();
    second.unwrap();
    let ends: Vec<String> = world
        .actions()
        .iter()
        .flat_map(|action| action.between.iter())
        .filter(|record| record.event == Event::Diff.name())
        .map(|record| record.str(attribute::RESOURCE).unwrap().to_owned())
        .collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    let back = one.finish().await.unwrap();
    drop((back, other));
    pool.close().await;
}

/// What the page on instrumenting shows.
#[tokio::test]
async fn sqlx_is_adopted_for_sqlite_by_changing_what_queries_are_handed() -> sqlx::Result<()> {
    let world = World::new().await;
    let (session, connection) = (&world.session, world.bare().await);
    // region: sqlx
    let mut db = session.sqlx_sqlite(connection).await?;
    let mut undone = db.begin().await?;
    sqlx::query("DELETE FROM contracts")
        .execute(&mut *undone)
        .await?;
    undone.rollback().await?;
    let update = "UPDATE contracts SET status = ? WHERE id = ?";
    sqlx::query(update)
        .bind("drafted")
        .bind(17)
        .execute(&mut db)
        .await?;
    db.finish().await?;
    // end
    assert_eq!(world.diffs()[0].2["status"], json!({"text": "drafted"}));
    Ok(())
}
