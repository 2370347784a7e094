//! What a person takes away: reports in every form, written from the screens and from the shell.

use base64::Engine as _;
use serde_json::Value;
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

#[test]
fn what_is_copied_is_said_with_the_way_it_went_and_what_cannot_be_seen_in_it() {
    let mut model = stage(80, 24);
    let ways = "by OSC 52 and xclip".to_owned();
    let said = "GET /a\u{202e}b".to_owned();
    update(&mut model, Msg::Copied { text: said, ways });
    let shown = text(&model);
    assert!(
        shown.contains(
            " copied by OSC 52 and xclip: GET /a<U+202E>b  it has characters that cannot"
        ),
        "{shown}"
    );
    let cited = Msg::Cited(Ok("47892#s1a#6: what".to_owned()));
    let effects = update(&mut model, cited);
    assert_eq!(effects, [Effect::Copy("47892#s1a#6: what".to_owned())]);
}

#[test]
fn the_copied_command_keeps_the_filter() {
    let mut model = stage(80, 24);
    press(&mut model, "2fkind:http is:denied<Enter>");
    let wanted = "recount log 47892 --where 'kind:http is:denied' --store /var/lib/recount";
    assert_eq!(press(&mut model, "yc"), [Effect::Copy(wanted.to_owned())]);
}

#[test]
fn a_citation_has_the_hash_that_a_proof_proves_and_its_link_opens_the_record() {
    let store = store();
    let cited: Value =
        serde_json::from_str(&out(&ask(&store, &["cite", "47892#6", "-o", "json"]))).unwrap();
    let proof = out(&ask(&store, &["proof", "47892#6"]));
    let text = out(&ask(&store, &["cite", "47892#6"]));
    let leaf = cited["leaf"].as_str().unwrap();
    assert_eq!(leaf.len(), 64, "{cited}");
    assert!(text.contains(&format!("leaf sha256:{leaf}")), "{text}");
    // The proof carries the leaf's own 54 bytes: the hash is theirs.
    let extra = proof
        .lines()
        .find_map(|line| line.strip_prefix("extra "))
        .unwrap();
    let extra = base64::engine::general_purpose::STANDARD
        .decode(extra)
        .unwrap();
    let hex = |bytes: [u8; 32]| bytes.map(|byte| format!("{byte:02x}")).concat();
    let hashes = extra
        .windows(54)
        .map(|leaf| hex(ledger::tree::hash_leaf(leaf)));
    assert!(
        hashes.into_iter().any(|hash| hash == leaf),
        "{leaf}: {proof}"
    );
    let link = cited["link"].as_str().unwrap();
    let opened = out(&ask(&store, &["why", link]));
    assert!(opened.starts_with("record     s1a#6 "), "{opened}");
    let elsewhere = ask(&store, &["why", &link.replace("ledger=", "ledger=x")]);
    assert_eq!(code(&elsewhere), 2);
    assert!(
        err(&elsewhere).contains("the link leads to ledger x"),
        "{}",
        err(&elsewhere)
    );
    assert_eq!(code(&ask(&store, &["cite", "47892"])), 2);
    assert_eq!(code(&ask(&store, &["cite", "47892#999"])), 1);
}

#[test]
fn every_list_comes_as_json_lines_and_as_csv_with_as_many_rows() {
    let store = hostile_store();
    ask(&store, &["note", "666#6", "=1+1"]);
    for command in [
        "diff 666",
        "why 666",
        "replay 666",
        "replay 666 --at 8",
        "verify 666",
        "notes",
        "notes 666",
        "config",
        "cite 666#6",
    ] {
        let with = |form: &str| {
            let mut arguments: Vec<&str> = command.split(' ').collect();
            arguments.extend(["-o", form]);
            out(&ask(&store, &arguments))
        };
        let lines = with("jsonl");
        assert!(!lines.is_empty(), "{command}");
        for line in lines.lines() {
            assert!(
                serde_json::from_str::<Value>(line).is_ok(),
                "{command}: {line}"
            );
        }
        let csv = with("csv");
        assert_eq!(
            csv.lines().count(),
            lines.lines().count() + 1,
            "{command}: {csv}"
        );
        let acts =
            |c: char| (c.is_control() && c != '\n') || ('\u{200b}'..='\u{202e}').contains(&c);
        assert!(!csv.contains(acts), "{command}: {csv:?}");
        assert!(
            !csv.split([',', '\n'])
                .any(|cell| cell.starts_with(['=', '+', '@'])),
            "{csv}"
        );
    }
}

#[test]
fn settings_say_where_they_come_from_and_no_secret() {
    let store = store();
    let folder = store.home().join(".config/recount");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("config.toml");
    std::fs::write(&file, "# mine\nstore = \"/configured\"\n").unwrap();
    let said = |arguments: &[&str]| {
        let mut call = crate::cli::recount(&store.home());
        call.env("RECOUNT_TOKEN", "s3cret").args(arguments);
        call.output().unwrap()
    };
    let text = out(&said(&["config"]));
    let origin = |name: &str| {
        let mut lines = text.lines();
        lines
            .find(|line| line.starts_with(name))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        origin("store").ends_with(&format!("{}:2", file.display())),
        "{text}"
    );
    assert!(origin("theme").ends_with("default"), "{text}");
    assert!(
        origin("token").contains("set, not shown") && !text.contains("s3cret"),
        "{text}"
    );
    assert!(
        origin("token").ends_with("environment RECOUNT_TOKEN"),
        "{text}"
    );
    let flagged = out(&said(&["config", "--ascii", "--store", "/flag"]));
    assert!(
        flagged.contains("/flag") && flagged.contains("flag --store"),
        "{flagged}"
    );
    assert!(flagged.contains("flag --ascii"), "{flagged}");
    std::fs::write(&file, "store = \"/configured\"\n\nstroe = 1\n").unwrap();
    let checked = said(&["config", "--check"]);
    assert_eq!(code(&checked), 2);
    assert!(
        err(&checked).contains(":3: \"stroe\" is no setting; did you mean store?"),
        "{}",
        err(&checked)
    );
    assert_eq!(code(&said(&["config"])), 0);
}

#[test]
fn the_doctor_names_what_it_looked_at() {
    let store = store();
    let text = out(&ask(&store, &["doctor"]));
    for name in [
        "recount",
        "output",
        "colours",
        "clipboard",
        "config",
        "notes",
        "store",
        "keys",
        "lock",
        "disk",
        "ledger",
        "clock",
    ] {
        assert!(
            text.lines()
                .any(|line| line.starts_with(&format!("{name:<10} "))),
            "{name}: {text}"
        );
    }
    assert!(text.contains("nobody writes to it now"), "{text}");
}

#[test]
fn a_shell_completes_requests_and_nothing_that_it_would_act_on() {
    let store = hostile_store();
    let named = out(&ask(&store, &["requests"]));
    assert_eq!(
        named.lines().collect::<Vec<_>>(),
        ["666", "500", "chat-500", "47892"],
        "{named}"
    );
    assert_eq!(out(&ask(&store, &["requests", "47"])), "47892\n");
    let script = store.home().join("recount.bash");
    let made = crate::cli::recount(&store.home())
        .args(["completions", "bash"])
        .output()
        .unwrap();
    std::fs::write(&script, made.stdout).unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_recount"));
    let line = format!(
        "source {}; COMP_WORDS=(recount show 47); COMP_CWORD=2; _recount_or_request recount 47 show; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display()
    );
    let completed = std::process::Command::new("bash")
        .args(["-c", &line])
        .env_clear()
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", program.parent().unwrap().display()),
        )
        .env("HOME", store.home())
        .env("RECOUNT_STORE", store.dir())
        .output()
        .unwrap();
    assert!(
        out(&completed).lines().any(|line| line == "47892"),
        "{completed:?}"
    );
    for (shell, word) in [("zsh", ":_recount_request'"), ("fish", "recount requests")] {
        let script = crate::cli::recount(&store.home())
            .args(["completions", shell])
            .output()
            .unwrap();
        assert!(out(&script).contains(word), "{shell}");
    }
}
