//! Transactions, and how their diffs are settled.

use super::*;

#[test]
fn a_rolled_back_transaction_leaves_nothing_committed() {
    let (recorder, session) = session();
    let (_folder, conn) = contracts();
    let mut db = session.sqlite(conn);
    let transaction = db.transaction().unwrap();
    transaction
        .execute("UPDATE contracts SET status = 'a' WHERE id = 17", [])
        .unwrap();
    transaction
        .execute("DELETE FROM contracts WHERE id = 18", [])
        .unwrap();
    drop(transaction);
    let recorded = Recorded::of(&recorder);
    let ids: Vec<String> = recorded
        .actions()
        .iter()
        .flat_map(|action| {
            assert_eq!(action.effect(), Some("pending"));
            diffs(action)
                .iter()
                .map(|diff| diff.str(attribute::TRANSACTION_ID).unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    assert_eq!(
        settled(&recorder),
        [(ids[0].clone(), "rolled_back".to_owned())]
    );
    let open: i64 = db
        .query_row(
            "SELECT count(*) FROM contracts WHERE status = 'open'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(open, 2);
}

#[test]
fn a_savepoint_taken_back_leaves_the_rest_of_its_transaction_committed() {
    let (recorder, session) = session();
    let (_folder, mut conn) = contracts();
    let db = session.sqlite(&mut conn);
    db.execute_batch(
        "BEGIN; UPDATE contracts SET status = 'a' WHERE id = 17; SAVEPOINT s; UPDATE contracts SET status = 'b' WHERE id = 18;
         ROLLBACK TO s; UPDATE contracts SET status = 'c' WHERE id = 18; RELEASE s; COMMIT;",
    )
    .unwrap();
    let recorded = Recorded::of(&recorder);
    let group = |action: &ActionRecords| {
        diffs(action)[0]
            .str(attribute::TRANSACTION_ID)
            .unwrap()
            .to_owned()
    };
    let groups: Vec<String> = recorded.actions().iter().map(group).collect();
    let outcome = |id: &String| {
        settled(&recorder)
            .into_iter()
            .find(|(settled, _)| settled == id)
            .map(|(_, outcome)| outcome)
    };
    let outcomes: Vec<Option<String>> = groups.iter().map(outcome).collect();
    let outcomes: Vec<&str> = outcomes
        .iter()
        .map(|outcome| outcome.as_deref().unwrap())
        .collect();
    assert_eq!(outcomes, ["committed", "rolled_back", "committed"]);
}

#[test]
fn a_statement_that_ends_the_transaction_settles_it() {
    let (recorder, session) = session();
    let (_folder, conn) = contracts();
    let mut db = session.sqlite(conn);
    let transaction = db.transaction().unwrap();
    transaction
        .execute("UPDATE contracts SET status = 'a'", [])
        .unwrap();
    transaction
        .execute("INSERT OR ROLLBACK INTO contracts (id) VALUES (17)", [])
        .unwrap_err();
    assert_eq!(settled(&recorder).len(), 1);
    assert_eq!(settled(&recorder)[0].1, "rolled_back");
    drop(transaction);
    assert_eq!(settled(&recorder).len(), 1);
}

#[test]
fn a_transaction_whose_end_nobody_saw_is_unknown() {
    let (recorder, session) = session();
    let (_folder, mut conn) = contracts();
    let db = session.sqlite(&mut conn);
    db.execute("BEGIN", []).unwrap();
    db.execute("UPDATE contracts SET status = 'a'", []).unwrap();
    db.connection().execute_batch("ROLLBACK").unwrap();
    db.query_map("SELECT 1", [], |_| Ok(())).unwrap();
    assert_eq!(settled(&recorder)[0].1, "unknown");
}
