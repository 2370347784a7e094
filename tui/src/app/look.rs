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
    /// The same meanings on a light background, on which yellow and bright colours cannot be read.
    Light,
    /// No colour at all: attributes only. What `NO_COLOR` selects.
    Mono,
    /// Cyan, yellow and magenta, which the common colour vision deficiencies keep apart.
    Cvd,
    /// The same on a light background: orange in the place of yellow, and darker.
    CvdLight,
    /// High contrast: bold and reversed, nothing dim, no colour.
    Hc,
}

impl Theme {
    /// Every theme, for tests that compare them.
    pub const ALL: [Theme; 6] = [
        Theme::Auto,
        Theme::Light,
        Theme::Mono,
        Theme::Cvd,
        Theme::CvdLight,
        Theme::Hc,
    ];

    /// Whether it draws with colours.
    pub fn has_colours(self) -> bool {
        !matches!(self, Theme::Mono | Theme::Hc)
    }

    /// The theme of the same kind for a light or a dark background.
    pub fn on(self, light: bool) -> Theme {
        match (self, light) {
            (Theme::Auto | Theme::Light, true) => Theme::Light,
            (Theme::Auto | Theme::Light, false) => Theme::Auto,
            (Theme::Cvd | Theme::CvdLight, true) => Theme::CvdLight,
            (Theme::Cvd | Theme::CvdLight, false) => Theme::Cvd,
            (other, _) => other,
        }
    }
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
            Theme::Mono => mono(token),
            Theme::Hc => high_contrast(token),
            Theme::Auto => coloured(token, &AUTO),
            Theme::Light => coloured(token, &LIGHT),
            Theme::Cvd => coloured(token, &CVD),
            Theme::CvdLight => coloured(token, &CVD_LIGHT),
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

/// The colours of a theme; everything else about a style is the same in all of them.
struct Palette {
    good: Color,
    bad: Color,
    ask: Color,
    lost: Color,
}

const AUTO: Palette = Palette {
    good: Color::Green,
    bad: Color::Red,
    ask: Color::Yellow,
    lost: Color::Magenta,
};

/// From the fixed part of the 256 colours, at least 4.5:1 on white.
const LIGHT: Palette = Palette {
    good: Color::Indexed(22),
    bad: Color::Indexed(124),
    ask: Color::Indexed(94),
    lost: Color::Indexed(90),
};

const CVD: Palette = Palette {
    good: Color::Cyan,
    bad: Color::Magenta,
    ask: Color::Yellow,
    lost: Color::Yellow,
};

const CVD_LIGHT: Palette = Palette {
    good: Color::Indexed(23),
    bad: Color::Indexed(90),
    ask: Color::Indexed(94),
    lost: Color::Indexed(94),
};

fn coloured(token: Token, palette: &Palette) -> Style {
    let plain = Style::new();
    match token {
        Token::Plain | Token::AddedWord | Token::RemovedWord => plain,
        Token::Title => plain.add_modifier(Modifier::BOLD),
        Token::Dim => plain.add_modifier(Modifier::DIM),
        Token::Good | Token::Added => plain.fg(palette.good),
        Token::Deny | Token::Error => plain.fg(palette.bad).add_modifier(Modifier::BOLD),
        Token::Removed => plain.fg(palette.bad),
        Token::Ask => plain.fg(palette.ask),
        Token::Lost => plain.fg(palette.lost).add_modifier(Modifier::BOLD),
        Token::Stated => plain.add_modifier(Modifier::ITALIC),
        Token::Found => plain.fg(palette.ask).add_modifier(Modifier::BOLD),
    }
}

fn mono(token: Token) -> Style {
    let plain = Style::new();
    match token {
        Token::Title | Token::Found | Token::Deny | Token::Error | Token::Lost => {
            plain.add_modifier(Modifier::BOLD)
        }
        Token::Dim => plain.add_modifier(Modifier::DIM),
        Token::Stated => plain.add_modifier(Modifier::ITALIC),
        Token::Plain
        | Token::Good
        | Token::Ask
        | Token::Added
        | Token::Removed
        | Token::AddedWord
        | Token::RemovedWord => plain,
    }
}

fn high_contrast(token: Token) -> Style {
    let plain = Style::new();
    match token {
        Token::Deny | Token::Error | Token::Lost => {
            plain.add_modifier(Modifier::BOLD | Modifier::REVERSED)
        }
        Token::Ask | Token::Found | Token::Removed => {
            plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
        }
        Token::Title | Token::Good | Token::Added => plain.add_modifier(Modifier::BOLD),
        Token::Stated => plain.add_modifier(Modifier::UNDERLINED),
        Token::Plain | Token::Dim | Token::AddedWord | Token::RemovedWord => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn themes_without_colours_carry_none_at_all() {
        for theme in Theme::ALL.into_iter().filter(|theme| !theme.has_colours()) {
            let look = Look {
                theme,
                ascii: false,
            };
            for token in Token::ALL {
                let style = look.style(token);
                assert_eq!((style.fg, style.bg), (None, None), "{theme:?} {token:?}");
            }
        }
    }

    #[test]
    fn no_theme_sets_a_background_or_blue_text() {
        for theme in Theme::ALL {
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

    /// Relative luminance of one of the 216 colours that no terminal changes.
    fn luminance(index: u8) -> f64 {
        let level = |n: u8| f64::from(if n == 0 { 0 } else { 55 + 40 * n }) / 255.0;
        let linear = |c: f64| {
            if c <= 0.03928 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        let cube = index - 16;
        let [r, g, b] = [cube / 36, cube / 6 % 6, cube % 6].map(|n| linear(level(n)));
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    #[test]
    fn light_themes_can_be_read_on_white() {
        for theme in [Theme::Light, Theme::CvdLight] {
            let look = Look {
                theme,
                ascii: false,
            };
            for token in Token::ALL {
                let contrast = match look.style(token).fg {
                    None => continue,
                    Some(Color::Indexed(index @ 16..232)) => 1.05 / (luminance(index) + 0.05),
                    Some(other) => unreachable!("{other:?} looks different on every terminal"),
                };
                assert!(contrast >= 4.5, "{theme:?} {token:?}: {contrast:.1}");
            }
        }
    }

    #[test]
    fn high_contrast_dims_nothing() {
        let look = Look {
            theme: Theme::Hc,
            ascii: false,
        };
        for token in Token::ALL {
            let style = look.style(token);
            assert!(!style.add_modifier.contains(Modifier::DIM), "{token:?}");
        }
    }
}
