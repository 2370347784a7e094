//! One account on its screens, as text and as JSON: what one of them tells, the others tell.

use account::model::Account;
use account::render;
use account::shown::line;

use crate::stage::{press, renewal, showing, text};

/// Everything that the screens show of an account to somebody who goes through all of it, without spaces: where a
/// line is broken says nothing.
fn screens(account: &Account) -> String {
    // Narrower than two columns, and tall enough for each row in full.
    let mut model = showing(account.clone(), 110, 200);
    let mut all = text(&model);
    press(&mut model, "2z");
    for _ in 0..model.timeline.kept.len() {
        all.push_str(&text(&model));
        press(&mut model, "j");
    }
    press(&mut model, "3gg");
    for _ in 0..account.decisions.len() {
        all.push_str(&text(&model));
        press(&mut model, "j");
    }
    press(&mut model, "4");
    for _ in 0..account.diffs.len() {
        all.push_str(&text(&model));
        press(&mut model, "]f");
    }
    for keys in ["5", "6", "7"] {
        press(&mut model, keys);
        all.push_str(&text(&model));
    }
    squeezed(&all)
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// What has to be told wherever an account is told.
fn facts(account: &Account) -> Vec<String> {
    let mut facts = vec![account.request.id.clone()];
    facts.push(account.outcome.status.as_str().to_uppercase());
    facts.push(account.integrity.status.as_str().to_uppercase());
    facts.extend(account.sessions.iter().map(|row| row.id.clone()));
    facts.extend(
        account
            .sessions
            .iter()
            .filter_map(|row| row.agent.name.clone()),
    );
    for row in &account.asked {
        facts.extend(row.intent.as_text().map(str::to_owned));
        facts.extend(row.principal.subject.clone());
    }
    for row in &account.scope {
        facts.extend(row.entries.clone());
        facts.extend(row.declared_by.clone());
        facts.extend(row.outside.iter().map(|outside| outside.resource.clone()));
    }
    for row in account.problems.iter().filter(|row| row.action.is_some()) {
        facts.extend([row.what.clone(), row.why.clone()]);
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
    facts.extend(account.diffs.iter().map(|row| row.resource.clone()));
    for row in &account.who {
        // The screens leave the identity provider's address to the timeline.
        let name = row.identity.as_deref().unwrap_or("unknown");
        facts.push(name.split(" (").next().unwrap_or(name).to_owned());
    }
    facts.extend(account.integrity.not_proven.clone());
    facts.extend(account.integrity.ledgers.iter().map(|row| row.id.clone()));
    facts.sort();
    facts.dedup();
    facts
}

#[test]
fn text_json_html_and_the_screens_tell_the_same_facts() {
    let account = renewal();
    let json: Account = serde_json::from_str(&render::json(&account, true).unwrap()).unwrap();
    assert_eq!(facts(&json), facts(&account));
    let forms = [
        ("text", squeezed(&render::text(&account, true))),
        ("the screens", screens(&account)),
        (
            "HTML",
            squeezed(&browser(&render::html(&account, true, ""))),
        ),
    ];
    for fact in facts(&account) {
        let fact = squeezed(line(&fact).as_str());
        for (name, form) in &forms {
            assert!(form.contains(&fact), "{name}: not told: {fact}");
        }
    }
}

/// What a browser shows of a page's text.
fn browser(page: &str) -> String {
    let names = [
        ("&gt;", ">"),
        ("&lt;", "<"),
        ("&#39;", "'"),
        ("&#96;", "`"),
        ("&quot;", "\""),
        ("&amp;", "&"),
    ];
    names.iter().fold(page.to_owned(), |text, (name, sign)| {
        text.replace(name, sign)
    })
}
