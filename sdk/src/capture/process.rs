//! Processes: what was started with which arguments, what it wrote, how it ended.
//!
//! What the process itself touches is not seen; its effect is `unknown`, and the account says so.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write as _},
    path::PathBuf,
    process::{ExitStatus, Output, Stdio},
};

use vocabulary::{
    action::{Access, Durability, Effect, Kind, Outcome},
    attribute,
    content::{Content, Inline},
    redaction,
};

use super::{
    Error, files,
    step::{self, End, Fault, Plan},
};
use crate::{Action, ActionBuilder, Attributes, Handle, Refused};

/// A failed run: refused by the recorder before it began, or not startable.
pub type CommandError = Error<io::Error>;

/// A process to be run as an action; see [`Handle::command`].
#[derive(Debug, Clone)]
pub struct Command {
    session: Handle,
    program: OsString,
    args: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    input: Option<Vec<u8>>,
    durability: Option<Durability>,
}

impl Handle {
    /// A process that is going to be run in this session.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.can_see("process:content");
        Command {
            session: self.clone(),
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            variables: Vec::new(),
            folder: None,
            input: None,
            durability: None,
        }
    }
}

impl Command {
    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable; only variables set here win over the recorder's `TRACEPARENT`, `BAGGAGE` and
    /// `RECOUNT_SESSION`. Values are not recorded.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs it in another folder.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Gives it this on its standard input; without, it gets none.
    #[must_use]
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// What its begin must reach before it runs, where that is not what running a process asks for.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Begins the action, and gives the command for the caller to run: told who runs it, its streams the caller's own.
    /// The caller ends the action, with what it saw of the process.
    ///
    /// # Errors
    /// If the recorder refuses: it must not be run.
    pub fn begin_blocking(self) -> Result<(Action, std::process::Command), Refused> {
        let mut plan = self.plan();
        if self.input.is_none() {
            plan.input = Content::not_captured(None, "standard input passes through");
        }
        let begun = self.builder(plan).begin_blocking()?;
        let mut command = self.told(&begun);
        if self.input.is_some() {
            command.stdin(Stdio::piped());
        }
        Ok((begun, command))
    }

    /// Runs it to its end and gives all it wrote; 256 KiB of that are recorded. Dropping the future leaves the process
    /// running and the action `cancelled`.
    ///
    /// # Errors
    /// If the recorder refuses, or the process cannot be started. An exit code other than 0 is no error here, and a
    /// failure in the record.
    #[cfg(feature = "tokio")]
    pub async fn output(self) -> Result<Output, CommandError> {
        let begun = self
            .builder(self.plan())
            .begin()
            .await
            .map_err(Error::Refused)?;
        let mut command = tokio::process::Command::from(self.built(&begun));
        let result = async {
            let mut child = command.spawn()?;
            let stdin = child.stdin.take();
            let feed = async {
                if let (Some(mut stdin), Some(input)) = (stdin, &self.input) {
                    use tokio::io::AsyncWriteExt as _;
                    ignore_closed(stdin.write_all(input).await)?;
                    ignore_closed(stdin.shutdown().await)?;
                }
                Ok(())
            };
            let (fed, output): (io::Result<()>, _) = tokio::join!(feed, child.wait_with_output());
            fed.and(output)
        };
        ended(begun, result.await)
    }

    /// The blocking twin of `Command::output`.
    ///
    /// # Errors
    /// As its twin.
    pub fn output_blocking(self) -> Result<Output, CommandError> {
        let begun = self
            .builder(self.plan())
            .begin_blocking()
            .map_err(Error::Refused)?;
        let mut command = self.built(&begun);
        let mut run = || {
            let mut child = command.spawn()?;
            let stdin = child.stdin.take();
            std::thread::scope(|scope| {
                // A child that writes before it has read all would otherwise wait for us, and we for it.
                let feed = scope.spawn(|| match (stdin, &self.input) {
                    (Some(mut stdin), Some(input)) => ignore_closed(stdin.write_all(input)),
                    _ => Ok(()),
                });
                let output = child.wait_with_output();
                feed.join().unwrap_or(Ok(())).and(output)
            })
        };
        ended(begun, run())
    }

    /// What is about to run.
    fn plan(&self) -> Plan {
        let program = self.program.to_string_lossy();
        let name = program
            .rsplit(['/', '\\'])
            .next()
            .unwrap_or(&program)
            .to_owned();
        let argv: Vec<String> = std::iter::once(&self.program)
            .chain(&self.args)
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect();
        let (argv, removed) = redaction::replace_args(&argv);
        let mut attributes = Attributes::new();
        attributes
            .text(attribute::PROCESS_EXECUTABLE, &name)
            .texts(attribute::PROCESS_ARGS, &argv);
        for one in removed {
            let path = format!("{}{}", attribute::PROCESS_ARGS, one.path);
            attributes.removed(&path, [one]);
        }
        let input = match &self.input {
            Some(bytes) => Content::redacted(bytes, media_type(bytes)),
            None => Content::absent(),
        };
        Plan {
            kind: Kind::Process,
            access: Access::Execute,
            target: format!("process:{name}"),
            operation: "run".to_owned(),
            name,
            input,
            attributes,
        }
    }

    fn builder(&self, plan: Plan) -> ActionBuilder {
        let builder = plan.in_session(&self.session);
        match self.durability {
            Some(durability) => builder.durability(durability),
            None => builder,
        }
    }

    /// The command of the standard library, told who runs it.
    fn told(&self, begun: &Action) -> std::process::Command {
        let identity = step::identity(begun);
        let mut command = std::process::Command::new(&self.program);
        command
            .args(&self.args)
            .env("TRACEPARENT", identity.traceparent())
            .env("BAGGAGE", identity.baggage())
            .env("RECOUNT_SESSION", &identity.session)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// As [`Command::told`], with streams of ours.
    fn built(&self, begun: &Action) -> std::process::Command {
        let mut command = self.told(begun);
        command
            .stdin(if self.input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// A process may end without reading all its input: no error of ours.
fn ignore_closed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Ends the action as the process ended.
fn ended(begun: Action, result: io::Result<Output>) -> Result<Output, CommandError> {
    let mut attributes = Attributes::new();
    let end = match &result {
        Ok(done) => {
            if let Some(code) = done.status.code() {
                attributes.int(attribute::PROCESS_EXIT_CODE, i64::from(code));
            }
            let failed = !done.status.success();
            End {
                outcome: if failed {
                    Outcome::Failure
                } else {
                    Outcome::Success
                },
                effect: Effect::Unknown,
                result: done.status.to_string(),
                output: Some(written(done)),
                fault: failed.then(|| status_fault(done.status, &done.stderr)),
                attributes,
            }
        }
        Err(error) => End {
            outcome: Outcome::Failure,
            effect: Effect::None,
            result: "not started".to_owned(),
            output: None,
            fault: Some(files::fault(error)),
            attributes,
        },
    };
    step::end(begun, end);
    result.map_err(Error::Own)
}

/// What it wrote: its standard output as it is, or both outputs as JSON where it wrote errors too.
fn written(done: &Output) -> Content {
    if done.stderr.is_empty() {
        return if done.stdout.is_empty() {
            Content::absent()
        } else {
            Content::redacted(&done.stdout, media_type(&done.stdout))
        };
    }
    let side = |bytes: &[u8]| {
        serde_json::to_string(&Inline::new(bytes)).unwrap_or_else(|_| "null".to_owned())
    };
    let json = format!(
        r#"{{"stdout":{},"stderr":{}}}"#,
        side(&done.stdout),
        side(&done.stderr)
    );
    Content::redacted(json.as_bytes(), "application/json")
}

fn status_fault(status: ExitStatus, stderr: &[u8]) -> Fault {
    /// Enough for the last lines, in bytes.
    const TAIL: usize = 500;
    let tail = stderr
        .get(stderr.len().saturating_sub(TAIL)..)
        .unwrap_or(stderr);
    let tail = String::from_utf8_lossy(tail).trim().to_owned();
    Fault {
        class: if status.code().is_some() {
            "exit_code"
        } else {
            "signal"
        }
        .to_owned(),
        native: Some(
            status
                .code()
                .map_or_else(|| status.to_string(), |code| code.to_string()),
        ),
        message: if tail.is_empty() {
            status.to_string()
        } else {
            tail
        },
    }
}

fn media_type(bytes: &[u8]) -> &'static str {
    if std::str::from_utf8(bytes).is_ok() {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}

#[cfg(all(test, unix))]
mod tests;
