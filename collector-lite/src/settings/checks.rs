//! What the text of one setting means, or why it means nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{
    AGENT_SOCKET, EPOCH, Given, Key, READER, READER_TOKEN_FILE, Raw, ReaderPlace, TLS_CERT,
    TLS_CLIENT_CA, TLS_KEY, Token, place,
};
use crate::error::Error;
use crate::tls::files::Files;

pub(super) fn bad(key: &'static Key, given: &Given, why: &str) -> Error {
    Error::Setting {
        name: key.name,
        flag: key.flag,
        value: given.value.clone(),
        origin: given.origin.to_string(),
        why: why.to_owned(),
    }
}

/// A number of bytes; empty where the default goes by the size of the disk.
pub(super) fn bytes(key: &'static Key, given: &Given) -> Result<Option<u64>, Error> {
    if given.value.is_empty() {
        return Ok(None);
    }
    let number = given.value.parse();
    number
        .map(Some)
        .map_err(|_| bad(key, given, "a number of bytes is expected"))
}

pub(super) fn number(key: &'static Key, given: &Given) -> Result<usize, Error> {
    given
        .value
        .parse()
        .map_err(|_| bad(key, given, "a number of bytes is expected"))
}

/// `15m`, `90s`, `1h`: at least a minute, at most a day.
pub(super) fn epoch(given: &Given) -> Result<Duration, Error> {
    let wrong = || {
        bad(
            EPOCH,
            given,
            "a time from 1m to 24h is expected, like 15m, 90s or 1h",
        )
    };
    let value = given.value.as_str();
    let unit = value.chars().last().ok_or_else(wrong)?;
    let number: u64 = value
        .strip_suffix(unit)
        .and_then(|number| number.parse().ok())
        .ok_or_else(wrong)?;
    let seconds = match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        _ => None,
    };
    seconds
        .and_then(|unit| number.checked_mul(unit))
        .filter(|seconds| (60..=86_400).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

pub(super) fn switch(key: &'static Key, given: &Given) -> Result<bool, Error> {
    given
        .value
        .parse()
        .map_err(|_| bad(key, given, "true or false is expected"))
}

/// What makes it right to listen beyond loopback.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beyond {
    pub(super) tls: bool,
    pub(super) enrolled: bool,
}

impl Beyond {
    /// What is missing.
    fn missing(self) -> Option<&'static str> {
        match (self.tls, self.enrolled) {
            (true, true) => None,
            (false, false) => Some("--tls-cert, --tls-key and --require-enrolment"),
            (false, true) => Some("--tls-cert and --tls-key"),
            (true, false) => Some("--require-enrolment"),
        }
    }
}

/// An address of the agent door; `none` closes it. Beyond loopback only with TLS and credentials.
pub(super) fn agent_address(
    key: &'static Key,
    given: &Given,
    beyond: Beyond,
) -> Result<Option<SocketAddr>, Error> {
    if given.value == "none" {
        return Ok(None);
    }
    let text = given.value.replace("localhost:", "127.0.0.1:");
    let address: SocketAddr = text.parse().map_err(|_| {
        bad(
            key,
            given,
            "an address like 127.0.0.1:4318 or none is expected",
        )
    })?;
    match beyond.missing() {
        Some(missing) if !address.ip().is_loopback() => {
            let why = format!(
                "only loopback addresses are allowed without TLS and credentials, else anyone on the network could \
                 write this ledger: give {missing}, too"
            );
            Err(bad(key, given, &why))
        }
        _ => Ok(Some(address)),
    }
}

/// The files of TLS: certificate and key together, and where clients shall show certificates, their authorities.
pub(super) fn tls(raw: &Raw) -> Result<Option<Files>, Error> {
    let file = |key| {
        let given = raw.get(key);
        (!given.value.is_empty()).then(|| PathBuf::from(&given.value))
    };
    match (file(TLS_CERT), file(TLS_KEY), file(TLS_CLIENT_CA)) {
        (Some(certificate), Some(key), client_ca) => Ok(Some(Files {
            certificate,
            key,
            client_ca,
        })),
        (Some(_), None, _) => Err(bad(TLS_CERT, &raw.get(TLS_CERT), "it needs --tls-key")),
        (None, Some(_), _) => Err(bad(TLS_KEY, &raw.get(TLS_KEY), "it needs --tls-cert")),
        (None, None, Some(_)) => {
            let why = "it needs --tls-cert and --tls-key";
            Err(bad(TLS_CLIENT_CA, &raw.get(TLS_CLIENT_CA), why))
        }
        (None, None, None) => Ok(None),
    }
}

/// The path of the agent socket; empty or `none`: there is none.
pub(super) fn agent_socket(given: &Given) -> Result<Option<PathBuf>, Error> {
    let path = given.value.strip_prefix("unix:").unwrap_or(&given.value);
    match path {
        "" | "none" => Ok(None),
        path if path.contains('/') => Ok(Some(path.into())),
        _ => Err(bad(
            AGENT_SOCKET,
            given,
            "the path of a socket is expected, with a / in it",
        )),
    }
}

pub(super) fn reader_place(
    given: &Given,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<ReaderPlace, Error> {
    match given.value.as_str() {
        "none" => Ok(ReaderPlace::Closed),
        "" => Ok(ReaderPlace::Socket(place::default_socket(env))),
        path if path.contains('/') || path.starts_with("unix:") || path.ends_with(".sock") => Ok(
            ReaderPlace::Socket(path.strip_prefix("unix:").unwrap_or(path).into()),
        ),
        address => address.parse().map(ReaderPlace::Tcp).map_err(|_| {
            bad(
                READER,
                given,
                "a socket path with a / or .sock in it, an address like 127.0.0.1:4319, or none is expected",
            )
        }),
    }
}

pub(super) fn token(given: &Given) -> Result<Option<Token>, Error> {
    if given.value.is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&given.value)
        .map_err(|source| bad(READER_TOKEN_FILE, given, &source.to_string()))?;
    let token = text.trim();
    if token.len() < 16 {
        return Err(bad(
            READER_TOKEN_FILE,
            given,
            "the token in it is shorter than 16 characters",
        ));
    }
    Ok(Some(Token(token.to_owned())))
}
