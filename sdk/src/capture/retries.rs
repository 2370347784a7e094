//! Numbering the attempts at one thing.

use std::sync::{Arc, Mutex, PoisonError};

use vocabulary::id::ActionId;

/// Numbers the attempts at one thing. Code that retries by itself gives the same value to each attempt; retrying
/// middleware around the HTTP layer needs nothing. Cloning shares the count.
#[derive(Debug, Clone, Default)]
pub struct Retries(Arc<Mutex<(u32, Option<ActionId>)>>);

impl Retries {
    /// No attempt yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of the attempt about to be made, from 1, and the action of the one before it.
    pub(super) fn next(&self) -> (u32, Option<ActionId>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        *state
    }

    /// The attempt is this action.
    pub(super) fn made(&self, action: ActionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(action);
    }
}
