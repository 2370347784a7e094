//! `recount mcp`: what a client asks of an MCP server and what it answers, without changing a byte between them.
//!
//! Whose call it is: the session that the client names in `_meta` (`baggage`, `traceparent`), else the one that this
//! process was started in (`RECOUNT_SESSION`), else one of its own, which begins with the server and ends with it. Over
//! HTTP, headers say it as for every relay.

mod files;
mod line;
mod listen;
mod stdio;
mod told;
mod watcher;

use std::sync::Arc;

use recount::{Action, Content, EndReason, Handle, Session, TriggerKind};
use vocabulary::id::RequestId;

use self::files::Roots;
use self::told::Inherited;
use self::watcher::Watcher;
use super::declared::Declared;
use super::run::child::{Child, Signals, leave_as};
use super::sender::{self, PATIENCE, Sender};
use crate::args::{Mcp, OnLoss, Relaying};
use crate::command::Context;
use crate::failure::{Exit, Failure};

/// The session that calls belong to which name none.
enum Base {
    /// Opened by whoever started this process.
    Joined(Handle),
    Own(Session),
}

impl Base {
    fn handle(&self) -> Handle {
        match self {
            Self::Joined(handle) => handle.clone(),
            Self::Own(session) => session.handle(),
        }
    }
}

/// Carries messages, over pipes to a server that it starts, or over HTTP to one that runs.
pub(crate) fn run(context: &Context, args: &Mcp) -> Result<Exit, Failure> {
    match (&args.listen, &args.upstream) {
        (Some(listen), Some(upstream)) => {
            let relaying = Relaying {
                listen: listen.clone(),
                upstream: upstream.clone(),
                request: args.request.clone(),
                agent: args.agent.clone(),
                idle: args.idle,
                on_collector_loss: args.on_collector_loss,
                scope: args.scope.clone(),
                intent: args.intent.clone(),
                content: args.content,
                sending: args.sending.clone(),
            };
            listen::run(context, args, &relaying)
        }
        _ => start(context, args),
    }
}

/// Starts the server, and carries its messages; leaves the program as the server ended.
fn start(context: &Context, args: &Mcp) -> Result<Exit, Failure> {
    let sender = match args.on_collector_loss {
        OnLoss::Refuse => {
            sender::reachable(&args.sending.endpoint).map_err(super::run::not_started)?;
            Sender::open(context, "mcp", &args.sending.endpoint)?
        }
        OnLoss::Pass => Sender::open_spooling(context, "mcp", &args.sending.endpoint)?,
    };
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| told::server_name(&args.server));
    let base = base(context, args, &sender)?;
    let session = base.handle();
    let roots = Roots::of(&args.root, sender.recorder.spool_folder())?;
    // The thread that reads the client may wait for ever, and outlives everything but the process.
    let watcher: &'static Watcher =
        Box::leak(Box::new(Watcher::new(session.mcp(&name), Arc::new(roots))));
    let signals = Signals::catch().map_err(super::run::cannot_watch)?;
    let (action, command) = match server(args, &session) {
        Ok(begun) => begun,
        Err(refused) => {
            let what = "the collector did not take the begin";
            let failure = sender.not_taken(what, &refused.why);
            return Err(super::run::not_started(failure));
        }
    };
    let (status, counts) = match stdio::carry(command, signals, watcher) {
        Ok(ended) => ended,
        Err(error) => {
            action.end_failure("not started", None, &error.to_string());
            finish(context, &sender, base);
            context.note(&format!("{name}: {error}"));
            std::process::exit(match error.kind() {
                std::io::ErrorKind::NotFound => 127,
                _ => 126,
            });
        }
    };
    watcher.close("the server ended");
    end_server(action, status, &format!("{status}; {counts}"));
    finish(context, &sender, base);
    std::process::exit(leave_as(status))
}

fn base(context: &Context, args: &Mcp, sender: &Sender) -> Result<Base, Failure> {
    let declared = Declared::read("mcp", &args.scope, args.intent.as_deref())?;
    let inherited = Inherited::read(|name| context.environment.text(name));
    let own = args.request.is_some() || !declared.is_empty();
    if let (Some(session), false) = (&inherited.session, own) {
        let request = inherited.request.as_ref();
        let joined = sender.recorder.join(session, request, inherited.trace);
        if let Some(keep) = args.content {
            joined.keep(keep.into());
        }
        return Ok(Base::Joined(joined));
    }
    let request = args
        .request
        .as_deref()
        .or(inherited.request.as_ref().map(RequestId::as_str));
    let mut builder = match request {
        Some(request) => sender.recorder.session(request),
        None => sender.recorder.session_without_request(),
    }
    .trigger(TriggerKind::Api, "recount mcp")
    .asked_by(sender::asker(context));
    if let Some(keep) = args.content {
        builder = builder.content_policy(keep.into());
    }
    // Who has the server run, has declared that.
    let program = args.server.first().map(|program| program.to_string_lossy());
    builder = declared.tell(builder, program.as_deref());
    builder = builder.agent(args.agent.as_deref().unwrap_or("mcp-client"), "unknown");
    Ok(Base::Own(builder.start_blocking()))
}

/// The server as an action that has begun, and the command that is to run it.
fn server(
    args: &Mcp,
    session: &Handle,
) -> Result<(Action, std::process::Command), recount::Refused> {
    let mut given = args.server.iter();
    let (action, mut command) = session
        .command(given.next().cloned().unwrap_or_default())
        .args(given)
        .begin_blocking()?;
    for name in super::run::CREDENTIALS {
        command.env_remove(name);
    }
    Ok((action, command))
}

fn end_server(action: Action, status: std::process::ExitStatus, result: &str) {
    action.result(result);
    let why = "its messages are actions of their own; its standard error passes through";
    action.output(Content::not_captured(None, why));
    if status.success() {
        action.end(recount::Outcome::Success, recount::Effect::Unknown);
    } else {
        action.error("server ended", None, &status.to_string());
        action.end(recount::Outcome::Failure, recount::Effect::Unknown);
    }
}

/// Nobody here knows whether the work was done: an own session ends as `unknown`.
fn finish(context: &Context, sender: &Sender, base: Base) {
    if let Base::Own(session) = base {
        session.end_blocking(EndReason::Unknown);
    }
    let unsent = sender.recorder.close_blocking(PATIENCE);
    if !unsent.is_none() {
        let waiting = crate::app::words::count(unsent.0, "record", "records");
        context.note(&format!("{waiting} wait in the spool"));
    }
}
