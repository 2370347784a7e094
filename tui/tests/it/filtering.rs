//! The filter on the command line: the same grammar as on the screens, and mistakes under a caret.

use crate::cli::{ask, code, err, out};
use crate::store::store;

#[test]
fn records_are_kept_by_the_grammar_of_the_screens() {
    let store = store();
    let kept = |filter: &str| {
        let output = ask(&store, &["log", "47892", "-o", "json", "--where", filter]);
        out(&output).lines().count()
    };
    assert_eq!(kept(""), 13);
    assert_eq!(kept("kind:file"), 3, "begin, diff and end of the write");
    assert_eq!(
        kept("verdict:deny"),
        3,
        "begin, verdict and end of the send"
    );
    assert_eq!(kept("kind=agent.decision.log or kind:file"), 4);
    assert_eq!(kept("seq:0..2 -is:changed"), 3);
    assert_eq!(kept("by:user@example.test agent=renewal-agent"), 13);
    assert_eq!(kept("since:2026-03-15"), 0);
    assert_eq!(kept("not until:2026-03-15"), 0);
    assert_eq!(kept("is:changed"), 1);
}

#[test]
fn sessions_are_kept_by_what_they_did() {
    let store = store();
    let kept = |filter: &str| {
        let output = ask(&store, &["log", "-o", "json", "--where", filter]);
        (out(&output).lines().count(), code(&output))
    };
    assert_eq!(kept("is:denied"), (1, 0));
    assert_eq!(kept("request=47892 path:*.md"), (1, 0));
    assert_eq!(kept("path:*.nothing"), (0, 1));
}

#[test]
fn a_mistake_is_shown_under_a_caret_and_is_exit_two() {
    let store = store();
    let wrong = ask(&store, &["log", "--where", "kind:http kidn:db"]);
    assert_eq!(code(&wrong), 2);
    let said = err(&wrong);
    assert!(said.contains("kidn is not a key"), "{said}");
    assert!(
        said.contains("  kind:http kidn:db\n            ^^^^"),
        "{said}"
    );
    assert!(said.contains("did you mean kind:?"), "{said}");
}
