//! The contracts database: end dates, values and the renewal status that the agent updates.

use super::customers::{CUSTOMERS, Tier};
use jiff::{ToSpan, civil::Date};
use rusqlite::{Connection, params};
use std::path::Path;

/// Creates the database with one contract for each enterprise customer.
///
/// # Errors
/// When SQLite refuses.
pub fn create(path: &Path, today: Date) -> rusqlite::Result<()> {
    let mut database = Connection::open(path)?;
    database.execute_batch(
        "DROP TABLE IF EXISTS contracts;
         CREATE TABLE contracts(
             account INTEGER PRIMARY KEY,
             ends_on TEXT NOT NULL,
             yearly_value INTEGER NOT NULL,
             renewal_status TEXT NOT NULL,
             updated_at TEXT
         ) STRICT;",
    )?;
    let transaction = database.transaction()?;
    for customer in CUSTOMERS
        .iter()
        .filter(|customer| customer.tier == Tier::Enterprise)
    {
        let ends_on = today.saturating_add(customer.ends_in_days.days());
        transaction.execute(
            "INSERT INTO contracts VALUES(?1, ?2, ?3, 'none', NULL)",
            params![customer.id, ends_on.to_string(), customer.value * 1_000],
        )?;
    }
    transaction.commit()
}
