//! Settings of a recorder: read raw from the environment first, checked second.

use std::path::PathBuf;
use std::time::Duration;

use vocabulary::action::{Access, Durability};
use vocabulary::id::{RequestId, SessionId};
use vocabulary::wire;

use crate::error::SetupError;
use crate::session_builder::as_request;

/// Where a collector listens unless told otherwise.
pub(crate) const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:4318";

/// What durability begins have, where neither action nor access decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DurabilityRule {
    /// Reads go to the spool, everything else waits for the receipt.
    #[default]
    ByAccess,
    /// Every action is written to the spool and runs at once.
    AlwaysSpool,
    /// Every action waits for the receipt, reads too.
    AlwaysStrict,
}

impl DurabilityRule {
    pub(crate) fn of(self, access: Access) -> Durability {
        match self {
            Self::ByAccess => access.default_durability(),
            Self::AlwaysSpool => Durability::Spool,
            Self::AlwaysStrict => Durability::Strict,
        }
    }
}

/// What the process that started us said about the session we are part of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inherited {
    pub(crate) session: Option<SessionId>,
    pub(crate) request: Option<RequestId>,
    pub(crate) trace_id: Option<[u8; 16]>,
}

/// A credential; shown by nothing.
#[derive(Clone)]
pub(crate) struct Token(pub(crate) String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// The files of a client certificate, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// The certificate and what it was signed with.
    pub(crate) chain: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// Everything a recorder can be told. Times are bounds, not goals.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) endpoint: String,
    /// Whether `http://` may leave this host.
    pub(crate) plaintext: bool,
    /// A PEM file with the authorities that a collector's certificate may come from.
    pub(crate) authorities: Option<PathBuf>,
    /// What this agent shows a collector that asks for a certificate.
    pub(crate) certificate: Option<ClientCertificate>,
    /// What the collector knows this agent by.
    pub(crate) token: Option<Token>,
    /// The file of the key that this agent signs with.
    pub(crate) agent_key: Option<PathBuf>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) strict_wait: Duration,
    pub(crate) export_timeout: Duration,
    pub(crate) durability: DurabilityRule,
    pub(crate) sync: bool,
    pub(crate) gzip: bool,
    pub(crate) file_bytes: usize,
    pub(crate) spool_limit: u64,
    /// The file of the redaction policy.
    pub(crate) redaction: Option<PathBuf>,
    pub(crate) inherited: Inherited,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            plaintext: false,
            authorities: None,
            certificate: None,
            token: None,
            agent_key: None,
            folder: None,
            strict_wait: Duration::from_secs(5),
            export_timeout: Duration::from_secs(10),
            durability: DurabilityRule::ByAccess,
            sync: false,
            gzip: false,
            file_bytes: 4 * 1024 * 1024,
            spool_limit: 256 * 1024 * 1024,
            redaction: None,
            inherited: Inherited::default(),
        }
    }
}

impl Settings {
    /// Reads the variables that the crate's documentation lists.
    pub(crate) fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SetupError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut settings = Self::default();
        if let Some(endpoint) =
            variable("RECOUNT_COLLECTOR").or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"))
        {
            settings.endpoint = endpoint;
        }
        settings.token = variable("RECOUNT_TOKEN").map(Token);
        settings.agent_key = variable("RECOUNT_AGENT_KEY").map(PathBuf::from);
        settings.folder = variable("RECOUNT_SPOOL").map(PathBuf::from);
        if let Some(seconds) = variable("RECOUNT_STRICT_WAIT") {
            settings.strict_wait = seconds
                .parse()
                .ok()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .ok_or_else(|| wrong("RECOUNT_STRICT_WAIT", &seconds, "not a number of seconds"))?;
        }
        settings.durability = match variable("RECOUNT_DURABILITY").as_deref() {
            None | Some("by_access") => DurabilityRule::ByAccess,
            Some("spool") => DurabilityRule::AlwaysSpool,
            Some("strict") => DurabilityRule::AlwaysStrict,
            Some(other) => {
                return Err(wrong(
                    "RECOUNT_DURABILITY",
                    other,
                    "not one of by_access, spool, strict",
                ));
            }
        };
        let flag = |name: &'static str| match variable(name).as_deref() {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(other) => Err(wrong(name, other, "not one of 0, 1")),
        };
        settings.sync = flag("RECOUNT_SPOOL_SYNC")?;
        settings.plaintext = flag("RECOUNT_PLAINTEXT")?;
        settings.authorities = variable("RECOUNT_CA").map(PathBuf::from);
        settings.redaction = variable("RECOUNT_REDACTION").map(PathBuf::from);
        settings.certificate = match (
            variable("RECOUNT_CLIENT_CERT"),
            variable("RECOUNT_CLIENT_KEY"),
        ) {
            (Some(chain), Some(key)) => Some(ClientCertificate {
                chain: chain.into(),
                key: key.into(),
            }),
            (None, None) => None,
            (Some(given), None) => {
                let why = "its key is missing: set RECOUNT_CLIENT_KEY, too";
                return Err(wrong("RECOUNT_CLIENT_CERT", &given, why));
            }
            (None, Some(given)) => {
                let why = "its certificate is missing: set RECOUNT_CLIENT_CERT, too";
                return Err(wrong("RECOUNT_CLIENT_KEY", &given, why));
            }
        };
        settings.inherited = Inherited::read(
            variable("RECOUNT_SESSION").as_deref(),
            variable("TRACEPARENT").as_deref(),
            variable("BAGGAGE").as_deref(),
        );
        Ok(settings)
    }

    /// Refuses what would only fail later, and without a caller to tell.
    pub(crate) fn check(&self) -> Result<(), SetupError> {
        if let Some(Token(token)) = &self.token
            && !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            let why = "a token is printable characters without spaces";
            return Err(wrong("RECOUNT_TOKEN", "(not shown)", why));
        }
        if let Some(certificate) = &self.certificate
            && !self.endpoint.starts_with("https://")
        {
            let why = "a certificate is shown to a collector at https:// alone (RECOUNT_COLLECTOR)";
            let chain = certificate.chain.display().to_string();
            return Err(wrong("RECOUNT_CLIENT_CERT", &chain, why));
        }
        let endpoint = &self.endpoint;
        let refused = |why| Err(wrong("RECOUNT_COLLECTOR", endpoint, why));
        #[cfg(unix)]
        if let Some(path) = crate::deliver::unix::socket(endpoint) {
            return match path.is_absolute() {
                true => Ok(()),
                false => {
                    refused("not the whole path of a socket, like unix:/run/recount/agent.sock")
                }
            };
        }
        let Some((scheme, rest)) = endpoint.split_once("://") else {
            return refused("not an address like http://127.0.0.1:4318");
        };
        if rest.is_empty() || rest.contains(char::is_whitespace) {
            return refused("no host");
        }
        match scheme {
            "http" if self.plaintext || is_loopback(rest) => Ok(()),
            "http" => refused(
                "records would cross the network readable by anyone; use https:// (feature `tls`), run a collector \
                 on this host, or set RECOUNT_PLAINTEXT=1 where the network itself is private",
            ),
            "https" if cfg!(feature = "tls") => Ok(()),
            "https" => refused(
                "this build has no TLS; build with the feature `tls` of the crate `recount`, or run a collector on \
                 this host and use http://127.0.0.1:4318",
            ),
            _ => refused("not an address like http://127.0.0.1:4318"),
        }
    }

    /// The spool's folder: as set, else below the state folder of the XDG
    /// specification, else in the folder for temporary files.
    pub(crate) fn folder(&self, variable: impl Fn(&str) -> Option<String>) -> PathBuf {
        let absolute = |name: &str| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        self.folder
            .clone()
            .or_else(|| absolute("XDG_STATE_HOME").map(|state| state.join("recount/spool")))
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state/recount/spool")))
            .unwrap_or_else(|| std::env::temp_dir().join("recount-spool"))
    }
}

/// Whether what follows `http://` names this host.
fn is_loopback(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority
        .strip_prefix('[')
        .and_then(|v6| v6.split_once(']'))
    {
        Some((v6, _)) => v6,
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl Inherited {
    pub(crate) fn read(
        session: Option<&str>,
        traceparent: Option<&str>,
        baggage: Option<&str>,
    ) -> Self {
        let in_baggage = |key| baggage.and_then(|text| baggage_value(text, key));
        let session = session
            .map(str::to_owned)
            .or_else(|| in_baggage(wire::BAGGAGE_SESSION));
        Self {
            session: session.and_then(|id| id.parse().ok()),
            request: in_baggage(wire::BAGGAGE_REQUEST).and_then(|id| as_request(&id)),
            trace_id: traceparent.and_then(trace_id),
        }
    }
}

/// The trace id of a W3C `traceparent`.
fn trace_id(text: &str) -> Option<[u8; 16]> {
    let hex = text.split('-').nth(1).filter(|hex| hex.len() == 32)?;
    let number = u128::from_str_radix(hex, 16)
        .ok()
        .filter(|number| *number != 0)?;
    Some(number.to_be_bytes())
}

/// One value of a W3C `baggage`, percent-decoded.
fn baggage_value(text: &str, key: &str) -> Option<String> {
    let value = text.split(',').find_map(|member| {
        let (name, value) = member.split(';').next()?.split_once('=')?;
        (name.trim() == key).then(|| value.trim())
    })?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn wrong(name: &'static str, value: &str, why: &str) -> SetupError {
    SetupError::Setting {
        name,
        value: value.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn our_own_variable_wins_over_the_one_of_opentelemetry() {
        let both = env(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:1"),
            ("RECOUNT_COLLECTOR", "http://b:2"),
        ]);
        assert_eq!(Settings::from_env(both).unwrap().endpoint, "http://b:2");
        let one = env(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:1")]);
        assert_eq!(Settings::from_env(one).unwrap().endpoint, "http://a:1");
        assert_eq!(
            Settings::from_env(env(&[])).unwrap().endpoint,
            DEFAULT_ENDPOINT
        );
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_name() {
        let error = Settings::from_env(env(&[("RECOUNT_STRICT_WAIT", "soon")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "RECOUNT_STRICT_WAIT=\"soon\": not a number of seconds"
        );
        let settings = Settings {
            endpoint: "localhost:4318".into(),
            ..Settings::default()
        };
        assert!(
            settings
                .check()
                .unwrap_err()
                .to_string()
                .contains("localhost:4318")
        );
    }

    #[test]
    fn records_leave_the_host_readable_only_where_that_was_said() {
        let check = |endpoint: &str, plaintext| {
            let settings = Settings {
                endpoint: endpoint.to_owned(),
                plaintext,
                ..Settings::default()
            };
            settings.check().map_err(|error| error.to_string())
        };
        for here in [
            "http://127.0.0.1:4318",
            "http://127.8.0.1",
            "http://LocalHost:1/x",
            "http://[::1]:4318",
        ] {
            assert_eq!(check(here, false), Ok(()), "{here}");
        }
        for away in [
            "http://10.0.0.7:4318",
            "http://localhost.example.test:4318",
            "http://127.0.0.1.example.test",
            "http://user@127.0.0.1:4318",
        ] {
            let error = check(away, false).unwrap_err();
            assert!(error.contains("https://") && error.contains("RECOUNT_PLAINTEXT=1"));
            assert_eq!(check(away, true), Ok(()), "{away}");
        }
        let https = check("https://collector.example.test", false);
        match cfg!(feature = "tls") {
            true => assert_eq!(https, Ok(())),
            false => assert!(https.unwrap_err().contains("the feature `tls`")),
        }
    }

    #[test]
    fn a_certificate_needs_its_key_and_a_connection_that_shows_it() {
        let alone = Settings::from_env(env(&[("RECOUNT_CLIENT_CERT", "/c.pem")])).unwrap_err();
        assert_eq!(
            alone.to_string(),
            "RECOUNT_CLIENT_CERT=\"/c.pem\": its key is missing: set RECOUNT_CLIENT_KEY, too"
        );
        let plain = Settings::from_env(env(&[
            ("RECOUNT_CLIENT_CERT", "/c.pem"),
            ("RECOUNT_CLIENT_KEY", "/k.pem"),
        ]));
        let error = plain.unwrap().check().unwrap_err().to_string();
        assert!(error.contains("https://"), "{error}");
    }

    #[test]
    fn the_session_of_the_starting_process_is_inherited() {
        let inherited = Settings::from_env(env(&[
            (
                "TRACEPARENT",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            (
                "BAGGAGE",
                "x=1, recount.request.id=INC%2047;p, recount.session.id=s-1",
            ),
        ]))
        .unwrap()
        .inherited;
        assert_eq!(inherited.request.unwrap().as_str(), "INC 47");
        assert_eq!(inherited.session.unwrap().as_str(), "s-1");
        assert_eq!(inherited.trace_id.unwrap()[0], 0x0a);
    }
}
