//! `recount export`: a request written out, with everything that lets others check it.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use account::model::Account;
use ledger::bundle::{self, Bundle, BundleReport, ExportError, Gathered, Verdict};
use ledger::leaf::StreamId;

use super::bundle::{account, size_of, written};
use super::{Context, exit_of, out, split_ref};
use crate::args::{Export, ExportForm};
use crate::failure::{self, Exit, Failure};
use crate::notes::{Noted, markdown};
use crate::source::Source;

pub(super) fn run(context: &Context, args: &Export) -> Result<Exit, Failure> {
    let (query, _) = split_ref(&args.query);
    let mut source = context.source()?;
    if source.bundle().is_some() && args.format == ExportForm::Bundle {
        return Err(Failure::Usage {
            what: format!("{} is a bundle already", source.place()),
            hint: "copy the file: a bundle is only whole as it is".to_owned(),
        });
    }
    let wanted = wanted(&source, query)?;
    let (bytes, exit) = match args.format {
        ExportForm::Json => (written(&wanted)?.into_bytes(), exit_of(&wanted)),
        ExportForm::Md => {
            let mut text = account::render::markdown(&wanted, true);
            let noted = Noted::of(&super::note::read(context)?, &wanted);
            text.push_str(&markdown(&noted));
            (text.into_bytes(), exit_of(&wanted))
        }
        ExportForm::Bundle => packed(context, &source, &wanted, args)?,
    };
    if args.format != ExportForm::Bundle && exit == Exit::NotIntact && !args.broken {
        return Err(refused(&source.place(), "the record does not verify"));
    }
    write(args, &bytes)?;
    context.pin(&mut source);
    Ok(exit)
}

/// The account, with every binding looked at: what is not in it is not exported.
fn wanted(source: &Source, query: &str) -> Result<Account, Failure> {
    let options = account::Options {
        all_bindings: source.bundle().is_none(),
        ..account::Options::default()
    };
    account::build(source.reader(), &source.trusted, query, &options)
        .map_err(|error| failure::of_account(&source.place(), query, error))
}

fn refused(place: &str, what: &str) -> Failure {
    Failure::NotIntact {
        place: place.to_owned(),
        what: format!("{what}; nothing was written"),
        hint: "a broken record is evidence too: --broken writes it out as it is".to_owned(),
    }
}

/// The bundle's bytes, checked as whoever gets them will check them.
fn packed(
    context: &Context,
    source: &Source,
    wanted: &Account,
    args: &Export,
) -> Result<(Vec<u8>, Exit), Failure> {
    let place = source.place();
    let streams = wanted.sessions.iter().flat_map(|session| &session.streams);
    let streams: Vec<StreamId> = streams.filter_map(|it| it.log.parse().ok()).collect();
    let reach: Vec<u64> = args
        .known_checkpoint
        .as_deref()
        .map(size_of)
        .transpose()?
        .into_iter()
        .collect();
    let gathered = Gathered::gather(source.reader(), &streams, &reach, args.whole_log)
        .map_err(|error| of_export(&place, error))?;
    let query = wanted.query.matched.first();
    let query = query.unwrap_or(&wanted.query.text);
    let release = env!("CARGO_PKG_VERSION");
    let pack = |account: Option<&[u8]>| {
        gathered
            .pack(release, query, account)
            .map_err(|error| of_export(&place, error))
    };
    let open = |bytes| {
        Bundle::open("the bundle", bytes).map_err(|error| failure::of_bundle("the bundle", &error))
    };
    let bare = open(pack(None)?)?;
    let report = bundle::check(&bare, &source.trusted, None);
    let report = report.map_err(|error| failure::of_read(&error))?;
    let exit = tell(context, &place, &report, args)?;
    // Of a broken record an account may be impossible; the evidence goes out without it.
    let derived = match account(&bare) {
        Ok(account) => Some((written(&account)?, exit_of(&account))),
        Err(error) if exit == Exit::NotIntact => {
            context.note(&format!("no account goes along: {error}"));
            None
        }
        Err(error) => return Err(error),
    };
    let text = derived.as_ref().map(|(text, _)| text.as_bytes());
    let bytes = pack(text)?;
    let exit = match (exit, derived) {
        (Exit::Answered, Some((_, exit))) => exit,
        (exit, _) => exit,
    };
    Ok((bytes, exit))
}

/// Says what the bundle will show, and refuses what does not verify.
fn tell(
    context: &Context,
    place: &str,
    report: &BundleReport,
    args: &Export,
) -> Result<Exit, Failure> {
    match report.verdict() {
        Verdict::Intact => Ok(Exit::Answered),
        Verdict::Incomplete => {
            let open: u64 = report.streams.iter().map(|stream| stream.tail).sum();
            context.note(&format!(
                "incomplete: {open} records that no signed head covers yet, {} gaps; the bundle says so",
                report.gaps.len()
            ));
            Ok(Exit::Incomplete)
        }
        Verdict::Broken if !args.broken => {
            let first = report.findings.first();
            let what = first.map(|it| format!("{}: {}", it.place, it.what));
            Err(refused(place, &what.unwrap_or_default()))
        }
        Verdict::Broken => {
            for finding in &report.findings {
                let what = format!("NOT INTACT: {}: {}", finding.place, finding.what);
                eprintln!("recount: {}", crate::app::line::shown(&what));
            }
            Ok(Exit::NotIntact)
        }
    }
}

fn of_export(place: &str, error: ExportError) -> Failure {
    match error {
        ExportError::Read(error) => failure::of_read(&error),
        ExportError::NotSigned { .. } => Failure::Unavailable {
            place: place.to_owned(),
            what: error.to_string(),
            hint: "try again in a few seconds: the collector signs what it took".to_owned(),
        },
        ExportError::Said { .. } | ExportError::Streams { .. } => Failure::Usage {
            what: error.to_string(),
            hint: "name a session of it instead".to_owned(),
        },
        _ => Failure::NotIntact {
            place: place.to_owned(),
            what: error.to_string(),
            hint: "keep a copy of the store's folder: it is the evidence".to_owned(),
        },
    }
}

/// Writes to the file, which must be new, or to stdout.
fn write(args: &Export, bytes: &[u8]) -> Result<(), Failure> {
    let Some(file) = args
        .output
        .as_deref()
        .filter(|file| *file != Path::new("-"))
    else {
        if args.format == ExportForm::Bundle && std::io::stdout().is_terminal() {
            return Err(Failure::Usage {
                what: "a bundle is no text for a terminal".to_owned(),
                hint: "name a file: -o FILE.tar".to_owned(),
            });
        }
        return out::bytes(bytes);
    };
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::Usage {
            what: format!("{} exists", file.display()),
            hint: "name another file, or remove that one".to_owned(),
        },
        _ => failure::of_file(file, &error),
    };
    let mut out = std::fs::File::create_new(file).map_err(failed)?;
    let written = out.write_all(bytes).and_then(|()| out.sync_all());
    written.map_err(|error| {
        // Half an export would look like a damaged one.
        let _ = std::fs::remove_file(file);
        failed(error)
    })
}
