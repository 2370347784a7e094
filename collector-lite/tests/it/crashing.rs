//! Kills, two at once, and taken ports: nothing acknowledged is lost, nothing is done silently.

use std::net::TcpListener;
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
