//! Where the clauses of a write stand in its text, which is taken as written.

use sqlparser::ast::{Expr, TableWithJoins, Visit as _};

use super::{super::words::Surface, Conflict, Name, Verb, Write, mentions::Mentions};

/// Where a write's clauses stand.
pub(super) struct Clauses<'a> {
    sql: &'a str,
    surface: &'a Surface,
    /// The word that introduces further tables: `FROM` of an `UPDATE`, `USING` of a `DELETE`.
    joins: &'static str,
}

impl<'a> Clauses<'a> {
    pub(super) fn of(sql: &'a str, surface: &'a Surface, joins: &'static str) -> Self {
        Self {
            sql,
            surface,
            joins,
        }
    }

    /// The index of a keyword; the `FROM` of `IS DISTINCT FROM` is none.
    pub(super) fn find(&self, keyword: &str) -> Option<usize> {
        let words = &self.surface.words;
        (0..words.len()).find(|at| {
            words[*at].upper == keyword && (*at == 0 || words[*at - 1].upper != "DISTINCT")
        })
    }

    pub(super) fn between(&self, from: &str, to: &str) -> Option<String> {
        let (from, to) = (self.find(from)?, self.find(to)?);
        let (from, to) = (self.surface.words.get(from)?, self.surface.words.get(to)?);
        Some(self.sql.get(from.at.end..to.at.start)?.trim().to_owned())
    }

    /// What follows `keyword`, up to the first of `ends`.
    pub(super) fn after(&self, keyword: &str, ends: &[&str]) -> Option<String> {
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

    pub(super) fn write(
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
