//! Kills, two at once, and taken ports: nothing acknowledged is lost, nothing is done silently.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ledger::envelope::Envelope;
use ledger::otlp::{Encoding, Item, Signal};
use ledger::store::Folder;
use ledger::verify::{Trusted, verify_all};

use crate::harness::{JSON, Lab, logs_json, record_json, try_post};

#[test]
fn a_kill_while_exporting_loses_nothing_that_was_acknowledged() {
    let lab = Lab::new();
    let mut acknowledged = Vec::new();
    for round in 0..4 {
        let mut collector = lab.serve();
        let address = collector.ready().otlp_http.clone().unwrap();
        let stop = AtomicBool::new(false);
        let got = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..3)
                .map(|sender| {
                    let (address, stop) = (&address, &stop);
                    scope.spawn(move || {
                        let mut got = Vec::new();
                        for n in 0.. {
                            if stop.load(Ordering::Relaxed) {
                                break;
                            }
                            let name = format!("{round}/{sender}/{n}");
                            let session = format!("s-{sender}");
                            let record = record_json(&name, &[("session.id", &session)]);
                            let body = logs_json(&[&record]);
                            match try_post(address, "/v1/logs", &[JSON], body.as_bytes()) {
                                Ok(answer) if answer.status == 200 => got.push(name),
                                _ => break,
                            }
                        }
                        got
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(150 + 70 * round));
            collector.kill().unwrap();
            stop.store(true, Ordering::Relaxed);
            senders
                .into_iter()
                .flat_map(|sender| sender.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert!(!got.is_empty());
        acknowledged.extend(got);
    }
    lab.serve().stop().unwrap();
    let mut kept = std::collections::HashSet::new();
    for record in lab.records() {
        let body = record.body.unwrap();
        let envelope = Envelope::decode(&body.envelope).unwrap();
        let item = Item::decode(Encoding::Json, Signal::Logs, envelope.item).unwrap();
        kept.insert(item.body.as_str().unwrap().to_owned());
    }
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|name| !kept.contains(*name))
        .collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let folder = Folder::open(&lab.store()).unwrap();
    let report = verify_all(&folder, &Trusted::FirstSeen, &mut |_| {}).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn a_second_collector_on_the_same_ledger_refuses() {
    let lab = Lab::new();
    let _first = lab.serve();
    let second = lab.command().arg("--reader").arg("none").output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(5), "{said}");
    assert!(
        said.contains("in use by another process") && said.contains("hint:"),
        "{said}"
    );
}

/// redteam: S18
#[test]
fn a_store_that_is_taken_away_ends_the_collector_at_once_with_its_reason() {
    let lab = Lab::new();
    assert!(lab.run(&["init"]).status.success());
    let mut child = lab
        .command()
        .args(["--reader", "none"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut ready = BufReader::new(child.stdout.take().unwrap());
    ready.read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    std::fs::remove_file(lab.store().join("ledger.db")).unwrap();
    let body = logs_json(&[&record_json("one", &[("session.id", "s")])]);
    let url = format!("http://{}/v1/logs", ready["otlp_http"].as_str().unwrap());
    let answer = ureq::post(&url)
        .header(JSON.0, JSON.1)
        .send(body.as_bytes());
    assert!(answer.is_err(), "{answer:?}");
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(5), "{said}");
    assert!(
        said.contains("ledger.db was removed or replaced") && said.contains("hint:"),
        "{said}"
    );
}

#[test]
fn a_taken_port_is_named_with_the_flag_that_changes_it() {
    let lab = Lab::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = std::process::Command::new(crate::harness::BINARY);
    command.args([
        "serve",
        "--init",
        "--otlp-grpc",
        "none",
        "--reader",
        "none",
        "--otlp-http",
        &address,
        "--store",
    ]);
    let output = command.arg(lab.store()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(
        said.contains(&address) && said.contains("--otlp-http"),
        "{said}"
    );
    assert!(!lab.store().join("ledger.db-wal").exists());
}

/// Whether this user may mount in a namespace of its own.
fn may_mount() -> bool {
    let mounted = std::process::Command::new("unshare")
        .args(["-Urm", "mount", "-t", "tmpfs", "x", "/mnt"])
        .output();
    mounted.is_ok_and(|output| output.status.success())
}

#[test]
fn a_full_disk_is_retryable_and_loses_nothing_that_was_acknowledged() {
    if !may_mount() {
        eprintln!("skipped: this user may not mount a small file system");
        return;
    }
    let lab = Lab::new();
    let (disk, out) = (lab.dir.path().join("disk"), lab.dir.path().join("out"));
    std::fs::create_dir(&disk).unwrap();
    // The store is copied out before the file system goes with its namespace.
    let script = format!(
        "mount -t tmpfs -o size=2m x {disk} && mkdir {disk}/store && {binary} serve --init --store {disk}/store \
         --otlp-grpc none --otlp-http 127.0.0.1:0 --reader none; cp -a {disk}/store {out}",
        disk = disk.display(),
        binary = crate::harness::BINARY,
        out = out.display(),
    );
    let mut command = std::process::Command::new("unshare");
    let mut collector =
        collector_lite::Hidden::spawn(command.args(["-Urm", "sh", "-c", &script]), true).unwrap();
    let address = collector.ready().otlp_http.clone().unwrap();
    let mut acknowledged = 0;
    let refused = (0..400).find_map(|n| {
        // Hardly compressible, so that the disk fills.
        let noise: String = (0..700u64)
            .map(|i| format!("{:x}", (i + n * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        let record = record_json(&noise, &[("session.id", "s")]);
        let answer = try_post(
            &address,
            "/v1/logs",
            &[JSON],
            logs_json(&[&record]).as_bytes(),
        );
        match answer {
            Ok(answer) if answer.status == 200 => {
                acknowledged += 1;
                None
            }
            Ok(answer) => Some(Ok(answer)),
            Err(error) => Some(Err(error)),
        }
    });
    let refused = refused
        .expect("the disk fills")
        .expect("an answer, not a broken connection");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.headers.contains_key("retry-after"));
    assert!(acknowledged > 10, "{acknowledged}");
    let pid = collector.ready().pid.to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    collector.wait().unwrap();
    assert_eq!(crate::harness::records(&out).len(), acknowledged);
}
