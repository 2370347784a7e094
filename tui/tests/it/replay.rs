//! Replay: its steps are what was recorded, in order, and the state after each is the fold of the changes so far.

use std::time::Duration;

use account::model::Diff;
use proptest::prelude::*;
use tui::app::keys::Screen;
use tui::app::replay::{What, World};
use tui::app::{Effect, Model, Msg, Opened, update};

use crate::stage::{press, renewal, stage, text};

fn opened() -> Opened {
    Opened::of(renewal())
}

#[test]
fn every_row_and_every_change_is_a_step_and_ends_are_where_they_say_something_new() {
    let opened = opened();
    let all: Vec<What> = (0..opened.steps.len())
        .filter_map(|n| opened.steps.get(n))
        .map(|step| step.what)
        .collect();
    for row in 0..opened.rows.len() {
        let at = opened.steps.of_row(row).unwrap();
        assert_eq!(all[at], What::Row(row));
    }
    for diff in 0..opened.account.diffs.len() {
        assert!(all.contains(&What::Change(diff)), "change {diff}");
    }
    let ended = |n: usize| all.iter().position(|what| *what == What::Ended(n));
    for (n, action) in opened.account.actions.iter().enumerate() {
        let failed = action.outcome.as_str() != "success" && action.ended_at.is_some();
        if failed && action.evidence.refs.len() > 1 {
            assert!(ended(n).is_some(), "{} has no end", action.id);
        }
        if let Some(end) = ended(n) {
            let begin = opened.rows.of_action(&action.id).unwrap();
            assert!(opened.steps.of_row(begin).unwrap() < end);
        }
    }
}

#[test]
fn the_state_after_each_step_is_what_the_command_line_says_of_its_record() {
    let opened = opened();
    let account = &opened.account;
    // Within one stream the two ways of naming a moment mean the same.
    for n in 0..opened.steps.len() {
        let step = opened.steps.get(n).unwrap();
        let Some(at) = step
            .shown_by
            .filter(|at| at.to_string().starts_with("s1a#"))
        else {
            continue;
        };
        if matches!(step.what, What::Row(_)) {
            continue; // an action's row can stand for several records
        }
        let told = account::replay::state_at(account, Some(at));
        let world = World::after(&opened, n);
        for it in &world.resources {
            let resource = &opened.changes.resources[it.resource];
            let held = &told[resource.name.as_str()];
            let by: Option<&Diff> = held.by;
            assert_eq!(
                by.map(|diff| &diff.id),
                Some(&account.diffs[it.by].id),
                "{} at {at}",
                resource.name
            );
        }
        let changed = told.values().filter(|held| held.by.is_some()).count();
        assert_eq!(changed, world.resources.len(), "at {at}");
    }
}

#[test]
fn the_last_step_leaves_what_the_whole_account_leaves() {
    let opened = opened();
    let last = World::after(&opened, opened.steps.len() - 1);
    let told = account::replay::state_at(&opened.account, None);
    assert_eq!(last.resources.len(), told.len());
    assert!(last.sessions.iter().any(|it| it.ended));
    let first = World::after(&opened, 0);
    assert_eq!(
        (first.changes, first.resources.len(), first.sessions.len()),
        (0, 0, 1)
    );
}

#[test]
fn space_opens_the_moment_of_what_is_selected_and_enter_goes_back_to_it() {
    let mut model = stage(80, 24);
    press(&mut model, "1 ");
    assert_eq!(model.screen, Screen::Replay);
    assert!(text(&model).contains(">#151"), "{}", text(&model));
    press(&mut model, ".");
    let shown = text(&model);
    assert!(shown.contains(">#153 change OUT"), "{shown}");
    assert!(
        shown.contains("M crm.example.test/accounts/1031/discount  left by #153  this step"),
        "{shown}"
    );
    press(&mut model, "<Enter>");
    assert_eq!(model.screen, Screen::Timeline);
    assert!(text(&model).contains(">#151"), "{}", text(&model));
    press(&mut model, "<Esc><Esc>");
    assert_eq!(model.screen, Screen::Answer);
}

#[test]
fn problems_denials_and_changes_are_found_in_the_replay_too() {
    let mut model = stage(80, 24);
    press(&mut model, "5ggee");
    assert_eq!(model.screen, Screen::Replay);
    press(&mut model, "gg]d");
    assert!(
        text(&model).contains("DENY   POST mail"),
        "{}",
        text(&model)
    );
    press(&mut model, "gg]g");
    assert!(text(&model).contains("this step"), "{}", text(&model));
    press(&mut model, "gg:until is:denied<Enter>");
    assert!(text(&model).contains(">#154"), "{}", text(&model));
    press(&mut model, ":until kind:nothing<Enter>");
    assert!(
        text(&model).contains("no further step is kind:nothing"),
        "{}",
        text(&model)
    );
    press(&mut model, ":until is:dneied<Enter>");
    assert!(text(&model).contains("is:denied"), "{}", text(&model));
    press(&mut model, ":99999<Enter>");
    assert!(
        text(&model).contains(">#160") || text(&model).contains("step "),
        "{}",
        text(&model)
    );
}

#[test]
fn a_resource_is_held_on_to_while_steps_go_by_until_esc() {
    let mut model = stage(80, 24);
    press(&mut model, "5:151<Enter>]f");
    let held = model.replay.held.unwrap();
    press(&mut model, "kkkk");
    assert_eq!(model.replay.looked_at(), Some(held));
    assert!(
        text(&model).contains("held, Esc lets go"),
        "{}",
        text(&model)
    );
    press(&mut model, "<Esc>");
    assert_eq!((model.screen, model.replay.held), (Screen::Replay, None));
}

#[test]
fn two_steps_are_compared_in_either_direction() {
    let mut model = stage(80, 24);
    press(&mut model, "5:140<Enter>D:153<Enter>");
    let shown = text(&model);
    assert!(shown.contains("compared with #140"), "{shown}");
    assert!(shown.contains("since #140: crm"), "{shown}");
    assert!(
        shown.contains("~ (value)  0 ") && shown.contains(" 10\n"),
        "{shown}"
    );
    press(&mut model, "D");
    assert_eq!(model.replay.mark, None);
}

fn wake(effects: &[Effect]) -> (u64, Duration) {
    match effects {
        [Effect::Wake { wake, after }] => (*wake, *after),
        other => unreachable!("not one wake: {other:?}"),
    }
}

#[test]
fn playing_keeps_the_pace_of_the_record_and_stops_at_a_problem() {
    let mut model = stage(80, 24);
    press(&mut model, "5gg");
    let (mut due, after) = wake(&press(&mut model, " "));
    assert!(after <= Duration::from_secs(1));
    let mut steps = 0;
    let stopped = loop {
        let effects = update(&mut model, Msg::Woke(due));
        steps += 1;
        if effects.is_empty() {
            break model.replay.list.cursor();
        }
        due = wake(&effects).0;
    };
    assert_eq!((steps, model.replay.playing), (stopped, None));
    assert!(
        text(&model).contains("stopped at a problem"),
        "{}",
        text(&model)
    );
    let row = model.opened.as_ref().unwrap();
    let step = row.steps.get(stopped).unwrap();
    assert!(matches!(step.what, What::Row(n) if row.rows.get(n).unwrap().problem.is_some()));
}

#[test]
fn a_wake_that_nobody_waits_for_any_more_moves_nothing() {
    let mut model = stage(80, 24);
    press(&mut model, "5gg");
    let (due, slow) = wake(&press(&mut model, " "));
    let (again, fast) = wake(&press(&mut model, ">"));
    assert!(again > due && fast <= slow);
    assert_eq!(update(&mut model, Msg::Woke(due)), []);
    assert_eq!(model.replay.list.cursor(), 0);
    press(&mut model, " ");
    assert_eq!(update(&mut model, Msg::Woke(again)), []);
    assert_eq!(model.replay.list.cursor(), 0);
    press(&mut model, " 1");
    assert_eq!(model.replay.playing, None, "it pauses where nobody looks");
}

#[test]
fn the_command_that_is_copied_names_the_step() {
    let mut model = stage(80, 24);
    press(&mut model, "5:153<Enter>");
    let copied = press(&mut model, "yc");
    let wanted = "recount replay 47892 --at s1a#153 --store /var/lib/recount";
    assert_eq!(copied, [Effect::Copy(wanted.to_owned())]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_world_depends_on_the_step_and_not_on_the_way_to_it(way in proptest::collection::vec("[jk.,eE]|\\]g|\\[g|5?G|gg", 0..30), at in 0_usize..114) {
        let mut model: Model = stage(100, 30);
        press(&mut model, "5");
        for keys in way {
            press(&mut model, &keys);
        }
        prop_assume!(model.screen == Screen::Replay);
        let total = model.replay.list.total();
        press(&mut model, "gg");
        for _ in 0..at.min(total - 1) {
            press(&mut model, "j");
        }
        let opened = model.opened.as_ref().unwrap();
        prop_assert_eq!(&model.replay.world, &World::after(opened, at.min(total - 1)));
    }
}

#[test]
fn what_runs_at_a_step_is_the_same_however_long_the_account_is() {
    use tui::app::rows::Item;
    use vocabulary::Timestamp;
    let mut account = renewal();
    let pattern = account.actions[0].clone();
    let second = |n: u64| Timestamp::from_unix_ns(1_700_000_000_000_000_000 + n * 1_000_000_000);
    account.diffs = Vec::new().into();
    account.problems = Vec::new().into();
    let actions = (0..700_u64).map(|n| {
        let mut action = pattern.clone();
        action.id = format!("action-{n}");
        action.parent = None;
        action.began_at = Some(second(n));
        action.ended_at = match n % 50 {
            0 => None,
            1..8 => Some(second(n + 270)),
            _ => Some(second(n)),
        };
        action.evidence.refs = vec![
            format!("s1a#{}", 2 * n).parse().unwrap(),
            format!("s1a#{}", 2 * n + 1).parse().unwrap(),
        ];
        action
    });
    account.actions = actions.collect();
    let opened = Opened::of(account);
    let mut running = Vec::new();
    for n in 0..opened.steps.len() {
        match opened.steps.get(n).unwrap().what {
            What::Row(row) => {
                if let Item::Action(action) = opened.rows.get(row).unwrap().item
                    && opened.steps.ends_later(action)
                {
                    running.push(action);
                }
            }
            What::Ended(action) => running.retain(|it| *it != action),
            What::Change(_) => {}
        }
        let mut told = World::after(&opened, n).running;
        told.sort_unstable();
        assert_eq!(told, running, "step {n}");
    }
    assert!(running.len() > 10, "those that never ended still run");
}
