//! Rows about the request, its sessions, what was asked and under whose authority.

use super::{Evidence, List, QueryKind, Standing};
use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;
use vocabulary::action::Access;
use vocabulary::decision::{ContextKind, Trust};
use vocabulary::id::{RecordRef, SessionRef, StreamRef};
use vocabulary::principal::{PrincipalKind, PrincipalProof, WhoRole};
use vocabulary::record::{CheckedBy, ProducerProof, RecordingMode, SenderKind};
use vocabulary::session::{EndReason, OutcomeStatus, SessionSource, TriggerKind};
use vocabulary::verdict::ScopeVerdict;

/// What was asked for and how it resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// The query as typed.
    pub text: String,
    /// What kind of name it turned out to be.
    pub kind: QueryKind,
    /// The whole names it stands for.
    pub matched: Vec<String>,
    /// Who verified what follows.
    pub checked_by: CheckedBy,
}

/// What the outside calls it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its id; the session's where none was named.
    pub id: String,
    /// Other names of the same request.
    pub aliases: Vec<String>,
    /// Where the id comes from, e.g. `recount.request.id` or `session`.
    pub origin: String,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// One run of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its name in this account, e.g. `s1`.
    #[serde(rename = "ref")]
    pub name: SessionRef,
    /// Its id, as recorded.
    pub id: String,
    /// Origin of the ledger that holds it.
    pub ledger: String,
    /// The streams it is made of.
    pub streams: Vec<Stream>,
    /// The session that started it, by its name in this account.
    pub parent: Option<SessionRef>,
    /// What ran.
    pub agent: Agent,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended; `null` while it has not.
    pub ended_at: Option<Timestamp>,
    /// Why it ended; `unknown` while it has not.
    pub end_reason: EndReason,
    /// Records read and verified.
    #[serde(with = "super::wide")]
    pub records: u64,
    /// Who recorded it; the collector's judgement.
    pub recording_mode: RecordingMode,
    /// By which rule its records were found to belong to it.
    pub session_source: SessionSource,
    /// What its records show of who sent them.
    #[serde(default = "unsaid")]
    pub sender: SenderKind,
    /// Records that carry a number of their run: without one, a record that is missing does not show.
    #[serde(default, with = "super::wide")]
    pub numbered: u64,
    /// Records that an agent's signature covers.
    #[serde(default, with = "super::wide")]
    pub signed: u64,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// What an account of an earlier release says of a sender.
fn unsaid() -> SenderKind {
    SenderKind::Unknown
}

impl Session {
    /// What is known of its sender, in words.
    #[must_use]
    pub fn sent_by(&self) -> String {
        let (signed, numbered, of) = (self.signed, self.numbered, self.records);
        if self.recording_mode == RecordingMode::Imported {
            return "imported: written elsewhere, and sealed afterwards".to_owned();
        }
        match self.sender {
            SenderKind::Signed => format!("signed by its agent, {signed} of {of} records"),
            SenderKind::Unsigned => "numbered and unsigned".to_owned(),
            SenderKind::Mixed => {
                format!("in part plain OTLP: {numbered} of {of} records numbered, {signed} signed")
            }
            SenderKind::PlainOtlp => "plain OTLP: unsigned, no gap detection".to_owned(),
            SenderKind::Unknown => "sender unknown: no record can be read".to_owned(),
        }
    }
}

/// What one producer sent for a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// Its name in this account, e.g. `s1a`.
    #[serde(rename = "ref")]
    pub name: StreamRef,
    /// The id of its log, hex.
    pub log: String,
    /// The sender, as the collector knows it.
    pub producer: String,
    /// How the sender proved who it is.
    pub producer_proof: ProducerProof,
    /// Whom the sender claims to be; `null` when it claims nothing.
    pub claim: Option<String>,
    /// Its standing in the session.
    pub standing: Standing,
    /// Records read and verified.
    #[serde(with = "super::wide")]
    pub records: u64,
}

/// What ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// `gen_ai.agent.id`.
    pub id: Option<String>,
    /// `gen_ai.agent.name`, else `service.name`.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The running instance.
    pub instance: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The machine.
    pub host: Option<String>,
    /// The container.
    pub container: Option<String>,
}

/// What was asked of one session, and by whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The session, by its name in this account.
    pub session: SessionRef,
    /// What was asked, in the asker's words.
    pub intent: super::Content,
    /// What set the session going.
    pub trigger: Trigger,
    /// Who set it going.
    pub principal: Principal,
    /// For whom the principal acted.
    pub on_behalf_of: Vec<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// What set a session going.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// What kind of thing.
    pub kind: TriggerKind,
    /// Which one, e.g. a channel or a schedule's name.
    pub origin: Option<String>,
}

/// Who set a session going.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// What sort of principal.
    pub kind: PrincipalKind,
    /// The identity provider.
    pub issuer: Option<String>,
    /// The provider's name for it.
    pub subject: Option<String>,
    /// A name for people.
    pub display: Option<String>,
    /// How well it is proven; the collector's judgement.
    pub proof: PrincipalProof,
}

/// What a session was declared to touch, over one period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// The session, by its name in this account.
    pub session: SessionRef,
    /// The declaration's version.
    pub version: Option<String>,
    /// `ACCESS KIND:PATTERN`, as declared.
    pub entries: Vec<String>,
    /// Who declared it.
    pub declared_by: Option<String>,
    /// From when it was in force.
    pub from: Option<Timestamp>,
    /// Until when; `null` at the end.
    pub to: Option<Timestamp>,
    /// Whether what was done kept within it.
    pub verdict: ScopeVerdict,
    /// What was done beyond it.
    pub outside: Vec<Outside>,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// One access or effect beyond the scope in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outside {
    /// The action, by id.
    pub action: Option<String>,
    /// The diff, by id, when the state shows it.
    pub diff: Option<String>,
    /// How it was touched.
    pub access: Option<Access>,
    /// What was touched, `KIND:RESOURCE`.
    pub resource: String,
    /// The record that shows it.
    pub refs: Vec<RecordRef>,
}

/// Under which policy and permissions a session acted, over one period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Authorization {
    /// Its id, when the agent gave one.
    pub id: Option<String>,
    /// The session, by its name in this account.
    pub session: SessionRef,
    /// The policy's name.
    pub policy: Option<String>,
    /// The policy's version.
    pub version: Option<String>,
    /// What was permitted.
    pub permissions: Vec<String>,
    /// Who granted it.
    pub granted_by: Option<String>,
    /// From when it was in force.
    pub from: Option<Timestamp>,
    /// Until when; `null` at the end.
    pub to: Option<Timestamp>,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// Something that was loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// The session, by its name in this account.
    pub session: SessionRef,
    /// What kind of thing.
    pub kind: ContextKind,
    /// Its name.
    pub name: Option<String>,
    /// Its digest, `sha256:…` or `hmac-sha256:…`.
    pub digest: Option<String>,
    /// Its size in bytes.
    #[serde(with = "super::wide::option")]
    pub size: Option<u64>,
    /// Whether it could tell the agent what to do.
    pub trust: Option<Trust>,
    /// When.
    pub at: Option<Timestamp>,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// Somebody responsible, in one role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Who {
    /// In what role.
    pub role: WhoRole,
    /// The session, by its name in this account.
    pub session: SessionRef,
    /// Who; `null` when nobody is named.
    pub identity: Option<String>,
    /// Since when.
    pub at: Option<Timestamp>,
    /// How well it is known, in words.
    pub proof: String,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// How the request ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The worst of its sessions' ends that counts.
    pub status: OutcomeStatus,
    /// One line, computed from the counts.
    pub summary: String,
    /// The counts.
    pub counts: super::Counts,
    /// What exists now that did not before.
    pub produced: List<Produced>,
    /// How each session ended.
    pub sessions: Vec<SessionOutcome>,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// Something that exists now and did not before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Produced {
    /// What, `KIND:RESOURCE`.
    pub resource: String,
    /// The diff that shows it, by id.
    pub diff: String,
    /// The record that shows it.
    pub refs: Vec<RecordRef>,
}

/// How one session ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionOutcome {
    /// The session, by its name in this account.
    pub session: SessionRef,
    /// How it ended.
    pub status: OutcomeStatus,
    /// The agent's own words about it; stated.
    pub summary: Option<String>,
}

impl Summary {
    /// The same summary with no list longer than `limit`.
    pub(super) fn paged(&self, limit: usize) -> Self {
        Self {
            produced: self.produced.cut(limit),
            ..self.clone()
        }
    }
}
