//! Notes: written beside the ledger, shown where they belong, and told apart from the record.

use tui::app::keys::Screen;
use tui::app::{Effect, Model, Msg, Notice, update};
use tui::notes::{About, Note, Said};

use crate::cli::{ask, code, err, out};
use crate::stage::{press, stage, text};
use crate::store::store;

/// Presses keys and answers what the core wants written down, as the worker does.
fn write(model: &mut Model, keys: &str) -> Vec<Note> {
    let mut written = Vec::new();
    for effect in press(model, keys) {
        if let Effect::Note { about, said } = effect {
            let note = Note {
                at: "2026-03-14T10:00:00Z".parse().unwrap(),
                by: "investigator".to_owned(),
                about,
                said,
            };
            written.push(note.clone());
            update(model, Msg::Noted(Ok(Box::new(note))));
        }
    }
    written
}

#[test]
fn marks_tags_and_comments_stand_in_the_timeline_and_on_their_screen() {
    let mut model = stage(160, 45);
    write(&mut model, "2:151<Enter>m");
    write(&mut model, "tkey-event ask-ops<Enter>");
    write(&mut model, "cfirst sign of it<Enter>");
    let shown = text(&model);
    assert!(
        shown.contains("note      first sign of it (investigator, 2026-03-14"),
        "{shown}"
    );
    assert!(shown.contains("tags      ask-ops key-event"), "{shown}");
    press(&mut model, "k");
    assert!(text(&model).contains("*#151"), "{}", text(&model));
    update(&mut model, Msg::Resize(80, 24));
    press(&mut model, "7");
    insta::assert_snapshot!("notes_80x24", text(&model));
    press(&mut model, "j<Enter>");
    assert_eq!(model.screen, Screen::Timeline);
    assert!(text(&model).contains(">#151"), "{}", text(&model));
    write(&mut model, "m");
    write(&mut model, "t-ask-ops<Enter>");
    press(&mut model, "k");
    let shown = text(&model);
    assert!(
        !shown.contains("*#151") && !shown.contains("ask-ops"),
        "{shown}"
    );
}

#[test]
fn what_a_note_is_about_is_what_is_selected_on_each_screen() {
    for (keys, record) in [
        ("1m", "47892#s1a#151"),
        ("3m", "47892#s1a#43"),
        ("5:153<Enter>m", "47892#s1a#153"),
    ] {
        let mut model = stage(80, 24);
        let written = write(&mut model, keys);
        let [
            Note {
                about: About::Record { query, .. },
                said: Said::Mark,
                ..
            },
        ] = &written[..]
        else {
            unreachable!("{keys}: {written:?}")
        };
        assert!(query.starts_with(record), "{keys}: {query}");
    }
    let mut model = stage(80, 24);
    let written = write(&mut model, "6cthe record is whole<Enter>");
    assert!(
        matches!(&written[..], [Note { about: About::Request(id), .. }] if id == "47892"),
        "{written:?}"
    );
    press(&mut model, "7");
    assert!(
        text(&model).contains("the record is whole"),
        "{}",
        text(&model)
    );
}

#[test]
fn notes_are_found_filtered_and_gone_to() {
    let mut model = stage(80, 24);
    write(&mut model, "2:151<Enter>tkey<Enter>");
    write(&mut model, ":066<Enter>chere it began<Enter>");
    press(&mut model, "gg]m");
    assert!(text(&model).contains(">#066"), "{}", text(&model));
    press(&mut model, "]m");
    assert!(text(&model).contains(">#151"), "{}", text(&model));
    press(&mut model, "ftag:key or note:began<Enter>");
    assert_eq!(model.timeline.kept.len(), 2);
    write(&mut model, "Sfindings<Enter>");
    press(&mut model, "<Esc>");
    assert_eq!(model.timeline.kept.len(), 71);
    press(&mut model, "f@findings<Enter>");
    assert_eq!(model.timeline.kept.len(), 2);
    press(&mut model, "<Esc>f@nothing");
    assert!(
        text(&model).contains("no filter is saved as nothing"),
        "{}",
        text(&model)
    );
}

#[test]
fn a_note_that_cannot_be_written_is_said_and_shown_nowhere() {
    let mut model = stage(80, 24);
    press(&mut model, "m");
    let notice = Notice {
        what: "not written down: no room".to_owned(),
        hint: String::new(),
    };
    update(&mut model, Msg::Noted(Err(notice)));
    assert!(
        text(&model).contains("not written down: no room"),
        "{}",
        text(&model)
    );
    assert!(model.noted.is_empty());
}

#[test]
fn the_command_line_writes_lists_and_exports_notes_and_changes_no_ledger() {
    let store = store();
    let before = store.fingerprint();
    let deny = ask(
        &store,
        &["log", "47892", "-o", "json", "--where", "verdict:deny"],
    );
    let record: serde_json::Value =
        serde_json::from_str(out(&deny).lines().next().unwrap()).unwrap();
    let query = format!("47892#{}", record["ref"].as_str().unwrap());
    assert_eq!(
        code(&ask(&store, &["note", &query, "asked", "for", "more"])),
        0
    );
    assert_eq!(
        code(&ask(&store, &["tag", &query, "key-event", "#second"])),
        0
    );
    assert_eq!(
        code(&ask(&store, &["tag", &query, "second", "--remove"])),
        0
    );
    let listed = out(&ask(&store, &["notes", "47892"]));
    assert!(
        listed.contains("#key-event") && listed.contains("asked for more"),
        "{listed}"
    );
    assert!(!listed.contains("second"), "{listed}");
    assert_eq!(
        out(&ask(&store, &["notes", "-o", "json"])).lines().count(),
        4
    );
    let report = out(&ask(&store, &["export", "47892", "-f", "md"]));
    assert!(
        report.contains("## Notes") && report.contains("asked for more"),
        "{report}"
    );
    let nowhere = ask(&store, &["note", "47892#9999", "x"]);
    assert_eq!(code(&nowhere), 1, "{}", err(&nowhere));
    assert_eq!(code(&ask(&store, &["notes", "47892#0"])), 1);
    assert_eq!(store.fingerprint(), before);
}
