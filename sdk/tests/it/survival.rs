//! What survives the death of the process that recorded it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use recount::{EndReason, Recorder};

use crate::collector::Collector;

const ROLE: &str = "RECOUNT_TEST_SPOOL";

/// Not a test by itself: the process that is killed. It records, says so, and
/// waits for its end.
#[test]
fn child_that_records_until_it_is_killed() {
    let Ok(folder) = std::env::var(ROLE) else {
        return;
    };
    let recorder = Recorder::builder("killed")
        .collector("http://127.0.0.1:9")
        .spool(folder)
        .spool_file_bytes(64 * 1024)
        .build()
        .unwrap();
    let session = recorder.session("47892").intent("x").start_blocking();
    let mut number = 0;
    loop {
        let action = session
            .tool("look")
            .reads()
            .attempt(number)
            .begin_blocking()
            .unwrap();
        action.result(&"r".repeat(300));
        action.end_success();
        number += 1;
        if number == 500 {
            println!("recorded 500");
        }
    }
}

fn child(folder: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "survival::child_that_records_until_it_is_killed",
            "--nocapture",
        ])
        .env(ROLE, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines
        .map_while(Result::ok)
        .any(|line| line.contains("recorded 500"));
    assert!(said, "the child ended by itself");
    child
}

#[test]
fn the_spool_of_a_killed_process_is_shipped_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = child(folder.path());
    child.kill().unwrap();
    child.wait().unwrap();

    let collector = Collector::start();
    let recorder = Recorder::builder("next")
        .collector(collector.url())
        .spool(folder.path())
        .build()
        .unwrap();
    recorder
        .session("2")
        .start_blocking()
        .end_blocking(EndReason::Completed);
    assert!(recorder.close_blocking(Duration::from_secs(8)).is_none());
    let runs = collector.runs();
    assert_eq!(runs.len(), 2);
    let killed = runs
        .values()
        .find(|records| records[0].str("recount.request.id") == Some("47892"))
        .unwrap();
    let begins = killed
        .iter()
        .filter(|record| record.event == "agent.tool.invoke")
        .count();
    let ends = killed
        .iter()
        .filter(|record| record.event == "agent.tool.result")
        .count();
    assert!(
        begins >= 500 && (begins == ends || begins == ends + 1),
        "{begins} begins, {ends} ends"
    );
    assert!(!collector.names().contains(&"agent.loss".to_owned()));
    assert!(
        folder.path().read_dir().unwrap().next().is_none(),
        "something is left in the spool"
    );
}

#[test]
fn the_spool_of_a_living_process_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = child(folder.path());
    let collector = Collector::start();
    let recorder = Recorder::builder("next")
        .collector(collector.url())
        .spool(folder.path())
        .build()
        .unwrap();
    recorder
        .session("2")
        .start_blocking()
        .end_blocking(EndReason::Completed);
    assert!(recorder.close_blocking(Duration::from_secs(8)).is_none());
    assert_eq!(collector.runs().len(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_spool_damaged_at_its_end_gives_what_is_whole_and_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::builder("first")
        .collector("http://127.0.0.1:9")
        .spool(folder.path())
        .build()
        .unwrap();
    let session = recorder.session("47892").start_blocking();
    session.checkpoint("one");
    session.checkpoint("damaged");
    session.end_blocking(EndReason::Completed);
    recorder.close_blocking(Duration::from_millis(1));
    drop(recorder);
    let file = folder
        .path()
        .read_dir()
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes
        .windows(7)
        .position(|window| window == b"damaged")
        .unwrap();
    bytes[at] = b'D';
    // The first owner's lock ends with its threads; a copy stands for a reboot.
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();

    let collector = Collector::start();
    let next = Recorder::builder("next")
        .collector(collector.url())
        .spool(folder.path())
        .build()
        .unwrap();
    assert!(next.close_blocking(Duration::from_secs(8)).is_none());
    collector.until("the loss", |collector| {
        collector.names().contains(&"agent.loss".to_owned())
    });
    let loss = collector
        .records()
        .into_iter()
        .find(|record| record.event == "agent.loss")
        .unwrap();
    assert_eq!(loss.str("recount.loss.cause"), Some("crash"));
    let notes: Vec<_> = collector
        .records()
        .iter()
        .filter_map(|record| record.str("recount.session.note").map(str::to_owned))
        .collect();
    assert_eq!(notes, ["one"]);
}
