//! What a person takes away: reports in every form, written from the screens and from the shell.

use tui::app::{Effect, Exported, Msg, Notice, update};
use tui::args::ExportForm;

use crate::cli::{ask, code, err, out};
use crate::stage::{press, stage, text};
use crate::store::{hostile_store, store};

#[test]
fn the_second_keys_are_shown_as_soon_as_the_first_is_pressed() {
    let mut model = stage(80, 24);
    assert!(
        text(&model).contains("  y copy  x export"),
        "{}",
        text(&model)
    );
    press(&mut model, "x");
    let shown = text(&model);
    let wanted = "m Markdown  h HTML, one file  j account as JSON  b bundle with proofs";
    assert!(shown.contains(wanted), "{shown}");
    press(&mut model, "<Esc>");
    assert!(!text(&model).contains(wanted), "{}", text(&model));
    press(&mut model, "]");
    for what in ["d denial", "h human decision", "g change", "m note"] {
        assert!(text(&model).contains(what), "{}", text(&model));
    }
}

#[test]
fn an_export_proposes_a_name_and_leaves_a_file_of_that_name_alone() {
    let mut model = stage(80, 24);
    press(&mut model, "xm");
    assert!(
        text(&model).contains(" write to> recount-47892.md_"),
        "{}",
        text(&model)
    );
    let file = "recount-47892.md".to_owned();
    let form = ExportForm::Md;
    let wanted = Effect::Export {
        query: "47892".to_owned(),
        form,
        file: file.clone(),
    };
    assert_eq!(press(&mut model, "<Enter>"), [wanted]);
    update(&mut model, Msg::Exported(Exported::Exists { form, file }));
    let shown = text(&model);
    assert!(
        shown.contains("this file exists and was left alone; name another"),
        "{shown}"
    );
    let effects = press(&mut model, "<BS><BS><BS>-2.md<Enter>");
    assert!(
        matches!(&effects[..], [Effect::Export { file, .. }] if file == "recount-47892-2.md"),
        "{effects:?}"
    );
    let told = Notice {
        what: "wrote recount-47892-2.md, 9 bytes".to_owned(),
        hint: "in /tmp".to_owned(),
    };
    update(&mut model, Msg::Exported(Exported::Told(told)));
    assert!(
        text(&model).contains(" wrote recount-47892-2.md, 9 bytes  in /tmp"),
        "{}",
        text(&model)
    );
    assert_eq!(press(&mut model, "xh<Esc>"), []);
}

#[test]
fn a_page_runs_nothing_fetches_nothing_and_says_what_the_markdown_says() {
    let store = hostile_store();
    // The first look pins the key, and from then on every form says so.
    ask(&store, &["show", "47892"]);
    for request in ["47892", "666"] {
        let page = out(&ask(&store, &["export", request, "-f", "html"]));
        let body = page.split("</head>").nth(1).unwrap();
        for word in [
            "<script", "<img", "<link", "<iframe", "src=", "href=", "style=", " on",
        ] {
            let tags = body
                .split('<')
                .skip(1)
                .filter_map(|tag| tag.split('>').next());
            assert!(
                tags.clone().all(|tag| !format!("<{tag}").contains(word)),
                "{word}"
            );
        }
        assert!(page.contains("default-src 'none'"), "{page}");
        let acts = |c: char| {
            (c.is_control() && c != '\n')
                || ('\u{200b}'..='\u{200f}').contains(&c)
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c)
        };
        assert!(!page.contains(acts), "{page:?}");
        let markdown = out(&ask(&store, &["export", request, "-f", "md"]));
        let facts = markdown
            .lines()
            .filter(|line| line.starts_with("- "))
            .count();
        assert_eq!(body.matches("<li>").count(), facts);
    }
}

#[test]
fn a_report_in_html_is_never_written_over_a_file() {
    let store = store();
    let file = store.home().join("report.html");
    let name = file.to_str().unwrap();
    let first = ask(&store, &["export", "47892", "-f", "html", "-o", name]);
    assert_eq!(code(&first), 0, "{}", err(&first));
    let written = std::fs::read(&file).unwrap();
    assert!(written.starts_with(b"<!DOCTYPE html>"));
    let again = ask(&store, &["export", "47892", "-f", "html", "-o", name]);
    assert_eq!(code(&again), 2);
    assert!(err(&again).contains("exists"), "{}", err(&again));
    assert_eq!(std::fs::read(&file).unwrap(), written);
}
