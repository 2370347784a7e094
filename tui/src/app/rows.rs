//! The timeline's index: one small value per row; texts are made for visible rows only.

use std::collections::HashMap;

use account::model::{Account, Evidence};
use vocabulary::Timestamp;
use vocabulary::action::Kind;
use vocabulary::id::RecordRef;
use vocabulary::problem::ProblemKind;

use super::marks::{self, Mark};
use super::words;

/// What a row stands for: a list of the account and the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// A session's start.
    Start(usize),
    /// What was asked.
    Asked(usize),
    /// A declared scope.
    Scope(usize),
    /// An authorization.
    Authorization(usize),
    /// Something loaded.
    Context(usize),
    /// An action.
    Action(usize),
    /// A decision.
    Decision(usize),
    /// A piece of reasoning.
    Reasoning(usize),
    /// A change whose action is not in the account.
    Diff(usize),
    /// A session's end.
    End(usize),
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What it stands for.
    pub item: Item,
    /// When.
    pub at: Option<Timestamp>,
    /// The record that shows it best.
    pub shown_by: Option<RecordRef>,
    /// How deep it is below the action that caused it.
    pub depth: u8,
    /// The worst problem that concerns it, as an index into the account's problems.
    pub problem: Option<u32>,
    /// Whether something changed by it.
    pub changed: bool,
}

/// All rows of an account, in the order in which things happened.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    rows: Vec<Row>,
    by_action: HashMap<String, usize>,
    by_decision: HashMap<String, usize>,
    by_ref: HashMap<RecordRef, usize>,
    problem_rows: Vec<Option<usize>>,
    /// The diffs of an action's row.
    diffs: HashMap<usize, Vec<usize>>,
}

impl Rows {
    /// Builds the index of an account.
    pub fn of(account: &Account) -> Rows {
        let mut rows = collect(account);
        rows.sort_by_key(|row| (row.at.is_none(), row.at, row.shown_by));
        let mut index = Rows {
            rows,
            ..Rows::default()
        };
        for (at, row) in index.rows.iter().enumerate() {
            match row.item {
                Item::Action(n) => drop(index.by_action.insert(account.actions[n].id.clone(), at)),
                Item::Decision(n) => drop(
                    index
                        .by_decision
                        .insert(account.decisions[n].id.clone(), at),
                ),
                _ => {}
            }
            for shown_by in refs(account, row.item) {
                index.by_ref.entry(*shown_by).or_insert(at);
            }
        }
        // Its record also stands behind the decision that it explains; the record itself is the reasoning.
        for (at, row) in index.rows.iter().enumerate() {
            if let (Item::Reasoning(_), Some(shown_by)) = (row.item, row.shown_by) {
                index.by_ref.insert(shown_by, at);
            }
        }
        index.set_depths(account);
        index.place_diffs(account);
        index.place_problems(account);
        index
    }

    fn set_depths(&mut self, account: &Account) {
        for at in 0..self.rows.len() {
            let Item::Action(n) = self.rows[at].item else {
                continue;
            };
            let parent = account.actions[n]
                .parent
                .as_ref()
                .and_then(|id| self.by_action.get(id));
            if let Some(parent) = parent.filter(|parent| **parent < at) {
                self.rows[at].depth = (self.rows[*parent].depth + 1).min(6);
            }
        }
    }

    fn place_diffs(&mut self, account: &Account) {
        for (n, diff) in account.diffs.iter().enumerate() {
            let Some(at) = diff
                .action
                .as_ref()
                .and_then(|id| self.by_action.get(id))
                .copied()
            else {
                continue;
            };
            self.rows[at].changed = true;
            self.diffs.entry(at).or_default().push(n);
            for shown_by in &diff.evidence.refs {
                self.by_ref.entry(*shown_by).or_insert(at);
            }
        }
        for row in &mut self.rows {
            row.changed |= matches!(row.item, Item::Diff(_));
        }
    }

    fn place_problems(&mut self, account: &Account) {
        for (n, problem) in account.problems.iter().enumerate() {
            let by_action = problem
                .action
                .as_ref()
                .and_then(|id| self.by_action.get(id))
                .copied();
            let at = by_action.or_else(|| {
                problem
                    .evidence
                    .refs
                    .iter()
                    .find_map(|shown_by| self.by_ref.get(shown_by))
                    .copied()
            });
            if let Some(at) = at {
                // Problems come worst first, so the first one stays.
                let first = self.rows[at].problem.is_none();
                if first {
                    self.rows[at].problem = u32::try_from(n).ok();
                }
            }
            self.problem_rows.push(at);
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A row.
    pub fn get(&self, at: usize) -> Option<&Row> {
        self.rows.get(at)
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// The row of an action.
    pub fn of_action(&self, id: &str) -> Option<usize> {
        self.by_action.get(id).copied()
    }

    /// The row of a decision.
    pub fn of_decision(&self, id: &str) -> Option<usize> {
        self.by_decision.get(id).copied()
    }

    /// What an action changed, as indexes into the account's diffs.
    pub fn diffs_of_action(&self, id: &str) -> &[usize] {
        let row = self.by_action.get(id);
        row.and_then(|row| self.diffs.get(row))
            .map_or(&[], Vec::as_slice)
    }

    /// The decision of an id, as an index into the account's decisions.
    pub fn decision(&self, id: &str) -> Option<usize> {
        match self.rows.get(*self.by_decision.get(id)?)?.item {
            Item::Decision(n) => Some(n),
            _ => None,
        }
    }

    /// The row that a record belongs to.
    pub fn of_ref(&self, shown_by: RecordRef) -> Option<usize> {
        self.by_ref.get(&shown_by).copied()
    }

    /// The row that a problem concerns; `None` for one that is about no single row.
    pub fn of_problem(&self, problem: usize) -> Option<usize> {
        self.problem_rows.get(problem).copied().flatten()
    }
}

fn collect(account: &Account) -> Vec<Row> {
    let row = |item, at, refs: &[RecordRef]| Row {
        item,
        at,
        shown_by: refs.first().copied(),
        depth: 0,
        problem: None,
        changed: false,
    };
    let mut rows = Vec::with_capacity(
        account.actions.len() + account.decisions.len() + account.context.len() + 8,
    );
    for (n, it) in account.sessions.iter().enumerate() {
        rows.push(row(Item::Start(n), it.started_at, &it.evidence.refs));
        if it.ended_at.is_some() {
            rows.push(row(
                Item::End(n),
                it.ended_at,
                it.evidence
                    .refs
                    .last()
                    .map(std::slice::from_ref)
                    .unwrap_or_default(),
            ));
        }
    }
    for (n, it) in account.asked.iter().enumerate() {
        rows.push(row(
            Item::Asked(n),
            it.at,
            it.evidence
                .refs
                .last()
                .map(std::slice::from_ref)
                .unwrap_or_default(),
        ));
    }
    for (n, it) in account.scope.iter().enumerate() {
        rows.push(row(Item::Scope(n), it.from, &it.evidence.refs));
    }
    for (n, it) in account.authorization.iter().enumerate() {
        rows.push(row(Item::Authorization(n), it.from, &it.evidence.refs));
    }
    for (n, it) in account.context.iter().enumerate() {
        rows.push(row(Item::Context(n), it.at, &it.evidence.refs));
    }
    for (n, it) in account.actions.iter().enumerate() {
        rows.push(row(
            Item::Action(n),
            it.began_at.or(it.ended_at),
            &it.evidence.refs,
        ));
    }
    for (n, it) in account.decisions.iter().enumerate() {
        rows.push(row(Item::Decision(n), it.at, &it.evidence.refs));
    }
    for (n, it) in account.reasoning.iter().enumerate() {
        rows.push(row(Item::Reasoning(n), it.at, &it.evidence.refs));
    }
    let known: std::collections::HashSet<&str> = account
        .actions
        .iter()
        .map(|action| action.id.as_str())
        .collect();
    for (n, it) in account.diffs.iter().enumerate() {
        if it.action.as_deref().is_none_or(|id| !known.contains(id)) {
            rows.push(row(Item::Diff(n), it.at, &it.evidence.refs));
        }
    }
    rows
}

/// The records behind a row.
pub fn refs(account: &Account, item: Item) -> &[RecordRef] {
    &evidence(account, item).refs
}

/// Where a row's facts come from.
pub(super) fn evidence(account: &Account, item: Item) -> &Evidence {
    match item {
        Item::Start(n) | Item::End(n) => &account.sessions[n].evidence,
        Item::Asked(n) => &account.asked[n].evidence,
        Item::Scope(n) => &account.scope[n].evidence,
        Item::Authorization(n) => &account.authorization[n].evidence,
        Item::Context(n) => &account.context[n].evidence,
        Item::Action(n) => &account.actions[n].evidence,
        Item::Decision(n) => &account.decisions[n].evidence,
        Item::Reasoning(n) => &account.reasoning[n].evidence,
        Item::Diff(n) => &account.diffs[n].evidence,
    }
}

/// What stands before a row: `?` where it depends on a part of the record that does not hold.
pub fn doubt(account: &Account, item: Item) -> &'static str {
    evidence(account, item).mark()
}

/// The row's kind, as the KIND column shows it.
pub fn kind(account: &Account, item: Item) -> &str {
    match item {
        Item::Start(_) => "start",
        Item::End(_) => "end",
        Item::Asked(_) => "asked",
        Item::Scope(_) => "scope",
        Item::Authorization(_) => "auth",
        Item::Context(_) => "load",
        Item::Action(n) => match &account.actions[n].kind {
            Kind::Process => "proc",
            other => other.as_str(),
        },
        Item::Decision(_) => "decide",
        Item::Reasoning(_) => "reason",
        Item::Diff(_) => "diff",
    }
}

/// The row's mark: its problem where that says more than the outcome does, else its verdict or outcome.
pub fn mark(account: &Account, row: &Row) -> Mark {
    let problem = row.problem.and_then(|n| account.problems.get(n as usize));
    let own = match row.item {
        Item::Action(n) => marks::of_action(&account.actions[n]),
        _ => marks::NONE,
    };
    match problem {
        Some(problem) if problem.kind == ProblemKind::ErrorRecovered => own,
        Some(problem) => marks::of_problem(problem),
        None => own,
    }
}

/// What happened in the row, in one line.
pub fn what(account: &Account, item: Item) -> String {
    match item {
        Item::Start(n) => words::session_started(&account.sessions[n]),
        Item::End(n) => format!("session ended: {}", account.sessions[n].end_reason),
        Item::Asked(n) => words::asked(&account.asked[n]),
        Item::Scope(n) => words::scope(&account.scope[n]),
        Item::Authorization(n) => words::authorization(&account.authorization[n]),
        Item::Context(n) => words::context(&account.context[n]),
        Item::Action(n) => words::action(&account.actions[n]),
        Item::Decision(n) => words::decision(&account.decisions[n]),
        Item::Reasoning(n) => words::reasoning(&account.reasoning[n]),
        Item::Diff(n) => format!(
            "{} {}",
            words::sign(&account.diffs[n]),
            account.diffs[n].resource
        ),
    }
}
