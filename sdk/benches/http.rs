//! What HTTP capture without diffs adds to a call on loopback that takes the server 1 ms, in the same run.
//!
//! Calls alternate between a client with the layer and one without, so that both meet the same machine. A `GET` is
//! spooled; its body is read to the end, as the action ends with it. The server is a thread of its own that sleeps by
//! the system's clock: a runtime's timers tick in whole milliseconds, and what is done between two ticks costs nothing.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot be set up has nothing to measure, and reads the clock"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use recount::capture::http::Layer;
use recount::{EndReason, Recorder};

const CALLS: usize = 2_000;

fn main() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(compare());
}

async fn compare() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = Recorder::builder("bench")
        .collector("http://127.0.0.1:9")
        .spool(folder.path())
        .spool_limit(4 << 30)
        .build()
        .expect("a recorder");
    let session = recorder.session("47892").start().await;
    let url = format!("http://{}/accounts/17", serve().unwrap());

    let builder = || reqwest::Client::builder().no_proxy();
    let plain = builder().build().expect("a client");
    let layer = Layer::new(&recorder).session(&session);
    let recorded = layer.client(builder()).expect("a client");
    let (mut without, mut with) = (Vec::with_capacity(CALLS), Vec::with_capacity(CALLS));
    for call in 0..CALLS + 200 {
        let began = Instant::now();
        plain.get(&url).send().await.unwrap().bytes().await.unwrap();
        let middle = Instant::now();
        recorded
            .get(&url)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        let ended = Instant::now();
        // The first ones open connections.
        if call >= 200 {
            without.push(middle - began);
            with.push(ended - middle);
        }
    }
    session.end(EndReason::Completed).await;
    without.sort_unstable();
    with.sort_unstable();
    println!("{CALLS} calls each, alternating; the server takes 1 ms");
    for (name, at) in [
        ("p10", CALLS / 10),
        ("median", CALLS / 2),
        ("p90", CALLS * 9 / 10),
    ] {
        let ratio = with[at].as_secs_f64() / without[at].as_secs_f64();
        println!(
            "{name}: {:?} without, {:?} with, x {ratio:.3}",
            without[at], with[at]
        );
    }
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 41\r\n\r\n\
    {\"id\":17,\"name\":\"Acme\",\"stage\":\"renewal\"}";

/// A server that answers each request after 1 ms.
fn serve() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut asked, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        asked.extend_from_slice(&buffer[..read]);
        if asked.ends_with(b"\r\n\r\n") {
            asked.clear();
            std::thread::sleep(Duration::from_millis(1));
            stream.write_all(ANSWER.as_bytes())?;
        }
    }
}
