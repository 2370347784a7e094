//! The pure core of the screens: a model, messages that change it, effects as values, and a view.
//!
//! Nothing here reads a clock, a file or a terminal, so every screen is a function of a value.

pub mod bindings;
pub mod keys;
pub mod look;

pub mod clock;
pub mod facts;
pub mod line;
pub mod list;
pub(crate) mod time;

pub mod changes;
pub mod marks;
pub mod palette;
pub mod replay;
pub mod rows;
pub mod words;

mod card;
mod chain;
mod copy;
mod edits;
mod export;
mod follow;
mod jumps;
mod model;
mod noting;
mod picker;
mod prompt;
mod renew;
mod travel;
mod update;

pub use crate::screen::view;
pub use card::Card;
pub(crate) use edits::{change_under, show_resource};
pub use export::Exported;
pub use follow::{Follow, News, Watch};
pub use jumps::Jumps;
pub use model::{
    Diffs, Effect, Home, Listed, Model, Msg, Notice, Opened, Prompt, PromptKind, SessionRow, Spot,
    Timeline,
};
pub(crate) use noting::{Line as NoteLine, is_marked, lines as note_lines};
pub use picker::{Candidate, Picker};
pub use prompt::parse_ref;
pub(crate) use travel::show_record;
pub use update::update;
