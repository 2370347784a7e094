//! Settings: gathered raw with the origin of each value, then checked.
//!
//! Order, first wins: flag, environment, file, default. [`Raw`] knows words only; [`Settings`] holds what they mean.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger::store::{DiskLimits, Setting};

use crate::anchor::spec::Spec;
use crate::error::Error;
use crate::tls::files::Files;

mod anchors;
mod place;

pub(crate) use place::{Access, config_file};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Environment(&'static str),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One setting: its name in the file, its flag (empty if it has none), its environment variable and its default.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) flag: &'static str,
    pub(crate) env: &'static str,
    pub(crate) default: &'static str,
}

macro_rules! keys {
    ($($constant:ident = $name:literal, $flag:literal, $env:literal, $default:literal;)*) => {
        $(pub(crate) const $constant: &Key =
            &Key { name: $name, flag: $flag, env: $env, default: $default };)*
        /// Every setting, in the order in which they are shown.
        pub(crate) const KEYS: &[&Key] = &[$($constant),*];
    };
}

keys! {
    STORE = "store", "--store", "RECOUNT_STORE", "";
    OTLP_GRPC = "otlp_grpc", "--otlp-grpc", "RECOUNT_OTLP_GRPC", "127.0.0.1:4317";
    OTLP_HTTP = "otlp_http", "--otlp-http", "RECOUNT_OTLP_HTTP", "127.0.0.1:4318";
    AGENT_SOCKET = "agent_socket", "--agent-socket", "RECOUNT_AGENT_SOCKET", "";
    TLS_CERT = "tls_cert", "--tls-cert", "RECOUNT_TLS_CERT", "";
    TLS_KEY = "tls_key", "--tls-key", "RECOUNT_TLS_KEY", "";
    TLS_CLIENT_CA = "tls_client_ca", "--tls-client-ca", "RECOUNT_TLS_CLIENT_CA", "";
    REQUIRE_ENROLMENT = "require_enrolment", "--require-enrolment", "RECOUNT_REQUIRE_ENROLMENT", "false";
    READER = "reader", "--reader", "RECOUNT_READER", "";
    READER_TOKEN_FILE = "reader_token_file", "--reader-token-file", "RECOUNT_READER_TOKEN_FILE", "";
    ORIGIN = "origin", "--origin", "RECOUNT_ORIGIN", "";
    MAX_BODY = "max_body_bytes", "--max-body-bytes", "RECOUNT_MAX_BODY_BYTES", "67108864";
    MAX_IN_FLIGHT = "max_in_flight_bytes", "--max-in-flight-bytes", "RECOUNT_MAX_IN_FLIGHT_BYTES", "268435456";
    EPOCH = "epoch", "--epoch", "RECOUNT_EPOCH", "15m";
    ERASE_NEEDS_APPROVAL = "erase_needs_approval", "", "RECOUNT_ERASE_NEEDS_APPROVAL", "false";
    DISK_SOFT = "disk_soft_bytes", "RECOUNT_DISK_SOFT_BYTES", "RECOUNT_DISK_SOFT_BYTES", "";
    DISK_HARD = "disk_hard_bytes", "RECOUNT_DISK_HARD_BYTES", "RECOUNT_DISK_HARD_BYTES", "";
    DISK_RESERVE = "disk_reserve_bytes", "RECOUNT_DISK_RESERVE_BYTES", "RECOUNT_DISK_RESERVE_BYTES", "";
    WITNESS_QUORUM = "witness_quorum", "--witness-quorum", "RECOUNT_WITNESS_QUORUM", "";
    LOG = "log", "--log", "RECOUNT_LOG", "info";
}

/// One value, before anyone asked whether it makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

/// Every setting as text, with its origin.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    values: Vec<(&'static str, Given)>,
    /// Tables of the file that are no single value, with the file.
    tables: Option<(PathBuf, toml::Table)>,
}

impl Raw {
    /// Gathers the settings. `flags` are those of the command line, `env` looks up a variable.
    ///
    /// # Errors
    /// A configuration file that cannot be read, is not TOML, or holds a key that is none.
    pub(crate) fn gather(
        flags: &[(&'static Key, Option<String>)],
        env: &dyn Fn(&str) -> Option<String>,
        file: Option<&Path>,
    ) -> Result<Self, Error> {
        let file = match file {
            Some(path) => Some((path, read_file(path)?)),
            None => None,
        };
        let mut values = Vec::new();
        for key in KEYS {
            let flag = flags
                .iter()
                .find(|(named, _)| named.name == key.name)
                .and_then(|(_, value)| value.clone());
            let from_file = file
                .as_ref()
                .and_then(|(path, table)| Some((path, table.get(key.name)?)));
            let given = if let Some(value) = flag {
                Given {
                    value,
                    origin: Origin::Flag(key.flag),
                }
            } else if let Some(value) = env(key.env).filter(|value| !value.is_empty()) {
                Given {
                    value,
                    origin: Origin::Environment(key.env),
                }
            } else if let Some((path, value)) = from_file {
                Given {
                    value: plain(value),
                    origin: Origin::File(path.to_path_buf()),
                }
            } else {
                Given {
                    value: key.default.to_owned(),
                    origin: Origin::Default,
                }
            };
            values.push((key.name, given));
        }
        let tables = file.map(|(path, mut table)| {
            table.retain(|name, _| TABLES.contains(&name));
            (path.to_path_buf(), table)
        });
        Ok(Self { values, tables })
    }

    /// Every setting with the value it has.
    fn effective(&self) -> Vec<Setting> {
        let setting = |(name, given): &(&'static str, Given)| Setting {
            name: (*name).to_owned(),
            value: given.value.clone(),
            origin: given.origin.to_string(),
            said_first: false,
        };
        self.values.iter().map(setting).collect()
    }

    pub(crate) fn get(&self, key: &Key) -> Given {
        let found = self
            .values
            .iter()
            .find(|(name, _)| *name == key.name)
            .map(|(_, given)| given.clone());
        found.unwrap_or(Given {
            value: key.default.to_owned(),
            origin: Origin::Default,
        })
    }
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn read_file(path: &Path) -> Result<toml::Table, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Config {
        path: path.to_path_buf(),
        why: source.to_string(),
    })?;
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| Error::Config {
            path: path.to_path_buf(),
            why: error.message().to_owned(),
        })?;
    let known = |name: &str| KEYS.iter().any(|key| key.name == name) || TABLES.contains(&name);
    match table.keys().find(|name| !known(name)) {
        Some(unknown) => Err(Error::Config {
            path: path.to_path_buf(),
            why: format!(
                "{unknown:?} is not a setting; there are {}",
                KEYS.map_names()
            ),
        }),
        None => Ok(table),
    }
}

/// What there may be several of: `[[anchor]]` and `[[witness]]`, only in the file.
const TABLES: &[&str] = &["anchor", "witness"];

trait Names {
    fn map_names(&self) -> String;
}

impl Names for [&Key] {
    fn map_names(&self) -> String {
        self.iter()
            .map(|key| key.name)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

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

fn bad(key: &'static Key, given: &Given, why: &str) -> Error {
    Error::Setting {
        name: key.name,
        flag: key.flag,
        value: given.value.clone(),
        origin: given.origin.to_string(),
        why: why.to_owned(),
    }
}

/// A number of bytes; empty where the default goes by the size of the disk.
fn bytes(key: &'static Key, given: &Given) -> Result<Option<u64>, Error> {
    if given.value.is_empty() {
        return Ok(None);
    }
    let number = given.value.parse();
    number
        .map(Some)
        .map_err(|_| bad(key, given, "a number of bytes is expected"))
}

fn number(key: &'static Key, given: &Given) -> Result<usize, Error> {
    given
        .value
        .parse()
        .map_err(|_| bad(key, given, "a number of bytes is expected"))
}

/// `15m`, `90s`, `1h`: at least a minute, at most a day.
fn epoch(given: &Given) -> Result<Duration, Error> {
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

fn switch(key: &'static Key, given: &Given) -> Result<bool, Error> {
    given
        .value
        .parse()
        .map_err(|_| bad(key, given, "true or false is expected"))
}

/// What makes it right to listen beyond loopback.
#[derive(Debug, Clone, Copy)]
struct Beyond {
    tls: bool,
    enrolled: bool,
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
fn agent_address(
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
fn tls(raw: &Raw) -> Result<Option<Files>, Error> {
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
fn agent_socket(given: &Given) -> Result<Option<PathBuf>, Error> {
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

fn reader_place(given: &Given, env: &dyn Fn(&str) -> Option<String>) -> Result<ReaderPlace, Error> {
    match given.value.as_str() {
        "none" => Ok(ReaderPlace::Closed),
        "" => Ok(ReaderPlace::Socket(place::default_socket(env))),
        path if path.contains('/') => Ok(ReaderPlace::Socket(
            path.strip_prefix("unix:").unwrap_or(path).into(),
        )),
        address => address.parse().map(ReaderPlace::Tcp).map_err(|_| {
            bad(
                READER,
                given,
                "a socket path, an address like 127.0.0.1:4319, or none is expected",
            )
        }),
    }
}

fn token(given: &Given) -> Result<Option<Token>, Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("collector.toml");
        std::fs::write(
            &file,
            "otlp_http = \"127.0.0.1:1\"\notlp_grpc = \"127.0.0.1:2\"\nmax_body_bytes = 5\n",
        )
        .unwrap();
        let env = |name: &str| (name == "RECOUNT_OTLP_HTTP").then(|| "127.0.0.1:3".to_owned());
        let raw = Raw::gather(&[(STORE, Some("/tmp/x".into()))], &env, Some(&file)).unwrap();
        assert_eq!(raw.get(STORE).origin.to_string(), "flag --store");
        assert_eq!(
            raw.get(OTLP_HTTP).origin.to_string(),
            "environment RECOUNT_OTLP_HTTP"
        );
        assert_eq!(raw.get(OTLP_GRPC).origin, Origin::File(file));
        let settings = Settings::check(&raw, &none, Access::Write).unwrap();
        assert_eq!(settings.max_body, 5);
        assert_eq!(settings.otlp_http.unwrap().port(), 3);
    }

    #[test]
    fn an_address_beyond_loopback_is_refused_with_its_origin() {
        let raw = Raw::gather(&[(OTLP_HTTP, Some("0.0.0.0:4318".into()))], &none, None).unwrap();
        let error = Settings::check(&raw, &none, Access::Write)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("flag --otlp-http") && error.contains("loopback"),
            "{error}"
        );
    }

    #[test]
    fn beyond_loopback_tls_and_credentials_are_both_needed() {
        let open = (OTLP_HTTP, Some("0.0.0.0:4318".to_owned()));
        let cert = (TLS_CERT, Some("/c.pem".to_owned()));
        let key = (TLS_KEY, Some("/k.pem".to_owned()));
        let enrolled = (REQUIRE_ENROLMENT, Some("true".to_owned()));
        let judged = |flags: &[(&'static Key, Option<String>)]| {
            let raw = Raw::gather(flags, &none, None).unwrap();
            let settings = Settings::check(&raw, &none, Access::Write);
            settings.map_err(|error| error.to_string())
        };
        let files = [open.clone(), cert.clone(), key.clone()];
        for (flags, missing) in [
            (
                vec![open.clone(), enrolled.clone()],
                "give --tls-cert and --tls-key, too",
            ),
            (files.to_vec(), "give --require-enrolment, too"),
            (vec![cert.clone(), enrolled.clone()], "it needs --tls-key"),
            (vec![key], "it needs --tls-cert"),
            (
                vec![(TLS_CLIENT_CA, Some("/ca.pem".to_owned()))],
                "it needs --tls-cert and --tls-key",
            ),
        ] {
            let error = judged(&flags).unwrap_err();
            assert!(error.contains(missing), "{error}");
        }
        let settings = judged(&[&files[..], &[enrolled]].concat()).unwrap();
        assert_eq!(settings.otlp_http.unwrap().port(), 4318);
        assert_eq!(settings.tls.unwrap().certificate, PathBuf::from("/c.pem"));
    }

    #[test]
    fn an_unknown_key_in_the_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("collector.toml");
        std::fs::write(&file, "otlp_htp = \"x\"\n").unwrap();
        let error = Raw::gather(&[], &none, Some(&file))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("otlp_htp") && error.contains("otlp_http"),
            "{error}"
        );
    }

    #[test]
    fn a_reader_over_tcp_needs_a_token() {
        let raw = Raw::gather(&[(READER, Some("127.0.0.1:0".into()))], &none, None).unwrap();
        assert!(
            Settings::check(&raw, &none, Access::Write)
                .unwrap_err()
                .to_string()
                .contains("token")
        );
    }

    /// A file that uses every kind of value that there is.
    const WHOLE: &str = "store = \"/tmp/x\"\notlp_http = \"127.0.0.1:0\"\nmax_body_bytes = 4096\nepoch = \"5m\"\n\
        disk_soft_bytes = 1000000\n[[anchor]]\nkind = \"file\"\npath = \"/tmp/a\"\nevery = 60\n[[anchor]]\n\
        kind = \"rfc3161\"\nurl = \"http://127.0.0.1:1/\"\n[[witness]]\nurl = \"http://127.0.0.1:2/\"\nkey = \"w+00000000+AA==\"\n";

    /// Checks a file with this text; an error must name the file or the setting, and never be a panic.
    fn judged(text: &[u8]) -> Result<Settings, Error> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("collector.toml");
        std::fs::write(&file, text).unwrap();
        let checked = Raw::gather(&[], &none, Some(&file))
            .and_then(|raw| Settings::check(&raw, &none, Access::Write));
        if let Err(error) = &checked {
            assert!(error.to_string().contains("collector.toml"), "{error}");
        }
        checked
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_settings_or_an_error_that_names_the_file(text in ".{0,200}") {
            let _ = judged(text.as_bytes());
        }

        #[test]
        fn a_changed_file_is_settings_or_an_error_that_names_the_file(
            changes in proptest::collection::vec((proptest::arbitrary::any::<proptest::sample::Index>(), proptest::arbitrary::any::<u8>(), 0_u8..4), 1..4),
        ) {
            let mut text = WHOLE.as_bytes().to_vec();
            for (at, byte, how) in changes {
                let at = at.index(text.len());
                match how {
                    0 => text[at] = byte,
                    1 => text.insert(at, byte),
                    2 => drop(text.remove(at)),
                    _ => text.truncate(at.max(1)),
                }
            }
            let _ = judged(&text);
        }
    }
}
