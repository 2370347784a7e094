//! Where a relay listens: a port of this machine, or a socket of this user.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::failure::Failure;

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    /// A loopback address.
    Port(SocketAddr),
    /// A Unix socket.
    Socket(PathBuf),
}

impl Listen {
    /// Reads `127.0.0.1:8080`, `[::1]:8080`, a port alone, or `unix:PATH`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Socket(PathBuf::from(path)));
        }
        let address: SocketAddr = match text.parse::<u16>() {
            Ok(port) => SocketAddr::from(([127, 0, 0, 1], port)),
            Err(_) => text.parse().map_err(|_| Failure::Usage {
                what: format!("--listen {text:?} is no address to listen at"),
                hint: "write 127.0.0.1:8080, or unix:/run/user/1000/relay.sock".to_owned(),
            })?,
        };
        if !address.ip().is_loopback() {
            return Err(Failure::Usage {
                what: format!("--listen {address} is open to other machines"),
                hint: "callers' keys come in the clear and nobody asks who they are: listen on 127.0.0.1, and let \
                       other machines run a relay of their own"
                    .to_owned(),
            });
        }
        Ok(Self::Port(address))
    }

    /// Listens there.
    pub(super) async fn bind(&self) -> Result<Listener, Failure> {
        let taken = |error: io::Error| Failure::Unavailable {
            place: self.to_string(),
            what: format!("cannot listen: {error}"),
            hint: "choose another address with --listen".to_owned(),
        };
        match self {
            Self::Port(address) => {
                let listener = TcpListener::bind(address).await.map_err(taken)?;
                let address = listener.local_addr().map_err(taken)?;
                Ok(Listener::Port(listener, address))
            }
            Self::Socket(path) => {
                forget(path).map_err(taken)?;
                let listener = UnixListener::bind(path).map_err(taken)?;
                only_me(path).map_err(taken)?;
                Ok(Listener::Socket(listener, path.clone()))
            }
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Port(address) => write!(f, "http://{address}"),
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Removes a socket at which nobody listens any more.
fn forget(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    let Ok(there) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if there.file_type().is_socket() && std::os::unix::net::UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

fn only_me(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

/// Somebody who connected: the stream, and what the system knows of who it is.
pub(super) enum Accepted {
    Port(TcpStream, String),
    Socket(UnixStream, String),
}

/// A place that is listened at.
#[derive(Debug)]
pub(super) enum Listener {
    Port(TcpListener, SocketAddr),
    Socket(UnixListener, PathBuf),
}

impl Listener {
    /// Where callers connect to.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Port(_, address) => format!("http://{address}"),
            Self::Socket(_, path) => format!("unix:{}", path.display()),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Port(listener, _) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Accepted::Port(stream, peer.ip().to_string()))
            }
            Self::Socket(listener, _) => {
                let (stream, _) = listener.accept().await?;
                let peer = stream.peer_cred()?;
                let pid = peer.pid().unwrap_or_default();
                Ok(Accepted::Socket(
                    stream,
                    format!("uid {} pid {pid}", peer.uid()),
                ))
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Socket(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_listens_on_this_machine_only() {
        assert_eq!(
            Listen::parse("8080").unwrap(),
            Listen::parse("127.0.0.1:8080").unwrap()
        );
        assert!(Listen::parse("[::1]:0").is_ok());
        assert_eq!(
            Listen::parse("unix:/x/y").unwrap(),
            Listen::Socket("/x/y".into())
        );
        for open in ["0.0.0.0:8080", "192.0.2.1:80", "localhost", "here"] {
            assert!(
                matches!(Listen::parse(open), Err(Failure::Usage { .. })),
                "{open}"
            );
        }
    }
}
