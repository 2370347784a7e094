//! How a failed statement left things.

use std::{error::Error as _, io};

use tokio_postgres::{Error, error::SqlState};

use crate::capture::step::Fault;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server refused it: it left nothing.
    Refused,
    /// It never reached the server.
    NotSent,
    /// Nobody knows what the server did.
    Lost,
}

impl Failure {
    pub(super) fn of(error: &Error) -> Self {
        if let Some(code) = error.code() {
            // Connection exceptions, statements whose completion is not known, and a server that goes down: it may
            // have committed before.
            let lost = code.code().starts_with("08")
                || code.code().starts_with("57P0")
                || *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN;
            return if lost { Self::Lost } else { Self::Refused };
        }
        let by_io = error
            .source()
            .is_some_and(|source| source.is::<io::Error>());
        if error.is_closed() || by_io {
            Self::Lost
        } else {
            Self::NotSent
        }
    }
}

/// The error as PostgreSQL names it.
pub(super) fn fault(error: &Error) -> Fault {
    let code = error.code().map(SqlState::code);
    let message = error
        .as_db_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned());
    Fault {
        class: code.unwrap_or("tokio_postgres").to_owned(),
        native: code.map(|code| format!("postgres:{code}")),
        message,
    }
}
