//! The live tail of a reader door: what wakes a reader, and what does not.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use ledger::door::Door;
use ledger::reader::ReadError;

/// A door that answers one request with these bytes and closes the connection.
fn door(answer: String) -> Door {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while head.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        let _ = stream.write_all(answer.as_bytes());
    });
    Door::tcp(&address, "token")
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

#[test]
fn every_event_wakes_and_a_comment_does_not() {
    // One event is longer than any line that the door reads whole.
    let long = format!("event: record\ndata: {}\n\n", "x".repeat(200_000));
    let answer = [
        HEAD,
        &chunk(": keep-alive\n\n"),
        &chunk(&long),
        &chunk("event: lagged\ndata: {}\n\n"),
        &chunk(":\n\n"),
    ]
    .concat();
    let mut tail = door(answer).tail().unwrap();
    tail.wait().unwrap();
    tail.wait().unwrap();
    // Only a comment is left, then the collector goes away.
    assert!(tail.wait().is_err());
}

#[test]
fn a_tail_that_is_refused_says_why() {
    let refused = door("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_owned());
    assert!(matches!(
        refused.tail().unwrap_err(),
        ReadError::NotAllowed { .. }
    ));
}
