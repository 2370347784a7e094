//! `erase`: a person asks, a plan is shown, and then it is gone; what cannot be asked for is refused.

use std::path::PathBuf;

use crate::harness::{JSON, Lab, logs_json, post, record_json};

const CANARY: &str = "a-customer-whose-name-must-go-7f3a91c2e5d8";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A stopped collector with two records of request 47892, of which the second tells the canary, and one of another.
fn filled() -> Lab {
    let lab = Lab::new();
    let collector = lab.serve();
    let asked = [
        ("session.id", "s-of-47892"),
        ("recount.request.id", "47892"),
    ];
    let other = [("session.id", "s-other"), ("recount.request.id", "11111")];
    let body = logs_json(&[
        &record_json("hello", &asked),
        &record_json(CANARY, &asked),
        &record_json("bye", &other),
    ]);
    assert_eq!(
        post(&collector, "/v1/logs", &[JSON], body.as_bytes()).status,
        200
    );
    drop(collector); // killed: the write-ahead log is left, too
    lab
}

const WORD: [&str; 4] = ["--actor", "privacy@example.test", "--reason", "case 88"];

fn erase(lab: &Lab, target: &str, more: &[&str]) -> (i32, String) {
    let output = lab.run(&[&["erase", target], &WORD[..], more].concat());
    let said = text(&output.stdout) + &text(&output.stderr);
    (output.status.code().unwrap(), said)
}

fn tells(lab: &Lab) -> bool {
    lab.records().iter().any(|record| {
        record
            .body
            .as_ref()
            .is_some_and(|body| text(&body.envelope).contains(CANARY))
    })
}

#[test]
fn without_yes_the_plan_is_shown_and_nothing_changes() {
    let lab = filled();
    let (code, said) = erase(&lab, "47892#s1a#1", &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("s1a#1..1  1 records"), "{said}");
    assert!(said.contains("nothing was erased: add --yes"), "{said}");
    assert!(tells(&lab));
}

#[test]
fn one_record_goes_and_verify_tells_erased_from_missing() {
    let lab = filled();
    assert!(tells(&lab));
    let (code, said) = erase(&lab, "47892#s1a#1", &["--yes"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("erased    1 payloads"), "{said}");
    assert!(!tells(&lab));
    assert_eq!(lab.records().iter().filter(|r| r.body.is_some()).count(), 2);
    let verify = lab.run(&["verify"]);
    let said = text(&verify.stdout);
    assert_eq!(verify.status.code(), Some(0), "{said}");
    assert!(said.contains("erased"), "{said}");
}

#[test]
fn a_request_goes_with_its_names_and_other_requests_stay() {
    let lab = filled();
    let (code, said) = erase(&lab, "47892", &["--names", "--yes"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("erased    2 payloads"), "{said}");
    assert_eq!(lab.records().iter().filter(|r| r.body.is_some()).count(), 1);
    let (code, said) = erase(&lab, "47892", &[]);
    assert_eq!(code, 1, "{said}");
    assert_eq!(erase(&lab, "11111", &[]).0, 0);
    let verify = lab.run(&["verify"]);
    assert_eq!(verify.status.code(), Some(0), "{}", text(&verify.stdout));
}

#[test]
fn copies_in_a_folder_that_is_searched_are_named() {
    let lab = filled();
    let exports = lab.dir.path().join("exports");
    std::fs::create_dir_all(exports.join("deep")).unwrap();
    let copy: PathBuf = exports.join("deep/copy.jsonl");
    let record = record_json(
        CANARY,
        &[
            ("session.id", "s-of-47892"),
            ("recount.request.id", "47892"),
        ],
    );
    std::fs::write(&copy, &record).unwrap();
    // Zeros need no search; what follows them does.
    let (zeros, behind) = (exports.join("reserve"), exports.join("behind zeros"));
    std::fs::write(&zeros, [0; 200_000]).unwrap();
    std::fs::write(&behind, [&[0; 200_000], record.as_bytes()].concat()).unwrap();
    let search = exports.to_str().unwrap();
    let (code, said) = erase(&lab, "47892#s1a#1", &["--yes", "--search", search]);
    assert_eq!(code, 6, "{said}");
    assert!(said.contains(copy.to_str().unwrap()), "{said}");
    assert!(said.contains(behind.to_str().unwrap()), "{said}");
    assert!(!said.contains(zeros.to_str().unwrap()), "{said}");
}

#[test]
fn a_target_that_is_not_there_is_refused_by_its_name() {
    let lab = filled();
    for (target, code, wanted) in [
        ("47893", 1, "47893"),
        ("47892#s2", 1, "s2"),
        ("47892#s1a#9", 2, "holds 2 records"),
        ("47892#s1a#5..2", 2, "47892#s1a#14..20"),
    ] {
        let (found, said) = erase(&lab, target, &["--yes"]);
        assert_eq!(found, code, "{target}: {said}");
        assert!(said.contains(wanted), "{target}: {said}");
    }
    let (code, said) = erase(&lab, "47892#s1a#1", &["--names", "--yes"]);
    assert_eq!(code, 2, "{said}");
    assert!(tells(&lab));
}

#[test]
fn redteam_k13_a_second_person_is_needed_where_the_settings_say_so() {
    let lab = filled();
    let config = lab.dir.path().join("collector.toml");
    std::fs::write(&config, "erase_needs_approval = true\n").unwrap();
    let config = ["--config", config.to_str().unwrap(), "--yes"];
    let ask = |more: &[&str]| erase(&lab, "47892#s1a#1", &[&config[..], more].concat());
    for more in [
        &[][..],
        &["--approved-by", ""],
        &["--approved-by", "privacy@example.test"],
    ] {
        let (code, said) = ask(more);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("--approved-by"), "{said}");
    }
    assert!(tells(&lab));
    let (code, said) = ask(&["--approved-by", "second@example.test"]);
    assert_eq!(code, 0, "{said}");
    assert!(!tells(&lab));
}

#[test]
fn nobody_erases_under_a_running_collector() {
    let lab = filled();
    let collector = lab.serve();
    let (code, said) = erase(&lab, "47892#s1a#1", &["--yes"]);
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("stop it first"), "{said}");
    drop(collector);
    assert!(tells(&lab));
}
