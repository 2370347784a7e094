//! `erase`: take payloads out of the ledger for good, with a leaf that says on whose word.

mod copies;
mod target;

use ledger::leaf::Cause;
use ledger::store::{Erase, Erased, Folder};

use crate::cli;
use crate::error::{Error, exit};
use crate::serve;
use crate::settings::Settings;

use copies::Needles;
use target::{Plan, Target};

/// Plans, and with `--yes` erases. 0: done, or planned; 6: a readable copy is left in a place that was searched.
pub(super) fn erase(settings: &Settings, options: &cli::Erase) -> Result<u8, Error> {
    let cause = cause(settings, options)?;
    let targets = options
        .targets
        .iter()
        .map(|text| text.parse())
        .collect::<Result<Vec<Target>, Error>>()?;
    let folder = Folder::open(&settings.store)?;
    let plan = Plan::of(&folder, &targets, options.names)?;
    let needles = Needles::of(&folder, &plan.ranges)?;
    drop(folder);
    show_plan(settings, &plan, &cause);
    if !options.yes {
        say!("nothing was erased: add --yes to do it");
        return Ok(exit::DONE);
    }
    let done = carry_out(settings, &plan, options, cause)?;
    say!(
        "erased    {} payloads; {} were erased before",
        done.records,
        done.before
    );
    if options.names {
        say!("erased    {} names in the ledger log", done.names);
    }
    report_copies(settings, options, &needles)
}

/// On whose word, in the form of the leaf's private part.
fn cause(settings: &Settings, options: &cli::Erase) -> Result<Cause, Error> {
    let refuse = |why: &str| {
        Err(Error::Usage {
            why: why.to_owned(),
            hint: "recount-collector erase TARGET --actor WHO --reason TEXT".to_owned(),
        })
    };
    let actor = options.actor.trim();
    let reason = options.reason.trim();
    if actor.is_empty() || reason.is_empty() {
        return refuse("an erasure names who asked for it and why");
    }
    let approver = options.approved_by.as_deref().map(str::trim);
    match approver.filter(|approver| !approver.is_empty()) {
        Some(approver) if approver == actor => {
            refuse("--approved-by is the same as --actor; the second word has to be someone else's")
        }
        Some(approver) => Ok(Cause {
            actor: format!("{actor}, approved by {approver}"),
            reason: reason.to_owned(),
        }),
        None if settings.erase_needs_approval => {
            refuse("this ledger's settings ask for a second person: name them with --approved-by")
        }
        None => Ok(Cause {
            actor: actor.to_owned(),
            reason: reason.to_owned(),
        }),
    }
}

fn show_plan(settings: &Settings, plan: &Plan, cause: &Cause) {
    say!("store     {}", settings.store.display());
    for line in &plan.lines {
        say!("{line}");
    }
    say!("because   {} ({})", cause.reason, cause.actor);
    say!("stays     leaves, hashes, times and sequence numbers: the tree does not change");
}

fn carry_out(
    settings: &Settings,
    plan: &Plan,
    options: &cli::Erase,
    cause: Cause,
) -> Result<Erased, Error> {
    let halted = |why: String| Error::Halted { why };
    let ledger = serve::open_ledger(settings, Box::new(|_| {}))?;
    let done = ledger.erase(Erase {
        ranges: plan.ranges.clone(),
        names: plan.names.clone(),
        reason: options.because.code(),
        cause,
    });
    // Closing empties the write-ahead log, which still holds the pages as they were.
    let closed = ledger.close().map_err(|fatal| halted(fatal.to_string()));
    let done = done.map_err(|error| halted(error.to_string()))?;
    closed?;
    Ok(done)
}

/// Looks for what was erased where this command can look, and names where it cannot.
fn report_copies(
    settings: &Settings,
    options: &cli::Erase,
    needles: &Needles,
) -> Result<u8, Error> {
    let mut places = vec![settings.store.clone()];
    places.extend(options.search.iter().cloned());
    let mut found = needles.left_in_store(&settings.store)?;
    for place in &places {
        found.extend(needles.left_in_files(place)?);
    }
    for place in &places {
        say!(
            "searched  {} for {} of the payloads",
            place.display(),
            needles.len()
        );
    }
    for place in &found {
        say!("STILL IN  {place}");
    }
    say!(
        "elsewhere exports, backups, snapshots and agents' spools are not reached by this command; --search DIR looks \
         into a folder"
    );
    Ok(if found.is_empty() {
        exit::DONE
    } else {
        exit::INCOMPLETE
    })
}
