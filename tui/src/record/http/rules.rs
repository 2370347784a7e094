//! The file that says how to see what a write changes: read as text first, then as rules, with the line of what is wrong.

use std::path::Path;
use std::time::Duration;

use recount::capture::http::{Budget, MalformedRule, Rule};
use serde::Deserialize;
use toml::Spanned;

use crate::failure::Failure;

/// An example, for whoever has none.
const EXAMPLE: &str =
    "a file of rules looks like this: [[rule]] methods = [\"PATCH\"] path = \"/accounts/{id}\"";

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) budget: Budget,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    rule: Vec<Spanned<RawRule>>,
    #[serde(default)]
    budget: RawBudget,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    methods: Option<Spanned<Vec<String>>>,
    path: Spanned<String>,
    read: Option<Spanned<String>>,
    #[serde(default)]
    creates: bool,
    new: Option<Spanned<RawNew>>,
    each: Option<Spanned<RawEach>>,
    #[serde(default)]
    if_unmodified_since: bool,
    #[serde(default)]
    answers_with_resource: bool,
    #[serde(default)]
    read_again: bool,
    #[serde(default)]
    if_match: bool,
    #[serde(default)]
    do_not_read: bool,
}

/// Where a new resource lies, by the answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNew {
    id: String,
    path: Spanned<String>,
}

/// Where each item of a request lies.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEach {
    #[serde(default)]
    items: String,
    #[serde(default)]
    id: String,
    path: Spanned<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawBudget {
    reads: Option<u64>,
    per_minute: Option<u64>,
    seconds: Option<Spanned<f64>>,
    bytes: Option<usize>,
}

/// The text of a file of rules.
pub(super) fn text(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| Failure::Usage {
        what: format!("--rules {}: {error}", file.display()),
        hint: EXAMPLE.to_owned(),
    })
}

impl Rules {
    /// Reads rules about the server at `base`, a URL without a slash at its end.
    pub(super) fn parse(file: &Path, text: &str, base: &str) -> Result<Self, Failure> {
        let wrong = |at: usize, what: &str| {
            let before = text.get(..at).unwrap_or_default();
            Failure::Usage {
                what: format!(
                    "--rules {}, line {}: {what}",
                    file.display(),
                    before.matches('\n').count() + 1
                ),
                hint: EXAMPLE.to_owned(),
            }
        };
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let at = error.span().map(|span| span.start).unwrap_or_default();
            wrong(at, error.message())
        })?;
        let rules = raw.rule.into_iter().map(|rule| {
            let at = rule.span().start;
            rule.into_inner().check(base, at, &wrong)
        });
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
            budget: raw.budget.check(&wrong)?,
        })
    }
}

impl RawRule {
    fn check(
        self,
        base: &str,
        at: usize,
        wrong: &impl Fn(usize, &str) -> Failure,
    ) -> Result<Rule, Failure> {
        let reads = self.read_again || self.if_match || self.if_unmodified_since;
        if self.do_not_read && (reads || self.read.is_some()) {
            let why = "do_not_read stands beside read, read_again, if_match or if_unmodified_since, which read";
            return Err(wrong(at, why));
        }
        let whole = |path: &Spanned<String>| -> Result<String, Failure> {
            if !path.as_ref().starts_with('/') || path.as_ref().contains(['?', '#']) {
                let why = format!("{:?} is no path like /accounts/{{id}}", path.as_ref());
                return Err(wrong(path.span().start, &why));
            }
            Ok(format!("{base}{}", path.as_ref()))
        };
        let malformed = |at: usize| move |error: MalformedRule| wrong(at, &error.to_string());
        let template = whole(&self.path)?;
        let path_at = self.path.span().start;
        let mut rule = match (self.creates, &self.methods) {
            (true, Some(methods)) => {
                let why = "creates is about POST; methods says something else, or the same twice";
                return Err(wrong(methods.span().start, why));
            }
            (true, None) => Rule::for_creations(&template).map_err(malformed(path_at))?,
            (false, None) => {
                return Err(wrong(at, "methods is missing: which requests is it about?"));
            }
            (false, Some(methods)) => {
                check_methods(methods, wrong)?;
                let methods = methods.as_ref().iter().map(String::as_str);
                Rule::for_writes(methods, &template).map_err(malformed(path_at))?
            }
        };
        if let Some(read) = &self.read {
            let template = whole(read)?;
            let at = read.span().start;
            rule = rule.read_from(&template).map_err(malformed(at))?;
        }
        if let Some(new) = &self.new {
            let at = new.span().start;
            if !self.creates {
                return Err(wrong(
                    at,
                    "new says where a new resource lies; the rule lacks creates = true",
                ));
            }
            let template = whole(&new.as_ref().path)?;
            let located = rule.located_by(&new.as_ref().id, &template);
            rule = located.map_err(malformed(at))?;
        }
        if let Some(each) = &self.each {
            let at = each.span().start;
            let each = each.as_ref();
            let template = whole(&each.path)?;
            let bulk = rule.bulk(&each.items, &each.id, &template);
            rule = bulk.map_err(malformed(at))?;
        }
        if self.answers_with_resource {
            rule = rule.answers_with_resource();
        }
        if self.read_again {
            rule = rule.read_again();
        }
        if self.if_match {
            rule = rule.if_match();
        }
        if self.if_unmodified_since {
            rule = rule.if_unmodified_since();
        }
        if self.do_not_read {
            rule = rule.do_not_read();
        }
        Ok(rule)
    }
}

impl RawBudget {
    fn check(self, wrong: &impl Fn(usize, &str) -> Failure) -> Result<Budget, Failure> {
        let usual = Budget::default();
        let time = match self.seconds {
            None => usual.time,
            Some(seconds) => Duration::try_from_secs_f64(*seconds.as_ref())
                .map_err(|error| wrong(seconds.span().start, &format!("seconds: {error}")))?,
        };
        Ok(Budget {
            reads: self.reads.unwrap_or(usual.reads),
            per_minute: self.per_minute.unwrap_or(usual.per_minute),
            time,
            bytes: self.bytes.unwrap_or(usual.bytes),
        })
    }
}

fn check_methods(
    methods: &Spanned<Vec<String>>,
    wrong: &impl Fn(usize, &str) -> Failure,
) -> Result<(), Failure> {
    let at = methods.span().start;
    if methods.as_ref().is_empty() {
        return Err(wrong(at, "methods is empty: the rule is about nothing"));
    }
    match methods.as_ref().iter().find(|method| !is_method(method)) {
        Some(method) => {
            let why = format!("{method:?} is no method that writes; they are written as PATCH is");
            Err(wrong(at, &why))
        }
        None => Ok(()),
    }
}

/// A method in capitals that is no plain read.
fn is_method(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_uppercase())
        && !matches!(text, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "CONNECT")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://crm.example.test/v1";

    fn parse(text: &str) -> Result<Rules, String> {
        Rules::parse(Path::new("crm.toml"), text, BASE).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_file_gives_rules_and_a_budget() {
        let rules = parse(
            r#"
            [[rule]]
            methods = ["PATCH", "DELETE"]
            path = "/accounts/{id}"
            if_match = true
            answers_with_resource = true

            [[rule]]
            methods = ["POST"]
            path = "/accounts/{id}/stage"
            read = "/accounts/{id}"
            read_again = true

            [[rule]]
            path = "/accounts"
            creates = true
            new = { id = "/id", path = "/accounts/{item}" }

            [[rule]]
            methods = ["POST"]
            path = "/accounts/bulk"
            each = { items = "/accounts", id = "/id", path = "/accounts/{item}" }

            [budget]
            reads = 10
            seconds = 0.5
            "#,
        );
        let rules = rules.unwrap();
        assert_eq!(rules.rules.len(), 4);
        assert_eq!(
            (rules.budget.reads, rules.budget.time),
            (10, Duration::from_millis(500))
        );
        assert_eq!(rules.budget.bytes, Budget::default().bytes);
        assert!(parse("").unwrap().rules.is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let rule = |lines: &str| format!("# rules\n[[rule]]\nmethods = [\"PUT\"]\n{lines}");
        for (text, line, says) in [
            ("[[rule]\n".to_owned(), 1, ""),
            (rule("path = \"/a/{id}\"\nanswers = true"), 5, "answers"),
            (rule("path = \"a/{id}\""), 4, "no path like"),
            (
                rule("path = \"/a/{id}\"\nread = \"/a/{other}\""),
                5,
                "other",
            ),
            (
                rule("path = \"/a\"\ndo_not_read = true\nread_again = true"),
                2,
                "do_not_read",
            ),
            (
                "[[rule]]\nmethods = [\"put\"]\npath = \"/a\"".to_owned(),
                2,
                "\"put\"",
            ),
            (
                "[[rule]]\nmethods = [\"GET\"]\npath = \"/a\"".to_owned(),
                2,
                "no method that writes",
            ),
            (
                "[[rule]]\nmethods = []\npath = \"/a\"".to_owned(),
                2,
                "about nothing",
            ),
            (
                "[[rule]]\ncreates = true\nmethods = [\"POST\"]\npath = \"/a\"".to_owned(),
                3,
                "twice",
            ),
            (
                "[[rule]]\npath = \"/a\"".to_owned(),
                1,
                "methods is missing",
            ),
            (
                rule("path = \"/a\"\nnew = { id = \"/id\", path = \"/a/{item}\" }"),
                5,
                "creates",
            ),
            (
                rule("path = \"/a\"\neach = { path = \"/a/{other}\" }"),
                5,
                "other",
            ),
            ("[budget]\nseconds = -1.0".to_owned(), 2, "seconds"),
            ("[[rule]]\nmethods = [\"PUT\"]".to_owned(), 1, "path"),
        ] {
            let said = parse(&text).unwrap_err();
            assert!(
                said.contains(&format!("crm.toml, line {line}: ")),
                "{text}: {said}"
            );
            assert!(said.contains(says), "{text}: {said}");
        }
    }
}
