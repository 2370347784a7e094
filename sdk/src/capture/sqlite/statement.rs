//! What one SQL statement is, as far as its own words and SQLite say.

use rusqlite::Statement;

use crate::capture::transactions::Control;

/// What a statement does, by its leading words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `INSERT`, `UPDATE`, `DELETE`, `REPLACE`, possibly after `WITH`: rows may change.
    Rows(&'static str),
    /// Reads only, says SQLite itself.
    Read,
    /// `CREATE`, `ALTER`, `DROP`, `REINDEX`, …: the schema may change.
    Schema,
    /// `PRAGMA`, `ATTACH`, `VACUUM` and whatever else is neither.
    Other,
}

/// A word, a quoted name, or one other character.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Name(String),
    Other,
}

/// The tokens of `sql` without comments and string contents; lazily, since only the first few are wanted.
fn tokens(sql: &str) -> impl Iterator<Item = Token> + '_ {
    let mut rest = sql;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix("--") {
                rest = after.split_once('\n').map_or("", |(_, after)| after);
            } else if let Some(after) = rest.strip_prefix("/*") {
                rest = after.split_once("*/").map_or("", |(_, after)| after);
            } else {
                break;
            }
        }
        let first = rest.chars().next()?;
        let close = match first {
            '"' | '`' | '\'' => Some(first),
            '[' => Some(']'),
            _ => None,
        };
        if let Some(close) = close {
            let (name, after) = quoted(&rest[1..], close);
            rest = after;
            return Some(Token::Name(name));
        }
        if first.is_alphanumeric() || first == '_' {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after;
            return Some(Token::Word(word.to_owned()));
        }
        rest = &rest[first.len_utf8()..];
        Some(Token::Other)
    })
}

/// The text up to `close`, where a doubled `close` stands for one, and what follows it.
fn quoted(text: &str, close: char) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != close {
            name.push(c);
        } else if close != ']' && chars.peek().is_some_and(|(_, next)| *next == close) {
            name.push(c);
            chars.next();
        } else {
            return (name, &text[at + c.len_utf8()..]);
        }
    }
    (name, "")
}

/// The upper-cased first word, empty if there is none.
pub(super) fn verb(sql: &str) -> String {
    match tokens(sql).find(|token| !matches!(token, Token::Other)) {
        Some(Token::Word(word)) => word.to_ascii_uppercase(),
        _ => String::new(),
    }
}

/// What `statement`, prepared from `sql`, does.
pub(super) fn kind(sql: &str, statement: &Statement<'_>) -> Kind {
    let verb = verb(sql);
    match verb.as_str() {
        "INSERT" => Kind::Rows("INSERT"),
        "REPLACE" => Kind::Rows("REPLACE"),
        "UPDATE" => Kind::Rows("UPDATE"),
        "DELETE" => Kind::Rows("DELETE"),
        "WITH" if !statement.readonly() => Kind::Rows(verb_after_with(sql)),
        "SELECT" | "VALUES" | "WITH" | "EXPLAIN" if statement.readonly() => Kind::Read,
        // Asking, where it sets nothing: `PRAGMA user_version`, `PRAGMA table_info(t)`.
        "PRAGMA" if statement.readonly() && !sql.contains('=') => Kind::Read,
        "CREATE" | "ALTER" | "DROP" | "REINDEX" | "ANALYZE" => Kind::Schema,
        _ => Kind::Other,
    }
}

/// The verb that the common table expressions of a writing `WITH` lead to: the first one outside parentheses
/// cannot be told from tokens alone, so the first writing verb anywhere is taken (a CTE itself cannot write).
fn verb_after_with(sql: &str) -> &'static str {
    tokens(sql)
        .find_map(|token| match token {
            Token::Word(word) => match word.to_ascii_uppercase().as_str() {
                "INSERT" => Some("INSERT"),
                "REPLACE" => Some("REPLACE"),
                "UPDATE" => Some("UPDATE"),
                "DELETE" => Some("DELETE"),
                _ => None,
            },
            _ => None,
        })
        .unwrap_or("WITH")
}

/// The transaction control that `sql` is, if it is one.
pub(super) fn control(sql: &str) -> Option<Control> {
    let mut tokens = tokens(sql).filter(|token| !matches!(token, Token::Other));
    // SQLite compares names without case.
    let mut words = std::iter::from_fn(|| tokens.next()).map(|token| match token {
        Token::Word(word) => (word.to_ascii_uppercase(), word.to_ascii_lowercase()),
        Token::Name(name) => (String::new(), name.to_ascii_lowercase()),
        Token::Other => (String::new(), String::new()),
    });
    let (verb, _) = words.next()?;
    let name_after = |words: &mut dyn Iterator<Item = (String, String)>, noise: &str| {
        let (upper, name) = words.next()?;
        if upper == noise {
            words.next().map(|(_, name)| name)
        } else {
            Some(name)
        }
    };
    match verb.as_str() {
        "BEGIN" => Some(Control::Begin),
        "COMMIT" | "END" => Some(Control::Commit),
        "SAVEPOINT" => words.next().map(|(_, name)| Control::Savepoint(name)),
        "RELEASE" => name_after(&mut words, "SAVEPOINT").map(Control::Release),
        "ROLLBACK" => {
            let mut next = words.next();
            if next
                .as_ref()
                .is_some_and(|(upper, _)| upper == "TRANSACTION")
            {
                next = words.next();
            }
            match next {
                Some((upper, _)) if upper == "TO" => {
                    name_after(&mut words, "SAVEPOINT").map(Control::RollbackTo)
                }
                _ => Some(Control::Rollback),
            }
        }
        _ => None,
    }
}

/// Whether a `REPLACE` conflict resolution could be at work in `text`; says yes too often, never too rarely.
pub(super) fn mentions_replace(text: &str) -> bool {
    text.to_ascii_uppercase().contains("REPLACE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_control_is_told_from_other_statements() {
        let named = |name: &str| name.to_owned();
        assert_eq!(control("begin immediate"), Some(Control::Begin));
        assert_eq!(control("/* a */ -- b\n COMMIT;"), Some(Control::Commit));
        assert_eq!(control("end transaction"), Some(Control::Commit));
        assert_eq!(control("ROLLBACK TRANSACTION;"), Some(Control::Rollback));
        assert_eq!(
            control("rollback to savepoint \"a\"\"b\""),
            Some(Control::RollbackTo(named("a\"b")))
        );
        assert_eq!(
            control("rollback transaction to x"),
            Some(Control::RollbackTo(named("x")))
        );
        assert_eq!(
            control("release [Odd name]"),
            Some(Control::Release(named("odd name")))
        );
        assert_eq!(
            control("savepoint s1"),
            Some(Control::Savepoint(named("s1")))
        );
        assert_eq!(control("UPDATE t SET a = 'commit'"), None);
        assert_eq!(control(""), None);
    }

    #[test]
    fn the_verb_is_found_behind_comments_and_common_table_expressions() {
        assert_eq!(verb("-- x\n update t set a=1"), "UPDATE");
        assert_eq!(
            verb_after_with("WITH a AS (SELECT 1) DELETE FROM t"),
            "DELETE"
        );
    }
}
