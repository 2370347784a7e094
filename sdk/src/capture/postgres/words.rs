//! The words of SQL text outside parentheses, strings and comments, and where they stand.
//!
//! A statement is rewritten by adding to its own text, never by printing a parsed tree, so it has to be known where
//! its clauses begin. What they mean, the parser says.

use std::ops::Range;

/// A word outside parentheses: a keyword, or a name without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) upper: String,
    pub(super) at: Range<usize>,
}

/// A text as far as its surface goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Surface {
    /// The words and quoted names outside parentheses, in order; a quoted name keeps its case and its quotes.
    pub(super) words: Vec<Word>,
    /// Where each statement begins and ends, without semicolon and surrounding comments.
    pub(super) statements: Vec<Range<usize>>,
    /// Whether what a backslash means depends on a setting of the connection.
    pub(super) ambiguous: bool,
}

/// Reads `sql` as PostgreSQL's scanner does.
pub(super) fn surface(sql: &str) -> Surface {
    let mut found = Surface::default();
    let (mut at, mut depth) = (0, 0_usize);
    let mut current: Option<Range<usize>> = None;
    while let Some(first) = sql.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = &sql[at..];
        let end = at + token(rest, first, &mut found.ambiguous);
        let text = &sql[at..end];
        let here = at;
        at = end;
        if first.is_whitespace() || text.starts_with("--") || text.starts_with("/*") {
            continue;
        }
        match first {
            ';' if depth == 0 => {
                found.statements.extend(current.take());
                continue;
            }
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 && first == '"' => found.words.push(Word {
                upper: text.to_owned(),
                at: here..end,
            }),
            _ if depth == 0 && is_start(first) && !text.ends_with('\'') => found.words.push(Word {
                upper: text.to_ascii_uppercase(),
                at: here..end,
            }),
            _ => {}
        }
        current = Some(current.map_or(here, |range| range.start)..end);
    }
    found.statements.extend(current);
    found
}

/// The length of the token that `rest` begins with.
fn token(rest: &str, first: char, ambiguous: &mut bool) -> usize {
    if rest.starts_with("--") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return comment(rest);
    }
    match first {
        '\'' => {
            let len = quoted(rest, '\'', false);
            *ambiguous |= rest[..len].contains('\\');
            len
        }
        '"' => quoted(rest, '"', false),
        '$' => dollar_quoted(rest).unwrap_or(1),
        _ if is_start(first) => {
            let len = rest
                .find(|c: char| !(is_start(c) || c.is_ascii_digit() || c == '$'))
                .unwrap_or(rest.len());
            // `E'…'` has escapes; `B'…'`, `X'…'` and `N'…'` are one token too.
            match (&rest[..len], rest[len..].starts_with('\'')) {
                ("e" | "E", true) => len + quoted(&rest[len..], '\'', true),
                ("b" | "B" | "x" | "X" | "n" | "N", true) => {
                    len + quoted(&rest[len..], '\'', false)
                }
                _ => len,
            }
        }
        _ if first.is_ascii_digit() => rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'))
            .unwrap_or(rest.len()),
        _ => first.len_utf8(),
    }
}

fn is_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

/// Up to the closing quote; a doubled one is part of the text.
fn quoted(rest: &str, quote: char, escapes: bool) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return at + 1,
            }
        }
    }
    rest.len()
}

/// Comments nest.
fn comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(pair) = rest.as_bytes().get(at..at + 2) {
        match pair {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

/// `$tag$…$tag$`; `None` for `$1`.
fn dollar_quoted(rest: &str) -> Option<usize> {
    let tag = rest[1..].find('$')? + 2;
    let name = &rest[1..tag - 1];
    if name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(|c| is_start(c) || c.is_ascii_digit())
    {
        return None;
    }
    Some(match rest[tag..].find(&rest[..tag]) {
        Some(at) => 2 * tag + at,
        None => rest.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(sql: &str) -> Vec<String> {
        surface(sql)
            .words
            .into_iter()
            .map(|word| word.upper)
            .collect()
    }

    #[test]
    fn only_words_outside_strings_comments_and_parentheses_count() {
        let sql = "update t /* where /* nested */ where */ set a = 'where', b = (select 1 where true), c = $x$ where $x$\n\
                   -- where\n, d = e'\\' where ', \"where\" = $1 where id = $2";
        assert_eq!(
            words(sql),
            [
                "UPDATE",
                "T",
                "SET",
                "A",
                "B",
                "C",
                "D",
                "\"where\"",
                "WHERE",
                "ID"
            ]
        );
    }

    #[test]
    fn statements_end_where_their_last_token_does() {
        let sql = " update t set a = 1 -- the end\n; ; select ';' /* x */ ;";
        let all: Vec<&str> = surface(sql)
            .statements
            .into_iter()
            .map(|at| &sql[at])
            .collect();
        assert_eq!(all, ["update t set a = 1", "select ';'"]);
    }

    #[test]
    fn a_backslash_in_a_plain_string_is_noticed() {
        assert!(surface(r"update t set a = 'x\' where b = '1'").ambiguous);
        assert!(!surface(r"update t set a = e'x\'' where b = '1'").ambiguous);
    }

    proptest::proptest! {
        #[test]
        fn every_text_is_read_to_its_end(sql in "[a-z'\"$\\\\/*\\-();\n é]{0,40}") {
            for at in surface(&sql).statements {
                proptest::prop_assert!(!sql[at].is_empty());
            }
        }
    }
}
