//! Errors of `sqlx` as PostgreSQL means them.

use sqlx::{
    Error,
    postgres::{PgDatabaseError, PgErrorPosition},
};

use crate::capture::{
    postgres::failure::{Failed, Failure},
    step::Fault,
};

fn told(error: &Error) -> Option<&PgDatabaseError> {
    error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref())
}

/// Whether the server refused the text itself: it points into it, so nothing of it ran.
pub(super) fn is_of_the_text(error: &Error) -> bool {
    let position = told(error).and_then(PgDatabaseError::position);
    matches!(position, Some(PgErrorPosition::Original(_)))
}

impl Failed for Error {
    fn failure(&self) -> Failure {
        match (self, self.sqlstate()) {
            (_, Some(code)) => Failure::of_code(code),
            (
                Self::Io(_)
                | Self::Protocol(_)
                | Self::WorkerCrashed
                | Self::Decode(_)
                | Self::ColumnDecode { .. },
                None,
            ) => Failure::Lost,
            _ => Failure::NotSent,
        }
    }

    fn sqlstate(&self) -> Option<&str> {
        told(self).map(PgDatabaseError::code)
    }

    fn fault(&self) -> Fault {
        let code = self.sqlstate();
        let message = self
            .as_database_error()
            .map_or_else(|| self.to_string(), |error| error.message().to_owned());
        Fault {
            class: code.unwrap_or("sqlx").to_owned(),
            native: code.map(|code| format!("postgres:{code}")),
            message,
        }
    }
}
