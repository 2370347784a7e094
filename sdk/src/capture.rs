//! What the SDK sees by itself of files, HTTP, SQLite, language models and processes: observing only, unless a rule
//! asks for more.

#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "sqlite")]
pub mod sqlite;
