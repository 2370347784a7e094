//! What a session was declared to touch and to do, by the flags of the command that opens it.

use recount::redaction::ContentPolicy;
use recount::{Content, SessionBuilder};
use vocabulary::scope::ScopeEntry;

use crate::args::Keep;
use crate::failure::Failure;

/// `--scope` and `--intent` of a recording command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Declared {
    /// The command's name: `mcp`.
    command: &'static str,
    scope: Vec<String>,
    intent: Option<String>,
}

impl Declared {
    /// Checks that each entry is one.
    pub(crate) fn read(
        command: &'static str,
        scope: &[String],
        intent: Option<&str>,
    ) -> Result<Self, Failure> {
        for text in scope {
            text.parse::<ScopeEntry>().map_err(|error| Failure::Usage {
                what: format!("--scope: {error}"),
                hint: "write it like 'execute mcp:files/write_file' or 'write file:out/**'"
                    .to_owned(),
            })?;
        }
        Ok(Self {
            command,
            scope: scope.to_vec(),
            intent: intent.map(str::to_owned),
        })
    }

    /// Whether nothing was declared.
    pub(crate) fn is_empty(&self) -> bool {
        self.scope.is_empty() && self.intent.is_none()
    }

    /// Says it at the start of a session; `program` is what the command itself executes.
    pub(crate) fn tell(
        &self,
        mut builder: SessionBuilder,
        program: Option<&str>,
    ) -> SessionBuilder {
        if let Some(intent) = &self.intent {
            let words = Content::redacted(intent.as_bytes(), "text/plain; charset=utf-8");
            builder = builder.intent(words);
        }
        if self.scope.is_empty() {
            return builder;
        }
        let own = program.map(|program| {
            let name = program.rsplit('/').next().unwrap_or(program);
            let literal = name.replace('\\', r"\\").replace('*', r"\*");
            format!("execute process:{literal}")
        });
        builder
            .scope(self.scope.iter().cloned().chain(own))
            .scope_declared_by(format!("recount {} --scope", self.command))
    }
}

impl From<Keep> for ContentPolicy {
    fn from(keep: Keep) -> Self {
        match keep {
            Keep::Full => Self::Full,
            Keep::Redacted => Self::Redacted,
            Keep::Digest => Self::Digest,
        }
    }
}
