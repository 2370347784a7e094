//! What can be missed: each is recorded as not captured, with the reason. Also what a user may not read.

use serde_json::json;

use crate::world::{Diff, Test, World, block_on};

pub(crate) const TESTS: &[Test] = &[
    (
        "what_tells_no_rows_is_not_captured_with_why",
        what_tells_no_rows_is_not_captured_with_why,
    ),
    (
        "triggers_and_cascades_are_named",
        triggers_and_cascades_are_named,
    ),
    (
        "functions_that_may_write_are_no_reads",
        functions_that_may_write_are_no_reads,
    ),
    (
        "no_more_privilege_is_needed_than_the_statement_needs",
        no_more_privilege_is_needed_than_the_statement_needs,
    ),
    (
        "row_security_decides_nothing_more_than_without_us",
        row_security_decides_nothing_more_than_without_us,
    ),
    (
        "what_is_remembered_of_a_table_is_checked_before_it_is_used",
        what_is_remembered_of_a_table_is_checked_before_it_is_used,
    ),
    (
        "a_revoke_in_between_does_not_abort_the_users_transaction",
        a_revoke_in_between_does_not_abort_the_users_transaction,
    ),
];

fn whys(diffs: &[Diff]) -> Vec<&str> {
    diffs
        .iter()
        .filter(|diff| diff.before == "not_captured")
        .filter_map(|diff| diff.why.as_deref())
        .collect()
}

fn what_tells_no_rows_is_not_captured_with_why() {
    block_on(async {
        let world = World::new(
            "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent);
             CREATE VIEW shown AS SELECT * FROM t; CREATE TABLE ruled (id int); CREATE RULE r AS ON INSERT TO ruled DO ALSO DELETE FROM t;
             CREATE PROCEDURE p() LANGUAGE sql AS 'DELETE FROM t'; INSERT INTO t VALUES (1, 'a');",
        ).await;
        let db = world.session.postgres(world.client().await).await;
        for (sql, why, effect) in [
            ("TRUNCATE t", "TRUNCATE tells no rows", "committed"),
            (
                "WITH w AS (INSERT INTO t VALUES (1, 'b') RETURNING id) UPDATE parent SET id = w.id FROM w",
                "a query that writes tells no rows",
                "committed",
            ),
            (
                "COPY t FROM PROGRAM 'echo 5'",
                "COPY tells no rows",
                "committed",
            ),
            (
                "MERGE INTO t USING parent p ON p.id = t.id WHEN NOT MATCHED THEN DO NOTHING",
                "MERGE tells no rows",
                "committed",
            ),
            (
                "CALL p()",
                "what a procedure changes is not told",
                "unknown",
            ),
            (
                "DO 'BEGIN DELETE FROM t; END'",
                "the statement was not understood whole",
                "unknown",
            ),
            (
                "UPDATE parent SET id = 1",
                "it has inheriting tables",
                "committed",
            ),
            ("UPDATE shown SET v = 'x'", "it is a view", "committed"),
            (
                "INSERT INTO ruled VALUES (1)",
                "it has rewrite rules",
                "committed",
            ),
            (
                "CREATE TABLE made (id int)",
                "what CREATE changes is not told",
                "committed",
            ),
            (
                "SELECT * INTO copied FROM t",
                "a query that writes tells no rows",
                "committed",
            ),
        ] {
            let _ = db.execute(sql, &[]).await;
            let action = world.last();
            if action.outcome() != Some("success") {
                assert!(
                    sql.starts_with("COPY") || sql.starts_with("MERGE"),
                    "{sql}: {:?}",
                    action.end
                );
                continue;
            }
            assert_eq!(
                (whys(&world.diffs()), action.effect().unwrap()),
                (vec![why], effect),
                "{sql}"
            );
        }
    });
}

fn triggers_and_cascades_are_named() {
    block_on(async {
        let world = World::new(
            "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE log (line text);
             CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (NEW.v); NEW.v := NEW.v || '!'; RETURN NEW; END $$;
             CREATE TRIGGER noted BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
             INSERT INTO t VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (1, 1);",
        ).await;
        let db = world.session.postgres(world.client().await).await;
        db.execute("UPDATE t SET v = 'x' WHERE id = 1", &[])
            .await
            .unwrap();
        let diffs = world.diffs();
        assert_eq!(
            diffs[0].after["v"],
            json!({"text": "x!"}),
            "what a trigger made of the row itself is seen"
        );
        assert_eq!(whys(&diffs), ["trigger \"noted\" may change other rows"]);
        db.execute("UPDATE t SET id = 3 WHERE id = 1", &[])
            .await
            .unwrap();
        assert!(whys(&world.diffs()).contains(&"a foreign key of child changes its rows along"));
        db.execute("DELETE FROM t WHERE id = 3", &[]).await.unwrap();
        assert_eq!(
            whys(&world.diffs()),
            ["a foreign key of child changes its rows along"]
        );
        db.execute("INSERT INTO t VALUES (4, 'd')", &[])
            .await
            .unwrap();
        assert!(whys(&world.diffs()).is_empty());
    });
}

fn functions_that_may_write_are_no_reads() {
    block_on(async {
        let world = World::new(
            "CREATE TABLE t (id int); CREATE FUNCTION sly() RETURNS int LANGUAGE sql AS 'DELETE FROM t; SELECT 1';
             CREATE FUNCTION plain() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'; CREATE SEQUENCE s;",
        ).await;
        let db = world.session.postgres(world.client().await).await;
        db.query(
            "SELECT plain(), count(*), generate_series(1, 2) FROM t",
            &[],
        )
        .await
        .unwrap();
        assert_eq!(
            (world.last().effect(), world.diffs()),
            (Some("none"), vec![])
        );
        for (sql, function) in [
            ("SELECT * FROM sly()", "sly"),
            ("SELECT nextval('s')", "nextval"),
        ] {
            db.query(sql, &[]).await.unwrap();
            assert_eq!(world.last().effect(), Some("unknown"));
            assert_eq!(
                whys(&world.diffs()),
                [format!("function {function} may change rows")]
            );
        }
    });
}

fn what_is_remembered_of_a_table_is_checked_before_it_is_used() {
    block_on(async {
        let world = World::new(&format!(
            "{PRIVILEGES} GRANT UPDATE (v), SELECT ON t TO agent;"
        ))
        .await;
        let admin = world.client().await;
        let mut db = world.session.postgres(world.client_of("agent").await).await;
        for (change, rows) in [
            ("SELECT 1", 2),
            ("SELECT 2", 2),
            ("ALTER TABLE t DROP COLUMN secret", 2),
            ("ALTER TABLE t ADD COLUMN more int", 2),
            ("ALTER TABLE t RENAME COLUMN more TO less", 2),
            ("REVOKE SELECT ON t FROM agent", 0),
        ] {
            admin.batch_execute(change).await.unwrap();
            let transaction = db.transaction().await.unwrap();
            transaction
                .execute("UPDATE t SET v = 'x' || random()", &[])
                .await
                .unwrap();
            assert_eq!(
                world.diffs().iter().filter(|diff| diff.is_row()).count(),
                rows,
                "{change}"
            );
            transaction.commit().await.unwrap();
            assert_eq!(world.settled().last().unwrap().1, "committed", "{change}");
        }
    });
}

const PRIVILEGES: &str = "CREATE TABLE t (id int PRIMARY KEY, v text, secret text); INSERT INTO t VALUES (1, 'a', 's'), (2, 'b', 's');
    DO $$ BEGIN CREATE ROLE agent LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;";

fn no_more_privilege_is_needed_than_the_statement_needs() {
    block_on(async {
        for (grants, sql, rows, why) in [
            (
                "GRANT UPDATE (v) ON t TO agent",
                "UPDATE t SET v = 'x'",
                0,
                "this user may not read its columns",
            ),
            (
                "GRANT UPDATE (v), SELECT (id, v) ON t TO agent",
                "UPDATE t SET v = 'x' WHERE id = 1",
                1,
                "columns that this user may not read: secret",
            ),
            (
                "GRANT UPDATE (v), SELECT (v) ON t TO agent",
                "UPDATE t SET v = 'x' WHERE v = 'a'",
                1,
                "columns that this user may not read: id, secret",
            ),
            (
                "GRANT INSERT ON t TO agent",
                "INSERT INTO t VALUES (3, 'c', 's')",
                0,
                "this user may not read its columns",
            ),
            (
                "GRANT DELETE, SELECT (id) ON t TO agent",
                "DELETE FROM t WHERE id = 1",
                1,
                "columns that this user may not read: v, secret",
            ),
        ] {
            let world = World::new(&format!("{PRIVILEGES} {grants};")).await;
            let mut db = world.session.postgres(world.client_of("agent").await).await;
            let transaction = db.transaction().await.unwrap();
            transaction.execute(sql, &[]).await.unwrap();
            let diffs = world.diffs();
            assert_eq!(
                diffs.iter().filter(|diff| diff.is_row()).count(),
                rows,
                "{sql}: {diffs:#?}"
            );
            assert_eq!(whys(&diffs), [why], "{sql}");
            transaction.commit().await.unwrap();
            assert_eq!(world.settled()[0].1, "committed");
            assert!(!format!("{diffs:?}").contains("\"s\""));
        }
        // What the user may not do is refused as without us.
        let world = World::new(PRIVILEGES).await;
        let db = world.session.postgres(world.client_of("agent").await).await;
        let error = db.execute("UPDATE t SET v = 'x'", &[]).await.unwrap_err();
        assert_eq!(error.own().unwrap().code().unwrap().code(), "42501");
        assert!(
            world
                .recorded()
                .names()
                .any(|name| name == "agent.security.access_unauthorized")
        );
    });
}

fn row_security_decides_nothing_more_than_without_us() {
    block_on(async {
        let world = World::new(&format!(
            "{PRIVILEGES} ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT, INSERT, UPDATE ON t TO agent;
             CREATE POLICY sees ON t FOR SELECT USING (v = 'a'); CREATE POLICY adds ON t FOR INSERT WITH CHECK (true);
             CREATE POLICY alters ON t FOR UPDATE USING (true);"
        )).await;
        let db = world.session.postgres(world.client_of("agent").await).await;
        // With a RETURNING the server would refuse this row, since the agent may not see it.
        assert_eq!(
            db.execute("INSERT INTO t VALUES (3, 'hidden', NULL)", &[])
                .await
                .unwrap(),
            1
        );
        assert_eq!(
            whys(&world.diffs()),
            ["row security is in force, and the statement reads no column by itself"]
        );
        assert_eq!(
            db.execute("UPDATE t SET secret = 'x'", &[]).await.unwrap(),
            3
        );
        assert_eq!(world.diffs().len(), 1);
        assert_eq!(
            db.execute("UPDATE t SET secret = 'y' WHERE id > 0", &[])
                .await
                .unwrap(),
            1
        );
        let diffs = world.diffs();
        assert_eq!(
            (diffs.len(), &diffs[0].after["id"]),
            (1, &json!({"int": "1"}))
        );
    });
}

fn a_revoke_in_between_does_not_abort_the_users_transaction() {
    block_on(async {
        let world = World::new(&format!(
            "{PRIVILEGES} GRANT UPDATE (v), SELECT (id, v) ON t TO agent;"
        ))
        .await;
        let admin = world.client().await;
        let mut db = world.session.postgres(world.client_of("agent").await).await;
        let transaction = db.transaction().await.unwrap();
        transaction
            .execute("UPDATE t SET v = 'x'", &[])
            .await
            .unwrap();
        assert!(world.diffs()[0].is_row());
        admin
            .batch_execute("REVOKE SELECT (id, v) ON t FROM agent")
            .await
            .unwrap();
        transaction
            .execute("UPDATE t SET v = 'y'", &[])
            .await
            .unwrap();
        assert_eq!(whys(&world.diffs()), ["this user may not read its columns"]);
        transaction.commit().await.unwrap();
        assert!(
            world
                .settled()
                .iter()
                .all(|(_, outcome)| outcome == "committed")
        );
    });
}
