//! The last row where nothing else is said: the keys worth knowing on each screen.

use crate::app::Model;
use crate::app::bindings::BINDINGS;
use crate::app::keys::{Action, Binding, Screen};
use crate::app::line::Line;
use crate::app::look::Token;

/// One hint: what is done, or the first of two keys, and how it is called here.
#[derive(Clone, Copy)]
enum Hint {
    Key(Action, &'static str),
    Pair(&'static str, &'static str),
}

use Hint::{Key, Pair};

const EXPORT: Hint = Pair("x", "export");
const COPY: Hint = Pair("y", "copy");

/// Most useful first; what does not fit is left out whole.
fn hints(screen: Screen) -> &'static [Hint] {
    match screen {
        Screen::Home => &[
            Key(Action::Enter, "open"),
            Key(Action::Open, "open by id"),
            Key(Action::Filter, "filter"),
            Key(Action::NextProblem, "next problem"),
        ],
        Screen::Answer => &[
            Key(Action::Enter, "open"),
            Key(Action::NextProblem, "problem"),
            COPY,
            EXPORT,
            Key(Action::Tab(3), "why"),
            Key(Action::Tab(4), "diffs"),
        ],
        Screen::Timeline => &[
            Key(Action::NextProblem, "problem"),
            Key(Action::NextDenied, "denied"),
            Key(Action::NextChange, "change"),
            Key(Action::Search, "find"),
            Key(Action::Filter, "filter"),
            Key(Action::Preview, "preview"),
            EXPORT,
        ],
        Screen::Decisions => &[
            Key(Action::Enter, "in the timeline"),
            Key(Action::Search, "find"),
            COPY,
            EXPORT,
        ],
        Screen::Diffs => &[
            Key(Action::NextResource, "next resource"),
            Key(Action::NextChange, "next change"),
            Key(Action::DiffView, "view"),
            Key(Action::Blame, "blame"),
            Key(Action::SideBySide, "side by side"),
            Key(Action::MoreContext, "more"),
            Key(Action::Enter, "action"),
        ],
        Screen::Replay => &[
            Key(Action::Play, "play"),
            Key(Action::Down, "step"),
            Key(Action::Up, "back"),
            Key(Action::NextProblem, "problem"),
            Key(Action::NextResource, "resource"),
            Key(Action::Compare, "compare"),
        ],
        Screen::Notes => &[
            Key(Action::Enter, "open"),
            Key(Action::Comment, "comment"),
            Key(Action::Tag, "tag"),
            EXPORT,
        ],
        Screen::Integrity => &[Key(Action::Again, "verify again"), COPY, EXPORT],
    }
}

/// Columns that the hints at the end need.
const ALWAYS: usize = 17;

/// The row.
pub(super) fn line(model: &Model, width: usize) -> Line {
    let leave = match model.screen {
        Screen::Home => "quit",
        _ => "leave",
    };
    let hints = hints(model.screen);
    let always = [Key(Action::Help, "help"), Key(Action::Leave, leave)];
    let mut line = doubt(model);
    for (n, hint) in hints.iter().chain(&always).enumerate() {
        let (keys, what) = match *hint {
            Pair(key, what) => (key, what),
            Key(action, what) => match binding(action, model.screen) {
                Some(binding) => (binding.keys.split(' ').next().unwrap_or_default(), what),
                None => continue,
            },
        };
        let reserve = if n < hints.len() { ALWAYS } else { 0 };
        if line.width() + keys.len() + what.len() + 3 + reserve > width {
            continue;
        }
        line = line.put(Token::Plain, if n == 0 { " " } else { "  " });
        line = line
            .put(Token::Title, keys)
            .put(Token::Dim, format!(" {what}"));
    }
    line
}

/// What `?` before a fact means, where some fact has one.
fn doubt(model: &Model) -> Line {
    let line = Line::of(Token::Plain, "");
    let opened = model
        .opened
        .as_ref()
        .filter(|_| model.screen != Screen::Home);
    let parts = opened.map(|opened| opened.account.outcome.evidence.doubt.as_slice());
    let Some((first, rest)) = parts.and_then(<[String]>::split_first) else {
        return line;
    };
    let more = match rest.len() {
        0 => String::new(),
        more => format!(" +{more}"),
    };
    line.put(Token::Ask, format!(" ? depends on {first}{more}"))
        .put(Token::Dim, " (6) ")
}

/// The binding that does this here: one made for this screen before one that works everywhere.
fn binding(action: Action, screen: Screen) -> Option<&'static Binding> {
    let here = || {
        BINDINGS
            .iter()
            .filter(|it| it.action == action && it.works_on(screen))
    };
    here()
        .find(|it| !it.on.is_empty())
        .or_else(|| here().next())
}
