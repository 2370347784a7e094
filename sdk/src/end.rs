//! How a session ended.

use std::fmt;

use vocabulary::session::EndReason;

/// How a session ended. Made from a [`EndReason`], or from the `Result` of the
/// work: an error is `failed`, with its message as the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub(crate) reason: EndReason,
    pub(crate) summary: Option<String>,
}

impl End {
    /// With a summary of what was achieved, in the agent's words.
    #[must_use]
    pub fn summary(mut self, text: impl Into<String>) -> Self {
        self.summary = Some(text.into());
        self
    }
}

impl From<EndReason> for End {
    fn from(reason: EndReason) -> Self {
        Self {
            reason,
            summary: None,
        }
    }
}

impl<T, E: fmt::Display> From<&Result<T, E>> for End {
    fn from(result: &Result<T, E>) -> Self {
        match result {
            Ok(_) => EndReason::Completed.into(),
            Err(error) => Self::from(EndReason::Failed).summary(error.to_string()),
        }
    }
}
