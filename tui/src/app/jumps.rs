//! Where the user jumped from, so that one can go back there and forward again.

use super::edits::show_resource;
use super::keys::{Action, Screen};
use super::model::{Model, Spot};
use super::update::say;

/// So many places are remembered.
const KEPT: usize = 100;

/// The places, oldest first, and which of them the user is at; past the last one while nobody goes back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jumps {
    places: Vec<Spot>,
    at: usize,
}

impl Jumps {
    /// The places, oldest first.
    pub(super) fn spots(&self) -> &[Spot] {
        &self.places
    }

    /// The same places in an account that took the place of another.
    pub(super) fn renew(&mut self, places: Vec<Spot>) {
        self.at = self.at.min(places.len());
        self.places = places;
    }
}

/// Whether an action may lead far from where the user is.
pub(super) fn is_jump(action: Action) -> bool {
    use Action::{
        Bottom, Cause, Enter, GoTo, NextAnomaly, NextChange, NextDenied, NextError, NextFile,
        NextFinding, NextFound, NextHuman, NextMark, NextProblem, NextResource, PreviousAnomaly,
        PreviousChange, PreviousDenied, PreviousError, PreviousFile, PreviousFinding,
        PreviousFound, PreviousHuman, PreviousMark, PreviousProblem, PreviousResource, ReplayHere,
        Result, Search, Tab, Top,
    };
    matches!(
        action,
        Top | Bottom
            | GoTo
            | Tab(_)
            | Action::NextTab
            | Action::PreviousTab
            | Enter
            | NextProblem
            | PreviousProblem
            | NextDenied
            | PreviousDenied
            | NextError
            | PreviousError
            | NextAnomaly
            | PreviousAnomaly
            | NextHuman
            | PreviousHuman
            | NextChange
            | PreviousChange
            | NextFile
            | PreviousFile
            | NextFinding
            | PreviousFinding
            | NextResource
            | PreviousResource
            | Search
            | NextFound
            | PreviousFound
            | NextMark
            | PreviousMark
            | Cause
            | Result
            | ReplayHere
    )
}

/// Where the user is.
pub(super) fn here(model: &Model) -> Spot {
    Spot {
        screen: model.screen,
        cursor: model.active().cursor(),
        resource: model.diffs.resource,
    }
}

/// Remembers where the user was, when that is somewhere else than now. What lay ahead is forgotten.
pub(super) fn remember(model: &mut Model, was: Spot) {
    if was == here(model) || was.screen == Screen::Home || model.screen == Screen::Home {
        return;
    }
    let jumps = &mut model.jumps;
    jumps.places.truncate(jumps.at);
    if jumps.places.last() != Some(&was) {
        jumps.places.push(was);
    }
    if jumps.places.len() > KEPT {
        jumps.places.remove(0);
    }
    jumps.at = jumps.places.len();
}

/// To where the user jumped from.
pub(super) fn back(model: &mut Model) {
    let now = here(model);
    let jumps = &mut model.jumps;
    if jumps.at == 0 {
        return say(model, "there is no earlier place");
    }
    if jumps.at == jumps.places.len() {
        // So that going forward leads here again.
        jumps.places.push(now);
    }
    jumps.at -= 1;
    let to = jumps.places[jumps.at];
    go(model, to);
}

/// To where the user went back from.
pub(super) fn forward(model: &mut Model) {
    let jumps = &mut model.jumps;
    if jumps.at + 1 >= jumps.places.len() {
        return say(model, "there is no later place");
    }
    jumps.at += 1;
    let to = jumps.places[jumps.at];
    if jumps.at + 1 == jumps.places.len() {
        // This was where the user stood, not where a jump began.
        jumps.places.pop();
    }
    go(model, to);
}

fn go(model: &mut Model, to: Spot) {
    model.screen = to.screen;
    if to.screen == Screen::Diffs && to.resource != model.diffs.resource {
        show_resource(model, to.resource);
    }
    model.active_mut().jump(to.cursor);
}
