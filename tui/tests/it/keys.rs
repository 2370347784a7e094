//! What keys do: journeys that a person makes, and sequences that nobody would.

use proptest::prelude::*;
use tui::app::bindings::BINDINGS;
use tui::app::keys::{Code, Key, Screen};
use tui::app::{Effect, Model, Msg, Notice, update};

use crate::stage::{drawn, listed, press, sessions, stage, text};

fn at_home() -> Model {
    let mut model = stage(80, 24);
    let Effect::List { generation, .. } = model.list() else {
        unreachable!("listing is one effect")
    };
    update(
        &mut model,
        Msg::Sessions {
            generation,
            result: Ok(listed(sessions(), None)),
        },
    );
    press(&mut model, "qq");
    assert_eq!(model.screen, Screen::Home);
    model
}

#[test]
fn enter_opens_a_problem_in_the_timeline_and_back_undoes_it() {
    let mut model = stage(80, 24);
    press(&mut model, "ee");
    let cursor = model.answer.cursor();
    press(&mut model, "<Enter>");
    assert_eq!(model.screen, Screen::Timeline);
    assert!(text(&model).contains(">#149"), "{}", text(&model));
    press(&mut model, "<Esc>");
    assert_eq!(
        (model.screen, model.answer.cursor()),
        (Screen::Answer, cursor)
    );
}

#[test]
fn jumps_find_denials_errors_changes_and_say_when_there_are_no_more() {
    let mut model = stage(80, 24);
    press(&mut model, "2]d");
    assert!(
        text(&model).contains("DENY   POST mail.example.test/send"),
        "{}",
        text(&model)
    );
    let denied = model.timeline.list.cursor();
    press(&mut model, "]d");
    assert_eq!(model.timeline.list.cursor(), denied);
    assert!(
        text(&model).contains("no further denial"),
        "{}",
        text(&model)
    );
    press(&mut model, "gg]g");
    assert!(text(&model).contains(">#066"), "{}", text(&model));
    press(&mut model, "gg]e");
    assert!(text(&model).contains(">#021"), "{}", text(&model));
}

#[test]
fn a_filter_hides_rows_says_how_many_and_esc_lifts_it() {
    let mut model = stage(80, 24);
    press(&mut model, "2fkind:llm<Enter>");
    let kept = model.timeline.kept.len();
    assert!(
        text(&model).contains(&format!("{kept} of 71 shown  {} hidden", 71 - kept)),
        "{}",
        text(&model)
    );
    press(&mut model, "<Esc>");
    assert_eq!(model.timeline.kept.len(), 71);
    press(&mut model, "<C-g>");
    assert!(model.timeline.kept.len() < 20);
}

#[test]
fn a_mistake_in_a_filter_is_pointed_at_while_it_is_typed_and_can_be_put_right() {
    let mut model = stage(80, 24);
    press(&mut model, "2fis:dneied");
    let shown = text(&model);
    assert!(shown.contains(" filter> is:dneied_"), "{shown}");
    assert!(
        shown.contains("            ^^^^^^ is:dneied is not a filter; did you mean is:denied?"),
        "{shown}"
    );
    press(&mut model, "<Enter>");
    assert!(model.prompt.is_some(), "it stays open");
    press(&mut model, "<BS><BS><BS><BS><BS>enied<Enter>");
    assert!(model.prompt.is_none());
    assert!(
        text(&model).contains("DENY   POST mail"),
        "{}",
        text(&model)
    );
}

#[test]
fn a_filter_counts_what_it_keeps_while_it_is_typed_and_up_brings_it_back() {
    let mut model = stage(80, 24);
    press(&mut model, "2fkind:llm");
    let kept = model.timeline.kept.len();
    assert!(
        text(&model).contains(&format!("{kept} of 71 kept")),
        "{}",
        text(&model)
    );
    press(&mut model, "<Enter>fkind:db or is:denied<Enter>");
    let either = model.timeline.kept.len();
    press(&mut model, "f<Up><Up>");
    assert_eq!(model.prompt.as_ref().unwrap().text, "kind:llm");
    press(&mut model, "<Down><Enter>");
    assert_eq!(model.timeline.kept.len(), either);
}

/// What a filter's keys and flags mean on the sample: each keeps some rows and not all.
#[test]
fn every_key_of_a_filter_that_the_sample_has_values_for_keeps_some_rows_and_not_all() {
    for (filter, least) in [
        ("agent:renewal-helper", 2),
        ("session:s2", 2),
        ("path:pending-review/*.md or path:*.md", 5),
        ("path:accounts/1031", 2),
        ("rule:R-7", 1),
        ("verdict:deny", 1),
        ("outcome:denied", 1),
        ("effect:committed", 5),
        ("access:read", 5),
        ("exit:0", 1),
        ("problem:dangling_action", 1),
        ("tokens>0", 1),
        ("took>=20", 1),
        ("seq:100..120", 4),
        ("is:outside", 1),
        ("is:lost", 1),
        ("is:stated", 3),
        ("is:observed", 3),
        ("is:live", 1),
        ("since:2026-03-14T09:12:08Z", 5),
        ("tool~^(GET|POST)$", 5),
    ] {
        let mut model = stage(80, 24);
        press(&mut model, &format!("2f{filter}<Enter>"));
        let kept = model.timeline.kept.len();
        assert!(
            kept >= least && kept < 71,
            "{filter} keeps {kept}: {}",
            text(&model)
        );
    }
}

#[test]
fn home_is_filtered_by_the_same_grammar() {
    for (filter, kept) in [
        ("is:denied", 2),
        ("outcome:completed or is:live", 2),
        ("by:ops", 1),
        ("-agent:bot is:problem", 2),
        ("path:pending-review/47888*", 0),
        ("path:*47888*", 1),
        ("took>60000", 2),
    ] {
        let mut model = at_home();
        press(&mut model, &format!("f{filter}<Enter>"));
        assert_eq!(model.home.kept.len(), kept, "{filter}: {}", text(&model));
    }
}

#[test]
fn search_goes_round_and_says_when_there_is_nothing() {
    let mut model = stage(80, 24);
    press(&mut model, "2/index.md<Enter>");
    assert!(
        text(&model).contains("edit pending-review/index.md"),
        "{}",
        text(&model)
    );
    press(&mut model, "/no such thing<Enter>");
    assert!(
        text(&model).contains("nothing here contains \"no such thing\""),
        "{}",
        text(&model)
    );
}

#[test]
fn going_to_a_record_takes_its_short_its_whole_name_and_a_percentage() {
    let mut model = stage(80, 24);
    press(&mut model, ":154<Enter>");
    assert_eq!(model.screen, Screen::Timeline);
    assert!(text(&model).contains(">#154"), "{}", text(&model));
    press(&mut model, ":s2a#4<Enter>");
    assert!(text(&model).contains(">s2a#4"), "{}", text(&model));
    press(&mut model, ":0%<Enter>");
    assert_eq!(model.timeline.list.cursor(), 0);
    press(&mut model, ":9999<Enter>");
    assert!(
        text(&model).contains("no row shows record 9999"),
        "{}",
        text(&model)
    );
}

#[test]
fn a_change_opens_its_diff_and_the_diff_its_action() {
    let mut model = stage(80, 24);
    press(&mut model, "2:098<Enter><Enter>");
    assert_eq!(model.screen, Screen::Diffs);
    assert!(text(&model).contains("index.md"), "{}", text(&model));
    press(&mut model, "<Enter>");
    assert_eq!(model.screen, Screen::Timeline);
    assert!(
        text(&model).contains("pending-review/index.md"),
        "{}",
        text(&model)
    );
}

#[test]
fn copying_gives_a_reference_json_and_a_command_for_the_shell() {
    let mut model = stage(80, 24);
    let link = press(&mut model, "yi");
    assert!(
        matches!(&link[..], [Effect::Copy(link)] if link.starts_with("recount://") && link.contains("/151?request=47892&ledger=")),
        "{link:?}"
    );
    let cited = press(&mut model, "yr");
    assert!(
        matches!(&cited[..], [Effect::Cite { query, record }] if query == "47892" && record.to_string() == "s1a#151"),
        "{cited:?}"
    );
    let json = press(&mut model, "yj");
    assert!(
        matches!(&json[..], [Effect::Copy(json)] if json.contains("\"effect_outside_scope\"")),
        "{json:?}"
    );
    let command = press(&mut model, "4yc");
    let wanted = "recount diff 47892 pending-review/acme.md --net --store /var/lib/recount";
    assert_eq!(command, [Effect::Copy(wanted.to_owned())]);
    let patch = press(&mut model, "yd");
    assert!(
        matches!(&patch[..], [Effect::Copy(patch)] if patch.contains("+++ b/pending-review/acme.md")),
        "{patch:?}"
    );
}

#[test]
fn leaving_goes_home_when_there_is_one_and_quits_when_there_is_not() {
    let mut model = stage(80, 24);
    assert_eq!(press(&mut model, "q"), [Effect::Quit]);
    let mut model = at_home();
    assert_eq!(press(&mut model, "q"), [Effect::Quit]);
    assert_eq!(press(&mut model, "Q"), [Effect::Quit]);
}

#[test]
fn home_opens_what_is_selected_and_drops_answers_that_are_too_late() {
    let mut model = at_home();
    let effects = press(&mut model, "j<Enter>");
    assert!(
        matches!(&effects[..], [Effect::Open { query, .. }] if query == "47891"),
        "{effects:?}"
    );
    let again = press(&mut model, "o500<Enter>");
    let [Effect::Open { generation, query }] = &again[..] else {
        unreachable!("{again:?}")
    };
    assert_eq!(query, "500");
    let late = Notice {
        what: "too late".to_owned(),
        hint: String::new(),
    };
    update(
        &mut model,
        Msg::Opened {
            generation: generation - 1,
            result: Err(late),
        },
    );
    assert!(!text(&model).contains("too late"));
    let now = Notice {
        what: "no request matches \"500\"".to_owned(),
        hint: "recount log".to_owned(),
    };
    update(
        &mut model,
        Msg::Opened {
            generation: *generation,
            result: Err(now),
        },
    );
    assert!(
        text(&model).contains("no request matches"),
        "{}",
        text(&model)
    );
}

#[test]
fn the_list_of_sessions_grows_while_the_user_works_with_it() {
    let mut model = stage(80, 24);
    let Effect::List { generation, from } = model.list() else {
        unreachable!("listing is one effect")
    };
    assert_eq!(from, 0);
    let all = sessions();
    let part = |rows: &[tui::app::SessionRow], next| Msg::Sessions {
        generation,
        result: Ok(listed(rows.to_vec(), next)),
    };
    let more = update(&mut model, part(&all[2..], Some(9)));
    assert_eq!(
        more,
        [Effect::List {
            generation,
            from: 9
        }]
    );
    press(&mut model, "qq");
    assert!(
        text(&model).contains("so far, reading more"),
        "{}",
        text(&model)
    );
    press(&mut model, "j");
    let under = model.home.sessions[model.home.kept[model.home.list.cursor()]].clone();
    // An account is opened meanwhile; the list goes on all the same, and the cursor stays on its session.
    press(&mut model, "o500<Enter>");
    assert_eq!(update(&mut model, part(&all, None)), []);
    let now = &model.home.sessions[model.home.kept[model.home.list.cursor()]];
    assert_eq!(now.session, under.session);
    assert_eq!(model.home.sessions.len(), all.len());
    assert!(!text(&model).contains("reading more"));
}

#[test]
fn the_next_problem_at_home_is_the_next_bad_session() {
    let mut model = at_home();
    press(&mut model, "e");
    assert!(text(&model).contains(">47889"), "{}", text(&model));
}

#[test]
fn everything_that_a_key_can_do_is_found_in_the_palette_and_done_from_it() {
    for screen in Screen::TABS.into_iter().chain([Screen::Home]) {
        let palette = tui::app::palette::Palette::default();
        let found = palette.found(screen);
        for binding in BINDINGS.iter().filter(|it| it.works_on(screen)) {
            assert!(
                found.iter().any(|it| it.action == binding.action),
                "{}",
                binding.what
            );
        }
    }
    let mut model = stage(80, 24);
    press(&mut model, "<C-p>next den");
    assert!(
        text(&model).contains("1 of what Answer can do"),
        "{}",
        text(&model)
    );
    press(&mut model, "<Enter>");
    assert_eq!((model.screen, &model.palette), (Screen::Timeline, &None));
    assert!(
        text(&model).contains("DENY   POST mail"),
        "{}",
        text(&model)
    );
    press(&mut model, "<C-p>zzz");
    assert!(
        text(&model).contains("nothing here is called that"),
        "{}",
        text(&model)
    );
    press(&mut model, "<Esc>j");
    assert_eq!(model.palette, None);
}

#[test]
fn the_chain_of_causes_leads_from_an_action_to_what_was_asked_and_back_down() {
    let mut model = stage(80, 24);
    press(&mut model, "2:066<Enter>u");
    assert!(text(&model).contains(">#043"), "{}", text(&model));
    press(&mut model, "U");
    assert!(
        text(&model).contains(">#066") || text(&model).contains(">#04"),
        "{}",
        text(&model)
    );
    press(&mut model, "<Esc>uu");
    let mut seen = vec![model.timeline.list.cursor()];
    for _ in 0..20 {
        press(&mut model, "u");
        seen.push(model.timeline.list.cursor());
    }
    assert!(
        text(&model).contains("nothing is recorded that led to this"),
        "{}",
        text(&model)
    );
    assert!(text(&model).contains("asked"), "{}", text(&model));
    assert!(
        seen.windows(2).all(|two| two[1] <= two[0]),
        "causes come before: {seen:?}"
    );
    for _ in 0..20 {
        press(&mut model, "<Esc>");
    }
    assert_ne!(model.screen, Screen::Timeline);
}

fn any_key() -> impl Strategy<Value = Key> {
    let bound: Vec<Key> = BINDINGS
        .iter()
        .flat_map(|binding| binding.keys.split(' '))
        .flat_map(|keys| {
            keys.replace("Space", " ")
                .chars()
                .map(Key::char)
                .collect::<Vec<_>>()
        })
        .collect();
    prop_oneof![
        6 => proptest::sample::select(bound),
        2 => proptest::sample::select(vec![
            Key::of(Code::Enter), Key::of(Code::Esc), Key::of(Code::Tab), Key::of(Code::BackTab),
            Key::of(Code::Backspace), Key::of(Code::PageDown), Key::of(Code::PageUp), Key::of(Code::Home),
            Key::of(Code::End), Key::ctrl('d'), Key::ctrl('u'), Key::ctrl('g'), Key::ctrl('z'), Key::ctrl('p'),
        ]),
        1 => any::<char>().prop_map(Key::char),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Press(Key),
    Resize(u16, u16),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => any_key().prop_map(Step::Press),
        1 => (1u16..180, 1u16..60).prop_map(|(columns, rows)| Step::Resize(columns, rows)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_keys_and_sizes_breaks_the_screens(steps in proptest::collection::vec(any_step(), 1..60)) {
        let mut model = at_home();
        for step in steps {
            match step {
                Step::Press(key) => drop(update(&mut model, Msg::Key(key))),
                Step::Resize(columns, rows) => drop(update(&mut model, Msg::Resize(columns, rows))),
            }
            let list = model.active();
            prop_assert!(list.total() == 0 || list.cursor() < list.total());
            prop_assert!(list.total() == 0 || list.window().is_empty() || list.window().contains(&list.cursor()));
            drawn(&model);
        }
    }

    #[test]
    fn applying_a_filter_twice_is_applying_it_once(word in "(kind:[a-z]{2,4}|is:(problem|denied|error|changed)|-?[a-z]{1,6})") {
        let mut model = stage(80, 24);
        press(&mut model, &format!("2f{word}<Enter>"));
        // `or` and `not` are no filters of their own: the prompt stays open to be put right.
        prop_assume!(model.prompt.is_none());
        let once = model.timeline.kept.clone();
        press(&mut model, "f<Enter>");
        prop_assert_eq!(&model.timeline.kept, &once);
    }
}

#[test]
fn the_jump_list_leads_back_through_every_place_and_forward_again() {
    let mut model = stage(80, 24);
    press(&mut model, "2]d");
    let denied = model.timeline.list.cursor();
    press(&mut model, "]e");
    let error = model.timeline.list.cursor();
    press(&mut model, "4]f");
    assert_ne!(denied, error);
    press(&mut model, "<C-o>");
    assert_eq!((model.screen, model.diffs.resource), (Screen::Diffs, 0));
    press(&mut model, "[j");
    let at = |model: &tui::app::Model| (model.screen, model.timeline.list.cursor());
    assert_eq!(at(&model), (Screen::Timeline, error));
    press(&mut model, "[j");
    assert_eq!(at(&model), (Screen::Timeline, denied));
    press(&mut model, "]j");
    assert_eq!(at(&model), (Screen::Timeline, error));
    press(&mut model, "]j]j");
    assert_eq!((model.screen, model.diffs.resource), (Screen::Diffs, 1));
    press(&mut model, "]j");
    assert!(
        text(&model).contains("there is no later place"),
        "{}",
        text(&model)
    );
}

#[test]
fn anomalies_and_files_are_found_from_any_screen() {
    let mut model = stage(80, 24);
    press(&mut model, "]a");
    assert_eq!(model.screen, Screen::Timeline);
    let row = text(&model);
    assert!(
        row.lines()
            .any(|line| line.starts_with('>') && line.contains(" SECRET ")),
        "{row}"
    );
    press(&mut model, "gg]f");
    let row = text(&model);
    assert!(
        row.lines()
            .any(|line| line.starts_with('>') && line.contains(" file ")),
        "{row}"
    );
}

#[test]
fn blame_opens_a_card_about_the_line_under_the_cursor() {
    let mut model = stage(80, 24);
    press(&mut model, "2:098<Enter><Enter>jjj");
    press(&mut model, "b");
    let shown = text(&model);
    for wanted in [
        "Blame file:pending-review/index.md:2",
        " now       - acme",
        " before    - old",
        " record    s1a#98",
        " agent     renewal-agent 1.4.0",
        " shell     recount blame",
    ] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
    press(&mut model, "<Esc>");
    assert!(!text(&model).contains("Blame file:"), "{}", text(&model));
}
