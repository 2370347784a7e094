//! Every screen, size, theme and state of a record: one picture for each screen and state, and properties for the rest.

use account::model::Account;
use ratatui::buffer::Buffer;
use ratatui::style::Modifier;
use tui::app::Model;
use tui::app::look::{Look, Theme};
use vocabulary::record::IntegrityStatus;
use vocabulary::session::OutcomeStatus;

use crate::stage::{drawn, press, renewal, showing, text};

/// The screens of an account by the key that shows each, and what lies over them.
const SCREENS: [(&str, &str); 10] = [
    ("answer", "1"),
    ("timeline", "2"),
    ("decisions", "3"),
    ("diffs", "4"),
    ("replay", "5"),
    ("integrity", "6"),
    ("notes", "7"),
    ("help", "2?"),
    ("palette", "2<C-p>"),
    ("second_keys", "1]"),
];

const SIZES: [(u16, u16); 6] = [(80, 24), (120, 40), (160, 45), (40, 10), (60, 20), (41, 11)];

const THEMES: [Theme; 3] = [Theme::Auto, Theme::Mono, Theme::Cvd];

/// What a sender can put into every name.
const HOSTILE: &str = "\u{1b}]52;c;ZXZpbA==\u{7}\u{9b}31m\u{202e}evil\u{2066}\u{200b}\r\nforged\tline a\u{301}\u{301} 漢字";

/// The states of a record that look different.
fn states() -> Vec<(&'static str, Account)> {
    let changed = |change: fn(&mut Account)| {
        let mut account = renewal();
        change(&mut account);
        account
    };
    vec![
        ("intact", renewal()),
        (
            "broken",
            changed(|it| it.integrity.status = IntegrityStatus::Broken),
        ),
        ("live", changed(live)),
        ("empty", changed(empty)),
        ("one", changed(one)),
        ("hostile", changed(hostile)),
    ]
}

fn live(account: &mut Account) {
    account.integrity.status = IntegrityStatus::Open;
    account.outcome.status = OutcomeStatus::Running;
    for session in account.sessions.items_mut() {
        session.ended_at = None;
    }
}

fn empty(account: &mut Account) {
    account.asked = Vec::new().into();
    account.scope = Vec::new().into();
    account.actions = Vec::new().into();
    account.decisions = Vec::new().into();
    account.reasoning = Vec::new().into();
    account.diffs = Vec::new().into();
    account.problems = Vec::new().into();
    account.who = Vec::new().into();
    account.context = Vec::new().into();
    account.authorization = Vec::new().into();
    account.sessions = Vec::new().into();
    account.outcome.counts = Default::default();
}

/// A session of which nothing but its start is there.
fn one(account: &mut Account) {
    let session = account.sessions[0].clone();
    empty(account);
    account.sessions = vec![session].into();
}

fn hostile(account: &mut Account) {
    let said = || HOSTILE.to_owned();
    account.request.id = said();
    for session in account.sessions.items_mut() {
        session.id = said();
        session.agent.name = Some(said());
    }
    for row in account.asked.items_mut() {
        row.principal.display = Some(said());
    }
    for row in account.actions.items_mut() {
        row.operation = Some(said());
        row.target.resource = Some(format!("file:{HOSTILE}/{HOSTILE}"));
        row.result = Some(said());
    }
    for row in account.decisions.items_mut() {
        row.question = Some(said());
        row.rationale = Some(said());
        row.chosen = vec![said()];
    }
    for row in account.diffs.items_mut() {
        row.resource = format!("file:{HOSTILE}");
    }
    for row in account.problems.items_mut() {
        row.what = said();
        row.why = said();
        for one in &mut row.could_allow {
            one.identity = said();
        }
    }
    for row in account.who.items_mut() {
        row.identity = Some(said());
    }
    account.outcome.summary = said();
    account.integrity.not_proven.push(said());
}

/// Where a style differs from the one to its left: colours and attributes by row and column.
fn styles(buf: &Buffer) -> String {
    let mut lines = Vec::new();
    for y in 0..buf.area.height {
        let mut line = String::new();
        let mut before = None;
        for x in 0..buf.area.width {
            let cell = &buf[(x, y)];
            let style = (cell.fg, cell.bg, cell.modifier);
            if before != Some(style) {
                let (fg, _, modifier) = style;
                let plain = fg == ratatui::style::Color::Reset && modifier.is_empty();
                if before.is_some() || !plain {
                    line.push_str(&format!(" {x}:{fg:?}"));
                    let names = modifier.iter_names().map(|(name, _)| format!("+{name}"));
                    line.extend(names);
                }
                before = Some(style);
            }
        }
        if !line.is_empty() {
            lines.push(format!("{y:>2}{line}"));
        }
    }
    lines.join("\n")
}

fn model(account: &Account, (columns, rows): (u16, u16), keys: &str) -> Model {
    let mut model = showing(account.clone(), columns, rows);
    press(&mut model, keys);
    model
}

#[test]
fn each_screen_looks_as_it_did_in_each_state_with_its_styles() {
    for (state, account) in states() {
        let mut pictures = String::new();
        for (name, keys) in SCREENS.into_iter().take(7) {
            let model = model(&account, (80, 24), keys);
            pictures.push_str(&format!("=== {name}\n{}", text(&model)));
            pictures.push_str(&format!("--- styles\n{}\n", styles(&drawn(&model))));
        }
        insta::assert_snapshot!(format!("state_{state}"), pictures);
    }
}

#[test]
fn at_every_size_and_in_every_state_a_screen_keeps_its_place_and_names_the_record() {
    for (state, account) in states() {
        for size in SIZES {
            for (name, keys) in SCREENS {
                let at = format!("{state} {name} {size:?}");
                let mut model = model(&account, size, keys);
                let shown = text(&model);
                let acts = |c: char| {
                    (c != '\n' && c.is_control())
                        || ('\u{200b}'..='\u{200f}').contains(&c)
                        || ('\u{202a}'..='\u{202e}').contains(&c)
                        || ('\u{2066}'..='\u{2069}').contains(&c)
                };
                assert!(!shown.contains(acts), "{at}: {shown:?}");
                assert!(
                    !shown.lines().any(|line| line.starts_with("forged")),
                    "{at}: {shown}"
                );
                let first = shown.lines().next().unwrap_or_default();
                let word = match state {
                    "broken" => "BROKEN",
                    "live" => "OPEN",
                    _ => "INTACT",
                };
                assert!(first.contains(word), "{at}: {first}");
                // Whatever is pressed next, the screen is drawn again without touching what is outside it.
                for more in ["j", "G", "e", "<Enter>", "<Esc>", "q"] {
                    press(&mut model, more);
                    drawn(&model);
                }
            }
        }
    }
}

#[test]
fn every_theme_says_the_same_words_and_marks_one_line() {
    for (state, account) in states() {
        for size in [(80, 24), (160, 45), (40, 10)] {
            for (name, keys) in SCREENS {
                let mut pictures = Vec::new();
                for theme in THEMES {
                    let mut model = model(&account, size, keys);
                    model.look = Look { theme, ascii: true };
                    let buf = drawn(&model);
                    let at = format!("{state} {name} {size:?} {theme:?}");
                    let colour = ratatui::style::Color::Reset;
                    assert!(buf.content().iter().all(|cell| cell.bg == colour), "{at}");
                    if theme == Theme::Mono {
                        assert!(buf.content().iter().all(|cell| cell.fg == colour), "{at}");
                    }
                    let whole = |y: &u16| {
                        (0..buf.area.width)
                            .filter(|x| buf[(*x, *y)].modifier.contains(Modifier::REVERSED))
                            .count()
                    };
                    let marked =
                        (0..buf.area.height).filter(|y| whole(y) * 3 > usize::from(buf.area.width));
                    assert!(marked.count() <= 2, "{at}");
                    pictures.push(text(&model));
                }
                assert!(
                    pictures.windows(2).all(|two| two[0] == two[1]),
                    "{state} {name} {size:?}"
                );
            }
        }
    }
}

/// An account with very many actions, each a copy of the sample's with a record of its own.
fn long(actions: u64) -> Account {
    let mut account = renewal();
    let sample: Vec<_> = account.actions.iter().cloned().collect();
    let rows = (0..actions).map(|n| {
        let mut row = sample[usize::try_from(n).unwrap_or(0) % sample.len()].clone();
        row.id = format!("a-{n}");
        row.parent = None;
        row.retry_of = None;
        for shown_by in &mut row.evidence.refs {
            shown_by.index = n * 2 + 1_000;
        }
        row
    });
    account.actions = rows.collect::<Vec<_>>().into();
    account
}

#[test]
fn a_session_of_a_hundred_thousand_records_is_moved_through_like_any_other() {
    let account = long(50_000);
    let mut model = showing(account, 160, 45);
    press(&mut model, "2");
    let rows = model.timeline.kept.len();
    assert!(rows >= 50_000, "{rows}");
    for (keys, at) in [("G", rows - 1), ("gg", 0), (":50%<Enter>", (rows - 1) / 2)] {
        press(&mut model, keys);
        assert_eq!(model.timeline.list.cursor(), at, "{keys}");
        assert_eq!(text(&model).lines().count(), 45);
    }
    let mut seen = 0;
    press(&mut model, "gg");
    for _ in 0..50 {
        let before = model.timeline.list.cursor();
        press(&mut model, "]d");
        seen += usize::from(model.timeline.list.cursor() > before);
    }
    assert_eq!(seen, 50, "each jump goes on");
    press(&mut model, "fis:denied<Enter>");
    let kept = model.timeline.kept.len();
    assert!(kept > 50 && kept < rows, "{kept} of {rows}");
    press(&mut model, "<Esc>5G");
    assert_eq!(text(&model).lines().count(), 45);
    press(&mut model, "1");
    assert!(text(&model).contains("[1 Answer]"));
}
