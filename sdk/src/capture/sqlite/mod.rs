//! SQLite.
mod change;
mod schema;
mod statement;
#[cfg(test)]
mod tests;
mod transaction;
mod watch;
