//! What one SQL statement does, as far as its own text says.

mod clauses;
mod mentions;
mod names;

use sqlparser::{
    ast::{
        self, AssignmentTarget, ConflictTarget, Expr, FromTable, OnConflictAction, OnInsert, Query,
        SetExpr, TableObject, Visit as _,
    },
    dialect::PostgreSqlDialect,
    parser::Parser,
};
use vocabulary::action::Access;

pub(super) use self::names::{Name, quote};
use self::{
    clauses::Clauses,
    mentions::{Mentions, writes},
    names::{fold, name, part, target},
};
use super::{
    control,
    words::{self, Surface},
};
use crate::capture::transactions::Control;

/// What a statement is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Statement {
    /// One `INSERT`, `UPDATE` or `DELETE` of one table, wholly parsed.
    Write(Box<Write>),
    /// Reads, if none of these functions writes.
    Read {
        functions: Vec<String>,
        table: Option<Name>,
        /// `FOR UPDATE` and its like.
        locks: bool,
    },
    /// Opens, settles or narrows a transaction.
    Control(Control),
    /// What it changes cannot be seen, and why.
    Unseen {
        access: Access,
        table: Option<Name>,
        why: String,
    },
    /// Sets or shows something of this connection only.
    Setting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Insert,
    Update,
    Delete,
}

/// A write to one table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Write {
    pub(super) verb: Verb,
    pub(super) table: Name,
    /// The statement without semicolon and comments around it.
    pub(super) body: String,
    /// The table with its alias, as written.
    pub(super) relation: String,
    /// By what name its columns are qualified, quoted.
    pub(super) alias: String,
    /// What follows `FROM` or `USING`, as written.
    pub(super) from: Option<String>,
    /// What follows `WHERE`, as written.
    pub(super) filter: Option<String>,
    /// Names that the condition mentions: columns perhaps.
    pub(super) mentioned: Vec<String>,
    /// Functions that the condition or the joined tables call.
    pub(super) functions: Vec<String>,
    /// Columns that `SET` assigns.
    pub(super) assigned: Vec<String>,
    /// Whether it has a `RETURNING` of its own.
    pub(super) returning: bool,
    pub(super) conflict: Conflict,
}

/// What an `INSERT` does where a row is in the way.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Conflict {
    /// It fails, or leaves that row alone.
    Spared,
    /// It updates that row; the condition that finds it, where the values are written out.
    Updated(Option<String>),
}

/// What `sql` is. More than one statement, or none, is nothing that this knows.
pub(super) fn statement(sql: &str) -> Statement {
    let surface = words::surface(sql);
    let verb = surface.words.first().map_or("", |word| word.upper.as_str());
    if surface.statements.len() > 1 {
        return unseen(Access::Execute, None, "several statements in one text");
    }
    if let Some(control) = control::control(sql) {
        return Statement::Control(control);
    }
    match verb {
        "SET" | "RESET" | "SHOW" | "LISTEN" | "UNLISTEN" | "DISCARD" | "DEALLOCATE" => {
            return Statement::Setting;
        }
        _ => {}
    }
    let access = access(verb);
    let parsed = match Parser::parse_sql(&PostgreSqlDialect {}, sql) {
        Ok(mut parsed) if parsed.len() == 1 => parsed.remove(0),
        Ok(_) => return unseen(access, None, "no statement"),
        Err(_) => return unseen(access, None, "the statement was not understood whole"),
    };
    if surface.ambiguous && !matches!(parsed, ast::Statement::Query(_)) {
        return unseen(
            access,
            None,
            "a backslash in a string, whose meaning depends on a setting",
        );
    }
    let written = match &parsed {
        ast::Statement::Query(query) => return read(query),
        ast::Statement::Explain { analyze: false, .. } => {
            return Statement::Read {
                functions: Vec::new(),
                table: None,
                locks: false,
            };
        }
        ast::Statement::Update(update) => self::update(update, sql, &surface),
        ast::Statement::Delete(delete) => self::delete(delete, sql, &surface),
        ast::Statement::Insert(insert) => self::insert(insert, sql, &surface),
        ast::Statement::Truncate(truncate) => {
            let table = truncate
                .table_names
                .first()
                .and_then(|target| name(&target.name));
            return unseen(Access::Delete, table, "TRUNCATE tells no rows");
        }
        ast::Statement::Copy {
            to: true,
            target: ast::CopyTarget::Stdout,
            ..
        } => {
            return Statement::Read {
                functions: Vec::new(),
                table: None,
                locks: false,
            };
        }
        ast::Statement::Copy { .. } => return unseen(access, None, "COPY tells no rows"),
        ast::Statement::Merge(_) => return unseen(access, None, "MERGE tells no rows"),
        ast::Statement::Call(_) => {
            return unseen(access, None, "what a procedure changes is not told");
        }
        _ => return unseen(access, None, &format!("what {verb} changes is not told")),
    };
    match written {
        Ok(write) => Statement::Write(Box::new(write)),
        Err(why) => unseen(access, None, why),
    }
}

fn unseen(access: Access, table: Option<Name>, why: &str) -> Statement {
    let why = why.to_owned();
    Statement::Unseen { access, table, why }
}

/// What a statement that begins with `verb` does to its target.
fn access(verb: &str) -> Access {
    match verb {
        "DELETE" | "DROP" | "TRUNCATE" => Access::Delete,
        "INSERT" | "UPDATE" | "MERGE" | "COPY" | "CREATE" | "ALTER" | "COMMENT" | "GRANT"
        | "REVOKE" | "WITH" | "REFRESH" | "REINDEX" => Access::Write,
        _ => Access::Execute,
    }
}

/// A query, or a writing `WITH`.
fn read(query: &Query) -> Statement {
    let mut seen = Mentions::default();
    let _ = query.visit(&mut seen);
    if seen.writes {
        return unseen(Access::Write, None, "a query that writes tells no rows");
    }
    Statement::Read {
        functions: seen.functions,
        table: seen.tables.first().cloned(),
        locks: seen.locks,
    }
}

fn update(update: &ast::Update, sql: &str, surface: &Surface) -> Result<Write, &'static str> {
    let (table, alias) = target(&update.table)?;
    let mut assigned = Vec::new();
    for assignment in &update.assignments {
        match &assignment.target {
            AssignmentTarget::ColumnName(column) => {
                assigned.extend(column.0.first().and_then(part))
            }
            AssignmentTarget::Tuple(columns) => {
                assigned.extend(columns.iter().filter_map(|column| part(column.0.first()?)));
            }
        }
    }
    if !update.order_by.is_empty()
        || update.limit.is_some()
        || update.or.is_some()
        || update.output.is_some()
    {
        return Err("not PostgreSQL's UPDATE");
    }
    let joined = match &update.from {
        None => &[][..],
        Some(ast::UpdateTableFromKind::AfterSet(from)) => from,
        Some(ast::UpdateTableFromKind::BeforeSet(_)) => return Err("not PostgreSQL's UPDATE"),
    };
    let clauses = Clauses::of(sql, surface, "FROM");
    let mut write = clauses.write(
        Verb::Update,
        table,
        alias,
        update.selection.as_ref(),
        joined,
    )?;
    write.relation = clauses
        .between("UPDATE", "SET")
        .ok_or("UPDATE without SET")?;
    write.assigned = assigned;
    write.returning = update.returning.is_some();
    Ok(write)
}

fn delete(delete: &ast::Delete, sql: &str, surface: &Surface) -> Result<Write, &'static str> {
    let FromTable::WithFromKeyword(from) = &delete.from else {
        return Err("DELETE without FROM");
    };
    let [relation] = from.as_slice() else {
        return Err("DELETE from several tables");
    };
    if !delete.tables.is_empty()
        || !delete.order_by.is_empty()
        || delete.limit.is_some()
        || delete.output.is_some()
    {
        return Err("not PostgreSQL's DELETE");
    }
    let (table, alias) = target(relation)?;
    let joined = delete.using.as_deref().unwrap_or_default();
    let clauses = Clauses::of(sql, surface, "USING");
    let mut write = clauses.write(
        Verb::Delete,
        table,
        alias,
        delete.selection.as_ref(),
        joined,
    )?;
    write.relation = clauses
        .after("FROM", &["USING", "WHERE", "RETURNING"])
        .ok_or("DELETE without FROM")?;
    write.returning = delete.returning.is_some();
    Ok(write)
}

fn insert(insert: &ast::Insert, sql: &str, surface: &Surface) -> Result<Write, &'static str> {
    let TableObject::TableName(object) = &insert.table else {
        return Err("INSERT into something that is no table");
    };
    let table = name(object).ok_or("a name of more than two parts")?;
    let alias = match &insert.table_alias {
        Some(alias) => quote(&fold(&alias.alias)),
        None => quote(&table.table),
    };
    if insert.source.as_ref().is_some_and(|source| writes(source)) {
        return Err("a query that writes tells no rows");
    }
    let conflict = match &insert.on {
        None => Conflict::Spared,
        Some(OnInsert::OnConflict(on)) => match &on.action {
            OnConflictAction::DoNothing => Conflict::Spared,
            OnConflictAction::DoUpdate(_) => {
                Conflict::Updated(conflicting(insert, on.conflict_target.as_ref(), &alias))
            }
        },
        Some(_) => return Err("not PostgreSQL's INSERT"),
    };
    let clauses = Clauses::of(sql, surface, "FROM");
    let mut write = clauses.write(Verb::Insert, table, alias.clone(), None, &[])?;
    write.relation = format!("{object} AS {alias}");
    write.returning = insert.returning.is_some();
    write.conflict = conflict;
    Ok(write)
}

/// The condition that finds the rows in the way of an `INSERT … VALUES … ON CONFLICT (columns)`, whose values for
/// these columns are all written out or parameters.
fn conflicting(
    insert: &ast::Insert,
    target: Option<&ConflictTarget>,
    alias: &str,
) -> Option<String> {
    let ConflictTarget::Columns(columns) = target? else {
        return None;
    };
    let SetExpr::Values(values) = insert.source.as_ref()?.body.as_ref() else {
        return None;
    };
    let listed: Vec<String> = insert
        .columns
        .iter()
        .map(|column| part(column.0.last()?))
        .collect::<Option<_>>()?;
    let at: Vec<usize> = columns
        .iter()
        .map(|column| listed.iter().position(|listed| *listed == fold(column)))
        .collect::<Option<_>>()?;
    let rows: Vec<String> = values
        .rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = at
                .iter()
                .map(|at| match row.content.get(*at)? {
                    Expr::Value(value) => Some(value.to_string()),
                    _ => None,
                })
                .collect::<Option<_>>()?;
            Some(format!("({})", cells.join(", ")))
        })
        .collect::<Option<_>>()?;
    let columns: Vec<String> = columns
        .iter()
        .map(|column| format!("{alias}.{}", quote(&fold(column))))
        .collect();
    Some(format!("({}) IN ({})", columns.join(", "), rows.join(", ")))
}

#[cfg(test)]
mod tests;
