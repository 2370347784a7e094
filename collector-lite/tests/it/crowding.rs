//! What one sender can take from the others and from the collector itself: not its files, not its memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use collector_lite::Hidden;

use crate::harness::{BINARY, JSON, Lab, logs_json, record_json, try_post};

/// A collector that may have only so many files open.
fn with_files(lab: &Lab, files: u32) -> Hidden {
    let script = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &script,
        BINARY,
        "serve",
        "--init",
        "--otlp-http",
        "127.0.0.1:0",
    ]);
    command.args(["--otlp-grpc", "127.0.0.1:0", "--reader"]);
    command.arg(lab.socket()).arg("--store").arg(lab.store());
    Hidden::spawn(&mut command, true).unwrap()
}

#[test]
fn connections_that_say_nothing_do_not_stop_the_ledger() {
    let lab = Lab::new();
    let mut collector = with_files(&lab, 100);
    let [http, grpc] = [&collector.ready().otlp_http, &collector.ready().otlp_grpc]
        .map(|address| address.clone().unwrap());
    let body = |n: u32| logs_json(&[&record_json(&n.to_string(), &[("session.id", "s")])]);
    let idle: Vec<TcpStream> = (0..150)
        .map(|n| {
            let mut stream = TcpStream::connect(if n % 2 == 0 { &grpc } else { &http }).unwrap();
            let _ = stream.write_all(b"POST /v1/logs HT");
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    let open = std::fs::read_dir(format!("/proc/{}/fd", collector.ready().pid)).unwrap();
    assert!(open.count() < 80, "files are left for the ledger");
    drop(idle);
    // Whoever waited for a place gets one, and the ledger signs as before.
    let answer = try_post(&http, "/v1/logs", &[JSON], body(1).as_bytes()).unwrap();
    assert_eq!(answer.status, 200);
    assert!(collector.stop().unwrap().success());
    assert_eq!(lab.records().len(), 1);
}

#[test]
fn bodies_of_unknown_length_share_the_memory_that_is_set_aside() {
    let lab = Lab::new();
    let mut collector =
        lab.serve_with(&["--max-body-bytes", "8000000", "--max-in-flight-bytes", "1"]);
    let address = collector.ready().otlp_http.clone().unwrap();
    let pid = collector.ready().pid;
    let chunk = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(&address).unwrap();
                let head = b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(head).unwrap();
                // Some are refused while they write.
                let _ = (0..7).try_for_each(|_| stream.write_all(&chunk));
                let mut answer = [0; 12];
                stream.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
                let _ = stream.read_exact(&mut answer);
                assert!(!answer.starts_with(b"HTTP/1.1 2"));
            });
        }
    });
    let peak = crate::harness::peak_kb(pid);
    assert!(
        peak < 120_000,
        "{peak} kB for 30 bodies of 7 MB in 17 MB of room"
    );
    collector.stop().unwrap();
}
