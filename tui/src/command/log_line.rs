//! `recount log-line`: each line of standard input becomes one sealed record, or the program says that it did not.

use std::io::BufRead as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use recount::{
    Attributes, Content, EndReason, Event, Principal, Recorder, RefusedWhy, Session, TriggerKind,
};
use vocabulary::attribute;

use super::Context;
use crate::args::LogLine;
use crate::failure::{Exit, Failure};

/// How long the collector may take to acknowledge.
const PATIENCE: Duration = Duration::from_secs(5);

const TOKEN: &str = "set RECOUNT_TOKEN to the token that recount-collector enroll NAME prints";

const START: &str = "start one: recount-collector serve --init";

pub(super) fn run(context: &Context, args: &LogLine) -> Result<Exit, Failure> {
    // Without a collector nothing is recorded at all: a line that waited in a spool would be sealed behind the
    // back of a user who was told that it was not.
    reachable(&args.endpoint)?;
    let recorder = Recorder::builder(&args.agent).collector(&args.endpoint);
    let variable = |name| context.environment.get(name);
    let recorder = match variable("RECOUNT_SPOOL") {
        Some(folder) => recorder.spool(folder),
        None => recorder,
    };
    let recorder = match context.environment.text("RECOUNT_TOKEN") {
        Some(token) => recorder.token(token),
        None => recorder,
    };
    let recorder = match variable("RECOUNT_AGENT_KEY") {
        Some(file) => recorder.agent_key(file),
        None => recorder,
    };
    let recorder = recorder.build().map_err(|error| Failure::Unavailable {
        place: args.endpoint.clone(),
        what: error.to_string(),
        hint: "set RECOUNT_SPOOL to a folder that can be written".to_owned(),
    })?;
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
        let session = session.get_or_insert_with(|| start(context, args, &recorder));
        seal(session, &line).map_err(|why| not_sealed(args, &recorder, sealed, &why))?;
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
        .map_err(|why| not_sealed(args, &recorder, sealed, &why))?;
    recorder.close_blocking(PATIENCE);
    context.note(&format!(
        "sealed {} for request {} in session {id}, through {}",
        crate::app::words::count(sealed, "line", "lines"),
        args.request,
        args.endpoint
    ));
    Ok(Exit::Answered)
}

/// Fails when nothing listens where records go.
fn reachable(endpoint: &str) -> Result<(), Failure> {
    let unavailable = |what: String| Failure::Unavailable {
        place: endpoint.to_owned(),
        what: format!("no collector takes records at {endpoint}: {what}; nothing was recorded"),
        hint: START.to_owned(),
    };
    if let Some(path) = endpoint.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        let connected = std::os::unix::net::UnixStream::connect(path);
        return connected
            .map(drop)
            .map_err(|error| unavailable(error.to_string()));
    }
    let rest = endpoint
        .strip_prefix("http://")
        .or_else(|| endpoint.strip_prefix("https://"));
    let host = rest
        .unwrap_or(endpoint)
        .split('/')
        .next()
        .unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => host.to_owned(),
        _ => format!(
            "{host}:{}",
            if endpoint.starts_with("https:") {
                443
            } else {
                80
            }
        ),
    };
    let addresses = host
        .to_socket_addrs()
        .map_err(|error| unavailable(error.to_string()))?;
    let mut last = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(unavailable(last))
}

fn start(context: &Context, args: &LogLine, recorder: &Recorder) -> Session {
    recorder
        .session(&args.request)
        .trigger(TriggerKind::Command, "recount log-line")
        .asked_by(Principal::user(format!("os:{}", host()), user(context)))
        .start_blocking()
}

/// The user's name, else the number that the system knows the user by.
fn user(context: &Context) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let named = ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| context.environment.text(name));
    let number = || std::fs::metadata("/proc/self").map(|own| format!("uid {}", own.uid()));
    named
        .or_else(|| number().ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() {
        "localhost".to_owned()
    } else {
        name.trim().to_owned()
    }
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

fn not_sealed(args: &LogLine, recorder: &Recorder, sealed: u64, why: &RefusedWhy) -> Failure {
    let unsent = recorder.unsent().0;
    recorder.close_blocking(Duration::ZERO);
    // It answers, and does not know who asks.
    let hint = match why.to_string().contains("status 401") {
        true => TOKEN,
        false => START,
    };
    Failure::Unavailable {
        place: args.endpoint.clone(),
        what: format!(
            "{} sealed by {}, then: {why}; {} wait in the spool and are sealed late when a collector runs",
            crate::app::words::count(sealed, "line", "lines"),
            args.endpoint,
            crate::app::words::count(unsent, "record", "records")
        ),
        hint: hint.to_owned(),
    }
}
