//! What a verdict forbade: whether it was left alone, tried again, or allowed by somebody after all.

use std::collections::HashMap;
use vocabulary::action::{Access, Outcome};
use vocabulary::id::SessionRef;
use vocabulary::problem::ProblemKind;
use vocabulary::verdict::Verdict;

use super::problems::{Approvals, Problems, approver};
use crate::fold::{Act, Fold};

/// Executed actions by what they touched, to find a denied one that was tried again.
pub(super) struct Again<'a> {
    touched: HashMap<(SessionRef, Option<Access>, &'a str), Vec<usize>>,
    retries: HashMap<(SessionRef, &'a str), usize>,
}

impl<'a> Again<'a> {
    pub(super) fn new(acts: &'a [Act]) -> Self {
        let mut touched: HashMap<_, Vec<usize>> = HashMap::new();
        let mut retries = HashMap::new();
        for (index, act) in acts
            .iter()
            .enumerate()
            .filter(|(_, act)| act.ran() && !act.claims)
        {
            let row = &act.row;
            if let Some(resource) = &row.target.resource {
                let slot = (row.session, row.access, resource.as_str());
                touched.entry(slot).or_default().push(index);
            }
            if let Some(earlier) = &row.retry_of {
                retries.insert((row.session, earlier.as_str()), index);
            }
        }
        Self { touched, retries }
    }

    fn of(&self, act: &Act, index: usize) -> Option<usize> {
        if let Some(retry) = self.retries.get(&(act.row.session, act.row.id.as_str())) {
            return Some(*retry);
        }
        let resource = act.row.target.resource.as_deref()?;
        let list = self
            .touched
            .get(&(act.row.session, act.row.access, resource))?;
        list.get(list.partition_point(|later| *later <= index))
            .copied()
    }
}

pub(super) fn denied(
    act: &Act,
    index: usize,
    fold: &Fold,
    again: &Again<'_>,
    approved: &Approvals<'_>,
    problems: &mut Problems,
) {
    let rule = act.row.rule.as_deref().unwrap_or("not named");
    if let Some(approval) = approved.get(&(act.row.session, act.row.id.as_str())) {
        let asked = matches!(act.row.verdict, Some(Verdict::Deny | Verdict::Ask));
        if asked && act.ran() {
            let said = act.row.verdict.map_or("", Verdict::as_str);
            let by = approver(approval);
            let why = format!("policy said {said}, rule {rule}; approved by {by}");
            problems.of(ProblemKind::ApprovedException, act, why, &[approval.at]);
        }
        return;
    }
    if act.row.outcome != Outcome::Denied && act.row.verdict != Some(Verdict::Deny) {
        return;
    }
    if act.ran() {
        let why = format!("denied by rule {rule} and executed all the same");
        problems.of(ProblemKind::DeniedThenRetried, act, why, &[]);
        return;
    }
    let later = again.of(act, index).and_then(|later| fold.acts.get(later));
    let allowed = |later: &&Act| approved.contains_key(&(later.row.session, later.row.id.as_str()));
    match later.filter(|later| !allowed(later)) {
        Some(later) => {
            let at = later.first().map(|at| at.to_string()).unwrap_or_default();
            let outcome = later.row.outcome;
            let why = format!("rule {rule}: not executed; tried again at {at}, outcome {outcome}");
            problems.of(
                ProblemKind::DeniedThenRetried,
                act,
                why,
                &later.row.evidence.refs,
            );
        }
        None => problems.of(
            ProblemKind::Denied,
            act,
            format!("rule {rule}: not executed"),
            &[],
        ),
    }
}
