//! Connections that break: in the middle of a transaction, and between a COMMIT and its answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use recount::Event;
use recount::Recorder;
use recount::testing::Recorded;
use recount::vocabulary::attribute;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::server::Server;
use crate::world::{self, Test, World, block_on, connect_to};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_commit_whose_answer_is_lost_is_unknown",
        a_commit_whose_answer_is_lost_is_unknown,
    ),
    (
        "a_statement_whose_answer_is_lost_is_unknown",
        a_statement_whose_answer_is_lost_is_unknown,
    ),
    (
        "a_server_killed_in_the_middle_rolls_back",
        a_server_killed_in_the_middle_rolls_back,
    ),
];

/// Stands between client and server; once told, it passes questions on and keeps the answers.
pub(crate) struct Proxy {
    folder: tempfile::TempDir,
    deaf: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = world::server(|server| server.socket().join(".s.PGSQL.5432"));
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let deaf = Arc::new(AtomicBool::new(false));
        tokio::spawn(relay(listener, server, Arc::clone(&deaf)));
        Self { folder, deaf }
    }

    fn config(&self, database: &str) -> String {
        format!(
            "host={} user=postgres dbname={database}",
            self.folder.path().display()
        )
    }

    #[cfg(feature = "sqlx-postgres")]
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn lose_answers(&self) {
        self.deaf.store(true, Ordering::SeqCst);
    }
}

async fn relay(listener: UnixListener, server: PathBuf, deaf: Arc<AtomicBool>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(pass(client, connect(&server).await, Arc::clone(&deaf)));
    }
}

async fn connect(server: &Path) -> UnixStream {
    UnixStream::connect(server).await.unwrap()
}

async fn pass(mut client: UnixStream, mut server: UnixStream, deaf: Arc<AtomicBool>) {
    let (mut asked, mut answered) = ([0; 8192], [0; 8192]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(read @ 1..) => server.write_all(&asked[..read]).await.unwrap(),
                _ => return,
            },
            read = server.read(&mut answered) => match read {
                // The answer came, so the server has done it; then the line is cut.
                Ok(1..) if deaf.load(Ordering::SeqCst) => return,
                Ok(read @ 1..) => client.write_all(&answered[..read]).await.unwrap(),
                _ => return,
            },
        }
    }
}

const SCHEMA: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a');";

fn a_commit_whose_answer_is_lost_is_unknown() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        let proxy = Proxy::start();
        let mut db = world
            .session
            .postgres(connect_to(&proxy.config(&world.database)).await)
            .await;
        let transaction = db.transaction().await.unwrap();
        transaction
            .execute("UPDATE t SET v = 'b'", &[])
            .await
            .unwrap();
        proxy.lose_answers();
        transaction.commit().await.unwrap_err();
        assert_eq!(world.settled().len(), 1);
        assert_eq!(world.settled()[0].1, "unknown");
        // The server may still be at it: its lock on the row is held until it has committed.
        let row = world
            .client()
            .await
            .query_one("SELECT v FROM t FOR SHARE", &[])
            .await
            .unwrap();
        assert_eq!(
            row.get::<_, String>(0),
            "b",
            "it was committed, which nobody here could know"
        );
    });
}

fn a_statement_whose_answer_is_lost_is_unknown() {
    block_on(async {
        let world = World::new(SCHEMA).await;
        for inside in [false, true] {
            let proxy = Proxy::start();
            let mut db = world
                .session
                .postgres(connect_to(&proxy.config(&world.database)).await)
                .await;
            if inside {
                let transaction = db.transaction().await.unwrap();
                transaction
                    .execute("UPDATE t SET v = 'c'", &[])
                    .await
                    .unwrap();
                proxy.lose_answers();
                transaction
                    .execute("UPDATE t SET v = 'd'", &[])
                    .await
                    .unwrap_err();
                drop(transaction);
                assert_eq!(world.settled().last().unwrap().1, "rolled_back");
                assert_eq!(world.last().effect(), Some("none"));
            } else {
                db.execute("SELECT 1", &[]).await.unwrap();
                proxy.lose_answers();
                db.execute("UPDATE t SET v = 'b'", &[]).await.unwrap_err();
                assert_eq!(
                    (world.last().outcome(), world.last().effect()),
                    (Some("unknown"), Some("unknown"))
                );
            }
        }
    });
}

fn a_server_killed_in_the_middle_rolls_back() {
    block_on(async {
        let mut server = tokio::task::spawn_blocking(Server::start)
            .await
            .unwrap()
            .unwrap();
        let recorder = Recorder::testing();
        let session = recorder.session("47892").start().await;
        let client = connect_to(&server.config("postgres", "postgres")).await;
        client.batch_execute(SCHEMA).await.unwrap();
        let mut db = session.postgres(client).await;
        let transaction = db.transaction().await.unwrap();
        transaction
            .execute("UPDATE t SET v = 'b'", &[])
            .await
            .unwrap();
        server.kill().unwrap();
        transaction
            .execute("UPDATE t SET v = 'c'", &[])
            .await
            .unwrap_err();
        transaction.commit().await.unwrap_err();
        let settled: Vec<String> = Recorded::of(&recorder)
            .of_event(Event::Transaction)
            .iter()
            .map(|record| {
                record
                    .str(attribute::TRANSACTION_OUTCOME)
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(settled, ["rolled_back"]);
        server.run().unwrap();
        let client = connect_to(&server.config("postgres", "postgres")).await;
        let row = client.query_one("SELECT v FROM t", &[]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), "a");
    });
}
