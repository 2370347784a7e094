//! Tables, indexes, views and triggers before and after a statement that may change them.
//!
//! SQLite keeps them as rows of `sqlite_schema`, and so are they recorded. The rows of a table that is dropped or
//! rebuilt are not.

use rusqlite::{Connection, Result};
use vocabulary::{
    action::{ReadAfter, ReadBefore},
    content::Content,
    row,
};

use super::{change, schema, seen::Cell};
use crate::Diff;

/// One definition, as `sqlite_schema` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    database: String,
    kind: String,
    name: String,
    table: String,
    sql: Option<String>,
}

/// All definitions of all open databases.
pub(super) fn definitions(conn: &Connection) -> Result<Vec<Definition>> {
    let mut databases = conn.prepare("SELECT name FROM pragma_database_list")?;
    let databases = databases
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>>>()?;
    let mut all = Vec::new();
    for database in databases {
        let sql = format!(
            "SELECT type, name, tbl_name, sql FROM {}.sqlite_schema",
            schema::quote(&database)
        );
        let mut rows = conn.prepare(&sql)?;
        let rows = rows.query_map([], |row| {
            let database = database.clone();
            Ok(Definition {
                database,
                kind: row.get(0)?,
                name: row.get(1)?,
                table: row.get(2)?,
                sql: row.get(3)?,
            })
        })?;
        for definition in rows {
            all.push(definition?);
        }
    }
    Ok(all)
}

impl Definition {
    fn is(&self, other: &Self) -> bool {
        (&self.database, &self.kind, &self.name) == (&other.database, &other.kind, &other.name)
    }

    fn content(&self) -> Content {
        let text = |text: &str| row::Cell::text(text.as_bytes());
        let cells = vec![
            ("type".to_owned(), text(&self.kind)),
            ("name".to_owned(), text(&self.name)),
            ("tbl_name".to_owned(), text(&self.table)),
            (
                "sql".to_owned(),
                self.sql.as_deref().map_or(row::Cell::Null, text),
            ),
        ];
        row::Row::new(
            &format!("{}.sqlite_schema", self.database),
            &["type", "name"],
            cells,
        )
        .to_content()
    }
}

/// One diff per definition that came, went or changed. `inside` tells whether both sides were read in the transaction
/// that changed them; outside one, somebody may have changed them in between.
pub(super) fn diffs(
    name: &str,
    before: &[Definition],
    after: &[Definition],
    inside: bool,
) -> Vec<Diff> {
    let (read_before, read_after) = match inside {
        true => (ReadBefore::InTransaction, ReadAfter::InTransaction),
        false => (ReadBefore::Unlocked, ReadAfter::LaterRead),
    };
    let diff = |one: Option<&Definition>, other: Option<&Definition>| {
        let definition = one.or(other)?;
        let key =
            [&definition.kind, &definition.name].map(|text| Cell::Text(text.as_bytes().to_vec()));
        let resource = format!(
            "db:{name}/{}.sqlite_schema/{}",
            definition.database,
            change::key_list(&key)
        );
        let side =
            |side: Option<&Definition>| side.map_or_else(Content::absent, Definition::content);
        let diff = Diff::of(resource).before(side(one)).after(side(other));
        Some(diff.read_before(read_before).read_after(read_after))
    };
    let gone = before
        .iter()
        .filter_map(|old| match after.iter().find(|new| new.is(old)) {
            Some(new) if new == old => None,
            new => diff(Some(old), new),
        });
    let new = after
        .iter()
        .filter(|new| !before.iter().any(|old| old.is(new)));
    gone.chain(new.filter_map(|new| diff(None, Some(new))))
        .collect()
}
