//! `recount doctor`: what this program found on this machine, and what to do where it found something wrong.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use vocabulary::Timestamp;

use super::{Context, config, log, out};
use crate::app::line::shown;
use crate::clipboard;
use crate::failure::{Exit, Failure};
use crate::notes::{NotesFile, file_of};
use crate::source::Source;
use crate::source::place::Place;

/// Less room than this, in bytes, is worth a word.
const LITTLE: u64 = 64 << 20;

/// What was found, one fact per line.
#[derive(Debug, Default)]
struct Found(String);

impl Found {
    fn fact(&mut self, name: &str, what: &str) {
        let _ = writeln!(self.0, "{name:<10} {}", shown(what));
    }
}

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let mut found = Found::default();
    let schema = account::model::SCHEMA;
    found.fact(
        "recount",
        &format!("{}, accounts as {schema}", env!("CARGO_PKG_VERSION")),
    );
    terminal(context, &mut found);
    let config = config::file(context);
    let config = config.map_or_else(
        || "none: HOME is not set".to_owned(),
        |file| match file.exists() {
            true => file.display().to_string(),
            false => format!("{}, not there: defaults", file.display()),
        },
    );
    found.fact("config", &config);
    for what in config::wrong(context) {
        found.fact("problem", &what);
    }
    notes(context, &mut found);
    let exit = match Source::open(&context.common, &context.environment) {
        Ok(source) => ledger(&source, &mut found),
        Err(failure) => {
            found.fact("store", &format!("cannot be opened: {failure}"));
            if let Some(hint) = failure.hint() {
                found.fact("hint", &hint);
            }
            failure.exit()
        }
    };
    out::text(&found.0)?;
    Ok(exit)
}

fn terminal(context: &Context, found: &mut Found) {
    let variable = |name: &str| {
        let text = context.environment.text(name);
        format!("{name} {}", text.unwrap_or_else(|| "not set".to_owned()))
    };
    let size = crossterm::terminal::size().map_or_else(
        |_| "size unknown".to_owned(),
        |(columns, rows)| format!("{columns}x{rows}"),
    );
    let kind = match context.terminal {
        true => "a terminal",
        false => "no terminal",
    };
    found.fact(
        "output",
        &format!("{kind}, {size}, {}, {}", variable("TERM"), variable("LANG")),
    );
    let colours = format!("{}, {}", variable("NO_COLOR"), variable("COLORTERM"));
    found.fact("colours", &colours);
    let set = |name: &str| context.environment.get(name).is_some();
    let mut ways = vec!["OSC 52 (no terminal says whether it took it)".to_owned()];
    if set("TMUX") {
        ways.push("through tmux, where set-clipboard is on".to_owned());
    }
    for (display, program) in [("WAYLAND_DISPLAY", "wl-copy"), ("DISPLAY", "xclip")] {
        match (set(display), clipboard::found(program)) {
            (true, Some(file)) => ways.push(file.display().to_string()),
            (true, None) => ways.push(format!("{display} is set and there is no {program}")),
            (false, _) => {}
        }
    }
    found.fact("clipboard", &ways.join("; "));
}

/// The case log: whether it can be read and written, and whether there is room.
fn notes(context: &Context, found: &mut Found) {
    let Some(file) = file_of(&context.environment) else {
        return found.fact("notes", "no place for them: set RECOUNT_NOTES or HOME");
    };
    let read = NotesFile::new(Some(file.clone())).read();
    let said = match read {
        Ok(notes) => {
            let bad = match notes.unreadable() {
                [] => String::new(),
                some => format!(", {} lines cannot be read", some.len()),
            };
            format!("{}, {} lines{bad}", file.display(), notes.iter().count())
        }
        Err(error) => error.to_string(),
    };
    found.fact("notes", &said);
    let writable = match file.exists() {
        true => rustix::fs::access(&file, rustix::fs::Access::WRITE_OK).is_ok(),
        false => true,
    };
    if !writable {
        found.fact("problem", "nothing can be noted: the file is not writable");
    }
}

/// The ledger: which one, whether it answers, whether its signatures and its clock hold.
fn ledger(source: &Source, found: &mut Found) -> Exit {
    found.fact(
        "store",
        &format!("{} ({})", source.place(), source.chosen.because),
    );
    let keys = source.key_file().map_or_else(
        || "none: HOME is not set".to_owned(),
        |file| file.display().to_string(),
    );
    found.fact("keys", &keys);
    if let Place::Folder(folder) = &source.chosen.place {
        let lock = match source.is_door() {
            true => "held by a collector: read through its door",
            false => "nobody writes to it now",
        };
        found.fact("lock", lock);
        disk(folder, found);
    }
    let began = Instant::now();
    let mut verifier = match source.verifier() {
        Ok(verifier) => verifier,
        Err(failure) => {
            found.fact("problem", &failure.to_string());
            return failure.exit();
        }
    };
    if source.is_door() {
        let took = began.elapsed().as_micros();
        found.fact(
            "door",
            &format!("answered in {}.{} ms", took / 1000, took % 1000 / 100),
        );
    }
    let seen = verifier.ledger();
    let key = seen.key.as_ref();
    let key = key.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    found.fact("ledger", &format!("{} leaves, key {key}", seen.size));
    for finding in &seen.findings {
        found.fact("finding", &finding.what);
    }
    let whole = seen.findings.is_empty();
    clock(verifier.checkpoint_ns(), found);
    match whole {
        true => Exit::Answered,
        false => Exit::NotIntact,
    }
}

/// This machine's clock beside the ledger's: what was signed cannot lie ahead.
fn clock(signed_ns: Option<u64>, found: &mut Found) {
    let now = log::unix_now();
    let said = match signed_ns {
        None => "nothing is signed to compare with".to_owned(),
        Some(signed) => {
            let at = Timestamp::from_unix_ns(signed);
            let ahead = signed.saturating_sub(now) / 1_000_000_000;
            match ahead {
                0..=2 => format!("the newest signed leaf is of {at}"),
                _ => format!(
                    "{ahead} s behind the newest signed leaf, of {at}: one of the two clocks is wrong"
                ),
            }
        }
    };
    found.fact(
        "clock",
        &format!("{}, {said}", Timestamp::from_unix_ns(now)),
    );
}

fn disk(folder: &Path, found: &mut Found) {
    let Ok(there) = rustix::fs::statvfs(folder) else {
        return;
    };
    let free = there.f_bavail.saturating_mul(there.f_frsize);
    let little = match free < LITTLE {
        true => "; a collector stops before it is full",
        false => "",
    };
    found.fact("disk", &format!("{} MiB free{little}", free >> 20));
}
