//! What the catalogue says of a table, and what this user may read of it.
//!
//! It is asked before each statement: one pre-read that is refused would abort the user's transaction, and a grant
//! may have gone since the last one. Where all of a table may be read, a stamp tells that nothing changed. The question itself needs no privilege and cannot fail for a name.

use super::statement::{Name, quote};

/// Asks for schema (or null), table, and the names of functions with commas between them. All columns are text.
pub(super) const QUESTION: &str = "\
WITH t AS MATERIALIZED (
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.relhassubclass, c.relhasrules,
         pg_catalog.row_security_active(c.oid) AS secured, pg_catalog.has_table_privilege(c.oid, 'SELECT') AS whole,
         pg_catalog.has_any_column_privilege(c.oid, 'UPDATE') AS lockable
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relname = $2 AND CASE WHEN $1::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $1 END
)
SELECT 't', nspname::text, relname::text, relkind::text,
       concat(oid, ':', CASE WHEN relhassubclass THEN 's' END, CASE WHEN relhasrules THEN 'r' END, CASE WHEN secured THEN 'p' END,
              CASE WHEN whole THEN 'w' END, CASE WHEN lockable THEN 'l' END) FROM t
UNION ALL
(SELECT 'c', a.attname::text, pg_catalog.format_type(a.atttypid, NULL),
       COALESCE(NULLIF(ty.typbasetype, 0), ty.oid)::text,
       concat(CASE WHEN t.whole OR pg_catalog.has_column_privilege(t.oid, a.attnum, 'SELECT') THEN 'r' END,
              CASE WHEN u.attnum IS NOT NULL THEN 'u' END, ':', pg_catalog.array_position(k.conkey, a.attnum), ':', a.attnum)
FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid
LEFT JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p'
LEFT JOIN (SELECT DISTINCT i.indrelid, unnest(i.indkey::int2[]) AS attnum FROM pg_catalog.pg_index i JOIN t ON t.oid = i.indrelid WHERE i.indisunique) u
  ON u.indrelid = t.oid AND u.attnum = a.attnum
ORDER BY a.attnum)
UNION ALL
SELECT 's', pg_catalog.concat_ws(' ', c.xmin::text, current_user, pg_catalog.pg_table_is_visible(c.oid), pg_catalog.row_security_active(c.oid),
       pg_catalog.has_table_privilege(c.oid, 'SELECT'), pg_catalog.has_any_column_privilege(c.oid, 'UPDATE'),
       (SELECT pg_catalog.sum(a.xmin::text::int8) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid)), NULL, NULL, NULL FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid
UNION ALL
SELECT 'g', g.tgname::text, g.tgtype::text, NULL, NULL FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
WHERE NOT g.tgisinternal AND g.tgenabled <> 'D'
UNION ALL
SELECT 'k', f.conrelid::regclass::text, concat(f.confdeltype, f.confupdtype), NULL, NULL
FROM t JOIN pg_catalog.pg_constraint f ON f.confrelid = t.oid AND f.contype = 'f'
WHERE f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd')
UNION ALL
SELECT DISTINCT 'f', p.proname::text, NULL, NULL, NULL FROM pg_catalog.pg_proc p
WHERE p.provolatile = 'v' AND p.proname = ANY (pg_catalog.string_to_array($3, ',')::name[])";

/// Asks only whether what the table's oid stood for is as it was: definition, columns, user, privileges. To plan the
/// whole question takes the server longer than a small update.
pub(super) const STAMP: &str = "\
SELECT pg_catalog.concat_ws(' ', c.xmin::text, current_user, pg_catalog.pg_table_is_visible(c.oid), pg_catalog.row_security_active(c.oid),
       pg_catalog.has_table_privilege(c.oid, 'SELECT'), pg_catalog.has_any_column_privilege(c.oid, 'UPDATE'),
       (SELECT pg_catalog.sum(a.xmin::text::int8) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid)) FROM pg_catalog.pg_class c WHERE c.oid = $1";

/// One row of the answer.
pub(super) type Line = Vec<Option<String>>;

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// Its number in the table.
    pub(super) number: i16,
    /// The database's name for its type.
    pub(super) native: String,
    /// Of the type, or of the type that a domain is over.
    pub(super) oid: u32,
    pub(super) readable: bool,
    /// Whether a unique index has it: to change it takes a stronger lock.
    pub(super) unique: bool,
}

/// A relation as it is now, for this user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Table {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    /// `r` a table, `p` one with partitions, `v` a view, `f` foreign.
    pub(super) kind: String,
    pub(super) inherited: bool,
    pub(super) ruled: bool,
    /// Whether row security decides what this user sees.
    pub(super) secured: bool,
    /// Whether all of it may be read, system columns too.
    pub(super) whole: bool,
    /// Whether its rows may be locked.
    pub(super) lockable: bool,
    pub(super) columns: Vec<Column>,
    /// Indexes of the columns of the primary key, in its order.
    pub(super) key: Vec<usize>,
    /// What [`STAMP`] said along with it.
    pub(super) stamp: String,
    triggers: Vec<(String, u16)>,
    /// Tables whose foreign keys act on this one's changes: name, on delete, on update.
    followers: Vec<(String, bool, bool)>,
}

/// What the catalogue answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Known {
    pub(super) table: Option<Table>,
    /// Those of the functions asked for that may change something or differ from call to call.
    pub(super) volatile: Vec<String>,
}

/// What to ask with [`QUESTION`].
pub(super) fn asked(name: Option<&Name>, functions: &[String]) -> [Option<String>; 3] {
    [
        name.and_then(|name| name.schema.clone()),
        name.map(|name| name.table.clone()),
        Some(functions.join(",")),
    ]
}

impl Known {
    pub(super) fn of(lines: Vec<Line>) -> Self {
        let mut known = Self::default();
        let mut key: Vec<(usize, usize)> = Vec::new();
        for line in lines {
            let mut cells = line.into_iter().map(Option::unwrap_or_default);
            let mut next = || cells.next().unwrap_or_default();
            let (what, a, b, c, flags) = (next(), next(), next(), next(), next());
            match (what.as_str(), known.table.as_mut()) {
                // Only one relation of a name is visible, or is in a schema.
                ("t", None) => known.table = Some(Table::new(a, b, c, &flags)),
                ("c", Some(table)) => {
                    let mut flags = flags.split(':');
                    let may = flags.next().unwrap_or_default();
                    if let Some(place) = flags.next().and_then(|place| place.parse().ok()) {
                        key.push((place, table.columns.len()));
                    }
                    table.columns.push(Column {
                        name: a,
                        number: flags
                            .next()
                            .and_then(|number| number.parse().ok())
                            .unwrap_or(0),
                        native: b,
                        oid: c.parse().unwrap_or(0),
                        readable: may.contains('r'),
                        unique: may.contains('u'),
                    });
                }
                ("g", Some(table)) => table.triggers.push((a, b.parse().unwrap_or(u16::MAX))),
                ("k", Some(table)) => {
                    let acts = |at: usize| b.get(at..=at).is_some_and(|act| "cnd".contains(act));
                    table.followers.push((a, acts(0), acts(1)));
                }
                ("s", Some(table)) => table.stamp = a,
                ("f", _) => known.volatile.push(a),
                _ => {}
            }
        }
        key.sort_unstable();
        if let Some(table) = &mut known.table {
            table.key = key.into_iter().map(|(_, at)| at).collect();
        }
        known
    }
}

/// The events of `pg_trigger.tgtype`.
const ON_INSERT: u16 = 4;
const ON_DELETE: u16 = 8;
const ON_UPDATE: u16 = 16;

impl Table {
    fn new(schema: String, name: String, kind: String, flags: &str) -> Self {
        let (oid, flags) = flags.split_once(':').unwrap_or_default();
        Self {
            oid: oid.parse().unwrap_or(0),
            schema,
            name,
            kind,
            inherited: flags.contains('s'),
            ruled: flags.contains('r'),
            secured: flags.contains('p'),
            whole: flags.contains('w'),
            lockable: flags.contains('l'),
            ..Self::default()
        }
    }

    /// `schema.table`, as resources name it.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The readable columns with their indexes.
    pub(super) fn readable(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.readable)
    }

    /// Why rows of it cannot be read along with a statement, if they cannot.
    pub(super) fn unreadable(&self) -> Option<String> {
        match self.kind.as_str() {
            "r" if self.inherited => Some("it has inheriting tables".to_owned()),
            "r" | "p" if self.ruled => Some("it has rewrite rules".to_owned()),
            "r" | "p" if self.readable().next().is_none() => {
                Some("this user may not read its columns".to_owned())
            }
            "r" | "p" => None,
            "v" => Some("it is a view".to_owned()),
            "f" => Some("it is a foreign table".to_owned()),
            other => Some(format!("it is a relation of kind {other}")),
        }
    }

    /// Columns that this user may not read.
    pub(super) fn hidden(&self) -> Vec<&str> {
        let hidden = self.columns.iter().filter(|column| !column.readable);
        hidden.map(|column| column.name.as_str()).collect()
    }

    /// What else a statement may change by way of this table, and why that is not seen. `keys` tells whether an
    /// update assigns columns that others may refer to.
    pub(super) fn elsewhere(
        &self,
        insert: bool,
        update: bool,
        delete: bool,
        keys: bool,
    ) -> Vec<String> {
        let events = [
            (insert, ON_INSERT),
            (update, ON_UPDATE),
            (delete, ON_DELETE),
        ];
        let events: u16 = events
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, bit)| bit)
            .sum();
        let triggers = self.triggers.iter().filter(|(_, on)| on & events != 0);
        let triggers =
            triggers.map(|(name, _)| format!("trigger {} may change other rows", quote(name)));
        let followers = self.followers.iter();
        let followers = followers.filter(|(_, on_delete, on_update)| {
            delete && *on_delete || update && keys && *on_update
        });
        let followers =
            followers.map(|(name, ..)| format!("a foreign key of {name} changes its rows along"));
        triggers.chain(followers).collect()
    }
}
