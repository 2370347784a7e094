//! Which one? The overlay for a name that leads to several requests.

use vocabulary::Timestamp;

use super::keys::{self, Action, Code, Key, Meaning, Screen};
use super::list::List;

/// Something that a name could mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What kind of name it is: `request`, `ticket`, `session`, `path`, `user`, `agent`, `trace` or `stream`.
    pub kind: &'static str,
    /// The whole name.
    pub name: String,
    /// What opens it.
    pub query: String,
    /// The agent, where it is known.
    pub agent: String,
    /// When its session started.
    pub started: Option<Timestamp>,
    /// How it came out.
    pub status: String,
    /// Whether the name is the one that was given, not only like it.
    pub exact: bool,
}

impl Candidate {
    /// A name that resolves by itself.
    pub(crate) fn of(kind: &'static str, name: &str) -> Candidate {
        Candidate {
            kind,
            name: name.to_owned(),
            query: format!("{kind}:{name}"),
            agent: String::new(),
            started: None,
            status: String::new(),
            exact: false,
        }
    }

    /// One line: kind, name, request, agent, start, outcome.
    pub fn told(&self) -> String {
        let at = self.started.map(|at| at.to_string()).unwrap_or_default();
        let Candidate {
            kind,
            name,
            query,
            agent,
            status,
            ..
        } = self;
        let line = format!("{kind:<8} {name}  {query}  {agent}  {at}  {status}");
        line.trim_end().to_owned()
    }
}

/// An open picker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picker {
    /// What was asked for.
    pub query: String,
    /// What it could mean.
    pub candidates: Vec<Candidate>,
    /// The cursor over them.
    pub list: List,
}

/// What a key meant to an open picker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Picked {
    /// It stays open.
    Stay,
    /// It closes.
    Close,
    /// It closes, and this is opened.
    Open(String),
}

impl Picker {
    /// A picker over these.
    pub(crate) fn of(query: String, candidates: Vec<Candidate>) -> Picker {
        Picker {
            list: List::new(candidates.len()),
            query,
            candidates,
        }
    }

    pub(super) fn press(&mut self, key: Key) -> Picked {
        match key.code {
            Code::Esc | Code::Char('q') => return Picked::Close,
            Code::Enter => {
                let chosen = self.candidates.get(self.list.cursor());
                return chosen.map_or(Picked::Close, |it| Picked::Open(it.query.clone()));
            }
            // As in the list on a terminal, which is answered by a number.
            Code::Char(c @ '1'..='9') => {
                let at = c as usize - '1' as usize;
                if let Some(chosen) = self.candidates.get(at) {
                    return Picked::Open(chosen.query.clone());
                }
            }
            _ => match keys::meaning(&key.name(), Screen::Home) {
                Meaning::Does(Action::Down) => self.list.step(1),
                Meaning::Does(Action::Up) => self.list.step(-1),
                Meaning::Does(Action::HalfDown | Action::PageDown) => self.list.page(1),
                Meaning::Does(Action::HalfUp | Action::PageUp) => self.list.page(-1),
                _ => {}
            },
        }
        Picked::Stay
    }
}
