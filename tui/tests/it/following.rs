//! Following: what arrives is shown without moving what the user looks at, waits while paused, and a lost door is told.

use std::time::Duration;

use account::model::Account;
use proptest::prelude::*;
use tui::app::keys::Screen;
use tui::app::{Effect, Model, Msg, News, Opened, Watch, update};
use vocabulary::record::IntegrityStatus;

use crate::stage::{listed, press, renewal, sessions, showing, text};

/// The sample as it was when only so many of its actions had begun.
fn upto(actions: usize) -> Account {
    let mut account = renewal();
    let all = account.actions.len();
    let kept: Vec<_> = account.actions.iter().take(actions).cloned().collect();
    let has = |id: &Option<String>| {
        id.as_ref()
            .is_none_or(|id| kept.iter().any(|action| action.id == *id))
    };
    let diffs: Vec<_> = account
        .diffs
        .iter()
        .filter(|it| has(&it.action))
        .cloned()
        .collect();
    let problems: Vec<_> = account
        .problems
        .iter()
        .filter(|it| has(&it.action))
        .cloned()
        .collect();
    account.diffs = diffs.into();
    account.problems = problems.into();
    account.actions = kept.into();
    if actions < all {
        account.integrity.status = IntegrityStatus::Open;
        for session in account.sessions.items_mut() {
            session.ended_at = None;
        }
        account.integrity.checked.records = 2 * actions as u64;
    }
    account
}

fn following(actions: usize) -> (Model, u64) {
    let mut model = showing(upto(actions), 80, 24);
    let generation = watched(&mut model).0;
    (model, generation)
}

fn watched(model: &mut Model) -> (u64, Watch, bool) {
    match model.watch() {
        Effect::Follow {
            generation,
            watch,
            paused,
        } => (generation, watch, paused),
        other => unreachable!("{other:?} is no watching"),
    }
}

fn tell(model: &mut Model, generation: u64, news: News) {
    update(model, Msg::News { generation, news });
}

fn arrives(model: &mut Model, generation: u64, actions: usize) {
    let opened = Box::new(Opened::of(upto(actions)));
    tell(model, generation, News::Account(opened));
}

/// The selected line of the screen, without its pointer's place.
fn selected(model: &Model) -> String {
    let shown = text(model);
    let line = shown.lines().find(|line| line.starts_with('>'));
    let line = line.unwrap_or_else(|| unreachable!("nothing is selected in\n{shown}"));
    // How wide the first column is goes by all the rows that are shown.
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn line_of_selected(model: &Model) -> Option<usize> {
    text(model).lines().position(|line| line.starts_with('>'))
}

#[test]
fn the_selection_stays_on_its_record_and_its_line_as_rows_arrive() {
    let (mut model, generation) = following(20);
    press(&mut model, "2gg]g");
    let (before, line) = (selected(&model), line_of_selected(&model));
    let total = model.timeline.list.total();
    arrives(&mut model, generation, 40);
    assert!(model.timeline.list.total() > total);
    assert_eq!((selected(&model), line_of_selected(&model)), (before, line));
    assert_eq!(model.screen, Screen::Timeline);
}

#[test]
fn a_timeline_that_was_sent_to_its_end_stays_there() {
    let (mut model, generation) = following(50);
    press(&mut model, "2G");
    let before = selected(&model);
    arrives(&mut model, generation, 54);
    assert_ne!(selected(&model), before);
    assert_eq!(model.timeline.list.percent(), 100);
    press(&mut model, "k");
    let before = selected(&model);
    arrives(&mut model, generation, 57);
    assert_eq!(selected(&model), before, "who moved away is left alone");
}

#[test]
fn pausing_loses_nothing_and_says_how_much_waits() {
    let (mut model, generation) = following(20);
    assert!(text(&model).contains("LIVE OPEN"), "{}", text(&model));
    let effects = press(&mut model, "2F");
    assert!(
        matches!(&effects[..], [Effect::Follow { paused: true, .. }]),
        "{effects:?}"
    );
    let rows = model.timeline.list.total();
    // One that was read before the key came waits, too.
    arrives(&mut model, generation, 25);
    tell(&mut model, generation, News::Waiting(12));
    assert_eq!(model.timeline.list.total(), rows);
    assert!(text(&model).contains("PAUSED +12 OPEN"), "{}", text(&model));
    let effects = press(&mut model, "F");
    assert!(
        matches!(&effects[..], [Effect::Follow { paused: false, generation: it, .. }] if *it == generation),
        "{effects:?}"
    );
    arrives(&mut model, generation, 40);
    assert!(model.timeline.list.total() > rows);
    assert!(!text(&model).contains('+'), "{}", text(&model));
}

#[test]
fn news_of_what_is_no_longer_watched_are_dropped() {
    let (mut model, generation) = following(20);
    let rows = model.timeline.list.total();
    let (later, ..) = watched(&mut model);
    arrives(&mut model, generation, 30);
    assert_eq!(model.timeline.list.total(), rows);
    arrives(&mut model, later, 30);
    assert!(model.timeline.list.total() > rows);
}

#[test]
fn a_new_problem_announces_itself_once_and_an_old_one_does_not() {
    let (mut model, generation) = following(40);
    arrives(&mut model, generation, 41);
    let quiet = model.message.clone();
    arrives(&mut model, generation, 58);
    let shown = text(&model);
    assert!(
        quiet.is_none() || !shown.contains("none found"),
        "{quiet:?}"
    );
    assert!(shown.contains("new problem"), "{shown}");
    assert!(shown.contains("OUT PATCH"), "the worst of them: {shown}");
    press(&mut model, "j");
    arrives(&mut model, generation, 58);
    assert!(!text(&model).contains("new problem"), "{}", text(&model));
}

#[test]
fn a_lost_door_is_told_and_what_was_read_stays() {
    let (mut model, generation) = following(30);
    press(&mut model, "2gg");
    let rows = model.timeline.list.total();
    let lost = News::Lost {
        why: "its live tail ended".to_owned(),
        again: Duration::from_millis(500),
    };
    tell(&mut model, 0, lost);
    let shown = text(&model);
    assert!(shown.contains("OFFLINE OPEN"), "{shown}");
    assert!(
        shown.contains("what was read stays, tried again in 0.5 s"),
        "{shown}"
    );
    assert!(shown.contains("its live tail"), "{shown}");
    assert_eq!(model.timeline.list.total(), rows);
    // It stays told after the message is gone.
    press(&mut model, "j");
    assert!(text(&model).contains("OFFLINE"), "{}", text(&model));
    tell(&mut model, 0, News::Back("the door".to_owned()));
    assert!(text(&model).contains("answers again"), "{}", text(&model));
    assert!(!text(&model).contains("OFFLINE"), "{}", text(&model));
    arrives(&mut model, generation, 40);
    assert!(model.timeline.list.total() > rows);
}

#[test]
fn reading_again_keeps_the_screen_and_the_selection() {
    let (mut model, _) = following(30);
    press(&mut model, "2gg]g");
    let before = selected(&model);
    let effects = press(&mut model, "r");
    let [Effect::Open { generation, .. }] = effects[..] else {
        unreachable!("{effects:?} is no reading")
    };
    assert!(text(&model).contains("checking"), "{}", text(&model));
    let result = Ok(Box::new(Opened::of(upto(40))));
    let effects = update(&mut model, Msg::Opened { generation, result });
    assert!(
        matches!(&effects[..], [Effect::Follow { .. }]),
        "{effects:?}"
    );
    assert_eq!((model.screen, selected(&model)), (Screen::Timeline, before));
}

#[test]
fn home_takes_up_sessions_and_keeps_its_cursor() {
    let (mut model, _) = following(58);
    let Effect::List { generation, .. } = model.list() else {
        unreachable!("listing is one effect")
    };
    let result = Ok(listed(sessions(), None));
    update(&mut model, Msg::Sessions { generation, result });
    let effects = press(&mut model, "q");
    let Some(Effect::Follow {
        generation, watch, ..
    }) = effects.first()
    else {
        unreachable!("Home is watched in another way: {effects:?}")
    };
    assert_eq!(*watch, Watch::Sessions);
    press(&mut model, "jj");
    let under = selected(&model);
    let mut new = sessions().remove(0);
    new.request = "47900".to_owned();
    new.session = "s-47900".to_owned();
    new.started = Some("2026-03-14T10:00:00.000000Z".parse().unwrap());
    tell(&mut model, *generation, News::Sessions(vec![new]));
    let shown = text(&model);
    assert_eq!(selected(&model), under, "{shown}");
    assert!(shown.contains("sessions: 5"), "{shown}");
    assert!(
        shown.contains("new problem: request 47900 1 OUT 1 DENY"),
        "{shown}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn wherever_the_user_is_an_arriving_account_moves_nothing(
        keys in "(2|3|4|5|6|7|1)?(gg|G|j|k|e|E|\\]d|\\]g|\\]f|D|p|s){0,8}",
        first in 5_usize..50,
        more in 0_usize..20,
    ) {
        let (mut model, generation) = following(first);
        press(&mut model, &keys);
        let screen = model.screen;
        let row = |model: &Model| {
            let opened = model.opened.as_ref()?;
            let at = *model.timeline.kept.get(model.timeline.list.cursor())?;
            let row = opened.rows.get(at as usize)?;
            Some((row.at, row.shown_by))
        };
        let resource = |model: &Model| {
            let changes = &model.opened.as_ref()?.changes;
            Some(changes.resources.get(model.diffs.resource)?.name.clone())
        };
        let step = |model: &Model| {
            let step = model.opened.as_ref()?.steps.get(model.replay.list.cursor())?;
            Some((step.at, step.shown_by))
        };
        let before = (row(&model), resource(&model), step(&model));
        let at_end = model.timeline.end == Some(model.timeline.list.cursor());
        arrives(&mut model, generation, first + more);
        prop_assert_eq!(model.screen, screen);
        if !at_end {
            prop_assert_eq!(row(&model), before.0);
        }
        if before.1.is_some() {
            prop_assert_eq!(resource(&model), before.1);
        }
        prop_assert_eq!(step(&model), before.2);
        text(&model);
    }
}
