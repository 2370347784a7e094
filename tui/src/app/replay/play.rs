//! Playing: the cursor goes on by itself, in the pace of the record, and stops where a person would look.

use std::time::Duration;

use account::filter::Filter;

use super::world::is_break;
use super::{Replay, steps::What};
use crate::app::facts::RowFacts;
use crate::app::model::{Effect, Model, Notice, Opened};
use crate::app::update::say;

/// How many times as fast as it happened; `None`: as fast as it can be drawn.
type Speed = Option<f32>;

/// The speeds, slowest first.
const SPEEDS: [Speed; 7] = [
    Some(0.5),
    Some(1.0),
    Some(2.0),
    Some(4.0),
    Some(8.0),
    Some(16.0),
    None,
];

/// Where [`SPEEDS`] says 1.
pub(super) const NORMAL: usize = 1;

/// No gap in the record is waited for longer than this.
const LONGEST: Duration = Duration::from_secs(1);

/// No two steps follow each other faster than this.
const SHORTEST: Duration = Duration::from_millis(40);

/// That a replay plays by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Playing {
    /// The number of the wake that it waits for; others are dropped.
    pub wake: u64,
}

/// Plays or pauses.
pub(crate) fn play(model: &mut Model) -> Vec<Effect> {
    if model.replay.playing.take().is_some() {
        return Vec::new();
    }
    let list = &model.replay.list;
    if list.cursor() + 1 >= list.total() {
        say(model, "this is the last step; gg goes to the first");
        return Vec::new();
    }
    wait(model)
}

/// Changes the speed; what is being waited for is waited for anew.
pub(crate) fn faster(model: &mut Model, by: isize) -> Vec<Effect> {
    let replay = &mut model.replay;
    replay.speed = replay.speed.saturating_add_signed(by).min(SPEEDS.len() - 1);
    if replay.playing.is_some() {
        return wait(model);
    }
    let said = format!("speed {}", said(replay));
    say(model, &said);
    Vec::new()
}

/// The speed as the screen says it.
pub(crate) fn said(replay: &Replay) -> String {
    match SPEEDS.get(replay.speed).copied().flatten() {
        Some(speed) => format!("x{speed}"),
        None => "as fast as it draws".to_owned(),
    }
}

/// Time is up: the next step, unless something else happened meanwhile.
pub(crate) fn woke(model: &mut Model, wake: u64) -> Vec<Effect> {
    if model.replay.playing != Some(Playing { wake }) {
        return Vec::new();
    }
    model.replay.playing = None;
    model.replay.list.step(1);
    let (at, total) = (model.replay.list.cursor(), model.replay.list.total());
    let Some(opened) = &model.opened else {
        return Vec::new();
    };
    if is_break(opened, at) || model.replay.mark == Some(at) {
        say(model, "stopped at a problem; Space goes on");
        return Vec::new();
    }
    if at + 1 >= total {
        say(model, "this is the last step");
        return Vec::new();
    }
    wait(model)
}

/// Waits for the next step as long as the record says, within bounds.
fn wait(model: &mut Model) -> Vec<Effect> {
    let Some(opened) = &model.opened else {
        return Vec::new();
    };
    let at = model.replay.list.cursor();
    let time = |step| opened.steps.get(step).and_then(|step| step.at);
    let gap = match (time(at), time(at + 1)) {
        (Some(now), Some(next)) => Duration::from_nanos(next.since_ns(now)),
        _ => Duration::ZERO,
    };
    let gap = gap.min(LONGEST);
    let after = match SPEEDS.get(model.replay.speed).copied().flatten() {
        Some(speed) => gap.div_f32(speed).max(SHORTEST),
        None => SHORTEST,
    };
    model.generation += 1;
    let wake = model.generation;
    model.replay.playing = Some(Playing { wake });
    vec![Effect::Wake { wake, after }]
}

/// Runs to the next step that a filter keeps.
pub(crate) fn until(model: &mut Model, text: &str) {
    let filter = match model.read_filter(text) {
        Ok(filter) if filter.is_empty() => {
            let hint = "until what? :until is:denied, :until kind:db, :until WORD";
            return say(model, hint);
        }
        Ok(filter) => filter,
        Err(wrong) => {
            model.message = Some(Notice {
                what: wrong.what,
                hint: wrong.hint,
            });
            return;
        }
    };
    let Some(opened) = &model.opened else { return };
    let at = model.replay.list.cursor();
    let found = (at + 1..opened.steps.len()).find(|step| keeps(model, opened, &filter, *step));
    match found {
        Some(step) => model.replay.list.jump(step),
        None => say(model, &format!("no further step is {text}")),
    }
}

/// A row is where it begins: its changes and its end are no further places to stop at.
fn keeps(model: &Model, opened: &Opened, filter: &Filter, step: usize) -> bool {
    let row = match opened.steps.get(step).map(|step| step.what) {
        Some(What::Row(row)) => opened.rows.get(row),
        _ => None,
    };
    let noted = &model.noted;
    row.is_some_and(|row| filter.keeps(&RowFacts { opened, row, noted }))
}
