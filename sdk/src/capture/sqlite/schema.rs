//! Which tables a statement can write, and how their rows are named.

use rusqlite::{Connection, OptionalExtension as _, Result};

/// The columns of a unique index, each with its collation.
pub(super) type UniqueIndex = Vec<(String, String)>;

/// One ordinary table, as far as capturing its rows needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// Schema name: `main`, `temp`, or the name of an attached database.
    pub(super) database: String,
    pub(super) name: String,
    /// Every readable column in declared order, generated ones included.
    pub(super) columns: Vec<String>,
    /// Indexes into `columns` of the declared primary key, in key order; empty if there is none.
    pub(super) key: Vec<usize>,
    /// A name under which the hidden row id can be read; `None` for `WITHOUT ROWID` tables and where columns
    /// took all three names.
    pub(super) rowid: Option<&'static str>,
    /// The columns and collations of each unique index without condition or expression.
    pub(super) unique: Vec<UniqueIndex>,
    /// Whether there is a unique index with a condition or an expression.
    pub(super) odd_unique: bool,
    /// The text that created it.
    pub(super) sql: String,
}

impl Table {
    /// `"database"."name"`, quoted for SQL.
    pub(super) fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.database), quote(&self.name))
    }
}

/// What a statement can touch.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Schema and name of each table it opens, the statement's own ones first.
    pub(super) names: Vec<(String, String)>,
    /// The shape of those it can write.
    pub(super) written: Vec<Table>,
    /// Why something it writes cannot be watched.
    pub(super) unseen: Vec<String>,
}

/// `name` as an SQL identifier.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The tables that `sql` can read and write, its triggers and foreign key actions included.
///
/// SQLite itself says so: the compiled program (`EXPLAIN`) names the root page of each b-tree it opens. Compiling
/// changes nothing and reads no row.
pub(super) fn touched(conn: &Connection, sql: &str) -> Result<Touched> {
    let databases = databases(conn)?;
    let mut roots: Vec<(i64, i64, bool)> = Vec::new();
    let mut touched = Touched::default();
    let mut explain = conn.prepare(&format!("EXPLAIN {sql}"))?;
    let mut rows = explain.raw_query(); // parameters need no values for this
    while let Some(row) = rows.next()? {
        let opcode: String = row.get(1)?;
        let root = match opcode.as_str() {
            "OpenRead" => (row.get(4)?, row.get(3)?, false),
            "OpenWrite" => (row.get(4)?, row.get(3)?, true),
            "Clear" => (row.get(3)?, row.get(2)?, true),
            "VUpdate" => {
                touched
                    .unseen
                    .push("rows of virtual tables cannot be watched".to_owned());
                continue;
            }
            _ => continue,
        };
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    drop(rows);
    for (database, root, written) in roots {
        let Some(database) = databases
            .iter()
            .find(|(at, _)| *at == database)
            .map(|(_, name)| name)
        else {
            continue;
        };
        let Some(name) = table_at(conn, database, root)? else {
            continue;
        };
        if name.to_ascii_lowercase().starts_with("sqlite_") {
            continue; // SQLite's own bookkeeping: cannot carry a trigger and is nobody's data
        }
        if written
            && !touched
                .written
                .iter()
                .any(|table| table.database == *database && table.name == name)
        {
            touched.written.push(table(conn, database, &name)?);
        }
        let name = (database.clone(), name);
        if !touched.names.contains(&name) {
            touched.names.push(name);
        }
    }
    Ok(touched)
}

/// Each open database: its number in compiled programs and its schema name.
fn databases(conn: &Connection) -> Result<Vec<(i64, String)>> {
    let mut list = conn.prepare("SELECT seq, name FROM pragma_database_list")?;
    let mut all = list
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<_>>>()?;
    if !all.iter().any(|(at, _)| *at == 1) {
        all.push((1, "temp".to_owned())); // not listed before it is first used
    }
    Ok(all)
}

/// The name of the table that the b-tree at page `root` is, or is an index of.
fn table_at(conn: &Connection, database: &str, root: i64) -> Result<Option<String>> {
    let sql = format!(
        "SELECT tbl_name FROM {}.sqlite_schema WHERE rootpage = ?1",
        quote(database)
    );
    conn.query_row(&sql, [root], |row| row.get(0)).optional()
}

/// Reads the shape of one table.
fn table(conn: &Connection, database: &str, name: &str) -> Result<Table> {
    let sql = format!(
        "SELECT sql FROM {}.sqlite_schema WHERE type = 'table' AND name = ?1",
        quote(database)
    );
    let sql = conn
        .query_row(&sql, [name], |row| row.get::<_, Option<String>>(0))
        .optional()?
        .flatten()
        .unwrap_or_default();
    let mut columns = Vec::new();
    let mut key: Vec<(i64, usize)> = Vec::new();
    let mut info = conn.prepare("SELECT name, pk, hidden FROM pragma_table_xinfo(?1, ?2)")?;
    let mut rows = info.query([name, database])?;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(2)? == 1 {
            continue; // hidden column of a virtual table
        }
        let place: i64 = row.get(1)?;
        if place > 0 {
            key.push((place, columns.len()));
        }
        columns.push(row.get::<_, String>(0)?);
    }
    key.sort_unstable();
    let without_rowid: bool = conn
        .query_row(
            "SELECT wr FROM pragma_table_list WHERE schema = ?1 AND name = ?2",
            [database, name],
            |row| row.get(0),
        )
        .optional()?
        .unwrap_or(false);
    let rowid = ["rowid", "_rowid_", "oid"].into_iter().find(|alias| {
        !without_rowid
            && !columns
                .iter()
                .any(|column| column.eq_ignore_ascii_case(alias))
    });
    let (unique, odd_unique) = unique(conn, database, name)?;
    let key = key.into_iter().map(|(_, at)| at).collect();
    Ok(Table {
        database: database.to_owned(),
        name: name.to_owned(),
        columns,
        key,
        rowid,
        unique,
        odd_unique,
        sql,
    })
}

/// The unique indexes of a table that can be looked up by column, and whether it has others.
fn unique(conn: &Connection, database: &str, name: &str) -> Result<(Vec<UniqueIndex>, bool)> {
    let mut list =
        conn.prepare("SELECT name, partial FROM pragma_index_list(?1, ?2) WHERE \"unique\"")?;
    let indexes = list
        .query_map([name, database], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(String, bool)>>>()?;
    let mut info =
        conn.prepare("SELECT name, coll FROM pragma_index_xinfo(?1, ?2) WHERE key ORDER BY seqno")?;
    let (mut plain, mut odd) = (Vec::new(), false);
    for (index, partial) in indexes {
        let columns = info
            .query_map([index.as_str(), database], |row| {
                Ok((row.get::<_, Option<String>>(0)?, row.get(1)?))
            })?
            .collect::<Result<Vec<(Option<String>, String)>>>()?;
        let named: Option<Vec<(String, String)>> = columns
            .into_iter()
            .map(|(column, collation)| column.map(|column| (column, collation)))
            .collect();
        match named {
            Some(named) if !partial => plain.push(named),
            _ => odd = true,
        }
    }
    Ok((plain, odd))
}
