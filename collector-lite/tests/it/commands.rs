//! The commands around a ledger: what they print, and how they end.

use crate::harness::{JSON, Lab, logs_json, post, record_json};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_ledger_is_created_once_and_never_over_something_else() {
    let lab = Lab::new();
    let first = lab.run(&["init", "--origin", "recount.example.test/lab"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert!(text(&first.stdout).contains("recount.example.test/lab"));
    let second = lab.run(&["init"]);
    assert_eq!(second.status.code(), Some(2));
    assert!(text(&second.stderr).contains("hint:"));
}

#[test]
fn a_missing_store_is_named_with_what_to_do() {
    let lab = Lab::new();
    for command in ["status", "verify", "checkpoint", "reindex", "compact"] {
        let output = lab.run(&[command]);
        assert_eq!(
            output.status.code(),
            Some(5),
            "{command}: {}",
            text(&output.stderr)
        );
        assert!(
            text(&output.stderr).contains("recount-collector init --store"),
            "{command}"
        );
    }
}

#[test]
fn a_ledger_that_lacks_a_file_is_damaged_and_is_not_made_anew() {
    for file in ["acked", "last_signed", "ledger.db"] {
        let lab = Lab::new();
        assert!(lab.run(&["init"]).status.success());
        std::fs::remove_file(lab.store().join(file)).unwrap();
        let output = lab.run(&["serve", "--init", "--otlp-http", "127.0.0.1:0"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{file}: {said}");
        assert!(said.contains(file) && said.contains("backup"), "{said}");
        assert!(!lab.store().join(file).exists());
    }
}

#[test]
fn a_reader_that_goes_away_changes_no_exit_code() {
    let lab = Lab::new();
    assert!(lab.run(&["init"]).status.success());
    for command in [
        "status",
        "verify",
        "checkpoint",
        "config",
        "reindex",
        "compact",
    ] {
        let mut child = lab
            .command_of(&[command])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = text(&output.stderr);
        assert!(
            output.status.success() && !said.contains("panicked"),
            "{command}: {said}"
        );
    }
}

#[test]
fn a_whole_ledger_is_looked_after() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    for n in 0..20 {
        let record = record_json(
            &format!("hello {n}"),
            &[("session.id", "s"), ("recount.request.id", "47892")],
        );
        assert_eq!(
            post(
                &collector,
                "/v1/logs",
                &[JSON],
                logs_json(&[&record]).as_bytes()
            )
            .status,
            200
        );
    }
    let socket = lab.socket();
    let socket = socket.to_str().unwrap();
    // While the collector runs, its reader door is asked.
    let status = lab.run(&["status", "--reader", socket, "-o", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(
        (&status["records"], &status["running_reader"]),
        (&20.into(), &socket.into())
    );
    assert_eq!(
        lab.run(&["status", "--reader", "none"]).status.code(),
        Some(5)
    );
    collector.stop().unwrap();

    let known = lab.dir.path().join("known");
    let checkpoint = lab.run(&["checkpoint"]);
    assert!(text(&checkpoint.stdout).starts_with("recount.local/"));
    std::fs::write(&known, &checkpoint.stdout).unwrap();
    let key = std::fs::read_to_string(lab.store().join("ledger.pub")).unwrap();
    lab.serve().stop().unwrap();
    for command in [&["compact"][..], &["reindex"], &["status"]] {
        let output = lab.run(command);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{command:?}: {}",
            text(&output.stderr)
        );
    }
    let verified = lab.run(&[
        "verify",
        "--known-checkpoint",
        known.to_str().unwrap(),
        "--key",
        key.trim(),
    ]);
    assert_eq!(
        verified.status.code(),
        Some(0),
        "{}{}",
        text(&verified.stdout),
        text(&verified.stderr)
    );
    assert!(text(&verified.stdout).contains("20 records in "));
}

#[test]
fn another_key_and_a_foreign_checkpoint_are_told() {
    let lab = Lab::new();
    let other = Lab::new();
    assert!(lab.run(&["init"]).status.success() && other.run(&["init"]).status.success());
    let key = std::fs::read_to_string(other.store().join("ledger.pub")).unwrap();
    let verified = lab.run(&["verify", "--key", key.trim()]);
    assert_eq!(
        verified.status.code(),
        Some(3),
        "{}",
        text(&verified.stdout)
    );
    let foreign = other.store().join("last_signed");
    let verified = lab.run(&["verify", "--known-checkpoint", foreign.to_str().unwrap()]);
    assert_eq!(
        verified.status.code(),
        Some(3),
        "{}",
        text(&verified.stdout)
    );
}

#[test]
fn every_setting_shows_where_it_came_from() {
    let lab = Lab::new();
    let config = lab.dir.path().join("collector.toml");
    std::fs::write(&config, "otlp_http = \"127.0.0.1:9999\"\n").unwrap();
    let output = lab.run(&["config", "--config", config.to_str().unwrap()]);
    let shown = text(&output.stdout);
    assert!(
        shown.contains("flag --store") && shown.contains("127.0.0.1:9999"),
        "{shown}"
    );
    assert!(
        shown.contains(&format!("file {}", config.display())) && shown.contains("# default"),
        "{shown}"
    );
    // What nobody set is shown as what it comes to.
    assert!(shown.contains("/recount/reader.sock"), "{shown}");
    assert_eq!(
        lab.run(&["config", "--reader", "nonsense"]).status.code(),
        Some(2)
    );
}

/// redteam: S09 O04
#[test]
fn a_restored_ledger_is_refused_by_name_recovered_and_verified_beside_the_old_one() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    collector.stop().unwrap();
    let backup = lab.dir.path().join("backup.db");
    std::fs::copy(lab.store().join("ledger.db"), &backup).unwrap();
    let mut collector = lab.serve();
    let record = record_json("one", &[("session.id", "s")]);
    let answer = post(
        &collector,
        "/v1/logs",
        &[JSON],
        logs_json(&[&record]).as_bytes(),
    );
    assert_eq!(answer.status, 200);
    collector.stop().unwrap();
    std::fs::copy(&backup, lab.store().join("ledger.db")).unwrap();

    let refused = lab.run(&[
        "serve",
        "--otlp-http",
        "none",
        "--otlp-grpc",
        "none",
        "--reader",
        "none",
    ]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(
        said.contains("is behind acked") && said.contains("recount-collector recover"),
        "{said}"
    );

    let recovered = lab.run(&["recover", "--reason", "the disk died", "--actor", "ops"]);
    let said = text(&recovered.stdout);
    assert_eq!(
        recovered.status.code(),
        Some(0),
        "{}",
        text(&recovered.stderr)
    );
    assert!(
        said.contains("are missing") && said.contains("previous/"),
        "{said}"
    );

    let mut collector = lab.serve();
    collector.stop().unwrap();
    let verified = lab.run(&["verify"]);
    let said = text(&verified.stdout);
    assert_eq!(verified.status.code(), Some(0), "{said}");
    assert!(
        said.contains("continues") && said.contains("the disk died") && said.contains("older"),
        "{said}"
    );
    let older = ledger::store::previous(&lab.store()).remove(0);
    let json = text(&lab.run(&["verify", "-o", "json"]).stdout);
    assert!(json.contains(&older.display().to_string()), "{json}");
    let program = std::process::Command::new(crate::harness::BINARY)
        .args(["verify", "--store"])
        .arg(&older)
        .output()
        .unwrap();
    assert_eq!(program.status.code(), Some(3), "{}", text(&program.stdout));
    let again = lab.run(&["recover", "--reason", "once more"]);
    assert_eq!(again.status.code(), Some(5));
    assert!(text(&again.stderr).contains("lacks nothing"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_what_the_system_said() {
    let lab = Lab::new();
    let output = lab.run_on(std::path::Path::new("/proc/store"), &["init"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("/proc/store: No such file"), "{said}");
}
