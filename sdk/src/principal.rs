//! Who set a session going.

use vocabulary::attribute;
use vocabulary::principal::{PrincipalKind, PrincipalProof};

use crate::Attributes;

/// Who set a session going, and how well the agent says that is proven. The
/// collector decides what it believes of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    kind: PrincipalKind,
    issuer: Option<String>,
    subject: String,
    display: Option<String>,
    proof: PrincipalProof,
}

impl Principal {
    /// A person, by the issuer of their identity (a URL) and their subject there.
    pub fn user(issuer: impl Into<String>, subject: impl Into<String>) -> Self {
        Self {
            issuer: Some(issuer.into()),
            ..Self::of(PrincipalKind::Person, subject.into())
        }
    }

    /// A schedule, by its name (a crontab line, a timer unit).
    pub fn schedule(name: impl Into<String>) -> Self {
        Self::of(PrincipalKind::Schedule, name.into())
    }

    /// Another system, by its name.
    pub fn system(name: impl Into<String>) -> Self {
        Self::of(PrincipalKind::System, name.into())
    }

    /// Another agent, by its name.
    pub fn agent(name: impl Into<String>) -> Self {
        Self::of(PrincipalKind::Agent, name.into())
    }

    /// Sets the name to show.
    #[must_use]
    pub fn display(mut self, name: impl Into<String>) -> Self {
        self.display = Some(name.into());
        self
    }

    /// Says how well the agent knows it; without this it is only asserted.
    #[must_use]
    pub fn proof(mut self, proof: PrincipalProof) -> Self {
        self.proof = proof;
        self
    }

    fn of(kind: PrincipalKind, subject: String) -> Self {
        Self {
            kind,
            issuer: None,
            subject,
            display: None,
            proof: PrincipalProof::Asserted,
        }
    }

    pub(crate) fn write(&self, attributes: &mut Attributes) {
        attributes
            .str(attribute::PRINCIPAL_KIND, self.kind.as_str())
            .text_if(attribute::PRINCIPAL_ISSUER, self.issuer.as_deref())
            .text(attribute::PRINCIPAL_SUBJECT, &self.subject)
            .text_if(attribute::PRINCIPAL_DISPLAY, self.display.as_deref())
            .str(attribute::PRINCIPAL_PROOF, self.proof.as_str());
    }

    /// One text, for lists such as on whose behalf.
    pub(crate) fn line(&self) -> String {
        match &self.issuer {
            Some(issuer) => format!("{issuer}#{}", self.subject),
            None => format!("{}:{}", self.kind, self.subject),
        }
    }
}
