//! The filter of a list: every word must match; `-` turns a word around.
//!
//! `kind:http`, `is:problem`, `is:denied`, `is:error`, `is:changed`; anything else is looked for in the text.

/// One word of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    wanted: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Kind(String),
    Problem,
    Denied,
    Error,
    Changed,
    Text(String),
}

/// A parsed filter; an empty one keeps everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter(Vec<Term>);

/// A word that is no filter, with what would be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a filter; {known}")]
pub struct Unreadable {
    word: String,
    known: &'static str,
}

/// What a filter looks at in one row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// The row's kind.
    pub kind: &'a str,
    /// Its mark.
    pub mark: &'a str,
    /// Its text, in lower case.
    pub text: &'a str,
    /// Whether it has a problem.
    pub problem: bool,
    /// Whether something changed.
    pub changed: bool,
}

impl Filter {
    /// Reads a filter.
    pub fn parse(text: &str) -> Result<Filter, Unreadable> {
        let mut terms = Vec::new();
        for word in text.split_whitespace() {
            let (wanted, rest) = match word.strip_prefix('-') {
                Some(rest) if !rest.is_empty() => (false, rest),
                _ => (true, word),
            };
            let test = match rest.split_once(':') {
                Some(("kind", kind)) => Test::Kind(kind.to_lowercase()),
                Some(("is", "problem")) => Test::Problem,
                Some(("is", "denied")) => Test::Denied,
                Some(("is", "error")) => Test::Error,
                Some(("is", "changed")) => Test::Changed,
                Some(("is", _)) => {
                    let known = "is:problem, is:denied, is:error, is:changed";
                    return Err(Unreadable {
                        word: word.to_owned(),
                        known,
                    });
                }
                _ => Test::Text(rest.to_lowercase()),
            };
            terms.push(Term { wanted, test });
        }
        Ok(Filter(terms))
    }

    /// Whether everything is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the row's text is needed to decide.
    pub fn needs_text(&self) -> bool {
        self.0.iter().any(|term| matches!(term.test, Test::Text(_)))
    }

    /// Whether a row is kept.
    pub fn keeps(&self, row: &Seen<'_>) -> bool {
        self.0
            .iter()
            .all(|term| term.wanted == term.test.holds(row))
    }
}

impl Test {
    fn holds(&self, row: &Seen<'_>) -> bool {
        match self {
            Test::Kind(kind) => row.kind == kind,
            Test::Problem => row.problem,
            Test::Denied => row.mark == "DENY",
            Test::Error => matches!(row.mark, "ERR" | "TIME" | "PERM"),
            Test::Changed => row.changed,
            Test::Text(text) => row.text.contains(text.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keeps(filter: &str, row: Seen<'_>) -> bool {
        Filter::parse(filter).unwrap().keeps(&row)
    }

    #[test]
    fn every_word_must_match_and_a_minus_turns_it_around() {
        let row = Seen {
            kind: "http",
            mark: "DENY",
            text: "post mail /send",
            problem: true,
            changed: false,
        };
        assert!(keeps("", row));
        assert!(keeps("kind:http SEND is:denied", row));
        assert!(!keeps("-kind:http", row));
        assert!(keeps("-kind:llm -is:changed", row));
        assert!(!keeps("is:error", row));
    }

    #[test]
    fn an_unknown_flag_names_the_known_ones() {
        let error = Filter::parse("is:dneied").unwrap_err();
        assert!(error.to_string().contains("is:denied"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_or_names_the_word_that_is_none(text in "((-|kind:|is:|problem|denied|\\PC){0,4} ?){0,6}") {
            let row = Seen { kind: "http", mark: "DENY", text: "post mail /send", problem: true, changed: false };
            match Filter::parse(&text) {
                Ok(filter) => {
                    prop_assert_eq!(filter.is_empty(), text.trim().is_empty());
                    let kept: Vec<bool> = text.split_whitespace().map(|word| keeps(word, row)).collect();
                    prop_assert_eq!(filter.keeps(&row), !kept.contains(&false));
                }
                Err(error) => {
                    prop_assert!(text.split_whitespace().any(|word| word == error.word), "{}", error);
                    prop_assert!(error.word.contains("is:"));
                }
            }
        }

        #[test]
        fn a_minus_turns_every_word_around(word in "(kind:[a-z]{1,5}|is:(problem|denied|error|changed)|[a-z/]{1,6})") {
            let row = Seen { kind: "http", mark: "DENY", text: "post mail /send", problem: true, changed: false };
            prop_assert_ne!(keeps(&word, row), keeps(&format!("-{word}"), row));
        }
    }
}
