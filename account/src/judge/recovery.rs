//! Which failed attempts were made good later.

use std::collections::{HashMap, HashSet};
use vocabulary::action::{Kind, Outcome};
use vocabulary::id::SessionRef;

use crate::fold::Act;

/// What an attempt was of: the same again counts as another attempt.
type Sameness<'a> = (SessionRef, bool, &'a Kind, Option<&'a str>, Option<&'a str>);

/// How many later successes of the same thing are looked at for one with the same input.
const LOOK: usize = 64;

/// Later attempts of earlier ones.
#[derive(Debug)]
pub(crate) struct Recovery<'a> {
    acts: &'a [Act],
    retry_of: HashMap<(SessionRef, &'a str), usize>,
    successes: HashMap<Sameness<'a>, Vec<usize>>,
}

impl<'a> Recovery<'a> {
    /// Looks at actions that are in the order in which they began.
    pub(crate) fn new(acts: &'a [Act]) -> Self {
        let mut retry_of = HashMap::new();
        let mut successes: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, act) in acts.iter().enumerate() {
            if let Some(earlier) = &act.row.retry_of {
                retry_of.insert((act.row.session, earlier.as_str()), index);
            }
            if act.row.outcome == Outcome::Success {
                successes.entry(same(act)).or_default().push(index);
            }
        }
        Self {
            acts,
            retry_of,
            successes,
        }
    }

    /// The attempt that made good for the one at `index`.
    pub(crate) fn of(&self, index: usize) -> Option<&'a Act> {
        self.by_retries(index).or_else(|| self.by_sameness(index))
    }

    /// Following the attempts that name the one before.
    fn by_retries(&self, index: usize) -> Option<&'a Act> {
        let mut at = self.acts.get(index)?;
        let mut seen = HashSet::new();
        while seen.insert(at.row.id.as_str()) {
            let next = self.retry_of.get(&(at.row.session, at.row.id.as_str()))?;
            at = self.acts.get(*next)?;
            if at.row.outcome == Outcome::Success {
                return Some(at);
            }
        }
        None
    }

    /// The next success of the same thing: same kind, operation and resource, and the same input where both
    /// are known. Calls of a model are told apart by their input only.
    fn by_sameness(&self, index: usize) -> Option<&'a Act> {
        let failed = self.acts.get(index)?;
        failed.row.target.resource.as_ref()?;
        let list = self.successes.get(&same(failed))?;
        let from = list.partition_point(|later| *later <= index);
        let later = list.get(from..)?.iter().take(LOOK);
        later
            .filter_map(|later| self.acts.get(*later))
            .find(
                |later| match (&failed.row.input.digest, &later.row.input.digest) {
                    (Some(one), Some(other)) => one == other,
                    _ => failed.row.kind != Kind::Llm,
                },
            )
    }
}

fn same(act: &Act) -> Sameness<'_> {
    let row = &act.row;
    let (operation, resource) = (row.operation.as_deref(), row.target.resource.as_deref());
    (row.session, act.claims, &row.kind, operation, resource)
}
