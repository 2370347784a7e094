//! What can be pressed, what it can do, and what was meant by what was typed; the table itself is `bindings`.

use std::fmt::Write as _;

use super::bindings::BINDINGS;
use crate::args::ExportForm;

/// A key press, without the terminal library's types, so that tests and the pure core can make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which key.
    pub code: Code,
    /// Whether Ctrl was held.
    pub ctrl: bool,
}

/// The keys that the program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those on the keyboard")]
pub enum Code {
    Char(char),
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Tab,
    BackTab,
    Enter,
    Esc,
    Backspace,
}

impl Key {
    /// A key without modifiers.
    pub fn of(code: Code) -> Key {
        Key { code, ctrl: false }
    }

    /// A character key.
    pub fn char(c: char) -> Key {
        Key::of(Code::Char(c))
    }

    /// A character key with Ctrl.
    pub fn ctrl(c: char) -> Key {
        Key {
            code: Code::Char(c),
            ctrl: true,
        }
    }

    /// The key's name as the table writes it.
    pub fn name(self) -> String {
        let mut name = String::new();
        if self.ctrl {
            name.push_str("Ctrl-");
        }
        let _ = match self.code {
            Code::Char(' ') => write!(name, "Space"),
            Code::Char(c) => write!(name, "{c}"),
            other => write!(name, "{other:?}"),
        };
        name
    }
}

/// The screens, as far as keys differ between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Screen {
    /// Which sessions there are.
    Home,
    /// What, why, who, on one page.
    Answer,
    /// Every row in order.
    Timeline,
    /// The choices the agent made.
    Decisions,
    /// What changed.
    Diffs,
    /// The state after each step.
    Replay,
    /// Whether the record is whole.
    Integrity,
    /// What an investigator wrote.
    Notes,
}

impl Screen {
    /// The tabs of an opened account, in order.
    pub const TABS: [Screen; 7] = [
        Screen::Answer,
        Screen::Timeline,
        Screen::Decisions,
        Screen::Diffs,
        Screen::Replay,
        Screen::Integrity,
        Screen::Notes,
    ];

    /// The name in the tab row, the breadcrumb and the help.
    pub fn name(self) -> &'static str {
        match self {
            Screen::Home => "Home",
            Screen::Answer => "Answer",
            Screen::Timeline => "Timeline",
            Screen::Decisions => "Decisions",
            Screen::Diffs => "Diffs",
            Screen::Replay => "Replay",
            Screen::Integrity => "Integrity",
            Screen::Notes => "Notes",
        }
    }
}

/// What a key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is described by its line in the table")]
pub enum Action {
    Down,
    Up,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    Top,
    Bottom,
    GoTo,
    Tab(u8),
    NextTab,
    PreviousTab,
    Enter,
    Back,
    Leave,
    Quit,
    Suspend,
    Open,
    NextProblem,
    PreviousProblem,
    NextDenied,
    PreviousDenied,
    NextError,
    PreviousError,
    NextAnomaly,
    PreviousAnomaly,
    NextFile,
    PreviousFile,
    JumpBack,
    JumpForward,
    Blame,
    NextHuman,
    PreviousHuman,
    NextChange,
    PreviousChange,
    NextFinding,
    PreviousFinding,
    NextResource,
    PreviousResource,
    Search,
    NextFound,
    PreviousFound,
    Filter,
    OnlyProblems,
    Preview,
    SideBySide,
    MoreContext,
    LessContext,
    DiffView,
    EarlierEdit,
    LaterEdit,
    CopyLine,
    CopyJson,
    CopyLink,
    CopyCitation,
    CopyCommand,
    CopyPatch,
    ReplayHere,
    Play,
    Faster,
    Slower,
    Compare,
    Palette,
    Cause,
    Result,
    Mark,
    Tag,
    Comment,
    SaveFilter,
    Export(ExportForm),
    Zoom,
    NextMark,
    PreviousMark,
    TimeFormat,
    Zone,
    Again,
    Follow,
    Help,
}

/// One line of the key table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Key names, separated by spaces; any of them works. Two-key chords are written together (`]d`).
    pub keys: &'static str,
    /// What it does.
    pub action: Action,
    /// The help's heading.
    pub group: &'static str,
    /// What the help says.
    pub what: &'static str,
    /// Where it works; empty: everywhere.
    pub on: &'static [Screen],
}

impl Binding {
    /// Whether the binding works on a screen.
    pub fn works_on(&self, screen: Screen) -> bool {
        self.on.is_empty() || self.on.contains(&screen)
    }
}

/// What the keys typed so far mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A binding.
    Does(Action),
    /// The beginning of a longer binding.
    Begins,
    /// Nothing.
    Nothing,
}

/// Whether a binding's keys are two that follow each other: `Up` is the name of one.
fn is_chord(keys: &str) -> bool {
    keys.len() == 2 && keys != "Up"
}

/// Looks typed keys up on a screen.
pub fn meaning(typed: &str, screen: Screen) -> Meaning {
    let mut begins = false;
    for binding in BINDINGS.iter().filter(|binding| binding.works_on(screen)) {
        for keys in binding.keys.split(' ') {
            if keys == typed {
                return Meaning::Does(binding.action);
            }
            // Only chords of plain characters have beginnings: `g` begins `gg`, never `Ctrl-g`.
            begins |= is_chord(keys) && keys.starts_with(typed);
        }
    }
    if begins {
        Meaning::Begins
    } else {
        Meaning::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Screen; 8] = [
        Screen::Home,
        Screen::Answer,
        Screen::Timeline,
        Screen::Decisions,
        Screen::Diffs,
        Screen::Replay,
        Screen::Integrity,
        Screen::Notes,
    ];

    #[test]
    fn no_screen_has_two_bindings_for_one_key() {
        for screen in ALL {
            let mut seen: Vec<&str> = Vec::new();
            for binding in BINDINGS.iter().filter(|binding| binding.works_on(screen)) {
                for keys in binding.keys.split(' ') {
                    assert!(!seen.contains(&keys), "{keys} twice on {screen:?}");
                    seen.push(keys);
                }
            }
            for first in &seen {
                let chord = seen
                    .iter()
                    .find(|keys| is_chord(keys) && first.len() == 1 && keys.starts_with(first));
                assert_eq!(chord, None, "{first} hides a chord on {screen:?}");
            }
        }
    }

    #[test]
    fn a_chord_begins_with_its_first_key() {
        assert_eq!(meaning("]", Screen::Timeline), Meaning::Begins);
        assert_eq!(
            meaning("]d", Screen::Timeline),
            Meaning::Does(Action::NextDenied)
        );
        assert_eq!(meaning("g", Screen::Home), Meaning::Begins);
        assert_eq!(meaning("]", Screen::Home), Meaning::Nothing);
    }
}
