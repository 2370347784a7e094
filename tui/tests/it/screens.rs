//! Every screen at three sizes as text, and its styles: every state has a word before it has a colour.

use account::model::Account;
use ratatui::style::{Color, Modifier};
use tui::app::keys::Screen;
use tui::app::look::{Look, Theme};
use tui::app::{Model, Msg, update};
use vocabulary::record::{IntegrityStatus, SenderKind};

use crate::stage::{drawn, listed, press, renewal, sessions, showing, stage, text};

const SIZES: [(u16, u16); 3] = [(80, 24), (160, 45), (60, 20)];

fn home(columns: u16, rows: u16) -> Model {
    let mut model = stage(columns, rows);
    let tui::app::Effect::List { generation, .. } = model.list() else {
        unreachable!("listing is one effect")
    };
    update(
        &mut model,
        Msg::Sessions {
            generation,
            result: Ok(listed(sessions(), None)),
        },
    );
    press(&mut model, "q");
    assert_eq!(model.screen, Screen::Home);
    model
}

#[test]
fn every_screen_at_three_sizes() {
    for (columns, rows) in SIZES {
        insta::assert_snapshot!(format!("home_{columns}x{rows}"), text(&home(columns, rows)));
        for (name, keys) in [
            ("answer", "1"),
            ("answer_problem_2", "1e"),
            ("timeline", "2]d"),
            ("decisions", "3"),
            ("diffs", "4]f]f]f]f]f]f]f]f]f]f"),
            ("diffs_side_by_side", "4s]f]f]f]f]f]f]f]f]f]f"),
            ("replay", "2:151<Enter> "),
            ("replay_compared", "1 5:66<Enter>D:151<Enter>"),
            ("integrity", "6"),
            ("help", "2?"),
            ("palette", "2<C-p>next"),
        ] {
            let mut model = stage(columns, rows);
            press(&mut model, keys);
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), text(&model));
        }
    }
}

/// The first mock-up's lines, in its order, whatever the values are.
#[test]
fn the_answer_has_the_lines_that_were_promised_in_their_order() {
    let shown = text(&stage(80, 24));
    let mut rest = shown.as_str();
    for line in [
        " recount > request 47892 > ",
        " [1 Answer] 2 Timeline 3 Decisions 4 Diffs 5 Replay 6 Integrity 7 Notes",
        "------------------------------",
        " ASKED   \"draft a renewal email for our top 10 enterprise customers\"",
        "user@example.test in chat, 2026-03-14 09:12:04Z",
        " RESULT  PARTIAL  ",
        " READ    ",
        " CHANGED ",
        " SCOPE   EXCEEDED  1 of 32 effects is outside what was declared",
        "-- Problems (9), worst first ---",
        ">#151 ",
        " + ",
        "-- Why",
        "stated by the agent, not observed --",
        "-- Who is responsible ---",
        " asked user@example.test",
        "-- Record: unchanged since 09:12:10Z; not proven: that the agent told all (5) --",
        " Enter open  e problem  y copy  x export  ? help  q leave",
    ] {
        let at = rest
            .find(line)
            .unwrap_or_else(|| unreachable!("{line:?} is missing or out of order in\n{shown}"));
        rest = &rest[at + line.len()..];
    }
    assert_eq!(shown.lines().count(), 24);
}

#[test]
fn no_line_is_wider_and_no_screen_taller_than_the_terminal() {
    for (columns, rows) in SIZES
        .into_iter()
        .chain([(40, 10), (100, 30), (119, 24), (120, 24)])
    {
        for keys in ["1", "2", "3", "4", "4s", "5G", "6", "7", "?"] {
            let mut model = stage(columns, rows);
            press(&mut model, keys);
            // Ratatui panics on a cell outside the buffer, so drawing is the check.
            drawn(&model);
        }
    }
}

#[test]
fn a_terminal_of_any_size_can_read_what_to_do() {
    let shown = text(&stage(38, 9));
    let words: Vec<&str> = shown.split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "terminal is 38x9; recount needs 40x10, or use: recount show 47892 --plain"
    );
    assert!(shown.lines().all(|line| line.trim_end().len() <= 38));
    for (columns, rows, said) in [
        (80, 2, "or use: recount show 47892 --plain"),
        (39, 1, "terminal is 39x1; recount needs 40x10"),
        (20, 1, "20x1, needs 40x10"),
        (9, 1, "too small"),
    ] {
        let shown = text(&stage(columns, rows));
        assert!(
            shown.trim_end().ends_with(said),
            "{columns}x{rows}: {shown}"
        );
    }
    drawn(&stage(1, 1));
}

#[test]
fn without_colours_the_screens_say_the_same_and_carry_no_colour() {
    for keys in ["1", "2", "3", "4", "5G", "6", "7", "?"] {
        let mut coloured = stage(80, 24);
        press(&mut coloured, keys);
        let mut mono = coloured.clone();
        for theme in Theme::ALL {
            let mut other = coloured.clone();
            other.look = Look { theme, ascii: true };
            assert_eq!(text(&coloured), text(&other), "{keys} {theme:?}");
        }
        mono.look = Look {
            theme: Theme::Mono,
            ascii: true,
        };
        let buf = drawn(&mono);
        assert!(
            buf.content()
                .iter()
                .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset),
            "{keys}"
        );
        assert!(
            drawn(&coloured)
                .content()
                .iter()
                .all(|cell| cell.bg == Color::Reset),
            "{keys}"
        );
    }
}

#[test]
fn the_selected_line_is_reversed_in_every_theme() {
    for theme in Theme::ALL {
        for keys in ["1", "2", "3", "4", "5"] {
            let mut model = stage(80, 24);
            model.look = Look { theme, ascii: true };
            press(&mut model, keys);
            let buf = drawn(&model);
            let reversed = (0..buf.area.height)
                .filter(|y| {
                    (0..buf.area.width).all(|x| buf[(x, *y)].modifier.contains(Modifier::REVERSED))
                })
                .count();
            assert_eq!(reversed, 1, "{theme:?} {keys}");
        }
    }
}

#[test]
fn ascii_mode_draws_ascii_only() {
    for keys in ["1", "2", "3", "4", "4s", "5G", "6", "7", "?"] {
        let mut model = stage(160, 45);
        press(&mut model, keys);
        assert!(text(&model).is_ascii(), "{keys}\n{}", text(&model));
    }
}

fn changed(change: impl FnOnce(&mut Account)) -> Account {
    let mut account = renewal();
    change(&mut account);
    account
}

#[test]
fn a_broken_record_shows_on_every_screen() {
    let account = changed(|account| account.integrity.status = IntegrityStatus::Broken);
    for keys in ["1", "2", "3", "4", "5", "6", "7"] {
        let mut model = showing(account.clone(), 80, 24);
        press(&mut model, keys);
        assert!(
            text(&model).lines().next().unwrap().contains("BROKEN"),
            "{}",
            text(&model)
        );
    }
}

#[test]
fn a_session_of_plain_otlp_is_labelled_for_what_it_is() {
    let account = changed(|account| {
        for session in account.sessions.items_mut() {
            session.sender = SenderKind::PlainOtlp;
            session.numbered = 0;
        }
        account.sessions = account.sessions.iter().take(1).cloned().collect();
    });
    let mut model = showing(account, 80, 24);
    for keys in ["1", "6"] {
        press(&mut model, keys);
        let shown = text(&model);
        let label = "plain OTLP: unsigned, no gap detection";
        assert!(shown.contains(label), "{keys}: {shown}");
    }
    assert!(!text(&stage(80, 24)).contains("plain OTLP"));
}

#[test]
fn counts_and_conflicts_stand_on_the_integrity_screen() {
    let account = changed(|account| {
        let json = serde_json::json!([{
            "leaf": 21, "kind": "number_reused", "session": "s1", "stream": "s1a",
            "what": "number 3 of run r came with other bytes",
            "first": null, "second": null, "at": "2026-03-14T09:12:04.000000Z",
        }]);
        account.integrity.conflicts = serde_json::from_value(json).unwrap();
    });
    let mut model = showing(account, 160, 45);
    press(&mut model, "6");
    let shown = text(&model);
    for line in [
        "s1a: its end says 161 records, 161 are here",
        "ledger leaf 21, number_reused: number 3 of run r came with other bytes",
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
}

#[test]
fn an_account_with_nothing_in_it_is_said_to_be_so() {
    let account = changed(|account| {
        account.asked = Vec::new().into();
        account.scope = Vec::new().into();
        account.actions = Vec::new().into();
        account.decisions = Vec::new().into();
        account.diffs = Vec::new().into();
        account.problems = Vec::new().into();
        account.who = Vec::new().into();
        account.context = Vec::new().into();
        account.authorization = Vec::new().into();
        account.sessions = Vec::new().into();
        account.outcome.counts = Default::default();
    });
    for (keys, said) in [
        ("1", "unknown: no intent was recorded"),
        ("2", "no row is kept"),
        ("3", "no decision was recorded"),
        ("4", "nothing changed"),
        ("5", "nothing is recorded to replay"),
    ] {
        let mut model = showing(account.clone(), 80, 24);
        press(&mut model, keys);
        assert!(text(&model).contains(said), "{}", text(&model));
    }
    insta::assert_snapshot!("answer_empty_80x24", text(&showing(account, 80, 24)));
}

#[test]
fn hostile_names_shift_no_column_of_the_timeline() {
    let hostile = [
        "http\u{1b}]0;owned\u{7}",
        "\u{202e}evil",
        "a\u{301}\u{301}\u{301}",
        "漢字漢字漢字",
        "👩\u{200d}👩\u{200d}👧",
        "\u{9b}31m",
        "line\nfeed",
    ];
    let account = changed(|account| {
        for (action, name) in account
            .actions
            .items_mut()
            .iter_mut()
            .zip(hostile.iter().cycle())
        {
            action.kind = vocabulary::action::Kind::read(name);
            action.operation = Some((*name).to_owned());
            action.target.resource = Some(format!("file:{name}/{name}"));
        }
    });
    for (columns, rows) in [(80, 24), (160, 45), (60, 20)] {
        let mut model = showing(account.clone(), columns, rows);
        press(&mut model, "2");
        let buf = drawn(&model);
        let cell = |x: u16, y: u16| buf[(x, y)].symbol();
        let at = |y: u16, word: &str| {
            (0..columns).find(|x| {
                word.chars()
                    .zip(*x..columns)
                    .all(|(c, x)| cell(x, y) == c.to_string())
            })
        };
        let heading = (0..rows)
            .find(|y| at(*y, "STATE").is_some())
            .expect("a heading");
        let state = at(heading, "STATE").expect("its column");
        let list = heading + 1..heading + 8;
        for y in list.filter(|y| cell(0, *y) != " " || cell(1, *y) == "#") {
            assert_eq!(cell(state - 1, y), " ", "{columns}: {}", text(&model));
            assert_ne!(cell(state, y), " ", "{columns}: {}", text(&model));
        }
    }
}

#[test]
fn hostile_text_is_visible_and_moves_nothing() {
    let account = changed(|account| {
        account.problems.items_mut()[0].what =
            "a\u{1b}]52;c;ZXZpbA==\u{7}b \u{202e}evil z\u{200b}w\r\nforged line".to_owned();
        account.decisions.items_mut()[0].question = Some("which\u{1b}[2J one\u{9b}31m?".to_owned());
    });
    for keys in ["1", "2", "3"] {
        let mut model = showing(account.clone(), 160, 45);
        press(&mut model, keys);
        let shown = text(&model);
        assert!(
            shown.chars().all(|c| c == '\n' || !c.is_control()),
            "{shown}"
        );
        assert!(!shown.contains(['\u{202e}', '\u{200b}']), "{shown}");
        assert!(shown.contains("<ESC>"), "{shown}");
        assert!(
            !shown.lines().any(|line| line.starts_with("forged")),
            "{shown}"
        );
    }
}
