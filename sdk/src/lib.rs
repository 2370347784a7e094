//! Record what an AI agent does, why, and on whose authority, while it happens.
//!
//! ```
//! use std::time::Duration;
//! use recount::{Principal, Recorder};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let recorder = Recorder::builder("renewal-agent").collector("http://127.0.0.1:9").spool(folder.path()).build()?;
//! # async fn write_draft() -> Result<String, std::io::Error> { Ok("Dear Acme, …".to_owned()) }
//! # mod elsewhere { pub fn from_env() -> Result<recount::Recorder, recount::SetupError> {
//! let recorder = Recorder::from_env("renewal-agent")?;       // no collector: spools, never fails for that
//! # Ok(recorder) } use recount::Recorder; }
//! let session = recorder.session("47892").intent("draft a renewal email for Acme")
//!     .asked_by(Principal::user("https://idp.example.test", "u-104"))
//!     .scope(["read tool:draft", "write file:pending-review/**"]).start().await;
//! let draft = session.tool("draft").reads().begin().await?.run(write_draft()).await;
//! session.end(&draft).await;
//! draft?;                                                    // the error is still your own
//! recorder.close(Duration::from_secs(2)).await;              // says what is still unsent
//! # Ok(()) }
//! ```
//!
//! # What to know
//!
//! - **[`begin`](ActionBuilder::begin) is the only call that can fail.** An
//!   action that writes, deletes, executes or sends begins only once a
//!   collector has sealed its begin; else it is [`Refused`] and must not run.
//!   One that reads begins at once. Both can be set.
//! - **Nothing is dropped silently.** Records wait in a spool (a mapped file)
//!   until a collector acknowledges them. They survive the process, also a
//!   SIGKILL; with `spool_sync` the host too. What cannot be kept is counted,
//!   and the count is itself a record.
//! - **Context travels with the future**, not with the task: see [`ambient`].
//! - **Credentials are removed before anything is written**, from content and
//!   from text that is added with [`Attributes::text`]; a
//!   [policy](redaction::Policy) removes more, from everything.
//! - **No runtime is needed.** Each async call has a blocking twin; the spool
//!   and the connection have threads of their own.

pub mod ambient;
pub mod capture;
pub mod redaction;
pub mod testing;

mod action;
mod action_builder;
mod attributes;
mod authorization;
mod decision;
mod diff;
mod end;
/// What must hold for any bytes from outside: the bodies of the fuzz targets in `tests/fuzz`.
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod handoff;
mod principal;
mod recorder;
mod session;
mod session_builder;

mod clock;
mod deliver;
mod encode;
mod engine;
mod error;
mod item;
mod random;
mod seen;
mod settings;
mod ship;
mod sign;
#[cfg(feature = "otel")]
mod spans;
mod spool;
mod wait;

pub use action::{Action, ActionHandle, Run};
pub use action_builder::ActionBuilder;
pub use ambient::{Ambient, InContext, Within};
pub use attributes::Attributes;
pub use authorization::Authorization;
pub use decision::{Decision, DecisionBuilder};
pub use diff::Diff;
pub use encode::Value;
pub use end::End;
pub use engine::Receipt;
pub use error::{Refused, RefusedWhy, SetupError};
pub use handoff::{Handoff, MalformedHandoff};
pub use principal::Principal;
pub use recorder::{Recorder, RecorderBuilder, Unsent};
pub use session::{Handle, Observed, Session, span_id};
pub use session_builder::SessionBuilder;
pub use settings::DurabilityRule;

pub use vocabulary::action::{Access, Durability, Effect, Kind, Outcome};
pub use vocabulary::content::Content;
pub use vocabulary::session::{EndReason, TriggerKind};
pub use vocabulary::{self, Event};
