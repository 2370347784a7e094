//! What one SQL statement does, as far as its own text says.

use std::ops::ControlFlow;

use sqlparser::{
    ast::{
        self, AssignmentTarget, ConflictTarget, Expr, FromTable, Ident, ObjectName,
        OnConflictAction, OnInsert, Query, Select, SetExpr, TableFactor, TableObject,
        TableWithJoins, Visit, Visitor,
    },
    dialect::PostgreSqlDialect,
    parser::Parser,
};
use vocabulary::action::Access;

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

/// The name of a relation, folded as PostgreSQL folds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) schema: Option<String>,
    pub(super) table: String,
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

/// Where a write's clauses stand.
struct Clauses<'a> {
    sql: &'a str,
    surface: &'a Surface,
    /// The word that introduces further tables: `FROM` of an `UPDATE`, `USING` of a `DELETE`.
    joins: &'static str,
}

impl<'a> Clauses<'a> {
    fn of(sql: &'a str, surface: &'a Surface, joins: &'static str) -> Self {
        Self {
            sql,
            surface,
            joins,
        }
    }

    /// The index of a keyword; the `FROM` of `IS DISTINCT FROM` is none.
    fn find(&self, keyword: &str) -> Option<usize> {
        let words = &self.surface.words;
        (0..words.len()).find(|at| {
            words[*at].upper == keyword && (*at == 0 || words[*at - 1].upper != "DISTINCT")
        })
    }

    fn between(&self, from: &str, to: &str) -> Option<String> {
        let (from, to) = (self.find(from)?, self.find(to)?);
        let (from, to) = (self.surface.words.get(from)?, self.surface.words.get(to)?);
        Some(self.sql.get(from.at.end..to.at.start)?.trim().to_owned())
    }

    /// What follows `keyword`, up to the first of `ends`.
    fn after(&self, keyword: &str, ends: &[&str]) -> Option<String> {
        let at = self.find(keyword)?;
        let words = &self.surface.words;
        let from = words.get(at)?.at.end;
        let end = ends
            .iter()
            .filter_map(|end| self.find(end))
            .filter(|end| *end > at)
            .min()
            .map_or(self.surface.statements.first()?.end, |end| {
                words[end].at.start
            });
        Some(self.sql.get(from..end)?.trim().to_owned())
    }

    fn write(
        &self,
        verb: Verb,
        table: Name,
        alias: String,
        selection: Option<&Expr>,
        joined: &[TableWithJoins],
    ) -> Result<Write, &'static str> {
        let body = self
            .surface
            .statements
            .first()
            .and_then(|at| self.sql.get(at.clone()));
        let mut seen = Mentions::default();
        let _ = selection.map(|selection| selection.visit(&mut seen));
        for joined in joined {
            let _ = joined.visit(&mut seen);
        }
        if seen.writes {
            return Err("a query that writes tells no rows");
        }
        let filter = selection
            .is_some()
            .then(|| self.after("WHERE", &["RETURNING"]));
        let from = (!joined.is_empty()).then(|| self.after(self.joins, &["WHERE", "RETURNING"]));
        Ok(Write {
            verb,
            table,
            body: body.ok_or("no statement")?.to_owned(),
            relation: String::new(),
            alias,
            from: from
                .map(|from| from.ok_or("joined tables that were not found"))
                .transpose()?,
            filter: filter
                .map(|filter| filter.ok_or("a condition that was not found"))
                .transpose()?,
            mentioned: seen.names,
            functions: seen.functions,
            assigned: Vec::new(),
            returning: false,
            conflict: Conflict::Spared,
        })
    }
}

/// The table that a statement writes, and by what name its columns are qualified.
fn target(table: &TableWithJoins) -> Result<(Name, String), &'static str> {
    if !table.joins.is_empty() {
        return Err("a join as target");
    }
    let TableFactor::Table {
        name: object,
        alias,
        args: None,
        ..
    } = &table.relation
    else {
        return Err("a target that is no table");
    };
    let name = name(object).ok_or("a name of more than two parts")?;
    let alias = match alias {
        Some(alias) if !alias.columns.is_empty() => return Err("columns with other names"),
        Some(alias) => quote(&fold(&alias.name)),
        None => quote(&name.table),
    };
    Ok((name, alias))
}

fn name(object: &ObjectName) -> Option<Name> {
    match object.0.as_slice() {
        [table] => Some(Name {
            schema: None,
            table: part(table)?,
        }),
        [schema, table] => Some(Name {
            schema: Some(part(schema)?),
            table: part(table)?,
        }),
        _ => None,
    }
}

fn part(part: &ast::ObjectNamePart) -> Option<String> {
    part.as_ident().map(fold)
}

/// A name as PostgreSQL stores it.
fn fold(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

/// A name in quotes.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn writes(query: &Query) -> bool {
    let mut seen = Mentions::default();
    let _ = query.visit(&mut seen);
    seen.writes
}

/// What occurs anywhere in a part of a statement.
#[derive(Default)]
struct Mentions {
    functions: Vec<String>,
    tables: Vec<Name>,
    names: Vec<String>,
    writes: bool,
    locks: bool,
}

impl Mentions {
    fn function(&mut self, object: &ObjectName) {
        let name = object.0.last().and_then(part);
        let name = name.unwrap_or_else(|| object.to_string());
        if !self.functions.contains(&name) {
            self.functions.push(name);
        }
    }
}

impl Visitor for Mentions {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.locks |= !query.locks.is_empty();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.writes |= select.into.is_some();
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &ast::Statement) -> ControlFlow<()> {
        self.writes |= !matches!(statement, ast::Statement::Query(_));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name: object,
                args: Some(_),
                ..
            }
            | TableFactor::Function { name: object, .. } => {
                self.function(object);
            }
            TableFactor::Table { name: object, .. } => self.tables.extend(name(object)),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => self.function(&function.name),
            Expr::Identifier(ident) => self.names.push(fold(ident)),
            Expr::CompoundIdentifier(parts) => self.names.extend(parts.last().map(fold)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(sql: &str) -> Write {
        match statement(sql) {
            Statement::Write(write) => *write,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn the_clauses_of_a_write_are_taken_as_written() {
        let found = write(
            "UPDATE Shop.\"Big Orders\" AS o SET a = (SELECT 1 WHERE true), b = o.b IS DISTINCT FROM 2 -- x\n\
             FROM customers c WHERE c.id = o.customer AND lower(o.note) = 'where' /* y */ ;",
        );
        assert_eq!(
            found.table,
            Name {
                schema: Some("shop".into()),
                table: "Big Orders".into()
            }
        );
        assert_eq!(
            (found.relation.as_str(), found.alias.as_str()),
            ("Shop.\"Big Orders\" AS o", "\"o\"")
        );
        assert_eq!(found.from.as_deref(), Some("customers c"));
        assert_eq!(
            found.filter.as_deref(),
            Some("c.id = o.customer AND lower(o.note) = 'where'")
        );
        assert_eq!(
            (found.assigned, found.functions),
            (vec!["a".into(), "b".into()], vec!["lower".into()])
        );
        assert!(!found.returning && found.body.ends_with("'where'"));
        let found = write("delete from t using u where t.id = u.id returning t.id");
        assert_eq!(
            (found.relation.as_str(), found.from.as_deref()),
            ("t", Some("u"))
        );
        assert!(found.returning);
        assert_eq!(found.filter.as_deref(), Some("t.id = u.id"));
    }

    #[test]
    fn the_row_in_the_way_is_found_by_values_that_are_written_out() {
        let found = write(
            "INSERT INTO t (id, k, v) VALUES ($1, 'a', now()), (2, $2, 3) ON CONFLICT (k, id) DO UPDATE SET v = 1",
        );
        let condition = "(\"t\".\"k\", \"t\".\"id\") IN (('a', $1), ($2, 2))";
        assert_eq!(found.conflict, Conflict::Updated(Some(condition.into())));
        let found =
            write("INSERT INTO t (id) SELECT id FROM u ON CONFLICT (id) DO UPDATE SET v = 1");
        assert_eq!(found.conflict, Conflict::Updated(None));
        assert_eq!(
            write("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING").conflict,
            Conflict::Spared
        );
    }

    #[test]
    fn what_cannot_be_seen_says_why() {
        for (sql, why) in [
            (
                "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
                "a query that writes tells no rows",
            ),
            ("TRUNCATE t, u", "TRUNCATE tells no rows"),
            ("COPY t FROM STDIN", "COPY tells no rows"),
            (
                "UPDATE t SET a = 1; UPDATE t SET a = 2",
                "several statements in one text",
            ),
            (
                "UPDATE t SET a = 'x\\' WHERE b = 1",
                "a backslash in a string, whose meaning depends on a setting",
            ),
            (
                "UPDATE t SET a = 1 WHERE CURRENT OF c",
                "the statement was not understood whole",
            ),
            ("CALL p()", "what a procedure changes is not told"),
            (
                "SELECT * INTO u FROM t",
                "a query that writes tells no rows",
            ),
        ] {
            match statement(sql) {
                Statement::Unseen { why: found, .. } => assert_eq!(found, why, "{sql}"),
                other => panic!("{sql}: {other:?}"),
            }
        }
    }

    #[test]
    fn reads_name_their_functions_and_locks() {
        let found =
            statement("SELECT count(*), my_fn(a) FROM s.t, generate_series(1, 2) FOR UPDATE");
        let Statement::Read {
            functions,
            table,
            locks,
        } = found
        else {
            panic!("{found:?}");
        };
        assert!(
            locks
                && functions.contains(&"my_fn".to_owned())
                && functions.contains(&"generate_series".to_owned())
        );
        assert_eq!(
            table,
            Some(Name {
                schema: Some("s".into()),
                table: "t".into()
            })
        );
    }
}
