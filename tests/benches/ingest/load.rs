//! The load: connections that export and wait for the acknowledgement, against a collector in a process of its own.

use crate::device;
use crate::spans::Exports;
use collector_lite::Hidden;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is sent, and how.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: u64,
    pub(crate) records_per_export: u64,
    pub(crate) sessions_per_export: u64,
    /// Records per second of all connections together; `None` is as fast as they are acknowledged.
    pub(crate) pace: Option<u64>,
}

/// What one run measured.
pub(crate) struct Measured {
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// The most memory the collector's process ever had, in bytes.
    pub(crate) resident: u64,
    pub(crate) bytes_per_record: f64,
    /// Processor time of the collector and of the load per record, in microseconds.
    pub(crate) collector_us: f64,
    pub(crate) load_us: f64,
}

pub(crate) fn run(
    store: &Path,
    load: Load,
    at_least: Duration,
    program: Option<&PathBuf>,
) -> Measured {
    let exports = Exports::new(load.records_per_export, load.sessions_per_export);
    let mut collector = start(store, program).expect("a collector");
    let address = collector.ready().otlp_http.clone().expect("a door");
    let address = address.parse().expect("an address");
    let next = AtomicU64::new(0);
    let own = device::processor_time(std::process::id());
    let begin = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let (exports, next) = (&exports, &next);
        let worker = |number| Worker {
            exports,
            next,
            address,
            begin,
            end: begin + at_least,
            offset: load.interval() * number / load.connections as u32,
            interval: load.interval(),
        };
        let workers: Vec<_> = (0..load.connections as u32)
            .map(|number| scope.spawn(move || worker(number).export()))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a worker"))
            .collect()
    });
    let elapsed = begin.elapsed();
    times.sort();
    let records = times.len() as u64 * load.records_per_export;
    let own = device::processor_time(std::process::id()) - own;
    let theirs = device::processor_time(collector.ready().pid);
    let per_record = |time: Duration| time.as_secs_f64() * 1e6 / records as f64;
    let resident = peak_resident(collector.ready().pid);
    collector.stop().expect("a graceful stop");
    Measured {
        rate: records as f64 / elapsed.as_secs_f64(),
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
        resident,
        bytes_per_record: size(store) as f64 / records as f64,
        collector_us: per_record(theirs),
        load_us: per_record(own),
    }
}

impl Load {
    /// Time between two exports of one connection; zero without a pace.
    fn interval(&self) -> Duration {
        self.pace.map_or(Duration::ZERO, |pace| {
            Duration::from_secs_f64(
                (self.connections * self.records_per_export) as f64 / pace as f64,
            )
        })
    }
}

fn start(store: &Path, program: Option<&PathBuf>) -> std::io::Result<Hidden> {
    let mut arguments: Vec<OsString> = ["serve", "--init", "--otlp-grpc", "127.0.0.1:0"]
        .map(OsString::from)
        .to_vec();
    arguments.extend(["--otlp-http", "127.0.0.1:0", "--reader"].map(OsString::from));
    arguments.push(store.with_extension("sock").into());
    arguments.push("--store".into());
    arguments.push(store.into());
    match program {
        Some(program) => Hidden::spawn(std::process::Command::new(program).args(arguments), true),
        None => Hidden::start(&std::env::current_exe()?, arguments, true),
    }
}

struct Worker<'e> {
    exports: &'e Exports,
    next: &'e AtomicU64,
    address: SocketAddr,
    begin: Instant,
    end: Instant,
    offset: Duration,
    interval: Duration,
}

impl Worker<'_> {
    fn export(&self) -> Vec<Duration> {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let mut replies = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut times = Vec::new();
        let mut request = Vec::new();
        let mut due = self.begin + self.offset;
        while Instant::now() < self.end {
            request.clear();
            write!(
                request,
                "POST /v1/traces HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
                self.address,
                self.exports.len()
            )
            .expect("a head");
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            self.exports.put(n, &mut request);
            if !self.interval.is_zero() {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            // With a pace, waiting for one's turn counts: an export that is late because of the one before is late.
            let start = if self.interval.is_zero() {
                Instant::now()
            } else {
                due
            };
            stream.write_all(&request).expect("a request");
            let status = reply(&mut replies);
            assert_eq!(status, 200, "every export must be acknowledged");
            times.push(start.elapsed());
            due += self.interval;
        }
        times
    }
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

/// The most memory that a process ever had resident, in bytes.
fn peak_resident(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    kilobytes
        .and_then(|number| number.trim().parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

fn size(folder: &Path) -> u64 {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        // Room set aside for a full disk is not what records take.
        .filter(|entry| entry.file_name() != "reserve")
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}
