//! `recount run`: any command as a session, with the files of its scope before and after, and what it wrote.
//!
//! The command keeps its terminal, process group, signals, standard input and exit code; only pipes that it writes to
//! are read on the way. What cannot be seen is said: what it does outside the watched folders, what it shows on a
//! terminal, and what outlives it.

pub(in crate::record) mod child;
mod ended;
mod environment;
mod output;
mod survivors;
pub(in crate::record) mod watched;

use std::time::Duration;

use recount::capture::files::Snapshot;
use recount::capture::process::Command as Process;
use recount::{Action, Content, Durability, EndReason, Principal, Refused, Session, TriggerKind};

use self::child::{Child, Signals};
use self::ended::Ended;
pub(in crate::record) use self::environment::CREDENTIALS;
use self::output::Outputs;
use self::watched::Watched;
use super::sender::{self, PATIENCE, Sender};
use crate::args::{OnLoss, Run};
use crate::command::Context;
use crate::failure::{Exit, Failure};

/// Records the command; leaves the program as the command ended.
pub(crate) fn run(context: &Context, args: &Run) -> Result<Exit, Failure> {
    let passes = args.on_collector_loss == OnLoss::Pass;
    let reached = sender::reachable(&args.sending.endpoint);
    let strict = match reached {
        Err(failure) if !passes => return Err(not_started(failure)),
        reached => reached.is_ok(),
    };
    let folder = std::env::current_dir().map_err(|error| Failure::Usage {
        what: format!("the working folder: {error}"),
        hint: "change to a folder that is there".to_owned(),
    })?;
    let name = program_name(args);
    let watched = Watched::of(args, &folder)?;
    let agent = args.agent.as_deref().unwrap_or(&name);
    let sender = Sender::open(context, agent, &args.sending.endpoint)?;
    let session = start(context, args, &sender, &name);
    // From here on a signal must not end us before its record is made.
    let signals = Signals::catch().map_err(cannot_watch)?;
    let begun = match begin(context, args, &session, strict) {
        Ok(begun) => begun,
        Err(refused) => return Err(refused_by(&sender, session, &refused)),
    };
    let ended = follow(context, args, &sender, &session, begun, &watched, signals);
    // Where nobody took the beginning, nobody is waited for.
    let patience = if strict {
        PATIENCE
    } else {
        Duration::from_millis(200)
    };
    let how = ended.session_end();
    if session.end_sealed_blocking(how, patience).is_err() {
        context.note(&format!(
            "the end is not sealed yet: {} wait in the spool",
            crate::app::words::count(sender.recorder.unsent().0, "record", "records")
        ));
    }
    sender.recorder.close_blocking(patience);
    ended.leave()
}

/// Runs the command as the action that was begun for it, and ends the action.
fn follow(
    context: &Context,
    args: &Run,
    sender: &Sender,
    session: &Session,
    (action, mut command): (Action, std::process::Command),
    watched: &Watched,
    signals: Signals,
) -> Ended {
    let untold = environment::tell(&mut command, context, sender.endpoint(), session, &action);
    if let Some(untold) = untold {
        context.note(&untold);
    }
    let before = watched.snapshot(session, sender.recorder.spool_folder());
    let outputs = Outputs::attach(&mut command, !args.no_output);
    let ended = match Child::start(command, signals) {
        Err(error) => Ended::not_started(&args.command, &error),
        Ok(child) => {
            let outputs = outputs.listen();
            let status = child.ended();
            let left = survivors::of(session.id().as_str());
            Ended::of(status, left, outputs.all(|| child.interrupted()))
        }
    };
    if let Some(what) = ended.said() {
        context.note(what);
    }
    let seen = before.map(Snapshot::changes).unwrap_or_default();
    ended.tell(action, seen, !watched.is_empty());
    ended
}

fn start(context: &Context, args: &Run, sender: &Sender, name: &str) -> Session {
    let recorder = &sender.recorder;
    let mut builder = match &args.request {
        Some(request) => recorder.session(request),
        None => recorder.session_without_request(),
    }
    .trigger(TriggerKind::Command, "recount run")
    .asked_by(asker(context, args));
    if let Some(intent) = &args.intent {
        builder = builder.intent(Content::redacted(
            intent.as_bytes(),
            "text/plain; charset=utf-8",
        ));
    }
    if !args.scope.is_empty() {
        // Who has it run, has declared that.
        let own = format!("execute process:{}", watched::literal(name));
        builder = builder
            .scope(args.scope.iter().cloned().chain([own]))
            .scope_declared_by("recount run --scope");
    }
    builder.start_blocking()
}

/// Who asks: as told, `ISSUER#SUBJECT` or a name; else the user that this runs as.
fn asker(context: &Context, args: &Run) -> Principal {
    match args.asked_by.as_deref() {
        None => sender::asker(context),
        Some(told) => match told.rsplit_once('#') {
            Some((issuer, subject)) if !issuer.is_empty() => Principal::user(issuer, subject),
            _ => Principal::user("recount run --asked-by", told),
        },
    }
}

/// Begins the action; where the collector may be away, once more without it.
fn begin(
    context: &Context,
    args: &Run,
    session: &Session,
    strict: bool,
) -> Result<(Action, std::process::Command), Refused> {
    let spooled = || {
        context.note("no collector takes records: they wait in the spool, and are sealed late");
        command(args, session)
            .durability(Durability::Spool)
            .begin_blocking()
    };
    if !strict {
        return spooled();
    }
    match command(args, session).begin_blocking() {
        Err(_) if args.on_collector_loss == OnLoss::Pass => spooled(),
        begun => begun,
    }
}

fn command(args: &Run, session: &Session) -> Process {
    let mut given = args.command.iter();
    session
        .command(given.next().cloned().unwrap_or_default())
        .args(given)
}

/// What stands for the command in names: the last part of its path.
fn program_name(args: &Run) -> String {
    let program = args
        .command
        .first()
        .map(|program| program.to_string_lossy());
    let program = program.unwrap_or_default();
    program.rsplit('/').next().unwrap_or(&program).to_owned()
}

fn refused_by(sender: &Sender, session: Session, refused: &Refused) -> Failure {
    session.end_blocking(EndReason::Failed);
    not_started(sender.not_taken("the collector did not take the begin", &refused.why))
}

/// Whatever is wrong with recording: the command was not started.
pub(in crate::record) fn not_started(failure: Failure) -> Failure {
    match failure {
        Failure::Unavailable { place, what, hint } => Failure::Unavailable {
            place,
            what: format!("{what}; the command was not started"),
            hint: format!("{hint}; or --on-collector-loss pass runs it all the same"),
        },
        other => other,
    }
}

pub(in crate::record) fn cannot_watch(error: std::io::Error) -> Failure {
    Failure::Unavailable {
        place: "this process".to_owned(),
        what: format!("signals cannot be watched: {error}; the command was not started"),
        hint: "run it without recount".to_owned(),
    }
}
