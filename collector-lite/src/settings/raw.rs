//! Settings as text, gathered from flags, environment and file, each with its origin.

use std::fmt;
use std::path::{Path, PathBuf};

use ledger::store::Setting;

use crate::error::Error;

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
    pub(super) values: Vec<(&'static str, Given)>,
    /// Tables of the file that are no single value, with the file.
    pub(super) tables: Option<(PathBuf, toml::Table)>,
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
    pub(super) fn effective(&self) -> Vec<Setting> {
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
