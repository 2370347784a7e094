//! How the command ended, what is recorded of that, and how this program leaves.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use recount::capture::files::Changes;
use recount::{Action, Attributes, Content, Effect, End, EndReason, Outcome};
use vocabulary::attribute;
use vocabulary::content::Redaction;
use vocabulary::record::ContentState;

use super::child::leave_as;
use crate::app::words::count;
use crate::failure::{Exit, Failure};

/// The command is not there, as shells say it.
const NOT_FOUND: i32 = 127;
/// The command is there and cannot be run.
const NOT_RUNNABLE: i32 = 126;

/// How the command ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its status, or why there is none and the code to leave with.
    status: Result<ExitStatus, (i32, String, &'static str)>,
    /// Processes that outlive it.
    left: Vec<String>,
    outputs: Vec<(&'static str, Content)>,
    /// What a person should hear.
    said: Option<String>,
}

impl Ended {
    /// It could not be started.
    pub(super) fn not_started(command: &[OsString], error: &io::Error) -> Self {
        let name = command.first().map(|name| name.to_string_lossy());
        let said = format!("{}: {error}", name.unwrap_or_default());
        let code = match error.kind() {
            io::ErrorKind::NotFound => NOT_FOUND,
            io::ErrorKind::Interrupted => Exit::Interrupted as i32,
            _ => NOT_RUNNABLE,
        };
        Self {
            status: Err((code, said.clone(), "not started")),
            left: Vec::new(),
            outputs: Vec::new(),
            said: Some(said),
        }
    }

    /// It ran.
    pub(super) fn of(
        status: io::Result<ExitStatus>,
        left: Vec<String>,
        outputs: Vec<(&'static str, Content)>,
    ) -> Self {
        let said = (!left.is_empty()).then(|| {
            let some = left.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            format!(
                "{} the command and {} not recorded any more: {some}",
                count(left.len() as u64, "process outlives", "processes outlive"),
                if left.len() == 1 { "is" } else { "are" }
            )
        });
        Self {
            status: status.map_err(|error| (1, error.to_string(), "not known")),
            left,
            outputs,
            said,
        }
    }

    /// What a person should hear of it.
    pub(super) fn said(&self) -> Option<&str> {
        self.said.as_deref()
    }

    /// How the session ended.
    pub(super) fn session_end(&self) -> End {
        match &self.status {
            Ok(status) if status.success() => EndReason::Completed.into(),
            Ok(status) => End::from(EndReason::Failed).summary(status.to_string()),
            Err((_, why, _)) => End::from(EndReason::Failed).summary(why.clone()),
        }
    }

    /// Records it.
    pub(super) fn tell(&self, action: Action, changes: Changes, watches: bool) {
        let changed = changes.diffs.len();
        for diff in changes.diffs {
            action.diff(diff);
        }
        if let Some(output) = self.output() {
            action.output(output);
        }
        action.result(&self.result(changed, &changes.unseen, watches));
        let (outcome, effect) = match &self.status {
            Ok(status) => {
                if let Some(code) = status.code() {
                    let mut attributes = Attributes::new();
                    attributes.int(attribute::PROCESS_EXIT_CODE, i64::from(code));
                    action.attributes(&attributes);
                }
                if !status.success() {
                    let (class, native) = match (status.code(), status.signal()) {
                        (Some(code), _) => ("exit_code", code.to_string()),
                        (None, signal) => ("signal", signal.unwrap_or_default().to_string()),
                    };
                    action.error(class, Some(&native), &status.to_string());
                }
                let outcome = match status.success() {
                    true => Outcome::Success,
                    false => Outcome::Failure,
                };
                (outcome, Effect::Unknown)
            }
            Err((_, why, how)) => {
                action.error(how, None, why);
                (Outcome::NotExecuted, Effect::None)
            }
        };
        action.end(outcome, effect);
    }

    /// Ends this program as the command ended.
    pub(super) fn leave(self) -> Result<Exit, Failure> {
        let code = match self.status {
            Ok(status) => leave_as(status),
            Err((code, ..)) => code,
        };
        std::process::exit(code)
    }

    /// In a few words: the status, what changed, what nobody saw.
    fn result(&self, changed: usize, unseen: &[String], watches: bool) -> String {
        let mut parts = vec![match &self.status {
            Ok(status) => status.to_string(),
            Err((_, _, how)) => (*how).to_owned(),
        }];
        if watches {
            parts.push(count(changed as u64, "change", "changes"));
        }
        if !self.left.is_empty() {
            let left = count(
                self.left.len() as u64,
                "process outlives",
                "processes outlive",
            );
            parts.push(format!("{left} it: {}", self.left.join(", ")));
        }
        parts.extend(unseen.iter().map(|what| format!("not seen: {what}")));
        parts.join("; ")
    }

    /// What it wrote: one stream as it is, two as a JSON object of both.
    fn output(&self) -> Option<Content> {
        let told: Vec<&(&str, Content)> = self
            .outputs
            .iter()
            .filter(|(_, content)| content.state != ContentState::Absent)
            .collect();
        match told.as_slice() {
            [] if self.outputs.is_empty() => None,
            [] => Some(Content::absent()),
            [(_, content)] => Some(content.clone()),
            both if both.iter().all(|(_, content)| content.bytes().is_none()) => {
                let why = both.iter().map(|(name, content)| {
                    format!("{name}: {}", content.why.as_deref().unwrap_or("not read"))
                });
                Some(Content::not_captured(
                    None,
                    &why.collect::<Vec<_>>().join("; "),
                ))
            }
            both => Some(as_object(both)),
        }
    }
}

/// Several streams with what is known of each.
fn as_object(streams: &[&(&str, Content)]) -> Content {
    let members: Vec<String> = streams
        .iter()
        .filter_map(|(name, content)| {
            Some(format!(
                r#""{name}":{}"#,
                serde_json::to_string(content).ok()?
            ))
        })
        .collect();
    let json = format!("{{{}}}", members.join(","));
    let mut content = Content::from_bytes(json.as_bytes(), "application/json");
    content.redactions = streams
        .iter()
        .flat_map(|(name, content)| {
            content.redactions.iter().map(move |one| Redaction {
                path: format!("/{name}{}", one.path),
                ..one.clone()
            })
        })
        .collect();
    content
}
