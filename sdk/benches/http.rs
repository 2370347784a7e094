//! What HTTP capture without diffs adds to a call on loopback that takes the server 1 ms, in the same run.
//!
//! Calls alternate between a client with the layer and one without, so that both meet the same machine. A `GET` is
//! spooled; its body is read to the end, as the action ends with it.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a benchmark that cannot be set up has nothing to measure, and reads the clock"
)]

use std::time::{Duration, Instant};

use axum::{Router, routing::get};
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
    let answer = || async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        "{\"id\":17,\"name\":\"Acme\",\"stage\":\"renewal\"}"
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/accounts/17", listener.local_addr().unwrap());
    let app = Router::new().route("/accounts/17", get(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });

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
