//! Who could have allowed what was not allowed: whoever declared the scope, granted the policy or owns the agent.
//!
//! Whether they were asked is another question: an approval that was given is a row of `who[]`.

use vocabulary::Timestamp;
use vocabulary::problem::ProblemKind;
use vocabulary::source::Source;

use crate::model::{Account, Action, Allower, Authorization, Evidence, Problem, Scope};

/// Writes to each problem that lacks somebody's leave who could have given it.
pub(crate) fn name(account: &mut Account) {
    let named: Vec<(usize, Vec<Allower>)> = account
        .problems
        .iter()
        .enumerate()
        .filter(|(_, problem)| lacks_leave(problem.kind))
        .map(|(n, problem)| (n, of(account, problem)))
        .collect();
    for (n, allowers) in named {
        account.problems.items_mut()[n].could_allow = allowers;
    }
}

/// Whether somebody's leave would have made it none.
fn lacks_leave(kind: ProblemKind) -> bool {
    matches!(
        kind,
        ProblemKind::EffectOutsideScope
            | ProblemKind::Denied
            | ProblemKind::DeniedThenRetried
            | ProblemKind::PermissionRefused
    )
}

fn of(account: &Account, problem: &Problem) -> Vec<Allower> {
    let id = problem.action.as_deref();
    let action = account
        .actions
        .iter()
        .find(|it| Some(it.session) == problem.session && Some(it.id.as_str()) == id);
    let mut allowers = Vec::new();
    if problem.kind == ProblemKind::EffectOutsideScope {
        allowers.extend(scope(account, problem, action).and_then(declared));
    }
    allowers.extend(authorization(account, problem, action).and_then(|it| granted(it, action)));
    let session = account
        .sessions
        .iter()
        .find(|it| Some(it.name) == problem.session);
    let owner = session.and_then(|it| Some((it, it.agent.owner.clone()?)));
    allowers.extend(owner.map(|(session, identity)| Allower {
        identity,
        why: "owns the agent".to_owned(),
        evidence: Evidence::new(
            Source::Stated,
            session.evidence.refs.iter().take(1).copied().collect(),
        ),
    }));
    allowers
}

fn began(action: Option<&Action>) -> Option<Timestamp> {
    action.and_then(|it| it.began_at.or(it.ended_at))
}

/// The scope in force when the action began; without a time, the last one.
fn scope<'a>(
    account: &'a Account,
    problem: &Problem,
    action: Option<&Action>,
) -> Option<&'a Scope> {
    let at = began(action);
    let mine = account.scope.iter();
    let mut mine = mine.filter(|it| Some(it.session) == problem.session);
    mine.rfind(|it| at.is_none() || it.from.is_none() || it.from <= at)
}

/// The authorization that the action names; else the one in force when it began.
fn authorization<'a>(
    account: &'a Account,
    problem: &Problem,
    action: Option<&Action>,
) -> Option<&'a Authorization> {
    let mine = || {
        let all = account.authorization.iter();
        all.filter(|it| Some(it.session) == problem.session)
    };
    let named = action.and_then(|it| it.authorization.as_ref());
    let at = began(action);
    mine()
        .find(|it| named.is_some() && it.id.as_ref() == named)
        .or_else(|| mine().rfind(|it| at.is_none() || it.from.is_none() || it.from <= at))
}

fn declared(scope: &Scope) -> Option<Allower> {
    let version = scope.version.as_deref().unwrap_or("unknown");
    Some(Allower {
        identity: scope.declared_by.clone()?,
        why: format!("declared scope version {version}, which does not cover it"),
        evidence: Evidence::new(Source::Stated, scope.evidence.refs.clone()),
    })
}

fn granted(it: &Authorization, action: Option<&Action>) -> Option<Allower> {
    let policy = it.policy.as_deref().unwrap_or("a policy without a name");
    let version = it
        .version
        .as_ref()
        .map(|version| format!(" {version}"))
        .unwrap_or_default();
    let rule = action.and_then(|it| it.rule.as_ref());
    let rule = rule
        .map(|rule| format!(", whose rule {rule} denied it"))
        .unwrap_or_default();
    Some(Allower {
        identity: it.granted_by.clone()?,
        why: format!("granted {policy}{version}, in force then{rule}"),
        evidence: Evidence::new(Source::Stated, it.evidence.refs.clone()),
    })
}
