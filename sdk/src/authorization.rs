//! Under which policy and permissions a session acts.

use vocabulary::attribute;

use crate::Attributes;

/// Under which policy and permissions a session acts, granted by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    pub(crate) id: String,
    policy: String,
    version: Option<String>,
    permissions: Vec<String>,
    granted_by: Option<String>,
}

impl Authorization {
    /// With an id that actions cite (a grant, a role, a token's id; never a
    /// credential) and the name of the policy.
    pub fn new(id: impl Into<String>, policy: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            policy: policy.into(),
            version: None,
            permissions: Vec::new(),
            granted_by: None,
        }
    }

    /// The version of the policy.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// What it permits, in the counterpart's words.
    #[must_use]
    pub fn permissions<S: Into<String>>(
        mut self,
        permissions: impl IntoIterator<Item = S>,
    ) -> Self {
        self.permissions = permissions.into_iter().map(Into::into).collect();
        self
    }

    /// Who granted it.
    #[must_use]
    pub fn granted_by(mut self, who: impl Into<String>) -> Self {
        self.granted_by = Some(who.into());
        self
    }

    pub(crate) fn write(&self, attributes: &mut Attributes) {
        attributes
            .text(attribute::AUTHORIZATION_ID, &self.id)
            .text(attribute::AUTHORIZATION_POLICY, &self.policy)
            .text_if(attribute::AUTHORIZATION_VERSION, self.version.as_deref())
            .texts(attribute::AUTHORIZATION_PERMISSIONS, &self.permissions)
            .text_if(
                attribute::AUTHORIZATION_GRANTED_BY,
                self.granted_by.as_deref(),
            );
    }
}
