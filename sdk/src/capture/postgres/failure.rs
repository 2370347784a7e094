//! How a failed statement left things.

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
    /// By the server's own code.
    pub(super) fn of_code(code: &str) -> Self {
        // Connection exceptions, statements whose completion is not known, and a server that goes down: it may have
        // committed before.
        if code.starts_with("08") || code.starts_with("57P0") || code == "40003" {
            Self::Lost
        } else {
            Self::Refused
        }
    }
}

/// A driver's error, as far as a record of it needs.
pub(super) trait Failed: std::error::Error {
    fn failure(&self) -> Failure;

    /// The server's code, if the server said it.
    fn sqlstate(&self) -> Option<&str>;

    /// The error as PostgreSQL names it.
    fn fault(&self) -> Fault;
}

/// The code with which the server says that this user may not do that.
pub(super) const INSUFFICIENT_PRIVILEGE: &str = "42501";

#[cfg(feature = "postgres")]
impl Failed for tokio_postgres::Error {
    fn failure(&self) -> Failure {
        if let Some(code) = self.code() {
            return Failure::of_code(code.code());
        }
        let by_io =
            std::error::Error::source(self).is_some_and(|source| source.is::<std::io::Error>());
        if self.is_closed() || by_io {
            Failure::Lost
        } else {
            Failure::NotSent
        }
    }

    fn sqlstate(&self) -> Option<&str> {
        self.code().map(tokio_postgres::error::SqlState::code)
    }

    fn fault(&self) -> Fault {
        let code = self.sqlstate();
        let message = self
            .as_db_error()
            .map_or_else(|| self.to_string(), |error| error.message().to_owned());
        Fault {
            class: code.unwrap_or("tokio_postgres").to_owned(),
            native: code.map(|code| format!("postgres:{code}")),
            message,
        }
    }
}
