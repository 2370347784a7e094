//! A relay to a server that speaks TLS, as every provider's does: certificates of the platform's authorities, HTTP/2
//! where it is offered.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Failed, Trial};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tests::certificates::{Certified, Certifier, For};

use super::{KEY, Relay, World, exchange, post, rows, same};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("relay_speaks_tls_to_the_server_behind_it", speaks_tls),
        Trial::test(
            "relay_speaks_http_2_where_the_server_offers_it",
            speaks_http_2,
        ),
        Trial::test(
            "relay_trusts_no_server_without_a_certificate",
            trusts_nobody,
        ),
    ]
}

const ANSWER: &str = r#"{"id":"r","model":"small-1","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hello"}}]}"#;

/// How a client begins that speaks HTTP/2: RFC 9113, 3.4.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the server was asked, and what protocol was agreed on.
type Asked = Arc<Mutex<Vec<(String, Option<Vec<u8>>)>>>;

/// A server that answers every request over TLS, in HTTP/1.1, and offers these protocols.
fn server(certified: &Certified, offered: &[&[u8]]) -> Result<(u16, Asked), Failed> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let chain = vec![CertificateDer::from_pem_file(&certified.certificate)?];
    let key = PrivateKeyDer::from_pem_file(&certified.key)?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = offered.iter().map(|one| one.to_vec()).collect();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _refused = answer(&config, stream, &log);
        }
    });
    Ok((port, asked))
}

fn answer(
    config: &Arc<rustls::ServerConfig>,
    stream: std::net::TcpStream,
    asked: &Asked,
) -> Result<(), Failed> {
    let connection = rustls::ServerConnection::new(Arc::clone(config))?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    while !read.ends_with(b"}") && !read.starts_with(HTTP_2) {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        read.extend_from_slice(&buffer[..count]);
    }
    let agreed = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
    let text = String::from_utf8_lossy(&read).into_owned();
    asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((text, agreed));
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        ANSWER.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(ANSWER.as_bytes())?;
    stream.conn.send_close_notify();
    Ok(stream.flush()?)
}

const ASK: &str = r#"{"model":"small-1","messages":[{"role":"user","content":"hello?"}]}"#;

fn speaks_tls() -> Result<(), Failed> {
    let world = World::new()?;
    let certifier = Certifier::new(&world.folder.path().join("authority"))?;
    let (port, asked) = server(&certifier.certify("llm", For::Door)?, &[b"http/1.1"])?;
    let upstream = format!("https://localhost:{port}");
    let authority = certifier.authority.to_str().ok_or("UTF-8")?;
    let relay = Relay::with(
        world.folder.path(),
        &world.endpoint()?,
        &["llm", "--request", "47", "--upstream", &upstream],
        &[("SSL_CERT_FILE", authority)],
    )?;
    let answer = exchange(&relay.url, &post("/v1/chat/completions", "", ASK))?;
    same(&answer, answer.contains("hello"), true)?;
    relay.stop()?;
    let (text, agreed) = asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop()
        .ok_or("the server was asked nothing")?;
    same("the key passes", text.contains(KEY), true)?;
    same("agreed", agreed.as_deref(), Some(&b"http/1.1"[..]))?;
    same("HTTP/1.1", text.contains(" HTTP/1.1"), true)?;
    let account = world.account("47")?;
    let call = rows(&account, "actions").next().ok_or("an action")?;
    same("outcome", call["outcome"].as_str(), Some("success"))?;
    let target = format!("llm:localhost:{port}/small-1");
    same(
        "target",
        call["target"]["resource"].as_str(),
        Some(target.as_str()),
    )?;
    same("a key in it", account.to_string().contains(KEY), false)
}

/// How it goes on is the library's; that it begins so is ours.
fn speaks_http_2() -> Result<(), Failed> {
    let world = World::new()?;
    let certifier = Certifier::new(&world.folder.path().join("authority"))?;
    let certified = certifier.certify("llm", For::Door)?;
    let (port, asked) = server(&certified, &[b"h2", b"http/1.1"])?;
    let upstream = format!("https://localhost:{port}");
    let relay = Relay::with(
        world.folder.path(),
        &world.endpoint()?,
        &["llm", "--request", "47", "--upstream", &upstream],
        &[(
            "SSL_CERT_FILE",
            certifier.authority.to_str().ok_or("UTF-8")?,
        )],
    )?;
    exchange(&relay.url, &post("/v1/chat/completions", "", ASK))?;
    relay.stop()?;
    let (text, agreed) = asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop()
        .ok_or("the server was asked nothing")?;
    same("agreed", agreed.as_deref(), Some(&b"h2"[..]))?;
    same("HTTP/2", text.as_bytes().starts_with(HTTP_2), true)
}

fn trusts_nobody() -> Result<(), Failed> {
    let world = World::new()?;
    let certifier = Certifier::new(&world.folder.path().join("authority"))?;
    let other = Certifier::new(&world.folder.path().join("other"))?;
    let (port, asked) = server(&certifier.certify("llm", For::Door)?, &[])?;
    let upstream = format!("https://localhost:{port}");
    let relay = Relay::with(
        world.folder.path(),
        &world.endpoint()?,
        &["llm", "--request", "47", "--upstream", &upstream],
        &[("SSL_CERT_FILE", other.authority.to_str().ok_or("UTF-8")?)],
    )?;
    let answer = exchange(&relay.url, &post("/v1/chat/completions", "", ASK))?;
    same("refused", answer.starts_with("HTTP/1.1 502"), true)?;
    relay.stop()?;
    let heard = asked.lock().unwrap_or_else(PoisonError::into_inner).len();
    same("what it was told", heard, 0)?;
    let account = world.account("47")?;
    let call = rows(&account, "actions").next().ok_or("an action")?;
    same("outcome", call["outcome"].as_str(), Some("failure"))
}
