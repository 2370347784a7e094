//! Relays: the first byte of a streamed reply, directly and through `recount llm`, in turn and in the same run.
//!
//! `cargo bench -p tests --bench relay [-- --calls 500]`. Server, relay and collector are processes or threads on the
//! same cores as the caller; one connection, kept open. `strict` waits for the collector's receipt before the call is
//! sent, as is the default; `spooled` (`--on-collector-loss pass`) does not.
#![expect(
    clippy::expect_used,
    reason = "a benchmark may panic: that is how it fails"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};

use tests::models::{Server, begin_events, piece};
use tests::program::Program::Recount;

/// About what an agent sends in the midst of its work.
const REQUEST_BYTES: usize = 4 << 10;
const EVENT: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n";

fn main() -> ExitCode {
    if let Some(code) = tests::program::run_if_asked() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let at = arguments.iter().position(|argument| argument == "--calls");
    let calls = at
        .and_then(|at| arguments.get(at + 1)?.parse().ok())
        .unwrap_or(500);
    let folder = tempfile::tempdir().expect("a folder for the benchmark");
    let collector =
        examples::collector::Running::start(&folder.path().join("store")).expect("a collector");
    let endpoint = format!("http://{}", collector.otlp_http().expect("a door"));
    let server = Server::new(|_, stream| {
        begin_events(stream)?;
        for _ in 0..20 {
            piece(stream, EVENT)?;
        }
        piece(stream, "")?;
        Ok(true)
    })
    .expect("a server");
    let mut relays = ["refuse", "pass"].map(|policy| {
        let spool = folder.path().join(policy);
        relay(&server.url(), &endpoint, policy, &spool)
    });
    let urls = [server.url(), relays[0].1.clone(), relays[1].1.clone()];
    let mut streams = urls.map(|url| connect(&url));
    let mut times: [Vec<Duration>; 3] = std::array::from_fn(|_| Vec::with_capacity(calls));
    // In turn: whatever else the machine does, it does to all of them.
    for call in 0..calls + 20 {
        for (stream, times) in streams.iter_mut().zip(&mut times) {
            let first = exchange(stream, call);
            if call >= 20 {
                times.push(first);
            }
        }
    }
    println!(
        "first byte of a streamed reply, {calls} calls each, request of {REQUEST_BYTES} bytes"
    );
    let mut direct = None;
    for (name, times) in ["direct", "relay, strict", "relay, spooled"]
        .iter()
        .zip(&mut times)
    {
        times.sort_unstable();
        let of = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
        let direct = *direct.get_or_insert(of(50));
        println!(
            "{name:15} p50 {:8.3} ms  p99 {:8.3} ms  added p50 {:6.3} ms",
            ms(of(50)),
            ms(of(99)),
            ms(of(50).saturating_sub(direct))
        );
    }
    for (child, _) in &mut relays {
        child.kill().expect("a relay that runs");
        child.wait().expect("a relay that ended");
    }
    ExitCode::SUCCESS
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn relay(upstream: &str, endpoint: &str, policy: &str, spool: &std::path::Path) -> (Child, String) {
    let mut command = Recount.command().expect("this program");
    command
        .args(["llm", "--listen", "127.0.0.1:0", "--upstream", upstream])
        .args(["--endpoint", endpoint, "--on-collector-loss", policy])
        .env("RECOUNT_SPOOL", spool)
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("a relay");
    let mut line = String::new();
    let stderr = child.stderr.take().expect("what it says");
    BufReader::new(stderr).read_line(&mut line).expect("a line");
    let (_, rest) = line.split_once("listening on ").expect("where it listens");
    let (url, _) = rest.split_once(',').expect("where it listens");
    (child, url.to_owned())
}

fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(url.trim_start_matches("http://")).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// One call; gives the time to the first byte of its answer's body.
fn exchange(stream: &mut TcpStream, number: usize) -> Duration {
    let text = format!("{number} {}", "x ".repeat(REQUEST_BYTES / 2));
    let body = format!(
        "{{\"model\":\"m\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}"
    );
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let request = [head, body].concat();
    let began = Instant::now();
    stream
        .write_all(request.as_bytes())
        .expect("a request that is taken");
    let mut read = Vec::new();
    let mut first = None;
    let mut buffer = [0; 16 << 10];
    while !read.ends_with(b"\r\n0\r\n\r\n") {
        let count = stream.read(&mut buffer).expect("an answer");
        assert!(count > 0, "an answer to its end");
        read.extend_from_slice(&buffer[..count]);
        if first.is_none() && read.windows(5).any(|window| window == b"data:") {
            first = Some(began.elapsed());
        }
    }
    first.expect("an event")
}
