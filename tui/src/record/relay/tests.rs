//! A relay that only passes calls on, between real sockets.

use std::time::Duration;

use recount::Recorder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::clients::{Clients, Defaults};
use super::*;

/// Long enough for any machine; nothing waits for it to pass.
const LONG: Duration = Duration::from_secs(60);

struct Pass {
    upstream: Upstream,
    client: reqwest::Client,
}

/// Sees nothing.
struct Blind(#[expect(dead_code, reason = "held for the session's sake")] Busy);

impl Watch for Blind {
    fn passed(&mut self, _: &bytes::Bytes) {}
    fn ended(self, _: Ended) {}
}

impl Relay for Pass {
    async fn answer(&self, call: Call) -> Response<Body> {
        let busy = call.busy();
        let body = reqwest::Body::wrap(call.body);
        match self
            .client
            .execute(self.upstream.request(&call.parts, body))
            .await
        {
            Ok(response) => self.upstream.answer(response, Blind(busy)),
            Err(error) => self.upstream.unanswered(&error).0,
        }
    }
}

/// A relay to `upstream`; gives where it listens.
async fn relay(upstream: &str) -> String {
    let upstream = Upstream::new("test", upstream).unwrap();
    let client = Upstream::client().no_proxy().build().unwrap();
    let defaults = Defaults {
        relay: "test",
        request: None,
        agent: None,
        content: None,
        declared: Default::default(),
        idle: LONG,
    };
    let clients = Clients::new(&Recorder::testing(), defaults);
    let listener = Listen::parse("0").unwrap().bind().await.unwrap();
    let address = listener.address();
    tokio::spawn(async move { serve::serve(listener, Pass { upstream, client }, &clients).await });
    address.strip_prefix("http://").unwrap().to_owned()
}

/// Reads up to the empty line after the head.
async fn head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

async fn server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test]
async fn the_first_byte_passes_before_the_second_is_sent() {
    let (listener, url) = server().await;
    let (read, go_on) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = head(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-own: 1\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(b"1\r\na\r\n").await.unwrap();
        go_on.await.unwrap();
        stream.write_all(b"1\r\nb\r\n0\r\n\r\n").await.unwrap();
        asked
    });
    let mut caller = TcpStream::connect(relay(&url).await).await.unwrap();
    let ask = "GET /v1/x?y=%20z HTTP/1.1\r\nhost: h\r\nx-key: k\r\nx-recount-session: s\r\nkeep-alive: 5\r\n\r\n";
    caller.write_all(ask.as_bytes()).await.unwrap();
    let answered = head(&mut caller).await;
    assert!(answered.contains("x-own: 1"), "{answered}");
    let mut first = [0; 6];
    caller.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"1\r\na\r\n");
    read.send(()).unwrap();
    let mut rest = [0; 11];
    caller.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"1\r\nb\r\n0\r\n\r\n");
    let asked = serving.await.unwrap();
    assert!(
        asked.starts_with("GET /v1/x?y=%20z HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("x-key: k"), "{asked}");
    assert!(
        !asked.contains("keep-alive") && !asked.contains("recount"),
        "{asked}"
    );
    assert!(!asked.contains("transfer-encoding"), "{asked}");
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_its_call_with_it() {
    let (listener, url) = server().await;
    let mut caller = TcpStream::connect(relay(&url).await).await.unwrap();
    caller
        .write_all(b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n")
        .await
        .unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    head(&mut stream).await;
    drop(caller);
    // The end of the connection, though nothing was answered.
    let closed = tokio::time::timeout(LONG, stream.read(&mut [0; 1]))
        .await
        .unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
}

#[tokio::test]
async fn who_does_not_answer_is_named_and_so_is_the_relay() {
    let (listener, url) = server().await;
    drop(listener);
    let mut caller = TcpStream::connect(relay(&url).await).await.unwrap();
    let ask = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    caller.write_all(ask).await.unwrap();
    let mut answer = String::new();
    caller.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let host = url.strip_prefix("http://").unwrap();
    let said = format!("recount test: no answer from {host}: ");
    assert!(answer.contains(&said), "{answer}");
}

#[tokio::test]
async fn what_would_pass_unseen_is_refused() {
    let mut caller = TcpStream::connect(relay("http://127.0.0.1:9").await)
        .await
        .unwrap();
    let ask = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    caller.write_all(ask).await.unwrap();
    assert!(head(&mut caller).await.starts_with("HTTP/1.1 501"));
}
