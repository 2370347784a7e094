//! Who an export is from, as far as the collector knows; what the sender calls itself is a claim beside it.

use std::sync::Arc;

use ledger::envelope::{ProducerProof, RecordingMode};

use super::entry::Enrolment;

/// The producer of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    /// The enrolled name, or `unauthenticated:<door>`.
    pub(crate) name: Arc<str>,
    /// How the name is proven; `None` for a sender without a credential.
    proven: Option<ProducerProof>,
    /// The key that its enrolment names.
    pub(crate) key: Option<[u8; 32]>,
    recorder: bool,
    /// Whether it says that others wrote what it sends.
    imports: bool,
    /// Where producers must be enrolled, and a session is one producer's alone: the recorders, who may write into any.
    pub(crate) recorders: Option<Arc<[String]>>,
}

impl Sender {
    /// One that shows nothing.
    pub(crate) fn unauthenticated(door: &str) -> Self {
        Self {
            name: door.into(),
            proven: None,
            key: None,
            recorder: false,
            imports: false,
            recorders: None,
        }
    }

    pub(crate) fn enrolled(enrolment: &Enrolment, proof: ProducerProof) -> Self {
        Self {
            name: enrolment.name.as_str().into(),
            proven: Some(proof),
            key: enrolment.key,
            recorder: enrolment.recorder,
            imports: false,
            recorders: None,
        }
    }

    /// The same, as one who brings in what was written elsewhere: that makes a record less than its sender's own, so
    /// that anybody may say it. Without a credential it is kept apart from those who speak for themselves.
    pub(crate) fn importing(mut self) -> Self {
        self.imports = true;
        if !self.is_proven() {
            self.name = crate::intake::IMPORT.into();
        }
        self
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.proven.is_some()
    }

    /// How well the producer is known that calls itself so.
    pub(crate) fn proof(&self, claim: &str) -> ProducerProof {
        self.proven.unwrap_or(if claim.is_empty() {
            ProducerProof::None
        } else {
            ProducerProof::Asserted
        })
    }

    pub(crate) fn recording_mode(&self) -> RecordingMode {
        if self.imports {
            RecordingMode::Imported
        } else if self.recorder {
            RecordingMode::Independent
        } else {
            RecordingMode::SelfRecorded
        }
    }

    /// Whose word counts for its traces: its own where it is enrolled, else that of everybody (empty).
    pub(crate) fn circle(&self) -> Arc<str> {
        if self.is_proven() {
            Arc::clone(&self.name)
        } else {
            "".into()
        }
    }

    /// Whether its word counts for the traces of senders without a credential, too.
    pub(crate) fn is_heard_by_all(&self) -> bool {
        self.is_proven() && self.recorders.is_none()
    }
}
