//! What the account says of the story.

use account::model::Account;
use account::render;
use serde_json::Value;
use vocabulary::action::{Effect, Outcome};
use vocabulary::problem::ProblemKind;
use vocabulary::record::IntegrityStatus;
use vocabulary::session::OutcomeStatus;
use vocabulary::verdict::ScopeVerdict;

use crate::story::told;

fn action<'a>(account: &'a Account, id: &str) -> &'a account::model::Action {
    account.actions.iter().find(|row| row.id == id).unwrap()
}

fn kinds(account: &Account) -> Vec<ProblemKind> {
    account.problems.iter().map(|row| row.kind).collect()
}

#[test]
fn every_part_of_the_question_is_answered() {
    let account = told();
    assert_eq!(account.request.id, "47892");
    assert_eq!(account.request.aliases, ["REN-7"]);
    assert_eq!(account.sessions.len(), 2);
    assert_eq!(account.sessions[1].parent, Some(account.sessions[0].name));
    assert_eq!(account.asked[0].principal.subject.as_deref(), Some("u-104"));
    assert_eq!(account.outcome.status, OutcomeStatus::Partial);
    assert_eq!(
        account.integrity.status,
        IntegrityStatus::Intact,
        "{:?}",
        account.problems
    );
    assert_eq!(account.authorization.len(), 2);
    assert_eq!(account.authorization[0].to, account.authorization[1].from);
    assert_eq!(
        action(&account, "a-403").authorization.as_deref(),
        Some("az-2")
    );
    assert_eq!(account.decisions[0].led_to.len(), 5);
}

#[test]
fn problems_come_worst_first_and_none_is_missing() {
    let kinds = kinds(&told());
    assert!(kinds.is_sorted());
    use ProblemKind::*;
    assert_eq!(
        kinds,
        [
            EffectOutsideScope,
            DanglingAction,
            PermissionRefused,
            Denied,
            WriteConflict,
            ReadUnlocked,
            SecretRemoved,
            RateLimited,
            ErrorRecovered,
        ]
    );
}

#[test]
fn scope_is_judged_by_what_was_observed() {
    let account = told();
    let scope = &account.scope[0];
    assert_eq!(scope.verdict, ScopeVerdict::Exceeded);
    let outside: Vec<&str> = scope
        .outside
        .iter()
        .map(|row| row.resource.as_str())
        .collect();
    assert_eq!(outside, ["http:crm.example.test/accounts/1/discount"]);
    let diff = account.diffs.iter().find(|row| row.id == "x-disc").unwrap();
    assert_eq!(diff.in_scope, Some(false));
}

#[test]
fn transactions_settle_their_effects() {
    let account = told();
    let effect = |id: &str| {
        account
            .diffs
            .iter()
            .find(|row| row.id == id)
            .unwrap()
            .effect
    };
    assert_eq!(
        (effect("x-row1"), effect("x-row2")),
        (Effect::RolledBack, Effect::Committed)
    );
    assert_eq!(action(&account, "a-row1").effect, Effect::RolledBack);
    assert_eq!(action(&account, "a-row2").effect, Effect::Committed);
    assert_eq!(account.outcome.counts.changed["db"], 1);
    assert_eq!(account.outcome.counts.rolled_back, 1);
}

#[test]
fn what_began_and_never_ended_is_not_guessed() {
    let account = told();
    let row = action(&account, "a-child");
    assert_eq!(
        (row.outcome, row.effect, row.ended_at),
        (Outcome::Unknown, Effect::Unknown, None)
    );
    let index = account
        .actions
        .iter()
        .position(|row| row.id == "a-child")
        .unwrap();
    assert!(
        account
            .unknown
            .iter()
            .any(|row| row.fact == format!("/actions/{index}/ended_at"))
    );
}

#[test]
fn the_recorders_own_looks_are_no_actions_of_the_agent() {
    assert!(told().actions.iter().all(|row| row.id != "a-own"));
}

#[test]
fn patches_of_rows_and_json_apply() {
    let account = told();
    for diff in account
        .diffs
        .iter()
        .filter(|diff| diff.before.as_text().is_some())
    {
        let Some(patch @ Value::Array(_)) = &diff.patch else {
            continue;
        };
        let mut state: Value = serde_json::from_str(diff.before.as_text().unwrap()).unwrap();
        json_patch::patch(
            &mut state,
            &serde_json::from_value::<json_patch::Patch>(patch.clone()).unwrap(),
        )
        .unwrap();
        assert_eq!(
            state,
            serde_json::from_str::<Value>(diff.after.as_text().unwrap()).unwrap()
        );
    }
}

#[test]
fn the_state_at_a_record_is_what_the_diffs_left() {
    let account = told();
    let disc = &account.diffs.iter().find(|row| row.id == "x-disc").unwrap();
    let at = disc.evidence.refs[0];
    let text = |at| {
        account::replay::state_at(&account, Some(at))[disc.resource.as_str()]
            .content
            .as_text()
            .unwrap()
            .to_owned()
    };
    let before = vocabulary::id::RecordRef {
        index: at.index - 1,
        ..at
    };
    assert_eq!((text(before).as_str(), text(at).as_str()), ("0", "10"));
    assert!(account::replay::check(account.diffs.iter()).is_empty());
}

#[test]
fn the_account_looks_like_this() {
    let account = told();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.add_filter(r"\b[0-9a-f]{64}\b", "[hash]");
    settings.add_filter(r"\+[0-9a-f]{8}\b", "+[key]");
    // How many heads the writer has signed, and when, depends on the machine.
    settings.add_filter(r"at [0-9TZ:.-]+ by the collector's clock", "at [time]");
    settings.add_filter(
        r#""at": "[0-9TZ:.-]+"(\s+\},\s+"key")"#,
        "\"at\": \"[time]\"$1",
    );
    settings.add_filter(r"checkpoint [0-9]+", "checkpoint [size]");
    settings.add_filter(
        r#""size": [0-9]+,(\s+)"root""#,
        "\"size\": [size],$1\"root\"",
    );
    settings.add_filter(r#""root": (null|"\[hash\]")"#, "\"root\": [root]");
    settings.bind(|| {
        insta::assert_snapshot!("renewal.text", render::text(&account, false));
        insta::assert_snapshot!("renewal.markdown", render::markdown(&account, false));
        insta::assert_snapshot!("renewal.json", render::json(&account, false).unwrap());
    });
}
