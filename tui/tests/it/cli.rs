//! The command line from outside: help, forms, exit codes, hints, and a store that stays as it was.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::store::{Store, flip, hostile_store, store};

pub(crate) fn recount(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recount"));
    command.env_clear().env("HOME", home).stdin(Stdio::null());
    command
}

pub(crate) fn ask(store: &Store, arguments: &[&str]) -> Output {
    recount(&store.home())
        .args(arguments)
        .arg("--store")
        .arg(store.dir())
        .output()
        .unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn every_help_text_is_the_contract() {
    let home = tempfile::tempdir().unwrap();
    for command in [
        "", "show", "log", "diff", "blame", "why", "replay", "verify", "export", "log-line",
        "note", "tag", "notes", "llm", "http", "topic", "cite", "config", "man",
    ] {
        let mut call = recount(home.path());
        if !command.is_empty() {
            call.arg(command);
        }
        let output = call.arg("--help").output().unwrap();
        assert_eq!(code(&output), 0, "{command}");
        let name = if command.is_empty() {
            "recount"
        } else {
            command
        };
        insta::assert_snapshot!(format!("help_{name}"), out(&output));
    }
}

#[test]
fn a_pipe_gets_the_account_as_text_and_a_bare_call_lists_the_sessions() {
    let store = store();
    let shown = ask(&store, &["show", "47892"]);
    assert_eq!(code(&shown), 0, "{}", err(&shown));
    let bare = ask(&store, &["47892"]);
    assert_eq!(
        out(&bare),
        out(&shown)
            .replace("first_seen", "pinned")
            .lines()
            .filter(|line| !line.contains("first time"))
            .fold(String::new(), |all, line| all + line + "\n")
    );
    assert!(
        out(&shown).contains(&format!("store    {}", store.dir().display())),
        "every answer names its store"
    );
    let listed = ask(&store, &[]);
    assert!(
        out(&listed).contains("47892") && out(&listed).contains("500"),
        "{}",
        out(&listed)
    );
}

#[test]
fn hostile_text_is_escaped_in_every_text_form_and_exact_in_json() {
    let store = store();
    for arguments in [
        &["show", "47892"][..],
        &["show", "47892", "-o", "md"],
        &["log", "47892"],
        &["log", "47892", "-o", "csv"],
        &["replay", "47892"],
        &["log"],
    ] {
        let text = out(&ask(&store, arguments));
        assert!(
            !text.contains(['\u{1b}', '\u{202e}']),
            "{arguments:?}: {text}"
        );
    }
    let account: Value =
        serde_json::from_str(&out(&ask(&store, &["show", "47892", "-o", "json"]))).unwrap();
    assert_eq!(
        account["asked"][0]["intent"]["inline"],
        "draft a renewal \u{1b}[31m\u{202e}email"
    );
}

#[test]
fn log_gives_one_object_per_record_and_keeps_what_the_filters_ask_for() {
    let store = store();
    let lines = |arguments: &[&str]| -> Vec<Value> {
        let mut all = vec!["log", "47892", "-o", "json"];
        all.extend(arguments);
        out(&ask(&store, &all))
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let all = lines(&[]);
    assert_eq!(all.len(), 13);
    assert_eq!(all[0]["ref"], "s1a#0");
    assert_eq!(all[0]["attributes"]["recount.request.id"], "47892");
    assert_eq!(
        lines(&["--kind", "file"]).len(),
        3,
        "begin, diff and end of the write"
    );
    assert_eq!(
        lines(&["--verdict", "deny"]).len(),
        3,
        "begin, verdict and end of the send"
    );
    assert_eq!(lines(&["--kind", "agent.decision.log"]).len(), 1);
    assert_eq!(
        lines(&["--agent", "renewal-agent", "--user", "user@example.test"]).len(),
        13
    );
    assert_eq!(lines(&["--agent", "somebody"]).len(), 0);
    assert_eq!(lines(&["--user", "u-999"]).len(), 0);
    assert_eq!(lines(&["--since", "2026-03-15"]).len(), 0);
    assert_eq!(lines(&["--until", "2026-03-15"]).len(), 13);
    assert_eq!(code(&ask(&store, &["log", "--since", "whenever"])), 2);
    assert_eq!(code(&ask(&store, &["log", "--verdict", "maybe"])), 2);
}

#[test]
fn sessions_are_filtered_too_and_no_match_is_exit_one() {
    let store = store();
    assert_eq!(out(&ask(&store, &["log", "-o", "json"])).lines().count(), 2);
    assert_eq!(
        out(&ask(&store, &["log", "-o", "json", "--verdict", "deny"]))
            .lines()
            .count(),
        1
    );
    let none = ask(&store, &["log", "47892", "--kind", "nothing"]);
    assert_eq!((code(&none), out(&none).as_str()), (1, ""));
    let none = ask(&store, &["log", "--agent", "nobody"]);
    assert_eq!((code(&none), out(&none).as_str()), (1, ""));
    let csv = out(&ask(&store, &["log", "-o", "csv"]));
    assert!(csv.starts_with("request,session,"), "{csv}");
}

#[test]
fn diff_why_and_replay_answer_from_the_same_account() {
    let store = store();
    let diff = out(&ask(&store, &["diff", "47892"]));
    assert!(
        diff.contains("+Dear Acme") && diff.contains("by   s1a#6"),
        "{diff}"
    );
    let stat = out(&ask(&store, &["diff", "47892", "--stat"]));
    assert!(
        stat.contains("file:pending-review/acme.md") && stat.contains("1 resources, +2 -0"),
        "{stat}"
    );
    assert_eq!(code(&ask(&store, &["diff", "47892", "no/such/path"])), 1);
    let why = out(&ask(&store, &["why", "47892#9"]));
    for wanted in [
        "verdict    deny  rule R-7 drafts-only",
        "discarded  Orbit: open sev-1 ticket",
        "stated by the agent",
    ] {
        assert!(why.contains(wanted), "{why}");
    }
    let before = out(&ask(&store, &["replay", "47892", "--at", "6"]));
    assert!(
        before.contains("acme.md  not there, not changed yet"),
        "{before}"
    );
    let after = out(&ask(&store, &["replay", "47892", "--at", "s1a#7"]));
    assert!(
        after.contains("acme.md  left by s1a#7") && after.contains("| Dear Acme"),
        "{after}"
    );
    assert_eq!(code(&ask(&store, &["replay", "47892", "--at", "99"])), 1);
    assert_eq!(code(&ask(&store, &["replay", "47892", "--at", "soon"])), 2);
}

#[test]
fn show_at_a_record_knows_nothing_of_what_came_later() {
    let store = store();
    let at = |at: &str| -> Value {
        serde_json::from_str(&out(&ask(
            &store,
            &["show", "47892", "-o", "json", "--at", at],
        )))
        .unwrap()
    };
    let early = at("4");
    assert_eq!(early["actions"].as_array().unwrap().len(), 1);
    assert_eq!(early["outcome"]["status"], "running");
    assert_eq!(early["outcome"]["sessions"][0]["status"], "running");
    for place in [&early["outcome"], &early["sessions"][0]] {
        for shown_by in place["refs"].as_array().unwrap() {
            let index = shown_by.as_str().unwrap().split('#').next_back().unwrap();
            assert!(index.parse::<u64>().unwrap() <= 4, "{place}");
        }
    }
    let during = at("9");
    assert_eq!(during["actions"][2]["outcome"], "unknown");
    assert_eq!(at("12")["outcome"]["status"], "partial");
}

#[test]
fn verify_prints_one_line_per_property_and_an_open_session_is_six() {
    let store = store();
    let whole = ask(&store, &["verify", "47892"]);
    assert_eq!(code(&whole), 0, "{}", out(&whole));
    let said = out(&whole);
    for property in ledger::verify::report::Property::ALL {
        let line = said.lines().find(|line| line.starts_with(property.name()));
        assert!(line.is_some_and(|line| !line.contains("FAILED")), "{said}");
    }
    assert!(said.contains("integrity            shown"), "{said}");
    assert!(said.contains("epochs               not shown"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("not proven")));
    assert!(said.ends_with("exit                 0\n"), "{said}");
    let open = ask(&store, &["verify", "500"]);
    assert_eq!(code(&open), 6, "{}", out(&open));
    assert_eq!(
        code(&ask(&store, &["show", "500"])),
        0,
        "an open session is an answer"
    );
    let all = ask(&store, &["verify", "--all"]);
    assert_eq!(code(&all), 0, "{}", out(&all));
    let unasked = ask(&store, &["verify"]);
    assert_eq!(out(&unasked), out(&all), "the whole ledger without a query");
    let signed = store.dir().join("last_signed");
    let kept = ask(
        &store,
        &["verify", "--known-checkpoint", signed.to_str().unwrap()],
    );
    assert_eq!(code(&kept), 0, "{}", out(&kept));
    assert!(out(&kept).contains(", which extends "), "{}", out(&kept));
}

#[test]
fn looking_changes_nothing_in_the_store() {
    let store = store();
    let before = store.fingerprint();
    for arguments in [
        &["show", "47892"][..],
        &["log"],
        &["verify", "--all"],
        &["diff", "47892"],
        &["doctor"],
    ] {
        ask(&store, arguments);
    }
    assert!(store.fingerprint() == before);
}

#[test]
fn another_key_than_the_pinned_one_is_exit_three() {
    let store = store();
    assert_eq!(code(&ask(&store, &["verify", "47892"])), 0);
    let pins = store.home().join(".local/state/recount/known_keys");
    let pinned = std::fs::read_to_string(&pins).unwrap();
    let place = pinned.trim().split_once(' ').unwrap().1;
    let other = ledger::note::SignerKey::new("ledger.example.test/one", &[7; 32])
        .unwrap()
        .verifier();
    std::fs::write(&pins, format!("{other} {place}\n")).unwrap();
    let shown = ask(&store, &["show", "47892"]);
    assert_eq!(code(&shown), 3, "{}", out(&shown));
    let verified = out(&ask(&store, &["verify", "47892"]));
    assert!(
        verified.contains("integrity            FAILED") && verified.contains("pinned key"),
        "{verified}"
    );
    let named = ask(
        &store,
        &[
            "verify",
            "47892",
            "--key",
            store.dir().join("ledger.pub").to_str().unwrap(),
        ],
    );
    assert_eq!(code(&named), 0, "{}", out(&named));
}

#[test]
fn a_flipped_bit_in_what_was_signed_is_exit_three() {
    let store = store();
    flip(&store.dir().join("last_signed"), b"ledger.example.test");
    let shown = ask(&store, &["verify", "47892"]);
    assert_eq!(code(&shown), 3, "{}{}", out(&shown), err(&shown));
}

#[test]
fn every_failure_has_its_exit_code_and_a_hint() {
    let store = store();
    let unknown = ask(&store, &["show", "47982"]);
    assert_eq!(code(&unknown), 1);
    assert!(
        err(&unknown).contains("did you mean 47892?"),
        "{}",
        err(&unknown)
    );
    let home = store.home();
    let fails = |arguments: &[&str]| {
        let output = recount(&home).args(arguments).output().unwrap();
        assert!(
            err(&output).contains("hint: ") || code(&output) == 2,
            "{}",
            err(&output)
        );
        (code(&output), err(&output))
    };
    let missing = fails(&["47892", "--store", "/nowhere/at/all"]);
    assert!(
        missing.0 == 5 && missing.1.contains("/nowhere/at/all"),
        "{missing:?}"
    );
    assert_eq!(
        fails(&["47892", "--collector", "/nowhere/reader.sock"]).0,
        5
    );
    assert_eq!(fails(&["47892", "--collector", "https://x"]).0, 2);
    assert_eq!(fails(&["show"]).0, 2);
    assert_eq!(fails(&["show", "47892", "--output", "nonsense"]).0, 2);
    let foreign = tempfile::tempdir().unwrap();
    std::fs::write(
        foreign.path().join("ledger.db"),
        b"not a database, not at all, only text in a file",
    )
    .unwrap();
    assert_eq!(
        fails(&["47892", "--store", foreign.path().to_str().unwrap()]).0,
        3
    );
}

#[test]
fn a_line_without_a_collector_is_exit_five_and_recorded_nowhere() {
    let home = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut call = recount(home.path());
    call.args([
        "log-line",
        "--request",
        "1",
        "--endpoint",
        &format!("http://{free}"),
    ]);
    let output = call.output().unwrap();
    assert_eq!(code(&output), 5);
    assert!(
        err(&output).contains("recount-collector serve --init"),
        "{}",
        err(&output)
    );
    assert!(std::fs::read_dir(home.path()).unwrap().next().is_none());
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let store = store();
    let mut call = recount(&store.home());
    call.args(["log", "47892", "-o", "json", "--store"])
        .arg(store.dir());
    let mut child = call
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(
        status.success() && !said.contains("error"),
        "{status} {said}"
    );
}

#[test]
fn a_broken_record_is_exit_three_even_when_nobody_reads_the_answer() {
    let store = store();
    flip(&store.dir().join("last_signed"), b"ledger.example.test");
    for arguments in [
        &["47892"][..],
        &["show", "47892", "-o", "json"],
        &["log", "47892"],
        &["diff", "47892"],
        &["why", "47892"],
        &["replay", "47892", "-o", "json"],
        &["verify", "47892"],
        &["log", "-o", "csv"],
    ] {
        let mut call = recount(&store.home());
        call.args(arguments).arg("--store").arg(store.dir());
        let mut child = call
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 3, "{arguments:?}: {}", err(&output));
    }
}

#[test]
fn json_holds_nothing_that_a_terminal_would_act_on() {
    let store = store();
    for arguments in [
        &["show", "47892", "-o", "json"][..],
        &["log", "47892", "-o", "json"],
        &["log", "-o", "json"],
        &["diff", "47892", "-o", "json"],
        &["why", "47892", "-o", "json"],
        &["replay", "47892", "-o", "json"],
    ] {
        let text = out(&ask(&store, arguments));
        let acts =
            |c: char| (c.is_control() && c != '\n') || ('\u{200b}'..='\u{202e}').contains(&c);
        assert!(!text.contains(acts), "{arguments:?}: {text:?}");
    }
    let text = out(&ask(&store, &["show", "47892", "-o", "json"]));
    assert!(text.contains("\\u001b[31m\\u202eemail"));
}

#[test]
fn nothing_that_a_sender_names_reaches_the_terminal_raw() {
    let store = hostile_store();
    let acts = |c: char| {
        (c.is_control() && c != '\n')
            || ('\u{200b}'..='\u{200f}').contains(&c)
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    for command in [
        "show 666",
        "show 666 -o md",
        "show 666 -o json",
        "show 666 --at 8",
        "log 666",
        "log 666 -o csv",
        "log 666 -o json",
        "log",
        "log -o csv",
        "diff 666",
        "diff 666 --stat",
        "diff 666 -o json",
        "diff 666 nothing",
        "why 666",
        "why 666#6",
        "why 666#5",
        "why 666 -o json",
        "replay 666",
        "replay 666 --at 8",
        "replay 666 -o json",
        "verify 666",
    ] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let output = ask(&store, &arguments);
        let said = out(&output) + &err(&output);
        assert!(
            !said.is_empty() && !said.contains(acts),
            "{command}: {said:?}"
        );
    }
    // What a sender names cannot look like a line of our own either.
    let text = out(&ask(&store, &["show", "666"]));
    let known = [
        "request", "session", "asked", "result", "read", "changed", "scope", "problem", "why",
        "who", "record", "unknown", "store",
    ];
    for line in text.lines() {
        let first = line.split(' ').next().unwrap_or_default();
        assert!(known.contains(&first), "{line:?}");
    }
    // And when the query itself is hostile.
    let odd = ask(&store, &["show", "no\u{1b}[2J\u{202e}such"]);
    assert_eq!(code(&odd), 1);
    assert!(!err(&odd).contains(acts), "{:?}", err(&odd));
}

#[test]
fn what_is_not_there_is_named_and_what_is_near_is_suggested() {
    let store = store();
    for (arguments, said) in [
        (
            &["diff", "47892", "pending-review/acmee.md"][..],
            "error: no change of 47892 touches \"pending-review/acmee.md\"\nhint: did you mean",
        ),
        (
            &["diff", "47892", "nothing-like-it"],
            "error: no change of 47892 touches \"nothing-like-it\"\nhint: recount diff 47892 --stat",
        ),
        (
            &["diff", "500", "x"],
            "error: no change of 500 touches \"x\"",
        ),
        (
            &["why", "47892#s1a#999"],
            "error: 47892 has no record s1a#999\nhint: recount log 47892",
        ),
        (
            &["replay", "47892", "--at", "s9a#1"],
            "error: 47892 has no record s9a#1",
        ),
        (
            &["show", "47892", "--at", "999"],
            "error: 47892 has no record s1a#999",
        ),
    ] {
        let output = ask(&store, arguments);
        assert_eq!(code(&output), 1, "{arguments:?}: {}", out(&output));
        assert!(
            err(&output).starts_with(said),
            "{arguments:?}: {}",
            err(&output)
        );
    }
    let odd = ask(&store, &["replay", "47892", "--at", "x#y"]);
    assert_eq!(code(&odd), 2, "{}", err(&odd));
}

#[test]
fn what_no_command_can_use_is_said_by_every_command() {
    let store = hostile_store();
    let file = store.dir().join("ledger.db");
    for (arguments, exit, said) in [
        (&["show", "666", "--tz", "Mars"][..], 2, "error: --tz Mars"),
        (&["log", "--tz", "Mars"], 2, "error: --tz Mars"),
        (
            &["log", "--since", "someday"],
            2,
            "error: \"someday\" is not a time",
        ),
        (&["log", "--verdict", "maybe"], 2, "error: --verdict maybe"),
    ] {
        let output = ask(&store, arguments);
        assert_eq!(code(&output), exit, "{arguments:?}: {}", out(&output));
        assert!(
            err(&output).starts_with(said),
            "{arguments:?}: {}",
            err(&output)
        );
        assert!(err(&output).contains("\nhint: "), "{}", err(&output));
    }
    let mut call = recount(&store.home());
    let call = call.args(["show", "666", "--store"]).arg(&file);
    let output = call.output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("not a bundle"), "{}", err(&output));
}

#[test]
fn completions_and_the_manual_are_made_from_the_same_table() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = recount(home.path())
            .args(["completions", shell])
            .output()
            .unwrap();
        assert!(
            code(&output) == 0 && out(&output).contains("log-line"),
            "{shell}"
        );
    }
    let man = recount(home.path()).arg("man").output().unwrap();
    assert!(
        code(&man) == 0 && out(&man).contains(".TH recount"),
        "{}",
        out(&man)
    );
}
