//! Setting up a recorder in code.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vocabulary::id::ProducerId;
use vocabulary::id::RunId;
use vocabulary::{attribute, wire};

use super::surroundings::{container_id, host_name};
use super::{Core, Recorder, Sink, new_ids};
use crate::Attributes;
use crate::clock::Clock;
use crate::deliver::Exporter;
use crate::encode::int;
use crate::engine::Engine;
use crate::error::SetupError;
use crate::item::Origin;
use crate::redaction::Policy;
use crate::seen::Seen;
use crate::settings::{ClientCertificate, DurabilityRule, Settings, Token};
use crate::ship::Shipper;
use crate::sign::{self, Pen};
use crate::spool::{Identity, Plan, Spool};

/// Sets up a [`Recorder`] in code.
#[derive(Debug)]
#[must_use = "a builder records nothing"]
pub struct RecorderBuilder {
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) producer: Option<ProducerId>,
    pub(super) policy: Option<Policy>,
    #[cfg(feature = "otel")]
    pub(super) outward: Option<Box<dyn crate::spans::Outward>>,
    pub(super) resource: Vec<(&'static str, String)>,
}

impl RecorderBuilder {
    /// The collector's OTLP/HTTP address, without `/v1/logs`; or `unix:` and the
    /// path of its agent socket.
    pub fn collector(mut self, address: impl Into<String>) -> Self {
        self.settings.endpoint = address.into();
        self
    }

    /// Lets records leave this host over `http://`, readable by whoever is on
    /// the way: for networks that are private by themselves. Off.
    pub fn plaintext(mut self, on: bool) -> Self {
        self.settings.plaintext = on;
        self
    }

    /// A PEM file with the authorities that an `https://` collector's
    /// certificate may come from; those of the system without this. Needs the
    /// feature `tls`.
    pub fn authorities(mut self, pem: impl Into<PathBuf>) -> Self {
        self.settings.authorities = Some(pem.into());
        self
    }

    /// The client certificate that this agent shows an `https://` collector, and its
    /// private key, as PEM files: `recount-collector enroll NAME --certificate FILE`
    /// makes `NAME` the producer of the records. Read anew when the files change.
    /// Needs the feature `tls`.
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.settings.certificate = Some(ClientCertificate {
            chain: certificate.into(),
            key: key.into(),
        });
        self
    }

    /// The token that `recount-collector enroll NAME` gave: sent with every
    /// export, it makes `NAME` the producer of the records. Without one they are
    /// `unauthenticated`, and what the producer calls itself a claim. In no record
    /// and no log.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.settings.token = Some(Token(token.into()));
        self
    }

    /// The file of the key that this agent signs its records with, one
    /// signature per export and session: `docs/ledger-format.md` §15.
    pub fn agent_key(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.agent_key = Some(file.into());
        self
    }

    /// As [`RecorderBuilder::agent_key`]; a new key is written first where
    /// the file is not there, with mode 0600.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn new_agent_key(self, file: impl Into<PathBuf>) -> std::io::Result<Self> {
        let file = file.into();
        sign::create(&file)?;
        Ok(self.agent_key(file))
    }

    /// The spool's folder; made with mode 0700 when it is not there. Several
    /// processes may share it.
    pub fn spool(mut self, folder: impl Into<PathBuf>) -> Self {
        self.settings.folder = Some(folder.into());
        self
    }

    /// Bytes that the unsent records of this run may take; 256 MiB. Beyond it
    /// strict begins are refused, and everything else is counted as lost.
    pub fn spool_limit(mut self, bytes: u64) -> Self {
        self.settings.spool_limit = bytes;
        self
    }

    /// Bytes of one file of the spool; 4 MiB.
    pub fn spool_file_bytes(mut self, bytes: usize) -> Self {
        self.settings.file_bytes = bytes;
        self
    }

    /// Whether each record is on the device before its call returns; off, and
    /// then it is within 50 ms.
    pub fn spool_sync(mut self, on: bool) -> Self {
        self.settings.sync = on;
        self
    }

    /// How long a strict begin waits for its receipt at most; 5 s.
    pub fn strict_wait(mut self, wait: Duration) -> Self {
        self.settings.strict_wait = wait;
        self
    }

    /// How long one export may take; 10 s.
    pub fn export_timeout(mut self, timeout: Duration) -> Self {
        self.settings.export_timeout = timeout;
        self
    }

    /// What begins must reach before actions run.
    pub fn durability(mut self, rule: DurabilityRule) -> Self {
        self.settings.durability = rule;
        self
    }

    /// Whether exports are compressed; needs the feature `gzip`, else it does
    /// nothing. Off: on one host it costs more than it saves.
    pub fn gzip(mut self, on: bool) -> Self {
        self.settings.gzip = on;
        self
    }

    /// The agent's stable identifier and version.
    pub fn agent(mut self, id: impl Into<String>, version: impl Into<String>) -> Self {
        self.resource.push((attribute::AGENT_ID, id.into()));
        self.resource
            .push((attribute::AGENT_VERSION, version.into()));
        self
    }

    /// Who answers for the agent: a person or a team.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.resource.push((attribute::AGENT_OWNER, owner.into()));
        self
    }

    /// Another attribute of the Resource, e.g. `service.version`.
    pub fn resource(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.resource.push((key, value.into()));
        self
    }

    /// What is removed from records beyond the credentials that always are;
    /// wins over the file that the environment names.
    pub fn redaction(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Gives each action to an OpenTelemetry backend too, as a span of this
    /// tracer: the program's own, with its exporter and its sampling. Spans hold
    /// what identifies an action and how it came out, after redaction, and no
    /// content. All spans of a session are in one trace, that of its records.
    #[cfg(feature = "otel")]
    pub fn spans<T>(mut self, tracer: T) -> Self
    where
        T: opentelemetry::trace::Tracer + Send + Sync + 'static,
        T::Span: Send + Sync,
    {
        self.outward = Some(Box::new(crate::spans::Spans::new(tracer)));
        self
    }

    /// A producer id that outlives the process; a new one without this.
    pub fn producer(mut self, id: ProducerId) -> Self {
        self.producer = Some(id);
        self
    }

    /// Makes the spool and starts the recorder's two threads.
    ///
    /// # Errors
    ///
    /// When a setting cannot be used, the spool's folder cannot be written, or
    /// a thread cannot be started.
    pub fn build(self) -> Result<Recorder, SetupError> {
        let settings = &self.settings;
        settings.check()?;
        let clock = Arc::new(Clock::start());
        let (new, run) = new_ids(&clock);
        let producer = self.producer.unwrap_or(new);
        let folder = settings.folder(|name| std::env::var(name).ok());
        let resource = self.resource_of(producer, run);
        let origin = Origin::new(&resource);
        let identity = Identity {
            producer: *producer.as_bytes(),
            run: *run.as_bytes(),
            number: 0,
            first_seq: 0,
            origin: Arc::new(origin),
        };
        let plan = Plan {
            folder: folder.clone(),
            file_bytes: settings.file_bytes,
            limit: settings.spool_limit,
        };
        let spool = Spool::create(plan, identity).map_err(|source| SetupError::Spool {
            folder: folder.display().to_string(),
            source,
        })?;
        let exporter = Exporter::new(settings)?;
        let pen = match &settings.agent_key {
            Some(path) => Some(Pen::new(
                sign::read(path)?,
                *producer.as_bytes(),
                *run.as_bytes(),
            )),
            None => None,
        };
        let own = spool.line();
        let seen = Seen::new(&folder, &settings.endpoint);
        let engine = Arc::new(Engine::new(
            spool,
            settings.endpoint.clone(),
            settings.sync,
            Arc::clone(&clock),
        ));
        let mut core = Core::new(
            &self.name,
            Sink::Spool(Arc::clone(&engine)),
            settings,
            Some((producer, run)),
        );
        core.clock = clock;
        #[cfg(feature = "otel")]
        {
            core.outward = self.outward;
        }
        core.policy = match (self.policy, &settings.redaction) {
            (Some(policy), _) => Some(Arc::new(policy)),
            (None, Some(file)) => Some(Arc::new(Policy::from_file(file)?)),
            (None, None) => None,
        };
        core.removed = resource.all_removed().to_vec();
        let recorder = Recorder {
            core: Arc::new(core),
        };
        let nobody = recorder.shared(format!("unattributed:{run}").parse().ok());
        let shipper = Shipper::new(exporter, nobody.prefix.clone(), nobody.trace_id, pen, seen);
        engine
            .start(move |engine| shipper.run(engine, own))
            .map_err(SetupError::Thread)?;
        Ok(recorder)
    }

    fn resource_of(&self, producer: ProducerId, run: RunId) -> Attributes {
        let mut attributes = Attributes::new();
        let given = |key: &str| self.resource.iter().any(|(known, _)| *known == key);
        for (key, value) in [
            (attribute::SERVICE_NAME, &self.name),
            (attribute::AGENT_NAME, &self.name),
        ] {
            if !given(key) {
                attributes.text(key, value);
            }
        }
        for (key, value) in &self.resource {
            attributes.text(key, value);
        }
        if let Some(host) = host_name().filter(|_| !given(attribute::HOST_NAME)) {
            attributes.text(attribute::HOST_NAME, &host);
        }
        if let Some(container) = container_id().filter(|_| !given(attribute::CONTAINER_ID)) {
            attributes.str(attribute::CONTAINER_ID, &container);
        }
        attributes
            .int(attribute::PROCESS_PID, int(u64::from(std::process::id())))
            .uuid(attribute::SERVICE_INSTANCE_ID, run.uuid())
            .uuid(attribute::PRODUCER, producer.uuid())
            .uuid(attribute::RUN, run.uuid())
            .str(attribute::TELEMETRY_SDK_NAME, wire::SDK_NAME)
            .str(attribute::TELEMETRY_SDK_VERSION, env!("CARGO_PKG_VERSION"))
            .str(attribute::TELEMETRY_SDK_LANGUAGE, "rust");
        attributes
    }
}
