//! `recount log-line`: each line of standard input becomes one sealed record, or the program says that it did not.

use std::io::BufRead as _;

use recount::{Attributes, Content, EndReason, Event, Recorder, RefusedWhy, Session, TriggerKind};
use vocabulary::attribute;

use super::Context;
use crate::args::LogLine;
use crate::failure::{Exit, Failure};
use crate::record::sender::{self, PATIENCE, Sender};

pub(super) fn run(context: &Context, args: &LogLine) -> Result<Exit, Failure> {
    // Without a collector nothing is recorded at all: a line that waited in a spool would be sealed behind the
    // back of a user who was told that it was not.
    sender::reachable(&args.sending.endpoint)?;
    let sender = Sender::open(context, &args.agent, &args.sending.endpoint)?;
    let recorder = &sender.recorder;
    let mut input = std::io::BufReader::new(std::io::stdin().lock());
    let mut session: Option<Session> = None;
    let mut sealed: u64 = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input
            .read_until(b'\n', &mut line)
            .map_err(|error| Failure::Usage {
                what: format!("standard input: {error}"),
                hint: "pipe lines of text or JSON into it".to_owned(),
            })?;
        if read == 0 {
            break;
        }
        while line.last().is_some_and(|end| matches!(end, b'\n' | b'\r')) {
            line.pop();
        }
        if line.is_empty() {
            continue;
        }
        let session = session.get_or_insert_with(|| start(context, args, recorder));
        seal(session, &line).map_err(|why| not_sealed(&sender, sealed, &why))?;
        sealed += 1;
    }
    let Some(session) = session else {
        return Err(Failure::Usage {
            what: "standard input had no line".to_owned(),
            hint: format!("echo done | recount log-line --request {}", args.request),
        });
    };
    let id = session.id().to_string();
    session
        .end_sealed_blocking(EndReason::Completed, PATIENCE)
        .map_err(|why| not_sealed(&sender, sealed, &why))?;
    recorder.close_blocking(PATIENCE);
    context.note(&format!(
        "sealed {} for request {} in session {id}, through {}",
        crate::app::words::count(sealed, "line", "lines"),
        args.request,
        args.sending.endpoint
    ));
    Ok(Exit::Answered)
}

fn start(context: &Context, args: &LogLine, recorder: &Recorder) -> Session {
    recorder
        .session(&args.request)
        .trigger(TriggerKind::Command, "recount log-line")
        .asked_by(sender::asker(context))
        .start_blocking()
}

/// Seals one line; it waits for the collector's receipt.
fn seal(session: &Session, line: &[u8]) -> Result<(), RefusedWhy> {
    let content = match std::str::from_utf8(line) {
        Ok(text) if is_json(text) => Content::from_bytes(line, "application/json"),
        Ok(text) => Content::text(text),
        Err(_) => Content::from_bytes(line, "application/octet-stream"),
    };
    let mut attributes = Attributes::new();
    attributes
        .content(attribute::CONTENT, &content)
        .str(attribute::LINE_SOURCE, "stdin");
    session.seal_blocking(Event::LogLine, &attributes, PATIENCE)
}

/// Whether a line is a JSON object or array; a bare word or number is text.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn not_sealed(sender: &Sender, sealed: u64, why: &RefusedWhy) -> Failure {
    let sealed = crate::app::words::count(sealed, "line", "lines");
    sender.not_taken(
        &format!("{sealed} sealed by {}, then", sender.endpoint()),
        why,
    )
}
