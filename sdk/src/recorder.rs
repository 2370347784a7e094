//! The recorder: one per process, cheap to clone, sends everything that its sessions record.

mod builder;
mod surroundings;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use vocabulary::action::{Access, Durability};
use vocabulary::content::Redaction;
use vocabulary::digest::SessionKey;
use vocabulary::id::{ProducerId, RequestId, RunId, SessionId};
use vocabulary::{Event, attribute};

use crate::clock::Clock;
use crate::engine::{Acknowledged, Engine, Receipt};
use crate::error::{RefusedWhy, SetupError};
use crate::item::Place;
use crate::redaction::Policy;
use crate::session::Shared;
use crate::settings::{DurabilityRule, Inherited, Settings};
use crate::spool::NoRoom;
use crate::testing::Memory;
use crate::wait::Taker;
use crate::{Ambient, Attributes, Handle, SessionBuilder};

pub use builder::RecorderBuilder;

/// Where records go.
#[derive(Debug)]
enum Sink {
    Spool(Arc<Engine>),
    Memory(Memory),
    Nowhere,
}

struct Core {
    sink: Sink,
    clock: Arc<Clock>,
    run: RunId,
    producer: ProducerId,
    agent: String,
    durability: DurabilityRule,
    strict_wait: Duration,
    inherited: Inherited,
    /// What is removed beyond what always is.
    policy: Option<Arc<Policy>>,
    /// Who else sees every record.
    #[cfg(feature = "otel")]
    outward: Option<Box<dyn crate::spans::Outward>>,
    /// What was removed from the Resource, by key.
    removed: Vec<Redaction>,
    unattributed: OnceLock<Arc<Shared>>,
    around: OnceLock<Arc<Shared>>,
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Sink::Spool(engine) = &self.sink {
            engine.close();
        }
    }
}

/// Records what an agent does. Clones share one spool, one numbering and one
/// connection.
///
/// Recording never fails for lack of a collector: records wait in the spool.
/// Only [`begin`](crate::ActionBuilder::begin) of an action that must be
/// strict can be refused.
#[derive(Clone)]
pub struct Recorder {
    core: Arc<Core>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({} run {})", self.core.agent, self.core.run)
    }
}

/// What became of a begin.
#[derive(Debug)]
pub(crate) enum Begun {
    Kept,
    /// Not kept, and counted: the action runs all the same.
    Lost,
    Waits(Taker<Acknowledged>),
    Refused(RefusedWhy),
}

impl fmt::Debug for Taker<Acknowledged> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Taker")
    }
}

/// Records that are still in the spool; the next process that records into the
/// same folder ships them, or `recount-collector adopt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsent(pub u64);

impl Unsent {
    /// Whether everything was acknowledged.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl Recorder {
    /// A recorder for an agent of this name, set up by the environment:
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `RECOUNT_COLLECTOR` | OTLP/HTTP address, or `unix:` and the path of its agent socket; else `OTEL_EXPORTER_OTLP_ENDPOINT`, else `http://127.0.0.1:4318` |
    /// | `RECOUNT_PLAINTEXT` | `1`: records may leave this host over `http://`; else anything but loopback must be `https://` (feature `tls`) |
    /// | `RECOUNT_CA` | PEM file of the authorities for `https://`; else those of the system |
    /// | `RECOUNT_CLIENT_CERT`, `RECOUNT_CLIENT_KEY` | PEM files of the certificate that this agent shows an `https://` collector, and of its key |
    /// | `RECOUNT_TOKEN` | the token that `recount-collector enroll NAME` gave, sent with every export |
    /// | `RECOUNT_AGENT_KEY` | file of the key that it signs with |
    /// | `RECOUNT_SPOOL` | folder of the spool; else `recount/spool` in the XDG state folder |
    /// | `RECOUNT_SPOOL_SYNC` | `1`: each record is on the device before its call returns |
    /// | `RECOUNT_STRICT_WAIT` | seconds that a strict begin waits at most; 5 |
    /// | `RECOUNT_DURABILITY` | `by_access` (default), `spool`, `strict` |
    /// | `RECOUNT_REDACTION` | file of the [redaction policy](crate::redaction::Policy::from_file) |
    /// | `RECOUNT_SESSION`, `TRACEPARENT`, `BAGGAGE` | the session of the process that started this one: the parent of sessions started here |
    ///
    /// # Errors
    ///
    /// When a variable has a value that cannot be used, or the spool's folder
    /// cannot be written. A collector that does not answer is no error.
    pub fn from_env(name: &str) -> Result<Self, SetupError> {
        Self::builder_from(name, |name| std::env::var(name).ok())?.build()
    }

    /// A recorder that is set up by such variables first, and in code then.
    ///
    /// # Errors
    ///
    /// When a variable has a value that cannot be used.
    pub fn builder_from(
        name: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<RecorderBuilder, SetupError> {
        Ok(RecorderBuilder {
            settings: Settings::from_env(variable)?,
            ..Self::builder(name)
        })
    }

    /// A recorder set up in code; the environment is not read.
    pub fn builder(name: &str) -> RecorderBuilder {
        RecorderBuilder {
            name: name.to_owned(),
            settings: Settings::default(),
            producer: None,
            policy: None,
            #[cfg(feature = "otel")]
            outward: None,
            resource: Vec::new(),
        }
    }

    /// A recorder that keeps everything in memory, for tests: every begin is
    /// acknowledged at once. See [`crate::testing`].
    pub fn testing() -> Self {
        let core = Core::new(
            "testing",
            Sink::Memory(Memory::default()),
            &Settings::default(),
            None,
        );
        Self {
            core: Arc::new(core),
        }
    }

    /// As [`Recorder::testing`], under a redaction policy.
    pub fn testing_with(policy: Policy) -> Self {
        let sink = Sink::Memory(Memory::default());
        let mut core = Core::new("testing", sink, &Settings::default(), None);
        core.policy = Some(Arc::new(policy));
        Self {
            core: Arc::new(core),
        }
    }

    /// A recorder that records nothing and refuses nothing: recording turned
    /// off, as a value.
    pub fn disabled() -> Self {
        let core = Core::new("disabled", Sink::Nowhere, &Settings::default(), None);
        Self {
            core: Arc::new(core),
        }
    }

    /// A session for a request (`47892`, a ticket, a message id), not started yet.
    pub fn session(&self, request: &str) -> SessionBuilder {
        SessionBuilder::new(self, Some(request))
    }

    /// A session without a request of its own: the one that this process
    /// inherited, else the session's name stands for it.
    pub fn session_without_request(&self) -> SessionBuilder {
        SessionBuilder::new(self, None)
    }

    /// Records under a session that somebody else opened: a relay that reads
    /// the caller's `baggage`, a wrapped child. Writes neither a start nor an
    /// end; dropping the handle says nothing. `trace_id` is the one that the
    /// caller named, where it named one.
    ///
    /// What the collector makes of it depends on who records: the stream of an
    /// enrolled recorder is an observation, that of another producer a claim.
    ///
    /// ```
    /// # let recorder = recount::Recorder::testing();
    /// let session = "a1".parse()?;
    /// let joined = recorder.join(&session, None, None);
    /// assert_eq!(joined.id(), &session);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(
        &self,
        session: &SessionId,
        request: Option<&RequestId>,
        trace_id: Option<[u8; 16]>,
    ) -> Handle {
        let shared = Shared::joined(
            session.clone(),
            request.cloned(),
            trace_id.unwrap_or_else(crate::random::bytes),
            SessionKey::new(crate::random::bytes()),
        );
        Handle {
            recorder: self.clone(),
            shared: Arc::new(shared),
            observed: None,
        }
    }

    /// Says that a session of another process will not be ended by it: the
    /// process died, and whoever watched it says so.
    pub fn abandoned(&self, session: &SessionId, request: Option<&RequestId>, note: &str) {
        let shared = Shared::new(
            session.clone(),
            request.cloned(),
            crate::random::bytes(),
            SessionKey::new(crate::random::bytes()),
        );
        let mut attributes = Attributes::new();
        attributes.text(attribute::SESSION_NOTE, note);
        self.append(Event::SessionAbandoned, &shared.place(None), &attributes);
    }

    /// The session for what is recorded without any: one per process, started
    /// when it is first needed. That something is in it is a problem.
    pub fn unattributed(&self) -> Handle {
        let shared = self.core.unattributed.get_or_init(|| {
            let id = format!("unattributed:{}", self.core.run);
            let shared = self.shared(id.parse().ok());
            let mut attributes = Attributes::new();
            attributes
                .str(attribute::TRIGGER_KIND, "unknown")
                .str(attribute::PRINCIPAL_KIND, "unknown")
                .str(attribute::PRINCIPAL_SUBJECT, "unknown")
                .bytes(attribute::SESSION_KEY, shared.key.as_bytes());
            self.append(Event::SessionStart, &shared.place(None), &attributes);
            shared
        });
        Handle {
            recorder: self.clone(),
            shared: Arc::clone(shared),
            observed: None,
        }
    }

    /// The context in which something that is seen now belongs: the ambient
    /// one, else the session of the process that started this one, else the
    /// unattributed one. For captures.
    pub fn here(&self) -> Ambient {
        if let Some(ambient) = Ambient::current() {
            return ambient;
        }
        match &self.core.inherited.session {
            Some(session) => {
                let shared = self
                    .core
                    .around
                    .get_or_init(|| self.shared(Some(session.clone())));
                Ambient::new(&Handle {
                    recorder: self.clone(),
                    shared: Arc::clone(shared),
                    observed: None,
                })
            }
            None => Ambient::new(&self.unattributed()),
        }
    }

    /// Records any event in the session that [`Recorder::here`] gives.
    pub fn record(&self, event: Event, attributes: &Attributes) {
        self.here().session().record(event, attributes);
    }

    /// Waits until everything recorded is acknowledged, at most so long; says
    /// what is not.
    pub async fn flush(&self, at_most: Duration) -> Unsent {
        let began = self.core.clock.now().mono_ns;
        if let Sink::Spool(engine) = &self.core.sink {
            // More than once: a refusal on the way is told by a record of its own.
            while engine.drained(self.left_of(at_most, began)).await.is_ok() && engine.unsent() > 0
            {
            }
        }
        self.unsent()
    }

    /// As [`Recorder::flush`], blocking the thread.
    pub fn flush_blocking(&self, at_most: Duration) -> Unsent {
        let began = self.core.clock.now().mono_ns;
        if let Sink::Spool(engine) = &self.core.sink {
            loop {
                let left = self.left_of(at_most, began);
                let drained = matches!(engine.drained(left).wait(left), Some(Ok(_)));
                if !drained || engine.unsent() == 0 {
                    break;
                }
            }
        }
        self.unsent()
    }

    /// Flushes, ships what processes before this one left in the spool, then
    /// stops recording, in all clones; takes at most so long. What is unsent
    /// stays in the spool; a spool with nothing unsent is deleted.
    pub async fn close(&self, at_most: Duration) -> Unsent {
        let began = self.core.clock.now().mono_ns;
        let unsent = self.flush(at_most).await;
        if let (Sink::Spool(engine), true) = (&self.core.sink, unsent.is_none()) {
            let _ = engine.left_sent(self.left_of(at_most, began)).await;
        }
        self.stop();
        unsent
    }

    /// As [`Recorder::close`], blocking the thread.
    pub fn close_blocking(&self, at_most: Duration) -> Unsent {
        let began = self.core.clock.now().mono_ns;
        let unsent = self.flush_blocking(at_most);
        if let (Sink::Spool(engine), true) = (&self.core.sink, unsent.is_none()) {
            let left = self.left_of(at_most, began);
            let _ = engine.left_sent(left).wait(left);
        }
        self.stop();
        unsent
    }

    /// How many records no collector has acknowledged yet.
    pub fn unsent(&self) -> Unsent {
        match &self.core.sink {
            Sink::Spool(engine) => Unsent(engine.unsent()),
            Sink::Memory(_) | Sink::Nowhere => Unsent(0),
        }
    }

    /// What the collector said when it last took records.
    pub fn last_receipt(&self) -> Option<Receipt> {
        match &self.core.sink {
            Sink::Spool(engine) => engine.last_receipt(),
            Sink::Memory(_) | Sink::Nowhere => None,
        }
    }

    /// Why the last attempt to deliver failed; `None` after one that did not.
    pub fn last_error(&self) -> Option<String> {
        match &self.core.sink {
            Sink::Spool(engine) => engine.last_error(),
            Sink::Memory(_) | Sink::Nowhere => None,
        }
    }

    /// The folder of its spool, where it has one.
    pub fn spool_folder(&self) -> Option<&std::path::Path> {
        match &self.core.sink {
            Sink::Spool(engine) => Some(engine.spool.folder()),
            Sink::Memory(_) | Sink::Nowhere => None,
        }
    }

    /// The agent's name.
    pub fn agent_name(&self) -> &str {
        &self.core.agent
    }

    /// The id of this recorder instance, on each export.
    pub fn producer(&self) -> ProducerId {
        self.core.producer
    }

    /// The id of this run, which numbers its records.
    pub fn run(&self) -> RunId {
        self.core.run
    }

    /// Whether anything is recorded at all.
    pub fn is_enabled(&self) -> bool {
        !matches!(self.core.sink, Sink::Nowhere)
    }

    pub(crate) fn memory(&self) -> Option<&Memory> {
        match &self.core.sink {
            Sink::Memory(memory) => Some(memory),
            Sink::Spool(_) | Sink::Nowhere => None,
        }
    }

    /// Writes one record; false when it could not be kept.
    pub(crate) fn append(&self, event: Event, place: &Place<'_>, attributes: &Attributes) -> bool {
        self.tell_outward(event, place, attributes);
        match &self.core.sink {
            Sink::Spool(engine) => engine.append(event, place, attributes).is_ok(),
            Sink::Memory(memory) => {
                memory.append(event.name(), place, attributes, self.core.clock.now());
                true
            }
            Sink::Nowhere => true,
        }
    }

    /// Writes the begin of an action; waits for its acknowledgement if asked to.
    pub(crate) fn begin(
        &self,
        event: Event,
        place: &Place<'_>,
        attributes: &Attributes,
        strict: Option<Duration>,
    ) -> Begun {
        match (&self.core.sink, strict) {
            (Sink::Spool(engine), Some(wait)) => {
                self.tell_outward(event, place, attributes);
                match engine.append_strict(event.name(), place, attributes, wait) {
                    Ok(receipt) => Begun::Waits(receipt),
                    Err(NoRoom::Closed) => Begun::Refused(RefusedWhy::Closed),
                    Err(_) => {
                        let folder = engine.spool.folder().display().to_string();
                        Begun::Refused(RefusedWhy::SpoolFull(folder))
                    }
                }
            }
            (Sink::Memory(memory), Some(_)) if memory.refuses() => {
                self.append(event, place, attributes);
                Begun::Refused(RefusedWhy::ByCollector("the test said so".to_owned()))
            }
            _ if self.append(event, place, attributes) => Begun::Kept,
            _ => Begun::Lost,
        }
    }

    #[cfg(feature = "otel")]
    fn tell_outward(&self, event: Event, place: &Place<'_>, attributes: &Attributes) {
        if let Some(outward) = &self.core.outward {
            outward.see(event, place, attributes);
        }
    }

    #[cfg(not(feature = "otel"))]
    fn tell_outward(&self, _: Event, _: &Place<'_>, _: &Attributes) {}

    pub(crate) fn now_ms(&self) -> u64 {
        match self.core.sink {
            Sink::Spool(_) => self.core.clock.quick().unix_ns / 1_000_000,
            Sink::Memory(_) | Sink::Nowhere => self.core.clock.now().unix_ns / 1_000_000,
        }
    }

    pub(crate) fn durability_of(&self, access: Access) -> Durability {
        self.core.durability.of(access)
    }

    pub(crate) fn strict_wait(&self) -> Duration {
        self.core.strict_wait
    }

    /// What the start of each session tells: the Resource has no list itself.
    pub(crate) fn removed_from_resource(&self) -> &[Redaction] {
        &self.core.removed
    }

    pub(crate) fn policy(&self) -> Option<&Arc<Policy>> {
        self.core.policy.as_ref()
    }

    pub(crate) fn inherited(&self) -> &Inherited {
        &self.core.inherited
    }

    /// What is left of a time that began at a reading of the clock.
    fn left_of(&self, at_most: Duration, began_mono_ns: u64) -> Duration {
        let now = self.core.clock.now().mono_ns;
        at_most.saturating_sub(Duration::from_nanos(now.saturating_sub(began_mono_ns)))
    }

    fn stop(&self) {
        if let Sink::Spool(engine) = &self.core.sink {
            engine.close();
            let _ = engine.spool.flush();
        }
    }

    fn shared(&self, id: Option<SessionId>) -> Arc<Shared> {
        let inherited = &self.core.inherited;
        let id = id.unwrap_or_else(|| SessionId::new(self.now_ms(), crate::random::bytes()));
        let trace_id = inherited.trace_id.unwrap_or_else(crate::random::bytes);
        let key = SessionKey::new(crate::random::bytes());
        Arc::new(Shared::new(id, inherited.request.clone(), trace_id, key))
    }
}

impl Core {
    fn new(agent: &str, sink: Sink, settings: &Settings, ids: Option<(ProducerId, RunId)>) -> Self {
        let clock = Arc::new(Clock::start());
        let (producer, run) = ids.unwrap_or_else(|| new_ids(&clock));
        Self {
            sink,
            clock,
            run,
            producer,
            agent: agent.to_owned(),
            durability: settings.durability,
            strict_wait: settings.strict_wait,
            inherited: settings.inherited.clone(),
            policy: None,
            #[cfg(feature = "otel")]
            outward: None,
            removed: Vec::new(),
            unattributed: OnceLock::new(),
            around: OnceLock::new(),
        }
    }
}

fn new_ids(clock: &Clock) -> (ProducerId, RunId) {
    let ms = clock.now().unix_ns / 1_000_000;
    (
        ProducerId::new(ms, crate::random::bytes()),
        RunId::new(ms, crate::random::bytes()),
    )
}
