//! Every key, once: what it is called, what it does, where it works. Help, footer and tests read this table.

use std::fmt::Write as _;

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
    /// Whether the record is whole.
    Integrity,
}

impl Screen {
    /// The tabs of an opened account, in order.
    pub const TABS: [Screen; 5] = [
        Screen::Answer,
        Screen::Timeline,
        Screen::Decisions,
        Screen::Diffs,
        Screen::Integrity,
    ];

    /// The name in the tab row, the breadcrumb and the help.
    pub fn name(self) -> &'static str {
        match self {
            Screen::Home => "Home",
            Screen::Answer => "Answer",
            Screen::Timeline => "Timeline",
            Screen::Decisions => "Decisions",
            Screen::Diffs => "Diffs",
            Screen::Integrity => "Integrity",
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
    Patch,
    CopyLine,
    CopyJson,
    CopyRef,
    CopyCommand,
    CopyPatch,
    TimeFormat,
    Zone,
    Again,
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

const ACCOUNT: &[Screen] = &Screen::TABS;
const LISTS: &[Screen] = &[Screen::Timeline];
const DIFFS: &[Screen] = &[Screen::Diffs];

const fn key(
    group: &'static str,
    keys: &'static str,
    action: Action,
    what: &'static str,
    on: &'static [Screen],
) -> Binding {
    Binding {
        keys,
        action,
        group,
        what,
        on,
    }
}

/// The table.
pub const BINDINGS: &[Binding] = &[
    key("Move", "j Down", Action::Down, "down", &[]),
    key("Move", "k Up", Action::Up, "up", &[]),
    key("Move", "Ctrl-d", Action::HalfDown, "half a page down", &[]),
    key("Move", "Ctrl-u", Action::HalfUp, "half a page up", &[]),
    key(
        "Move",
        "Ctrl-f PageDown",
        Action::PageDown,
        "a page down",
        &[],
    ),
    key("Move", "Ctrl-b PageUp", Action::PageUp, "a page up", &[]),
    key("Move", "gg Home", Action::Top, "first line", &[]),
    key("Move", "G End", Action::Bottom, "last line", &[]),
    key(
        "Move",
        ":",
        Action::GoTo,
        "go to 231, s2a#14 or 50%",
        ACCOUNT,
    ),
    key("Views", "1", Action::Tab(1), "Answer", ACCOUNT),
    key("Views", "2", Action::Tab(2), "Timeline", ACCOUNT),
    key("Views", "3", Action::Tab(3), "Decisions", ACCOUNT),
    key("Views", "4", Action::Tab(4), "Diffs", ACCOUNT),
    key("Views", "5", Action::Tab(5), "Integrity", ACCOUNT),
    key("Views", "Tab", Action::NextTab, "next view", ACCOUNT),
    key(
        "Views",
        "BackTab",
        Action::PreviousTab,
        "previous view",
        ACCOUNT,
    ),
    key(
        "Views",
        "p",
        Action::Preview,
        "preview of the selected row",
        &[Screen::Home, Screen::Timeline],
    ),
    key("Open", "Enter", Action::Enter, "open what is selected", &[]),
    key("Open", "o", Action::Open, "open a request", &[]),
    key("Open", "Esc Backspace", Action::Back, "back", &[]),
    key(
        "Open",
        "q",
        Action::Leave,
        "back to where you came from, then quit",
        &[],
    ),
    key("Open", "Q Ctrl-c", Action::Quit, "quit", &[]),
    key("Open", "Ctrl-z", Action::Suspend, "suspend", &[]),
    key("Problems", "e", Action::NextProblem, "next problem", &[]),
    key(
        "Problems",
        "E",
        Action::PreviousProblem,
        "previous problem",
        &[],
    ),
    key("Problems", "]d", Action::NextDenied, "next denial", ACCOUNT),
    key(
        "Problems",
        "[d",
        Action::PreviousDenied,
        "previous denial",
        ACCOUNT,
    ),
    key("Problems", "]e", Action::NextError, "next error", ACCOUNT),
    key(
        "Problems",
        "[e",
        Action::PreviousError,
        "previous error",
        ACCOUNT,
    ),
    key(
        "Problems",
        "]h",
        Action::NextHuman,
        "next human decision",
        ACCOUNT,
    ),
    key(
        "Problems",
        "[h",
        Action::PreviousHuman,
        "previous human decision",
        ACCOUNT,
    ),
    key("Problems", "]g", Action::NextChange, "next change", ACCOUNT),
    key(
        "Problems",
        "[g",
        Action::PreviousChange,
        "previous change",
        ACCOUNT,
    ),
    key(
        "Problems",
        "]i",
        Action::NextFinding,
        "next finding about the record",
        ACCOUNT,
    ),
    key(
        "Problems",
        "[i",
        Action::PreviousFinding,
        "previous finding about the record",
        ACCOUNT,
    ),
    key("Find", "/", Action::Search, "search", &[]),
    key("Find", "n", Action::NextFound, "next match", &[]),
    key("Find", "N", Action::PreviousFound, "previous match", &[]),
    key(
        "Find",
        "f",
        Action::Filter,
        "filter: word -word kind:http is:denied",
        &[Screen::Home, Screen::Timeline],
    ),
    key(
        "Find",
        "Ctrl-g",
        Action::OnlyProblems,
        "problems only",
        LISTS,
    ),
    key("Diff", "]f", Action::NextResource, "next resource", DIFFS),
    key(
        "Diff",
        "[f",
        Action::PreviousResource,
        "previous resource",
        DIFFS,
    ),
    key("Diff", "s", Action::SideBySide, "side by side", DIFFS),
    key("Diff", "}", Action::MoreContext, "more context", DIFFS),
    key("Diff", "{", Action::LessContext, "less context", DIFFS),
    key("Diff", "v", Action::Patch, "text or stored patch", DIFFS),
    key("Copy", "yy", Action::CopyLine, "line", ACCOUNT),
    key("Copy", "yj", Action::CopyJson, "JSON", ACCOUNT),
    key("Copy", "yi", Action::CopyRef, "reference", ACCOUNT),
    key(
        "Copy",
        "yc",
        Action::CopyCommand,
        "the command that shows this",
        ACCOUNT,
    ),
    key("Copy", "yd", Action::CopyPatch, "patch", DIFFS),
    key(
        "Time",
        "T",
        Action::TimeFormat,
        "time of day or offset",
        LISTS,
    ),
    key("Time", "Z", Action::Zone, "UTC or local", ACCOUNT),
    key("Record", "V r", Action::Again, "read and verify again", &[]),
    key("Help", "?", Action::Help, "this help", &[]),
];

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

/// Looks typed keys up on a screen.
pub fn meaning(typed: &str, screen: Screen) -> Meaning {
    let mut begins = false;
    for binding in BINDINGS.iter().filter(|binding| binding.works_on(screen)) {
        for keys in binding.keys.split(' ') {
            if keys == typed {
                return Meaning::Does(binding.action);
            }
            // Only chords of plain characters have beginnings: `g` begins `gg`, never `Ctrl-g`.
            begins |= keys.len() == 2 && keys.starts_with(typed);
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

    const ALL: [Screen; 6] = [
        Screen::Home,
        Screen::Answer,
        Screen::Timeline,
        Screen::Decisions,
        Screen::Diffs,
        Screen::Integrity,
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
                    .find(|keys| keys.len() == 2 && first.len() == 1 && keys.starts_with(first));
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
