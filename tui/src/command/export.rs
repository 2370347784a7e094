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
use crate::notes::{self, Noted, Notes};
use crate::source::Source;

/// What is written out.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// The form.
    pub(super) form: ExportForm,
    /// What does not verify too, as it is.
    pub(super) broken: bool,
    /// Every leaf of the ledger log, in a bundle.
    pub(super) whole_log: bool,
    /// Sizes of checkpoints that a bundle must reach back to.
    pub(super) reach: Vec<u64>,
}

/// What was made, and what has to be said about it.
#[derive(Debug)]
pub(super) struct Made {
    /// The file's bytes.
    pub(super) bytes: Vec<u8>,
    /// How the record stands.
    pub(super) exit: Exit,
    /// What is worth knowing.
    pub(super) told: Vec<String>,
    /// What does not verify.
    pub(super) broken: Vec<String>,
}

pub(super) fn run(context: &Context, args: &Export) -> Result<Exit, Failure> {
    let (query, _) = split_ref(&args.query);
    let mut source = context.source()?;
    let reach = args.known_checkpoint.as_deref().map(size_of).transpose()?;
    let wanted = Wanted {
        form: args.format,
        broken: args.broken,
        whole_log: args.whole_log,
        reach: reach.into_iter().collect(),
    };
    let made = make(&source, query, &wanted, || super::note::read(context))?;
    made.told.iter().for_each(|text| context.note(text));
    for text in &made.broken {
        eprintln!("recount: {}", crate::app::line::shown(text));
    }
    write(args, &made.bytes)?;
    context.pin(&mut source);
    Ok(made.exit)
}

/// Makes what a file is to hold, from bytes that are verified for it.
pub(super) fn make(
    source: &Source,
    query: &str,
    wanted: &Wanted,
    notes: impl FnOnce() -> Result<Notes, Failure>,
) -> Result<Made, Failure> {
    if source.bundle().is_some() && wanted.form == ExportForm::Bundle {
        return Err(Failure::Usage {
            what: format!("{} is a bundle already", source.place()),
            hint: "copy the file: a bundle is only whole as it is".to_owned(),
        });
    }
    let account = account_of(source, query)?;
    let bytes = match wanted.form {
        ExportForm::Bundle => return packed(source, &account, wanted),
        ExportForm::Json => written(&account)?,
        ExportForm::Md => {
            let mut text = account::render::markdown(&account, true);
            text.push_str(&notes::markdown(&Noted::of(&notes()?, &account)));
            text
        }
        ExportForm::Html => {
            let noted = notes::html(&Noted::of(&notes()?, &account));
            account::render::html(&account, true, &noted)
        }
    };
    let exit = exit_of(&account);
    if exit == Exit::NotIntact && !wanted.broken {
        return Err(refused(&source.place(), "the record does not verify"));
    }
    Ok(Made {
        bytes: bytes.into_bytes(),
        exit,
        told: Vec::new(),
        broken: Vec::new(),
    })
}

/// The account, with every binding looked at: what is not in it is not exported.
fn account_of(source: &Source, query: &str) -> Result<Account, Failure> {
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
fn packed(source: &Source, of: &Account, wanted: &Wanted) -> Result<Made, Failure> {
    let place = source.place();
    let streams = of.sessions.iter().flat_map(|session| &session.streams);
    let streams: Vec<StreamId> = streams.filter_map(|it| it.log.parse().ok()).collect();
    let gathered = Gathered::gather(source.reader(), &streams, &wanted.reach, wanted.whole_log)
        .map_err(|error| of_export(&place, error))?;
    let query = of.query.matched.first();
    let query = query.unwrap_or(&of.query.text);
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
    let mut made = tell(&place, &report, wanted.broken)?;
    // Of a broken record an account may be impossible; the evidence goes out without it.
    let derived = match account(&bare) {
        Ok(account) => Some((written(&account)?, exit_of(&account))),
        Err(error) if made.exit == Exit::NotIntact => {
            made.told.push(format!("no account goes along: {error}"));
            None
        }
        Err(error) => return Err(error),
    };
    let text = derived.as_ref().map(|(text, _)| text.as_bytes());
    made.bytes = pack(text)?;
    if let (Exit::Answered, Some((_, exit))) = (made.exit, derived) {
        made.exit = exit;
    }
    Ok(made)
}

/// Says what the bundle will show, and refuses what does not verify.
fn tell(place: &str, report: &BundleReport, broken: bool) -> Result<Made, Failure> {
    let mut made = Made {
        bytes: Vec::new(),
        exit: Exit::Answered,
        told: Vec::new(),
        broken: Vec::new(),
    };
    match report.verdict() {
        Verdict::Intact => {}
        Verdict::Incomplete => {
            let open: u64 = report.streams.iter().map(|stream| stream.tail).sum();
            made.told.push(format!(
                "incomplete: {open} records that no signed head covers yet, {} gaps; the bundle says so",
                report.gaps.len()
            ));
            made.exit = Exit::Incomplete;
        }
        Verdict::Broken if !broken => {
            let first = report.findings.first();
            let what = first.map(|it| format!("{}: {}", it.place, it.what));
            return Err(refused(place, &what.unwrap_or_default()));
        }
        Verdict::Broken => {
            let said = report.findings.iter();
            let said = said.map(|it| format!("NOT INTACT: {}: {}", it.place, it.what));
            made.broken = said.collect();
            made.exit = Exit::NotIntact;
        }
    }
    Ok(made)
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
    create(file, bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::Usage {
            what: format!("{} exists", file.display()),
            hint: "name another file, or remove that one".to_owned(),
        },
        _ => failure::of_file(file, &error),
    })
}

/// Writes a new file; one that is there already stays as it is.
pub(super) fn create(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::fs::File::create_new(file)?;
    let written = out.write_all(bytes).and_then(|()| out.sync_all());
    // Half an export would look like a damaged one.
    written.inspect_err(|_| drop(std::fs::remove_file(file)))
}
