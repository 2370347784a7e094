//! One server for all tests, a database for each, and what was recorded in it.

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use recount::testing::{ActionRecords, Record, Recorded};
use recount::vocabulary::attribute;
use recount::{Event, Recorder, Session};
use serde_json::Value;
use tokio_postgres::{Client, NoTls};

use crate::server::Server;

static SERVER: Mutex<Option<Server>> = Mutex::new(None);
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A test's name and what it does.
pub(crate) type Test = (&'static str, fn());

/// Runs a test on a runtime of its own.
pub(crate) fn block_on<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(test);
}

/// Does something with the server that all tests share.
pub(crate) fn server<T>(work: impl FnOnce(&Server) -> T) -> T {
    let mut server = SERVER
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let server = server.get_or_insert_with(|| {
        let server = Server::start().unwrap();
        println!("{}", server.version());
        server
    });
    work(server)
}

/// Stops it.
pub(crate) fn stop() {
    drop(
        SERVER
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take(),
    );
}

/// A database with a recorder beside it.
pub(crate) struct World {
    pub(crate) recorder: Recorder,
    pub(crate) session: Session,
    pub(crate) database: String,
}

impl World {
    /// A new database in which `sql` ran.
    pub(crate) async fn new(sql: &str) -> Self {
        let database = format!("shop{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        connect("postgres", "postgres")
            .await
            .batch_execute(&format!("CREATE DATABASE {database}"))
            .await
            .unwrap();
        let recorder = Recorder::testing();
        let session = recorder.session("47892").start().await;
        let world = Self {
            recorder,
            session,
            database,
        };
        world.client().await.batch_execute(sql).await.unwrap();
        world
    }

    /// A connection of the superuser.
    pub(crate) async fn client(&self) -> Client {
        self.client_of("postgres").await
    }

    pub(crate) async fn client_of(&self, user: &str) -> Client {
        connect(user, &self.database).await
    }

    /// A connection of the superuser through `sqlx`.
    #[cfg(feature = "sqlx-postgres")]
    pub(crate) async fn sqlx(&self) -> sqlx::PgConnection {
        let socket = server(|server| server.socket().to_owned());
        let options = sqlx_options(&socket, &self.database);
        sqlx::ConnectOptions::connect(&options).await.unwrap()
    }

    pub(crate) fn recorded(&self) -> Recorded {
        Recorded::of(&self.recorder)
    }

    /// The last action that began.
    pub(crate) fn last(&self) -> ActionRecords {
        self.recorded().actions().pop().unwrap()
    }

    /// The diffs of the last action.
    pub(crate) fn diffs(&self) -> Vec<Diff> {
        diffs(&self.last())
    }

    /// Transaction id and outcome of every settlement.
    pub(crate) fn settled(&self) -> Vec<(String, String)> {
        let recorded = self.recorded();
        let text = |record: &Record, key| record.str(key).unwrap().to_owned();
        recorded
            .of_event(Event::Transaction)
            .into_iter()
            .map(|record| {
                (
                    text(record, attribute::TRANSACTION_ID),
                    text(record, attribute::TRANSACTION_OUTCOME),
                )
            })
            .collect()
    }
}

pub(crate) async fn connect(user: &str, database: &str) -> Client {
    let config = server(|server| server.config(user, database));
    connect_to(&config).await
}

pub(crate) async fn connect_to(config: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(config, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// What `sqlx` connects with.
#[cfg(feature = "sqlx-postgres")]
pub(crate) fn sqlx_options(
    socket: &std::path::Path,
    database: &str,
) -> sqlx::postgres::PgConnectOptions {
    sqlx::postgres::PgConnectOptions::new_without_pgpass()
        .socket(socket)
        .username("postgres")
        .database(database)
}

/// A recorded diff, as tests look at it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Diff {
    pub(crate) resource: String,
    pub(crate) before: Value,
    pub(crate) after: Value,
    pub(crate) read: (String, String),
    pub(crate) effect: String,
    pub(crate) transaction: Option<String>,
    /// Why a side is not there.
    pub(crate) why: Option<String>,
}

pub(crate) fn diffs(action: &ActionRecords) -> Vec<Diff> {
    let all = action
        .between
        .iter()
        .filter(|record| record.event == Event::Diff.name());
    all.map(Diff::of).collect()
}

impl Diff {
    fn of(record: &Record) -> Self {
        // The cells of a row; without a row, the state of the side.
        let side = |key: &str| match record.text(key) {
            Some(text) => serde_json::from_str::<Value>(text).unwrap()["cells"].clone(),
            None => record.attributes[key]["state"].clone(),
        };
        let text = |key| record.str(key).unwrap().to_owned();
        let why = |key: &str| record.attributes[key]["why"].as_str().map(str::to_owned);
        Self {
            resource: text(attribute::RESOURCE),
            before: side(attribute::BEFORE),
            after: side(attribute::AFTER),
            read: (text(attribute::READ_BEFORE), text(attribute::READ_AFTER)),
            effect: text(attribute::EFFECT),
            transaction: record.str(attribute::TRANSACTION_ID).map(str::to_owned),
            why: why(attribute::BEFORE).or_else(|| why(attribute::AFTER)),
        }
    }

    pub(crate) fn is_row(&self) -> bool {
        self.before.is_object() || self.after.is_object()
    }
}
