//! What is said between us and the server of a connection; whose statement it is, only where that is asked for.

use super::shared::Shared;
use crate::{ActionHandle, capture::step};

/// The name of the database, whether a transaction is open (then the statement is later than its transaction), and
/// which server process answers. As one message, since each has a time of its own.
pub(super) const WHERE_WE_ARE: &str = "SELECT pg_catalog.current_database(), \
    pg_catalog.transaction_timestamp() <> pg_catalog.statement_timestamp(), pg_catalog.pg_backend_pid()";

/// The longest application name that PostgreSQL keeps, in bytes.
const NAME_BYTES: usize = 63;

/// The application's own name with the session's id after it; the own name gives way.
pub(super) fn application_name(own: &str, session: &str) -> String {
    let tail = format!("recount:{session}");
    let room = NAME_BYTES.saturating_sub(tail.len() + 1);
    let own: String = own
        .char_indices()
        .take_while(|(at, c)| at + c.len_utf8() <= room)
        .map(|(_, c)| c)
        .collect();
    if own.is_empty() {
        tail
    } else {
        format!("{own} {tail}")
    }
}

/// A text in quotes.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!(" E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

/// What sets the session for the open transaction only.
pub(super) fn settings(shared: &Shared) -> String {
    let mut sql = format!(
        "SET LOCAL recount.session = {}",
        literal(shared.session.id().as_str())
    );
    if let Some(request) = shared.session.request() {
        sql.push_str(&format!(
            "; SET LOCAL recount.request = {}",
            literal(request.as_str())
        ));
    }
    sql
}

/// The statement with action and session in a comment, as sqlcommenter writes it.
pub(super) fn commented(sql: &str, action: &ActionHandle) -> String {
    let identity = step::identity(action);
    let sql = sql.trim_end().trim_end_matches(';');
    let percent = |text: &str| crate::capture::names::percent(text.as_bytes());
    let mut pairs = Vec::new();
    if let Some(request) = &identity.request {
        pairs.push(format!("recount_request='{}'", percent(request)));
    }
    pairs.push(format!("recount_session='{}'", percent(&identity.session)));
    pairs.push(format!("traceparent='{}'", identity.traceparent()));
    format!("{sql}\n/*{}*/", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_whole_however_long_the_own_name_is() {
        let session = "01a1fdf2-e424-75e2-b666-e33b22ca4543";
        assert_eq!(application_name("", session), format!("recount:{session}"));
        let name = application_name("überlanger Name einer Anwendung", session);
        assert!(
            name.len() <= NAME_BYTES && name.starts_with("überlanger") && name.ends_with(session),
            "{name}"
        );
    }

    #[test]
    fn quotes_and_backslashes_stay_text() {
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(literal("a\\'b"), " E'a\\\\''b'");
    }
}
