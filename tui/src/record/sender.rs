//! How a recording command reaches its collector: address, token, agent key and spool, from flags and environment.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use recount::{DurabilityRule, Principal, Recorder, RefusedWhy};

use crate::command::Context;
use crate::failure::Failure;

/// How long the collector may take to acknowledge.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

const TOKEN: &str = "set RECOUNT_TOKEN to the token that recount-collector enroll NAME prints";

const START: &str = "start one: recount-collector serve --init";

/// A recorder, and where it sends.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) recorder: Recorder,
    endpoint: String,
}

impl Sender {
    /// A recorder for an agent of this name, which sends to `endpoint`; everything else is as
    /// [`Recorder::from_env`] has it. Asks nobody yet: see [`reachable`].
    pub(crate) fn open(context: &Context, agent: &str, endpoint: &str) -> Result<Self, Failure> {
        Self::build(context, agent, endpoint, None)
    }

    /// As [`Sender::open`], waiting for no receipt before anything is done.
    pub(crate) fn open_spooling(
        context: &Context,
        agent: &str,
        endpoint: &str,
    ) -> Result<Self, Failure> {
        Self::build(context, agent, endpoint, Some(DurabilityRule::AlwaysSpool))
    }

    fn build(
        context: &Context,
        agent: &str,
        endpoint: &str,
        durability: Option<DurabilityRule>,
    ) -> Result<Self, Failure> {
        let variable = |name: &str| context.environment.text(name);
        let unavailable = |error: recount::SetupError| Failure::Unavailable {
            place: endpoint.to_owned(),
            what: error.to_string(),
            hint: "set RECOUNT_SPOOL to a folder that can be written".to_owned(),
        };
        let mut builder = Recorder::builder_from(agent, variable)
            .map_err(|error| Failure::Usage {
                what: error.to_string(),
                hint: "unset it, or give it such a value".to_owned(),
            })?
            .collector(endpoint);
        // Paths that are no text are paths all the same.
        if let Some(folder) = context.environment.get("RECOUNT_SPOOL") {
            builder = builder.spool(folder);
        }
        if let Some(file) = context.environment.get("RECOUNT_AGENT_KEY") {
            builder = builder.agent_key(file);
        }
        if let Some(durability) = durability {
            builder = builder.durability(durability);
        }
        Ok(Self {
            recorder: builder.build().map_err(unavailable)?,
            endpoint: endpoint.to_owned(),
        })
    }

    /// Where it sends.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The collector did not take a record: `what` begins the sentence, the reason and what waits end it.
    pub(crate) fn not_taken(&self, what: &str, why: &RefusedWhy) -> Failure {
        let unsent = self.recorder.unsent().0;
        self.recorder.close_blocking(Duration::ZERO);
        // It answers, and does not know who asks.
        let hint = match why.to_string().contains("status 401") {
            true => TOKEN,
            false => START,
        };
        Failure::Unavailable {
            place: self.endpoint.clone(),
            what: format!(
                "{what}: {why}; {} wait in the spool and are sealed late when a collector runs",
                crate::app::words::count(unsent, "record", "records")
            ),
            hint: hint.to_owned(),
        }
    }
}

/// Fails when nothing listens where records go.
pub(crate) fn reachable(endpoint: &str) -> Result<(), Failure> {
    let unavailable = |what: String| Failure::Unavailable {
        place: endpoint.to_owned(),
        what: format!("no collector takes records at {endpoint}: {what}; nothing was recorded"),
        hint: START.to_owned(),
    };
    if let Some(path) = endpoint.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        let connected = std::os::unix::net::UnixStream::connect(path);
        return connected
            .map(drop)
            .map_err(|error| unavailable(error.to_string()));
    }
    let addresses = host(endpoint)
        .to_socket_addrs()
        .map_err(|error| unavailable(error.to_string()))?;
    let mut last = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(unavailable(last))
}

/// Host and port of an address.
fn host(endpoint: &str) -> String {
    let rest = endpoint
        .strip_prefix("http://")
        .or_else(|| endpoint.strip_prefix("https://"));
    let host = rest
        .unwrap_or(endpoint)
        .split('/')
        .next()
        .unwrap_or_default();
    match host.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => host.to_owned(),
        _ if endpoint.starts_with("https:") => format!("{host}:443"),
        _ => format!("{host}:80"),
    }
}

/// Who asks, as far as this process knows: the user it runs as, on this host.
pub(crate) fn asker(context: &Context) -> Principal {
    Principal::user(format!("os:{}", host_name()), user(context))
}

/// The user's name, else the number that the system knows the user by.
pub(crate) fn user(context: &Context) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let named = ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| context.environment.text(name));
    let number = || std::fs::metadata("/proc/self").map(|own| format!("uid {}", own.uid()));
    named
        .or_else(|| number().ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() {
        "localhost".to_owned()
    } else {
        name.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_has_that_of_its_scheme() {
        assert_eq!(host("http://127.0.0.1:4318/x"), "127.0.0.1:4318");
        assert_eq!(
            host("http://collector.example.test"),
            "collector.example.test:80"
        );
        assert_eq!(
            host("https://collector.example.test/v1"),
            "collector.example.test:443"
        );
    }

    #[test]
    fn nobody_there_is_said_with_the_address_and_the_start_command() {
        let error = reachable("http://127.0.0.1:1").unwrap_err();
        assert!(error.to_string().contains("http://127.0.0.1:1"), "{error}");
        assert_eq!(error.hint().as_deref(), Some(START));
        assert!(reachable("unix:/nowhere/agent.sock").is_err());
    }
}
