//! HTTP/1.1 GET over a Unix socket or TCP: as much as the reader door needs, with a bound on what it accepts.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::place::Place;

/// The longest answer that is taken: a door that sends more is not one of ours.
const LONGEST: u64 = 256 << 20;
const LONGEST_LINE: u64 = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => stream.read(buf),
            Stream::Tcp(stream) => stream.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => stream.write(buf),
            Stream::Tcp(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Unix(stream) => stream.flush(),
            Stream::Tcp(stream) => stream.flush(),
        }
    }
}

/// One kept-alive connection to a door.
pub(crate) struct Connection {
    stream: BufReader<Stream>,
    host: String,
    token: Option<String>,
    usable: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects; fails for a folder, which is no door.
    pub(crate) fn open(place: &Place) -> io::Result<Connection> {
        let (stream, host, token) = match place {
            Place::Folder(path) => {
                return Err(io::Error::other(format!(
                    "{} is a folder, not a reader door",
                    path.display()
                )));
            }
            Place::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                (Stream::Unix(stream), "localhost".to_owned(), None)
            }
            Place::Tcp { address, token } => {
                let to = address.to_socket_addrs()?.next().ok_or_else(|| {
                    io::Error::new(io::ErrorKind::NotFound, format!("{address} has no address"))
                })?;
                let stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                (Stream::Tcp(stream), address.clone(), token.clone())
            }
        };
        Ok(Connection {
            stream: BufReader::new(stream),
            host,
            token,
            usable: true,
        })
    }

    /// Whether another request may be sent on this connection.
    pub(crate) fn usable(&self) -> bool {
        self.usable
    }

    /// Asks for a path and reads the whole answer.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Response> {
        self.usable = false;
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\naccept: */*\r\n",
            self.host
        );
        if let Some(token) = &self.token {
            request.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        request.push_str("\r\n");
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.stream.get_mut().flush()?;
        let (status, headers) = self.head()?;
        let header = |name: &str| {
            headers
                .iter()
                .find(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, v)| v.as_str())
        };
        let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let chunked = header("transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
        let body = if chunked {
            self.chunks()?
        } else if let Some(length) = header("content-length") {
            let length: u64 = length
                .trim()
                .parse()
                .map_err(|_| malformed("content-length is not a number"))?;
            self.exactly(length)?
        } else {
            let mut body = Vec::new();
            (&mut self.stream)
                .take(LONGEST + 1)
                .read_to_end(&mut body)?;
            bounded(body.len() as u64)?;
            return Ok(Response { status, body });
        };
        self.usable = !closes;
        Ok(Response { status, body })
    }

    fn head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let first = self.line()?;
        let status = first
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split(' ').nth(1))
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| malformed("no HTTP status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| malformed("a header without a colon"))?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
            if headers.len() > 100 {
                return Err(malformed("more than 100 headers"));
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut self.stream)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the door closed in the middle of an answer",
            ));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).map_err(|_| malformed("a header is not text"))
    }

    fn exactly(&mut self, length: u64) -> io::Result<Vec<u8>> {
        bounded(length)?;
        let mut body = Vec::new();
        (&mut self.stream).take(length).read_to_end(&mut body)?;
        if body.len() as u64 == length {
            Ok(body)
        } else {
            Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the door closed in the middle of an answer",
            ))
        }
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length = u64::from_str_radix(digits, 16)
                .map_err(|_| malformed("a chunk without a length"))?;
            if length == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            bounded(length.saturating_add(body.len() as u64))?;
            body.extend(self.exactly(length)?);
            if !self.line()?.is_empty() {
                return Err(malformed("a chunk longer than it says"));
            }
        }
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not an answer of a reader door: {what}"),
    )
}

fn bounded(length: u64) -> io::Result<()> {
    if length > LONGEST {
        Err(malformed("longer than 256 MiB"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn served(answers: &'static [&'static [u8]]) -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reader.sock");
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in answers {
                let mut asked = [0; 1024];
                let _ = stream.read(&mut asked).unwrap();
                stream.write_all(answer).unwrap();
            }
        });
        (folder, Place::Socket(path))
    }

    #[test]
    fn one_connection_serves_several_requests() {
        let (_folder, place) = served(&[
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n",
        ]);
        let mut connection = Connection::open(&place).unwrap();
        let first = connection.get("/a").unwrap();
        assert_eq!(
            (first.status, first.body.as_slice()),
            (200, b"hi".as_slice())
        );
        assert!(connection.usable());
        let second = connection.get("/b").unwrap();
        assert_eq!(
            (second.status, second.body.as_slice()),
            (404, b"abcd".as_slice())
        );
    }

    #[test]
    fn a_short_answer_is_an_error() {
        let (_folder, place) = served(&[b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhi"]);
        let error = Connection::open(&place).unwrap().get("/a").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        let (_folder, place) = served(&[b"SSH-2.0-x\r\n"]);
        let error = Connection::open(&place).unwrap().get("/a").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
