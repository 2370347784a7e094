//! The state of everything that an account tells of, right after one step.

use account::model::Content;
use vocabulary::record::ContentState;

use super::steps::{Steps, What};
use crate::app::changes::{self, By, Line, Text};
use crate::app::model::Opened;
use crate::app::rows::Item;
use crate::app::words;

/// More unchanged lines than a content can have, so that all of them are shown; it is doubled where it is used.
const ALL: usize = usize::MAX / 4;

/// Resources that a state lists.
const MOST: usize = 500;

/// One resource as a step left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The resource, as an index into the account's changed resources.
    pub resource: usize,
    /// The change that left it so, as an index into the account's diffs.
    pub by: usize,
    /// Whether that was this very step.
    pub now: bool,
}

/// Where one session stands, each part as an index into the account's list of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The session.
    pub session: usize,
    /// Whether it had ended.
    pub ended: bool,
    /// The scope in force.
    pub scope: Option<usize>,
    /// The authorization in force.
    pub authorization: Option<usize>,
}

/// The state right after one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// What had changed so far, the last one first; of very many, those that changed last.
    pub resources: Vec<Standing>,
    /// How many resources had changed so far.
    pub changed: usize,
    /// The sessions that had started.
    pub sessions: Vec<Running>,
    /// Actions that had begun and not ended, as indexes into the account's actions.
    pub running: Vec<usize>,
    /// Changes so far that stand.
    pub changes: usize,
    /// Problems that had shown themselves so far.
    pub problems: usize,
}

impl World {
    /// The state right after a step. Takes time that grows with the number of sessions only.
    pub fn after(opened: &Opened, step: usize) -> World {
        let steps = &opened.steps;
        let resources = steps.changed(step, MOST).into_iter();
        let (changes, changed) = steps.counted(step);
        World {
            sessions: sessions(opened, steps, step),
            running: steps.running(&opened.rows, step),
            changes,
            changed,
            problems: steps.problems(step),
            resources: resources
                .map(|(resource, by)| Standing {
                    resource,
                    by,
                    now: steps.of_diff(by) == Some(step),
                })
                .collect(),
        }
    }
}

fn sessions(opened: &Opened, steps: &Steps, step: usize) -> Vec<Running> {
    let account = &opened.account;
    let mut sessions: Vec<Running> = Vec::new();
    for row in steps.told(step).filter_map(|row| opened.rows.get(row)) {
        let name = match row.item {
            Item::Start(session) => {
                sessions.push(Running {
                    session,
                    ended: false,
                    scope: None,
                    authorization: None,
                });
                continue;
            }
            Item::End(session) => account.sessions[session].name,
            Item::Scope(scope) => account.scope[scope].session,
            Item::Authorization(it) => account.authorization[it].session,
            _ => continue,
        };
        let mut all = sessions.iter_mut();
        let Some(told) = all.find(|it| account.sessions[it.session].name == name) else {
            continue;
        };
        match row.item {
            Item::End(_) => told.ended = true,
            Item::Scope(scope) => told.scope = Some(scope),
            Item::Authorization(it) => told.authorization = Some(it),
            _ => {}
        }
    }
    sessions
}

/// A resource's lines as a step left it: what the step changed is marked; with a mark, what changed between the two.
pub(super) fn lines(
    opened: &Opened,
    resource: usize,
    step: usize,
    mark: Option<usize>,
) -> Vec<Line> {
    let (account, steps) = (&opened.account, &opened.steps);
    let standing = |step| content_at(opened, resource, step);
    let mut lines = Vec::new();
    let Some(first) = opened
        .changes
        .resources
        .get(resource)
        .and_then(|it| it.diffs.first())
    else {
        return lines;
    };
    let kind = &account.diffs[*first].kind;
    let by = steps.left_by(resource, step).map_or(By::Earlier, By::Diff);
    if let Some(mark) = mark {
        let (from, to) = (mark.min(step), mark.max(step));
        match (standing(from), standing(to)) {
            (Some(before), Some(after)) => {
                changes::between((kind, By::Unrecorded), before, after, ALL, &mut lines);
            }
            _ => lines.push(Line::Note("nothing is recorded of it".to_owned())),
        }
        return lines;
    }
    let now = steps
        .left_by(resource, step)
        .filter(|by| steps.of_diff(*by) == Some(step));
    match (now, standing(step)) {
        (Some(by), _) => {
            let diff = &account.diffs[by];
            changes::between(
                (kind, By::Diff(by)),
                &diff.before,
                &diff.after,
                ALL,
                &mut lines,
            );
        }
        (None, Some(content)) => match account::change::text(content) {
            _ if content.state == ContentState::Absent => {
                lines.push(Line::Note("it is not there".to_owned()));
            }
            Some(text) => lines.extend(
                text.lines()
                    .enumerate()
                    .map(|(n, line)| Line::Same(n + 1, n + 1, Text::of(line, by))),
            ),
            None => lines.push(Line::Note(words::content_state(content))),
        },
        (None, None) => {}
    }
    lines
}

/// What a resource was right after a step: before its first change, the state that this change met.
fn content_at(opened: &Opened, resource: usize, step: usize) -> Option<&Content> {
    let diffs = &opened.account.diffs;
    match opened.steps.left_by(resource, step) {
        Some(by) => Some(&diffs[by].after),
        None => {
            let first = opened.changes.resources.get(resource)?.diffs.first()?;
            Some(&diffs[*first].before)
        }
    }
}

/// Whether the step is one at which a person would want to stop: a problem, a denial, an error, the mark.
pub(super) fn is_break(opened: &Opened, step: usize) -> bool {
    match opened.steps.get(step).map(|step| step.what) {
        Some(What::Row(row)) => opened
            .rows
            .get(row)
            .is_some_and(|row| row.problem.is_some()),
        _ => false,
    }
}
