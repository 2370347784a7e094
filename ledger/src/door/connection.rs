//! One HTTP/1.1 connection to a reader door: a request, an answer, kept open for the next.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// How long the door may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest answer that is read, in bytes; the door's own limit for one answer is far below.
const MAX_ANSWER: u64 = 1 << 30;

/// Longest line of an answer's head.
const MAX_LINE: u64 = 64 * 1024;

/// Where a door is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Socket(PathBuf),
    Tcp { address: String, token: String },
}

#[derive(Debug)]
enum Stream {
    #[cfg(unix)]
    Socket(UnixStream),
    Tcp(TcpStream),
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Self::Socket(stream) => stream.read(buf),
            Self::Tcp(stream) => stream.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Self::Socket(stream) => stream.write(buf),
            Self::Tcp(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// The header [`super::NEXT`].
    pub(super) next: Option<u64>,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    length: Option<u64>,
    chunked: bool,
    next: Option<u64>,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: BufReader<Stream>,
    head: String,
}

impl Connection {
    pub(super) fn open(address: &Address) -> io::Result<Self> {
        let (stream, head) = match address {
            #[cfg(unix)]
            Address::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                (Stream::Socket(stream), "host: recount\r\n".to_owned())
            }
            #[cfg(not(unix))]
            Address::Socket(_) => return Err(io::ErrorKind::Unsupported.into()),
            Address::Tcp { address, token } => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                (
                    Stream::Tcp(stream),
                    format!("host: {address}\r\nauthorization: Bearer {token}\r\n"),
                )
            }
        };
        Ok(Self {
            stream: BufReader::new(stream),
            head,
        })
    }

    pub(super) fn get(&mut self, path: &str) -> io::Result<Answer> {
        let head = self.ask(path)?;
        let body = if head.chunked {
            self.chunks()?
        } else {
            self.body(head.length.unwrap_or(0))?
        };
        Ok(Answer {
            status: head.status,
            body,
            next: head.next,
        })
    }

    /// Waits for the next line of an answer that goes on and on, such as server-sent events, and gives its
    /// beginning. The lengths of chunks stand on lines of their own, which no event of ours looks like.
    pub(super) fn event_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.stream).take(64).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !line.ends_with(b"\n") {
            self.stream.skip_until(b'\n')?;
        }
        Ok(line)
    }

    /// Sends a request and reads the head of its answer.
    pub(super) fn ask(&mut self, path: &str) -> io::Result<Head> {
        let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.head);
        self.stream.get_mut().write_all(request.as_bytes())?;
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| broken("no HTTP status"))?;
        let (mut length, mut chunked, mut next) = (None, false, None);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| broken("a header without a colon"))?;
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok(),
                "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
                super::NEXT => next = value.trim().parse().ok(),
                _ => {}
            }
        }
        Ok(Head {
            status,
            length,
            chunked,
            next,
        })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        (&mut self.stream).take(MAX_LINE).read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(line)
    }

    fn body(&mut self, length: u64) -> io::Result<Vec<u8>> {
        if length > MAX_ANSWER {
            return Err(broken("the answer is too long"));
        }
        let mut body = Vec::new();
        (&mut self.stream).take(length).read_to_end(&mut body)?;
        if body.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(body)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let length = line.split(';').next().unwrap_or_default().trim();
            let length =
                u64::from_str_radix(length, 16).map_err(|_| broken("a chunk without a length"))?;
            if body.len() as u64 + length > MAX_ANSWER {
                return Err(broken("the answer is too long"));
            }
            if length == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            body.append(&mut self.body(length)?);
            self.line()?;
        }
    }
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
