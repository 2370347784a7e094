//! Replay: a cursor over the steps of an account, and the state of everything right after the step it is on.
//!
//! Nothing is ever executed: a step only moves the cursor, and the state is folded from recorded changes.

mod play;
mod steps;
mod world;

use vocabulary::id::RecordRef;

use super::changes::Line;
use super::keys::Screen;
use super::list::List;
use super::model::{Model, Opened};
use super::rows::{self, Item, Row};
use super::travel::leave_for;
use super::update::say;

pub use play::Playing;
pub(crate) use play::{faster, play, said as speed, until, woke};
pub use steps::{Step, Steps, What};
pub use world::{Running, Standing, World};

/// A step, the resource that is asked for, and the step that it is compared with.
type Computed = (usize, Option<usize>, Option<usize>);

/// The replay screen's own state.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// The cursor over the steps.
    pub list: List,
    /// The state right after the step under the cursor.
    pub world: World,
    /// The lines of the resource that is looked at.
    pub lines: Vec<Line>,
    /// The resource that the user holds on to, as an index into the account's changed resources; without one, the
    /// resource that changed last is looked at.
    pub held: Option<usize>,
    /// The resource that it was opened for: looked at until another one is.
    pub opened_for: Option<usize>,
    /// The step that this one is compared with.
    pub mark: Option<usize>,
    /// Whether it plays by itself, and how.
    pub playing: Option<Playing>,
    /// How fast it plays, as an index into the speeds, slowest first.
    pub speed: usize,
    /// What `world` and `lines` were computed for.
    computed: Option<Computed>,
}

impl Replay {
    /// A replay on its first step.
    pub(crate) fn of(opened: &Opened) -> Replay {
        Replay {
            list: List::new(opened.steps.len()),
            speed: play::NORMAL,
            ..Replay::default()
        }
    }

    /// After another account took the place of the one that it was computed from.
    pub(crate) fn renewed(&mut self, held: Option<usize>, mark: Option<usize>) {
        self.held = held;
        self.mark = mark;
        self.computed = None;
    }

    /// The resource that is looked at, as an index into the account's changed resources.
    pub fn looked_at(&self) -> Option<usize> {
        self.held
            .or(self.opened_for)
            .or_else(|| self.world.resources.first().map(|it| it.resource))
    }
}

/// Computes the state again after the cursor, the resource or the mark changed. Part of every update.
pub(crate) fn sync(model: &mut Model) {
    if model.screen != Screen::Replay {
        model.replay.playing = None;
        return;
    }
    let Some(opened) = &model.opened else { return };
    let replay = &mut model.replay;
    let asked = replay.held.or(replay.opened_for);
    let wanted = (replay.list.cursor(), asked, replay.mark);
    if replay.computed == Some(wanted) {
        return;
    }
    replay.world = World::after(opened, wanted.0);
    replay.lines = match replay.looked_at() {
        Some(resource) => world::lines(opened, resource, wanted.0, replay.mark),
        None => Vec::new(),
    };
    replay.computed = Some(wanted);
}

/// Opens the replay at the step of a row.
pub(crate) fn open_at(model: &mut Model, row: Option<usize>) {
    let Some(opened) = &model.opened else { return };
    let step = row.and_then(|row| opened.steps.of_row(row));
    let changed = row.and_then(|row| resource_of(opened, row));
    if model.screen != Screen::Replay {
        leave_for(model, Screen::Replay);
    }
    model.replay.held = None;
    model.replay.opened_for = changed;
    if let Some(step) = step {
        model.replay.list.jump(step);
    }
}

/// The resource that a row changed, as an index into the account's changed resources; none where it changed several.
fn resource_of(opened: &Opened, row: usize) -> Option<usize> {
    let Item::Action(n) = opened.rows.get(row)?.item else {
        return None;
    };
    let diffs = opened.rows.diffs_of_action(&opened.account.actions[n].id);
    let name = &opened.account.diffs.get(*diffs.first()?)?.resource;
    let same = |n: &usize| opened.account.diffs[*n].resource == *name;
    if !diffs.iter().all(same) {
        return None;
    }
    let all = &opened.changes.resources;
    all.iter().position(|it| it.name == *name)
}

/// Goes to the last step of a record or before it.
pub(crate) fn go_to(model: &mut Model, wanted: RecordRef) -> bool {
    let step = model
        .opened
        .as_ref()
        .and_then(|opened| opened.steps.of_ref(wanted));
    if let Some(step) = step {
        model.replay.list.jump(step);
    }
    step.is_some()
}

/// The row of the timeline that the step under the cursor belongs to.
pub(crate) fn row(model: &Model) -> Option<usize> {
    let opened = model.opened.as_ref()?;
    let step = model.replay.list.cursor();
    opened.steps.row(&opened.account, &opened.rows, step)
}

/// Moves to the next or previous step whose row fits; a change fits where `changes` says so.
pub(crate) fn jump(
    model: &mut Model,
    forward: bool,
    what: &str,
    changes: bool,
    fits: impl Fn(&Model, &Row) -> bool,
) {
    let Some(opened) = &model.opened else { return };
    let at = model.replay.list.cursor();
    let holds = |step: &usize| match opened.steps.get(*step).map(|step| step.what) {
        Some(What::Change(_)) => changes,
        Some(What::Row(row)) => {
            !changes && opened.rows.get(row).is_some_and(|row| fits(model, row))
        }
        _ => false,
    };
    let found = if forward {
        (at + 1..opened.steps.len()).find(holds)
    } else {
        (0..at).rev().find(holds)
    };
    match found {
        Some(step) => model.replay.list.jump(step),
        None => say(
            model,
            &format!("no {} {what}", if forward { "further" } else { "earlier" }),
        ),
    }
}

/// Looks at the next or previous of the resources that have changed so far, and holds on to it.
pub(crate) fn next_resource(model: &mut Model, by: isize) {
    let replay = &mut model.replay;
    let resources = &replay.world.resources;
    let looked_at = replay.looked_at();
    let at = resources
        .iter()
        .position(|it| Some(it.resource) == looked_at)
        .unwrap_or(0);
    match at
        .checked_add_signed(by)
        .and_then(|next| resources.get(next))
    {
        Some(next) => replay.held = Some(next.resource),
        None if resources.is_empty() => say(model, "nothing has changed yet"),
        None => say(model, "no further resource has changed yet"),
    }
}

/// Marks this step for comparing, or stops comparing.
pub(crate) fn compare(model: &mut Model) {
    let here = model.replay.list.cursor();
    let said = match model.replay.mark.take() {
        Some(mark) if mark != here => "no longer compared".to_owned(),
        Some(_) => "mark removed".to_owned(),
        None => {
            model.replay.mark = Some(here);
            "marked: go to another step to see what changed in between; D stops".to_owned()
        }
    };
    say(model, &said);
}

/// What happened in a step, in one line.
pub fn what(opened: &Opened, step: &Step) -> String {
    let account = &opened.account;
    match step.what {
        What::Row(row) => match opened.rows.get(row).map(|row| row.item) {
            // How it came out is told where it came out.
            Some(Item::Action(n)) if opened.steps.ends_later(n) => {
                super::words::attempt(&account.actions[n])
            }
            Some(item) => rows::what(account, item),
            None => String::new(),
        },
        What::Change(diff) => super::words::change(&account.diffs[diff]),
        What::Ended(n) => {
            let action = &account.actions[n];
            let outcome = action.outcome.as_str().replace('_', " ");
            format!("{outcome}: {}", super::words::action(action))
        }
    }
}
