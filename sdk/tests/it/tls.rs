//! Sending to a collector behind TLS: a proxy that terminates it stands in front of the test's collector.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use recount::{EndReason, Recorder};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::collector::Collector;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Terminates TLS for `127.0.0.1` and `localhost`; the certificate comes from `authority.pem`.
fn proxy(before: &Collector) -> SocketAddr {
    let to: SocketAddr = before.url()["http://".len()..].parse().unwrap();
    let chain = CertificateDer::pem_file_iter(fixture("collector.pem")).unwrap();
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(fixture("collector.key")).unwrap();
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let tls = ServerConnection::new(config).unwrap();
                let mut from = BufReader::new(StreamOwned::new(tls, stream));
                let mut back = BufReader::new(TcpStream::connect(to).unwrap());
                while let Some(request) = message(&mut from) {
                    back.get_mut().write_all(&request).unwrap();
                    let Some(answer) = message(&mut back) else {
                        return;
                    };
                    from.get_mut().write_all(&answer).unwrap();
                }
            });
        }
    });
    address
}

/// One HTTP message with its body, exactly as it came.
fn message(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        if from.read_line(&mut head).ok()? == 0 {
            return None;
        }
        let line = head[start..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut whole = head.into_bytes();
    let body = whole.len();
    whole.resize(body + length, 0);
    from.read_exact(&mut whole[body..]).ok()?;
    Some(whole)
}

fn recorder(url: &str, folder: &tempfile::TempDir, authorities: Option<PathBuf>) -> Recorder {
    let mut builder = Recorder::builder("test")
        .collector(url)
        .spool(folder.path())
        .strict_wait(Duration::from_secs(3));
    if let Some(pem) = authorities {
        builder = builder.authorities(pem);
    }
    builder.build().unwrap()
}

#[test]
fn records_are_sent_over_tls_to_a_collector_whose_certificate_is_known() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    let address = proxy(&collector);
    let url = format!("https://localhost:{}", address.port());
    let recorder = recorder(&url, &folder, Some(fixture("authority.pem")));
    let session = recorder.session("47892").start_blocking();
    session.tool("send").begin_blocking().unwrap().end_success();
    session.end_blocking(EndReason::Completed);
    assert!(recorder.close_blocking(Duration::from_secs(5)).is_none());
    assert_eq!(collector.names().last().unwrap(), "agent.session.end");
}

#[test]
fn a_certificate_of_an_unknown_authority_gets_nothing() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    let address = proxy(&collector);
    let url = format!("https://127.0.0.1:{}", address.port());
    let recorder = recorder(&url, &folder, None);
    let session = recorder.session("47892").start_blocking();
    let refused = session
        .tool("send")
        .wait_at_most(Duration::from_millis(500));
    let refused = refused.begin_blocking().unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    assert_eq!(collector.requests(), 0);
    session.end_blocking(EndReason::Failed);
    assert!(
        !recorder
            .close_blocking(Duration::from_millis(100))
            .is_none()
    );
}

#[test]
fn a_file_without_certificates_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = Recorder::builder("test")
        .collector("https://localhost")
        .spool(folder.path())
        .authorities(fixture("collector.key"))
        .build();
    let error = wrong.unwrap_err().to_string();
    assert!(
        error.contains("RECOUNT_CA") && error.contains("no certificate in it"),
        "{error}"
    );
}
