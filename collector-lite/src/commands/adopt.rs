//! `adopt`: bring in the spool of an agent that is gone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ledger::store::StoreError;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use vocabulary::wire;

use crate::agent_door::door::AgentDoor;
use crate::clock;
use crate::error::{Error, exit};
use crate::intake::{Door, Export};
use crate::producers::sender::Sender;
use crate::serve;
use crate::settings::Settings;
use crate::spool::left_behind;
use crate::tls::files::{self, Files};
use ledger::envelope::{Delivery, Encoding, Signal};

/// How long a running collector may take for one export.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the records go: into the ledger itself, or to the collector that writes to it.
enum Target {
    Ledger {
        door: Box<AgentDoor>,
        runtime: tokio::runtime::Runtime,
    },
    Collector {
        agent: ureq::Agent,
        url: String,
        /// What the collector knows the agent by.
        token: Option<String>,
    },
}

/// Ships every run whose process is gone. 0: everything is sealed; 6: some bytes could not be read back.
pub(super) fn adopt(
    settings: &Settings,
    folder: &Path,
    collector: Option<&str>,
) -> Result<u8, Error> {
    let mut living = 0;
    let runs = left_behind(folder, &mut living)?;
    let mut target = None;
    let (mut records, mut damaged, count) = (0, 0, runs.len());
    for mut run in runs {
        while let Some(export) = run.export() {
            let target = match &mut target {
                Some(target) => target,
                None => target.insert(Target::open(settings, collector)?),
            };
            target.send(&export.body, folder)?;
            run.acknowledge(&export)?;
            records += export.records;
        }
        damaged += run.damaged();
        run.remove()?;
    }
    if let Some(target) = target {
        target.close()?;
    }
    say!(
        "adopted {records} records of {count} runs from {}",
        folder.display()
    );
    if living > 0 {
        say!("left {living} files alone: their processes live and ship them themselves");
    }
    if damaged > 0 {
        say!(
            "{damaged} bytes cannot be read back: the host went down before they were on the device"
        );
        return Ok(exit::INCOMPLETE);
    }
    Ok(exit::DONE)
}

impl Target {
    fn open(settings: &Settings, collector: Option<&str>) -> Result<Self, Error> {
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

    /// Sends one export; back once it is sealed.
    fn send(&self, body: &[u8], folder: &Path) -> Result<(), Error> {
        let failed = |why: String| Error::Spool {
            path: folder.to_path_buf(),
            why,
        };
        match self {
            Self::Ledger { door, runtime } => {
                let export = Export {
                    door: Door::Adopt,
                    sender: Sender::unauthenticated(Door::Adopt.unauthenticated()),
                    encoding: Encoding::Protobuf,
                    signal: Signal::Logs,
                    delivery: Delivery::Adopted,
                    peer: folder.display().to_string(),
                    received_ns: clock::now_ns(),
                };
                let body = Bytes::copy_from_slice(body);
                // On a worker, because large exports are prepared with `block_in_place`.
                runtime
                    .block_on(door.take(export, body))
                    .map_err(|refusal| failed(refusal.to_string()))?;
                Ok(())
            }
            Self::Collector { agent, url, token } => {
                let mut request = agent
                    .post(url)
                    .header("content-type", "application/x-protobuf")
                    .header(wire::DELIVERY_HEADER, "adopted");
                if let Some(token) = token {
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                let answer = request
                    .send(body)
                    .map_err(|error| failed(format!("{url}: {error}")))?;
                match answer.status().as_u16() {
                    200 => Ok(()),
                    401 => Err(failed(format!(
                        "{url} answers 401: it takes records from enrolled producers; RECOUNT_TOKEN holds the agent's token"
                    ))),
                    status => Err(failed(format!(
                        "{url} answers {status}; what it took before is marked as sent"
                    ))),
                }
            }
        }
    }

    fn close(self) -> Result<(), Error> {
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
