//! The same facts in every form, the schema, and hostile text.

use account::model::Account;
use account::render;
use account::shown::line;
use vocabulary::problem::ProblemKind;

use crate::story::told;

/// What every form must tell.
fn facts(account: &Account) -> Vec<String> {
    let mut facts = vec![account.request.id.clone(), account.outcome.summary.clone()];
    facts.extend(account.request.aliases.clone());
    facts.extend(account.sessions.iter().map(|row| row.id.clone()));
    facts.extend(
        account
            .asked
            .iter()
            .filter_map(|row| row.intent.as_text().map(str::to_owned)),
    );
    facts.extend(
        account
            .asked
            .iter()
            .filter_map(|row| row.principal.subject.clone()),
    );
    facts.extend(account.diffs.iter().map(|row| row.resource.clone()));
    for row in &account.scope {
        facts.extend(row.entries.clone());
        facts.extend(row.outside.iter().map(|outside| outside.resource.clone()));
    }
    for row in &account.problems {
        facts.extend([
            row.kind.to_string(),
            row.severity.to_string(),
            row.what.clone(),
            row.why.clone(),
        ]);
        for one in &row.could_allow {
            facts.extend([one.identity.clone(), one.why.clone()]);
        }
    }
    for row in &account.decisions {
        facts.extend(row.question.clone());
        facts.extend(row.chosen.clone());
        facts.extend(row.rationale.clone());
        facts.extend(row.discarded.iter().map(|one| one.option.clone()));
        facts.extend(row.discarded.iter().filter_map(|one| one.reason.clone()));
    }
    for row in &account.who {
        facts.extend(row.identity.clone());
        facts.push(row.proof.clone());
    }
    for row in &account.sessions {
        facts.push(row.sent_by());
    }
    for row in &account.integrity.declared {
        facts.push(format!(
            "{}: its end says {} records, {} are here",
            row.stream, row.declared, row.here
        ));
    }
    for row in &account.integrity.conflicts {
        facts.extend([
            format!("ledger leaf {}", row.leaf),
            row.kind.to_string(),
            row.what.clone(),
        ]);
        facts.extend(row.first.clone());
        facts.extend(row.second.clone());
    }
    facts.extend(account.integrity.not_proven.clone());
    facts.extend(account.integrity.ledgers.iter().map(|row| row.id.clone()));
    facts.extend(account.unknown.iter().map(|row| row.why.clone()));
    facts
}

/// Markdown without the signs that keep it inert.
fn unescaped(markdown: &str) -> String {
    let mut chars = markdown.chars();
    let mut out = String::new();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

#[test]
fn text_markdown_and_json_tell_the_same_facts() {
    let account = told();
    same_facts(&account);
    let text = render::text(&account, true);
    let markdown = unescaped(&render::markdown(&account, true));
    for (word, form) in [
        ("PARTIAL", &text),
        ("EXCEEDED", &text),
        ("INTACT", &text),
        ("PARTIAL", &markdown),
    ] {
        assert!(form.contains(word));
    }
}

#[test]
fn whoever_could_have_allowed_it_is_named_with_the_record_that_says_so() {
    let account = told();
    let outside = account.problems.iter();
    let outside = outside.filter(|it| it.kind == ProblemKind::EffectOutsideScope);
    let named: Vec<(&str, &str, String)> = outside
        .flat_map(|it| &it.could_allow)
        .map(|it| {
            (
                it.identity.as_str(),
                it.why.as_str(),
                it.evidence.refs[0].to_string(),
            )
        })
        .collect();
    let declared = "declared scope version 1, which does not cover it";
    assert!(
        named.contains(&("renewal-agent", declared, "s1a#2".to_owned())),
        "{named:?}"
    );
    let granted = "granted crm-agents v7, in force then";
    assert!(
        named.contains(&("ops@example.test", granted, "s1a#3".to_owned())),
        "{named:?}"
    );
    let others = account.problems.iter();
    let mut others = others.filter(|it| it.kind == ProblemKind::DanglingAction);
    assert!(others.all(|it| it.could_allow.is_empty()));
}

#[test]
fn conflicts_counts_and_senders_are_told_in_every_form() {
    for account in [
        crate::conflicts::every_kind(),
        crate::declared::session(Some(5), 5),
        crate::plain::otel(),
        crate::plain::lines(),
    ] {
        same_facts(&account);
    }
}

fn same_facts(account: &Account) {
    let text = render::text(account, true);
    let markdown = unescaped(&render::markdown(account, true));
    let json: Account = serde_json::from_str(&render::json(account, true).unwrap()).unwrap();
    assert_eq!(facts(&json), facts(account));
    for fact in facts(account) {
        let shown = line(&fact).into_string();
        assert!(text.contains(&shown), "text lacks {shown}");
        assert!(markdown.contains(&shown), "markdown lacks {shown}");
    }
}

#[test]
fn every_line_starts_with_the_name_of_its_field() {
    let fields = [
        "request", "session", "asked", "result", "read", "changed", "scope", "problem", "why",
        "who", "record", "unknown",
    ];
    let text = render::text(&told(), true);
    let mut order: Vec<usize> = Vec::new();
    for line in text.lines() {
        let field = line.split(' ').next().unwrap();
        order.push(
            fields
                .iter()
                .position(|known| *known == field)
                .unwrap_or_else(|| panic!("{line}")),
        );
    }
    assert!(order.is_sorted());
}

#[test]
fn nothing_hostile_reaches_a_terminal() {
    let account = told();
    assert!(
        account.asked[0]
            .intent
            .as_text()
            .unwrap()
            .contains('\u{1b}')
    );
    for form in [
        render::text(&account, true),
        render::markdown(&account, true),
    ] {
        assert!(form.contains("<ESC>[31m") || form.contains("\\<ESC\\>\\[31m"));
        assert!(!account::shown::has_hidden(&form));
    }
}

/// Readers must accept keys that are added later; what is written today has none that the schema does not list.
fn strict(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(map) => {
            map.values_mut().for_each(strict);
            if map.contains_key("properties") {
                map.insert("additionalProperties".to_owned(), false.into());
            }
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(strict),
        _ => {}
    }
}

#[test]
fn real_accounts_keep_to_the_schema() {
    let text = include_str!("../../schema/recount.account-1.json");
    let mut schema: serde_json::Value = serde_json::from_str(text).unwrap();
    strict(&mut schema);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let account = told();
    let mut cut = account.paged(2);
    cut.sessions.items_mut()[0].records = 1 << 60;
    let sample = serde_json::from_str(include_str!("../../samples/renewal.json")).unwrap();
    let conflicts = crate::conflicts::every_kind();
    let short = crate::declared::session(Some(5), 5);
    for one in [account, cut, sample, conflicts, short] {
        let value = serde_json::to_value(&one).unwrap();
        let errors = validator.iter_errors(&value);
        let errors: Vec<String> = errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
}

/// Every place that says `unknown`, as a JSON Pointer; the state of a content counts for the content.
fn unknowns(at: &str, value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(word) if word == "unknown" => {
            found.push(at.strip_suffix("/state").unwrap_or(at).to_owned());
        }
        serde_json::Value::Array(list) => {
            for (index, member) in list.iter().enumerate() {
                unknowns(&format!("{at}/{index}"), member, found);
            }
        }
        serde_json::Value::Object(map) => {
            for (key, member) in map {
                unknowns(&format!("{at}/{key}"), member, found);
            }
        }
        _ => {}
    }
}

#[test]
fn whatever_says_unknown_says_why() {
    for account in [told(), crate::plain::otel(), crate::plain::lines()] {
        let mut found = Vec::new();
        unknowns("", &serde_json::to_value(&account).unwrap(), &mut found);
        let told: Vec<&str> = account
            .unknown
            .iter()
            .map(|row| row.fact.as_str())
            .collect();
        // How well somebody is known is told in words; the identity is what is unknown then.
        let silent: Vec<&String> = found
            .iter()
            .filter(|at| {
                !told.contains(&at.as_str())
                    && !at.starts_with("/unknown")
                    && !at.ends_with("/proof")
            })
            .collect();
        assert!(silent.is_empty(), "{silent:?}");
    }
}
