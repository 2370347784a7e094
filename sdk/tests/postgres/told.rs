//! What the server is told of the session: nothing, unless it is asked for.

use crate::world::{Test, World, block_on, server};

pub(crate) const TESTS: &[Test] = &[
    (
        "by_default_the_server_is_told_nothing",
        by_default_the_server_is_told_nothing,
    ),
    (
        "an_announced_session_is_in_the_servers_log_and_settings",
        an_announced_session_is_in_the_servers_log_and_settings,
    ),
    (
        "a_commented_statement_carries_its_action",
        a_commented_statement_carries_its_action,
    ),
];

const SCHEMA: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a');";

fn by_default_the_server_is_told_nothing() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let mut db = world.session.postgres(world.client().await).await;
        let transaction = db.transaction().await.unwrap();
        transaction
            .execute("UPDATE t SET v = 'x'", &[])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        let id = world.session.id().as_str();
        assert!(!server(|server| server.log()).contains(id));
    });
}

fn an_announced_session_is_in_the_servers_log_and_settings() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let client = world.client().await;
        client
            .batch_execute("SET application_name = 'renewals'")
            .await
            .unwrap();
        let mut db = world
            .session
            .postgres(client)
            .await
            .announced()
            .await
            .unwrap();
        let transaction = db.transaction().await.unwrap();
        transaction
            .execute("UPDATE t SET v = current_setting('recount.session')", &[])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        let id = world.session.id().as_str().to_owned();
        let diffs = world.diffs();
        assert_eq!(diffs[0].after["v"]["text"], id);
        let row = db
            .query_one(
                "SELECT coalesce(current_setting('recount.session', true), '')",
                &[],
            )
            .await
            .unwrap();
        assert_eq!(
            row.get::<_, String>(0),
            "",
            "it lasts as long as the transaction"
        );
        let log = server(|server| server.log());
        assert!(
            log.contains(&format!("app=renewals recount:{id} ")),
            "{log}"
        );
        let client = db.finish().await.unwrap();
        let row = client
            .query_one("SHOW application_name", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, String>(0), "renewals");
    });
}

fn a_commented_statement_carries_its_action() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let db = world
            .session
            .postgres(world.client().await)
            .await
            .commented();
        db.execute("UPDATE t SET v = 'commented' -- mine", &[])
            .await
            .unwrap();
        db.query("SELECT v AS commented FROM t;", &[])
            .await
            .unwrap();
        db.query("DELETE FROM t WHERE v = 'commented' RETURNING v;", &[])
            .await
            .unwrap();
        let id = world.session.id().as_str().to_owned();
        let log = server(|server| server.log());
        let comment = format!("/*recount_request='47892',recount_session='{id}',traceparent='00-");
        assert!(log.matches(&comment).count() >= 3, "{log}");
        assert_eq!(world.recorded().actions().len(), 3);
        assert!(
            world
                .recorded()
                .actions()
                .iter()
                .all(|action| action.outcome() == Some("success"))
        );
    });
}
