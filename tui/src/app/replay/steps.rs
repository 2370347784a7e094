//! The steps of a replay: what happened, one thing after another, with each change as a step of its own.

use std::collections::{HashMap, HashSet};

use account::model::Account;
use vocabulary::Timestamp;
use vocabulary::action::Outcome;
use vocabulary::id::RecordRef;

use crate::app::changes::{Changes, stands};
use crate::app::rows::{Item, Rows};

/// What happened in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A row of the timeline; an action's row is its beginning.
    Row(usize),
    /// A change, as an index into the account's diffs.
    Change(usize),
    /// The end of an action, as an index into the account's actions: only where something else came in between,
    /// or where it did not succeed.
    Ended(usize),
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What happened.
    pub what: What,
    /// When.
    pub at: Option<Timestamp>,
    /// The record that shows it.
    pub shown_by: Option<RecordRef>,
}

/// How many steps lie between two places where the running actions are listed in full.
const STRIDE: usize = 256;

/// One change that stands.
#[derive(Clone, Copy, Debug)]
struct Left {
    step: usize,
    diff: usize,
    resource: usize,
    /// How many resources had changed by then.
    distinct: usize,
}

/// When an action ran, as step numbers; both ends belong to it.
#[derive(Clone, Copy, Debug)]
struct Ran {
    from: usize,
    to: usize,
}

/// All steps of an account, and where to find the state after each of them.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    steps: Vec<Step>,
    of_row: Vec<usize>,
    of_diff: Vec<usize>,
    /// By action; `None` for an action without a row.
    ran: Vec<Option<Ran>>,
    /// By resource: the steps at which a change that stands left a state, in order, with the change.
    left: Vec<Vec<(usize, usize)>>,
    /// All changes that stand, in order.
    changes: Vec<Left>,
    /// The steps at which something is wrong, in order; one with two problems is there twice.
    problems: Vec<usize>,
    /// The rows that say where a session stands, in order, with their steps.
    told: Vec<(usize, usize)>,
    /// The actions that run right before each step whose number is a multiple of [`STRIDE`].
    running: Vec<Vec<usize>>,
}

impl Steps {
    /// Orders an account's rows, changes and ends by time, and within one stream by index where times are equal.
    pub fn of(account: &Account, rows: &Rows, changes: &Changes) -> Steps {
        let mut all = collect(account, rows);
        all.sort_by_key(|step| (step.at.is_none(), step.at, step.shown_by));
        let mut steps = Steps {
            of_row: vec![0; rows.len()],
            of_diff: vec![0; account.diffs.len()],
            ran: vec![None; account.actions.len()],
            ..Steps::default()
        };
        steps.keep(all, account, rows);
        steps.left = changes
            .resources
            .iter()
            .map(|resource| {
                let standing = resource.diffs.iter().copied();
                let mut left: Vec<(usize, usize)> = standing
                    .filter(|diff| stands(&account.diffs[*diff]))
                    .map(|diff| (steps.of_diff[diff], diff))
                    .collect();
                left.sort_unstable();
                left
            })
            .collect();
        steps.index(account, rows);
        steps
    }

    /// Prepares what the state after a step is made of, so that making it does not grow with the account.
    fn index(&mut self, account: &Account, rows: &Rows) {
        let left = self.left.iter().enumerate();
        self.changes = left
            .flat_map(|(resource, left)| {
                left.iter()
                    .map(move |(step, diff)| (resource, *step, *diff))
            })
            .map(|(resource, step, diff)| Left {
                step,
                diff,
                resource,
                distinct: 0,
            })
            .collect();
        self.changes.sort_by_key(|left| (left.step, left.diff));
        let mut seen = vec![false; self.left.len()];
        let mut distinct = 0;
        for left in &mut self.changes {
            distinct += usize::from(!std::mem::replace(&mut seen[left.resource], true));
            left.distinct = distinct;
        }
        let problems = (0..account.problems.len()).filter_map(|problem| rows.of_problem(problem));
        self.problems = problems.map(|row| self.of_row[row]).collect();
        self.problems.sort_unstable();
        let told = rows.iter().enumerate().filter(|(_, row)| {
            matches!(
                row.item,
                Item::Start(_) | Item::End(_) | Item::Scope(_) | Item::Authorization(_)
            )
        });
        self.told = told.map(|(row, _)| (self.of_row[row], row)).collect();
        self.told.sort_unstable();
        self.running = vec![Vec::new(); self.steps.len() / STRIDE + 1];
        for (action, ran) in self.ran.iter().enumerate() {
            let Some(ran) = ran else { continue };
            let to = ran.to.min(self.steps.len());
            for at in (ran.from / STRIDE + 1..).take_while(|at| at * STRIDE <= to) {
                self.running[at].push(action);
            }
        }
    }

    /// Takes ordered steps over, without the ends that say nothing new.
    fn keep(&mut self, all: Vec<Step>, account: &Account, rows: &Rows) {
        let places: HashMap<&str, usize> = account
            .actions
            .iter()
            .enumerate()
            .map(|(n, action)| (action.id.as_str(), n))
            .collect();
        // The action that began last and that nothing else has followed yet.
        let mut alone = None;
        for step in all {
            let here = self.steps.len();
            match step.what {
                What::Row(row) => {
                    self.of_row[row] = here;
                    alone = None;
                    match rows.get(row).map(|row| row.item) {
                        Some(Item::Action(n)) => {
                            let to = account.actions[n].ended_at.map_or(usize::MAX, |_| here);
                            self.ran[n] = Some(Ran { from: here, to });
                            alone = Some(n);
                        }
                        Some(Item::Diff(diff)) => self.of_diff[diff] = here,
                        _ => {}
                    }
                }
                What::Change(diff) => {
                    self.of_diff[diff] = here;
                    let action = account.diffs[diff].action.as_deref();
                    let action = action.and_then(|id| places.get(id).copied());
                    if alone != action {
                        alone = None;
                    }
                }
                What::Ended(n) => {
                    let said = alone == Some(n) && account.actions[n].outcome == Outcome::Success;
                    let last = if said { here.saturating_sub(1) } else { here };
                    if let Some(ran) = &mut self.ran[n] {
                        ran.to = last.max(ran.from);
                    }
                    if said {
                        continue;
                    }
                    alone = None;
                }
            }
            self.steps.push(step);
        }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// A step.
    pub fn get(&self, step: usize) -> Option<&Step> {
        self.steps.get(step)
    }

    /// The step of a row of the timeline.
    pub fn of_row(&self, row: usize) -> Option<usize> {
        self.of_row.get(row).copied()
    }

    /// The step of a change.
    pub fn of_diff(&self, diff: usize) -> Option<usize> {
        self.of_diff.get(diff).copied()
    }

    /// The last step of a record or before it, in its own stream; `None` where the stream has none.
    pub fn of_ref(&self, wanted: RecordRef) -> Option<usize> {
        let in_stream = self.steps.iter().enumerate().filter_map(|(n, step)| {
            let shown_by = step.shown_by?;
            (shown_by.stream == wanted.stream && shown_by.index <= wanted.index)
                .then_some((shown_by.index, n))
        });
        in_stream.max().map(|(_, step)| step)
    }

    /// The timeline's row that a step belongs to.
    pub fn row(&self, account: &Account, rows: &Rows, step: usize) -> Option<usize> {
        match self.steps.get(step)?.what {
            What::Row(row) => Some(row),
            What::Ended(n) => rows.of_action(&account.actions[n].id),
            What::Change(diff) => rows.of_action(account.diffs[diff].action.as_deref()?),
        }
    }

    /// The change that left a resource as it was after a step; `None` before its first one.
    pub fn left_by(&self, resource: usize, step: usize) -> Option<usize> {
        let left = self.left.get(resource)?;
        let upto = left.partition_point(|(at, _)| *at <= step);
        Some(left[upto.checked_sub(1)?].1)
    }

    /// At most `most` of the resources that had changed by a step, the last one first, each with the change that left
    /// it so.
    pub fn changed(&self, step: usize, most: usize) -> Vec<(usize, usize)> {
        let upto = self.changes.partition_point(|left| left.step <= step);
        let total = upto
            .checked_sub(1)
            .map_or(0, |last| self.changes[last].distinct);
        let mut seen = HashSet::new();
        let mut changed = Vec::with_capacity(total.min(most));
        for left in self.changes[..upto].iter().rev() {
            if changed.len() == total.min(most) {
                break;
            }
            if seen.insert(left.resource) {
                changed.push((left.resource, left.diff));
            }
        }
        changed
    }

    /// How many changes stand after a step, and of how many resources.
    pub fn counted(&self, step: usize) -> (usize, usize) {
        let upto = self.changes.partition_point(|left| left.step <= step);
        let last = upto.checked_sub(1).map(|last| self.changes[last].distinct);
        (upto, last.unwrap_or(0))
    }

    /// How many problems had shown themselves by a step.
    pub fn problems(&self, step: usize) -> usize {
        self.problems.partition_point(|at| *at <= step)
    }

    /// The rows up to a step that say where a session stands.
    pub fn told(&self, step: usize) -> impl Iterator<Item = usize> {
        let upto = self.told.partition_point(|(at, _)| *at <= step);
        self.told[..upto].iter().map(|(_, row)| *row)
    }

    /// Whether an action's end is a step of its own, or is not recorded.
    pub fn ends_later(&self, action: usize) -> bool {
        let ran = self.ran.get(action).copied().flatten();
        ran.is_some_and(|ran| match self.steps.get(ran.to) {
            Some(step) => step.what == What::Ended(action),
            None => true,
        })
    }

    /// The actions that had begun and not ended right after a step.
    pub fn running(&self, rows: &Rows, step: usize) -> Vec<usize> {
        let place = step / STRIDE;
        let mut running = self.running.get(place).cloned().unwrap_or_default();
        for at in place * STRIDE..=step {
            if let Some(What::Row(row)) = self.steps.get(at).map(|step| step.what)
                && let Some(Item::Action(action)) = rows.get(row).map(|row| row.item)
            {
                running.push(action);
            }
        }
        let runs = |ran: &Ran| ran.from <= step && step < ran.to;
        running.retain(|action| self.ran[*action].as_ref().is_some_and(runs));
        running
    }
}

fn collect(account: &Account, rows: &Rows) -> Vec<Step> {
    let mut all: Vec<Step> = rows
        .iter()
        .enumerate()
        .map(|(n, row)| Step {
            what: What::Row(n),
            at: row.at,
            shown_by: row.shown_by,
        })
        .collect();
    for (n, action) in account.actions.iter().enumerate() {
        all.extend(rows.diffs_of_action(&action.id).iter().map(|diff| Step {
            what: What::Change(*diff),
            at: account.diffs[*diff].at,
            shown_by: account.diffs[*diff].evidence.refs.first().copied(),
        }));
        // A span tells of beginning and end in one record: it has no end of its own.
        if let (Some(at), [_, .., told]) = (action.ended_at, &action.evidence.refs[..]) {
            all.push(Step {
                what: What::Ended(n),
                at: Some(at),
                shown_by: Some(*told),
            });
        }
    }
    all
}
