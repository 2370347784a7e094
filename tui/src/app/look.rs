//! What a piece of text means, and how each theme makes that visible.

use ratatui::style::{Color, Modifier, Style};

/// The meaning of a piece of text. Screens name meanings; only this file names colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Token {
    /// Ordinary text.
    Plain,
    /// A heading, a tab that is open, the first word of a fact.
    Title,
    /// Text that may be skipped: rules, hints, times.
    Dim,
    /// A check that passed, an action that succeeded.
    Good,
    /// A denial.
    Deny,
    /// A question to a person, an approval, an exception.
    Ask,
    /// An error, a broken check, an effect outside the scope.
    Error,
    /// Something lost or missing.
    Lost,
    /// A line that a change added.
    Added,
    /// A line that a change removed.
    Removed,
    /// The words of an added line that the line it replaced lacks.
    AddedWord,
    /// The words of a removed line that the line in its place lacks.
    RemovedWord,
    /// What the agent said about itself, as opposed to what was observed.
    Stated,
    /// The part of a line that a search found.
    Found,
}

impl Token {
    /// Every token, for tests that compare themes.
    pub const ALL: [Token; 14] = [
        Token::Plain,
        Token::Title,
        Token::Dim,
        Token::Good,
        Token::Deny,
        Token::Ask,
        Token::Error,
        Token::Lost,
        Token::Added,
        Token::Removed,
        Token::AddedWord,
        Token::RemovedWord,
        Token::Stated,
        Token::Found,
    ];
}

/// A set of styles. None of them sets a background: the terminal's own is always right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// The sixteen colours of the terminal, never blue text.
    Auto,
    /// No colour at all: attributes only. What `NO_COLOR` selects.
    Mono,
    /// Cyan, yellow and magenta, which the common colour vision deficiencies keep apart.
    Cvd,
}

/// How the screens look: the theme, and whether only ASCII may be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The styles in use.
    pub theme: Theme,
    /// Draw rules and marks with ASCII only.
    pub ascii: bool,
}

impl Look {
    /// The style of a meaning.
    pub fn style(self, token: Token) -> Style {
        let plain = Style::new();
        let word = |line: Token| {
            self.style(line)
                .add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
        };
        match token {
            Token::AddedWord => return word(Token::Added),
            Token::RemovedWord => return word(Token::Removed),
            _ => {}
        }
        match self.theme {
            Theme::Mono => match token {
                Token::Title | Token::Found => plain.add_modifier(Modifier::BOLD),
                Token::Dim => plain.add_modifier(Modifier::DIM),
                Token::Deny | Token::Error | Token::Lost => plain.add_modifier(Modifier::BOLD),
                Token::Stated => plain.add_modifier(Modifier::ITALIC),
                _ => plain,
            },
            Theme::Auto => match token {
                Token::Plain => plain,
                Token::Title => plain.add_modifier(Modifier::BOLD),
                Token::Dim => plain.add_modifier(Modifier::DIM),
                Token::Good | Token::Added => plain.fg(Color::Green),
                Token::Deny | Token::Error => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
                Token::Removed => plain.fg(Color::Red),
                Token::Ask => plain.fg(Color::Yellow),
                Token::Lost => plain.fg(Color::Magenta).add_modifier(Modifier::BOLD),
                Token::Stated => plain.add_modifier(Modifier::ITALIC),
                Token::Found => plain.fg(Color::Yellow).add_modifier(Modifier::BOLD),
                Token::AddedWord | Token::RemovedWord => plain,
            },
            Theme::Cvd => match token {
                Token::Plain => plain,
                Token::Title => plain.add_modifier(Modifier::BOLD),
                Token::Dim => plain.add_modifier(Modifier::DIM),
                Token::Good | Token::Added => plain.fg(Color::Cyan),
                Token::Deny | Token::Error => plain.fg(Color::Magenta).add_modifier(Modifier::BOLD),
                Token::Removed => plain.fg(Color::Magenta),
                Token::Ask => plain.fg(Color::Yellow),
                Token::Lost => plain.fg(Color::Yellow).add_modifier(Modifier::BOLD),
                Token::Stated => plain.add_modifier(Modifier::ITALIC),
                Token::Found => plain.fg(Color::Yellow).add_modifier(Modifier::BOLD),
                Token::AddedWord | Token::RemovedWord => plain,
            },
        }
    }

    /// The style that marks the selected line, added to whatever the line carries.
    pub fn selected(self) -> Modifier {
        Modifier::REVERSED
    }

    /// The character that horizontal rules are made of.
    pub fn rule(self) -> char {
        if self.ascii { '-' } else { '─' }
    }

    /// The character that separates two panes.
    pub fn bar(self) -> &'static str {
        if self.ascii { "|" } else { "│" }
    }

    /// What stands where text was cut.
    pub fn cut(self) -> &'static str {
        if self.ascii { ".." } else { "…" }
    }

    /// Steps of the density strip, from nothing to most.
    pub fn density(self) -> [char; 5] {
        if self.ascii {
            [' ', '.', ':', '|', '#']
        } else {
            [' ', '▁', '▃', '▅', '█']
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_carries_no_colour_at_all() {
        let look = Look {
            theme: Theme::Mono,
            ascii: false,
        };
        for token in Token::ALL {
            let style = look.style(token);
            assert_eq!((style.fg, style.bg), (None, None), "{token:?}");
        }
    }

    #[test]
    fn no_theme_sets_a_background_or_blue_text() {
        for theme in [Theme::Auto, Theme::Cvd] {
            let look = Look {
                theme,
                ascii: false,
            };
            for token in Token::ALL {
                let style = look.style(token);
                assert_eq!(style.bg, None, "{theme:?} {token:?}");
                assert!(
                    !matches!(style.fg, Some(Color::Blue | Color::LightBlue)),
                    "{theme:?} {token:?}"
                );
            }
        }
    }
}
