//! What occurs anywhere in a part of a statement: functions, tables, names, writing.

use std::ops::ControlFlow;

use sqlparser::ast::{self, Expr, ObjectName, Query, Select, TableFactor, Visit as _, Visitor};

use super::names::{Name, fold, name, part};

pub(super) fn writes(query: &Query) -> bool {
    let mut seen = Mentions::default();
    let _ = query.visit(&mut seen);
    seen.writes
}

/// What occurs anywhere in a part of a statement.
#[derive(Default)]
pub(super) struct Mentions {
    pub(super) functions: Vec<String>,
    pub(super) tables: Vec<Name>,
    pub(super) names: Vec<String>,
    pub(super) writes: bool,
    pub(super) locks: bool,
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
