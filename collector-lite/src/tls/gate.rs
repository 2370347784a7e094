//! The handshake before a door: who may not pass is turned away, counted and told, and holds up nobody else.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::{AlertDescription, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::files::{Files, Stamp, Unusable};
use crate::doorway::Peer;
use crate::producers::entry::CertificateKey;

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is told of a client whose certificate does not count.
type Told = Box<dyn Fn(Peer, String) + Send + Sync>;

#[derive(Debug, Clone)]
struct InForce {
    stamp: Stamp,
    config: Arc<ServerConfig>,
    /// Why the files as they are now are not in force.
    trouble: Option<String>,
}

/// The handshake before the agent doors.
pub(crate) struct Gate {
    files: Files,
    in_force: RwLock<InForce>,
    failed: AtomicU64,
    refused: AtomicU64,
    told: Told,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// How the gate stands, for `status` and `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether client certificates are asked for.
    pub(crate) asks_clients: bool,
    /// Handshakes that failed since the start, those for the client's certificate included.
    pub(crate) failed: u64,
    /// Handshakes that failed for the client's certificate.
    pub(crate) refused: u64,
    /// Why the files as they are now are not in force.
    pub(crate) trouble: Option<String>,
}

impl Gate {
    /// Reads the files. `told` learns whose certificate did not count, and why.
    ///
    /// # Errors
    /// As [`Files::read`]: a collector does not start without what it should show.
    pub(crate) fn open(
        files: Files,
        told: impl Fn(Peer, String) + Send + Sync + 'static,
    ) -> Result<Self, Unusable> {
        // The stamp first: what changes in between is read again.
        let stamp = files.stamp();
        let config = Arc::new(files.read()?);
        Ok(Self {
            files,
            in_force: RwLock::new(InForce {
                stamp,
                config,
                trouble: None,
            }),
            failed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            told: Box::new(told),
        })
    }

    /// How it stands, by the files as they are now.
    pub(crate) fn standing(&self) -> Standing {
        self.look();
        Standing {
            asks_clients: self.files.client_ca.is_some(),
            failed: self.failed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            trouble: self.in_force().trouble,
        }
    }

    fn in_force(&self) -> InForce {
        let read = self.in_force.read();
        read.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts in force what the files say now. What cannot be read leaves in force what was: a renewal that is half
    /// written must not close the doors.
    fn look(&self) {
        let stamp = self.files.stamp();
        let known = self.in_force.read().unwrap_or_else(PoisonError::into_inner);
        if known.stamp == stamp {
            return;
        }
        drop(known);
        let read = self.files.read();
        let mut now = self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        now.stamp = stamp;
        match read {
            Ok(config) => {
                now.config = Arc::new(config);
                now.trouble = None;
                tracing::info!("the certificates of the agent doors were read anew");
            }
            Err(error) => {
                tracing::error!(%error, "the certificates of the agent doors stay as they were");
                now.trouble = Some(error.to_string());
            }
        }
    }

    /// The handshake with one peer; nothing if it fails or takes too long.
    pub(crate) async fn admit<I>(&self, io: I, peer: Peer) -> Option<(TlsStream<I>, Peer)>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        // A few files are looked at, as many times as there are connections, not requests.
        self.look();
        let acceptor = TlsAcceptor::from(self.in_force().config);
        match tokio::time::timeout(PATIENCE, acceptor.accept(io)).await {
            Ok(Ok(stream)) => {
                let peer = seen(peer, &stream);
                Some((stream, peer))
            }
            Ok(Err(error)) => {
                self.turn_away(peer, &error);
                None
            }
            Err(_) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%peer, "no handshake within {} s", PATIENCE.as_secs());
                None
            }
        }
    }

    fn turn_away(&self, peer: Peer, error: &std::io::Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let inner = error.get_ref();
        let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(why)) = inner {
            self.refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%peer, %why, "a client certificate does not count");
            (self.told)(
                peer,
                format!("the client certificate does not count: {why}"),
            );
            return;
        }
        if let Some(rustls::Error::AlertReceived(alert)) = inner
            && *alert != AlertDescription::CloseNotify
        {
            tracing::warn!(%peer, ?alert, "a sender does not trust the certificate of this door, or ended the handshake");
            return;
        }
        tracing::debug!(%peer, %error, "a handshake failed");
    }
}

/// What is known of a peer after its handshake.
fn seen<I>(peer: Peer, stream: &TlsStream<I>) -> Peer {
    let Peer::Address(address) = peer else {
        return peer;
    };
    let shown = stream.get_ref().1.peer_certificates();
    Peer::Tls {
        address,
        certificate: shown.and_then(|chain| CertificateKey::of(chain.first()?)),
    }
}
