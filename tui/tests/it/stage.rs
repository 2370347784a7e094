//! A model with the sample account on it, and a screen to draw it on.

use account::model::Account;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tui::app::clock::Clock;
use tui::app::keys::{Code, Key};
use tui::app::look::{Look, Theme};
use tui::app::{Effect, Listed, Model, Msg, Opened, SessionRow, update, view};

/// The account of request 47892 that the account crate ships.
pub(crate) fn renewal() -> Account {
    let text = include_str!("../../../account/samples/renewal.json");
    serde_json::from_str(text).expect("the sample is an account")
}

/// A model of a size that shows an account.
pub(crate) fn showing(account: Account, columns: u16, rows: u16) -> Model {
    let look = Look {
        theme: Theme::Auto,
        ascii: true,
    };
    let mut model = Model::new(
        look,
        Clock::utc(),
        "/var/lib/recount".to_owned(),
        "--store /var/lib/recount".to_owned(),
    );
    update(&mut model, Msg::Resize(columns, rows));
    model.show(Box::new(Opened::of(account)));
    update(&mut model, Msg::Resize(columns, rows));
    model
}

/// The model of the sample.
pub(crate) fn stage(columns: u16, rows: u16) -> Model {
    showing(renewal(), columns, rows)
}

/// Presses keys as a person would: `]d`, `G`, `<Enter>`.
pub(crate) fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        let named = [
            ("<Enter>", Key::of(Code::Enter)),
            ("<Esc>", Key::of(Code::Esc)),
            ("<Tab>", Key::of(Code::Tab)),
            ("<BS>", Key::of(Code::Backspace)),
            ("<Up>", Key::of(Code::Up)),
            ("<Down>", Key::of(Code::Down)),
            ("<C-d>", Key::ctrl('d')),
            ("<C-g>", Key::ctrl('g')),
            ("<C-o>", Key::ctrl('o')),
            ("<C-p>", Key::ctrl('p')),
        ];
        let (key, used) = named
            .iter()
            .find(|(name, _)| rest.starts_with(name))
            .map_or((Key::char(c), c.len_utf8()), |(name, key)| {
                (*key, name.len())
            });
        effects.extend(update(model, Msg::Key(key)));
        rest = &rest[used..];
    }
    effects
}

/// What the terminal would show.
pub(crate) fn drawn(model: &Model) -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, model.size.0, model.size.1));
    view(model, &mut buf);
    buf
}

/// The screen as text, without trailing spaces.
pub(crate) fn text(model: &Model) -> String {
    let buf = drawn(model);
    let mut text = String::new();
    for y in 0..buf.area.height {
        let row: String = (0..buf.area.width).map(|x| buf[(x, y)].symbol()).collect();
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// Sessions for Home.
/// A part of a list of sessions.
pub(crate) fn listed(rows: Vec<SessionRow>, next: Option<usize>) -> Listed {
    Listed {
        rows,
        next,
        older: false,
    }
}

pub(crate) fn sessions() -> Vec<SessionRow> {
    use vocabulary::record::IntegrityStatus::{Incomplete, Intact, Open};
    use vocabulary::session::OutcomeStatus::{Completed, Failed, Partial, Running};
    let row = |request: &str,
               agent: &str,
               asked_by: &str,
               start: &str,
               end: Option<&str>,
               status,
               flags: &str,
               integrity| {
        SessionRow {
            request: request.to_owned(),
            session: format!("s-{request}"),
            agent: agent.to_owned(),
            asked_by: asked_by.to_owned(),
            intent: "draft a renewal email for our top 10 enterprise customers".to_owned(),
            started: Some(format!("2026-03-14T{start}.000000Z").parse().unwrap()),
            ended: end.map(|end| format!("2026-03-14T{end}.000000Z").parse().unwrap()),
            status,
            summary: "11 files, 10 rows, 10 HTTP resources changed".to_owned(),
            flags: flags.to_owned(),
            changed: "11 files".to_owned(),
            kinds: vec!["http".to_owned(), "file".to_owned()],
            verdicts: Vec::new(),
            touched: vec![format!("file:pending-review/{request}.md")],
            integrity,
        }
    };
    vec![
        row(
            "47892",
            "renewal-agent",
            "user@example.test",
            "09:12:04",
            Some("09:12:12"),
            Partial,
            "1 OUT 1 DENY",
            Intact,
        ),
        row(
            "47891",
            "docs-bot",
            "ci@example.test",
            "09:02:04",
            Some("09:05:06"),
            Completed,
            "",
            Intact,
        ),
        row(
            "47889",
            "billing-fixer",
            "ops@example.test",
            "08:40:00",
            Some("09:07:10"),
            Failed,
            "3 DENY",
            Incomplete,
        ),
        row(
            "47888",
            "refactorer",
            "dev@example.test",
            "08:31:00",
            None,
            Running,
            "",
            Open,
        ),
    ]
}
