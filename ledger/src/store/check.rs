//! What only the store itself can check: the structure of its pages and the rows of its index.

use rusqlite::Connection;

use super::error::StoreError;
use super::folder::Folder;
use super::tables::{self, TableError, unsigned};
use super::{log, reindex};
use crate::reader::ReadError;
use crate::tile::{BYTES, WIDTH};
use crate::tree::hash_leaf;
use crate::verify::{Finding, FindingKind, Place};

/// Findings of SQLite's own check that are listed; a badly damaged file has more than anyone reads.
const LISTED: usize = 100;

impl Folder {
    /// Checks what no other call shows: every page of the database, every row of the index against the evidence, the
    /// tiles that are not full. [`crate::verify::verify_all`] includes it.
    ///
    /// # Errors
    /// Only what keeps the folder from being read at all; everything else is a finding.
    pub fn check(&self) -> Result<Vec<Finding>, ReadError> {
        let mut findings = Vec::new();
        match self.with(|connection| Ok(pages(connection, LISTED)?)) {
            Ok(lines) => {
                let found = lines
                    .into_iter()
                    .map(|line| finding(FindingKind::Unreadable, format!("ledger.db: {line}")));
                findings.extend(found);
            }
            Err(error) => findings.push(unreadable(&error)),
        }
        match self.with(|connection| at_one_moment(connection, index_rows)) {
            Ok(found) => findings.extend(found),
            Err(error @ ReadError::Unavailable { .. }) => return Err(error),
            Err(error) => findings.push(unreadable(&error)),
        }
        findings.extend(self.acked().err().as_ref().map(acked_finding));
        match self.with(|connection| at_one_moment(connection, partial_tiles)) {
            Ok(found) => findings.extend(found),
            Err(error) => findings.push(unreadable(&error)),
        }
        Ok(findings)
    }
}

/// Reads in one transaction: beside a writer two statements would see two moments.
fn at_one_moment<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> Result<T, TableError>,
) -> Result<T, TableError> {
    connection.execute_batch("BEGIN")?;
    let outcome = read(connection);
    connection.execute_batch("ROLLBACK")?;
    outcome
}

fn acked_finding(error: &StoreError) -> Finding {
    finding(
        FindingKind::Truncated,
        format!("whether everything acknowledged is there cannot be told: {error}"),
    )
}

fn finding(kind: FindingKind, what: String) -> Finding {
    Finding {
        kind,
        place: Place::Ledger,
        what,
    }
}

fn unreadable(error: &ReadError) -> Finding {
    finding(FindingKind::Unreadable, error.to_string())
}

/// SQLite reads every page and says which does not fit where; at most `limit` lines.
pub(crate) fn pages(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({limit})"))?;
    let mut lines = Vec::new();
    let mut rows = statement.query([])?;
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                let text: String = row.get(0)?;
                let told = text
                    .lines()
                    .filter(|line| *line != "ok" && !line.starts_with("***"));
                lines.extend(told.map(str::to_owned));
            }
            Ok(None) => return Ok(lines),
            // The check itself stumbles over what it has just described.
            Err(_) if !lines.is_empty() => return Ok(lines),
            Err(error) => return Err(error),
        }
    }
}

fn index_rows(connection: &Connection) -> Result<Vec<Finding>, TableError> {
    tables::state(connection)?;
    let wrong = reindex::disagreements(connection)?;
    let words = |(table, rows, first): (&str, u64, String)| {
        finding(
            FindingKind::Index,
            format!(
                "{rows} rows of the index table {table} are not what the evidence says: {first}"
            ),
        )
    };
    let mut findings: Vec<Finding> = wrong.into_iter().map(words).collect();
    let mut statement = connection.prepare(
        "SELECT n, stream, first, count, length(leaves), length(salts) FROM segment
         WHERE length(leaves) <> 54 * count OR length(salts) <> 32 * count OR count < 1",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (n, stream, first) = (
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
        );
        let what = format!(
            "segment {n} (record {first} of stream number {stream}) does not hold what it counts"
        );
        findings.push(finding(FindingKind::Index, what));
    }
    Ok(findings)
}

/// Tiles of level 0 that were written at a close: a prefix of what the leaves give.
fn partial_tiles(connection: &Connection) -> Result<Vec<Finding>, TableError> {
    let mut findings = Vec::new();
    let mut statement = connection.prepare(
        "SELECT log, n, hashes FROM tile WHERE level = 0 AND length(hashes) <> ?1 ORDER BY log, n",
    )?;
    let mut rows = statement.query([BYTES as i64])?;
    while let Some(row) = rows.next()? {
        let (number, n) = (row.get::<_, i64>(0)?, unsigned(row, 1)?);
        let stored = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let mut hashes = Vec::with_capacity(BYTES);
        let from = n.saturating_mul(WIDTH);
        tables::leaves(
            connection,
            number,
            from,
            from.saturating_add(WIDTH),
            |_, leaf| {
                hashes.extend_from_slice(&hash_leaf(leaf));
            },
        )?;
        if stored.is_empty() || !hashes.starts_with(stored) {
            let what = format!(
                "partial tile {n} of {} is not what its leaves give",
                tables::name(number)
            );
            findings.push(finding(FindingKind::Tile, what));
        }
    }
    let mut statement = connection.prepare("SELECT DISTINCT log, level FROM tile")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (number, level) = (row.get::<_, i64>(0)?, unsigned(row, 1)?);
        let size = tables::size(connection, number)?;
        if level >= u64::from(log::levels(size)) {
            let what = format!(
                "a tile of level {level} belongs to no log: {} has {size} leaves",
                tables::name(number)
            );
            findings.push(finding(FindingKind::Tile, what));
        }
    }
    Ok(findings)
}
