//! Which column each parameter and each literal of a statement is for, as far as its text says.
//!
//! A value is for the column that it is assigned to or compared with: `SET a = $1`, `a = ?`, `a IN (?, ?)`, and
//! `INSERT INTO t (a, b) VALUES (?, ?)`. The text is read token by token, the same for every database, so nothing has
//! to be understood whole; what is in doubt belongs to no column.

use std::ops::Range;

/// What the values of a statement are for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    /// Parameter and column: `$1`, `?1` (an anonymous `?` by its number), `:name`.
    pub(super) parameters: Vec<(String, String)>,
    /// Where a text in quotes is, without the quotes, and its column.
    pub(super) literals: Vec<(Range<usize>, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Parameter(String),
    Literal(Range<usize>),
    /// `=`, `<>`, `<=` and their like.
    Compares,
    Sign(char),
}

/// What is open at one depth of parentheses.
#[derive(Debug, Default)]
struct Level {
    column: Option<String>,
    /// The columns that a list of values here is for, and how many of them passed.
    list: Option<(Vec<String>, usize)>,
}

/// Reads `sql`; `table` are the columns that an `INSERT` means which lists none, if they are known.
pub(super) fn columns(sql: &str, table: &[&str]) -> Columns {
    let tokens = tokens(sql);
    let mut reader = Reader {
        tokens: &tokens,
        found: Columns::default(),
        levels: vec![Level::default()],
        targets: Vec::new(),
        values: false,
        table,
    };
    for at in 0..tokens.len() {
        reader.read(at);
    }
    reader.found
}

struct Reader<'a> {
    tokens: &'a [Token],
    found: Columns,
    levels: Vec<Level>,
    /// The columns of `INSERT INTO t (…)`, or of `SET (…) =`.
    targets: Vec<String>,
    /// Whether a list that opens now holds values for them.
    values: bool,
    table: &'a [&'a str],
}

impl Reader<'_> {
    fn read(&mut self, at: usize) {
        match &self.tokens[at] {
            Token::Word(word) => self.word(at, &word.to_ascii_uppercase()),
            Token::Compares => {
                let column = self.before(at);
                if column.is_some() {
                    self.level().column = column;
                } else if let Some(list) = self.list_before(at) {
                    (self.targets, self.values) = (list, true);
                }
            }
            Token::Sign('(') => self.open(at),
            Token::Sign(')') if self.levels.len() > 1 => {
                self.levels.pop();
            }
            Token::Sign(',') => {
                let level = self.level();
                level.column = None;
                if let Some((_, passed)) = &mut level.list {
                    *passed += 1;
                }
            }
            Token::Sign(';') => {
                (self.levels, self.targets) = (vec![Level::default()], Vec::new());
                self.values = false;
            }
            Token::Sign(_) => {}
            Token::Parameter(name) => {
                if let Some(column) = self.column().or_else(|| self.after(at)) {
                    self.found.parameters.push((name.clone(), column));
                }
            }
            Token::Literal(place) => {
                if let Some(column) = self.column().or_else(|| self.after(at)) {
                    self.found.literals.push((place.clone(), column));
                }
            }
        }
    }

    fn word(&mut self, at: usize, word: &str) {
        match word {
            "IN" | "LIKE" | "ILIKE" | "GLOB" | "IS" | "BETWEEN" | "SIMILAR" => {
                let not = self
                    .token_before(at)
                    .is_some_and(|token| is_word(token, "NOT"));
                self.level().column = self.before(if not { at - 1 } else { at });
            }
            "AND" | "OR" | "WHERE" | "SET" | "RETURNING" | "THEN" | "WHEN" | "ELSE" | "HAVING"
            | "ON" => {
                self.level().column = None;
                if matches!(word, "WHERE" | "SET" | "RETURNING" | "ON") {
                    self.level().list = None;
                    self.values &= self.levels.len() > 1;
                }
            }
            "VALUES" => {
                if self.targets.is_empty() {
                    self.targets = self.table.iter().map(|name| (*name).to_owned()).collect();
                }
                self.values = !self.targets.is_empty();
            }
            "SELECT" if self.levels.len() == 1 && !self.targets.is_empty() => {
                let targets = std::mem::take(&mut self.targets);
                self.level().list = Some((targets, 0));
            }
            "FROM" => self.level().list = None,
            _ => {}
        }
    }

    /// A parenthesis: names of columns, values for them, or something within an expression.
    fn open(&mut self, at: usize) {
        let inserts = self.levels.len() == 1 && self.is_target_of_insert(at);
        if inserts {
            self.targets = self.names(at + 1);
        }
        let mut level = Level::default();
        if self.values && self.levels.len() == 1 {
            level.list = Some((self.targets.clone(), 0));
        }
        self.levels.push(level);
    }

    /// Whether the names of columns open here: `INTO t (`, `INTO a.t AS u (`.
    fn is_target_of_insert(&self, at: usize) -> bool {
        let before = self.tokens.get(..at).unwrap_or_default();
        let name = before
            .iter()
            .rev()
            .take_while(|token| match token {
                Token::Word(word) => !word.eq_ignore_ascii_case("INTO"),
                other => **other == Token::Sign('.'),
            })
            .count();
        let names = before.get(before.len() - name..).unwrap_or_default();
        let all_names = !names
            .iter()
            .any(|token| is_word(token, "VALUES") || is_word(token, "SELECT"));
        name > 0
            && all_names
            && before
                .len()
                .checked_sub(name + 1)
                .and_then(|at| before.get(at))
                .is_some_and(|token| is_word(token, "INTO"))
    }

    /// The names from here to the closing parenthesis; none if something else is there.
    fn names(&self, from: usize) -> Vec<String> {
        let mut names = Vec::new();
        for token in self.tokens.get(from..).unwrap_or_default() {
            match token {
                Token::Word(word) => names.push(word.clone()),
                Token::Sign(',') => {}
                Token::Sign(')') => return names,
                _ => break,
            }
        }
        Vec::new()
    }

    /// The names of `(a, b)` that ends before `at`.
    fn list_before(&self, at: usize) -> Option<Vec<String>> {
        let before = self.tokens.get(..at)?;
        (*before.last()? == Token::Sign(')')).then_some(())?;
        let open = before
            .iter()
            .rposition(|token| *token == Token::Sign('('))?;
        let names = self.names(open + 1);
        (!names.is_empty()).then_some(names)
    }

    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    /// The column that what stands here is for, by the innermost level that knows.
    fn column(&self) -> Option<String> {
        self.levels.iter().rev().find_map(|level| {
            level.column.clone().or_else(|| {
                let (names, passed) = level.list.as_ref()?;
                names.get(*passed).cloned()
            })
        })
    }

    fn token_before(&self, at: usize) -> Option<&Token> {
        self.tokens.get(at.checked_sub(1)?)
    }

    /// The column whose name ends before `at`.
    fn before(&self, at: usize) -> Option<String> {
        match self.token_before(at)? {
            Token::Word(word) => Some(word.clone()),
            _ => None,
        }
    }

    /// The column that what stands at `at` is compared with: `$1 = a`.
    fn after(&self, at: usize) -> Option<String> {
        let (Token::Compares, Token::Word(word)) =
            (self.tokens.get(at + 1)?, self.tokens.get(at + 2)?)
        else {
            return None;
        };
        // Of `u.name`, the last part.
        match (self.tokens.get(at + 3), self.tokens.get(at + 4)) {
            (Some(Token::Sign('.')), Some(Token::Word(last))) => Some(last.clone()),
            _ => Some(word.clone()),
        }
    }
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found) if found.eq_ignore_ascii_case(word))
}

/// The tokens of a text without comments; anonymous parameters are numbered as SQLite numbers them.
fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut at, mut largest) = (0, 0_usize);
    while let Some(first) = sql.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = &sql[at..];
        let len = match first {
            _ if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '\'' => {
                let len = quoted(rest, '\'');
                let closed = len > 1 && rest[..len].ends_with('\'');
                tokens.push(Token::Literal(at + 1..at + len - usize::from(closed)));
                len
            }
            '"' | '`' => {
                let len = quoted(rest, first);
                let name = rest.get(1..len.max(2) - 1).unwrap_or_default();
                tokens.push(Token::Word(name.to_owned()));
                len
            }
            '[' => match rest.find(']') {
                // SQLite's way to quote a name; elsewhere an index, which is no name.
                Some(end)
                    if rest
                        .get(1..end)
                        .is_some_and(|name| name.starts_with(is_start)) =>
                {
                    tokens.push(Token::Word(rest.get(1..end).unwrap_or_default().to_owned()));
                    end + 1
                }
                _ => 1,
            },
            '?' | '$' | ':' | '@' => {
                let len = 1 + rest[1..].find(|c| !is_part(c)).unwrap_or(rest.len() - 1);
                let cast = first == ':' && (len == 1 || sql[..at].ends_with(':'));
                if first == '?' {
                    let number = rest[1..len].parse().unwrap_or(largest + 1);
                    largest = largest.max(number);
                    tokens.push(Token::Parameter(format!("?{number}")));
                } else if len > 1 && !cast {
                    tokens.push(Token::Parameter(rest[..len].to_owned()));
                }
                // What a cast names is no column.
                if cast && len > 1 { len } else { len.max(1) }
            }
            _ if is_start(first) => {
                let len = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                // `E'…'` and its like: the prefix of a literal.
                if !rest[len..].starts_with('\'') {
                    tokens.push(Token::Word(rest[..len].to_owned()));
                }
                len
            }
            _ if first.is_ascii_digit() => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            '=' | '<' | '>' | '!' => {
                tokens.push(Token::Compares);
                rest.find(|c| !"=<>!".contains(c)).unwrap_or(rest.len())
            }
            _ => {
                if !first.is_whitespace() {
                    tokens.push(Token::Sign(first));
                }
                first.len_utf8()
            }
        };
        at += len.max(1);
    }
    tokens
}

/// Up to the closing quote; a doubled one is part of the text.
fn quoted(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote {
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

fn is_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(sql: &str) -> Vec<(String, String)> {
        columns(sql, &[]).parameters
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        all.iter().map(owned).collect()
    }

    #[test]
    fn what_is_assigned_or_compared_is_for_that_column() {
        for (sql, expected) in [
            (
                "UPDATE users SET password = $1, \"Name\" = upper($2) WHERE u.id = $3 AND token IN ($4, $5)",
                vec![
                    ("$1", "password"),
                    ("$2", "Name"),
                    ("$3", "id"),
                    ("$4", "token"),
                    ("$5", "token"),
                ],
            ),
            (
                "UPDATE users SET password = crypt($1::text, gen_salt('bf', $2)) WHERE $3 = u.secret",
                vec![("$1", "password"), ("$2", "password"), ("$3", "secret")],
            ),
            (
                "UPDATE users SET (name, password) = ($1, $2) WHERE id = $3",
                vec![("$1", "name"), ("$2", "password"), ("$3", "id")],
            ),
            (
                "insert into shop.users as u (id, password, note) values (?, ?, 'x'), (?, lower(?), NULL) \
                 on conflict (id) do update set password = ?",
                vec![
                    ("?1", "id"),
                    ("?2", "password"),
                    ("?3", "id"),
                    ("?4", "password"),
                    ("?5", "password"),
                ],
            ),
            (
                "INSERT INTO users (id, [pass word]) SELECT ?2, :p FROM other WHERE a NOT LIKE @b /* ? */ -- ?",
                vec![("?2", "id"), (":p", "pass word"), ("@b", "a")],
            ),
            ("SELECT $1::password, f($2), a[1] FROM t LIMIT $3", vec![]),
            ("DELETE FROM t WHERE a BETWEEN ?1 AND ?2", vec![("?1", "a")]),
        ] {
            assert_eq!(parameters(sql), pairs(&expected), "{sql}");
        }
    }

    #[test]
    fn an_insert_without_names_means_the_columns_of_its_table() {
        let sql = "INSERT INTO users VALUES ($1, $2), ($3, $4) ON CONFLICT (id) DO UPDATE SET note = $5 WHERE id IN ($6)";
        let found = columns(sql, &["id", "password"]).parameters;
        let expected = [
            ("$1", "id"),
            ("$2", "password"),
            ("$3", "id"),
            ("$4", "password"),
            ("$5", "note"),
            ("$6", "id"),
        ];
        assert_eq!(found, pairs(&expected));
    }

    #[test]
    fn a_literal_is_found_without_its_quotes() {
        let sql = "UPDATE t SET password = 'it''s', n = E'x' WHERE a = '' AND b = 1";
        let found: Vec<(&str, String)> = columns(sql, &[])
            .literals
            .into_iter()
            .map(|(at, column)| (&sql[at], column))
            .collect();
        let expected = [("it''s", "password"), ("x", "n"), ("", "a")];
        assert_eq!(
            found,
            expected.map(|(text, column)| (text, column.to_owned()))
        );
    }

    proptest::proptest! {
        #[test]
        fn every_text_is_read_to_its_end(sql in "[a-z'\"$?:@\\\\/*\\-(),;\\[\\]= \n é]{0,60}") {
            for (place, _) in columns(&sql, &["a"]).literals {
                proptest::prop_assert!(sql.get(place).is_some());
            }
        }
    }
}
