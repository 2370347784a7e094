//! The records of a request or of everything, as they are, and with `-f` as they arrive.
//!
//! A door that is lost while it is followed is said, waited for and read on from: nothing is printed twice or left out.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use ledger::leaf::StreamId;
use ledger::reader::{Find, StreamHint};
use ledger::verify::FindingKind;
use signal_hook::consts::signal::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::at::Moment;
use super::log::{Known, Wanted};
use super::record::{COLUMNS, Recorded};
use super::{Context, csv, exit_of, out, split_ref};
use crate::app::line::shown;
use crate::args::{ListForm, Log};
use crate::failure::{self, Exit, Failure};
use crate::source::{Bell, Rung, Source, hang};

/// How often it is looked whether anybody still reads what is printed.
const INTERVAL: Duration = Duration::from_millis(500);

/// How long after the first of several exports they are looked at together.
const BURST: Duration = Duration::from_millis(50);

/// How many times as long as a look took is waited before the next: every look verifies a stream from its beginning.
const REST: u32 = 3;

/// Which streams are printed, and how they are called.
struct Streams {
    ids: Option<HashSet<StreamId>>,
    /// Followed, a request may get further streams: sub-agents, later runs.
    request: Option<String>,
    names: HashMap<StreamId, String>,
    printed: HashMap<StreamId, u64>,
    /// Whether what cannot be read now is read later.
    follows: bool,
}

/// Prints the records that are wanted; with `-f` it goes on until it is stopped or nobody reads any more.
pub(super) fn records(
    context: &Context,
    source: &mut Source,
    query: Option<&str>,
    args: &Log,
    wanted: &Wanted,
) -> Result<Exit, Failure> {
    let mut known = Known::default();
    let mut streams = Streams {
        ids: None,
        request: None,
        names: HashMap::new(),
        printed: HashMap::new(),
        follows: args.follow,
    };
    let mut exit = Exit::Answered;
    let (mut within, mut then) = (None, None);
    if let Some(query) = query {
        let (query, only) = split_ref(query);
        let account = context.whole(source, query)?;
        if let Some(upto) = context.at()? {
            then = Some(Moment::after(&account, upto)?);
        }
        let account = context.cut(account)?;
        within = only.map(|only| only.to_string());
        known.learn_account(&account);
        exit = exit_of(&account);
        for stream in account.sessions.iter().flat_map(|session| &session.streams) {
            if let Ok(id) = stream.log.parse::<StreamId>() {
                streams.names.insert(id, stream.name.to_string());
            }
        }
        streams.request = args.follow.then(|| account.request.id.clone());
        streams.ids = Some(streams.names.keys().copied().collect());
    }
    if args.output == ListForm::Csv {
        out::text(&csv::row(COLUMNS))?;
    }
    // Hung before the first look, so that nothing is sealed in between unseen.
    let following = match args.follow {
        true => Some(Following::begin(context, source)?),
        false => None,
    };
    let mut looked = false;
    loop {
        if let Some(bell) = following.as_ref().and_then(|it| it.bell.as_ref()) {
            bell.heard();
        }
        let begun = Instant::now();
        let new = match read_new(context, source, &mut streams, &mut known) {
            Ok(new) => new,
            // Followed, what cannot be read now is waited for.
            Err(Failure::Unavailable { .. }) if streams.follows && looked => New::LATER,
            Err(failure) => return Err(failure),
        };
        looked = true;
        let mut kept = false;
        for record in &new.records {
            if known.keeps(wanted, record)
                && within.as_ref().is_none_or(|within| record.place == *within)
                && then.is_none_or(|then| record.is_at(&then))
            {
                kept = true;
                print(record, args.output)?;
            }
        }
        let Some(following) = &following else {
            if !kept && exit == Exit::Answered {
                context.note(&format!("no record matches in {}", source.place()));
                return Ok(Exit::NoMatch);
            }
            return Ok(exit);
        };
        let rest = begun.elapsed().saturating_mul(REST).max(BURST);
        match following.wait(context, source, rest, new.rest_later) {
            Waited::Look => {}
            Waited::Unread => return Ok(exit),
            Waited::Stopped => return Ok(Exit::Interrupted),
        }
    }
}

/// What one look found.
struct New {
    records: Vec<Recorded>,
    /// Whether something could not be read now.
    rest_later: bool,
}

impl New {
    const LATER: New = New {
        records: Vec::new(),
        rest_later: true,
    };
}

/// What is waited for between two looks.
struct Following {
    inbox: Receiver<Heard>,
    /// None beside a file that never changes.
    bell: Option<Bell>,
}

enum Heard {
    Rung(Rung),
    Stop,
}

enum Waited {
    Look,
    /// Nobody reads what is printed.
    Unread,
    /// Ctrl-C, or a request to end.
    Stopped,
}

impl Following {
    fn begin(context: &Context, source: &Source) -> Result<Following, Failure> {
        let (send, inbox) = mpsc::channel();
        let rung = send.clone();
        let ring = move |ring| rung.send(Heard::Rung(ring)).is_ok();
        let bell = hang(source, &context.common, &context.environment, ring);
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Failure::Output)?;
        std::thread::spawn(move || {
            for _ in signals.forever() {
                let _ = send.send(Heard::Stop);
            }
        });
        Ok(Following { inbox, bell })
    }

    /// Waits until there may be something new, and for `rest` after that: exports come in bursts, and their heads are
    /// signed a little later.
    fn wait(&self, context: &Context, source: &mut Source, rest: Duration, again: bool) -> Waited {
        let mut until = again.then(|| Instant::now() + rest.max(INTERVAL));
        loop {
            let patience =
                until.map_or(INTERVAL, |at| at.saturating_duration_since(Instant::now()));
            match self.inbox.recv_timeout(patience.min(INTERVAL)) {
                Ok(Heard::Stop) => return Waited::Stopped,
                Ok(Heard::Rung(Rung::Sealed)) => {
                    until.get_or_insert_with(|| Instant::now() + rest);
                }
                Ok(Heard::Rung(Rung::Lost { why, again })) => context.note(&format!(
                    "{why}; what was printed stands, trying again in {:.1} s",
                    again.as_secs_f32()
                )),
                Ok(Heard::Rung(Rung::Back)) => {
                    match source.again(&context.common, &context.environment) {
                        Ok(again) => {
                            context.note(&format!(
                                "{} can be read again ({})",
                                again.place(),
                                again.chosen.because
                            ));
                            *source = again;
                        }
                        Err(failure) => context.note(&failure.to_string()),
                    }
                    until.get_or_insert_with(|| Instant::now() + rest);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if out::is_unread() {
                        return Waited::Unread;
                    }
                    if until.is_some_and(|at| at <= Instant::now()) {
                        return Waited::Look;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Waited::Stopped,
            }
        }
    }
}

/// Reads and verifies what was appended since the last time.
fn read_new(
    context: &Context,
    source: &Source,
    streams: &mut Streams,
    known: &mut Known,
) -> Result<New, Failure> {
    let hints: Vec<StreamHint> = match &streams.ids {
        None => source
            .reader()
            .find(&Find::All)
            .map_err(|error| failure::of_read(&error))?,
        Some(ids) => {
            let mut hints = Vec::new();
            for id in ids {
                hints.extend(
                    source
                        .reader()
                        .find(&Find::Stream(*id))
                        .map_err(|error| failure::of_read(&error))?,
                );
            }
            if let Some(request) = &streams.request {
                let found = source.reader().find(&Find::Request(request.clone()));
                let found = found.map_err(|error| failure::of_read(&error))?;
                hints.extend(found.into_iter().filter(|hint| !ids.contains(&hint.stream)));
            }
            hints
        }
    };
    let grown: Vec<&StreamHint> = hints
        .iter()
        .filter(|hint| hint.records > streams.printed.get(&hint.stream).copied().unwrap_or(0))
        .collect();
    if grown.is_empty() {
        return Ok(New {
            records: Vec::new(),
            rest_later: false,
        });
    }
    let mut verifier = source.verifier()?;
    let mut fresh = Vec::new();
    let mut rest_later = false;
    for hint in grown {
        let stream = verifier.read_stream(hint);
        // A door that goes away in the middle of it is no finding about the record.
        let lost = stream
            .findings
            .iter()
            .find(|it| it.kind == FindingKind::Unreadable);
        if let Some(lost) = lost.filter(|_| streams.follows) {
            context.note(&format!("not read yet: {}", lost.what));
            rest_later = true;
            continue;
        }
        for finding in &stream.findings {
            context.note(&format!("stream {}: {}", hint.stream, finding.what));
        }
        let from = streams.printed.get(&hint.stream).copied().unwrap_or(0);
        let name = streams
            .names
            .get(&hint.stream)
            .cloned()
            .unwrap_or_else(|| hint.stream.to_string());
        for record in stream
            .records
            .iter()
            .filter(|record| record.leaf.index >= from)
        {
            let place = format!("{name}#{}", record.leaf.index);
            match Recorded::read(place, &record.leaf, record.envelope()) {
                Ok(record) => {
                    known.learn(&record);
                    fresh.push(record);
                }
                Err(what) => context.note(&what),
            }
        }
        // The stream may have grown since the hint was made.
        let read = stream
            .records
            .last()
            .map_or(0, |record| record.leaf.index + 1);
        streams.printed.insert(hint.stream, read.max(hint.records));
    }
    fresh.sort_by(|a, b| (a.at, &a.place).cmp(&(b.at, &b.place)));
    Ok(New {
        records: fresh,
        rest_later,
    })
}

fn print(record: &Recorded, form: ListForm) -> Result<(), Failure> {
    match form {
        ListForm::Json => out::json_line(record.json()),
        ListForm::Csv => {
            let cells = record.cells().map(|cell| shown(&cell));
            out::text(&csv::row(cells.iter().map(String::as_str)))
        }
        ListForm::Text => {
            let kind = record.kind.as_deref().unwrap_or("-");
            out::text(&format!(
                "{:<9} {} {:<22} {:<7} {}",
                shown(&record.place),
                record.at,
                shown(&record.event),
                shown(kind),
                shown(&record.what)
            ))
        }
    }
}
