//! The command palette: everything that a key can do on this screen, found by its words and done by Enter.

use super::bindings::BINDINGS;
use super::keys::{Action, Binding, Code, Key, Screen};
use super::list::List;

/// An open palette.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    /// What was typed.
    pub text: String,
    /// The cursor over what it finds.
    pub list: List,
}

/// What a key meant to an open palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// It stays open.
    Stay,
    /// It closes.
    Close,
    /// It closes, and this is done.
    Do(Action),
}

impl Palette {
    /// A palette that shows everything.
    pub(super) fn open(screen: Screen) -> Palette {
        let mut palette = Palette::default();
        palette.list = List::new(palette.found(screen).len());
        palette
    }

    /// The bindings of a screen whose words or keys contain every word that was typed.
    pub fn found(&self, screen: Screen) -> Vec<&'static Binding> {
        let text = self.text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let here = BINDINGS.iter().filter(|it| it.works_on(screen));
        here.filter(|binding| {
            let all = format!("{} {} {}", binding.group, binding.what, binding.keys);
            let all = all.to_lowercase();
            words.iter().all(|word| all.contains(word))
        })
        .collect()
    }

    pub(super) fn press(&mut self, key: Key, screen: Screen) -> Meant {
        match key.code {
            Code::Esc => return Meant::Close,
            Code::Enter => {
                let found = self.found(screen);
                let chosen = found.get(self.list.cursor());
                return chosen.map_or(Meant::Close, |binding| Meant::Do(binding.action));
            }
            Code::Up => self.list.step(-1),
            Code::Down => self.list.step(1),
            Code::Char('p') if key.ctrl => return Meant::Close,
            Code::Char('u') if key.ctrl => self.text.clear(),
            Code::Char(c) if !key.ctrl && self.text.len() < 200 => self.text.push(c),
            Code::Backspace => {
                self.text.pop();
            }
            _ => return Meant::Stay,
        }
        if !matches!(key.code, Code::Up | Code::Down) {
            let height = self.list.window().len();
            self.list = List::new(self.found(screen).len());
            self.list.set_height(height);
        }
        Meant::Stay
    }
}
