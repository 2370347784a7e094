//! That nothing but the record is different, and that the record is exact.

use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use sqlx::{
    Arguments as _, AssertSqlSafe, Either, Error, Executor as _, Row as _,
    sqlite::{SqliteArguments, SqliteRow},
};
use vocabulary::attribute;

use super::World;

/// Changed rows and last row id, or a row.
type Told = Either<(u64, i64), SqliteRow>;

/// What a program sees of one statement.
fn seen(result: Result<Vec<Told>, Error>) -> String {
    match result {
        Ok(items) => {
            let items = items.iter().map(|item| match item {
                Either::Left(result) => format!("{result:?}"),
                Either::Right(row) => (0..row.len())
                    .map(|at| {
                        format!(
                            "{:?};",
                            row.try_get_unchecked::<Option<Vec<u8>>, _>(at).unwrap()
                        )
                    })
                    .collect(),
            });
            items.collect::<Vec<_>>().join(", ")
        }
        Err(error) => format!("{error:?}"),
    }
}

#[tokio::test]
async fn an_unrecorded_twin_of_sqlx_does_the_same_to_the_world() {
    let (world, twin) = (World::new().await, World::new().await);
    let (mut db, mut bare) = (world.recorded().await, twin.bare().await);
    let bound = |id: i64, text: Option<&str>| {
        let mut arguments = SqliteArguments::default();
        arguments.add(id).unwrap();
        arguments.add(text).unwrap();
        Some(arguments)
    };
    for (sql, arguments) in [
        (
            "INSERT INTO contracts VALUES (?, ?, 0.1, NULL)",
            bound(50, Some("x")),
        ),
        (
            "INSERT INTO contracts VALUES (?, ?, 0.1, NULL)",
            bound(50, Some("x")),
        ),
        (
            "INSERT OR REPLACE INTO contracts VALUES (?, ?, 1, 'a')",
            bound(51, Some("r")),
        ),
        (
            "UPDATE contracts SET status = ?2 WHERE id = ?1",
            bound(18, None),
        ),
        ("UPDATE contracts SET nowhere = 1", None),
        (
            "DELETE FROM contracts WHERE id = $1 RETURNING status, $2",
            bound(19, Some("z")),
        ),
        (
            "SELECT id, status, price, note FROM contracts ORDER BY id",
            bound(1, None),
        ),
        (
            "UPDATE loose SET b = b || a; SELECT * FROM loose; DELETE FROM loose WHERE a = 1",
            None,
        ),
        ("BEGIN; DELETE FROM loose; ROLLBACK", None),
        ("CREATE TABLE IF NOT EXISTS loose (a)", None),
        ("ALTER TABLE loose ADD COLUMN c DEFAULT 3", None),
        (
            "SELECT total_changes(), changes(), last_insert_rowid()",
            None,
        ),
        ("SELECT * FROM loose, log", None),
        ("PRAGMA user_version", None),
        ("", None),
    ] {
        let told = |item: Either<sqlx::sqlite::SqliteQueryResult, SqliteRow>| {
            item.map_left(|result| (result.rows_affected(), result.last_insert_rowid()))
        };
        let query = |arguments| (AssertSqlSafe(sql), arguments);
        let recorded = db.fetch_many(query(arguments.clone()));
        let recorded = seen(recorded.map_ok(told).try_collect().await);
        let native = bare.fetch_many(query(arguments));
        let native = seen(native.map_ok(told).try_collect().await);
        assert_eq!(recorded, native, "{sql}");
    }
    assert!(world.actions().len() > 12);
}

#[tokio::test]
async fn values_of_sqlx_are_exact_as_rows_arguments_and_output() {
    let world = World::new().await;
    let mut db = world.recorded().await;
    db.execute("CREATE TABLE v (a, b, c, d, e)").await.unwrap();
    sqlx::query("INSERT INTO v VALUES (?, ?, ?, ?, ?)")
        .bind(i64::MIN)
        .bind(0.1 + 0.2)
        .bind("né")
        .bind(vec![0_u8, 255])
        .bind(None::<i64>)
        .execute(&mut db)
        .await
        .unwrap();
    let cells = json!({"a": {"int": "-9223372036854775808"}, "b": {"real": "0.30000000000000004"}, "c": {"text": "né"},
        "d": {"blob": "AP8="}, "e": null});
    let input: Value =
        serde_json::from_str(world.last().begin.text(attribute::INPUT).unwrap()).unwrap();
    for (at, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        assert_eq!(input["parameters"][format!("?{}", at + 1)], cells[name]);
        assert_eq!(world.diffs()[0].2[name], cells[name]);
    }
    sqlx::query("SELECT * FROM v")
        .fetch_all(&mut db)
        .await
        .unwrap();
    let output = world
        .last()
        .end
        .as_ref()
        .unwrap()
        .text(attribute::OUTPUT)
        .unwrap()
        .to_owned();
    let row: Value = serde_json::from_str(output.lines().next().unwrap()).unwrap();
    assert_eq!(row["cells"], cells);
}
