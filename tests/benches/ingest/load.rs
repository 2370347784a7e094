//! The load: connections that export as fast as they are acknowledged, against a collector in a process of its own.

use crate::spans;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one run measured.
pub(crate) struct Measured {
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) resident: u64,
    pub(crate) bytes_per_record: f64,
}

pub(crate) fn run(store: &Path, sessions: u64, connections: usize, at_least: Duration) -> Measured {
    let collector = examples::collector::Running::start(store).expect("a collector");
    let address = collector.otlp_http().expect("an address");
    let next = AtomicU64::new(0);
    let start = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| export_until(address, sessions, &next, start + at_least)))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a worker"))
            .collect()
    });
    let elapsed = start.elapsed();
    times.sort();
    let records = times.len() as u64 * spans::PER_REQUEST;
    let resident = resident(collector.id());
    collector.stop().expect("a graceful stop");
    Measured {
        rate: records as f64 / elapsed.as_secs_f64(),
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
        resident,
        bytes_per_record: size(store) as f64 / records as f64,
    }
}

fn export_until(
    address: SocketAddr,
    sessions: u64,
    next: &AtomicU64,
    end: Instant,
) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let mut replies = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut times = Vec::new();
    while Instant::now() < end {
        let first = next.fetch_add(spans::PER_REQUEST, Ordering::Relaxed);
        let body = spans::export(first, sessions);
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let start = Instant::now();
        stream
            .write_all(&[head.as_bytes(), &body].concat())
            .expect("a request");
        let status = reply(&mut replies);
        assert_eq!(status, 200, "every export must be acknowledged");
        times.push(start.elapsed());
    }
    times
}

fn reply(stream: &mut BufReader<TcpStream>) -> u16 {
    let mut line = String::new();
    stream.read_line(&mut line).expect("a status line");
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .expect("a status");
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).expect("a header");
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    stream.read_exact(&mut vec![0; length]).expect("a body");
    status
}

/// Resident memory of a process, in bytes.
fn resident(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let pages: u64 = text
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    pages * 4096
}

fn size(folder: &Path) -> u64 {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}
