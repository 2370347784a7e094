//! Reasoning: told on its own, beside the decision it names, and always as the agent's own words.

use account::model::Account;
use account::render;
use serde_json::json;
use vocabulary::Source;

use crate::support::{Sender, World, content};

fn told() -> Account {
    let mut world = World::new();
    let mut sender = Sender::sdk("s-reason-0001", "47892");
    sender.tell(&world, "agent.session.start", json!({}));
    let of = |text: &str| content(text, "text/plain");
    let alone = json!({ "recount.content": of("the list looks\nstale") });
    sender.tell(&world, "agent.reasoning", alone);
    sender.tell(
        &world,
        "agent.decision.log",
        json!({ "recount.decision.id": "d-1", "recount.decision.question": "which ten?" }),
    );
    for text in ["by value", "and nobody waits for a fix"] {
        let about = json!({ "recount.decision.id": "d-1", "recount.content": of(text) });
        sender.tell(&world, "agent.reasoning", about);
    }
    sender.tell(&world, "agent.reasoning", json!({}));
    sender.tell(&world, "agent.session.end", json!({}));
    world.seal(&mut sender, true);
    world.account("47892")
}

#[test]
fn every_piece_of_reasoning_is_a_row_of_its_own() {
    let account = told();
    let rows: Vec<_> = account
        .reasoning
        .iter()
        .map(|row| (row.decision.as_deref(), row.content.as_text()))
        .collect();
    assert_eq!(
        rows,
        [
            (None, Some("the list looks\nstale")),
            (Some("d-1"), Some("by value")),
            (Some("d-1"), Some("and nobody waits for a fix")),
            (None, None),
        ]
    );
    assert!(
        account
            .reasoning
            .iter()
            .all(|row| row.evidence.source == Source::Stated && row.evidence.refs.len() == 1)
    );
    assert_eq!(account.decisions[0].rationale.as_deref(), Some("by value"));
    assert!(
        account
            .unknown
            .iter()
            .any(|row| row.fact == "/reasoning/3/content")
    );
}

#[test]
fn the_text_tells_once_what_a_decision_tells_already() {
    let text = render::text(&told(), false);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("why"))
        .collect();
    assert_eq!(
        lines,
        [
            "why      which ten?  chose nothing  because: by value  led to 0 actions  [stated]  s1a#2 s1a#3 s1a#4",
            "why      reasoning  \"the list looks\u{240A}stale\"  [stated]  s1a#1",
            "why      reasoning  \"and nobody waits for a fix\"  [stated]  s1a#4",
            "why      reasoning  unknown (the record has no content)  [stated]  s1a#5",
        ]
    );
}
