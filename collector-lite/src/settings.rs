//! Settings: gathered raw with the origin of each value, then checked.
//!
//! Order, first wins: flag, environment, file, default. [`Raw`] knows words only; [`Settings`] holds what they mean.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ledger::store::{DiskLimits, Setting};

use crate::anchor::spec::Spec;
use crate::error::Error;
use crate::tls::files::Files;

mod anchors;
mod checks;
mod place;
mod raw;

pub(crate) use self::place::{Access, config_file};
pub(crate) use self::raw::*;

use self::checks::{
    Beyond, agent_address, agent_socket, bad, bytes, epoch, number, reader_place, switch, tls,
    token,
};

/// Where the reader door listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReaderPlace {
    Socket(PathBuf),
    Tcp(SocketAddr),
    /// `none`: no reader door.
    Closed,
}

impl fmt::Display for ReaderPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Closed => f.write_str("none"),
        }
    }
}

/// What a reader over TCP has to present. Its `Debug` keeps it to itself, since settings are logged and hashed.
#[derive(Clone)]
pub(crate) struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) store: PathBuf,
    pub(crate) store_origin: Origin,
    pub(crate) otlp_grpc: Option<SocketAddr>,
    pub(crate) otlp_http: Option<SocketAddr>,
    /// Where OTLP/HTTP is taken over a Unix socket.
    pub(crate) agent_socket: Option<PathBuf>,
    /// What the TCP agent doors show; without it they speak no TLS.
    pub(crate) tls: Option<Files>,
    /// Whether producers that are not enrolled are refused.
    pub(crate) require_enrolment: bool,
    pub(crate) reader: ReaderPlace,
    pub(crate) reader_origin: Origin,
    /// The token that a reader over TCP has to present.
    pub(crate) reader_token: Option<Token>,
    /// Name of the ledger at its creation; empty: derived from the ledger's id.
    pub(crate) origin: Option<String>,
    pub(crate) max_body: usize,
    pub(crate) max_in_flight: usize,
    /// How long a signing epoch lasts.
    pub(crate) epoch: Duration,
    /// Whether an erasure has to name a second person who agreed.
    pub(crate) erase_needs_approval: bool,
    /// At how little room on the disk the ledger does what.
    pub(crate) disk: DiskLimits,
    pub(crate) log: String,
    /// Every setting as it is in force, for the ledger to keep. Secrets are in files, which alone are named.
    pub(crate) effective: Vec<Setting>,
    /// Anchors, then witnesses.
    pub(crate) anchors: Vec<Spec>,
    pub(crate) anchors_origin: Origin,
    /// Witnesses that must cosign, where somebody said so.
    pub(crate) witness_quorum: Option<usize>,
}

impl Settings {
    /// Checks what was gathered. `access` says what the store is wanted for, which decides its default place.
    ///
    /// # Errors
    /// A value that is not what its setting needs, named with its origin.
    pub(crate) fn check(
        raw: &Raw,
        env: &dyn Fn(&str) -> Option<String>,
        access: Access,
    ) -> Result<Self, Error> {
        let store = raw.get(STORE);
        let (store, store_origin) = match store.value.as_str() {
            "" => (place::default_store(env, access), Origin::Default),
            given => (PathBuf::from(given), store.origin),
        };
        let reader = reader_place(&raw.get(READER), env)?;
        let reader_token = token(&raw.get(READER_TOKEN_FILE))?;
        if matches!(reader, ReaderPlace::Tcp(_)) && reader_token.is_none() {
            return Err(bad(
                READER,
                &raw.get(READER),
                "a TCP address needs --reader-token-file",
            ));
        }
        let origin = raw.get(ORIGIN).value;
        let tls = tls(raw)?;
        let require_enrolment = switch(REQUIRE_ENROLMENT, &raw.get(REQUIRE_ENROLMENT))?;
        let beyond = Beyond {
            tls: tls.is_some(),
            enrolled: require_enrolment,
        };
        let (anchors, anchors_origin) = anchors::read(raw)?;
        let witness_quorum = anchors::quorum(&raw.get(WITNESS_QUORUM), &anchors)?;
        Ok(Self {
            anchors,
            anchors_origin,
            witness_quorum,
            store,
            store_origin,
            otlp_grpc: agent_address(OTLP_GRPC, &raw.get(OTLP_GRPC), beyond)?,
            otlp_http: agent_address(OTLP_HTTP, &raw.get(OTLP_HTTP), beyond)?,
            agent_socket: agent_socket(&raw.get(AGENT_SOCKET))?,
            tls,
            require_enrolment,
            reader,
            reader_origin: raw.get(READER).origin,
            reader_token,
            origin: (!origin.is_empty()).then_some(origin),
            max_body: number(MAX_BODY, &raw.get(MAX_BODY))?,
            max_in_flight: number(MAX_IN_FLIGHT, &raw.get(MAX_IN_FLIGHT))?,
            epoch: epoch(&raw.get(EPOCH))?,
            erase_needs_approval: switch(ERASE_NEEDS_APPROVAL, &raw.get(ERASE_NEEDS_APPROVAL))?,
            disk: DiskLimits {
                soft: bytes(DISK_SOFT, &raw.get(DISK_SOFT))?,
                hard: bytes(DISK_HARD, &raw.get(DISK_HARD))?,
                reserve: bytes(DISK_RESERVE, &raw.get(DISK_RESERVE))?,
            },
            log: raw.get(LOG).value,
            effective: raw.effective(),
        })
    }
}

impl Settings {
    /// How many witnesses must cosign: what was said, else more than half of them.
    pub(crate) fn quorum(&self) -> usize {
        let witnesses = self.anchors.iter().filter(|spec| spec.kind() == 4).count();
        self.witness_quorum
            .unwrap_or(witnesses / 2 + usize::from(witnesses > 0))
    }
}

#[cfg(test)]
mod tests;
