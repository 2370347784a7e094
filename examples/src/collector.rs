//! A collector of one's own: a separate process on free ports of loopback, started by re-executing this program.

use collector_lite::Hidden;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A collector that runs as a child process. Dropping it kills it, as a crash would.
#[derive(Debug)]
pub struct Running {
    process: Hidden,
    store: PathBuf,
    socket: PathBuf,
}

impl Running {
    /// Starts a collector on `store`, created when absent, and waits until it is ready.
    ///
    /// The program's `main` must call [`collector_lite::run_if_hidden`] first.
    ///
    /// # Errors
    /// It does not start, or ends before it is ready.
    pub fn start(store: &Path) -> io::Result<Self> {
        // A socket's path has room for 108 bytes; a test's folder may be longer than that.
        let name = format!("recount-{}-{}.sock", std::process::id(), next());
        let socket = std::env::temp_dir().join(name);
        let any = "127.0.0.1:0".to_owned();
        Self::on(store, &socket, (any.clone(), any))
    }

    /// Kills it and, after `outage`, starts another on the same store, ports and socket, as a supervisor would.
    ///
    /// # Errors
    /// It cannot be killed, or the other does not start.
    pub fn kill_and_start_again(&mut self, outage: Duration) -> io::Result<()> {
        let ports = (self.otlp_http()?.to_string(), self.otlp_grpc()?.to_string());
        self.process.kill()?;
        std::thread::sleep(outage);
        // The one that is dropped below must not take away the socket of the one that takes its place.
        let (store, socket) = (self.store.clone(), std::mem::take(&mut self.socket));
        *self = Self::on(&store, &socket, ports)?;
        Ok(())
    }

    fn on(store: &Path, socket: &Path, (http, grpc): (String, String)) -> io::Result<Self> {
        let arguments: [OsString; 10] = [
            "serve".into(),
            "--init".into(),
            "--store".into(),
            store.into(),
            "--otlp-http".into(),
            http.into(),
            "--otlp-grpc".into(),
            grpc.into(),
            "--reader".into(),
            socket.into(),
        ];
        let process = Hidden::start(&std::env::current_exe()?, arguments, true)?;
        Ok(Self {
            process,
            store: store.to_owned(),
            socket: socket.to_owned(),
        })
    }

    /// Where it takes OTLP/HTTP.
    ///
    /// # Errors
    /// It said nothing usable.
    pub fn otlp_http(&self) -> io::Result<SocketAddr> {
        address(self.process.ready().otlp_http.as_deref())
    }

    /// Where it takes OTLP/gRPC.
    ///
    /// # Errors
    /// It said nothing usable.
    pub fn otlp_grpc(&self) -> io::Result<SocketAddr> {
        address(self.process.ready().otlp_grpc.as_deref())
    }

    /// The socket of its reader door.
    #[must_use]
    pub fn reader(&self) -> &Path {
        &self.socket
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.ready().pid
    }

    /// Kills it without warning, as a crash would.
    ///
    /// # Errors
    /// As the system fails.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill().map(drop)
    }

    /// Asks it to stop in order, and waits until it has.
    ///
    /// # Errors
    /// As the system fails, or when it did not end well.
    pub fn stop(mut self) -> io::Result<()> {
        let status = self.process.stop()?;
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "the collector stopped with {status}"
        )))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already where the collector stopped in order.
        let _gone = std::fs::remove_file(&self.socket);
    }
}

fn address(said: Option<&str>) -> io::Result<SocketAddr> {
    said.and_then(|said| said.parse().ok())
        .ok_or_else(|| io::Error::other(format!("the collector listens on {said:?}")))
}

/// Tells collectors of one process apart.
fn next() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
