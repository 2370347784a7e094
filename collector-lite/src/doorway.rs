//! How a door is kept open: so many connections at once, none of them idle for long, and an end in order.
//!
//! Whoever may connect may try to use up what the collector needs for itself. A connection therefore needs a place, and
//! keeps it only while a request of its is being answered, or was a short time ago.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::serve::Listener;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt;

use crate::producers::entry::CertificateKey;
use crate::tls::Gate;

/// How long a connection may stay on which nothing is being answered: exporters send every few seconds.
const IDLE: Duration = Duration::from_secs(75);

/// How long a connection may take to end once it was asked to.
const FAREWELL: Duration = Duration::from_secs(5);

/// How often a silent HTTP/2 peer is asked whether it is still there.
const PING: Duration = Duration::from_secs(30);

/// Files that the collector keeps for its ledger, its readers and itself.
const OWN_FILES: u64 = 64;

/// The limit where it cannot be read.
const USUAL_FILES: u64 = 1024;

/// How many connections each kind of door takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// Each of the agent doors.
    pub(crate) agents: usize,
    pub(crate) readers: usize,
}

impl Places {
    /// As many as this process may have files open, which is raised as far as it goes.
    pub(crate) fn available() -> Self {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let (now, most) = open_files(&limits).unwrap_or((USUAL_FILES, USUAL_FILES));
        let raised = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        // A unit may forbid even this; then there is what there is.
        let allowed = setrlimit(Resource::Nofile, raised).map_or(now, |()| most);
        Self::within(allowed)
    }

    fn within(files: u64) -> Self {
        let free = files.saturating_sub(OWN_FILES);
        let places =
            |part: u64, most| usize::try_from(part).map_or(most, |part| part.clamp(2, most));
        Self {
            agents: places(free / 4, 1024),
            readers: places(free / 6, 256),
        }
    }
}

/// The soft and the hard limit of open files in `/proc/self/limits`. The system call that asks for them is one that a
/// hardened unit forbids, and its wrapper counts on an answer.
fn open_files(limits: &str) -> Option<(u64, u64)> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let mut numbers = line.split_whitespace();
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Who is at the other end of a connection, as the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Address(SocketAddr),
    /// Over TLS; the key of the client certificate, where it showed one that counts.
    Tls {
        address: SocketAddr,
        certificate: Option<CertificateKey>,
    },
    /// A process of this machine, over a Unix socket.
    User {
        uid: u32,
        pid: Option<i32>,
    },
    /// The system does not say.
    Unknown,
}

impl Peer {
    /// The key of the certificate that it showed.
    pub(crate) fn certificate(self) -> Option<CertificateKey> {
        match self {
            Self::Tls { certificate, .. } => certificate,
            _ => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Tls {
                address,
                certificate: None,
            } => write!(f, "{address} over TLS"),
            Self::Tls {
                address,
                certificate: Some(key),
            } => write!(f, "{address} over TLS, certificate key {}", key.short()),
            Self::User {
                uid,
                pid: Some(pid),
            } => write!(f, "user {uid}, process {pid}"),
            Self::User { uid, pid: None } => write!(f, "user {uid}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// What a listener says of whom it accepts.
pub(crate) trait Whence {
    fn peer(&self) -> Peer;
}

impl Whence for SocketAddr {
    fn peer(&self) -> Peer {
        Peer::Address(*self)
    }
}

impl Whence for Peer {
    fn peer(&self) -> Peer {
        *self
    }
}

impl Whence for tokio::net::unix::SocketAddr {
    fn peer(&self) -> Peer {
        Peer::Unknown
    }
}

/// A Unix socket whose peers' users the system tells.
#[derive(Debug)]
pub(crate) struct WithUsers(pub(crate) UnixListener);

impl Listener for WithUsers {
    type Io = UnixStream;
    type Addr = Peer;

    async fn accept(&mut self) -> (UnixStream, Peer) {
        let (io, _) = Listener::accept(&mut self.0).await;
        let peer = io.peer_cred().map_or(Peer::Unknown, |user| Peer::User {
            uid: user.uid(),
            pid: user.pid(),
        });
        (io, peer)
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer::Unknown)
    }
}

/// Serves one listener until the stop; back once its connections have ended. While every place is taken, the next
/// connection waits. With a `gate` only what passes its handshake is served.
pub(crate) async fn serve<L>(
    mut listener: L,
    router: Router,
    places: usize,
    gate: Option<Arc<Gate>>,
    mut stopped: watch::Receiver<bool>,
) where
    L: Listener,
    L::Addr: Whence,
{
    let free = Arc::new(Semaphore::new(places));
    let mut connections = JoinSet::new();
    loop {
        if free.available_permits() == 0 {
            tracing::warn!(
                places,
                "every connection of a door is taken; the next one waits"
            );
        }
        let next = async {
            let place = Arc::clone(&free).acquire_owned().await;
            let (io, peer) = listener.accept().await;
            place.map(|place| (io, peer, place))
        };
        let (io, peer, place) = tokio::select! {
            next = next => match next {
                Ok(next) => next,
                Err(_) => break,
            },
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        while connections.try_join_next().is_some() {}
        let peer = peer.peer();
        let (router, stopped) = (router.clone(), stopped.clone());
        match gate.clone() {
            None => connections.spawn(connection(io, peer, router, stopped, place)),
            // A place is taken before anything is proven, and for no longer than a handshake may take.
            Some(gate) => connections.spawn(async move {
                let mut ended = stopped.clone();
                let admitted = tokio::select! {
                    admitted = gate.admit(io, peer) => admitted,
                    _ = ended.wait_for(|stopped| *stopped) => None,
                };
                if let Some((io, peer)) = admitted {
                    connection(io, peer, router, stopped, place).await;
                }
            }),
        };
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection<I>(
    io: I,
    peer: Peer,
    router: Router,
    mut stopped: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let busy = Arc::new(Busy::default());
    let at_work = Arc::clone(&busy);
    let service = tower::service_fn(move |request: hyper::Request<Incoming>| {
        let working = Working::begin(&at_work);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request);
        async move {
            let answer = answer.await?;
            // An answer is being given until its last byte; a live tail is, for ever.
            Ok::<_, Infallible>(answer.map(|body| Answer {
                body,
                _working: working,
            }))
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING);
    let mut served =
        pin!(builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(service)));
    let ended = async {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = busy.idle_for(IDLE) => {}
        }
    };
    tokio::select! {
        _ = served.as_mut() => return,
        () = ended => served.as_mut().graceful_shutdown(),
    }
    // What is being answered is answered; what was never asked for is not waited for.
    tokio::select! {
        _ = served => {}
        () = busy.idle_for(FAREWELL) => {}
    }
}

/// How many requests of a connection are being answered, and since when none is.
#[derive(Debug)]
struct Busy {
    requests: AtomicUsize,
    changed: watch::Sender<Instant>,
}

impl Default for Busy {
    fn default() -> Self {
        Self {
            requests: AtomicUsize::new(0),
            changed: watch::Sender::new(Instant::now()),
        }
    }
}

impl Busy {
    /// Ends once no request has been answered for so long.
    async fn idle_for(&self, patience: Duration) {
        let mut changed = self.changed.subscribe();
        let began = Instant::now();
        loop {
            let since = (*changed.borrow_and_update()).max(began);
            let idle = self.requests.load(Ordering::Acquire) == 0;
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep_until(since + patience), if idle => return,
            }
        }
    }
}

/// One request that is being answered.
#[derive(Debug)]
struct Working(Arc<Busy>);

impl Working {
    fn begin(busy: &Arc<Busy>) -> Self {
        busy.requests.fetch_add(1, Ordering::AcqRel);
        busy.changed.send_replace(Instant::now());
        Self(Arc::clone(busy))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.send_replace(Instant::now());
    }
}

/// The body of an answer that is still being given.
struct Answer {
    body: Body,
    _working: Working,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_ledger() {
        for files in [0, 64, 120, 1024, 1 << 20, u64::MAX] {
            let places = Places::within(files);
            assert!(places.agents >= 2 && places.readers >= 2);
            let taken = (3 * places.agents + places.readers) as u64;
            assert!(
                taken <= files.saturating_sub(OWN_FILES).max(8),
                "{files}: {places:?}"
            );
        }
    }

    #[test]
    fn the_limit_of_open_files_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(limits), Some((1024, 524_288)));
        assert_eq!(open_files("Max open files unlimited unlimited files"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_only_while_nothing_is_answered() {
        let busy = Arc::new(Busy::default());
        let working = Working::begin(&busy);
        let waiting = tokio::time::timeout(IDLE * 3, busy.idle_for(IDLE)).await;
        assert!(waiting.is_err(), "it is being answered");
        drop(working);
        let began = Instant::now();
        busy.idle_for(IDLE).await;
        assert_eq!(began.elapsed(), IDLE);
    }
}
