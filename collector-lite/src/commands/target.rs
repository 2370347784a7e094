//! Where records that a person brings in go: into the ledger itself, or to the collector that writes to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ledger::store::StoreError;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use vocabulary::wire;

use crate::agent_door::door::AgentDoor;
use crate::clock;
use crate::error::Error;
use crate::intake::{Door, Export};
use crate::producers::sender::Sender;
use crate::serve;
use crate::settings::Settings;
use crate::tls::files::{self, Files};
use ledger::envelope::{Delivery, Encoding, Signal};

/// How long a running collector may take for one export.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the records go: into the ledger itself, or to the collector that writes to it.
pub(super) enum Target {
    Ledger {
        door: Box<AgentDoor>,
        runtime: tokio::runtime::Runtime,
    },
    Collector {
        agent: ureq::Agent,
        url: String,
        /// What the collector knows the sender by.
        token: Option<String>,
    },
}

/// What is brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought {
    /// The spool of an agent that is gone.
    Spool,
    /// A log that was written elsewhere.
    Log,
}

impl Brought {
    fn door(self) -> Door {
        match self {
            Self::Spool => Door::Adopt,
            Self::Log => Door::Import,
        }
    }
}

impl Target {
    /// The ledger, or the collector that has it open.
    pub(super) fn open(settings: &Settings, collector: Option<&str>) -> Result<Self, Error> {
        if let Some(url) = collector {
            return Self::collector(url);
        }
        match serve::open_ledger(settings, Box::new(|_| {})) {
            Ok(ledger) => {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .map_err(|source| Error::System {
                        doing: "start the runtime",
                        source,
                    })?;
                let door = AgentDoor::new(ledger, settings.max_body, settings.max_in_flight);
                let door = Box::new(door);
                Ok(Self::Ledger { door, runtime })
            }
            Err(error @ StoreError::Locked { .. }) => match settings.otlp_http {
                Some(address) if settings.tls.is_some() => {
                    Self::collector(&format!("https://{address}"))
                }
                Some(address) => Self::collector(&format!("http://{address}")),
                None => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn collector(url: &str) -> Result<Self, Error> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .tls_config(tls()?);
        Ok(Self::Collector {
            agent: config.build().new_agent(),
            url: format!("{}/v1/logs", url.trim_end_matches('/')),
            token: std::env::var("RECOUNT_TOKEN").ok(),
        })
    }

    /// Sends one export of `from`; back once it is sealed, with how many of its records were sealed before.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) fn send(&self, brought: Brought, body: &[u8], from: &str) -> Result<u64, String> {
        match self {
            Self::Ledger { door, runtime } => {
                let sender = Sender::unauthenticated(brought.door().unauthenticated());
                let export = Export {
                    door: brought.door(),
                    sender: match brought {
                        Brought::Spool => sender,
                        Brought::Log => sender.importing(),
                    },
                    encoding: Encoding::Protobuf,
                    signal: Signal::Logs,
                    delivery: Delivery::Adopted,
                    peer: from.to_owned(),
                    received_ns: clock::now_ns(),
                };
                let body = Bytes::copy_from_slice(body);
                // On a worker, because large exports are prepared with `block_in_place`.
                let taken = runtime.block_on(door.take(export, body));
                let (receipt, _) = taken.map_err(|refusal| refusal.to_string())?;
                Ok(receipt.duplicates)
            }
            Self::Collector { agent, url, token } => {
                let mut request = agent
                    .post(url)
                    .header("content-type", "application/x-protobuf")
                    .header(wire::DELIVERY_HEADER, "adopted");
                if brought == Brought::Log {
                    request = request.header(wire::RECORDING_HEADER, wire::IMPORTED);
                }
                if let Some(token) = token {
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                let answer = request
                    .send(body)
                    .map_err(|error| format!("{url}: {error}"))?;
                match answer.status().as_u16() {
                    200 => Ok(duplicates(&answer)),
                    401 => Err(format!(
                        "{url} answers 401: it takes records from enrolled producers; RECOUNT_TOKEN holds the agent's token"
                    )),
                    status => Err(format!(
                        "{url} answers {status}; what it took before stays sealed"
                    )),
                }
            }
        }
    }

    /// Ends what was begun.
    pub(super) fn close(self) -> Result<(), Error> {
        match self {
            Self::Ledger { door, .. } => door.close().map_err(|fatal| Error::Halted {
                why: fatal.to_string(),
            }),
            Self::Collector { .. } => Ok(()),
        }
    }
}

/// How an `https://` collector is spoken to: as the agent's SDK would, by the same variables.
fn tls() -> Result<TlsConfig, Error> {
    let file = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    let unusable = |name: &str, path: &Path, why: &dyn std::fmt::Display| Error::Usage {
        why: format!("{name}={}: {why}", path.display()),
        hint: "name a PEM file that this user may read".to_owned(),
    };
    let read = |name: &str, path: &Path| -> Result<Vec<Certificate<'static>>, Error> {
        let read = files::certificates("certificate", path);
        let read = read.map_err(|error| unusable(name, path, &error.why))?;
        let owned = read.iter().map(|one| Certificate::from_der(one).to_owned());
        Ok(owned.collect())
    };
    let mut config = TlsConfig::builder();
    if let Some(path) = file("RECOUNT_CA") {
        let roots = read("RECOUNT_CA", &path)?;
        config = config.root_certs(RootCerts::Specific(Arc::new(roots)));
    }
    let (chain, key) = ("RECOUNT_CLIENT_CERT", "RECOUNT_CLIENT_KEY");
    if let (Some(chain_file), Some(key_file)) = (file(chain), file(key)) {
        // A pair that does not belong together would end the process when it is first shown.
        let pair = Files {
            certificate: chain_file.clone(),
            key: key_file.clone(),
            client_ca: None,
        };
        pair.read()
            .map_err(|error| unusable(chain, &error.path, &error.why))?;
        let pem = std::fs::read(&key_file).map_err(|error| unusable(key, &key_file, &error))?;
        let private =
            PrivateKey::from_pem(&pem).map_err(|error| unusable(key, &key_file, &error))?;
        let shown = ClientCert::new_with_certs(&read(chain, &chain_file)?, private);
        config = config.client_cert(Some(shown));
    }
    Ok(config.build())
}

/// How many records the receipt says were sealed before.
fn duplicates(answer: &ureq::http::Response<ureq::Body>) -> u64 {
    let receipt = answer.headers().get(wire::RECEIPT_HEADER);
    let receipt = receipt.and_then(|receipt| receipt.to_str().ok());
    let receipt =
        receipt.and_then(|receipt| serde_json::from_str::<serde_json::Value>(receipt).ok());
    receipt
        .and_then(|receipt| receipt.get("duplicates")?.as_u64())
        .unwrap_or(0)
}
