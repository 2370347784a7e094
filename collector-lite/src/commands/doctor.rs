//! `doctor`: what would keep the collector from working here.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use ledger::store::{Folder, StoreError};

use crate::error::{Error, exit};
use crate::settings::{ReaderPlace, Settings};
use crate::tls::files::Files;

/// One thing that was looked at.
struct Check {
    what: String,
    outcome: Result<String, String>,
}

/// Looks, and prints one line for each thing. 0: nothing is wrong; 5: something is.
pub(super) fn doctor(settings: &Settings) -> Result<u8, Error> {
    let checks = [
        Some(store(&settings.store)),
        settings.otlp_http.map(|address| port("OTLP/HTTP", address)),
        settings.otlp_grpc.map(|address| port("OTLP/gRPC", address)),
        settings.tls.as_ref().map(certificates),
        Some(reader(&settings.reader)),
        Some(clock()),
    ];
    let mut wrong = false;
    for check in checks.into_iter().flatten() {
        match check.outcome {
            Ok(found) => say!("ok    {}: {found}", check.what),
            Err(why) => {
                wrong = true;
                say!("WRONG {}: {why}", check.what);
            }
        }
    }
    Ok(if wrong { exit::UNAVAILABLE } else { exit::DONE })
}

fn store(dir: &Path) -> Check {
    let outcome = match Folder::open(dir) {
        Ok(_) => Ok("opens".to_owned()),
        Err(StoreError::Locked { .. }) => Ok("a collector is running on it".to_owned()),
        Err(error @ StoreError::Missing { .. }) => Ok(format!("{error}; serve --init creates it")),
        Err(error) => Err(error.to_string()),
    };
    Check {
        what: format!("store {}", dir.display()),
        outcome,
    }
}

fn certificates(files: &Files) -> Check {
    let outcome = match files.read() {
        Ok(_) => Ok("can be used".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    Check {
        what: format!("certificate {}", files.certificate.display()),
        outcome,
    }
}

fn port(name: &str, address: SocketAddr) -> Check {
    let outcome = match TcpListener::bind(address) {
        Ok(_) => Ok("free".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Ok("in use (right while a collector runs)".to_owned())
        }
        Err(error) => Err(error.to_string()),
    };
    Check {
        what: format!("{name} {address}"),
        outcome,
    }
}

fn reader(place: &ReaderPlace) -> Check {
    match place {
        ReaderPlace::Closed => Check {
            what: "reader door".into(),
            outcome: Ok("closed by the settings".into()),
        },
        ReaderPlace::Tcp(address) => port("reader door", *address),
        ReaderPlace::Socket(path) => {
            let outcome = match std::os::unix::net::UnixStream::connect(path) {
                Ok(_) => Ok("a collector answers".to_owned()),
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    Err(format!("{error}: join the group that owns it"))
                }
                Err(_) => Ok("nobody listens".to_owned()),
            };
            Check {
                what: format!("reader door {}", path.display()),
                outcome,
            }
        }
    }
}

/// A clock before the release of this program cannot be right.
fn clock() -> Check {
    const RELEASED_NS: u64 = 1_760_000_000_000_000_000;
    let outcome = match crate::clock::now_ns() {
        now if now < RELEASED_NS => {
            Err("it stands in the past; records would carry wrong times".to_owned())
        }
        _ => Ok("plausible".to_owned()),
    };
    Check {
        what: "clock".to_owned(),
        outcome,
    }
}
