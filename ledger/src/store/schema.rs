//! The tables of `ledger.db`, and how to tell our database from any other.
//!
//! What is evidence: `control`, `segment` and `tile`. Everything else is an index that `reindex` can make again from
//! them, or bookkeeping of the writer. There is no index with one entry per record.

use std::path::Path;

use rusqlite::Connection;

use super::error::StoreError;

/// `PRAGMA application_id`: "RcLg".
pub(crate) const APPLICATION_ID: u32 = 0x5263_4c67;

/// `PRAGMA user_version`: raised by every change of the tables.
pub(crate) const VERSION: u32 = 1;

/// Number of the ledger's own log in `tile.log`; streams count from 1.
pub(crate) const LEDGER_LOG: i64 = 0;

/// The tables and indexes, each with its exact text: at every open the stored schema must be these and nothing else,
/// so that no trigger, view or virtual table of someone else's runs in our process.
pub(crate) const OBJECTS: &[&str] = &[
    // Writer's bookkeeping, one row, changed by every commit.
    "CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  ledger_id BLOB NOT NULL,
  origin TEXT NOT NULL,
  commit_no INTEGER NOT NULL,
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  frontier BLOB NOT NULL,
  clean INTEGER NOT NULL
) STRICT",
    // Evidence: the leaves of the ledger's own log. `private` is what `salt` commits to; both go when it is erased.
    "CREATE TABLE control (
  n INTEGER PRIMARY KEY,
  leaf BLOB NOT NULL,
  salt BLOB,
  private BLOB
) STRICT",
    // Evidence: records of one stream that lie together. The payload is last, so that reading leaves and salts does
    // not touch it.
    "CREATE TABLE segment (
  n INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL,
  first INTEGER NOT NULL,
  count INTEGER NOT NULL,
  leaves BLOB NOT NULL,
  salts BLOB NOT NULL,
  payload BLOB NOT NULL
) STRICT",
    "CREATE UNIQUE INDEX segment_place ON segment (stream, first)",
    // Evidence, but computable: full tiles of level 0, and tiles of higher levels as far as they have come.
    "CREATE TABLE tile (
  id INTEGER PRIMARY KEY,
  log INTEGER NOT NULL,
  level INTEGER NOT NULL,
  n INTEGER NOT NULL,
  hashes BLOB NOT NULL
) STRICT",
    "CREATE UNIQUE INDEX tile_place ON tile (log, level, n)",
    // Index: streams in the order of their opening. `head` is the ledger index of the last head or close and
    // `head_size` what it covers; `uncovered` is 1 while records lie beyond it.
    "CREATE TABLE stream (
  n INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  opened INTEGER NOT NULL,
  first_ns INTEGER NOT NULL,
  label TEXT NOT NULL,
  producer TEXT NOT NULL,
  proof INTEGER NOT NULL,
  claim TEXT NOT NULL,
  head INTEGER,
  head_size INTEGER NOT NULL,
  head_ns INTEGER NOT NULL,
  closed INTEGER,
  uncovered INTEGER NOT NULL
) STRICT",
    "CREATE UNIQUE INDEX stream_id ON stream (id)",
    "CREATE UNIQUE INDEX stream_label ON stream (label, producer)",
    "CREATE INDEX stream_uncovered ON stream (n) WHERE uncovered = 1",
    "CREATE INDEX stream_recent ON stream (head_ns)",
    // Index: which streams a request is bound to, and which session a stream was linked to.
    "CREATE TABLE request (
  request TEXT NOT NULL,
  stream INTEGER NOT NULL,
  control INTEGER NOT NULL,
  PRIMARY KEY (request, stream)
) STRICT, WITHOUT ROWID",
    "CREATE INDEX request_stream ON request (stream)",
    "CREATE TABLE link (
  session TEXT NOT NULL,
  stream INTEGER NOT NULL,
  control INTEGER NOT NULL,
  PRIMARY KEY (session, stream)
) STRICT, WITHOUT ROWID",
    "CREATE INDEX link_stream ON link (stream)",
    // Duplicates: sealed sequence numbers per run of a producer, and the last exports that had none.
    "CREATE TABLE run (
  producer TEXT NOT NULL,
  run TEXT NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (producer, run, first)
) STRICT, WITHOUT ROWID",
    "CREATE TABLE recent (
  slot INTEGER PRIMARY KEY,
  digest BLOB NOT NULL,
  commit_no INTEGER NOT NULL,
  size INTEGER NOT NULL,
  root BLOB NOT NULL
) STRICT",
    // Guard rails against our own mistakes, not against anyone who can write the file.
    "CREATE TRIGGER control_stays BEFORE UPDATE OF leaf ON control BEGIN SELECT RAISE(ABORT, 'a leaf never changes'); END",
    "CREATE TRIGGER control_remains BEFORE DELETE ON control BEGIN SELECT RAISE(ABORT, 'a leaf never goes'); END",
];

/// Makes the tables in an empty database.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    for object in OBJECTS {
        connection.execute_batch(object)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", VERSION)
}

/// Refuses a database that is not ours, is too new, or whose schema someone changed.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let sqlite = |error| StoreError::sqlite("read the header of", path, error);
    let id: u32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(sqlite)?;
    if id != APPLICATION_ID {
        let why = format!("its application id is {id:#010x}, not {APPLICATION_ID:#010x}");
        return Err(StoreError::Foreign {
            path: path.to_path_buf(),
            why,
        });
    }
    let found: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(sqlite)?;
    if found > VERSION {
        return Err(StoreError::Newer {
            path: path.to_path_buf(),
            found,
            known: VERSION,
        });
    }
    let stored = stored_objects(connection).map_err(sqlite)?;
    let mut wanted: Vec<&str> = OBJECTS.to_vec();
    wanted.sort_unstable();
    if found != VERSION || stored != wanted {
        let odd = stored
            .iter()
            .find(|object| !wanted.contains(&object.as_str()));
        let gone = wanted
            .iter()
            .find(|object| !stored.iter().any(|stored| stored == *object));
        let why = match (odd, gone) {
            (Some(odd), _) => format!("it holds what recount never creates: {}", first_line(odd)),
            (None, Some(gone)) => format!("it lacks: {}", first_line(gone)),
            (None, None) => format!("its schema version is {found}, not {VERSION}"),
        };
        return Err(StoreError::Damaged {
            place: format!("the schema of {}", path.display()),
            why,
        });
    }
    Ok(())
}

/// Automatic indexes have no text and come with their table; everything else is compared word by word.
fn stored_objects(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.collect()
}

fn first_line(sql: &str) -> String {
    sql.lines()
        .next()
        .unwrap_or_default()
        .escape_debug()
        .to_string()
}
