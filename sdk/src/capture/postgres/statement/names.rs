//! Names of relations and columns, folded as PostgreSQL folds them.

use sqlparser::ast::{self, Ident, ObjectName, TableFactor, TableWithJoins};

/// The name of a relation, folded as PostgreSQL folds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
}

/// The table that a statement writes, and by what name its columns are qualified.
pub(super) fn target(table: &TableWithJoins) -> Result<(Name, String), &'static str> {
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

pub(super) fn name(object: &ObjectName) -> Option<Name> {
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

pub(super) fn part(part: &ast::ObjectNamePart) -> Option<String> {
    part.as_ident().map(fold)
}

/// A name as PostgreSQL stores it.
pub(super) fn fold(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

/// A name in quotes.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
