//! A write that runs as it is, between statements that read its rows.

use std::{
    future::Future as _,
    pin::pin,
    task::{Context, Waker},
};

use tokio_postgres::{
    Client, Error, Row, Statement as Prepared,
    types::{ToSql, Type},
};

use super::{Got, Params, Runner, Want};
use crate::capture::{
    postgres::{
        binary,
        cells::Raw,
        change::{self, Changes},
        statement::Write,
        table::{Line, Table},
    },
    rows::ROWS,
};

/// A write that runs as it is, between statements that read its rows.
pub(super) struct Around<'a> {
    pub(super) runner: Runner<'a>,
    pub(super) write: &'a Write,
    pub(super) table: &'a Table,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl Around<'_> {
    pub(super) async fn perform(
        &self,
        prepared: &Prepared,
        params: Params<'_>,
        typed: &[(&(dyn ToSql + Sync), Type)],
        want: Want,
    ) -> (Result<Got, Error>, Changes) {
        let Runner { client, shared } = self.runner;
        if shared.in_transaction() || !shared.wraps {
            return self
                .observed(prepared, params, typed, want, shared.in_transaction())
                .await;
        }
        if let Err(error) = client.batch_execute("BEGIN").await {
            return (Err(error), Changes::default());
        }
        let open = Open(client);
        let (result, changes) = self.observed(prepared, params, typed, want, true).await;
        std::mem::forget(open);
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = client.batch_execute(end).await;
        (result.and_then(|got| ended.map(|()| got)), changes)
    }

    /// `inside` a transaction an error of the reading is the statement's: it has undone it.
    async fn observed(
        &self,
        prepared: &Prepared,
        params: Params<'_>,
        typed: &[(&(dyn ToSql + Sync), Type)],
        want: Want,
        inside: bool,
    ) -> (Result<Got, Error>, Changes) {
        let mut unseen = Vec::new();
        let mut before = Vec::new();
        if let Some(sql) = &self.before {
            match self.runner.lines(sql, typed).await {
                Ok(lines) => before = lines,
                Err(error) if inside => return (Err(error), Changes::default()),
                Err(error) => unseen.push(format!("the rows before cannot be read: {error}")),
            }
        }
        let got = match self.runner.native(prepared, params, want).await {
            Ok(got) => got,
            Err(error) => return (Err(error), Changes::default()),
        };
        let mut after = Vec::new();
        if let Some(sql) = &self.after {
            match self.read_after(sql, &before, &got).await {
                Ok(lines) => after = lines,
                Err(error) if inside => return (Err(error), Changes::default()),
                Err(error) => unseen.push(format!("the rows after cannot be read: {error}")),
            }
        }
        let mut changes = change::around(self.write, self.table, before, after, got.count());
        changes.unseen.extend(unseen);
        (Ok(got), changes)
    }

    /// The rows with the keys of those read before and of those that the user got.
    async fn read_after(&self, sql: &str, before: &[Line], got: &Got) -> Result<Vec<Line>, Error> {
        let mut keys: Vec<Vec<Raw>> = before
            .iter()
            .filter_map(|row| change::key(self.table, row))
            .collect();
        if let Got::Rows(rows) = got {
            keys.extend(
                rows.iter()
                    .take(ROWS)
                    .filter_map(|row| returned_key(self.table, row)),
            );
        }
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(ROWS);
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let columns: Vec<Vec<&Raw>> = (0..self.table.key.len())
            .map(|at| keys.iter().filter_map(|key| key.get(at)).collect())
            .collect();
        let params: Vec<(&(dyn ToSql + Sync), Type)> = columns
            .iter()
            .map(|column| (column as &(dyn ToSql + Sync), Type::TEXT_ARRAY))
            .collect();
        self.runner.lines(sql, &params).await
    }
}

/// The key of a row that the user got, if all its columns are among what was returned.
fn returned_key(table: &Table, row: &Row) -> Option<Vec<Raw>> {
    let columns = table.key.iter().filter_map(|at| table.columns.get(*at));
    columns
        .map(|column| {
            let mut all = row.columns().iter();
            let at = all.position(|one| {
                (one.table_oid(), one.column_id()) == (Some(table.oid), Some(column.number))
            })?;
            binary::key_text(row, at).map(Some)
        })
        .collect()
}

/// A transaction of our own on the user's connection: dropped with the future that waits in it, it is rolled back.
struct Open<'a>(&'a Client);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // Polled once, it is sent; nobody is there to wait for the answer.
        let rollback = pin!(self.0.batch_execute("ROLLBACK"));
        let _ = rollback.poll(&mut Context::from_waker(Waker::noop()));
    }
}
