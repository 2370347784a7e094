//! Which one? Names that are no ids: one match opens, several are shown, and a pipe never guesses.

use serde_json::Value;
use tui::app::keys::Screen;
use tui::app::{Candidate, Effect, Msg, update};

use crate::cli::{ask, code, err, out};
use crate::diffs::changed;
use crate::stage::{press, stage, text};
use crate::store::store;

fn request(text: &str) -> Value {
    let account: Value = serde_json::from_str(text).unwrap();
    account["request"]["id"].clone()
}

#[test]
fn a_path_that_one_request_touched_opens_it() {
    let store = changed();
    for name in [
        "http:crm.example.test/accounts/1031",
        "accounts/1031",
        "path:accounts/1031",
    ] {
        let shown = ask(&store, &["show", name, "-o", "json"]);
        assert_eq!(code(&shown), 0, "{name}: {}", err(&shown));
        assert_eq!(request(&out(&shown)), "900", "{name}");
    }
}

#[test]
fn several_requests_are_listed_and_none_is_guessed_in_a_pipe() {
    let store = changed();
    for name in ["renewal-agent", "user:user@example.test", "notes.md"] {
        let shown = ask(&store, &["show", name]);
        assert_eq!(code(&shown), 2, "{name}: {}{}", out(&shown), err(&shown));
        assert_eq!(out(&shown), "");
        let told = err(&shown);
        assert!(told.contains("matches 2 things"), "{told}");
        assert!(
            told.contains("  900  ") && told.contains("  901  "),
            "{told}"
        );
        assert!(
            told.contains("hint: name one of them: recount show 90"),
            "{told}"
        );
    }
}

#[test]
fn a_name_that_is_only_like_one_is_told_and_not_opened() {
    let store = changed();
    let shown = ask(&store, &["show", "renewal-ag"]);
    assert_eq!(code(&shown), 1, "{}", err(&shown));
    assert!(
        err(&shown).contains("did you mean agent:renewal-agent"),
        "{}",
        err(&shown)
    );
    let none = ask(&store, &["show", "nobody-like-this"]);
    assert_eq!(code(&none), 1);
    let short = ask(&store, &["show", "x"]);
    assert!(matches!(code(&short), 1 | 2), "{}", err(&short));
}

#[test]
fn a_ticket_opens_the_request_that_names_it() {
    let store = store();
    let shown = ask(&store, &["show", "chat-500", "-o", "json"]);
    assert_eq!(request(&out(&shown)), "500", "{}", err(&shown));
}

fn candidate(kind: &'static str, name: &str, query: &str) -> Candidate {
    Candidate {
        kind,
        name: name.to_owned(),
        query: query.to_owned(),
        agent: "renewal-agent".to_owned(),
        started: None,
        status: "partial".to_owned(),
        exact: true,
    }
}

#[test]
fn the_picker_shows_what_a_name_could_mean_and_opens_what_is_chosen() {
    let mut model = stage(80, 24);
    let opened = press(&mut model, "orenewal<Enter>");
    let Some(Effect::Open { generation, .. }) = opened.first().cloned() else {
        panic!("{opened:?}")
    };
    let candidates = vec![
        candidate("agent", "renewal-agent", "47892"),
        candidate("session", "s-renewal", "47893"),
    ];
    let which = |generation| Msg::Which {
        generation,
        query: "renewal".to_owned(),
        candidates: candidates.clone(),
    };
    update(&mut model, which(generation + 1));
    assert_eq!(model.picker, None, "an answer to another question");
    update(&mut model, which(generation));
    let shown = text(&model);
    for wanted in [
        "Which one? \"renewal\" matches 2 things",
        ">1 agent   renewal-agent  47892",
        " 2 session s-renewal  47893",
    ] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
    let chosen = press(&mut model, "j<Enter>");
    assert!(
        matches!(&chosen[..], [Effect::Open { query, .. }] if query == "47893"),
        "{chosen:?}"
    );
    assert_eq!(model.picker, None);
}

#[test]
fn esc_leaves_the_picker_and_everything_else_as_it_was() {
    let mut model = stage(80, 24);
    let opened = press(&mut model, "orenewal<Enter>");
    let Some(Effect::Open { generation, .. }) = opened.first().cloned() else {
        panic!("{opened:?}")
    };
    update(
        &mut model,
        Msg::Which {
            generation,
            query: "renewal".to_owned(),
            candidates: vec![candidate("agent", "a", "1"), candidate("agent", "a", "2")],
        },
    );
    assert_eq!(press(&mut model, "<Esc>"), []);
    assert_eq!(
        (model.screen, model.picker.is_none()),
        (Screen::Answer, true)
    );
}
