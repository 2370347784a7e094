//! One recorded statement from begin to end.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::TryStreamExt as _;
use rusqlite::{Connection, Statement, fallible_iterator::FallibleIterator as _};
use sqlx::{
    Arguments as _, Either, Error, Executor as _, SqliteConnection,
    sqlite::{SqliteArguments, SqliteQueryResult, SqliteRow},
};
use vocabulary::{
    action::{Durability, Effect},
    row,
};

use super::{Item, Query, holds::on_handle, rows};
use crate::{
    Action,
    capture::{
        rows::Returned,
        sqlite::{
            definitions::{self, Definition},
            recording::Recording,
            run::{Looked, Observed},
            seen::Seen,
            statement,
        },
        sqlx::{refusal, yielding::Out},
        step::Fault,
        transactions::Control,
    },
};

pub(super) fn lock(recording: &Mutex<Recording>) -> MutexGuard<'_, Recording> {
    recording.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection, and what is known of it.
pub(super) struct Link<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) recording: &'a Mutex<Recording>,
}

/// What the caller wants to have back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    All,
    /// The first row; the rest of a query that only reads is not computed.
    First,
}

/// What was prepared to see what a statement does.
enum Armed {
    Nothing,
    /// Its rows are watched, or why not.
    Rows(Result<(), String>),
    Schema {
        before: rusqlite::Result<Vec<Definition>>,
        inside: bool,
    },
}

/// Why several statements in one text are not seen.
const SEVERAL: &str = "several statements in one text";

impl Link<'_> {
    /// Does something with the handle itself, which nobody else uses meanwhile.
    pub(super) async fn with<T>(
        &mut self,
        work: impl FnOnce(&Connection, &Recording) -> T,
    ) -> Result<T, Error> {
        let mut handle = self.connection.lock_handle().await?;
        let recording = lock(self.recording);
        on_handle(&mut handle, |conn| work(conn, &recording))
    }

    /// Runs one statement as one action, and hands on what it gives.
    pub(super) async fn run(
        mut self,
        query: Query,
        encoded: Result<(), Error>,
        want: Want,
        out: &Out<Item>,
    ) -> Result<(), Error> {
        let (looked, places, several, locked) = self
            .with(|conn, recording| {
                recording.notice(conn, false);
                let several = is_several(conn, query.text());
                let prepared = if several {
                    None
                } else {
                    conn.prepare(query.text()).ok()
                };
                let looked = Looked::at(conn, query.text(), prepared.as_ref());
                let places = prepared.as_ref().map(places).unwrap_or_default();
                (looked, places, several, recording.is_locked())
            })
            .await?;
        if let (Some(control), false) = (statement::control(query.text()), several) {
            return self.control(&control, query, out).await;
        }
        let writes = looked.kind != statement::Kind::Read;
        let parameters = self.parameters(places, query.arguments.as_ref()).await;
        let plan =
            lock(self.recording).plan(query.text(), looked.kind, &looked.touched, parameters);
        let session = lock(self.recording).session.clone();
        let mut builder = plan.in_session(&session);
        if writes && locked {
            builder = builder.durability(Durability::Spool); // nobody waits while the database is locked
        }
        let begun = builder.begin().await.map_err(refusal)?;
        if several {
            let missing = lock(self.recording).missing(None, SEVERAL);
            begun.diff(missing.effect(Effect::Unknown));
        }
        if let Err(error) = encoded {
            let gave = (Err(fault(&error)), Returned::default());
            self.ended(begun, looked, Armed::Nothing, gave).await?;
            return Err(error);
        }
        match writes {
            true => self.write(begun, looked, query, out).await,
            false => self.read(begun, looked, query, want, out).await,
        }
    }

    /// A statement that opens, settles or narrows a transaction.
    async fn control(
        &mut self,
        control: &Control,
        query: Query,
        out: &Out<Item>,
    ) -> Result<(), Error> {
        let (items, result) = query.all(&mut *self.connection).await;
        self.with(|conn, recording| match &result {
            Ok(()) => recording.follow(control, conn.is_autocommit()),
            Err(_) => recording.notice(conn, true),
        })
        .await?;
        hand_on(items, result, out).await
    }

    /// A statement that may write: what it gives is handed on once its rows are known.
    async fn write(
        &mut self,
        begun: Action,
        looked: Looked,
        query: Query,
        out: &Out<Item>,
    ) -> Result<(), Error> {
        let armed = self
            .with(|conn, recording| arm(conn, recording, query.text(), &looked))
            .await?;
        let counts = matches!(looked.kind, statement::Kind::Rows(_));
        let (items, result) = query.all(&mut *self.connection).await;
        let mut returned = Returned::default();
        let rows = items.iter().filter_map(|item| item.as_ref().right());
        rows.for_each(|row| rows::keep(&mut returned, row));
        let changed = items.iter().filter_map(|item| item.as_ref().left());
        let changed = changed.map(SqliteQueryResult::rows_affected).sum();
        let count = match counts && returned.rows == 0 {
            true => changed,
            false => returned.rows,
        };
        let gave = (result.as_ref().map(|()| count).map_err(fault), returned);
        self.ended(begun, looked, armed, gave).await?;
        hand_on(items, result, out).await
    }

    /// A statement that only reads: its rows are handed on as they come.
    async fn read(
        &mut self,
        begun: Action,
        looked: Looked,
        query: Query,
        want: Want,
        out: &Out<Item>,
    ) -> Result<(), Error> {
        let mut returned = Returned::default();
        let result = match want {
            Want::First => match self.connection.fetch_optional(query).await {
                Ok(row) => {
                    if let Some(row) = row {
                        rows::keep(&mut returned, &row);
                        out.give(Either::Right(row)).await;
                    }
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Want::All => {
                let mut answer = self.connection.fetch_many(query);
                loop {
                    match answer.try_next().await {
                        Ok(Some(item)) => {
                            if let Either::Right(row) = &item {
                                rows::keep(&mut returned, row);
                            }
                            out.give(item).await;
                        }
                        Ok(None) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                }
            }
        };
        let count = returned.rows;
        let gave = (result.as_ref().map(|()| count).map_err(fault), returned);
        self.ended(begun, looked, Armed::Nothing, gave).await?;
        result
    }

    /// Ends the action with what was seen.
    async fn ended(
        &mut self,
        begun: Action,
        looked: Looked,
        armed: Armed,
        gave: (Result<u64, Fault>, Returned),
    ) -> Result<(), Error> {
        self.with(|conn, recording| {
            let observed = match armed {
                Armed::Nothing => Observed::Nothing,
                Armed::Schema { before, inside } => Observed::Schema { before, inside },
                Armed::Rows(Err(why)) => Observed::Rows(Seen::nothing(why)),
                Armed::Rows(Ok(())) => match &recording.watcher {
                    Ok(watcher) => Observed::rows(watcher.finish(conn), &looked.touched),
                    Err(why) => Observed::Rows(Seen::nothing(why.clone())),
                },
            };
            recording.ended(conn, begun, looked, observed, gave);
        })
        .await
    }

    /// What is bound to each of `places`, in SQLite's own types: SQLite is asked, since `sqlx` does not tell.
    async fn parameters(
        &mut self,
        places: Vec<Place>,
        arguments: Option<&SqliteArguments>,
    ) -> Vec<(String, row::Cell)> {
        let Some(arguments) = arguments.filter(|arguments| arguments.len() > 0) else {
            return Vec::new();
        };
        let names: Vec<String> = (1..=arguments.len()).map(|at| format!("?{at}")).collect();
        let asked = Query::plain(format!("SELECT {}", names.join(", ")));
        let (items, _) = asked
            .with(arguments.clone(), false)
            .all(&mut *self.connection)
            .await;
        let row: Option<SqliteRow> = items.into_iter().find_map(Either::right);
        let cells = places.into_iter().map(|Place { name, argument }| {
            let cell = row.as_ref().and_then(|row| rows::cell(row, argument));
            Some((name, cell?))
        });
        cells.flatten().collect()
    }
}

/// A parameter as the statement names it, and the argument that `sqlx` binds to it.
struct Place {
    name: String,
    argument: usize,
}

/// The parameters of a statement: `?3` and `$3` are the third argument, `?` the next one.
fn places(prepared: &Statement<'_>) -> Vec<Place> {
    let mut next = 0;
    let places = (1..=prepared.parameter_count()).map(|at| {
        let name = prepared.parameter_name(at);
        let number = name.and_then(|name| name.get(1..)?.parse::<usize>().ok());
        let argument = number.map_or_else(
            || {
                next += 1;
                next - 1
            },
            |number| number.saturating_sub(1),
        );
        Place {
            name: name.map_or_else(|| format!("?{at}"), str::to_owned),
            argument,
        }
    });
    places.collect()
}

/// Prepares to see what a statement does.
fn arm(conn: &Connection, recording: &Recording, sql: &str, looked: &Looked) -> Armed {
    match looked.kind {
        statement::Kind::Rows(_) => {
            let watch = recording.watch(conn, sql, &looked.touched);
            Armed::Rows(watch.map(|watch| watch.leave_up()))
        }
        statement::Kind::Schema => Armed::Schema {
            before: definitions::definitions(conn),
            inside: !conn.is_autocommit(),
        },
        statement::Kind::Read | statement::Kind::Other => Armed::Nothing,
    }
}

/// Whether a text holds more than one statement.
fn is_several(conn: &Connection, sql: &str) -> bool {
    let mut batch = rusqlite::Batch::new(conn, sql);
    // The second may need what the first is going to make: then it does not compile yet, and is there.
    matches!(batch.next(), Ok(Some(_))) && !matches!(batch.next(), Ok(None))
}

async fn hand_on(
    items: Vec<Item>,
    result: Result<(), Error>,
    out: &Out<Item>,
) -> Result<(), Error> {
    for item in items {
        out.give(item).await;
    }
    result
}

/// The error as SQLite names it.
fn fault(error: &Error) -> Fault {
    let code = error.as_database_error().and_then(|error| error.code());
    let extended = code.and_then(|code| code.parse::<i32>().ok());
    Fault {
        class: extended.map_or("sqlx".to_owned(), |code| {
            format!("{:?}", rusqlite::ffi::Error::new(code).code)
        }),
        native: extended.map(|code| format!("sqlite:{code}")),
        message: error
            .as_database_error()
            .map_or_else(|| error.to_string(), |error| error.message().to_owned()),
    }
}
