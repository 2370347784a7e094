//! Sending over a Unix socket, by which a collector also sees as which user this program runs.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// How the address of such a collector begins.
const SCHEME: &str = "unix:";

/// Host and port of the requests; the socket decides where they go.
pub(crate) const ADDRESS: &str = "http://127.0.0.1";

/// The path of `unix:/path` or `unix:///path`; `None` for any other address.
pub(crate) fn socket(endpoint: &str) -> Option<&Path> {
    let path = endpoint.strip_prefix(SCHEME)?;
    Some(Path::new(path.strip_prefix("//").unwrap_or(path)))
}

/// Connects to one socket, whatever is asked for.
#[derive(Debug)]
pub(super) struct Socket(pub(super) PathBuf);

impl Connector for Socket {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Connection>, Error> {
        let config = details.config;
        Ok(Some(Connection {
            stream: UnixStream::connect(&self.0)?,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
        }))
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    buffers: LazyBuffers,
}

/// Time that is left; `None` without a bound. The system takes no bound of nothing.
fn left(timeout: NextTimeout) -> Option<Duration> {
    let left = timeout.not_zero()?;
    Some((*left).max(Duration::from_millis(1)))
}

fn failed(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.set_write_timeout(left(timeout))?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream
            .write_all(output)
            .map_err(|error| failed(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_read_timeout(left(timeout))?;
        let input = self.buffers.input_append_buf();
        let read = loop {
            match self.stream.read(input) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(|error| failed(error, timeout))?,
            }
        };
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// Whether the other end still holds it open, and has said nothing that nobody asked for.
    fn is_open(&mut self) -> bool {
        let quiet = |stream: &mut UnixStream| {
            stream.set_nonblocking(true)?;
            let read = stream.read(&mut [0]);
            stream.set_nonblocking(false)?;
            io::Result::Ok(matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock))
        };
        quiet(&mut self.stream).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_told_from_an_address() {
        for (endpoint, path) in [
            (
                "unix:/run/recount/agent.sock",
                Some("/run/recount/agent.sock"),
            ),
            ("unix:///run/agent.sock", Some("/run/agent.sock")),
            ("http://127.0.0.1:4318", None),
            ("https://unix:1", None),
        ] {
            assert_eq!(socket(endpoint), path.map(Path::new), "{endpoint}");
        }
    }
}
