//! A statement that ran before on this connection: two round trips, as many as it takes without us.

use std::sync::Arc;

use tokio_postgres::{Error, error::SqlState, types::Type};

use super::{Got, Params, Runner, Want, gave, lines, told_along};
use crate::{
    Action,
    capture::{
        Error as Failed,
        postgres::{
            PostgresError,
            change::Changes,
            memory::{self, Ready},
            observe::Observed,
            table::{self, Line},
        },
    },
};

impl Runner<'_> {
    /// What is prepared for `sql`, if its table is as it was then.
    pub(super) async fn ready(self, sql: &str, params: Params<'_>) -> Option<Arc<Ready>> {
        let ready = self.shared.memory.ready(sql)?;
        let (write, _) = ready.observed.write.as_ref()?;
        let table = ready.observed.table.as_ref()?;
        if params.len() != ready.along.params().len()
            || self.shared.is_aborted()
            || !self.shared.remembers(&write.table, &table.stamp)
        {
            return None;
        }
        let stamp = self.client.query_one(&ready.stamp, &[&table.oid]).await;
        let stamp = stamp.and_then(|row| row.try_get::<_, String>(0));
        match stamp {
            Ok(stamp) if stamp == table.stamp => Some(ready),
            Ok(_) => None,
            Err(_) => {
                self.shared.memory.forget();
                None
            }
        }
    }

    pub(super) async fn run_again(
        self,
        ready: &Ready,
        sql: &str,
        params: Params<'_>,
        want: Want,
    ) -> Result<Got, PostgresError> {
        let observed = &ready.observed;
        let begun = self.begin(observed, sql, params).await?;
        let (result, changes) = self.perform_again(ready, sql, params, want, &begun).await;
        self.shared.record(begun, observed, gave(&result), changes);
        result.map_err(Failed::Own)
    }

    async fn perform_again(
        self,
        ready: &Ready,
        sql: &str,
        params: Params<'_>,
        want: Want,
        begun: &Action,
    ) -> (Result<Got, Error>, Changes) {
        let lines = self.rows(ready, params).await;
        if lines.as_ref().is_err_and(is_of_the_text) {
            // Outside a transaction it did nothing, so that the user's own text can say what is wrong with it.
            self.shared.memory.forget();
            if !self.shared.in_transaction() {
                return self
                    .perform(&ready.observed, sql, params, want, begun)
                    .await;
            }
        }
        told_along(&ready.observed, want, lines)
    }

    pub(super) async fn rows(self, ready: &Ready, params: Params<'_>) -> Result<Vec<Line>, Error> {
        let rows = self.client.query(&ready.along, params).await?;
        Ok(lines(&rows))
    }

    /// Keeps the statement from its second time on, if it may be kept. An error is one of the statement.
    pub(super) async fn kept(
        self,
        sql: &str,
        observed: &Observed,
        along: &str,
        types: &[Type],
    ) -> Result<Option<Arc<Ready>>, Error> {
        let memory = &self.shared.memory;
        if self.shared.comments || !memory::may_stay(sql, observed) || !memory.is_second(sql) {
            return Ok(None);
        }
        if let Some(ready) = memory.ready(sql)
            && ready.is_of(observed)
        {
            return Ok(Some(ready));
        }
        let stamp = match memory.stamp() {
            Some(stamp) => stamp,
            None => self.client.prepare(table::STAMP).await?,
        };
        let ready = Arc::new(Ready {
            observed: observed.clone(),
            along: self.client.prepare_typed(along, types).await?,
            stamp,
        });
        memory.keep(sql, &ready);
        Ok(Some(ready))
    }
}

/// Whether a statement was refused for what it says, or because it is not prepared any more.
fn is_of_the_text(error: &Error) -> bool {
    let class = error
        .code()
        .map(SqlState::code)
        .and_then(|code| code.get(..2));
    matches!(class, Some("0A" | "26" | "42"))
}
