//! What is about to run, and how it is going to be seen.

use vocabulary::{
    action::{Access, Kind},
    attribute,
    content::Content,
    row,
};

use super::{
    rewrite::{self, Way},
    shared::Shared,
    statement::{Name, Statement, Verb, Write},
    table::{Known, Table},
};
use crate::{
    Attributes, Diff,
    capture::{rows, step::Plan},
};

/// Functions that every database has, and that only compute: a query that calls no other needs no look at the
/// catalogue.
const HARMLESS: [&str; 24] = [
    "abs",
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "coalesce",
    "concat",
    "count",
    "current_database",
    "current_timestamp",
    "date_trunc",
    "greatest",
    "least",
    "length",
    "lower",
    "max",
    "min",
    "now",
    "nullif",
    "round",
    "string_agg",
    "sum",
    "unnest",
    "upper",
];

/// One statement, as far as it is known before it runs.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    pub(super) access: Access,
    pub(super) verb: String,
    /// The table it names, as the catalogue has it.
    pub(super) table: Option<Table>,
    named: Option<Name>,
    /// The write, and how its rows are read.
    pub(super) write: Option<(Write, rewrite::Plan)>,
    /// What cannot be seen of it.
    pub(super) unseen: Vec<String>,
    /// Whether it may lock rows.
    pub(super) locks: bool,
}

/// What the catalogue has to be asked about `statement`: a table, and functions.
pub(super) fn question(statement: &Statement) -> Option<(Option<&Name>, Vec<String>)> {
    match statement {
        Statement::Write(write) => Some((Some(&write.table), write.functions.clone())),
        Statement::Read { functions, .. } => {
            let unknown =
                |name: &&String| !HARMLESS.contains(&name.as_str()) && !name.contains(',');
            let unknown: Vec<String> = functions.iter().filter(unknown).cloned().collect();
            (!unknown.is_empty()).then_some((None, unknown))
        }
        Statement::Unseen {
            table: Some(table), ..
        } => Some((Some(table), Vec::new())),
        _ => None,
    }
}

/// `together` tells whether statements around it run in one transaction with it.
pub(super) fn observe(sql: &str, statement: Statement, known: Known, together: bool) -> Observed {
    let verb = super::words::surface(sql)
        .words
        .first()
        .map(|word| word.upper.clone())
        .unwrap_or_default();
    let mut observed = Observed {
        access: Access::Read,
        verb,
        table: None,
        named: None,
        write: None,
        unseen: Vec::new(),
        locks: false,
    };
    match statement {
        Statement::Write(write) => {
            observed.access = if write.verb == Verb::Delete {
                Access::Delete
            } else {
                Access::Write
            };
            observed.locks = true;
            let plan = rewrite::plan(&write, &known, together);
            observed.unseen = plan.unseen.clone();
            observed.named = Some(write.table.clone());
            observed.write = Some((*write, plan));
        }
        Statement::Read { table, locks, .. } => {
            (observed.named, observed.locks) = (table, locks);
            for name in &known.volatile {
                observed.access = Access::Execute;
                observed
                    .unseen
                    .push(format!("function {name} may change rows"));
            }
            observed.locks |= !known.volatile.is_empty();
        }
        Statement::Unseen { access, table, why } => {
            (observed.access, observed.named, observed.locks) = (access, table, true);
            observed.unseen.push(why);
        }
        Statement::Setting | Statement::Control(_) => {}
    }
    observed.table = known.table;
    observed
}

impl Observed {
    /// Whether what is prepared on the connection may be gone after it.
    #[cfg(feature = "postgres")]
    pub(super) fn may_forget(&self) -> bool {
        let write = self.write.is_some();
        !write && (!self.only_reads() || matches!(self.verb.as_str(), "DISCARD" | "DEALLOCATE"))
    }

    /// Whether it leaves nothing behind.
    pub(super) fn only_reads(&self) -> bool {
        self.access == Access::Read
    }

    pub(super) fn way(&self) -> Way {
        self.write
            .as_ref()
            .map_or(Way::Bare, |(_, plan)| plan.way.clone())
    }

    /// `schema.table` as far as it is known.
    fn path(&self) -> Option<String> {
        match (&self.table, &self.named) {
            (Some(table), _) => Some(table.path()),
            (
                None,
                Some(Name {
                    schema: Some(schema),
                    table,
                }),
            ) => Some(format!("{schema}.{table}")),
            (
                None,
                Some(Name {
                    schema: None,
                    table,
                }),
            ) => Some(table.clone()),
            (None, None) => None,
        }
    }

    /// The resource as a whole: the table, or the database.
    fn resource(&self, database: &str) -> String {
        match self.path() {
            Some(path) => format!("db:{database}/{path}"),
            None => format!("db:{database}"),
        }
    }

    /// The action that it is.
    pub(super) fn plan(&self, shared: &Shared, sql: &str, params: Vec<row::Cell>) -> Plan {
        let database = &shared.database;
        let columns = self.table.iter().flat_map(|table| &table.columns);
        let columns: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
        let mut attributes = Attributes::new();
        attributes
            .str(attribute::DB_SYSTEM, "postgresql")
            .str(attribute::DB_NAMESPACE, database)
            .str(attribute::DB_OPERATION, &self.verb)
            .text(attribute::DB_QUERY_TEXT, &rows::text(sql, &columns));
        let table = self.table.as_ref().map(|table| &table.name);
        let table = table.or(self.named.as_ref().map(|name| &name.table));
        if let Some(table) = table {
            attributes.str(attribute::DB_COLLECTION, table);
        }
        let parameters = params.into_iter().enumerate();
        let parameters = parameters.map(|(at, cell)| (format!("${}", at + 1), cell));
        Plan {
            kind: Kind::Db,
            access: self.access,
            name: format!("{} {}", self.verb, table.unwrap_or(database)),
            operation: self.verb.clone(),
            target: self.resource(database),
            input: rows::input(sql, &columns, parameters.collect()),
            attributes,
        }
    }

    /// What changed perhaps, and was not seen.
    pub(super) fn missing(&self, database: &str, why: &str) -> Diff {
        let not_captured = Content::not_captured(None, why);
        Diff::of(self.resource(database))
            .before(not_captured.clone())
            .after(not_captured)
            .read_before(vocabulary::action::ReadBefore::NotRead)
            .read_after(vocabulary::action::ReadAfter::NotRead)
    }
}
